//! Properties over random connector sets, against a scan that knows neither index nor snapshot.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::{Answered as _, tls, transport};
use crate::model::pattern::Pattern;
use crate::model::requirement::Requirement;
use crate::model::sample::{agreements, outbound, patterns, smart_hosts};
use crate::model::{Outbound, PatternSet};
use crate::snapshot::{Snapshot, compile, postfix_reader, render};

const DEMANDS: [&str; 9] = [
    "may",
    "encrypt",
    "verify",
    "secure a.b",
    "secure a.b c.b",
    "secure *.b",
    "secure domain",
    "dane",
    "dane-only",
];
const DOMAINS: [&str; 12] =
    ["*", "b", "*.b", ".b", "a.b", "*.a.b", ".a.b", "c.b", "*.c.b", "x.a.b", "*.x.a.b", ".c.b"];
pub(super) const NAMES: [&str; 9] =
    ["b", "a.b", "c.b", "x.a.b", "y.x.a.b", "z.c.b", "q", "ab.b", "deep.y.x.a.b"];
const HOSTS: [&str; 6] = ["[a.b]", "[h.q]:587", "[192.0.2.1]", "c.b", "c.b:26", "[c.b]"];

fn connector(number: usize) -> impl Strategy<Value = Outbound> {
    let domains = proptest::sample::subsequence(&DOMAINS[..], 1..4);
    let excepted = proptest::option::weighted(0.3, proptest::sample::select(&DOMAINS[1..]));
    let hosts = proptest::option::weighted(0.3, proptest::sample::select(&HOSTS[..]));
    (domains, proptest::sample::select(&DEMANDS[..]), excepted, hosts, any::<bool>()).prop_map(
        move |(domains, demand, excepted, hosts, overrides)| {
            let mut connector = outbound(&format!("c{number}"), &domains, demand);
            connector.except = PatternSet::new(patterns(excepted.as_slice()));
            if overrides {
                connector.overrides =
                    (0..number).map(|other| format!("c{other}")).chain(["main.cf".to_owned()]).collect();
            }
            if let Some(host) = hosts.filter(|_| demand != "secure domain") {
                connector.route = smart_hosts(&[host]);
            }
            connector
        },
    )
}

pub(super) fn connectors() -> impl Strategy<Value = Vec<Outbound>> {
    (connector(0), connector(1), connector(2), connector(3), 1..4_usize)
        .prop_map(|(a, b, c, d, count)| [a, b, c, d].into_iter().take(count).collect())
}

pub(super) fn load(connectors: &[Outbound]) -> Option<Snapshot> {
    compile(&agreements(connectors.to_vec(), Vec::new()), 1, String::new()).ok()
}

/// The most specific connector by a scan over all patterns as written.
fn scan<'c>(connectors: &'c [Outbound], name: &str) -> Option<&'c Outbound> {
    let specificity = |pattern: Pattern<&str>| -> Option<usize> {
        let base = pattern.domain().map(ToString::to_string).unwrap_or_default();
        let below = name.len() > base.len() && name.ends_with(&format!(".{base}"));
        match pattern {
            Pattern::Any => Some(0),
            Pattern::Exact(_) => (name == base).then_some(1000),
            Pattern::Tree(_) if name == base => Some(1000),
            Pattern::Tree(_) | Pattern::Below(_) => below.then(|| base.split('.').count()),
        }
    };
    let excepted =
        |connector: &Outbound| connector.except.iter().any(|pattern| specificity(pattern.names()).is_some());
    connectors
        .iter()
        .filter(|connector| !excepted(connector))
        .filter_map(|connector| Some((connector.domains.iter().filter_map(specificity).max()?, connector)))
        .max_by_key(|(specificity, _)| *specificity)
        .map(|(_, connector)| connector)
}

/// What a reply demands: of the connectors and joined answers there are, the one that is rendered
/// to exactly this reply.
pub(super) fn demanded(snapshot: &Snapshot, key: &str) -> Option<Requirement> {
    let lookup = tls(snapshot, key.as_bytes());
    let payload = lookup.reply.payload();
    assert_eq!(lookup.applies.is_empty(), payload == "NOTFOUND ", "{key}");
    assert_eq!(postfix_reader::reply(&payload), Ok(()), "{key}: {payload}");
    let policy = payload.strip_prefix("OK ")?;
    let connectors = snapshot.outbound().iter().map(|connector| &connector.agreement.requirement);
    let hosts = [true, false].into_iter().flat_map(|bare| {
        let hosts = snapshot.enforced().hosts();
        hosts.iter(bare).filter_map(move |host| Some(&hosts.find(&host, bare)?.requirement))
    });
    let rendered = |demand: &&Requirement| render::tls_policy(demand, snapshot.mta()) == policy;
    Some(connectors.chain(hosts).find(rendered).expect("a reply is a rendered requirement").clone())
}

pub(super) fn at_least(new: Option<&Requirement>, old: Option<&Requirement>, name: &str) -> bool {
    match (new, old) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(new), Some(old)) => new.holds_against(old, crate::model::pattern::Entry::Name(name)),
    }
}

fn keys() -> Vec<String> {
    let names = NAMES.iter().map(|name| (*name).to_owned());
    names
        .chain(NAMES.iter().map(|name| format!("[{name}]:26")))
        .chain(["[h.q]", "[192.0.2.1]:25", "c.b:27"].map(str::to_owned))
        .collect()
}

pub(super) fn host_of(key: &str) -> &str {
    key.trim_start_matches('[').split([']', ':']).next().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, max_global_rejects: 200_000, ..ProptestConfig::default() })]

    /// I1: the answer is the most specific connector's, or stronger where a host is shared.
    #[test]
    fn i1_z3_never_weaker_than_a_scan(all in connectors()) {
        let Some(snapshot) = load(&all) else { return Err(TestCaseError::reject("contradictory")); };
        for name in NAMES {
            let wanted = scan(&all, name).map(|connector| &connector.requirement);
            let found = demanded(&snapshot, name);
            prop_assert!(at_least(found.as_ref(), wanted, name), "{name}: {found:?} for {wanted:?}");
            let is_host = all.iter().any(|connector| connector.route.smart_hosts().iter().any(|hop| hop.is_bare()));
            if !is_host {
                prop_assert_eq!(found.as_ref(), wanted, "{}", name);
            }
            let way = transport(&snapshot, format!("u@{name}").as_bytes());
            let owner = scan(&all, name).filter(|_| !way.applies.is_empty());
            prop_assert_eq!(owner.map(|o| o.name.clone()), way.applies.first().map(|a| a.connector.agreement.name.clone()));
        }
        for connector in &all {
            for hop in connector.route.smart_hosts() {
                let key = hop.to_string();
                let found = demanded(&snapshot, &key);
                prop_assert!(at_least(found.as_ref(), Some(&connector.requirement), host_of(&key)), "{key}");
            }
        }
    }

    /// I7: the order in the file means nothing.
    #[test]
    fn i7_z3_order_changes_nothing(all in connectors(), seed in any::<u64>()) {
        let mut other = all.clone();
        other.sort_by_key(|connector| seed.rotate_left(u32::from(*connector.name.as_str().as_bytes().last().unwrap())));
        let (one, two) = (load(&all), load(&other));
        prop_assert_eq!(one.is_some(), two.is_some());
        if let (Some(one), Some(two)) = (one, two) {
            for key in keys() {
                let (one, two) = (demanded(&one, &key), demanded(&two, &key));
                prop_assert!(at_least(one.as_ref(), two.as_ref(), host_of(&key)), "{key}");
                prop_assert!(at_least(two.as_ref(), one.as_ref(), host_of(&key)), "{key}");
            }
        }
    }

    /// I8: adding a connector without `overrides` weakens no answer.
    #[test]
    fn i8_z3_adding_never_weakens(all in connectors(), mut added in connector(9)) {
        added.overrides.clear();
        let mut more = all.clone();
        more.push(added);
        let (Some(before), Some(after)) = (load(&all), load(&more)) else {
            return Err(TestCaseError::reject("contradictory"));
        };
        for key in keys() {
            let (old, new) = (demanded(&before, &key), demanded(&after, &key));
            prop_assert!(at_least(new.as_ref(), old.as_ref(), host_of(&key)), "{key}: {old:?} became {new:?}");
        }
    }

    /// What the diff does not call weaker is not weaker.
    #[test]
    fn a_diff_tells_of_every_weakening(old in connectors(), new in connectors()) {
        let (Some(before), Some(after)) = (load(&old), load(&new)) else {
            return Err(TestCaseError::reject("contradictory"));
        };
        let weakens = crate::snapshot::diff::diff(&before, &after).iter().any(|change| change.weakens);
        for key in keys() {
            let (was, is) = (demanded(&before, &key), demanded(&after, &key));
            prop_assert!(weakens || at_least(is.as_ref(), was.as_ref(), host_of(&key)), "{key}: {was:?} became {is:?}");
        }
        prop_assert!(crate::snapshot::diff::diff(&before, &before).is_empty());
    }

    /// Only enforcing connectors answer.
    #[test]
    fn modes_other_than_enforce_change_no_answer(all in connectors(), mut extra in connector(9), off in any::<bool>()) {
        extra.mode = if off { crate::model::Mode::Off } else { crate::model::Mode::Report };
        let mut more = all.clone();
        more.push(extra);
        let (Some(before), Some(after)) = (load(&all), load(&more)) else {
            return Err(TestCaseError::reject("contradictory"));
        };
        for key in keys() {
            prop_assert_eq!(
                tls(&before, key.as_bytes()).reply.payload(),
                tls(&after, key.as_bytes()).reply.payload()
            );
        }
    }

    #[test]
    fn i3_any_bytes_get_a_reply_of_the_closed_vocabulary(key in proptest::collection::vec(any::<u8>(), 0..80)) {
        let snapshot = load(&[outbound("c0", &["*"], "secure a.b")]).unwrap();
        let reply = tls(&snapshot, &key).reply.payload();
        prop_assert!(reply == "OK secure match=a.b" || reply.starts_with("PERM ") || reply == "NOTFOUND ");
        prop_assert!(reply.bytes().all(|b| (0x20..0x7f).contains(&b)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// S14: whatever is replied, Postfix can read it.
    #[test]
    fn s14_postfix_reads_every_reply(all in connectors(), other in "[a-z.:@/0-9\\[\\]*-]{0,12}") {
        let Some(snapshot) = load(&all) else { return Err(TestCaseError::reject("contradictory")); };
        let addresses = NAMES.iter().map(|name| format!("bob@{name}"));
        for key in keys().into_iter().chain(addresses).chain(["*".to_owned(), other]) {
            for reply in [tls(&snapshot, key.as_bytes()).reply, transport(&snapshot, key.as_bytes()).reply] {
                postfix_reader::reply(&reply.payload()).map_err(|error| TestCaseError::fail(format!("{key}: {error}")))?;
            }
        }
    }
}

/// Properties over rejected cases would hold for nothing.
#[test]
fn the_generator_makes_sets_that_load_and_overlap() {
    use proptest::strategy::ValueTree as _;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut overlapping = 0;
    let mut joined = 0;
    for _ in 0..2000 {
        let all = connectors().new_tree(&mut runner).unwrap().current();
        let Some(snapshot) = load(&all) else { continue };
        let index = snapshot.enforced().index();
        overlapping += usize::from(NAMES.iter().any(|name| index.chain(name).count() > 1));
        let applies = |key: &String| tls(&snapshot, key.as_bytes()).applies.len();
        joined += usize::from(keys().iter().any(|key| applies(key) > 1));
    }
    assert!(overlapping > 100 && joined > 20, "{overlapping} with overlap, {joined} with joins");
}
