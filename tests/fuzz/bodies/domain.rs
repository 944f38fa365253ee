//! Names, patterns and next-hops: one normal form, and sets that agree with a look at each pattern.

use connectord::model::domain::{is_below, normalise, parents};
use connectord::model::host::{Key, KeyHost};
use connectord::model::{Domain, NextHop, Pattern, PatternSet};

use super::naive::{self, Host};
use super::postfix;

/// Lines that are compared with each other; those behind are read alone.
const COMPARED: usize = 6;

/// Reads every line as a name, a pattern and a next-hop, and compares them with each other.
pub fn domain(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let mut names = Vec::new();
    let mut patterns = Vec::new();
    for line in text.split('\n') {
        names.extend(name(line));
        patterns.extend(pattern(line));
        next_hop(line);
    }
    names.truncate(COMPARED);
    patterns.truncate(COMPARED);
    sets(&patterns, &names);
}

fn name(text: &str) -> Option<String> {
    let normal = normalise(text).ok();
    assert_eq!(normal.as_deref(), naive::name(text).as_deref(), "{text:?}");
    let normal = normal?.into_owned();
    assert_eq!(normalise(&normal).as_deref(), Ok(normal.as_str()), "normalising {text:?} twice");
    assert_eq!(normalise(&text.to_ascii_uppercase()).as_deref(), Ok(normal.as_str()), "{text:?} in capitals");
    if text.ends_with(|c: char| c.is_ascii() && c != '.') && text.len() < 1012 {
        assert_eq!(normalise(&format!("{text}.")).as_deref(), Ok(normal.as_str()), "{text:?} with a dot");
    }
    let domain = Domain::parse(text).expect("what can be normalised is a domain");
    assert_eq!((domain.as_str(), domain.labels()), (normal.as_str(), normal.split('.').count()));
    assert_eq!(parents(&normal).count() + 1, domain.labels());
    for parent in parents(&normal) {
        assert!(is_below(&normal, parent) && naive::covers(&format!(".{parent}"), &normal), "{parent:?}");
        assert_eq!(naive::name(parent).as_deref(), Some(parent), "a parent of {normal:?}");
    }
    Some(normal)
}

fn pattern(text: &str) -> Option<Pattern> {
    let parsed = Pattern::parse(text).ok();
    let stars = |prefix: &str| Some(format!("{prefix}{}", naive::name(text.strip_prefix(prefix)?)?));
    let expected = match text {
        "*" => Some("*".to_owned()),
        _ => stars("*.").or_else(|| stars(".")).or_else(|| naive::name(text)),
    };
    assert_eq!(parsed.as_ref().map(Pattern::to_string), expected, "{text:?}");
    let parsed = parsed?;
    assert_eq!(Pattern::parse(&parsed.to_string()).as_ref(), Ok(&parsed));
    assert!(parsed.includes(&parsed));
    Some(parsed)
}

fn next_hop(text: &str) {
    let key = Key::parse(text).ok();
    let host = |host: &KeyHost<'_>| match host {
        KeyHost::Name(name) => Host::Name(name.to_string()),
        KeyHost::Address(address) => Host::Address(*address),
    };
    assert_eq!(key.as_ref().map(|key| host(&key.host)), naive::next_hop(text), "{text:?}");
    let hop = NextHop::parse(text).ok();
    assert_eq!(hop.is_some(), key.is_some(), "{text:?} to be asked for, or to be sent to");
    if let (Some(hop), Some(key)) = (hop, key) {
        let written = hop.to_string();
        assert_eq!(NextHop::parse(&written).as_ref(), Ok(&hop), "{text:?} as {written:?}");
        let asked = Key::parse(&written).expect("Postfix asks for what it was told");
        assert_eq!(host(&asked.host), host(&key.host), "{text:?} as {written:?}");
        assert_eq!(postfix::transport(&format!("smtp:{written}")), Ok(()), "{text:?} as {written:?}");
    }
}

fn sets(patterns: &[Pattern], names: &[String]) {
    let set = PatternSet::new(patterns.to_vec());
    for name in names {
        let covered = patterns.iter().any(|pattern| naive::covers(&pattern.to_string(), name));
        assert_eq!(set.covers_name(name), covered, "{name:?} by {set:?}");
        for pattern in patterns {
            assert_eq!(
                pattern.covers(name),
                naive::covers(&pattern.to_string(), name),
                "{name:?} by {pattern}"
            );
        }
    }
    let alone: Vec<PatternSet> =
        patterns.iter().map(|pattern| PatternSet::new(vec![pattern.clone()])).collect();
    let pairs = || patterns.iter().zip(&alone);
    for ((wide, set), (narrow, other)) in pairs().flat_map(|one| pairs().map(move |two| (one, two))) {
        let includes = wide.includes(narrow);
        assert_eq!(set.includes(other), includes, "{wide} and {narrow}");
        let meets = narrow.entries().any(|entry| set.meets(entry));
        assert_eq!(wide.entries().any(|entry| other.meets(entry)), meets, "{wide} and {narrow}");
        for name in names {
            let (in_wide, in_narrow) = (wide.covers(name), narrow.covers(name));
            assert!(in_wide || !in_narrow || !includes, "{wide} has {narrow}, but not {name}");
            assert!(meets || !(in_wide && in_narrow), "{wide} and {narrow} meet at {name}");
        }
    }
}
