//! What is compiled, what contradicts itself, and what a snapshot says of itself.

#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::model::certificate::Fingerprint;
use crate::model::inbound::Require;
use crate::model::requirement::{Parts, Requirement};
use crate::model::sample::{agreements, connectors, inbound, outbound, patterns};
use crate::model::{Level, PatternSet};

fn load(agreements: &Agreements) -> Snapshot {
    compile(agreements, 1, String::new()).unwrap()
}

/// Direction, number and key of each conflict, and what it points at.
fn conflicts(agreements: &Agreements) -> Vec<(Direction, usize, &'static str, Option<String>)> {
    let found = compile(agreements, 1, String::new()).err().unwrap_or_default();
    found
        .into_iter()
        .map(|conflict| (conflict.direction, conflict.connector, conflict.key, conflict.text))
        .collect()
}

fn anchored(path: &str, sha256: &str) -> Requirement {
    let file = CaFile {
        path: Path::new(path).to_owned(),
        pem: Vec::new(),
        sha256: sha256.to_owned(),
        certificates: [Fingerprint::of(path.as_bytes())].into(),
    };
    Requirement::new(Parts { ca_file: Some(Arc::new(file)), ..Parts::of_level(Level::Verify) }).unwrap()
}

#[test]
fn directions_have_their_words() {
    for (direction, word) in [(Direction::Outbound, "outbound"), (Direction::Inbound, "inbound")] {
        assert_eq!((direction.word(), direction.to_string().as_str()), (word, word));
    }
}

#[test]
fn a_snapshot_is_of_one_load() {
    let mut agreed = agreements(
        connectors(&["encrypt of a.b", "verify of c.d, report", "verify of e.f, off"]),
        vec![inbound("in", &["a.b"], Require::default())],
    );
    agreed.mta.level = Level::May;
    agreed.mta.own_domains = PatternSet::new(patterns(&["ours.example"]));
    let snapshot = compile(&agreed, 7, "ab".repeat(32)).unwrap();
    assert_eq!((snapshot.generation(), snapshot.sha256()), (7, "ab".repeat(32).as_str()));
    assert!(snapshot.mta().own_domains.covers_name("ours.example"));
    assert_eq!(snapshot.outbound().len(), 3);
    assert_eq!(snapshot.inbound().len(), 1);
    for (address, expected) in [
        ("127.0.0.1", true),
        ("127.255.0.1", true),
        ("::1", true),
        ("::ffff:127.0.0.1", true),
        ("192.0.2.1", false),
    ] {
        assert_eq!(snapshot.is_exempt(address.parse().unwrap()), expected, "{address}");
    }
    assert_eq!(snapshot.exempt(), agreed.inbound_exempt);
    // Each mode is looked up by itself, and what is off by nobody.
    let all = snapshot.outbound();
    for (name, enforced, reported) in [("a.b", true, false), ("c.d", false, true), ("e.f", false, false)] {
        let found = [snapshot.enforced(), snapshot.reported()].map(|side| side.find(all, name).is_some());
        assert_eq!(found, [enforced, reported], "{name}");
    }
}

#[test]
fn one_entry_belongs_to_one_connector_of_a_mode() {
    let twice = |first: &str, second: &str| conflicts(&agreements(connectors(&[first, second]), Vec::new()));
    let domains = |text: &str| vec![(Direction::Outbound, 1, "domains", Some(text.to_owned()))];
    for (first, second, expected) in [
        ("encrypt of a.b", "encrypt of a.b", domains("a.b")),
        ("encrypt of a.b, report", "encrypt of a.b, report", domains("a.b")),
        ("encrypt of a.b, off", "encrypt of a.b, off", domains("a.b")),
        // Two entries are one mistake.
        ("encrypt of *.a.b", "encrypt of *.a.b", domains("*.a.b")),
        ("encrypt of *.a.b", "encrypt of .a.b", domains(".a.b")),
        ("encrypt of *", "encrypt of *", domains("*")),
        ("encrypt of a.b", "encrypt of a.b, report", vec![]),
        ("encrypt of a.b, report", "encrypt of a.b, off", vec![]),
        ("encrypt of a.b a.b", "encrypt of c.d", vec![]),
        ("encrypt of *.a.b", "encrypt of a.b, except a.b", vec![(Direction::Outbound, 1, "except", None)]),
        ("encrypt of *.a.b, except a.b", "encrypt of a.b", vec![]),
    ] {
        assert_eq!(twice(first, second), expected, "{first} and {second}");
    }
    let found =
        compile(&agreements(connectors(&["encrypt of a.b", "encrypt of a.b"]), Vec::new()), 1, String::new());
    assert_eq!(found.err().unwrap().first().unwrap().message, "a.b belongs to the connector `c0` already");
}

#[test]
fn an_exception_may_not_take_out_everything() {
    for (text, expected) in [
        ("encrypt of a.b, except a.b", true),
        ("encrypt of *.a.b c.b, except *.b", true),
        ("encrypt of a.b, except a.b, report", true),
        // Nobody asks it.
        ("encrypt of a.b, except a.b, off", false),
        ("encrypt of *.a.b, except a.b", false),
        ("encrypt of a.b c.d, except a.b", false),
    ] {
        let found = conflicts(&agreements(connectors(&[text]), Vec::new()));
        let whole = vec![(Direction::Outbound, 0, "except", None)];
        assert_eq!(found, if expected { whole } else { Vec::new() }, "{text}");
    }
}

#[test]
fn the_most_specific_that_does_not_except_the_name_is_found() {
    let snapshot = load(&agreements(
        connectors(&["encrypt of *", "encrypt of *.b, except .a.b", "verify of x.a.b"]),
        Vec::new(),
    ));
    let found = |name| {
        let hit = snapshot.enforced().find(snapshot.outbound(), name);
        hit.map(|hit| format!("c{} by {hit}", hit.owner)).unwrap_or_default()
    };
    for (name, expected) in [
        ("q", "c0 by *"),
        ("b", "c1 by *.b"),
        ("a.b", "c1 by *.b"),
        ("y.a.b", "c0 by *"),
        ("x.a.b", "c2 by x.a.b"),
        ("y.x.a.b", "c0 by *"),
    ] {
        assert_eq!(found(name), expected, "{name}");
    }
}

#[test]
fn trust_anchors_are_published_for_a_chroot_only() {
    let mut agreed = agreements(connectors(&["verify of a.b", "verify of c.d", "verify of e.f"]), Vec::new());
    for (connector, sha256) in agreed.outbound.iter_mut().zip(["aa", "aa", "bb"]) {
        connector.requirement = anchored("/etc/ca.pem", &sha256.repeat(32));
    }
    assert!(load(&agreed).published().is_empty());
    agreed.mta.queue_directory = Some("/var/spool/postfix".into());
    let snapshot = load(&agreed);
    let published: Vec<(String, String)> = snapshot
        .published()
        .into_iter()
        .map(|(name, file)| (name.display().to_string(), file.sha256.clone()))
        .collect();
    let expected =
        ["aa", "bb"].map(|pair| (format!("connectord-ca/{}.pem", pair.repeat(16)), pair.repeat(32)));
    assert_eq!(published, expected);
}

#[test]
fn a_path_that_cannot_be_told_is_a_conflict() {
    let mut agreed = agreements(connectors(&["encrypt of a.b", "verify of c.d"]), Vec::new());
    agreed.outbound.last_mut().unwrap().requirement = anchored("/etc/my ca.pem", &"aa".repeat(32));
    assert_eq!(conflicts(&agreed), [(Direction::Outbound, 1, "ca_file", None)]);
}

#[test]
fn exim_is_told_what_it_does_otherwise() {
    let hosted = |text: &str| load(&agreements(connectors(&["encrypt of x.y", text]), Vec::new()));
    // What it cannot say, of connectors that take part.
    for (text, expected) in [
        ("encrypt of a.b, through [h.q]:smtps", vec![(1, "route")]),
        ("encrypt of a.b, through [h.q]:smtps, report", vec![(1, "route")]),
        ("encrypt of a.b, through [h.q]:smtps, off", vec![]),
        ("encrypt of a.b, through [h.q]:465", vec![]),
    ] {
        let gaps = hosted(text).exim_gaps();
        let found: Vec<(usize, &str)> = gaps.iter().map(|gap| (gap.connector, gap.key)).collect();
        assert_eq!(found, expected, "{text}");
        for gap in gaps {
            assert!(gap.message.starts_with("Exim would defer all mail of `c1`: "), "{}", gap.message);
            assert!(!gap.help.is_empty());
        }
    }
    // That `*` decides the way.
    for (text, expected) in [
        ("encrypt of *", Some(1)),
        ("encrypt of *, except a.b", Some(1)),
        ("encrypt of *, report", None),
        ("encrypt of *.y", None),
    ] {
        let found = hosted(text).exim_takes_every_way();
        assert_eq!(found.as_ref().map(|conflict| conflict.connector), expected, "{text}");
        assert!(found.is_none_or(|conflict| conflict.message.contains("with Exim `c1` sends all mail")));
    }
}

#[test]
fn the_two_directions_do_not_meet() {
    let both = agreements(
        vec![outbound("out", &["a.b"], "encrypt")],
        vec![inbound("in", &["a.b"], Require::default())],
    );
    assert_eq!(conflicts(&both), []);
}

#[test]
fn it_says_who_reports_and_how_each_is_called() {
    for (modes, expected) in [
        (&[][..], false),
        (&[Mode::Enforce, Mode::Off], false),
        (&[Mode::Enforce, Mode::Report], true),
        (&[Mode::Report], true),
    ] {
        let all = modes.iter().enumerate().map(|(number, mode)| {
            let mut connector = outbound(&format!("c{number}"), &[&format!("x{number}.example")], "encrypt");
            connector.mode = *mode;
            connector
        });
        let snapshot = load(&agreements(all.collect(), Vec::new()));
        assert_eq!(snapshot.has_reports(), expected, "{modes:?}");
        for connector in snapshot.outbound() {
            assert_eq!(snapshot.outbound_name(connector.number), connector.agreement.name.as_str());
        }
    }
}
