//! A walk through the table of parts: a connector that demands more in one part alone is told to
//! both MTAs by what the table says, or the mail waits.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::sync::Arc;

use super::exim::{self, Question};
use super::{Answered, tls, transport};
use crate::model::certificate::Fingerprint;
use crate::model::names::Names;
use crate::model::outbound::Route;
use crate::model::requirement::{CaFile, CipherGrade, Parts, Requirement, ServerName, TlsVersion};
use crate::model::sample::{agreements, outbound, patterns, smart_hosts};
use crate::model::{Domain, Level, Outbound, PatternSet};
use crate::snapshot::parts::{Carrier, Part};
use crate::snapshot::{Snapshot, compile};

/// What the administrator reads.
const MANUAL: &str = include_str!("../../contrib/exim/README.md");

const HOST: &str = "mx.partner.example";

fn connector(change: impl FnOnce(&mut Parts), level: Level) -> Outbound {
    let mut parts = Parts::of_level(level);
    change(&mut parts);
    Outbound {
        requirement: Requirement::new(parts).unwrap(),
        ..outbound("partner", &["partner.example"], "may")
    }
}

/// Two connectors that differ in this part alone, the second demanding more or something else.
fn pair(part: Part, pins: [Fingerprint; 2]) -> [Outbound; 2] {
    let plain = |level| connector(|_| {}, level);
    let pinned = |pin| connector(|parts| parts.pins = BTreeSet::from([pin]), Level::Fingerprint);
    let [first, second] = pins;
    match part {
        Part::Level => [plain(Level::May), plain(Level::Encrypt)],
        Part::Names => {
            let names = Names::Set(PatternSet::new(patterns(&["other.example"])));
            [plain(Level::Verify), connector(|parts| parts.names = Some(names), Level::Verify)]
        }
        Part::Anchors => {
            let file = CaFile {
                path: "/etc/connectord/ca.pem".into(),
                pem: b"x".to_vec(),
                sha256: "0123456789abcdef".repeat(4),
                certificates: BTreeSet::from([Fingerprint::of(b"ca")]),
            };
            [plain(Level::Verify), connector(|parts| parts.ca_file = Some(Arc::new(file)), Level::Verify)]
        }
        Part::Pins => [pinned(first), pinned(second)],
        Part::MinVersion => {
            let version = Some(TlsVersion::Tls13);
            [plain(Level::Encrypt), connector(|parts| parts.min_version = version, Level::Encrypt)]
        }
        Part::Ciphers => {
            let grade = Some(CipherGrade::High);
            [plain(Level::Encrypt), connector(|parts| parts.ciphers = grade, Level::Encrypt)]
        }
        Part::ServerName => {
            let name = Some(ServerName::Name(Domain::parse("sni.example").unwrap()));
            [plain(Level::Encrypt), connector(|parts| parts.servername = name, Level::Encrypt)]
        }
        Part::Route => {
            let route = smart_hosts(&["[mx.partner.example]:587"]);
            [plain(Level::Encrypt), Outbound { route, ..plain(Level::Encrypt) }]
        }
    }
}

/// Every part of a connector has its row: a new field does not compile here.
#[test]
fn the_table_is_whole() {
    let Parts { level: _, names: _, ca_file: _, pins: _, min_version: _, ciphers: _, servername: _ } =
        Parts::of_level(Level::May);
    match Route::Mx {
        Route::Mx | Route::SmartHosts(_) => {}
    }
    assert_eq!(Part::ALL.len(), 8);
    let keys: BTreeSet<&str> = Part::ALL.iter().flat_map(|part| part.keys()).copied().collect();
    assert_eq!(keys.len(), 9, "no key twice");
}

/// A certificate with this name, DER.
fn certificate_of(name: &str) -> Vec<u8> {
    let params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    params.self_signed(&key).unwrap().der().to_vec()
}

fn out(snapshot: &Snapshot) -> String {
    exim::out(snapshot, b"partner.example").reply.payload()
}

/// What a carrier says.
fn said(snapshot: &Snapshot, carrier: Carrier, shown: &[u8]) -> String {
    let policy = tls(snapshot, b"partner.example").reply.payload();
    let word = |line: &str, key: &str| {
        let found = line.split(' ').find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
        found.unwrap_or_default().to_owned()
    };
    match carrier {
        Carrier::TlsLevel => policy.split(' ').nth(1).unwrap().to_owned(),
        Carrier::TlsAttribute(key) => word(&policy, key),
        Carrier::Transport => transport(snapshot, b"user@partner.example").reply.payload(),
        Carrier::Key(key) => word(&out(snapshot), key),
        Carrier::Certificate => {
            let answer = out(snapshot);
            let question = Question {
                domain: b"partner.example",
                host: HOST.as_bytes(),
                answer: answer.as_bytes(),
                der: shown,
            };
            exim::certificate(snapshot, &question).payload().into_owned()
        }
        Carrier::Nothing => out(snapshot),
    }
}

#[test]
fn every_part_reaches_both_or_the_mail_waits() {
    // The host shows this one. Its name satisfies `verify` without names, and its digest is the
    // first pin.
    let shown = certificate_of(HOST);
    let pins = [Fingerprint::of(&shown), Fingerprint::of(b"another")];
    for part in Part::ALL {
        let pair = pair(part, pins);
        let demanded = pair.each_ref().map(|with| part.is_demanded(&with.requirement, &with.route));
        // A level and, at `fingerprint`, a pin are always there.
        assert_eq!(demanded, [matches!(part, Part::Level | Part::Pins), true], "{part:?}");
        let [without, with] = pair
            .map(|connector| compile(&agreements(vec![connector], Vec::new()), 1, String::new()).unwrap());
        for carrier in [part.to_postfix(), part.to_exim()] {
            let [before, after] = [&without, &with].map(|snapshot| said(snapshot, carrier, &shown));
            assert_ne!(before, after, "{part:?} {carrier:?}");
            assert!(!after.is_empty(), "{part:?} {carrier:?}");
        }
        let gaps = with.exim_gaps();
        if part.to_exim() == Carrier::Nothing {
            let answer = out(&with);
            assert!(answer.starts_with("status=temp text=\"connector partner: "), "{part:?} {answer}");
            let [gap] = gaps.as_slice() else { panic!("{part:?}: {} gaps", gaps.len()) };
            assert!(part.keys().contains(&gap.key) && gap.message.contains("`partner`"), "{}", gap.message);
        } else {
            assert!(gaps.is_empty() && out(&with).starts_with("status=ok "), "{part:?} {}", out(&with));
        }
        assert!(without.exim_gaps().is_empty(), "{part:?}");
    }
}

/// What a row of the manual says of a carrier.
fn in_words(carrier: Carrier) -> String {
    match carrier {
        Carrier::TlsLevel => "first word of `tls`".to_owned(),
        Carrier::TlsAttribute(key) | Carrier::Key(key) => format!("`{key}=`"),
        Carrier::Transport => "map `transport`".to_owned(),
        Carrier::Certificate => "question `cert`".to_owned(),
        Carrier::Nothing => "**not told**".to_owned(),
    }
}

#[test]
fn the_manual_has_every_row() {
    for part in Part::ALL {
        let keys: Vec<String> = part.keys().iter().map(|key| format!("`{key}`")).collect();
        let begin = format!("| {} |", keys.join(", "));
        let row = MANUAL.lines().find(|line| line.starts_with(&begin));
        let row = row.unwrap_or_else(|| panic!("no row begins with {begin}"));
        let cells: Vec<&str> = row.split('|').collect();
        for (cell, carrier) in [(2, part.to_postfix()), (3, part.to_exim())] {
            let text = cells.get(cell).unwrap();
            assert!(text.contains(&in_words(carrier)), "{part:?}: {text} lacks {}", in_words(carrier));
        }
    }
}
