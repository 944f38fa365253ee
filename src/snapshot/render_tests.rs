//! Every policy that can be rendered, read back by rules written down from Postfix.

#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;

use super::super::postfix_reader;
use super::*;
use crate::model::certificate::Fingerprint;
use crate::model::mta::{PostfixVersion, TransportName};
use crate::model::requirement::{CipherGrade, Parts, ServerName, TlsVersion};
use crate::model::sample::{connectors, patterns};
use crate::model::{Domain, Level};

fn any_requirement() -> impl Strategy<Value = Requirement> {
    let level = proptest::sample::select(&Level::ALL[..]);
    let names = proptest::option::of(prop_oneof![
        Just(Names::Domain),
        proptest::sample::subsequence(&["a.b", "*.a.b", ".c.d", "x.y.z", "*.x.y.z"][..], 1..5)
            .prop_map(|texts| Names::Set(PatternSet::new(patterns(&texts)))),
    ]);
    let anchored = any::<bool>();
    let pins = proptest::collection::btree_set(any::<u8>().prop_map(|n| Fingerprint::of(&[n])), 0..4);
    let version = proptest::option::of(proptest::sample::select(&TlsVersion::ALL[..]));
    let ciphers =
        proptest::option::of(proptest::sample::select(vec![CipherGrade::Medium, CipherGrade::High]));
    let servername = proptest::option::of(proptest::sample::select(vec![
        ServerName::HostName,
        ServerName::NextHop,
        ServerName::Name(Domain::parse("sni.example").unwrap()),
    ]));
    (level, names, anchored, pins, version, ciphers, servername)
        .prop_map(|(level, names, anchored, pins, min_version, ciphers, servername)| {
            let file = CaFile {
                path: "/etc/ssl/ca.pem".into(),
                pem: Vec::new(),
                sha256: "ab".repeat(32),
                certificates: [Fingerprint::of(b"ca")].into(),
            };
            let ca_file = anchored.then(|| Arc::new(file));
            Parts { level, names, ca_file, pins, min_version, ciphers, servername }
        })
        .prop_filter_map("parts that do not fit", |parts| Requirement::new(parts).ok())
}

proptest! {
    #[test]
    fn s14_postfix_reads_what_is_demanded(requirement in any_requirement(), queue in any::<bool>()) {
        let mta = Mta { queue_directory: queue.then(|| "/var/spool/postfix".into()), ..Mta::default() };
        let policy = tls_policy(&requirement, &mta);
        let (level, attributes) = postfix_reader::policy(&policy).map_err(TestCaseError::fail)?;
        let attribute = |name: &str| attributes.get(name).copied();
        prop_assert_eq!(level, requirement.level().word());
        let version = requirement.min_version().map(|version| format!(">={version}"));
        prop_assert_eq!(attribute("protocols"), version.as_deref());
        prop_assert_eq!(attribute("ciphers"), requirement.ciphers().map(CipherGrade::word));
        let servername = requirement.servername().map(ToString::to_string);
        prop_assert_eq!(attribute("servername"), servername.as_deref());
        let published = format!("{CA_DIRECTORY}/{}.pem", "ab".repeat(16));
        let anchors = if queue { published.as_str() } else { "/etc/ssl/ca.pem" };
        let anchored = matches!(requirement.anchors(), Anchors::File(_));
        prop_assert_eq!(attribute("tafile"), anchored.then_some(anchors));
        // A name that Postfix would take for a strategy, or for a wildcard that it does not have,
        // never stands in a list of names.
        if let Names::Set(wanted) = requirement.names() {
            let listed: Vec<&str> = attribute("match").unwrap().split(':').collect();
            let entries: Vec<String> = wanted.entries().map(|entry| entry.to_string()).collect();
            prop_assert!(listed.iter().all(|name| entries.iter().any(|entry| entry == name)), "{policy}");
            prop_assert!(entries.iter().all(|entry| listed.contains(&entry.as_str())), "{policy}");
            prop_assert!(!policy.contains('*'));
        }
        if let Some(pins) = requirement.pins() {
            let listed: Vec<&str> = attribute("match").unwrap().split('|').collect();
            let wanted: Vec<String> = pins.iter().map(ToString::to_string).collect();
            prop_assert_eq!(listed, wanted);
        }
    }
}

#[test]
fn a_path_that_postfix_would_take_apart_is_noticed() {
    let anchored = |path: &str| {
        let file = CaFile {
            path: Path::new(path).to_owned(),
            pem: Vec::new(),
            sha256: "00".repeat(32),
            certificates: [Fingerprint::of(b"ca")].into(),
        };
        let ca_file = Some(Arc::new(file));
        Requirement::new(Parts { ca_file, ..Parts::of_level(Level::Verify) }).unwrap()
    };
    let (here, queue) = (Mta::default(), Mta { queue_directory: Some("/q".into()), ..Mta::default() });
    for (path, plain) in [
        ("/etc/ca.pem", true),
        ("/my ca.pem", false),
        ("/a,b.pem", false),
        ("/{x}.pem", false),
        ("/\u{1}.pem", false),
    ] {
        assert_eq!(unspeakable_anchor(&anchored(path), &here).is_none(), plain, "{path}");
        assert_eq!(unspeakable_anchor(&anchored(path), &queue), None, "published under a name of ours");
    }
    assert!(here.postfix >= PostfixVersion::PROTOCOL_BOUND);
}

#[test]
fn policies_and_ways_to_the_byte() {
    let mta = Mta::default();
    for (text, policy, way) in [
        ("may of a.x", "may", "smtp:"),
        ("verify of a.x", "verify", "smtp:"),
        ("secure domain of a.x", "secure match=nexthop:dot-nexthop", "smtp:"),
        ("secure *.b.c .b.c b.c d.e of a.x", "secure match=b.c:.b.c:d.e", "smtp:"),
        ("encrypt of a.x, through [h.q]:587 i.q 192.0.2.1", "encrypt", "smtp:[h.q]:587, i.q, [192.0.2.1]"),
    ] {
        let connector = connectors(&[text]).remove(0);
        assert_eq!(tls_policy(&connector.requirement, &mta), policy, "{text}");
        assert_eq!(transport(&connector, &mta), way, "{text}");
    }
    let own = TransportName::parse("partners");
    let mta = Mta { transport: TransportName::parse("strict").unwrap(), ..mta };
    let mut connector = connectors(&["encrypt of a.x"]).remove(0);
    assert_eq!(transport(&connector, &mta), "strict:");
    connector.transport = own;
    assert_eq!(transport(&connector, &mta), "partners:");
}

#[test]
fn people_are_told_where_plaintext_is_possible() {
    let meanings = Level::ALL.map(meaning);
    assert_eq!(std::collections::BTreeSet::from(meanings).len(), meanings.len());
    for (level, meaning) in Level::ALL.into_iter().zip(meanings) {
        assert_eq!(meaning.contains("plaintext"), level.allows_plaintext(), "{level}: {meaning}");
        assert_eq!(meaning.contains("or defers"), !level.allows_plaintext(), "{level}: {meaning}");
    }
}
