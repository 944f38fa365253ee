//! `doctor` about connectors at the DANE levels: settings with which TLSA records, or the want of them, stop no mail, or
//! stop all of it.

use crate::certificates::{Authority, Credentials, Subject};
use crate::dnssec::Signing;
use crate::on_each_postfix;
use crate::partner::{Host, Starttls};
use crate::practice::Practice;
use crate::resolver::Zone;
use crate::root::Release;

const CONNECTORS: &str = r#"
[[outbound]]
name = "forged"
mode = "enforce"
domains = ["forged.example", "unsigned.example"]
tls = "dane"

[[outbound]]
name = "right"
mode = "enforce"
domains = ["right.example"]
tls = "dane-only"
"#;

const FORGED: &str = "T mx.forged.example:25";

const RIGHT: &str = "T mx.right.example:25";

const UNTRUSTED: &str = "D Server certificate not";

/// Hosts with TLSA records, of which one is another key's; the domain unsigned.example is not signed.
fn open(release: Release) -> Practice {
    let authority = Authority::new("Lab CA");
    let mut zone = Zone::signed(Signing { insecure: vec!["unsigned.example"], bogus: Vec::new() });
    let mut hosts = Vec::new();
    for (number, name) in [(10, "forged"), (11, "right")] {
        let host = format!("mx.{name}.example");
        let [shown, other] = [(); 2].map(|()| authority.issue(Subject::server(&[&host])));
        let promised: &Credentials = if name == "right" { &shown } else { &other };
        let digest = promised.key_digest().replace(':', "");
        zone.record(&format!("_25._tcp.{host}"), &format!("TLSA 3 1 1 {digest}"));
        zone.mx(&format!("{name}.example"), &host);
        hosts.push(Host { name: host, number, starttls: Starttls::Works(shown.server()) });
    }
    zone.mx("unsigned.example", "mx.forged.example");
    let practice = Practice::open(release, &authority, &hosts, zone);
    practice.agree(CONNECTORS);
    practice
}

fn x2_dane(release: Release) {
    let practice = open(release);
    let send = |recipient: &str, fate: &str| practice.send("Subject: doctor", recipient, fate);
    let _daemon = practice.serve();
    // What contrib says of these levels.
    practice.postconf(&["-e", "smtp_dns_support_level=dnssec", "smtp_tls_dane_insecure_mx_policy=dane"]);
    practice.is_well();
    send("first@forged.example", UNTRUSTED);
    send("first@unsigned.example", UNTRUSTED);
    send("first@right.example", RIGHT);
    practice.postconf(&["-e", "smtp_tls_dane_insecure_mx_policy=may"]);
    send("with@unsigned.example", FORGED);
    practice.is_mended("postfix-dane-ignored", "main.cf: smtp_tls_dane_insecure_mx_policy = may");
    send("without@unsigned.example", UNTRUSTED);
    practice.postconf(&["-e", "smtp_dns_support_level=enabled"]);
    send("with@forged.example", FORGED);
    send("with@right.example", "D ");
    let [ignored, waits] = CONNECTORS.split_once("\n\n").map(|(one, two)| [one, two]).unwrap();
    practice.agree_from_now_on(waits);
    practice.is_mended("postfix-dane-waits", "main.cf: smtp_dns_support_level = enabled");
    send("without@right.example", RIGHT);
    practice.agree_from_now_on(ignored);
    practice.postconf(&["-e", "smtp_dns_support_level=enabled"]);
    send("again@forged.example", FORGED);
    practice.is_mended("postfix-dane-ignored", "main.cf: smtp_dns_support_level = enabled");
    practice.agree_from_now_on(CONNECTORS);
    practice.is_well();
    send("without@forged.example", UNTRUSTED);
}

on_each_postfix!(x2_dane);
