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
#[path = "pattern_tests.rs"]
mod tests;
