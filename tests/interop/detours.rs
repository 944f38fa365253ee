//! Ways round a connector that main.cf or a message opens, and the service that closes them.
//!
//! The service is contrib's, as it is: only the file of authorities is the lab's.

use std::collections::BTreeMap;

use crate::certificates::{Authority, Subject};
use crate::lab::{Lab, fates};
use crate::on_each_postfix;
use crate::partner::{Host, Starttls};
use crate::resolver::Zone;
use crate::root::Release;

const SERVICE: &str = include_str!("../../contrib/postfix/master.cf.connectord");

/// What a sender may write into any message (RFC 8689).
const HEADER: &str = "TLS-Required: no";

const CONNECTORS: &str = r#"
[[outbound]]
name = "by main.cf"
mode = "enforce"
domains = ["open.example"]
tls = "encrypt"

[[outbound]]
name = "by its own service"
mode = "enforce"
domains = ["closed.example"]
transport = "connectord-smtp"
tls = "encrypt"

[[outbound]]
name = "agreed"
mode = "enforce"
domains = ["good.example"]
transport = "connectord-smtp"
tls = "secure"
match = ["mx.good.example"]
"#;

const NO_TLS: &str = "D TLS is required, but was not offered";

fn lab(release: Release, settings: &[&str]) -> Lab {
    let authority = Authority::new("Lab CA");
    let good = authority.issue(Subject::server(&["mx.good.example"])).server();
    let hosts = [
        ("mx.plain.example", Starttls::Absent),
        ("relay.lab.example", Starttls::Absent),
        ("mx.good.example", Starttls::Works(good)),
    ];
    let hosts: Vec<Host> = (10..)
        .zip(hosts)
        .map(|(number, (name, starttls))| Host { name: name.to_owned(), number, starttls })
        .collect();
    let mut zone = Zone::default();
    zone.mx("open.example", "mx.plain.example");
    zone.mx("closed.example", "mx.plain.example");
    zone.mx("good.example", "mx.good.example");
    let lab: Lab = Lab::start(release, &authority, &hosts, zone, settings);
    lab.site.configure(CONNECTORS);
    lab
}

/// Submits messages with the header, and waits for the fate beside each recipient.
fn send_with_header(lab: &Lab, expected: &BTreeMap<String, String>) {
    lab.mta.submit_with(&lab.network, HEADER, expected.keys().map(String::as_str));
    lab.settled(expected);
}

/// With contrib's settings the header means nothing.
fn x2_contrib(release: Release) {
    let lab = lab(release, &[]);
    let _daemon = lab.site.serve();
    send_with_header(&lab, &fates([("header@open.example", NO_TLS)]));
}

/// main.cf as somebody may leave it: the header is obeyed, there is a fallback relay, connections are
/// reused. Mail of connectors with the service of their own does not notice. (The TLS session cache
/// is tlsmgr(8)'s, and no service can leave it: see `session_cache`.)
fn x2_service(release: Release) {
    let settings = [
        "tls_required_enable=yes",
        "smtp_fallback_relay=[relay.lab.example]",
        "smtp_connection_cache_on_demand=yes",
        "transport_maps=socketmap:unix:connectord/socketmap.sock:transport",
    ];
    let lab = lab(release, &settings);
    let service = SERVICE.replace("/etc/ssl/certs/ca-certificates.crt", "/etc/postfix/tls/ca.pem");
    assert_ne!(service, SERVICE);
    lab.mta.add_services(&lab.machine, &service);
    let _daemon = lab.site.serve();
    lab.send_expecting(&fates([
        ("user@open.example", "P relay.lab.example:25"),
        ("user@closed.example", NO_TLS),
        ("user@good.example", "T mx.good.example:25"),
    ]));
    // Postfix 3.7 does not know the header, and fails over as before.
    let obeyed = if release.version == "3.7" { "P relay.lab.example:25" } else { "P mx.plain.example:25" };
    send_with_header(
        &lab,
        &fates([
            ("header@open.example", obeyed),
            ("header@closed.example", NO_TLS),
            ("header@good.example", "T mx.good.example:25"),
        ]),
    );
    // A tightened name reaches the next message.
    lab.site.configure(&CONNECTORS.replace("mx.good.example", "nobody.example"));
    let reload = lab.site.json(&["reload", "--json"]);
    assert_eq!(reload["ok"], true, "{reload}");
    lab.send_expecting(&fates([("tightened@good.example", "D Server certificate not verified")]));
}

on_each_postfix!(x2_contrib, x2_service);
