//! The kinds of findings about an Exim. Their names are an interface.

use crate::mta::finding::{Kind, Severity};

/// Each of them, in the order of the manual.
pub const KINDS: &[&Kind] = &[
    &ROUTERS_MISSING,
    &ROUTER_BEFORE,
    &ANSWER_UNCHECKED,
    &DOMAIN_MOVED,
    &OTHER_HOST,
    &TLS_NOT_REQUIRED,
    &CHAIN,
    &DANE_INSTEAD,
    &HOST_NAME,
    &ANCHORS,
    &CERTIFICATE_QUESTION,
    &DANE_RECORDS,
    &MINIMUM_VERSION,
    &MULTI_DOMAIN,
    &CONNECTION_REUSE,
    &TRANSPORT_MISSING,
    &RETRY,
    &ACL_MISSING,
    &ACL_LATE,
    &ACL_ANSWER,
    &PROXY,
    &SOCKET_PATH,
    &SOCKET_ACCESS,
    &NO_STARTTLS,
    &CLIENT_CERTIFICATE,
    &LOG,
];

pub(super) static ROUTERS_MISSING: Kind = Kind {
    id: "exim-routers-missing",
    severity: Severity::Bypass,
    about: "No router asks the daemon, or the one that does is only about some domains or mail, or no router behind it \
            has a transport that the answer chooses, or the last that has lets go on what it does not deliver. Mail that leaves \
            goes by the site's own routers, and outbound connectors are not in force. So it is with a connector's domain that \
            `local_domains` names and a router sends away. Of that list only names are looked at, and no tables, and not for \
            connectors for `*`. There are no commands where a list or a table says what is not asked about. Not looked at: what makes another address of one, or adds one (routers with `redirect`, the section \"begin rewrite\", \
            `system_filter`), since the other address is asked about.",
};

pub(super) static ROUTER_BEFORE: Kind = Kind {
    id: "exim-router-before",
    severity: Severity::Bypass,
    about: "A router that hands mail to an SMTP transport stands before the one that asks the daemon, or between that and \
            those that obey the answer, and is not about local domains only; or `redirect_router` or `pass_router` leads \
            addresses past the question, or past the last router that obeys the answer. What it takes is not asked about. Its conditions are not looked at, but for `domains` and \
            `verify_only`, and neither are transports with `protocol = lmtp`, wherever their hosts are.",
};

pub(super) static ANSWER_UNCHECKED: Kind = Kind {
    id: "exim-answer-unchecked",
    severity: Severity::Bypass,
    about: "Behind the router that asks, none defers the mail unless the answer ends in `end=ok`. To Exim an answer that \
            was cut short is an answer (a daemon that dies closes the connection), and half of one may lead to the site's \
            own routers.",
};

pub(super) static DOMAIN_MOVED: Kind = Kind {
    id: "exim-domain-moved",
    severity: Severity::Bypass,
    about: "A router with the driver `dnslookup` obeys the answer, and no router before the question defers addresses whose \
            parent has a connector. When the DNS says that a partner's domain is an alias of an alias, Exim goes on with that \
            alias, which may have no connector: whoever forges the DNS chooses it.",
};

pub(super) static OTHER_HOST: Kind = Kind {
    id: "exim-other-host",
    severity: Severity::Bypass,
    about: "`fallback_hosts`, or `hosts` with `hosts_override`, is set in a transport for connectors, or `fallback_hosts` in a \
            router that obeys the answer, or its hosts (`route_data`, `route_list`) have neither the domain nor `hosts=` of the \
            answer in them. Mail goes to these hosts, and not to the partner's or to those of `route`.",
};

pub(super) static TLS_NOT_REQUIRED: Kind = Kind {
    id: "exim-tls-not-required",
    severity: Severity::Bypass,
    about: "`hosts_require_tls` of a transport for connectors that need TLS is not `*`. When TLS is not offered, or fails, \
            the mail leaves in plaintext. A question to the daemon is no remedy there: when its expansion fails, Exim takes \
            the list for empty.",
};

pub(super) static CHAIN: Kind = Kind {
    id: "exim-chain",
    severity: Severity::Bypass,
    about: "`tls_verify_hosts` of a transport for connectors that need a trusted chain is not `*`: Exim goes on when the \
            chain is not trusted, and the daemon sees the server's own certificate only.",
};

pub(super) static DANE_INSTEAD: Kind = Kind {
    id: "exim-dane-instead",
    severity: Severity::Bypass,
    about: "`hosts_try_dane` (on by default) or `hosts_require_dane` is set in a transport for connectors that need a trusted \
            chain. With TLSA records Exim obeys those instead of `tls_verify_hosts`: a partner's host that publishes them \
            needs no certificate of an agreed authority.",
};

pub(super) static HOST_NAME: Kind = Kind {
    id: "exim-host-name",
    severity: Severity::Bypass,
    about: "`tls_verify_cert_hostnames` of the transport for connectors with `verify` and without `match` is not `*`: a \
            trusted certificate for any other host will do.",
};

pub(super) static ANCHORS: Kind = Kind {
    id: "exim-anchors",
    severity: Severity::Bypass,
    about: "`tls_verify_certificates` of a transport does not take the `ca=` of the answer: a connector's `ca_file` is not \
            obeyed, and other authorities than the agreed ones are trusted.",
};

pub(super) static CERTIFICATE_QUESTION: Kind = Kind {
    id: "exim-certificate-question",
    severity: Severity::Bypass,
    about: "A transport does not ask the daemon about the certificate that it was shown, or goes on after another answer \
            than exactly `ok`, or without one: names (`match`) and fingerprints are then not looked at. It must ask in \
            `authenticated_sender`, as contrib does: Exim goes on when the expansion of `event_action` fails, or no event \
            is raised, so that a question there alone is not enough.",
};

pub(super) static DANE_RECORDS: Kind = Kind {
    id: "exim-dane-records",
    severity: Severity::Bypass,
    about: "The transport for `dane-only` does not insist on TLSA records: without any, or without DNSSEC, a host gets the \
            mail over TLS with any certificate.",
};

pub(super) static MINIMUM_VERSION: Kind = Kind {
    id: "exim-minimum-version",
    severity: Severity::Bypass,
    about: "`tls_require_ciphers` of a transport does not take the `min=` of the answer, or `dane_require_tls_ciphers` does not, \
            which counts where there are TLSA records and the transport looks for them: a connector's `protocols` is not obeyed.",
};

pub(super) static MULTI_DOMAIN: Kind = Kind {
    id: "exim-multi-domain",
    severity: Severity::Bypass,
    about: "`multi_domain` is on, as it is by default, in a transport for connectors. A message to several domains at one \
            host goes in one transaction, under the answer for the first of them.",
};

pub(super) static CONNECTION_REUSE: Kind = Kind {
    id: "exim-connection-reuse",
    severity: Severity::Bypass,
    about: "`connection_max_messages` is not 1 in a transport for connectors. The next message to the host goes over the \
            connection that is open already, and what its own connector demands of TLS is not looked at.",
};

pub(super) static TRANSPORT_MISSING: Kind = Kind {
    id: "exim-transport-missing",
    severity: Severity::Outage,
    about: "There is no transport for a word that the daemon answers: all mail of the connectors with it waits.",
};

pub(super) static RETRY: Kind = Kind {
    id: "exim-retry",
    severity: Severity::Outage,
    about: "Exim remembers by MX host that TLS has failed, and one partner's bad certificate keeps the mail of all at that \
            host until the next try, and returns it in the end. Our first retry rule (`tls_required`), and `interface` \
            and `delay_after_cutoff` of our transports keep that to a second, and from mail without a connector.",
};

pub(super) static ACL_MISSING: Kind = Kind {
    id: "exim-acl-missing",
    severity: Severity::Bypass,
    about: "The ACL at RCPT does not ask the daemon, and neither does the one at MAIL, which is enough for connectors \
            without `recipients`; or it asks without the recipient, and those are not decided. Not counted is a question in `acl_smtp_predata`: that ACL is not run for mail that comes \
            by BDAT (CHUNKING).",
};

pub(super) static ACL_LATE: Kind = Kind {
    id: "exim-acl-late",
    severity: Severity::Bypass,
    about: "In the ACL an `accept` stands before the question, or the question is only asked of some: the others pass \
            unseen. `hosts = :`, `authenticated = *` and lists of hosts that are all in `[inbound_exempt]` are no finding.",
};

pub(super) static ACL_ANSWER: Kind = Kind {
    id: "exim-acl-answer",
    severity: Severity::Bypass,
    about: "The ACL goes on without a whole answer: the question stands in a `warn` without a fail string, which Exim skips \
            when the daemon does not answer; or, before anybody is accepted, no `defer` or `deny` that is for all looks for \
            `end=ok`, or none refuses what is not `action=pass`, in the words of contrib; or the ACL that asks is called \
            where its refusal does not count, as in a `warn`.",
};

pub(super) static PROXY: Kind = Kind {
    id: "exim-proxy",
    severity: Severity::Bypass,
    about: "`hosts_proxy` has more than single addresses and what is in `[inbound_exempt]`. Who is in it says by the PROXY protocol at what address a client is, \
            and connectors are judged by that: at one of `[inbound_exempt]` nobody is judged. A proxy has its own address \
            there, and nobody else. The commands put the line into a comment.",
};

pub(super) static SOCKET_PATH: Kind = Kind {
    id: "exim-socket-path",
    severity: Severity::Outage,
    about: "Exim asks at another path than the one where connectord.toml has the socket with `protocol = \"exim\"`: all mail \
            to others waits, and mail that comes in is deferred.",
};

pub(super) static SOCKET_ACCESS: Kind = Kind {
    id: "exim-socket-access",
    severity: Severity::Outage,
    about: "The socket is not there, nobody listens at it, or Exim's user may not connect to it. Routers run as root and ask all the same, so that \
            `exim -bt` shows nothing; ACLs and transports do not. The commands start connectord.service, or give the socket to \
            Exim's group in the name of its owner, until it is made anew.",
};

pub(super) static NO_STARTTLS: Kind = Kind {
    id: "exim-no-starttls",
    severity: Severity::Outage,
    about: "STARTTLS is not offered (`tls_advertise_hosts` is empty), or cannot work (the file of `tls_certificate` or \
            `tls_privatekey` is missing), and mail of partners who have to use TLS is refused.",
};

pub(super) static CLIENT_CERTIFICATE: Kind = Kind {
    id: "exim-client-certificate",
    severity: Severity::Outage,
    about: "No client is asked for its certificate (`tls_try_verify_hosts` and `tls_verify_hosts` are empty), and mail of \
            partners who have to show one is refused.",
};

pub(super) static LOG: Kind = Kind {
    id: "exim-log-selector",
    severity: Severity::Evidence,
    about: "`log_selector` leaves out what says over which TLS a message went: `tls_cipher` (`X=`) or \
            `tls_certificate_verified` (`CV=`). Exim's default has both.",
};
