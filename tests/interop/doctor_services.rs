//! `doctor` about services of master.cf: one that mail is given to and that is not there, and one that brings all mail to a
//! content filter.

use crate::certificates::{Authority, Subject};
use crate::on_each_postfix;
use crate::partner::{Host, Starttls};
use crate::practice::Practice;
use crate::resolver::Zone;
use crate::root::Release;

const RELAY: &str = "P relay.lab.example:25";

const GOOD: &str = "T mx.good.example:25";

const NO_TLS: &str = "D TLS is required, but was not offered";

const OPEN: &str = r#"
[[outbound]]
name = "open"
mode = "enforce"
domains = ["open.example"]
transport = "connectord-smtp"
tls = "encrypt"
"#;

const OTHER: &str = r#"
[[outbound]]
name = "good"
mode = "enforce"
domains = ["good.example"]
tls = "secure"
match = ["mx.good.example"]
"#;

fn open(release: Release, connectors: &str) -> Practice {
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
    zone.mx("good.example", "mx.good.example");
    let practice = Practice::open(release, &authority, &hosts, zone);
    practice.agree(connectors);
    practice
}

/// Mail waits for a service, until it is there; it is then the one of contrib, which main.cf does not weaken.
fn x2_missing(release: Release) {
    let practice = open(release, &format!("{OPEN}{OTHER}"));
    let _daemon = practice.serve();
    let send = |recipient: &str, fate: &str| practice.send("Subject: doctor", recipient, fate);
    practice.postconf(&["-e", "transport_maps=socketmap:unix:connectord/socketmap.sock:transport"]);
    send("first@open.example", "D mail transport unavailable");
    send("first@good.example", GOOD);
    practice.names(&["open"]);
    practice.is_mended("postfix-service-missing", "master.cf: connectord-smtp/unix");
    send("second@open.example", NO_TLS);
    practice.agree_from_now_on(&OPEN.replace("open.example", "good.example"));
    send("second@good.example", GOOD);
    practice.postconf(&["-e", "smtp_fallback_relay=[relay.lab.example]", "smtp_tls_security_level=none"]);
    practice.agree_from_now_on(OPEN);
    practice.is_well();
    send("third@open.example", NO_TLS);
}

/// A filter on another host, over plaintext; then one on this host.
fn x2_filter(release: Release) {
    let connectors = OPEN.replace("transport = \"connectord-smtp\"\n", "");
    let practice = open(release, &connectors);
    let _daemon = practice.serve();
    let lab = &practice.lab;
    let send = |recipient: &str, fate: &str| practice.send("Subject: doctor", recipient, fate);
    practice.is_well();
    practice.with_settings_restored(|| {
        practice.postconf(&["-e", "content_filter=smtp:[relay.lab.example]:25"]);
        send("first@open.example", RELAY);
        practice.names(&["open"]);
        practice.is_mended("postfix-content-filter", "main.cf: content_filter = smtp:[relay.lab.example]:25");
        send("second@open.example", NO_TLS);
        // A partner whose host has to be known: so has the filter's then.
        practice.agree_from_now_on(&format!("{connectors}{OTHER}"));
        practice.is_mended("postfix-content-filter", "main.cf: content_filter = smtp:[relay.lab.example]:25");
        send("second@good.example", NO_TLS);
    });
    practice.agree_from_now_on(&connectors);
    let filter = include_str!("../../contrib/postfix/master.cf.after-filter");
    let client =
        "to-filter unix - - y - 2 smtp\n    -o smtp_tls_policy_maps=\n    -o smtp_tls_security_level=none\n";
    lab.mta.add_services(&lab.machine, &format!("{filter}{client}"));
    practice.postconf(&["-e", "content_filter=to-filter:[127.0.0.1]:10025"]);
    practice.is_well();
    send("third@open.example", NO_TLS);
    let log = lab.mta.log(&lab.machine);
    let line = log.lines().find(|line| line.contains("to=<third@open.example>, relay=127.0.0.1"));
    assert!(line.is_some(), "{log}");
}

on_each_postfix!(x2_missing, x2_filter);
