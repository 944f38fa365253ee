//! Tables of changes and the words for them.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::model::PatternSet;
use crate::model::inbound::Action;
use crate::model::inbound::{CertificateRequirement, Require, TlsRequirement};
use crate::model::sample::{agreements, connectors, inbound as partner, outbound, patterns, smart_hosts};
use crate::model::{Agreements, Level, Outbound};
use crate::snapshot::compile;

fn snapshot(outbound: Vec<Outbound>, inbound: Vec<Inbound>) -> Snapshot {
    load(&agreements(outbound, inbound))
}

fn load(agreements: &Agreements) -> Snapshot {
    compile(agreements, 1, String::new()).unwrap()
}

fn told(old: &Snapshot, new: &Snapshot) -> Vec<String> {
    diff(old, new)
        .into_iter()
        .map(|change| {
            let mark = if change.weakens { "!" } else { "" };
            format!("{mark}{} {}: {} -> {}", change.connector, change.kind.word(), change.old, change.new)
        })
        .collect()
}

#[test]
fn each_direction_has_its_word() {
    let one = |demand: &str| snapshot(vec![outbound("c", &["x.example"], demand)], Vec::new());
    let none = || snapshot(Vec::new(), Vec::new());
    let table = [
        (none(), one("encrypt"), "c added: x.example: what main.cf gives -> encrypt (smtp:)"),
        (one("encrypt"), none(), "!c removed: x.example: encrypt (smtp:) -> what main.cf gives"),
        (
            one("encrypt"),
            one("verify"),
            "c stronger: x.example: encrypt (smtp:) -> verify, the name of the MX host (smtp:)",
        ),
        (one("secure a.b"), one("encrypt"), "!c weaker: x.example: secure, a.b (smtp:) -> encrypt (smtp:)"),
        (
            one("secure a.b"),
            one("secure c.d"),
            "!c changed: x.example: secure, a.b (smtp:) -> secure, c.d (smtp:); unless \
             smtp_tls_session_cache_database is empty, a session cached by Postfix still passes for an hour",
        ),
    ];
    for (old, new, expected) in table {
        assert_eq!(told(&old, &new), [expected]);
    }
    assert!(told(&one("secure a.b"), &one("secure a.b")).is_empty());
}

#[test]
fn places_are_counted_and_exceptions_are_places() {
    let whole = outbound("c", &["*.x.example"], "encrypt");
    let mut holed = whole.clone();
    holed.except = PatternSet::new(patterns(&["a.x.example"]));
    let [whole, holed] = [whole, holed].map(|connector| snapshot(vec![connector], Vec::new()));
    assert_eq!(told(&whole, &holed), ["!c removed: a.x.example: encrypt (smtp:) -> what main.cf gives"]);
    assert_eq!(told(&holed, &whole), ["c added: a.x.example: what main.cf gives -> encrypt (smtp:)"]);
    let none = snapshot(Vec::new(), Vec::new());
    assert_eq!(told(&whole, &none), ["!c removed: *.x.example: encrypt (smtp:) -> what main.cf gives"]);
}

#[test]
fn another_way_is_a_change() {
    let direct = outbound("c", &["x.example"], "encrypt");
    let mut hosted = direct.clone();
    hosted.route = smart_hosts(&["[mail.host.example]"]);
    let [direct, hosted] = [direct, hosted].map(|connector| snapshot(vec![connector], Vec::new()));
    assert_eq!(
        told(&direct, &hosted),
        [
            "c added: [mail.host.example]: what main.cf gives -> encrypt (smtp:[mail.host.example])",
            "c changed: x.example: encrypt (smtp:) -> encrypt (smtp:[mail.host.example])",
        ]
    );
}

#[test]
fn r5_inbound_connectors_are_compared_part_by_part() {
    let tls = Require { tls: Some(TlsRequirement::Any), ..Require::default() };
    let base = partner("p", &["*.x.example"], tls);
    let with = |change: &dyn Fn(&mut Inbound)| {
        let mut changed = base.clone();
        change(&mut changed);
        snapshot(Vec::new(), vec![changed])
    };
    let old = with(&|_| {});
    let kind = |new: Snapshot| {
        let changes = diff(&old, &new);
        changes.first().map(|change| (change.kind, change.weakens))
    };
    assert_eq!(kind(with(&|_| {})), None);
    assert_eq!(kind(with(&|p| p.mode = Mode::Report)), Some((Kind::Removed, true)));
    assert_eq!(kind(with(&|p| p.on_violation = Action::Defer)), Some((Kind::Weaker, true)));
    assert_eq!(kind(with(&|p| p.identify.domains = patterns(&["x.example"]))), Some((Kind::Weaker, true)));
    assert_eq!(kind(with(&|p| p.identify.domains = patterns(&["*"]))), Some((Kind::Stronger, false)));
    assert_eq!(
        kind(with(&|p| p.recipients = Some(PatternSet::new(patterns(&["*.our.example"]))))),
        Some((Kind::Weaker, true))
    );
    assert_eq!(
        kind(with(&|p| p.require.certificate = Some(CertificateRequirement {
            names: Some(PatternSet::new(patterns(&["x.example"]))),
            ..CertificateRequirement::default()
        }))),
        Some((Kind::Stronger, false))
    );
    assert_eq!(
        kind(with(&|p| p.identify.except_addresses = vec!["192.0.2.1/32".parse().unwrap()])),
        Some((Kind::Weaker, true))
    );
    assert_eq!(
        kind(with(&|p| {
            p.on_violation = Action::Hold;
            p.identify.domains = patterns(&["*"]);
        })),
        Some((Kind::Changed, true))
    );
    let mut wider = agreements(Vec::new(), vec![base.clone()]);
    wider.inbound_exempt.push("192.0.2.0/24".parse().unwrap());
    assert_eq!(kind(load(&wider)), Some((Kind::Weaker, true)));
}

#[test]
fn the_kinds_of_change_have_their_words() {
    let kinds = [Kind::Added, Kind::Removed, Kind::Stronger, Kind::Weaker, Kind::Changed];
    assert_eq!(kinds.map(Kind::word), ["added", "removed", "stronger", "weaker", "changed"]);
}

fn outbounds(texts: &[&str]) -> Snapshot {
    snapshot(connectors(texts), Vec::new())
}

#[test]
fn further_places_are_counted() {
    let none = outbounds(&[]);
    // The first of their texts is named.
    let rows: [(&[&str], &str); 7] = [
        (&["encrypt of a.x"], "a.x"),
        (&["encrypt of b.x a.x"], "a.x and 1 more"),
        (&["encrypt of a.x *.b.x c.x"], "*.b.x and 2 more"),
        (&["encrypt of a.x .b.x b.x"], ".b.x and 2 more"),
        (&["encrypt of *.a.x, except a.x"], "*.a.x"),
        (&["encrypt of b.x a.x b.x *.b.x"], "*.b.x and 2 more"),
        (&["encrypt of a.x *"], "* and 1 more"),
    ];
    for (texts, places) in rows {
        let expected = format!("!c0 removed: {places}: encrypt (smtp:) -> what main.cf gives");
        assert_eq!(told(&outbounds(texts), &none), [expected]);
    }
}

#[test]
fn a_tree_is_one_place_where_all_of_it_changes_alike() {
    let added = |place: &str| format!("c0 added: {place}: what main.cf gives -> encrypt (smtp:)");
    let rows: [(&[&str], &[&str], Vec<String>); 6] = [
        (&[], &["encrypt of *.a.x"], vec![added("*.a.x")]),
        // The name was a place before, and does not change.
        (&["encrypt of a.x"], &["encrypt of *.a.x"], vec![added("*.a.x")]),
        // The name is another place, and changes otherwise.
        (
            &["verify of a.x"],
            &["encrypt of *.a.x"],
            vec![
                added("*.a.x"),
                "!c0 weaker: a.x: verify, the name of the MX host (smtp:) -> encrypt (smtp:)".to_owned(),
            ],
        ),
        // The place of an exception is one of an entry too, and told once.
        (
            &["encrypt of *.x, except a.x"],
            &["encrypt of *.x, except a.x", "verify of a.x"],
            vec!["c1 added: a.x: what main.cf gives -> verify, the name of the MX host (smtp:)".to_owned()],
        ),
        // Both halves are places of an exception, and one of it.
        (&["encrypt of *.x, except *.a.x b.x"], &["encrypt of *.x"], vec![added("*.a.x and 1 more")]),
        (
            &["encrypt of *.x, except *.a.x", "verify of a.x"],
            &["encrypt of *.x", "verify of a.x"],
            vec![added("*.a.x")],
        ),
    ];
    for (old, new, expected) in rows {
        assert_eq!(told(&outbounds(old), &outbounds(new)), expected, "{old:?} {new:?}");
    }
}

/// Each index has an order of its own, and nobody sees it.
#[test]
fn the_order_of_an_index_is_not_told() {
    let domains = |range: std::ops::Range<usize>| {
        let forms = ["", "*.", "."].into_iter().cycle();
        let names = range.zip(forms).map(|(number, form)| format!("{form}n{number}.x"));
        names.collect::<Vec<_>>().join(" ")
    };
    let (all, half) = (domains(0..60), domains(20..40));
    let old = [format!("encrypt of {all}, except n1.x *.n3.x y.n4.x z.n4.x")];
    let new = [format!("encrypt of {half}, except n22.x *.n24.x"), "verify of q.n25.x q.n26.x".to_owned()];
    let compiled = |texts: &[String]| outbounds(&texts.iter().map(String::as_str).collect::<Vec<_>>());
    let once = || told(&compiled(&old), &compiled(&new));
    let first = once();
    assert!(first.len() > 1 && first.iter().any(|told| told.contains("more")), "{first:?}");
    for _ in 0..10 {
        assert_eq!(once(), first);
    }
}

#[test]
fn a_place_goes_from_one_owner_to_another() {
    let rows: [(&[&str], &[&str], &[&str]); 9] = [
        // What is wider answers again.
        (
            &["encrypt of *.x", "verify of a.x"],
            &["encrypt of *.x"],
            &["!c1 weaker: a.x: verify, the name of the MX host (smtp:) -> encrypt (smtp:)"],
        ),
        // The same demand by another one is none.
        (&["encrypt of *.x", "encrypt of a.x"], &["encrypt of *.x"], &[]),
        // An exception of a wider one is a place, and what is behind it is seen.
        (
            &["verify of *.x"],
            &["verify of *.x, except a.x"],
            &["!c0 removed: a.x: verify, the name of the MX host (smtp:) -> what main.cf gives"],
        ),
        (
            &["encrypt of *", "verify of *.x"],
            &["encrypt of *", "verify of *.x, except a.x"],
            &["!c1 weaker: a.x: verify, the name of the MX host (smtp:) -> encrypt (smtp:)"],
        ),
        // One of a connector that only reports is none.
        (&["encrypt of *.x"], &["encrypt of *.x", "verify of *.x, except a.x, report"], &[]),
        // A host is a place.
        (
            &["encrypt of a.x, through [h.q]"],
            &["encrypt of a.x, through [h.q]", "verify of h.q"],
            &[
                "c0 stronger: [h.q]: encrypt (smtp:[h.q]) -> verify, the name of the MX host (smtp:[h.q])",
                "c1 added: h.q: what main.cf gives -> verify, the name of the MX host (smtp:)",
            ],
        ),
        (
            &["encrypt of a.x, through [192.0.2.1]"],
            &["encrypt of *"],
            &[
                "c0 added: *: what main.cf gives -> encrypt (smtp:)",
                "c0 changed: [192.0.2.1]: encrypt (smtp:[192.0.2.1]) -> encrypt (smtp:)",
                "c0 changed: a.x: encrypt (smtp:[192.0.2.1]) -> encrypt (smtp:)",
            ],
        ),
        // Of a bare host both forms are.
        (
            &["encrypt of a.x, through h.q"],
            &[],
            &[
                "!c0 removed: [h.q]: encrypt (smtp:h.q) -> what main.cf gives",
                "!c0 removed: a.x: encrypt (smtp:h.q) -> what main.cf gives",
                "!c0 removed: h.q: encrypt (smtp:h.q) -> what main.cf gives",
            ],
        ),
        // Below what main.cf gives.
        (&[], &["may of a.x, overrides main.cf"], &["c0 added: a.x: what main.cf gives -> may (smtp:)"]),
    ];
    for (old, new, expected) in rows {
        let mut found = told(&outbounds(old), &outbounds(new));
        found.sort();
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        assert_eq!(found, expected, "{old:?} {new:?}");
    }
    let mut strict = agreements(Vec::new(), Vec::new());
    strict.mta.level = Level::Encrypt;
    let mut below = strict.clone();
    below.outbound = connectors(&["may of a.x, overrides main.cf", "verify of b.x"]);
    assert_eq!(
        told(&load(&strict), &load(&below)),
        [
            "!c0 added: a.x: what main.cf gives -> may (smtp:)",
            "c1 added: b.x: what main.cf gives -> verify, the name of the MX host (smtp:)",
        ]
    );
}

#[test]
fn cached_sessions_are_told_of_where_names_get_fewer() {
    for (old, new, expected) in [
        ("secure a.b c.d of x.y", "secure a.b of x.y", true),
        ("secure a.b of x.y", "secure a.b c.d of x.y", false),
        ("secure a.b of x.y", "secure c.d of x.y", true),
        ("verify of x.y", "secure a.b of x.y", true),
        ("secure a.b of x.y", "verify a.b of x.y", false),
        // A session without names to check is none of a level that has them.
        ("encrypt of x.y", "secure a.b of x.y", false),
        ("secure a.b of x.y", "encrypt of x.y", false),
        ("encrypt of x.y", "dane-only of x.y", false),
    ] {
        let found = told(&outbounds(&[old]), &outbounds(&[new]));
        assert_eq!(found.len(), 1, "{old} to {new}: {found:?}");
        assert!(found.iter().all(|told| told.contains("session") == expected), "{old} to {new}: {found:?}");
    }
}

#[test]
fn what_is_said_of_the_mta_is_compared_too() {
    let level = |level| {
        let mut agreed = agreements(Vec::new(), Vec::new());
        agreed.mta.level = level;
        load(&agreed)
    };
    for (old, new, expected) in [
        (Level::May, Level::Encrypt, "[mta] stronger: level may -> level encrypt"),
        (Level::Encrypt, Level::May, "![mta] weaker: level encrypt -> level may"),
        (Level::Encrypt, Level::Dane, "![mta] changed: level encrypt -> level dane"),
    ] {
        assert_eq!(told(&level(old), &level(new)), [expected]);
    }
    // A domain of ours is sent by nobody's route.
    let own = |texts: &[&str]| {
        let mut agreed =
            agreements(connectors(&["encrypt of a.x", "may of *, overrides main.cf"]), Vec::new());
        agreed.mta.own_domains = PatternSet::new(patterns(texts));
        load(&agreed)
    };
    let rows: [(&[&str], &[&str], &str); 5] = [
        (&[], &["b.x"], "[mta] changed: own_domains  -> own_domains b.x"),
        (&[], &["b.x", "*.a.x"], "![mta] weaker: own_domains  -> own_domains b.x, *.a.x"),
        (&["*.x"], &["*.x", "b.y"], "[mta] changed: own_domains *.x -> own_domains *.x, b.y"),
        (&["*.x"], &["a.x"], "[mta] changed: own_domains *.x -> own_domains a.x"),
        (&["a.x"], &[], "[mta] changed: own_domains a.x -> own_domains "),
    ];
    for (old, new, expected) in rows {
        assert_eq!(told(&own(old), &own(new)), [expected]);
    }
    assert!(told(&own(&["a.x"]), &own(&["a.x"])).is_empty());
}

#[test]
fn exempt_ranges_are_compared_as_sets() {
    let exempt = |ranges: &[&str]| {
        let mut agreed = agreements(Vec::new(), Vec::new());
        agreed.inbound_exempt = ranges.iter().map(|range| range.parse().unwrap()).collect();
        load(&agreed)
    };
    let rows: [(&[&str], &[&str], Option<&str>); 5] = [
        (
            &["192.0.2.0/24"],
            &["192.0.2.0/25"],
            Some("[inbound_exempt] stronger: 192.0.2.0/24 -> 192.0.2.0/25"),
        ),
        (
            &["192.0.2.0/25"],
            &["192.0.2.0/24"],
            Some("![inbound_exempt] weaker: 192.0.2.0/25 -> 192.0.2.0/24"),
        ),
        (
            &["192.0.2.0/25"],
            &["192.0.3.0/25"],
            Some("![inbound_exempt] changed: 192.0.2.0/25 -> 192.0.3.0/25"),
        ),
        (&["192.0.2.0/24"], &["192.0.2.0/24", "192.0.2.7/32"], None),
        (&[], &["::1/128", "192.0.2.1/32"], Some("![inbound_exempt] weaker:  -> ::1/128, 192.0.2.1/32")),
    ];
    for (old, new, expected) in rows {
        assert_eq!(told(&exempt(old), &exempt(new)), expected.into_iter().collect::<Vec<_>>());
    }
}

#[test]
fn inbound_connectors_come_and_go() {
    let tls = || Require { tls: Some(TlsRequirement::Any), ..Require::default() };
    let none = snapshot(Vec::new(), Vec::new());
    let one = snapshot(Vec::new(), vec![partner("p", &["a.x"], tls())]);
    assert_eq!(told(&none, &one), ["p added: nothing -> from a.x; TLS; else reject"]);
    assert_eq!(told(&one, &none), ["!p removed: from a.x; TLS; else reject -> nothing"]);
    // It takes another one out of force, and may ask for less.
    let mut above = partner("q", &["b.a.x"], tls());
    above.overrides = vec!["p".to_owned()];
    let both = snapshot(Vec::new(), vec![partner("p", &["a.x"], tls()), above]);
    assert_eq!(told(&one, &both), ["!q added: nothing -> from b.a.x; TLS; else reject"]);
}
