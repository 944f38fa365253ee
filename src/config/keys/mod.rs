//! Every key of the configuration, as the manual says it: connectord.toml(5) is made of this, and what is
//! not here is an unknown key.

mod inbound;
mod outbound;

pub(super) use inbound::{CERTIFICATE, IDENTIFY, INBOUND, REQUIRE};
pub(super) use outbound::{OUTBOUND, VALIDATE};

/// A key.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// As it is written in its table.
    pub name: &'static str,
    /// What its value is.
    pub value: &'static str,
    /// What holds without it; `None` where it is mandatory.
    pub default: Option<&'static str>,
    /// What it does.
    pub about: &'static str,
    /// It, in TOML.
    pub example: &'static str,
}

const fn key(
    name: &'static str,
    value: &'static str,
    default: Option<&'static str>,
    about: &'static str,
    example: &'static str,
) -> Key {
    Key { name, value, default, about, example }
}

/// The keys of a table alone.
pub(super) fn names(keys: &'static [Key]) -> impl Iterator<Item = &'static str> + Clone {
    keys.iter().map(|key| key.name)
}

const NONE: Option<&str> = Some("none");

const VERSION: Key = key("version", "number", None, "The version of this format. It is 1.", "version = 1");
const OUTBOUND_TABLES: Key = key(
    "outbound",
    "tables",
    NONE,
    "Connectors for mail to partners, a table [[outbound]] each.",
    "[[outbound]]",
);
const INBOUND_TABLES: Key = key(
    "inbound",
    "tables",
    NONE,
    "Connectors for mail from partners, a table [[inbound]] each.",
    "[[inbound]]",
);

pub(super) const MAIN: &[Key] = &[
    VERSION,
    key(
        "include",
        "list of patterns",
        NONE,
        "Files to read too, relative to this one, each pattern's in the order of their names. `*` and `?` stand for \
         what they do in a shell. An included file has `version`, [[outbound]] and [[inbound]], and nothing else.",
        "include = [\"connectors.d/*.toml\"]",
    ),
    key(
        "listen",
        "tables",
        Some(
            "those of systemd, else socketmap.sock, policy.sock, exim.sock and control.sock in the runtime directory",
        ),
        "The sockets, a table [[listen]] each. The one of `control` is there without being written. Under systemd the \
         socket units have the sockets: leave this out, or write all of theirs. One for `metrics` is there only if it is \
         written, and changes nothing about the others.",
        "[[listen]]",
    ),
    key("mta", "table", Some("its defaults"), "What the MTA is and does without us.", "[mta]"),
    key(
        "inbound_exempt",
        "table",
        Some("its default"),
        "Clients that no inbound connector judges.",
        "[inbound_exempt]",
    ),
    key("server", "table", Some("its defaults"), "The daemon.", "[server]"),
    key(
        "organisation",
        "table",
        NONE,
        "Who we are. For people, and for what `connectord partner-kit` tells a partner; no answer depends on it.",
        "[organisation]",
    ),
    OUTBOUND_TABLES,
    INBOUND_TABLES,
];

pub(super) const INCLUDED: &[Key] = &[VERSION, OUTBOUND_TABLES, INBOUND_TABLES];

pub(super) const LISTEN: &[Key] = &[
    key(
        "protocol",
        "`socketmap`, `policy`, `exim`, `control` or `metrics`",
        None,
        "What is spoken: `socketmap` to smtp_tls_policy_maps and transport_maps of Postfix, `policy` to its \
         check_policy_service, `exim` to the configuration in contrib/exim, `control` to the commands `status` and \
         `reload`, `metrics` to Prometheus, which asks for /metrics over HTTP; connectord-monitoring(7). A socket for \
         metrics that cannot be opened is told in the log, and the daemon serves without it.",
        "protocol = \"socketmap\"",
    ),
    key(
        "path",
        "path",
        Some("none; this or, of `metrics`, `address` is mandatory"),
        "The socket, 107 octets at most; a relative path is one in the runtime directory. Debian's smtp(8) and smtpd(8) \
         are chrooted in Postfix's queue directory and reach nothing outside of it.",
        "path = \"/var/spool/postfix/connectord/socketmap.sock\"",
    ),
    key(
        "address",
        "loopback address and port",
        NONE,
        "The address of `metrics` instead, without `group` and `mode`: in 127.0.0.0/8, or [::1]. Every user of this host \
         can read what is served there: the names of the connectors, and what became of them. The unit allows no \
         address; connectord-monitoring(7) says how to have one.",
        "address = \"127.0.0.1:9899\"",
    ),
    key(
        "group",
        "name of a group",
        Some("that of the daemon"),
        "The group of the socket: who may ask. Not with systemd's socket units, which have it.",
        "group = \"postfix\"",
    ),
    key(
        "mode",
        "octal number as a text",
        Some("\"0660\"; of `control` \"0600\""),
        "The permissions of the socket. Not with systemd's socket units, which have them.",
        "mode = \"0660\"",
    ),
];

pub(super) const MTA: &[Key] = &[
    key(
        "postfix",
        "version as a text",
        Some("\"3.6\""),
        "The oldest Postfix that asks. What a newer one would understand is not sent to it: an attribute that Postfix \
         does not know defers all mail. A connector that needs a newer one is a problem.",
        "postfix = \"3.7\"",
    ),
    key(
        "level",
        "TLS level",
        Some("\"may\""),
        "What Postfix does without us: smtp_tls_security_level in main.cf, and tables besides ours. A connector \
         that is weaker is a problem, unless it says overrides = [\"main.cf\"].",
        "level = \"may\"",
    ),
    key(
        "queue_directory",
        "absolute path",
        NONE,
        "Postfix's queue directory. Each `ca_file` is copied into connectord-ca in it, where a chrooted smtp(8) can \
         open it; without this Postfix is told the path of the file itself.",
        "queue_directory = \"/var/spool/postfix\"",
    ),
    key(
        "transport",
        "service of master.cf",
        Some("\"smtp\""),
        "The service that answers of the map `transport` name. contrib/postfix has one that main.cf cannot go round.",
        "transport = \"connectord-smtp\"",
    ),
    key(
        "own_domains",
        "list of patterns",
        NONE,
        "Our own domains: the map `transport` never sends their mail out, whatever a connector says.",
        "own_domains = [\"*.ours.example\"]",
    ),
];

pub(super) const EXEMPT: &[Key] = &[key(
    "addresses",
    "list of addresses and ranges",
    Some("[\"127.0.0.0/8\", \"::1/128\"]"),
    "Clients that no inbound connector judges: what a content filter on this host gives back comes from here.",
    "addresses = [\"127.0.0.0/8\", \"::1/128\"]",
)];

pub(super) const SERVER: &[Key] = &[
    key(
        "weaker_reload",
        "`apply` or `refuse`",
        Some("\"apply\""),
        "Whether a reload, or a start, that makes a connector weaker than it was needs `connectord reload \
         --accept-weaker`. What becomes weaker is told in any case.",
        "weaker_reload = \"refuse\"",
    ),
    key(
        "max_connections",
        "number, at most 500000",
        Some("1024"),
        "Connections at a time. Postfix keeps one for each smtp(8) and smtpd(8) that asks. When there are more, the one \
         that has asked nothing for the longest time is closed.",
        "max_connections = 1024",
    ),
    key(
        "log",
        "`error`, `warn`, `info`, `debug` or `trace`",
        Some("\"info\""),
        "What is logged. Decisions are at `info`: with `error` and `warn` there are none, and with `debug` those of all \
         answers, unless `decisions` is \"none\".",
        "log = \"info\"",
    ),
    key(
        "log_format",
        "`text` or `json`",
        Some("\"text\""),
        "How: key=value, or one JSON object a line.",
        "log_format = \"text\"",
    ),
    key(
        "decisions",
        "`connector`, `all` or `none`",
        Some("\"connector\""),
        "Which answers have a line in the log: those in which a connector took part, all, or none.",
        "decisions = \"connector\"",
    ),
];

pub(super) const ORGANISATION: &[Key] = &[
    key("name", "text", NONE, "Our name.", "name = \"Ours\""),
    key("contact", "text", NONE, "Whom a partner asks.", "contact = \"postmaster@ours.example\""),
    key(
        "domains",
        "list of patterns",
        NONE,
        "Our domains: those that our mail comes from, and that a partner's mail goes to.",
        "domains = [\"ours.example\"]",
    ),
    key(
        "certificate_names",
        "list of patterns",
        NONE,
        "The names that our certificates show, those of our MX hosts above all.",
        "certificate_names = [\"mx.ours.example\"]",
    ),
    key(
        "addresses",
        "list of addresses and ranges",
        NONE,
        "The addresses that our mail comes from.",
        "addresses = [\"192.0.2.25\"]",
    ),
];

// What connectors of both directions have.
const NAME: Key = key(
    "name",
    "text",
    None,
    "The name of the connector, 64 characters at most, unlike that of any other one of either direction. It stands in \
     the log, and in what a refused client is told.",
    "name = \"contoso-bank\"",
);
const MODE: Key = key(
    "mode",
    "`enforce`, `report` or `off`",
    None,
    "`enforce` answers; `report` decides and logs what it would have answered, and changes nothing; `off` does neither.",
    "mode = \"enforce\"",
);
const OVERRIDES: Key = key(
    "overrides",
    "list of names of connectors; of an outbound one also \"main.cf\"",
    NONE,
    "Connectors with wider patterns that this one may be weaker than, or main.cf: `level` in [mta]. Without it that \
     is a problem.",
    "overrides = [\"everyone\"]",
);
const COMMENT: Key = key("comment", "text", NONE, "For people.", "comment = \"agreement of 2026\"");
const CONTACT: Key =
    key("contact", "text", NONE, "Whom to ask at the partner.", "contact = \"mail-ops@contoso.com\"");
const OWNER: Key = key("owner", "text", NONE, "Who answers for the connector here.", "owner = \"mail team\"");
const AGREEMENT: Key = key("agreement", "text", NONE, "Where the agreement is.", "agreement = \"2026-114\"");
const REVIEW_BY: Key =
    key("review_by", "date", NONE, "When to look at it again. For people.", "review_by = 2027-06-30");
