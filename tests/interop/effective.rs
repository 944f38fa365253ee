//! What a policy means to smtp(8) for one next-hop, so that two that are written differently can be compared.
//!
//! Written from smtp_tls_policy.c and postconf(5) alone, with the defaults of main.cf.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Its level, and each attribute as a set of what it allows.
#[derive(Debug, PartialEq, Eq)]
pub struct Effective {
    level: String,
    attributes: BTreeMap<String, BTreeSet<String>>,
}

/// `queue` is where relative paths begin.
pub fn effective(policy: &str, next_hop: &str, queue: &Path) -> Effective {
    let domain = next_hop.trim_start_matches('[').split([']', ':']).next().unwrap().to_lowercase();
    let mut words = policy.split([',', ' ', '\t', '\r', '\n']).filter(|word| !word.is_empty());
    let level = words.next().unwrap().to_lowercase();
    let mut attributes: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for word in words {
        let (name, value) = word.split_once('=').unwrap();
        let name = name.to_lowercase();
        let values: Vec<String> = match name.as_str() {
            "match" if level == "fingerprint" => {
                value.split('|').map(|digest| digest.replace(':', "").to_uppercase()).collect()
            }
            "match" => value.split(':').map(str::to_lowercase).collect(),
            "protocols" => oldest(value),
            "tafile" => vec![std::fs::read_to_string(queue.join(value)).unwrap()],
            _ => vec![value.to_lowercase()],
        };
        attributes.entry(name).or_default().extend(values);
    }
    let default: &[&str] = match level.as_str() {
        "verify" => &["hostname"],
        "secure" => &["nexthop", "dot-nexthop"],
        _ => &[],
    };
    if !default.is_empty() {
        let names = attributes
            .entry("match".to_owned())
            .or_insert_with(|| default.iter().map(ToString::to_string).collect());
        let spelt_out = std::mem::take(names).into_iter().map(|name| match name.as_str() {
            "nexthop" => domain.clone(),
            "dot-nexthop" => format!(".{domain}"),
            _ => name,
        });
        *names = spelt_out.collect();
    }
    Effective { level, attributes }
}

/// The versions that a list of protocols lets through (tls_misc.c); there are no older ones any more.
fn oldest(list: &str) -> Vec<String> {
    let all = ["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"];
    let words: Vec<&str> = list.split(':').collect();
    let through = |version: &&str| {
        let position = |wanted: &str| all.iter().position(|version| *version == wanted).unwrap();
        if let Some(oldest) = list.strip_prefix(">=") {
            return position(version) >= position(oldest);
        }
        if list.starts_with('!') {
            !words.contains(&format!("!{version}").as_str())
        } else {
            words.contains(version)
        }
    };
    all.into_iter().filter(|version| through(version)).map(str::to_owned).collect()
}
