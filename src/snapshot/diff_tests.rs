//! Tables of changes and the words for them.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::model::PatternSet;
use crate::model::inbound::Action;
use crate::model::inbound::{CertificateRequirement, Require, TlsRequirement};
use crate::model::sample::{agreements, inbound as partner, outbound, patterns, smart_hosts};
use crate::model::{Agreements, Outbound};
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
