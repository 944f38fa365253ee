//! `doctor` and ways round a connector that are seldom taken: classes of domains that are ours, filters, names, and what
//! keeps TLSA records from being asked for.

use std::net::{IpAddr, Ipv4Addr};

use crate::certificates::{Authority, Subject};
use crate::client::Client;
use crate::dnssec::Signing;
use crate::network::OURS;
use crate::on_each_postfix;
use crate::partner::{Host, Starttls};
use crate::practice::Practice;
use crate::resolver::Zone;
use crate::root::Release;

const RELAY: &str = "P relay.lab.example:25";

const NO_TLS: &str = "D TLS is required, but was not offered";

const CONNECTORS: &str = r#"
[[outbound]]
name = "open"
mode = "enforce"
domains = ["open.example", "loop.example"]
tls = "encrypt"

[[outbound]]
name = "wrong"
mode = "enforce"
domains = ["wrong.example"]
tls = "verify"
"#;

/// A fault, and what shows it.
struct Fault {
    id: &'static str,
    place: &'static str,
    connectors: &'static [&'static str],
    /// Arguments of postconf(1) that make it, one command after the other.
    made_by: &'static [&'static [&'static str]],
    /// To whom, and what becomes of the mail with the fault and without.
    domain: &'static str,
    with: &'static str,
    without: &'static str,
}

const ORDINARY: Fault = Fault {
    id: "postfix-other-way",
    place: "",
    connectors: &["open"],
    made_by: &[],
    domain: "open.example",
    with: RELAY,
    without: NO_TLS,
};

const FAULTS: [Fault; 5] = [
    Fault {
        place: "main.cf: virtual_mailbox_domains = other.example, open.example",
        made_by: &[&[
            "-e",
            "virtual_mailbox_domains=other.example, open.example",
            "virtual_transport=smtp:[relay.lab.example]",
        ]],
        ..ORDINARY
    },
    Fault {
        place: "main.cf: mydestination = ours.example open.example",
        made_by: &[&[
            "-e",
            "mydestination=ours.example open.example",
            "local_transport=smtp:[relay.lab.example]",
        ]],
        ..ORDINARY
    },
    // The recipient's domain is the next hop, and this service asks nobody about it.
    Fault {
        id: "postfix-policy-missing",
        place: "master.cf: plain/unix: smtp_tls_policy_maps = ",
        connectors: &["open", "wrong"],
        made_by: &[
            &["-M", "plain/unix=plain unix - - y - - smtp -o smtp_tls_policy_maps="],
            &["-e", "content_filter=plain:"],
        ],
        with: "P mx.plain.example:25",
        ..ORDINARY
    },
    Fault {
        place: "main.cf: best_mx_transport = smtp:[relay.lab.example]",
        connectors: &["open", "wrong"],
        made_by: &[&["-e", "best_mx_transport=smtp:[relay.lab.example]"]],
        domain: "loop.example",
        without: "D loops back to myself",
        ..ORDINARY
    },
    Fault {
        id: "postfix-host-name",
        place: "main.cf: smtp_tls_verify_cert_match = hostname, .example",
        connectors: &["wrong"],
        made_by: &[&["-e", "smtp_tls_verify_cert_match=hostname, .example"]],
        domain: "wrong.example",
        with: "T mx.wrong.example:25",
        without: "D Server certificate not verified",
    },
];

fn open(release: Release) -> Practice {
    let authority = Authority::new("Lab CA");
    let wrong = authority.issue(Subject::server(&["mx.elsewhere.example"]));
    let host = |name: &str, number, starttls| Host { name: name.to_owned(), number, starttls };
    let hosts = [
        host("mx.plain.example", 10, Starttls::Absent),
        host("relay.lab.example", 11, Starttls::Absent),
        host("mx.wrong.example", 12, Starttls::Works(wrong.server())),
    ];
    let mut zone = Zone::default();
    zone.mx("open.example", "mx.plain.example");
    zone.mx("wrong.example", "mx.wrong.example");
    zone.mx("loop.example", "mail.ours.example");
    zone.address("mail.ours.example", IpAddr::V4(OURS));
    let practice = Practice::open(release, &authority, &hosts, zone);
    practice.agree(CONNECTORS);
    practice
}

fn x2_settings(release: Release) {
    let practice = open(release);
    let _daemon = practice.serve();
    // What comes back is deferred and not returned, so that it is seen in the queue.
    practice.postconf(&["-e", "soft_bounce=yes"]);
    practice.is_well();
    for (number, fault) in FAULTS.iter().enumerate() {
        let send = |word: &str, fate: &str| {
            practice.send("Subject: doctor", &format!("{word}{number}@{}", fault.domain), fate);
        };
        practice.with_settings_restored(|| {
            for arguments in fault.made_by {
                practice.postconf(arguments);
            }
            send("with", fault.with);
            practice.names(fault.connectors);
            practice.is_mended(fault.id, fault.place);
            send("without", fault.without);
        });
    }
}

/// A filter before the queue on another host, for which there is no TLS and no command; then one on this host.
fn x2_proxy_filter(release: Release) {
    let practice = open(release);
    let _daemon = practice.serve();
    let lab = &practice.lab;
    let filter = include_str!("../../contrib/postfix/master.cf.after-filter");
    lab.mta.add_services(&lab.machine, filter);
    let send = |recipient: &str, code: &str| {
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let mut client = Client::connect(&lab.network.ours, loopback, loopback);
        client.expect("250", "EHLO localhost");
        client.expect("250", "MAIL FROM:<sender@ours.example>");
        client.expect("250", &format!("RCPT TO:<{recipient}>"));
        let reply = client.message("Subject: doctor");
        assert!(reply.starts_with(code), "{reply}");
    };
    practice.postconf(&["-e", "smtpd_proxy_filter=192.0.2.11:25"]);
    send("first@open.example", "250");
    let mail = lab.partner.mail();
    let [mail] = &mail[..] else { panic!("{mail:?}") };
    assert_eq!((mail.host.as_str(), mail.tls.is_none()), ("relay.lab.example", true), "{mail:?}");
    practice.names(&["open", "wrong"]);
    let findings = practice.findings();
    assert_eq!(findings[0]["id"], "postfix-content-filter");
    assert_eq!(findings[0]["where"], "main.cf: smtpd_proxy_filter = 192.0.2.11:25");
    assert_eq!(findings[0]["mend"].as_array().map(Vec::len), Some(0));
    practice.postconf(&["-e", "smtpd_proxy_filter=127.0.0.1:10025"]);
    practice.is_well();
    send("second@open.example", "250");
    lab.met(&crate::lab::fates([("second@open.example", NO_TLS)]));
}

const DANE: &str = r#"
[[outbound]]
name = "forged"
mode = "enforce"
domains = ["forged.example"]
tls = "dane"
"#;

/// Settings with which TLSA records are not asked for, or not obeyed: they are another key's, and the mail leaves.
fn x2_records(release: Release) {
    const FORGED: &str = "T mx.forged.example:25";
    const UNTRUSTED: &str = "D Server certificate not verified";
    let authority = Authority::new("Lab CA");
    let [shown, other] = [(); 2].map(|()| authority.issue(Subject::server(&["mx.forged.example"])));
    let mut zone = Zone::signed(Signing { insecure: Vec::new(), bogus: Vec::new() });
    let digest = other.key_digest().replace(':', "");
    zone.record("_25._tcp.mx.forged.example", &format!("TLSA 3 1 1 {digest}"));
    zone.mx("forged.example", "mx.forged.example");
    let host =
        Host { name: "mx.forged.example".to_owned(), number: 10, starttls: Starttls::Works(shown.server()) };
    let practice = Practice::open(release, &authority, &[host], zone);
    practice.agree(DANE);
    let send = |recipient: &str, fate: &str| practice.send("Subject: doctor", recipient, fate);
    let _daemon = practice.serve();
    practice.postconf(&["-e", "smtp_dns_support_level=dnssec", "smtp_tls_dane_insecure_mx_policy=dane"]);
    practice.is_well();
    send("first@forged.example", UNTRUSTED);
    for (number, (name, value)) in
        [("smtp_host_lookup", "native"), ("ignore_mx_lookup_error", "yes"), ("tls_dane_digests", "sha512")]
            .into_iter()
            .enumerate()
    {
        practice.with_settings_restored(|| {
            practice.postconf(&["-e", &format!("{name}={value}")]);
            send(&format!("with{number}@forged.example"), FORGED);
            practice.is_mended("postfix-dane-ignored", &format!("main.cf: {name} = {value}"));
            send(&format!("without{number}@forged.example"), UNTRUSTED);
        });
    }
    practice.with_settings_restored(|| {
        practice.postconf(&["-e", "smtp_host_lookup=native, dns", "tls_dane_digests=sha256 sha512"]);
        practice.is_well();
        send("last@forged.example", UNTRUSTED);
    });
    // With `dane-only` such mail waits.
    practice.agree_from_now_on(&DANE.replace("\"dane\"", "\"dane-only\""));
    for (number, setting) in ["smtp_host_lookup=native", "ignore_mx_lookup_error=yes"].into_iter().enumerate()
    {
        practice.with_settings_restored(|| {
            practice.postconf(&["-e", setting]);
            send(&format!("waits{number}@forged.example"), "D client TLS configuration problem");
            practice.is_mended("postfix-dane-waits", &format!("main.cf: {}", setting.replace('=', " = ")));
        });
    }
}

on_each_postfix!(x2_settings, x2_proxy_filter, x2_records);
