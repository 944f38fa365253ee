//! The test mail of `connectord validate`: where it goes, how often, and that it goes nowhere unless
//! somebody asked for it and the session was as agreed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use serde_json::Value;

use crate::certificates::{Authority, Credentials, Subject};
use crate::examiner::{Absent, Ended, Examiner};
use crate::lab::Lab;
use crate::partner::{Host, Mail, NOBODY, Starttls};
use crate::resolver::Zone;
use crate::root::{POSTFIX_3_10, possible};

/// Each domain has three mail hosts, `mx1` to `mx3`; connectors are named after their domain.
const CONNECTORS: &str = r#"
[[outbound]]
name = "good"
mode = "off"
domains = ["good.example"]
tls = "secure"
match = ["*.good.example"]
validate.recipients = ["postmaster@good.example", "nobody@good.example"]

[[outbound]]
name = "first-wrong"
mode = "enforce"
domains = ["first-wrong.example"]
tls = "secure"
match = ["*.first-wrong.example"]
validate.recipients = ["postmaster@first-wrong.example"]

[[outbound]]
name = "plain"
mode = "enforce"
domains = ["plain.example"]
tls = "may"
validate.recipients = ["postmaster@plain.example"]

[[outbound]]
name = "turning"
mode = "enforce"
domains = ["turning.example"]
tls = "secure"
match = ["*.turning.example"]
validate.recipients = ["postmaster@turning.example"]

[[outbound]]
name = "hub"
mode = "off"
domains = ["first.hub.example", "second.hub.example"]
tls = "encrypt"

[[outbound]]
name = "several"
mode = "report"
domains = ["several.example", "*.other.example"]
tls = "encrypt"
"#;

const DOMAINS: [&str; 6] = ["good", "first-wrong", "plain", "turning", "several", "other"];

/// Shows its first certificate to the first visitor, and the other one to all who come then.
#[derive(Debug)]
struct Turning {
    visitors: AtomicUsize,
    first: Arc<CertifiedKey>,
    then: Arc<CertifiedKey>,
}

impl Turning {
    fn server(first: &Credentials, then: &Credentials) -> Arc<ServerConfig> {
        let certified = |credentials: &Credentials| {
            let (chain, key) = credentials.chain_and_key();
            Arc::new(CertifiedKey::new(chain, ring::sign::any_supported_type(&key).unwrap()))
        };
        let turning =
            Turning { visitors: AtomicUsize::new(0), first: certified(first), then: certified(then) };
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(turning));
        Arc::new(config)
    }
}

impl ResolvesServerCert for Turning {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let is_first = self.visitors.fetch_add(1, Ordering::SeqCst) == 0;
        Some(if is_first { &self.first } else { &self.then }.clone())
    }
}

fn lab() -> Lab<Absent> {
    let authority = Authority::new("Lab CA");
    let elsewhere = authority.issue(Subject::server(&["mx.elsewhere.example"]));
    let mut zone = Zone::default();
    let mut hosts = Vec::new();
    for domain in DOMAINS {
        let all = format!("*.{domain}.example");
        let right = authority.issue(Subject::server(&[&all]));
        for place in 1..=3 {
            let name = format!("mx{place}.{domain}.example");
            zone.record(&format!("{domain}.example"), &format!("MX {place}0 {name}."));
            let starttls = match domain {
                "plain" => Starttls::Absent,
                "first-wrong" if place == 1 => Starttls::Works(elsewhere.server()),
                "turning" => Starttls::Works(Turning::server(&right, &elsewhere)),
                _ => Starttls::Works(right.server()),
            };
            hosts.push(Host { name, number: 10 + u8::try_from(hosts.len()).unwrap(), starttls });
        }
    }
    // Two domains of one connector at one host.
    zone.record("first.hub.example", "MX 10 mx1.several.example.");
    zone.record("second.hub.example", "MX 10 mx1.several.example.");
    // A domain of its own below one that a pattern names.
    zone.record("sub.other.example", "MX 10 mx2.other.example.");
    let lab = Lab::start(POSTFIX_3_10, &authority, &hosts, zone, &[]);
    lab.site.configure(CONNECTORS);
    lab
}

/// Hosts that were given this command, each as often as it was.
fn given(lab: &Lab<Absent>, verb: &str) -> Vec<String> {
    let commands = lab.partner.commands().into_iter();
    commands.filter(|command| command.verb == verb).map(|command| command.host).collect()
}

/// What was delivered since `before` messages were there.
fn since(lab: &Lab<Absent>, before: usize) -> Vec<Mail> {
    lab.partner.mail().split_off(before)
}

/// What the report says of the test mail, host by host.
fn told(ended: &Ended) -> Vec<(String, String)> {
    let report = ended.json();
    let addresses = report["connectors"][0]["addresses"].as_array().unwrap().clone();
    let word = |value: &Value| value.as_str().map(str::to_owned);
    addresses
        .iter()
        .filter_map(|address| Some((word(&address["host"])?, word(&address["test_mail"])?)))
        .collect()
}

#[test]
fn it_arrives_once_where_the_mta_would_deliver() {
    if !possible() {
        return;
    }
    let lab = lab();
    let examiner = Examiner::of(&lab);

    // Nobody asked for it, though the connectors name recipients.
    let ended = examiner.validate(&["good", "first-wrong", "plain", "--json"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(given(&lab, "EHLO").len(), 3 * 2 + 3 * 2 + 3, "every host was met");
    assert_eq!(given(&lab, "MAIL"), [""; 0]);
    assert_eq!(told(&ended), []);

    // To an address that is named, in any mode.
    let ended = examiner.validate(&["good", "--recipient", "Alice@Good.Example", "--json"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let [mail] = &since(&lab, 0)[..] else { panic!("{:?}", lab.partner.mail()) };
    assert_eq!((mail.host.as_str(), mail.port), ("mx1.good.example", 25));
    assert_eq!(mail.recipients, ["Alice@good.example"]);
    assert_eq!(mail.tls.as_ref().map(|session| session.version.as_str()), Some("TLSv1_3"));
    for line in [
        "Subject: Automatic TLS test by connectord for connector good",
        "Auto-Submitted: auto-generated",
        "To: <Alice@good.example>",
        "This is an automatic test message. Nobody has to answer it, and it can be deleted.",
    ] {
        assert!(mail.text.contains(&format!("{line}\r\n")), "{line} in {}", mail.text);
    }
    let said = "taken for Alice@good.example: 250 2.0.0 taken";
    assert_eq!(told(&ended), [("mx1.good.example".to_owned(), said.to_owned())]);
    assert_eq!(given(&lab, "MAIL"), ["mx1.good.example"]);

    // To those of the connector; the first host is none that the MTA would deliver to.
    let ended = examiner.validate(&["first-wrong", "--test-mail", "--json"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let [mail] = &since(&lab, 1)[..] else { panic!("{:?}", lab.partner.mail()) };
    assert_eq!(mail.host, "mx2.first-wrong.example");
    assert_eq!(mail.recipients, ["postmaster@first-wrong.example"]);
    assert!(mail.tls.is_some());
    assert_eq!(given(&lab, "MAIL").len(), 2);

    // One of its recipients is not known there: the other gets it all the same.
    let ended = examiner.validate(&["good", "--test-mail", "--json"]);
    assert_eq!(ended.json()["connectors"][0]["addresses"][0]["code"], "recipient-refused");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let [mail] = &since(&lab, 2)[..] else { panic!("{:?}", lab.partner.mail()) };
    assert_eq!(mail.recipients, ["postmaster@good.example"]);

    // Only asked for.
    let before = given(&lab, "RCPT").len();
    let ended = examiner.validate(&["good", "--recipient", "bob@good.example", "--no-data", "--json"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(
        told(&ended),
        [("mx1.good.example".to_owned(), "would be taken for bob@good.example".to_owned())]
    );
    let nobody = format!("{NOBODY}@good.example");
    let ended = examiner.validate(&["good", "--recipient", &nobody, "--no-data", "--json"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(given(&lab, "RCPT").len(), before + 2);
    assert_eq!(given(&lab, "DATA").len(), 3);
    assert_eq!(lab.partner.mail().len(), 3);
}

#[test]
fn it_goes_nowhere_unless_the_session_is_as_agreed() {
    if !possible() {
        return;
    }
    let lab = lab();
    let examiner = Examiner::of(&lab);
    // The level would let mail through in plaintext; a test mail is for TLS.
    let ended = examiner.validate(&["plain", "--test-mail", "--json"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(ended.json()["connectors"][0]["findings"][0]["code"], "test-mail-not-sent");

    // Each of its hosts was as agreed when it was tested, and no more when the mail was to go.
    let ended = examiner.validate(&["turning", "--test-mail", "--json"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let connector = &ended.json()["connectors"][0];
    assert_eq!(connector["findings"][0]["code"], "test-mail-not-sent");
    for address in connector["addresses"].as_array().unwrap() {
        assert_eq!(address["code"], "name-mismatch", "{address}");
    }
    assert_eq!(given(&lab, "MAIL"), [""; 0]);
    assert_eq!(given(&lab, "EHLO").len(), 3 + 3 * 4, "each was met twice");

    // An address elsewhere is refused before anybody is asked.
    let ended = examiner.validate(&["good", "--recipient", "alice@plain.example"]);
    assert_eq!(ended.code, Some(64), "{ended:?}");
    assert!(given(&lab, "EHLO").iter().all(|host| !host.ends_with(".good.example")));
}

/// A connector of several domains: the mail to each goes to that domain's own hosts.
#[test]
fn each_domain_has_hosts_of_its_own() {
    if !possible() {
        return;
    }
    let lab = lab();
    let mut arguments = vec!["several", "--json"];
    for recipient in ["bob@sub.other.example", "amy@several.example", "eve@other.example"] {
        arguments.extend(["--recipient", recipient]);
    }
    let ended = Examiner::of(&lab).validate(&arguments);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let mut came: Vec<(String, Vec<String>)> =
        since(&lab, 0).into_iter().map(|mail| (mail.host, mail.recipients)).collect();
    came.sort();
    let expected = [
        ("mx1.other.example", "eve@other.example"),
        ("mx1.several.example", "amy@several.example"),
        ("mx2.other.example", "bob@sub.other.example"),
    ]
    .map(|(host, recipient)| (host.to_owned(), vec![recipient.to_owned()]));
    assert_eq!(came, expected);
}

/// What one domain's recipient was told is neither forgotten nor the next one's.
#[test]
fn domains_at_one_host_are_told_apart() {
    if !possible() {
        return;
    }
    let lab = lab();
    let refused = format!("{NOBODY}@first.hub.example");
    let recipients = ["--recipient", &refused, "--recipient", "amy@second.hub.example"];
    let ended = Examiner::of(&lab).validate(&[&["hub", "--json"][..], &recipients].concat());
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let report = ended.json();
    let codes: Vec<&Value> = report["connectors"][0]["addresses"]
        .as_array()
        .unwrap()
        .iter()
        .map(|address| &address["code"])
        .collect();
    assert_eq!(codes, ["recipient-refused"], "{report}");
    assert_eq!(report["connectors"][0]["findings"].as_array().unwrap().len(), 0, "{report}");
    let [mail] = &since(&lab, 0)[..] else { panic!("{:?}", lab.partner.mail()) };
    assert_eq!(mail.recipients, ["amy@second.hub.example"]);
}
