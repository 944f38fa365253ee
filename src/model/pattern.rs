//! Patterns over domain names, and sets of them.
//!
//! Written as Exchange and Postfix administrators know them: `x` is `x` alone, `*.x` is `x` and
//! everything below it (Exchange's address space), `.x` only what is below (Postfix's parent
//! key), `*` everything. Compiled they are [`Entry`]s, of which there are three kinds only, so
//! that two spellings of the same set cannot slip past each other.

use std::borrow::Borrow;
use std::collections::HashSet;
use std::fmt;

use super::domain::{self, Domain};

/// A pattern as written, normalised; where it is only looked at, of a borrowed name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pattern<N = Domain> {
    /// `x`: the name alone.
    Exact(N),
    /// `*.x`: the name and everything below it.
    Tree(N),
    /// `.x`: everything below the name.
    Below(N),
    /// `*`: every name, and every address literal.
    Any,
}

/// A compiled pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Entry<'a> {
    /// One name.
    Name(&'a str),
    /// Every proper subdomain of a name.
    Suffix(&'a str),
    /// Everything.
    Any,
}

/// Why a text is no pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A star anywhere but as the whole first label.
    #[error("a star can only stand alone or as the whole first label: \"*\" or \"*.contoso.com\"")]
    EmbeddedWildcard,
    /// The rest is no domain name.
    #[error("{0}")]
    Domain(#[from] domain::Error),
}

/// Takes a text apart; what the name is worth is not looked at.
pub(super) fn split(text: &str) -> Result<Pattern<&str>, Error> {
    if text == "*" {
        return Ok(Pattern::Any);
    }
    let pattern = if let Some(rest) = text.strip_prefix("*.") {
        Pattern::Tree(rest)
    } else if let Some(rest) = text.strip_prefix('.') {
        Pattern::Below(rest)
    } else {
        Pattern::Exact(text)
    };
    match pattern.domain() {
        Some(name) if name.bytes().any(|octet| octet == b'*') => Err(Error::EmbeddedWildcard),
        Some(_) | None => Ok(pattern),
    }
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// [`Error`] when it is not one of `x`, `*.x`, `.x`, `*`.
    pub fn parse(text: &str) -> Result<Self, Error> {
        Ok(split(text)?.try_map(Domain::parse)?)
    }

    /// What it compiles to: one entry, or two for `*.x`.
    pub fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        self.names().compiled()
    }

    /// Whether every name that `other` covers is covered.
    pub fn includes(&self, other: &Pattern) -> bool {
        other.entries().all(|part| self.entries().any(|entry| entry.covers(part)))
    }
}

impl<N> Pattern<N> {
    /// The name it is about; none for `*`.
    pub fn domain(&self) -> Option<&N> {
        match self {
            Pattern::Exact(name) | Pattern::Tree(name) | Pattern::Below(name) => Some(name),
            Pattern::Any => None,
        }
    }

    /// The same form of another name.
    pub(super) fn try_map<M, E>(self, change: impl FnOnce(N) -> Result<M, E>) -> Result<Pattern<M>, E> {
        Ok(match self {
            Pattern::Exact(name) => Pattern::Exact(change(name)?),
            Pattern::Tree(name) => Pattern::Tree(change(name)?),
            Pattern::Below(name) => Pattern::Below(change(name)?),
            Pattern::Any => Pattern::Any,
        })
    }
}

impl<N: Borrow<str>> Pattern<N> {
    /// The pattern with its name borrowed.
    pub fn names(&self) -> Pattern<&str> {
        match self {
            Pattern::Exact(name) => Pattern::Exact(name.borrow()),
            Pattern::Tree(name) => Pattern::Tree(name.borrow()),
            Pattern::Below(name) => Pattern::Below(name.borrow()),
            Pattern::Any => Pattern::Any,
        }
    }

    /// Whether it covers a normalised name.
    pub fn covers(&self, name: &str) -> bool {
        self.names().compiled().any(|entry| entry.covers(Entry::Name(name)))
    }
}

impl<'a> Pattern<&'a str> {
    /// What a pattern of a normalised name compiles to: one entry, or two for `*.x`.
    pub fn compiled(self) -> impl Iterator<Item = Entry<'a>> {
        let (first, second) = match self {
            Pattern::Exact(name) => (Entry::Name(name), None),
            Pattern::Tree(name) => (Entry::Name(name), Some(Entry::Suffix(name))),
            Pattern::Below(name) => (Entry::Suffix(name), None),
            Pattern::Any => (Entry::Any, None),
        };
        std::iter::once(first).chain(second)
    }
}

impl Entry<'_> {
    /// Whether all that `other` stands for is in this entry too.
    pub fn covers(self, other: Entry<'_>) -> bool {
        match (self, other) {
            (Entry::Any, _) => true,
            (Entry::Name(own), Entry::Name(name)) => own == name,
            (Entry::Suffix(own), Entry::Name(name)) => domain::is_below(name, own),
            (Entry::Suffix(own), Entry::Suffix(name)) => own == name || domain::is_below(name, own),
            (Entry::Name(_), Entry::Suffix(_)) | (Entry::Name(_) | Entry::Suffix(_), Entry::Any) => false,
        }
    }

    /// Whether anything is in both.
    pub fn meets(self, other: Entry<'_>) -> bool {
        self.covers(other) || other.covers(self)
    }
}

impl<N: Borrow<str>> fmt::Display for Pattern<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.names() {
            Pattern::Exact(name) => f.write_str(name),
            Pattern::Tree(name) => write!(f, "*.{name}"),
            Pattern::Below(name) => write!(f, ".{name}"),
            Pattern::Any => f.write_str("*"),
        }
    }
}

impl fmt::Display for Entry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Entry::Name(name) => f.write_str(name),
            Entry::Suffix(name) => write!(f, ".{name}"),
            Entry::Any => f.write_str("*"),
        }
    }
}

/// A set of patterns: what a connector excepts, whom it is limited to, which names it accepts.
///
/// A set may be long ("everybody but these"), and is asked for each of a million entries at load,
/// so it is asked by hash and not by a scan.
#[derive(Clone, Default)]
pub struct PatternSet {
    patterns: Vec<Pattern>,
    names: HashSet<Box<str>>,
    suffixes: HashSet<Box<str>>,
    /// Every name that some entry lies below.
    above: HashSet<Box<str>>,
    any: bool,
}

impl PatternSet {
    /// Keeps the patterns in the order written.
    pub fn new(patterns: Vec<Pattern>) -> Self {
        let mut set = PatternSet::default();
        for entry in patterns.iter().flat_map(Pattern::entries) {
            let (name, own) = match entry {
                Entry::Name(name) => (name, &mut set.names),
                Entry::Suffix(name) => (name, &mut set.suffixes),
                Entry::Any => {
                    set.any = true;
                    continue;
                }
            };
            own.insert(name.into());
            set.above.extend(domain::parents(name).map(Box::from));
        }
        set.patterns = patterns;
        set
    }

    /// The patterns, in the order written.
    pub fn iter(&self) -> std::slice::Iter<'_, Pattern> {
        self.patterns.iter()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// Whether a whole entry is covered by one pattern.
    pub fn covers(&self, entry: Entry<'_>) -> bool {
        let (name, own) = match entry {
            Entry::Name(name) => (name, &self.names),
            Entry::Suffix(name) => (name, &self.suffixes),
            Entry::Any => return self.any,
        };
        let below = || domain::parents(name).any(|parent| self.suffixes.contains(parent));
        self.any || own.contains(name) || (!self.suffixes.is_empty() && below())
    }

    /// Whether a normalised name is covered.
    pub fn covers_name(&self, name: &str) -> bool {
        self.covers(Entry::Name(name))
    }

    /// Whether anything of an entry is covered.
    pub fn meets(&self, entry: Entry<'_>) -> bool {
        self.covers(entry)
            || match entry {
                Entry::Name(_) => false,
                Entry::Suffix(name) => self.above.contains(name),
                Entry::Any => !self.is_empty(),
            }
    }

    /// Whether every name that `other` covers is covered.
    pub fn includes(&self, other: &PatternSet) -> bool {
        other.entries().all(|entry| self.covers(entry))
    }

    /// For a text that a stranger reads: the first ones, the rest counted.
    pub fn in_few_words(&self) -> String {
        /// How many are shown.
        const SHOWN: usize = 2;
        let (shown, rest) = self.patterns.split_at(self.patterns.len().min(SHOWN));
        let shown: Vec<String> = shown.iter().map(ToString::to_string).collect();
        let shown = shown.join(" or ");
        if rest.is_empty() { shown } else { format!("{shown} or {} more", rest.len()) }
    }

    /// What all of it compiles to.
    pub fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        self.patterns.iter().flat_map(Pattern::entries)
    }
}

impl PartialEq for PatternSet {
    fn eq(&self, other: &Self) -> bool {
        self.patterns == other.patterns
    }
}
impl Eq for PatternSet {}

impl fmt::Debug for PatternSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.patterns).finish()
    }
}

impl FromIterator<Pattern> for PatternSet {
    fn from_iter<I: IntoIterator<Item = Pattern>>(patterns: I) -> Self {
        PatternSet::new(patterns.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn pattern(text: &str) -> Pattern {
        Pattern::parse(text).unwrap()
    }

    #[test]
    fn each_form_covers_what_it_says() {
        // name: x, *.x, .x, *
        let table = [
            ("contoso.com", [true, true, false, true]),
            ("a.contoso.com", [false, true, true, true]),
            ("a.b.contoso.com", [false, true, true, true]),
            ("evilcontoso.com", [false, false, false, true]),
            ("com", [false, false, false, true]),
        ];
        for (name, expected) in table {
            let covered =
                ["contoso.com", "*.contoso.com", ".contoso.com", "*"].map(|p| pattern(p).covers(name));
            assert_eq!(covered, expected, "{name}");
        }
    }

    #[test]
    fn a_star_inside_is_refused() {
        for text in ["a.*.com", "*a.com", "*.*.com", "**", "a*", ".*"] {
            assert_eq!(Pattern::parse(text), Err(Error::EmbeddedWildcard), "{text}");
        }
        assert_eq!(Pattern::parse("."), Err(Error::Domain(domain::Error::Empty)));
        assert_eq!(Pattern::parse("*."), Err(Error::Domain(domain::Error::Empty)));
        assert_eq!(Pattern::parse("a b"), Err(Error::Domain(domain::Error::Character)));
    }

    #[test]
    fn it_prints_as_it_is_compared() {
        for (text, normal) in [
            ("*.Contoso.COM.", "*.contoso.com"),
            (".X", ".x"),
            ("*", "*"),
            ("b\u{fc}cher.example", "xn--bcher-kva.example"),
        ] {
            assert_eq!(pattern(text).to_string(), normal);
            let name = pattern(text).domain().map(Domain::to_string);
            assert_eq!(name, (text != "*").then(|| normal.trim_start_matches(['*', '.']).to_owned()));
        }
        let tree = pattern("*.contoso.com");
        let entries: Vec<String> = tree.entries().map(|entry| entry.to_string()).collect();
        assert_eq!(entries, ["contoso.com", ".contoso.com"]);
        assert_eq!(Entry::Any.to_string(), "*");
    }

    #[test]
    fn a_set_is_what_was_written() {
        let set = |texts: &[&str]| texts.iter().map(|text| pattern(text)).collect::<PatternSet>();
        let written = set(&["b.example", "*.a.example"]);
        assert_eq!(written.iter().map(Pattern::to_string).collect::<Vec<_>>(), ["b.example", "*.a.example"]);
        assert_eq!(format!("{written:?}"), format!("{:?}", [pattern("b.example"), pattern("*.a.example")]));
        assert_eq!(written, set(&["B.example", "*.a.example"]));
        assert_ne!(written, set(&["*.a.example", "b.example"]), "another order is another text");
        assert!(!written.is_empty() && set(&[]).is_empty());
        for (name, expected) in [
            ("b.example", true),
            ("x.b.example", false),
            ("a.example", true),
            ("x.a.example", true),
            ("example", false),
        ] {
            assert_eq!(written.covers_name(name), expected, "{name}");
        }
    }

    #[test]
    fn inclusion_of_sets() {
        let set = |texts: &[&str]| texts.iter().map(|text| pattern(text)).collect::<PatternSet>();
        for (wide, narrow, expected) in [
            (set(&["a", "b"]), set(&["b"]), true),
            (set(&["a", "b"]), set(&["b", "c"]), false),
            (set(&["*.a"]), set(&["a", ".a", "x.a"]), true),
            (set(&["a", ".a"]), set(&["*.a"]), true),
            (set(&[".a"]), set(&["*.a"]), false),
            (set(&["*"]), set(&["a", "*"]), true),
            (set(&["a"]), set(&[]), true),
            (set(&[]), set(&["a"]), false),
        ] {
            assert_eq!(wide.includes(&narrow), expected, "{wide:?} {narrow:?}");
        }
    }

    #[test]
    fn inclusion_is_of_sets() {
        let cases = [
            ("*.x.com", "x.com", true),
            ("*.x.com", ".x.com", true),
            ("*.x.com", "*.a.x.com", true),
            (".x.com", "*.x.com", false),
            (".x.com", "*.a.x.com", true),
            ("x.com", "*.x.com", false),
            ("*", "*.x.com", true),
            ("*.x.com", "*", false),
        ];
        for (wide, narrow, expected) in cases {
            assert_eq!(pattern(wide).includes(&pattern(narrow)), expected, "{wide} {narrow}");
        }
    }

    #[test]
    fn long_lists_are_counted() {
        let set = |texts: &[&str]| PatternSet::new(texts.iter().map(|text| pattern(text)).collect());
        assert_eq!(set(&["a.b"]).in_few_words(), "a.b");
        assert_eq!(set(&["a.b", "*.d", "e.f", "g.h"]).in_few_words(), "a.b or *.d or 2 more");
    }

    #[test]
    fn a_set_agrees_with_a_scan_of_its_entries() {
        let texts = ["*", "b", "*.b", ".b", "a.b", "*.a.b", ".a.b", "x.a.b", "ab.b", "c"];
        for left in texts {
            for right in texts {
                let set = PatternSet::new(vec![pattern(left), pattern(right)]);
                for text in texts {
                    let asked = pattern(text);
                    for entry in asked.entries() {
                        let covers = set.entries().any(|own| own.covers(entry));
                        let meets = set.entries().any(|own| own.meets(entry));
                        assert_eq!(set.covers(entry), covers, "{set:?} {entry}");
                        assert_eq!(set.meets(entry), meets, "{set:?} {entry}");
                    }
                }
            }
        }
    }
}
