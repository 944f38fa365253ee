//! `doctor` about connectors with a service of their own in master.cf, and what somebody writes there, or at
//! trivial-rewrite(8), with -o: on a real Postfix mail goes round the connector, and main.cf says nothing of it.

use crate::certificates::{Authority, Subject};
use crate::on_each_postfix;
use crate::partner::{Host, Starttls};
use crate::practice::Practice;
use crate::resolver::Zone;
use crate::root::Release;

const SERVICE: &str = include_str!("../../contrib/postfix/master.cf.connectord");

const CONNECTORS: &str = r#"
[[outbound]]
name = "open"
mode = "enforce"
domains = ["open.example"]
transport = "connectord-smtp"
tls = "encrypt"
"#;

/// Mail without a connector goes by the connectors' service too.
const WAYS: &str = "transport_maps=socketmap:unix:connectord/socketmap.sock:transport, \
                    inline:{free.example=connectord-smtp:}";

const NO_TLS: &str = "D TLS is required, but was not offered";

/// What is written in master.cf, and what shows it.
struct Override {
    id: &'static str,
    place: &'static str,
    made_by: &'static [&'static str],
    header: &'static str,
    /// To whom, and what becomes of the mail with the override and without.
    domain: &'static str,
    with: &'static str,
    without: &'static str,
}

const ORDINARY: Override = Override {
    id: "",
    place: "",
    made_by: &[],
    header: "Subject: doctor",
    domain: "open.example",
    with: "P relay.lab.example:25",
    without: NO_TLS,
};

const OVERRIDES: [Override; 5] = [
    Override {
        id: "postfix-fallback-relay",
        place: "master.cf: connectord-smtp/unix: smtp_fallback_relay = [relay.lab.example]",
        made_by: &[
            "connectord-smtp/unix/smtp_fallback_relay=[relay.lab.example]",
            "connectord-smtp/unix/smtp_tls_security_level=may",
        ],
        ..ORDINARY
    },
    Override {
        id: "postfix-policy-missing",
        place: "master.cf: connectord-smtp/unix: smtp_tls_policy_maps = ",
        made_by: &[
            "connectord-smtp/unix/smtp_tls_policy_maps=",
            "connectord-smtp/unix/smtp_tls_security_level=may",
        ],
        with: "P mx.plain.example:25",
        ..ORDINARY
    },
    // A policy is stronger than the level: it counts where there is none.
    Override {
        id: "postfix-level",
        place: "master.cf: connectord-smtp/unix: smtp_tls_security_level = none",
        made_by: &["connectord-smtp/unix/smtp_tls_security_level=none"],
        domain: "free.example",
        with: "P mx.good.example:25",
        without: "T mx.good.example:25",
        ..ORDINARY
    },
    Override {
        id: "postfix-other-way",
        place: "master.cf: rewrite/unix: relayhost = [relay.lab.example]",
        made_by: &["rewrite/unix/transport_maps=", "rewrite/unix/relayhost=[relay.lab.example]"],
        ..ORDINARY
    },
    TLS_REQUIRED,
];

/// Only where Postfix knows the header, which cleanup(8) reads and smtp(8) obeys.
const TLS_REQUIRED: Override = Override {
    id: "postfix-tls-required",
    place: "master.cf: connectord-smtp/unix: tls_required_enable = yes",
    made_by: &[
        "cleanup/unix/tls_required_enable=yes",
        "connectord-smtp/unix/tls_required_enable=yes",
        "connectord-smtp/unix/smtp_tls_security_level=may",
    ],
    header: "TLS-Required: no",
    with: "P mx.plain.example:25",
    ..ORDINARY
};

fn x2_overrides(release: Release) {
    let authority = Authority::new("Lab CA");
    let good = authority.issue(Subject::server(&["mx.good.example"]));
    let host = |name: &str, number, starttls| Host { name: name.to_owned(), number, starttls };
    let hosts = [
        host("mx.plain.example", 10, Starttls::Absent),
        host("relay.lab.example", 11, Starttls::Absent),
        host("mx.good.example", 12, Starttls::Works(good.server())),
    ];
    let mut zone = Zone::default();
    zone.mx("open.example", "mx.plain.example");
    zone.mx("free.example", "mx.good.example");
    let practice = Practice::open(release, &authority, &hosts, zone);
    practice.agree(CONNECTORS);
    let lab = &practice.lab;
    lab.mta.add_services(&lab.machine, SERVICE);
    practice.postconf(&["-e", WAYS]);
    let _daemon = practice.serve();
    practice.is_well();
    for (number, case) in OVERRIDES.iter().enumerate() {
        if case.id == TLS_REQUIRED.id && release.version == "3.7" {
            continue;
        }
        let recipient = |word: &str| format!("{word}{number}@{}", case.domain);
        practice.with_settings_restored(|| {
            practice.postconf(&[&["-P"], case.made_by].concat());
            practice.send(case.header, &recipient("with"), case.with);
            practice.is_mended(case.id, case.place);
            practice.send(case.header, &recipient("without"), case.without);
        });
    }
}

on_each_postfix!(x2_overrides);
