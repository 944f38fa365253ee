//! The keys of `[[outbound]]`.

use super::{AGREEMENT, COMMENT, CONTACT, Key, MODE, NAME, NONE, OVERRIDES, OWNER, REVIEW_BY, key};

pub(in crate::config) const OUTBOUND: &[Key] = &[
    NAME,
    MODE,
    key(
        "domains",
        "list of patterns",
        Some("none; this or `domains_file` is mandatory"),
        "The partner's domains, in the form that stands behind the @.",
        "domains = [\"*.contoso.com\"]",
    ),
    key(
        "domains_file",
        "path",
        NONE,
        "A file with them instead, relative to this one: a pattern a line, # begins a comment, and the last line ends \
         with a line feed like the others.",
        "domains_file = \"lists/contoso.list\"",
    ),
    key(
        "except",
        "list of patterns",
        NONE,
        "Domains that this connector does not apply to. A wider one may.",
        "except = [\"lists.contoso.com\"]",
    ),
    OVERRIDES,
    key(
        "tls",
        "TLS level",
        None,
        "What Postfix calls a TLS level: `encrypt` (any certificate), `verify` and `secure` (a certificate of a trusted \
         authority with a name that matches), `fingerprint` (one of these certificates), `dane-only` and `dane` (what \
         the partner's signed DNS says; `dane` goes on without where there are no TLSA records), `may`. For verify \
         without `match` the name is that of the MX host, which without DNSSEC anybody may change.",
        "tls = \"secure\"",
    ),
    key(
        "match",
        "list of patterns, or \"domain\"",
        Some("none; with `secure` it is mandatory"),
        "The names that the server's certificate may show, with `secure` and `verify`. \"domain\": the domain asked for \
         and what is below it.",
        "match = [\"*.contoso.com\"]",
    ),
    key(
        "ca_file",
        "path of a PEM file",
        Some("the authorities of the MTA"),
        "The only authorities that may vouch for the certificate.",
        "ca_file = \"contoso-ca.pem\"",
    ),
    key(
        "certificates",
        "list of paths of PEM files",
        NONE,
        "With `fingerprint`: the certificates that the server may show. Of each both digests count, its own and that of \
         its key.",
        "certificates = [\"contoso.pem\"]",
    ),
    key(
        "fingerprints",
        "list of texts",
        NONE,
        "With `fingerprint`: SHA-256 digests of certificates or of keys that the server may show.",
        "fingerprints = [\"sha256:27C127C127C127C127C127C127C127C127C127C127C127C127C127C127C127C1\"]",
    ),
    key(
        "protocols",
        "text",
        Some("smtp_tls_mandatory_protocols"),
        "The oldest TLS version.",
        "protocols = \">=TLSv1.2\"",
    ),
    key(
        "ciphers",
        "`medium` or `high`",
        Some("smtp_tls_mandatory_ciphers"),
        "The cipher grade.",
        "ciphers = \"high\"",
    ),
    key(
        "servername",
        "`hostname`, `nexthop`, or a name",
        Some("smtp_tls_servername"),
        "The name to ask the server for (SNI): that of the MX host, that of the next-hop, or this one. Not with DANE, \
         which has its own.",
        "servername = \"mail.contoso.com\"",
    ),
    key(
        "route",
        "\"mx\", or a list of smart hosts",
        Some("\"mx\""),
        "Where the mail goes: to the domain's MX hosts, or to these, which the map `transport` tells.",
        "route = [\"[mail.contoso.com]:587\"]",
    ),
    key(
        "transport",
        "service of master.cf",
        Some("that of [mta]"),
        "The service that its answers of the map `transport` name.",
        "transport = \"connectord-smtp\"",
    ),
    key(
        "validate",
        "table",
        NONE,
        "What `connectord validate` may do.",
        "validate.recipients = [\"postmaster@contoso.com\"]",
    ),
    COMMENT,
    CONTACT,
    OWNER,
    AGREEMENT,
    REVIEW_BY,
];

pub(in crate::config) const VALIDATE: &[Key] = &[key(
    "recipients",
    "list of addresses",
    NONE,
    "Whom `connectord validate --test-mail` sends its test mail to. Each is in one of the connector's domains.",
    "recipients = [\"postmaster@contoso.com\"]",
)];
