//! `validate` against Postfix: what it predicts is what happens, certificate by certificate.
//!
//! Every exhibit is served by a host of its own. For each column there is a connector and a
//! message; Postfix delivers or defers it, and `validate`'s own functions, from a visit to the same
//! host in the same network and with the same anchors, say what it would do. Where the two differ
//! Postfix is right.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use connectord::model::anchors::Anchors as Demanded;
use connectord::model::{Domain, Level, Outbound};
use connectord::validate::handshake::Settings;
use connectord::validate::judge::{Case, judge};
use connectord::validate::observation::{Observation, Target};
use connectord::validate::probe::{Plan, probe};
use connectord::validate::report::Verdict;
use connectord::validate::trust::{self, Anchors};
use jiff::Timestamp;

use crate::certificates::Authority;
use crate::exhibits::{Exhibit, Signers, all};
use crate::grid::{Cell, Seen, compare};
use crate::lab::Lab;
use crate::network::partner_address;
use crate::on_each_postfix;
use crate::partner::{Host, Starttls};
use crate::resolver::Zone;
use crate::root::Release;

/// `match` lists; `@` stands for the exhibit's domain. None at `verify` is the host's name.
const MATCH: [(&str, Option<&str>); 7] = [
    ("host", None),
    ("exact", Some(r#"["mx.@"]"#)),
    ("tree", Some(r#"["*.@"]"#)),
    ("below", Some(r#"[".@"]"#)),
    ("domain", Some(r#""domain""#)),
    ("several", Some(r#"["nobody.example", "mx2.@", "mx.@"]"#)),
    ("nobody", Some(r#"["nobody.example"]"#)),
];

/// Files of trust anchors beside an exact name, and fingerprints.
const OTHERS: [&str; 7] = ["ca-root", "ca-inter", "ca-leaf", "ca-other", "pin-cert", "pin-key", "pin-wrong"];

/// `verify` through the host's address: there is no name to compare, but perhaps an address.
const ADDRESS: &str = "address";

/// Column and the keys of its connector for an exhibit; none where there can be no such connector.
fn columns(exhibit: &Exhibit) -> Vec<(String, String)> {
    let domain = format!("{}.example", exhibit.label);
    let mut columns = Vec::new();
    for level in ["verify", "secure"] {
        for (name, list) in MATCH {
            let list = match list {
                Some(list) => format!("match = {}\n", list.replace('@', &domain)),
                None if level == "secure" => continue,
                None => String::new(),
            };
            columns.push((format!("{level}-{name}"), format!("tls = \"{level}\"\n{list}")));
        }
    }
    let exact = format!("tls = \"secure\"\nmatch = [\"mx.{domain}\"]\n");
    let der = exhibit.leaf.der();
    let leaf = connectord::model::certificate::Certificate::from_der(&der);
    for name in OTHERS {
        let pin = |digest: String| format!("tls = \"fingerprint\"\nfingerprints = [\"sha256:{digest}\"]\n");
        let keys = match (name, &leaf) {
            ("ca-leaf", Ok(_)) => format!("{exact}ca_file = \"{}.pem\"\n", exhibit.label),
            ("ca-leaf", Err(_)) => continue,
            ("pin-cert", Ok(leaf)) => pin(leaf.fingerprint().to_string()),
            ("pin-key", Ok(leaf)) => pin(leaf.key_fingerprint().to_string()),
            ("pin-cert" | "pin-key", Err(_)) => continue,
            ("pin-wrong", _) => pin("00".repeat(32)),
            (ca, _) => format!("{exact}ca_file = \"{}.pem\"\n", ca.trim_start_matches("ca-")),
        };
        columns.push((name.to_owned(), keys));
    }
    let route = format!("tls = \"verify\"\nroute = [\"[{}]\"]\n", partner_address(exhibit.number));
    columns.push((ADDRESS.to_owned(), route));
    columns
}

fn visit(lab: &Lab, exhibit: &Exhibit) -> Observation {
    let target = Target { host: exhibit.host(), address: partner_address(exhibit.number), port: 25 };
    let plan = Plan {
        settings: Settings { level: Level::Secure, min_version: None, ciphers: None, servername: None },
        helo: "mail.ours.example".to_owned(),
        mail: None,
        step: Duration::from_secs(30),
        whole: Duration::from_secs(60),
    };
    lab.network.ours.enter(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(probe(&target, &plan))
    })
}

/// What `validate` says: `T` or `D`, and why.
fn predicted(
    connector: &Outbound,
    domain: &str,
    seen: &Observation,
    system: &Anchors,
    now: Timestamp,
) -> Seen {
    let chain = seen.tls.as_ref().map(|tls| tls.chain.as_slice());
    let trust = chain.map(|chain| match connector.requirement.anchors() {
        Demanded::File(file) => trust::judge(chain, &Anchors::trust_file(&file.pem, now).unwrap()),
        Demanded::System | Demanded::Any => trust::judge(chain, system),
    });
    let report = judge(&Case {
        requirement: &connector.requirement,
        domain: &Domain::parse(domain).unwrap(),
        observation: seen,
        trust: trust.as_ref(),
        revocation: None,
        dane: None,
        mta_sts: None,
        now,
    });
    let letter = if report.verdict == Verdict::Fail { "D" } else { "T" };
    Seen::new(letter, format!("{}: {} [{}]", report.code, report.reason, report.detail))
}

fn every_cell(release: Release) {
    let authority = Authority::new("Lab CA");
    let signers = Signers::new(&authority);
    let exhibits = all(&signers);
    let mut zone = Zone::default();
    let mut hosts = Vec::new();
    let mut connectors = String::new();
    let mut cells: BTreeMap<String, Cell> = BTreeMap::new();
    for exhibit in &exhibits {
        let number = exhibit.number;
        let starttls = Starttls::Shows(exhibit.server());
        hosts.push(Host { name: exhibit.host(), number, starttls });
        zone.mx(&format!("*.{}.example", exhibit.label), &exhibit.host());
        for (column, keys) in columns(exhibit) {
            let domain = format!("{column}.{}.example", exhibit.label);
            write!(
                connectors,
                "[[outbound]]\nname = \"{column}-{}\"\nmode = \"enforce\"\ndomains = [\"{domain}\"]\n{keys}",
                exhibit.label
            )
            .unwrap();
            cells.insert(domain, (exhibit.label.clone(), column));
        }
    }
    let route = "transport_maps=socketmap:unix:connectord/socketmap.sock:transport";
    let lab: Lab = Lab::start(release, &authority, &hosts, zone, &[route]);
    lab.site.write("root.pem", &signers.root.pem());
    lab.site.write("inter.pem", &signers.inter.pem());
    lab.site.write("other.pem", &signers.other.pem());
    for exhibit in &exhibits {
        // With a second one, because a file of expired anchors alone is refused.
        let file = exhibit.leaf.pem() + &signers.other.pem();
        lab.site.write(&format!("{}.pem", exhibit.label), &file);
    }
    lab.site.configure(&connectors);
    let _daemon = lab.site.serve();

    let now = Timestamp::now();
    let loaded = connectord::config::load(&lab.site.configuration(), now).unwrap();
    let system = Anchors::authorities(authority.pem().as_bytes(), now).unwrap();
    let mut observations = BTreeMap::new();
    for exhibit in &exhibits {
        observations.insert(exhibit.label.clone(), visit(&lab, exhibit));
    }
    let mut predictions = BTreeMap::new();
    for connector in &loaded.agreements.outbound {
        let domain = connector.domains.iter().next().unwrap().domain().copied().unwrap();
        let cell = cells[domain].clone();
        let mut observation = observations[&cell.0].clone();
        if cell.1 == ADDRESS {
            observation.target.host = observation.target.address.to_string();
        }
        let seen = predicted(connector, domain, &observation, &system, now);
        predictions.insert(cell, seen);
    }

    let recipients: BTreeMap<String, Cell> =
        cells.into_iter().map(|(domain, cell)| (format!("user@{domain}"), cell)).collect();
    let fates = lab.send(&recipients.keys().cloned().collect());
    let happened: BTreeMap<Cell, String> = fates
        .iter()
        .map(|(recipient, fate)| (recipients[recipient].clone(), fate.letter().to_owned()))
        .collect();
    let count = |letter: &str| happened.values().filter(|value| *value == letter).count();
    eprintln!(
        "{}: {} cells, {} delivered, {} deferred",
        release.version,
        happened.len(),
        count("T"),
        count("D")
    );
    assert!(count("T") > 200 && count("D") > 200, "a matrix that shows nothing");
    compare(&happened, &predictions);
}

on_each_postfix!(every_cell);
