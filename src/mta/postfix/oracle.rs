//! A model of Postfix's table lookups, against which tables are held to the daemon's answers.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::{BTreeSet, HashMap};

use proptest::prelude::*;

use super::tables::{self, Table};
use crate::answer::{self, By, Reply};
use crate::model::inbound::Inbound;
use crate::model::mta::TransportName;
use crate::model::names::Names;
use crate::model::outbound::Route;
use crate::model::pattern::Entry;
use crate::model::requirement::{Parts, Requirement, TlsVersion};
use crate::model::{
    Agreements, ConnectorName, Level, Mode, Mta, NextHop, Notes, Outbound, Pattern, PatternSet, Place, domain,
};
use crate::snapshot::{self, Snapshot};

/// A table as `texthash:` reads it: comments skipped, the first white space ends the key, keys
/// folded, no key twice (dict_thash.c).
fn read(table: &Table<'_>) -> HashMap<String, String> {
    let mut read = HashMap::new();
    for line in table.to_string().lines() {
        if line.starts_with('#') {
            continue;
        }
        let (key, value) = line.split_once(char::is_whitespace).unwrap();
        assert!(!value.is_empty() && value == value.trim(), "{line:?}");
        assert_eq!(read.insert(key.to_lowercase(), value.to_owned()), None, "{key} twice");
    }
    read
}

/// smtp_tls_policy.c:tls_policy_lookup: the key, then its parents where it is a bare name.
fn tls_lookup<'t>(table: &'t HashMap<String, String>, key: &str) -> Option<&'t str> {
    let key = key.to_lowercase();
    let bare = !key.contains(['[', ':']);
    let mut parents = domain::parents(&key).filter(|_| bare).map(|parent| format!(".{parent}"));
    table.get(&key).or_else(|| parents.find_map(|parent| table.get(&parent))).map(String::as_str)
}

/// transport.c:transport_lookup: the address, the domain, its parents, `*`.
fn transport_lookup<'t>(table: &'t HashMap<String, String>, address: &str) -> Option<&'t str> {
    let address = address.to_lowercase();
    let (_, name) = address.rsplit_once('@').unwrap();
    let found = table.get(&address).or_else(|| table.get(name));
    let mut parents = domain::parents(name).map(|parent| format!(".{parent}"));
    found
        .or_else(|| parents.find_map(|parent| table.get(&parent)))
        .or_else(|| table.get("*"))
        .map(String::as_str)
}

fn holds(snapshot: &Snapshot, names: &[String]) -> Result<(), TestCaseError> {
    let (tls, transport) = (read(&tables::tls(snapshot)), read(&tables::transport(snapshot)));
    let level = snapshot.mta().level.word();
    for name in names {
        let lookup = answer::tls(snapshot, name.as_bytes());
        let found = tls_lookup(&tls, name);
        let by_star = matches!(lookup.applies.first().map(|applied| applied.by), Some(By::Domain(hit)) if hit.entry == Entry::Any);
        match lookup.reply {
            // The header says so.
            Reply::Ok(_) if by_star && found.is_none() => {}
            Reply::Ok(value) => prop_assert_eq!(found, Some(value), "tls {}", name),
            Reply::NotFound => {
                prop_assert!(found.is_none_or(|found| found == level), "tls {} {:?}", name, found)
            }
            other @ (Reply::Perm(_) | Reply::Temp(_)) => prop_assert!(false, "{} {:?}", name, other),
        }
        let address = format!("bob@{name}");
        let found = transport_lookup(&transport, &address);
        match answer::transport(snapshot, address.as_bytes()).reply {
            Reply::Ok(value) => prop_assert_eq!(found, Some(value), "transport {}", name),
            Reply::NotFound => {
                prop_assert!(found.is_none_or(|found| found == ":"), "transport {} {:?}", name, found)
            }
            other @ (Reply::Perm(_) | Reply::Temp(_)) => prop_assert!(false, "{} {:?}", name, other),
        }
    }
    for connector in snapshot.outbound().iter().filter(|connector| connector.agreement.mode == Mode::Enforce)
    {
        for hop in connector.agreement.route.smart_hosts() {
            let key = hop.to_string();
            let Reply::Ok(value) = answer::tls(snapshot, key.as_bytes()).reply else { panic!("{key}") };
            prop_assert_eq!(tls_lookup(&tls, &key), Some(value), "{}", key);
        }
    }
    Ok(())
}

/// A connector as text: mode, domains, except, requirement, route.
type Draft = (Mode, Vec<&'static str>, Vec<&'static str>, u8, Vec<&'static str>);

fn requirement(kind: u8) -> Requirement {
    let parts = match kind {
        0 => Parts::of_level(Level::May),
        1 => Parts::of_level(Level::Encrypt),
        2 => Parts { min_version: Some(TlsVersion::Tls12), ..Parts::of_level(Level::Encrypt) },
        3 => Parts { names: Some(Names::Domain), ..Parts::of_level(Level::Secure) },
        _ => Parts { names: Some(Names::Set(set(&["*.x.y"]))), ..Parts::of_level(Level::Secure) },
    };
    Requirement::new(parts).unwrap()
}

fn set(texts: &[&str]) -> PatternSet {
    texts.iter().map(|text| Pattern::parse(text).unwrap()).collect()
}

/// Connectors that may shadow each other as they like; no entry is in two.
fn agreements(drafts: &[Draft], own: &[&str]) -> Agreements {
    let mut taken = BTreeSet::new();
    let names: Vec<String> = (0..drafts.len()).map(|number| format!("c{number}")).collect();
    let mut outbound = Vec::new();
    for (name, (mode, domains, except, kind, route)) in names.iter().zip(drafts) {
        let mut patterns: Vec<Pattern> = Vec::new();
        for pattern in domains.iter().map(|text| Pattern::parse(text).unwrap()) {
            let entries: Vec<String> = pattern.entries().map(|entry| entry.to_string()).collect();
            if entries.iter().all(|entry| !taken.contains(entry)) {
                taken.extend(entries);
                patterns.push(pattern);
            }
        }
        if patterns.is_empty() {
            continue;
        }
        let hosts: Vec<NextHop> = route.iter().map(|text| NextHop::parse(text).unwrap()).collect();
        let star = patterns.contains(&Pattern::Any);
        outbound.push(Outbound {
            name: ConnectorName::parse(name).unwrap(),
            mode: *mode,
            domains: patterns.into(),
            except: set(except),
            overrides: names.iter().cloned().chain(["main.cf".to_owned()]).collect(),
            requirement: requirement(*kind),
            certificates: Vec::new(),
            route: if hosts.is_empty() || star { Route::Mx } else { Route::SmartHosts(hosts) },
            transport: (*kind == 2).then(|| TransportName::parse("partner").unwrap()),
            validate_recipients: Vec::new(),
            notes: Notes::default(),
            place: Place { file: "test.toml".into(), line: 1 },
        });
    }
    let mta = Mta { own_domains: set(own), ..Mta::default() };
    Agreements { mta, inbound_exempt: Vec::new(), outbound, inbound: Vec::<Inbound>::new() }
}

const DOMAINS: [&str; 14] = [
    "a",
    "b.a",
    "*.b.a",
    ".b.a",
    "c.b.a",
    "*.c.b.a",
    ".c.b.a",
    "d.c.b.a",
    "*.a",
    ".a",
    "*",
    "e.a",
    "*.e.a",
    "*.xn--bcher-kva.a",
];
const EXCEPTIONS: [&str; 10] =
    ["b.a", ".b.a", "*.c.b.a", "c.b.a", "d.c.b.a", ".c.b.a", "e.a", "*.e.a", "f.xn--bcher-kva.a", "d.e.a"];
const HOSTS: [&str; 6] = ["[b.a]:587", "[m.z]:25", "m.z", "b.a", "[192.0.2.1]:submission", "c.b.a:26"];

fn names() -> Vec<String> {
    let labels = ["a", "b", "c", "d", "e", "z", "B", "xn--bcher-kva", "f"];
    let mut names: Vec<String> = labels.iter().map(|&label| label.to_owned()).collect();
    let mut last = names.clone();
    for _ in 0..3 {
        last =
            last.iter().flat_map(|name| labels.iter().map(move |label| format!("{label}.{name}"))).collect();
        last.retain(|name| {
            [".b.a", ".e.a", "kva.a", "b.a", "e.a", "z.a", "m.z"].iter().any(|end| name.ends_with(end))
        });
        names.extend(last.iter().cloned());
    }
    names.extend(
        ["b\u{fc}cher.a", "B\u{dc}cher.a", "g.b\u{fc}cher.a", "f.b\u{fc}cher.a", "h.f.b\u{fc}cher.a"]
            .map(str::to_owned),
    );
    names
}

fn draft() -> impl Strategy<Value = Draft> {
    let mode = prop_oneof![4 => Just(Mode::Enforce), 1 => Just(Mode::Report), 1 => Just(Mode::Off)];
    (
        mode,
        prop::collection::vec(prop::sample::select(DOMAINS.to_vec()), 1..4),
        prop::collection::vec(prop::sample::select(EXCEPTIONS.to_vec()), 0..3),
        0..5_u8,
        prop_oneof![2 => Just(Vec::new()), 1 => prop::collection::vec(prop::sample::select(HOSTS.to_vec()), 1..3)],
    )
}

proptest! {
    #[test]
    fn a_table_says_what_the_daemon_says(
        drafts in prop::collection::vec(draft(), 1..6),
        own in prop::collection::vec(prop::sample::select(EXCEPTIONS.to_vec()), 0..2),
    ) {
        let compiled = snapshot::compile(&agreements(&drafts, &own), 1, String::new());
        // Some contradict each other: an exception from everything, hosts that cannot be joined.
        prop_assume!(compiled.is_ok());
        if let Ok(snapshot) = compiled {
            holds(&snapshot, &names())?;
        }
    }
}

fn compiled(drafts: &[Draft], own: &[&str]) -> Snapshot {
    match snapshot::compile(&agreements(drafts, own), 1, "5ha".to_owned()) {
        Ok(snapshot) => snapshot,
        Err(conflicts) => panic!("{conflicts:?}"),
    }
}

#[test]
fn the_tables_of_a_small_configuration() {
    let snapshot = compiled(
        &[
            (Mode::Enforce, vec!["*.x.y"], vec!["lists.x.y"], 4, vec!["[mail.x.y]:587", "mx.z"]),
            (Mode::Enforce, vec!["*.b\u{fc}cher.y"], vec![], 1, vec![]),
            (Mode::Report, vec!["r.y"], vec![], 1, vec![]),
            (Mode::Enforce, vec![".own.y"], vec![], 1, vec![]),
        ],
        &["our.own.y"],
    );
    let lines = |table: Table<'_>| -> Vec<String> {
        table.rows.iter().map(|row| format!("{} {}", row.key, row.value)).collect()
    };
    assert_eq!(
        lines(tables::tls(&snapshot)),
        [
            "lists.x.y may",
            "mx.z secure match=x.y:.x.y",
            ".own.y encrypt",
            "x.y secure match=x.y:.x.y",
            ".x.y secure match=x.y:.x.y",
            "xn--bcher-kva.y encrypt",
            "b\u{fc}cher.y encrypt",
            ".xn--bcher-kva.y encrypt",
            ".b\u{fc}cher.y encrypt",
            "[mail.x.y] secure match=x.y:.x.y",
            "[mail.x.y]:587 secure match=x.y:.x.y",
        ]
    );
    assert_eq!(
        lines(tables::transport(&snapshot)),
        [
            "lists.x.y :",
            "our.own.y :",
            ".own.y smtp:",
            "x.y smtp:[mail.x.y]:587, mx.z",
            ".x.y smtp:[mail.x.y]:587, mx.z",
            "xn--bcher-kva.y smtp:",
            "b\u{fc}cher.y smtp:",
            ".xn--bcher-kva.y smtp:",
            ".b\u{fc}cher.y smtp:",
        ]
    );
    let text = tables::tls(&snapshot).to_string();
    assert!(text.starts_with("# Written by") && text.contains("\n# 5ha.\n"), "{text}");
    assert!(text.ends_with("\n[mail.x.y]:587 secure match=x.y:.x.y\n"), "{text}");
}

#[test]
fn the_header_names_a_star() {
    let star: Draft = (Mode::Enforce, vec!["*"], vec!["e.a"], 1, vec![]);
    let text = tables::tls(&compiled(&[star], &[])).to_string();
    assert!(
        text.contains("`*` of the connector `c0`") && text.contains("#   the connector demands: encrypt\n"),
        "{text}"
    );
    assert!(text.lines().all(|line| line.starts_with('#')), "an exception of `*` needs no row: {text}");
}

#[test]
fn a_name_that_folds_into_another_one_is_not_spelt_out() {
    let snapshot = compiled(&[(Mode::Enforce, vec!["fa\u{df}.y"], vec![], 1, vec![])], &[]);
    let keys: Vec<String> = tables::tls(&snapshot).rows.iter().map(|row| row.key.to_string()).collect();
    assert_eq!(keys, ["xn--fa-hia.y"]);
}
