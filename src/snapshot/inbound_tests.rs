//! Which inbound connectors a mail is about, and what contradicts itself among them.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::model::PatternSet;
use crate::model::inbound::Require;
use crate::model::sample::{agreements, inbound, patterns};
use crate::snapshot::{Snapshot, compile};

/// Connectors `c0`, `c1` and so on, identified by what each text lists: domains and address ranges.
fn partners(texts: &[&str]) -> Vec<Inbound> {
    let partner = |(number, text): (usize, &&str)| {
        let (ranges, domains): (Vec<&str>, Vec<&str>) =
            text.split_whitespace().partition(|word| word.parse::<IpNet>().is_ok());
        let mut partner = inbound(&format!("c{number}"), &domains, Require::default());
        partner.identify.addresses = ranges.into_iter().map(|range| range.parse().unwrap()).collect();
        partner
    };
    texts.iter().enumerate().map(partner).collect()
}

fn load(inbound: Vec<Inbound>) -> Snapshot {
    compile(&agreements(Vec::new(), inbound), 1, String::new()).unwrap()
}

/// `c0 by PATTERN, c1 by RANGE`.
fn identified(snapshot: &Snapshot, domain: Option<&str>, client: &str) -> String {
    let found = snapshot.inbound_enforced().identify(snapshot.inbound(), domain, client.parse().ok());
    found.iter().map(|one| format!("c{} by {}", one.connector, one.by)).collect::<Vec<_>>().join(", ")
}

#[test]
fn a_mail_is_about_all_that_its_domain_or_client_identifies() {
    let snapshot = load(partners(&[
        "*.a.x 192.0.2.0/24",
        "b.a.x",
        "*",
        "192.0.2.128/25 2001:db8::/32",
        "192.0.2.129/32 2001:db8:1::/48",
        "0.0.0.0/0",
        "::/0",
    ]));
    for (domain, client, expected) in [
        (Some("a.x"), "", "c0 by *.a.x, c2 by *"),
        (Some("b.a.x"), "", "c0 by *.a.x, c1 by b.a.x, c2 by *"),
        (Some("q"), "", "c2 by *"),
        (None, "", "c2 by *"),
        // What identifies it first is named.
        (Some("a.x"), "192.0.2.1", "c0 by *.a.x, c2 by *, c5 by 0.0.0.0/0"),
        (Some("q"), "192.0.2.1", "c0 by 192.0.2.0/24, c2 by *, c5 by 0.0.0.0/0"),
        (
            Some("q"),
            "192.0.2.129",
            "c0 by 192.0.2.0/24, c2 by *, c3 by 192.0.2.128/25, c4 by 192.0.2.129/32, c5 by 0.0.0.0/0",
        ),
        (Some("q"), "::ffff:192.0.2.1", "c0 by 192.0.2.0/24, c2 by *, c5 by 0.0.0.0/0"),
        (Some("q"), "2001:db8::1", "c2 by *, c3 by 2001:db8::/32, c6 by ::/0"),
        (Some("q"), "2001:db8:1::1", "c2 by *, c3 by 2001:db8::/32, c4 by 2001:db8:1::/48, c6 by ::/0"),
        (Some("q"), "203.0.113.1", "c2 by *, c5 by 0.0.0.0/0"),
        (Some("q"), "2001:db9::1", "c2 by *, c6 by ::/0"),
    ] {
        assert_eq!(identified(&snapshot, domain, client), expected, "{domain:?} {client}");
    }
}

#[test]
fn a_single_address_is_a_range() {
    let snapshot = load(partners(&["192.0.2.1/32", "2001:db8::1/128"]));
    for (client, expected) in [
        ("192.0.2.1", "c0 by 192.0.2.1/32"),
        ("192.0.2.2", ""),
        ("2001:db8::1", "c1 by 2001:db8::1/128"),
        ("2001:db8::2", ""),
    ] {
        assert_eq!(identified(&snapshot, Some("a.x"), client), expected, "{client}");
    }
}

#[test]
fn excepted_clients_are_nobodys() {
    let mut all = partners(&["*.a.x 192.0.2.0/24", "b.a.x"]);
    all.first_mut().unwrap().identify.except_addresses = vec!["192.0.2.7/32".parse().unwrap()];
    let snapshot = load(all);
    for (client, expected) in [
        ("192.0.2.1", "c0 by *.a.x, c1 by b.a.x"),
        ("192.0.2.7", "c1 by b.a.x"),
        ("::ffff:192.0.2.7", "c1 by b.a.x"),
        ("", "c0 by *.a.x, c1 by b.a.x"),
    ] {
        assert_eq!(identified(&snapshot, Some("b.a.x"), client), expected, "{client}");
    }
}

#[test]
fn it_is_known_what_identifies_at_all() {
    for (texts, domains, addresses) in [
        (&[][..], false, false),
        (&["a.x"], true, false),
        (&["192.0.2.1/32"], false, true),
        (&["a.x", "192.0.2.1/32"], true, true),
    ] {
        let snapshot = load(partners(texts));
        let (enforced, reported) = (snapshot.inbound_enforced(), snapshot.inbound_reported());
        assert_eq!((enforced.has_domains(), enforced.has_addresses()), (domains, addresses), "{texts:?}");
        assert!(!reported.has_domains() && !reported.has_addresses());
    }
    let mut all = partners(&["a.x 192.0.2.1/32", "b.x", "c.x"]);
    for (partner, mode) in all.iter_mut().zip([Mode::Report, Mode::Enforce, Mode::Off]) {
        partner.mode = mode;
    }
    let snapshot = load(all);
    assert_eq!(identified(&snapshot, Some("a.x"), "192.0.2.1"), "");
    assert_eq!(identified(&snapshot, Some("b.x"), "192.0.2.1"), "c1 by b.x");
    assert_eq!(identified(&snapshot, Some("c.x"), ""), "");
    assert!(snapshot.inbound_reported().has_addresses());
}

#[test]
fn one_entry_belongs_to_one_connector() {
    let told = |inbound: Vec<Inbound>| {
        let found = compile(&agreements(Vec::new(), inbound), 1, String::new()).err().unwrap_or_default();
        let told = found.into_iter().map(|conflict| {
            assert_eq!(conflict.direction, Direction::Inbound);
            format!("c{} {} {}", conflict.connector, conflict.key, conflict.text.unwrap_or_default())
        });
        told.collect::<Vec<_>>()
    };
    let rows: [(&[&str], &[&str]); 9] = [
        (&["a.x", "b.x"], &[]),
        (&["a.x", "a.x"], &["c1 identify.domains a.x"]),
        (&["*.a.x", "*.a.x"], &["c1 identify.domains *.a.x"]),
        (&["*.a.x", "*.a.x", "*.a.x"], &["c1 identify.domains *.a.x", "c2 identify.domains *.a.x"]),
        (&["*.a.x *.b.x", "*.a.x *.b.x"], &["c1 identify.domains *.a.x", "c1 identify.domains *.b.x"]),
        (&["a.x a.x 192.0.2.1/32 192.0.2.1/32"], &[]),
        (&["192.0.2.0/24", "192.0.2.0/24"], &["c1 identify.addresses 192.0.2.0/24"]),
        (&["192.0.2.0/24", "192.0.2.0/25", "::/24"], &[]),
        (&["a.x 2001:db8::/32", "b.x", "c.x 2001:db8::/32"], &["c2 identify.addresses 2001:db8::/32"]),
    ];
    for (texts, expected) in rows {
        assert_eq!(told(partners(texts)), expected, "{texts:?}");
    }
    let mut modes = partners(&["a.x", "a.x", "a.x"]);
    for (partner, mode) in modes.iter_mut().zip([Mode::Enforce, Mode::Report, Mode::Off]) {
        partner.mode = mode;
    }
    assert!(told(modes).is_empty(), "each mode is by itself");
}

#[test]
fn a_connector_with_a_scope_overrides_none() {
    for (scoped, overrides, expected) in [(true, true, true), (true, false, false), (false, true, false)] {
        let mut all = partners(&["*.x", "a.x"]);
        let narrow = all.last_mut().unwrap();
        narrow.recipients = scoped.then(|| PatternSet::new(patterns(&["ours.example"])));
        narrow.overrides = if overrides { vec!["c0".to_owned()] } else { Vec::new() };
        let found = compile(&agreements(Vec::new(), all), 1, String::new()).err().unwrap_or_default();
        let found: Vec<(usize, &str)> = found.iter().map(|one| (one.connector, one.key)).collect();
        assert_eq!(found, if expected { vec![(1, "overrides")] } else { vec![] }, "{scoped} {overrides}");
    }
}
