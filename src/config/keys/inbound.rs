//! The keys of `[[inbound]]`.

use super::{AGREEMENT, COMMENT, CONTACT, Key, MODE, NAME, NONE, OVERRIDES, OWNER, REVIEW_BY, key};

pub(in crate::config) const INBOUND: &[Key] = &[
    NAME,
    MODE,
    key(
        "identify",
        "table",
        None,
        "Whose mail it is about: at least one of its keys.",
        "identify.domains = [\"*.contoso.com\"]",
    ),
    key(
        "recipients",
        "list of patterns",
        Some("all recipients"),
        "The domains of recipients that it is limited to. Such a connector is asked at RCPT, and not at DATA.",
        "recipients = [\"*.ours.example\"]",
    ),
    key("require", "table", None, "What it demands: at least one of its keys.", "require.tls = true"),
    key(
        "on_violation",
        "`reject`, `defer` or `hold`",
        None,
        "What becomes of mail that does not comply: it is refused, refused for now, or put on hold in the queue. (Postfix \
         forgets HOLD before a proxy filter, and Exim has none and defers: `check` says so.)",
        "on_violation = \"reject\"",
    ),
    OVERRIDES,
    COMMENT,
    CONTACT,
    OWNER,
    AGREEMENT,
    REVIEW_BY,
];

pub(in crate::config) const IDENTIFY: &[Key] = &[
    key(
        "domains",
        "list of patterns",
        NONE,
        "Domains of envelope senders; for the null sender the name in HELO counts.",
        "domains = [\"*.contoso.com\"]",
    ),
    key(
        "addresses",
        "list of addresses and ranges",
        NONE,
        "Addresses of clients. A client or a sender is enough.",
        "addresses = [\"203.0.113.0/24\"]",
    ),
    key(
        "except_addresses",
        "list of addresses and ranges",
        NONE,
        "Clients that pass on what others sent: forwarders and mailing lists.",
        "except_addresses = [\"192.0.2.7\"]",
    ),
];

pub(in crate::config) const REQUIRE: &[Key] = &[
    key(
        "tls",
        "true, or a text",
        NONE,
        "TLS, of any version or of this one at least. A certificate needs it in any case.",
        "tls = \">=TLSv1.2\"",
    ),
    key(
        "certificate",
        "table",
        NONE,
        "A client certificate. Postfix must ask for one: smtpd_tls_ask_ccert = yes.",
        "certificate.names = [\"*.contoso.com\"]",
    ),
    key(
        "addresses",
        "list of addresses and ranges",
        NONE,
        "Where the client must connect from.",
        "addresses = [\"203.0.113.0/24\"]",
    ),
];

pub(in crate::config) const CERTIFICATE: &[Key] = &[
    key(
        "names",
        "list of patterns",
        NONE,
        "The names that it may show. Without `files` its chain must be trusted, and the name is the CN of its subject: \
         Postfix tells no other.",
        "names = [\"*.contoso.com\"]",
    ),
    key(
        "files",
        "list of paths of PEM files",
        NONE,
        "Registered certificates: known by the SHA-256 of certificate or key, within their dates, whoever issued them. \
         With `names` one of their own names must match.",
        "files = [\"contoso-client.pem\"]",
    ),
    key(
        "issuers",
        "list of texts",
        NONE,
        "The CN or the O of the issuer of a trusted one: without it any authority that smtpd trusts can vouch.",
        "issuers = [\"Contoso CA\"]",
    ),
];
