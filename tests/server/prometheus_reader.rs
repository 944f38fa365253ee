//! Prometheus' text format as others read it: written from its description (prometheus.io, "Exposition formats",
//! version 0.0.4) and not from what writes it here. It is strict where the description leaves a choice.

use std::collections::{BTreeMap, BTreeSet};

/// A sample: its family and its labels, sorted.
pub type Series = (String, BTreeMap<String, String>);

/// What was read.
#[derive(Debug, Default)]
pub struct Page {
    pub series: BTreeMap<Series, f64>,
    /// Families and their types, samples or not.
    pub families: BTreeMap<String, String>,
}

impl Page {
    /// The number of a series by its family and `label=value` words.
    #[track_caller]
    pub fn number(&self, family: &str, labels: &[(&str, &str)]) -> f64 {
        self.find(family, labels).unwrap_or_else(|| panic!("no {family} {labels:?} in {self:#?}"))
    }

    pub fn find(&self, family: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.series.get(&(family.to_owned(), labels)).copied()
    }

    /// Every value that a label has in a family.
    pub fn values(&self, family: &str, label: &str) -> BTreeSet<String> {
        let of = self.series.keys().filter(|(name, _)| name == family);
        of.filter_map(|(_, labels)| labels.get(label).cloned()).collect()
    }
}

/// Reads a page.
#[track_caller]
pub fn read(text: &str) -> Page {
    assert!(text.ends_with('\n'), "the last line ends with a line feed: {text:?}");
    let mut page = Page::default();
    let mut helped = BTreeSet::new();
    // All lines of a family are one group.
    let mut last = String::new();
    for line in text.lines() {
        assert!(!line.contains('\r') && line == line.trim(), "{line:?}");
        if let Some(comment) = line.strip_prefix("# ") {
            let words: Vec<&str> = comment.splitn(3, ' ').collect();
            match words[..] {
                ["HELP", name, help] => {
                    assert!(helped.insert(name.to_owned()) && !help.is_empty(), "{line}");
                    assert!(!page.families.contains_key(name), "HELP behind TYPE: {line}");
                    last = name.to_owned();
                }
                ["TYPE", name, kind] => {
                    assert!(["counter", "gauge"].contains(&kind), "{line}");
                    assert!(name == last && is_name(name), "{line}");
                    assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
                    assert_eq!(page.families.insert(name.to_owned(), kind.to_owned()), None, "{line}");
                }
                // Of other formats, and a comment in this one.
                ["EOF"] => assert!(text.ends_with(&format!("\n{line}\n"))),
                _ => panic!("{line}"),
            }
            continue;
        }
        let (series, number) = sample(line);
        assert_eq!(series.0, last, "out of its group: {line}");
        assert!(page.families.contains_key(&series.0), "without a TYPE: {line}");
        assert_eq!(page.series.insert(series, number), None, "twice: {line}");
    }
    page
}

fn sample(line: &str) -> (Series, f64) {
    let end = line.find(['{', ' ']).unwrap_or_else(|| panic!("{line}"));
    let (name, mut rest) = line.split_at(end);
    assert!(is_name(name), "{line}");
    let mut labels = BTreeMap::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner;
        loop {
            let (label, after) = rest.split_once("=\"").unwrap_or_else(|| panic!("{line}"));
            assert!(is_name(label) && !label.starts_with("__"), "{line}");
            let (value, after) = quoted(after);
            assert_eq!(labels.insert(label.to_owned(), value), None, "{line}");
            match after.split_at(1) {
                (",", after) => rest = after,
                ("}", after) => {
                    rest = after;
                    break;
                }
                _ => panic!("{line}"),
            }
        }
    }
    let number = rest.strip_prefix(' ').unwrap_or_else(|| panic!("{line}"));
    assert!(!number.contains(' '), "a timestamp: {line}");
    ((name.to_owned(), labels), number.parse().unwrap_or_else(|error| panic!("{error}: {line}")))
}

/// A value up to its closing quotes, and what is behind them.
fn quoted(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (value, &text[at + 1..]),
            '\\' => match characters.next() {
                Some((_, 'n')) => value.push('\n'),
                Some((_, other @ ('\\' | '"'))) => value.push(other),
                other => panic!("{other:?} behind a backslash: {text}"),
            },
            other => value.push(other),
        }
    }
    panic!("no end of a value: {text}");
}

fn is_name(text: &str) -> bool {
    let first = |c: char| c.is_ascii_alphabetic() || c == '_';
    text.starts_with(first) && text.chars().all(|c| first(c) || c.is_ascii_digit())
}
