//! `doctor` and the tables that Postfix asks beside the daemon: it reads them as Postfix does. An entry for a domain of a
//! connector is a finding where mail really goes past the connector, and what changes nothing for it is none.

use crate::certificates::{Authority, Subject};
use crate::condition::wait_for;
use crate::on_each_postfix;
use crate::partner::{Host, Starttls};
use crate::practice::Practice;
use crate::resolver::Zone;
use crate::root::Release;

const OURS: &str = "socketmap:unix:connectord/socketmap.sock";

const RELAY: &str = "P relay.lab.example:25";

const PLAIN: &str = "P mx.plain.example:25";

const GOOD: &str = "T mx.good.example:25";

const NO_TLS: &str = "D TLS is required, but was not offered";

/// `LEVEL` is what was agreed about open.example.
const CONNECTORS: &str = r#"
[[outbound]]
name = "open"
mode = "enforce"
domains = ["*.open.example"]
tls = "LEVEL"

[[outbound]]
name = "good"
mode = "enforce"
domains = ["*.good.example"]
tls = "secure"
match = ["*.good.example"]
"#;

/// A table in the way of mail.
struct Case {
    setting: &'static str,
    /// The values before the daemon's map, which is after them if there is a second part.
    tables: &'static str,
    map: Option<&'static str>,
    /// What `doctor` says, if anything, and of whom.
    found: Option<(&'static str, &'static [&'static str])>,
    /// Who gets mail, and what becomes of it, before `doctor` is obeyed and after.
    domain: &'static str,
    with: &'static str,
    without: &'static str,
}

const POLICY: Case = Case {
    setting: "smtp_tls_policy_maps",
    tables: "",
    map: Some("tls"),
    found: None,
    domain: "open.example",
    with: NO_TLS,
    without: NO_TLS,
};

const TRANSPORT: Case = Case { setting: "transport_maps", map: Some("transport"), ..POLICY };

const ALONE: Case = Case { setting: "transport_maps", map: None, ..POLICY };

const CASES: [Case; 13] = [
    // Entries for others, and entries that say the same or more.
    Case {
        tables: "texthash:/etc/postfix/others",
        found: Some(("postfix-policy-before", &["open", "good"])),
        ..POLICY
    },
    Case {
        tables: "inline:{open.example=secure}",
        found: Some(("postfix-policy-before", &["open", "good"])),
        ..POLICY
    },
    // Before it is asked for the parent, the daemon has answered.
    Case {
        tables: "inline:{.open.example=none}",
        found: Some(("postfix-policy-before", &["open", "good"])),
        domain: "sub.open.example",
        ..POLICY
    },
    Case {
        tables: "inline:{sub.open.example=none}",
        found: Some(("postfix-policy-order", &["open"])),
        domain: "sub.open.example",
        with: PLAIN,
        ..POLICY
    },
    Case {
        tables: "proxy:texthash:/etc/postfix/none",
        found: Some(("postfix-policy-order", &["open"])),
        with: PLAIN,
        ..POLICY
    },
    Case {
        tables: "regexp:/etc/postfix/none.regexp",
        found: Some(("postfix-policy-order", &["open"])),
        with: PLAIN,
        ..POLICY
    },
    // A transport table has what it has, and the daemon is asked for the whole address first.
    Case { tables: "texthash:/etc/postfix/others", ..ALONE },
    Case {
        tables: "texthash:/etc/postfix/detour",
        found: Some(("postfix-other-way", &["open"])),
        domain: "sub.open.example",
        with: RELAY,
        ..ALONE
    },
    Case { tables: "texthash:/etc/postfix/detour", domain: "sub.open.example", ..TRANSPORT },
    Case {
        tables: "regexp:/etc/postfix/detour.regexp",
        found: Some(("postfix-other-way", &["open"])),
        with: RELAY,
        ..TRANSPORT
    },
    Case {
        tables: "regexp:/etc/postfix/others.regexp",
        found: Some(("postfix-way-unseen", &["open", "good"])),
        ..TRANSPORT
    },
    // For the next host the daemon demands more than for the domain.
    Case {
        setting: "relayhost",
        tables: "[mx.good.example]:25",
        map: None,
        with: GOOD,
        without: GOOD,
        ..POLICY
    },
    Case {
        setting: "sender_dependent_relayhost_maps",
        tables: "texthash:/etc/postfix/senders",
        found: Some(("postfix-other-way", &["open", "good"])),
        map: None,
        domain: "good.example",
        with: RELAY,
        without: GOOD,
    },
];

/// The files that the cases name.
const FILES: [(&str, &str); 7] = [
    ("others", "other.example none\n.elsewhere.example none\n"),
    ("none", "open.example none\n"),
    ("none.regexp", "/^open\\.example$/ none\n"),
    ("detour", ".Open.Example smtp:[relay.lab.example]\n"),
    ("detour.regexp", "/@open\\.example$/ smtp:[relay.lab.example]\n"),
    ("others.regexp", "/@other\\.example$/ smtp:[relay.lab.example]\n"),
    ("senders", "nobody@ours.example DUNNO\nsender@ours.example [relay.lab.example]\n"),
];

fn open(release: Release) -> Practice {
    let authority = Authority::new("Lab CA");
    let good = authority.issue(Subject::server(&["mx.good.example"]));
    let host = |name: &str, number, starttls| Host { name: name.to_owned(), number, starttls };
    let hosts = [
        host("mx.plain.example", 10, Starttls::Absent),
        host("relay.lab.example", 11, Starttls::Absent),
        host("mx.good.example", 12, Starttls::Works(good.server())),
    ];
    let mut zone = Zone::default();
    for domain in ["open.example", "sub.open.example"] {
        zone.mx(domain, "mx.plain.example");
    }
    zone.mx("good.example", "mx.good.example");
    let practice = Practice::open(release, &authority, &hosts, zone);
    for (name, text) in FILES {
        practice.write_table(name, text);
    }
    practice.agree(&agreed("encrypt"));
    practice
}

fn agreed(level: &str) -> String {
    CONNECTORS.replace("LEVEL", level)
}

fn x2_tables(release: Release) {
    let practice = open(release);
    let _daemon = practice.serve();
    practice.is_well();
    for (number, case) in CASES.iter().enumerate() {
        let value = match case.map {
            Some(map) => format!("{}, {OURS}:{map}", case.tables),
            None => case.tables.to_owned(),
        };
        let recipient = |word: &str| format!("{word}{number}@{}", case.domain);
        practice.with_settings_restored(|| {
            practice.postconf(&["-e", &format!("{}={value}", case.setting)]);
            practice.send("Subject: doctor", &recipient("with"), case.with);
            match case.found {
                Some((id, connectors)) => {
                    practice.names(connectors);
                    practice.is_mended(id, &format!("main.cf: {} = {value}", case.setting));
                }
                None => practice.is_well(),
            }
            practice.send("Subject: doctor", &recipient("without"), case.without);
        });
    }
}

/// Static tables instead of the daemon, which is away: as good as it, until something else is agreed.
fn x2_static_tables(release: Release) {
    let practice = open(release);
    let export = |map: &str, setting: &str| {
        let arguments = ["export", "postfix", "--config", "/etc/postfix/connectord.toml", "--map", map];
        practice.write_table(
            &format!("connectord-{map}"),
            &practice.lab.machine.run("/etc/postfix/connectord", &arguments),
        );
        practice.postconf(&["-e", &format!("{setting}=texthash:/etc/postfix/connectord-{map}")]);
    };
    // Which ask the daemon about mail that comes in.
    practice.postconf(&["-e", "smtpd_recipient_restrictions=", "smtpd_data_restrictions="]);
    practice.agree(&agreed("may"));
    export("tls", "smtp_tls_policy_maps");
    export("transport", "transport_maps");
    practice.is_well();
    practice.send("Subject: doctor", "first@open.example", PLAIN);
    practice.agree(&agreed("encrypt"));
    practice.send("Subject: doctor", "stale@open.example", PLAIN);
    practice.names(&["open"]);
    let _daemon = practice.serve();
    practice.is_mended(
        "postfix-policy-missing",
        "main.cf: smtp_tls_policy_maps = texthash:/etc/postfix/connectord-tls",
    );
    practice.send("Subject: doctor", "mended@open.example", NO_TLS);
    practice.send("Subject: doctor", "other@good.example", GOOD);
}

/// A relay that the connector knows may take its mail when no other host does.
fn x2_known_relay(release: Release) {
    let practice = open(release);
    let _daemon = practice.serve();
    let through = |route: &str| {
        let own = "[[outbound]]\nname = \"open\"\nmode = \"enforce\"\ndomains = [\"*.open.example\"]";
        format!("{own}\ntls = \"encrypt\"\nroute = [{route}]\n")
    };
    practice.agree_from_now_on(&through("\"[mx.plain.example]\""));
    practice.postconf(&["-e", &format!("transport_maps={OURS}:transport")]);
    practice.is_well();
    practice.postconf(&["-e", "smtp_fallback_relay=[relay.lab.example]"]);
    practice.send("Subject: doctor", "first@open.example", RELAY);
    practice.names(&["open"]);
    practice.agree_from_now_on(&through("\"[mx.plain.example]\", \"[relay.lab.example]\""));
    practice.is_well();
    practice.send("Subject: doctor", "second@open.example", NO_TLS);
}

/// Domains that main.cf says are ours, and connectors are about.
fn x2_own_domain(release: Release) {
    let practice = open(release);
    let _daemon = practice.serve();
    practice.postconf(&[
        "-e",
        "mydestination=ours.example open.example",
        "virtual_mailbox_domains=good.example",
        "virtual_transport=discard:",
        &format!("transport_maps={OURS}:transport"),
    ]);
    // Not discarded, as what is ours is here.
    practice.send("Subject: doctor", "first@open.example", NO_TLS);
    practice.send("Subject: doctor", "first@good.example", GOOD);
    let findings = practice.findings();
    let places: Vec<&str> = findings.iter().flat_map(|finding| finding["where"].as_str()).collect();
    assert_eq!(
        places,
        [
            "main.cf: mydestination = ours.example open.example",
            "main.cf: virtual_mailbox_domains = good.example"
        ]
    );
    assert!(findings.iter().all(|finding| finding["id"] == "postfix-own-domain"), "{findings:#?}");
    practice.obey(&findings[0]);
    practice.is_well();
    let lab = &practice.lab;
    for recipient in ["second@open.example", "second@good.example"] {
        lab.mta.submit_with(&lab.network, "Subject: doctor", [recipient]);
        wait_for("our own mail", || {
            let log = lab.mta.log(&lab.machine);
            let line = log.lines().find(|line| line.contains(&format!("to=<{recipient}>")));
            let line = line.ok_or_else(|| log.clone())?;
            assert!(line.contains("discard"), "{line}");
            Ok::<(), String>(())
        });
    }
}

on_each_postfix!(x2_tables, x2_static_tables, x2_known_relay, x2_own_domain);
