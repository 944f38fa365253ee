//! `connectord validate` against partners of every kind: one table of what it says of each.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::thread;

use serde_json::Value;

use crate::behaviours::{POLICIES, Partners, TARPIT};
use crate::certificates::Authority;
use crate::examiner::{Absent, Ended, Examiner};
use crate::lab::Lab;
use crate::network::partner_address;
use crate::policy_host::PolicyHost;
use crate::root::{POSTFIX_3_10, possible};

/// A partner, the verdict, the codes of its addresses and then of what is said of the whole, and
/// words that its administrator is to read.
type Row = (&'static str, &'static str, &'static [&'static str], &'static str);

const TABLE: [Row; 40] = [
    ("good", "pass", &["ok"], ""),
    ("wildcard", "pass", &["ok"], ""),
    ("second", "fail", &["ok", "name-mismatch"], "mx.elsewhere.example"),
    ("v6", "fail", &["ok", "name-mismatch"], "mx.elsewhere.example"),
    ("self", "fail", &["self-signed"], "is self-signed; nobody else vouches for it"),
    ("stranger", "fail", &["unknown-ca"], "ends at \"CN=Other CA\", which is not among the trusted"),
    ("incomplete", "fail", &["chain-incomplete"], "the certificate of \"CN=Lab Intermediate\" is missing"),
    ("expired", "fail", &["expired"], "has expired; it has to be renewed"),
    ("expiring", "warn", &["expires-soon"], "in 10 days; renew it"),
    ("future", "fail", &["not-yet-valid"], "is not valid yet"),
    ("wrong", "fail", &["name-mismatch"], "mx.filter.example"),
    ("cn", "pass", &["ok"], ""),
    ("plain", "fail", &["no-starttls"], "does not offer STARTTLS; it has to be switched on"),
    ("may", "warn", &["no-starttls"], "mail is sent in plaintext"),
    ("refused", "fail", &["starttls-refused"], "454 4.7.0 TLS not available"),
    ("broken", "fail", &["handshake-failed"], "the TLS handshake failed"),
    ("picky", "fail", &["recipient-refused"], "the server refuses mail for nobody@picky.example"),
    ("tarpit", "fail", &["timeout"], "the server did not greet within 15 seconds"),
    ("away", "fail", &["unreachable"], "no connection to the server can be made"),
    ("half", "warn", &["ok", "unreachable"], "mail goes to another address"),
    ("null", "fail", &["null-mx"], "says with a null MX record that it accepts no mail"),
    ("nxdomain", "fail", &["no-such-domain"], "does not exist in the DNS"),
    ("servfail", "fail", &["dns-failure"], "do not answer as they should"),
    ("homeless", "warn", &["host-not-found", "ok"], "The mail host mx2.homeless.example does not exist"),
    ("nomx", "pass", &["ok", "no-mx"], "has no MX record; mail goes to the host of the same name"),
    ("alias", "pass", &["ok", "mx-is-alias"], "is an alias, which RFC 2181 section 10.3 forbids"),
    ("smart", "pass", &["ok", "ok"], "b.smart.example:2525"),
    ("old", "fail", &["tls-too-old"], "speaks TLSv1.2 at most, and TLSv1.3 or newer is needed"),
    ("self-pinned", "pass", &["ok"], ""),
    ("mispinned", "fail", &["fingerprint-mismatch"], "another certificate and another key than agreed"),
    ("dane", "pass", &["ok"], "TLSA records match"),
    ("danger", "fail", &["no-dane"], "there are no TLSA records for mx.danger.example"),
    ("dane-renewed", "fail", &["dane-mismatch"], "whoever renewed the certificate has to renew the records"),
    ("secure-renewed", "warn", &["dane-mismatch"], "senders with DANE do not deliver here"),
    ("unsigned", "fail", &["no-dane"], "DNSSEC does not vouch for the host"),
    ("covered", "pass", &["ok"], "mode enforce, covers the host"),
    ("uncovered", "warn", &["mta-sts-uncovered"], "senders with MTA-STS do not deliver here"),
    ("client", "fail", &["wrong-purpose"], "does not allow a TLS server here"),
    ("off", "pass", &["ok"], ""),
    ("below", "warn", &["no-domain-to-test"], "names no domain of its own, so its mail was not tested"),
];

/// What is good is said in other words to people than to machines.
const GOOD: [(&str, &str, &str); 6] = [
    ("dane", "/addresses/0/dane/matches", "true"),
    ("dane", "/addresses/0/dane/authenticated", "true"),
    ("covered", "/addresses/0/mta_sts/covers", "true"),
    ("smart", "/addresses/0/port", "587"),
    ("smart", "/addresses/1/port", "2525"),
    ("good", "/strictest", "\"secure, match = \\\"domain\\\"\""),
];

/// A row that shows nothing until a test mail is sent.
const WITH_MAIL: &str = "picky";

/// The keys that the interface has at least.
const REPORT: [&str; 2] = ["verdict", "connectors"];
const CONNECTOR: [&str; 4] = ["connector", "verdict", "level", "addresses"];
const ADDRESS: [&str; 13] = [
    "host",
    "address",
    "port",
    "verdict",
    "reason",
    "detail",
    "tls",
    "cipher",
    "certificate",
    "chain",
    "not_after",
    "dane",
    "mta_sts",
];

#[track_caller]
fn has_keys(value: &Value, keys: &[&str]) {
    for key in keys {
        assert!(value.get(key).is_some(), "no {key} in {value}");
    }
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_else(|| panic!("{key} in {value}"))
}

/// All the words of a connector's report.
fn spoken(connector: &Value) -> String {
    let findings = connector["findings"].as_array().unwrap();
    let addresses = connector["addresses"].as_array().unwrap();
    let warnings = addresses.iter().flat_map(|address| address["warnings"].as_array().unwrap());
    let all = addresses.iter().chain(findings).chain(warnings);
    let mut spoken: Vec<String> =
        all.map(|one| format!("{} {}", text(one, "reason"), text(one, "detail"))).collect();
    for address in addresses {
        let dane = address["dane"]["detail"].as_str().unwrap_or_default();
        spoken.push(format!("{} {} {dane}", address["expected"], address["presented"]));
    }
    spoken.join("\n")
}

/// What a row's connector came to, as far as the table says it.
fn differences(row: &Row, connector: &Value) -> Vec<String> {
    let (name, verdict, codes, words) = row;
    has_keys(connector, &CONNECTOR);
    let mut wrong = Vec::new();
    let mut found = Vec::new();
    for address in connector["addresses"].as_array().unwrap() {
        has_keys(address, &ADDRESS);
        found.push(text(address, "code"));
        if address["tls"].is_string() {
            has_keys(&address["certificate"], &["subject", "names", "issuer", "serial", "sha256"]);
        }
    }
    found.extend(connector["findings"].as_array().unwrap().iter().map(|finding| text(finding, "code")));
    if text(connector, "verdict") != *verdict {
        wrong.push(format!("{name}: expected {verdict}, and it is {}", connector["verdict"]));
    }
    if found != *codes {
        wrong.push(format!("{name}: expected {codes:?}, and there are {found:?}"));
    }
    let spoken = spoken(connector);
    if *verdict != "pass" && !spoken.contains(words) {
        wrong.push(format!("{name}: expected {words:?} in {spoken}"));
    }
    wrong
}

/// What `validate NAME` came to.
fn alone(row: &Row, ended: &Ended) -> Vec<String> {
    let (name, verdict, codes, words) = row;
    let (code, summary) = match *verdict {
        // Nobody was met, so nothing is good.
        "warn" if *codes == ["no-domain-to-test"] => (1, "not tested"),
        "pass" => (0, "passes"),
        "warn" => (0, "passes with warnings"),
        _ => (1, "fails"),
    };
    let mut wrong = Vec::new();
    if ended.code != Some(code) {
        wrong.push(format!("{name}: expected exit {code}, and it is {ended:?}"));
    }
    if !ended.stdout.starts_with(&format!("{name}: {summary} (")) {
        wrong.push(format!("{name}: expected {summary:?}, and it says {}", ended.stdout));
    }
    if !ended.words().contains(words) {
        wrong.push(format!("{name}: expected {words:?} in {}", ended.stdout));
    }
    if !ended.stderr.is_empty() {
        wrong.push(format!("{name}: nobody watches, and it says {}", ended.stderr));
    }
    wrong
}

#[test]
fn every_behaviour() {
    if !possible() {
        return;
    }
    let authority = Authority::new("Lab CA");
    let mut partners = Partners::new(&authority);
    for (name, ..) in TABLE {
        partners.settle(name);
    }
    let Partners { hosts, zone, connectors, policies, signers } = partners;
    let lab: Lab<Absent> = Lab::start(POSTFIX_3_10, &authority, &hosts, zone, &[]);
    lab.site.configure(&connectors);
    let at = |number: u8, port: u16| SocketAddr::new(partner_address(number), port);
    let _tarpit = lab.network.partner.enter(|| TcpListener::bind(at(TARPIT, 25))).unwrap();
    let _policies = PolicyHost::start(&lab.network.partner, at(POLICIES, 443), &signers.root, policies);

    let examiner = Examiner::of(&lab);
    let mut wrong = Vec::new();
    let (all, single) = thread::scope(|scope| {
        let all = scope.spawn(|| examiner.validate(&["--all", "--json"]));
        let single: Vec<_> = TABLE
            .iter()
            .filter(|(name, ..)| *name != WITH_MAIL)
            .map(|row| (row, scope.spawn(|| examiner.validate(&[row.0]))))
            .collect();
        let single: Vec<(&Row, Ended)> =
            single.into_iter().map(|(row, run)| (row, run.join().unwrap())).collect();
        (all.join().unwrap(), single)
    });
    assert_eq!(all.code, Some(1), "{all:?}");
    assert_eq!(all.stderr, "");
    let report = all.json();
    has_keys(&report, &REPORT);
    assert_eq!(report["verdict"], "fail");
    let connectors: BTreeMap<&str, &Value> = report["connectors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|connector| (text(connector, "connector"), connector))
        .collect();
    assert_eq!(connectors.len(), TABLE.len());
    for row in TABLE.iter().filter(|(name, ..)| *name != WITH_MAIL) {
        wrong.extend(differences(row, connectors[row.0]));
    }
    for (name, pointer, expected) in GOOD {
        let found = connectors[name].pointer(pointer).map(ToString::to_string).unwrap_or_default();
        if found != expected {
            wrong.push(format!("{name}: expected {expected} at {pointer}, and there is {found:?}"));
        }
    }
    for (row, ended) in &single {
        wrong.extend(alone(row, ended));
    }
    // Without the question whom it takes mail for, there is nothing to object.
    assert_eq!(connectors[WITH_MAIL]["verdict"], "pass");
    let said: Vec<String> = lab.partner.commands().into_iter().map(|command| command.verb).collect();
    assert!(said.iter().filter(|verb| *verb == "EHLO").count() > 100, "{said:?}");
    for verb in ["MAIL", "RCPT", "DATA"] {
        assert!(!said.iter().any(|other| other == verb), "{verb} was said, and nobody had asked for it");
    }

    let picky = TABLE.iter().find(|(name, ..)| *name == WITH_MAIL).unwrap();
    let ended = examiner.validate(&[WITH_MAIL, "--test-mail", "--json"]);
    wrong.extend(differences(picky, &ended.json()["connectors"][0]));
    wrong.extend(alone(picky, &examiner.validate(&[WITH_MAIL, "--test-mail"])));
    assert!(lab.partner.mail().is_empty(), "{:?}", lab.partner.mail());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
