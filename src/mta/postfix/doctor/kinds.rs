//! The kinds of findings about a Postfix. Their names are an interface.

use crate::mta::finding::{Kind, Severity};

/// Each of them, in the order of the manual.
pub const KINDS: &[&Kind] = &[
    &POLICY_MISSING,
    &POLICY_ORDER,
    &POLICY_BEFORE,
    &POLICY_UNSEEN,
    &TLS_REQUIRED,
    &FALLBACK_RELAY,
    &OTHER_WAY,
    &WAY_UNSEEN,
    &CONTENT_FILTER,
    &SERVICE_MISSING,
    &SESSION_CACHE,
    &CONNECTION_CACHE,
    &LEVEL,
    &DANE_IGNORED,
    &DANE_WAITS,
    &HOST_NAME,
    &TLSPROXY_MISSING,
    &OWN_DOMAIN,
    &SOCKET_PATH,
    &DAEMON_UNREACHED,
    &DAEMON_OTHER,
    &DAEMON_UNSEEN,
    &UNIT_ORDER,
    &AUTHORITIES,
    &FINGERPRINT_DIGEST,
    &POLICY_SERVICE_MISSING,
    &POLICY_SERVICE_LATE,
    &POLICY_SERVICE_UNSEEN,
    &POLICY_SERVICE_ACTION,
    &NO_STARTTLS,
    &CLIENT_CERTIFICATE,
    &CLIENT_DIGEST,
    &XCLIENT,
    &HOLD_DROPPED,
];

pub(super) static POLICY_MISSING: Kind = Kind {
    id: "postfix-policy-missing",
    severity: Severity::Bypass,
    about: "smtp_tls_policy_maps does not name the daemon, in main.cf or for one service in master.cf. Nobody asks \
            about the mail that leaves there, and no connector is in force for it.",
};

pub(super) static POLICY_ORDER: Kind = Kind {
    id: "postfix-policy-order",
    severity: Severity::Bypass,
    about: "Another table stands before the daemon in smtp_tls_policy_maps, and has an entry for a domain of a connector \
            that demands less, or something else. Postfix takes the first answer: for that domain the entry counts, even \
            if it says `none`, and no connector does. So it is, too, when the table cannot be read.",
};

pub(super) static POLICY_BEFORE: Kind = Kind {
    id: "postfix-policy-before",
    severity: Severity::Advice,
    about: "Another table stands before the daemon in smtp_tls_policy_maps. What it says now of the domains of the \
            connectors, as far as it was asked, is as strong as what they demand, but what is written into it tomorrow \
            counts and no connector does. Mail waits while either of the two cannot be asked.",
};

pub(super) static POLICY_UNSEEN: Kind = Kind {
    id: "postfix-policy-unseen",
    severity: Severity::Advice,
    about: "smtp_tls_policy_maps does not name the daemon but tables that do not tell all their entries (cdb:, pcre: and \
            others; or there are more than 20000 names to ask for), such as those of `connectord export postfix`. What they \
            were asked for they answer as strongly as the connectors demand; of other names nothing is known, and they stay \
            as they are when the connectors change.",
};

pub(super) static TLS_REQUIRED: Kind = Kind {
    id: "postfix-tls-required",
    severity: Severity::Bypass,
    about: "Postfix 3.10 and newer obey the header `TLS-Required: no` (RFC 8689), which any sender can write into any \
            message: smtp_tls_policy_maps is not asked for it, and it may leave in plaintext.",
};

pub(super) static FALLBACK_RELAY: Kind = Kind {
    id: "postfix-fallback-relay",
    severity: Severity::Bypass,
    about: "Mail that could not be delivered, also because the partner's certificate was refused, is sent to \
            smtp_fallback_relay. The policy is then asked for under the name of that relay, and the partner's connector \
            is not.",
};

pub(super) static OTHER_WAY: Kind = Kind {
    id: "postfix-other-way",
    severity: Severity::Bypass,
    about: "Something other than the daemon sends mail of a connector elsewhere: relayhost, an entry of a table in \
            transport_maps, or a table by sender. The policy is then asked for under the name of the next host and not of \
            the recipient's domain, and this host is neither one of the connector's `route` nor in its domains, so that the \
            connector is not asked. Or the connector's own `route` or `transport` is not taken. Tables are asked what they \
            say of the connectors' domains; one that cannot be asked is a finding too. So it is where mydestination or \
            virtual_mailbox_domains names a connector's domain, and local_transport or virtual_transport gives its mail to smtp(8); \
            and with best_mx_transport, which takes mail that an MX record sends back to this host. Not looked at: those lists in files \
            and in tables that do not tell their entries; mailbox_transport, fallback_transport and their maps; what makes another \
            address of one, or adds one (virtual_alias_maps, canonical_maps, always_bcc, recipient_bcc_maps, milters, \
            REDIRECT and BCC), since mail to the other address has its own domain's connector.",
};

pub(super) static WAY_UNSEEN: Kind = Kind {
    id: "postfix-way-unseen",
    severity: Severity::Advice,
    about: "A table in transport_maps is asked before the daemon's, or without it, and does not tell all its entries \
            (regexp:, pcre:, ldap: and others; or there are more than 20000 names to ask for). It sends none of the names \
            that it was asked for elsewhere, but it could have an entry for another name below a connector's domain, or for \
            one address.",
};

pub(super) static CONTENT_FILTER: Kind = Kind {
    id: "postfix-content-filter",
    severity: Severity::Bypass,
    about: "content_filter gives all mail to smtp(8) for a host that is not this one, before it goes to the partner. The policy \
            is asked for under the name of that host, and no connector is about it that demands as much of TLS, and as much that \
            somebody is known there; who that is may be another one. A connector with that name in `domains` mends it; where the \
            filter cannot do what it says, mail waits. A filter on this host (loopback, myhostname, inet_interfaces) is no finding. \
            So it is with smtpd_proxy_filter on another host, which gets mail in plaintext whatever was agreed. Not looked at: \
            lmtp(8) and pipe(8), wherever their filter is; milters, which are asked in plaintext wherever they are; and what \
            FILTER in tables, in header_checks and in answers of policy services says.",
};

pub(super) static SERVICE_MISSING: Kind = Kind {
    id: "postfix-service-missing",
    severity: Severity::Outage,
    about: "`[mta] transport`, or the `transport` of a connector, names a service that master.cf does not have: all mail of \
            these connectors waits (\"mail transport unavailable\").",
};

pub(super) static SESSION_CACHE: Kind = Kind {
    id: "postfix-session-cache",
    severity: Severity::Bypass,
    about: "On a TLS session that is resumed no certificate is judged, and the cache does not know for which names the \
            session was made: after `match` is tightened, an old session passes for up to smtp_tls_session_cache_timeout. The cache is \
            tlsmgr(8)'s: it cannot be switched off for one service of smtp(8).",
};

pub(super) static CONNECTION_CACHE: Kind = Kind {
    id: "postfix-connection-cache",
    severity: Severity::Bypass,
    about: "Mail goes over connections that are open already. Before it does, Postfix 3.7 asks nothing, and 3.10 asks and \
            looks at the level only: a connector that was tightened does not reach a busy partner before the burst is over.",
};

pub(super) static LEVEL: Kind = Kind {
    id: "postfix-level",
    severity: Severity::Bypass,
    about: "smtp_tls_security_level is weaker than what `[mta] level` says. Connectors were compared with that level when \
            they were checked, and mail without a connector has the one of Postfix. Not looked at: what tls_high_cipherlist and \
            the like make of a grade that a connector has in `ciphers`.",
};

pub(super) static DANE_IGNORED: Kind = Kind {
    id: "postfix-dane-ignored",
    severity: Severity::Bypass,
    about: "The level `dane` is `may` to Postfix where smtp_dns_support_level is not `dnssec`, for it then asks for no TLSA \
            records, nor where smtp_host_lookup has no `dns` or ignore_mx_lookup_error is on; and for domains whose MX record is \
            not signed it is what smtp_tls_dane_insecure_mx_policy says, which \
            is `may` by default before Postfix 3.7.13 (and 3.6.17, 3.8.8, 3.9.2). `dnssec` needs a resolver that validates. With \
            TLSA records of digests that tls_dane_digests leaves out it is `encrypt`. Not looked at: smtp_dns_reply_filter, which \
            can take TLSA records away.",
};

pub(super) static DANE_WAITS: Kind = Kind {
    id: "postfix-dane-waits",
    severity: Severity::Outage,
    about: "smtp_dns_support_level is not `dnssec`, smtp_host_lookup has no `dns`, or ignore_mx_lookup_error is on: no TLSA \
            records are asked for, and all mail at the level `dane-only` waits. `dnssec` needs a resolver that validates.",
};

pub(super) static HOST_NAME: Kind = Kind {
    id: "postfix-host-name",
    severity: Severity::Bypass,
    about: "smtp_tls_verify_cert_match has more than `hostname`, `nexthop` and `dot-nexthop`, and is what counts for connectors \
            with `verify` and without `match`: a trusted certificate for a host of another name will do.",
};

pub(super) static TLSPROXY_MISSING: Kind = Kind {
    id: "postfix-tlsproxy-missing",
    severity: Severity::Outage,
    about: "smtp_tls_connection_reuse is on, and master.cf has no tlsproxy(8), which all TLS then goes through: mail of \
            connectors that need TLS waits.",
};

pub(super) static OWN_DOMAIN: Kind = Kind {
    id: "postfix-own-domain",
    severity: Severity::Outage,
    about: "A domain is in mydestination or virtual_mailbox_domains, and a connector is about it as well: the daemon's map \
            in transport_maps is stronger than these, and sends mail for our own users out. Domains of our own that a \
            connector covers are written into `own_domains` of `[mta]`. Of the lists only names are looked at, and no tables.",
};

pub(super) static SOCKET_PATH: Kind = Kind {
    id: "postfix-socket-path",
    severity: Severity::Outage,
    about: "A service asks the daemon at a path that is right within a chroot and not outside, or the other way round: \
            all its mail is deferred, with a connector or without. A path relative to the queue directory is right in both.",
};

pub(super) static DAEMON_UNREACHED: Kind = Kind {
    id: "postfix-daemon-unreached",
    severity: Severity::Outage,
    about: "At a path where Postfix asks the daemon nobody answers, or the user that Postfix runs as (mail_owner, with its \
            own group and no other) may not get there: all mail that the daemon is asked about waits. The message names the \
            directory or the socket. The commands start connectord.service where that does not run and the files are the usual \
            ones; or they give the socket, and its directory, to Postfix's group, until it is made anew: in the name of its \
            owner, for as root chmod(1) would go where a link leads, and only if nobody has chosen another group.",
};

pub(super) static DAEMON_OTHER: Kind = Kind {
    id: "postfix-daemon-other",
    severity: Severity::Bypass,
    about: "The running daemon answers by another configuration than the files have: what was changed in them since is not \
            in force.",
};

pub(super) static DAEMON_UNSEEN: Kind = Kind {
    id: "postfix-daemon-unseen",
    severity: Severity::Advice,
    about: "Whether Postfix reaches the daemon, or by which configuration the daemon answers, could not be looked at: \
            mostly because doctor is not run by root, for which it then prints a command, or with another --runtime-dir than \
            the daemon.",
};

pub(super) static UNIT_ORDER: Kind = Kind {
    id: "postfix-unit-order",
    severity: Severity::Advice,
    about: "systemd has no order between Postfix and connectord.service, or the socket of that name: after a boot mail waits \
            that comes before the daemon. The units of the packages have it; one of your own needs `Before=`, no `After=` \
            of Postfix, and `Type=notify`, without which systemd waits for its start and not until it answers. A daemon that \
            is started by a unit with another name is not looked for, nor are units of other instances.",
};

pub(super) static AUTHORITIES: Kind = Kind {
    id: "postfix-authorities",
    severity: Severity::Outage,
    about: "smtp_tls_CAfile and smtp_tls_CApath are empty, so that Postfix trusts no authority: all mail at the levels \
            `verify` and `secure` waits, unless the connector has a `ca_file`.",
};

pub(super) static FINGERPRINT_DIGEST: Kind = Kind {
    id: "postfix-fingerprint-digest",
    severity: Severity::Outage,
    about: "Digests of certificates are compared with another algorithm than SHA-256, which ours are of: no certificate \
            is the right one, and all mail at the level `fingerprint` waits.",
};

pub(super) static POLICY_SERVICE_MISSING: Kind = Kind {
    id: "postfix-policy-service-missing",
    severity: Severity::Bypass,
    about: "An smtpd(8) at port 25, or behind postscreen(8), does not ask the daemon in smtpd_recipient_restrictions (or \
            another list that is judged at RCPT), or not in smtpd_data_restrictions. Both are needed: for \
            `RCPT TO:<postmaster>` without a domain Postfix skips the former. So it is at other ports that other hosts reach, such \
            as submission, where strangers are let in: where the lists at RCPT end in `reject` for all who do not log in and are \
            not ours (mynetworks), it is so at DATA alone, and the command turns strangers away there as well. Not looked at: qmqpd(8), and what comes by sendmail(1).",
};

pub(super) static POLICY_SERVICE_LATE: Kind = Kind {
    id: "postfix-policy-service-late",
    severity: Severity::Bypass,
    about: "Before the daemon in the list of restrictions stands something that permits, such as permit_mynetworks: it \
            ends the list, and with it the connectors, for the clients that it is about. Exempt clients are written into \
            `[inbound_exempt]`; permit_mynetworks is no finding where all of mynetworks is in that. So does a table \
            (`check_..._access`) with an entry that permits, if the entry is about clients, senders or recipients of a \
            connector. Classes (smtpd_restriction_classes) are judged as what is in them. What other policy services say is \
            not looked at.",
};

pub(super) static POLICY_SERVICE_UNSEEN: Kind = Kind {
    id: "postfix-policy-service-unseen",
    severity: Severity::Advice,
    about: "A table (`check_..._access`) stands before the daemon in the list of restrictions, and it is not known for whom it \
            permits, or whether it does: it does not tell its entries (cdb:, ldap: and others), cannot be read, permits what \
            an expression fits (regexp:, pcre:), or names a class of restrictions that asks another table. The daemon never sees what it lets pass.",
};

pub(super) static POLICY_SERVICE_ACTION: Kind = Kind {
    id: "postfix-policy-service-action",
    severity: Severity::Bypass,
    about: "smtpd_policy_service_default_action, or `default_action` where the daemon is asked, is what Postfix does while \
            the daemon does not answer. It must refuse for now; with DUNNO, OK or a number without a text all mail passes then.",
};

pub(super) static NO_STARTTLS: Kind = Kind {
    id: "postfix-no-starttls",
    severity: Severity::Outage,
    about: "smtpd_tls_security_level is neither `may` nor `encrypt`, so that STARTTLS is not offered, and mail of \
            partners who have to use TLS is refused.",
};

pub(super) static CLIENT_CERTIFICATE: Kind = Kind {
    id: "postfix-client-certificate",
    severity: Severity::Outage,
    about: "smtpd_tls_ask_ccert is off: no client is asked for its certificate, and mail of partners who have to show \
            one is refused.",
};

pub(super) static CLIENT_DIGEST: Kind = Kind {
    id: "postfix-client-digest",
    severity: Severity::Outage,
    about: "Digests of client certificates are made with another algorithm than SHA-256, which registered certificates \
            are known by: mail of partners who have to show one is refused.",
};

pub(super) static XCLIENT: Kind = Kind {
    id: "postfix-xclient",
    severity: Severity::Bypass,
    about: "smtpd_authorized_xclient_hosts has clients that are not in `[inbound_exempt]`. With the command XCLIENT they say \
            what address they are at, or who is logged in, and connectors are judged by that. What mends it takes the right \
            from an smtpd(8) that strangers reach, and from no other one. A proxy that all mail comes through needs it: as \
            long as nobody else is at its addresses, write these into `[inbound_exempt]`; what it says of clients is judged \
            all the same, but TLS and certificates are those between it and Postfix. Not looked at: proxies that \
            smtpd_upstream_proxy_protocol and postscreen_upstream_proxy_protocol believe.",
};

pub(super) static HOLD_DROPPED: Kind = Kind {
    id: "postfix-hold-dropped",
    severity: Severity::Bypass,
    about: "A connector has `on_violation = \"hold\"`, and mail goes through smtpd_proxy_filter, before which Postfix does \
            not obey HOLD: it is delivered. With `reject` or `defer` it is stopped; the command makes it `defer`, so that nothing \
            is lost until you have chosen.",
};
