//! The domains of a connector, as many as there may be.
//!
//! A list of a million domains is read, compiled and dropped within a moment beside a mail server,
//! so the patterns lie one after another in one block of memory instead of in a million small ones:
//! those would also stay with the process, because the allocator gives back only what lies at an
//! end.

use std::fmt;

use super::domain;
use super::pattern::{Entry, Error, Pattern, split};

/// Patterns in the order written, normalised.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct PatternList {
    /// Of each pattern its form and the length of its name, a character each, and the name. A text,
    /// so that names are taken out of it without a look at each octet.
    text: String,
    size: usize,
}

const EXACT: char = 'e';
const TREE: char = 't';
const BELOW: char = 'b';
const ANY: char = 'a';

impl PatternList {
    /// Room for a text of so many octets, one pattern a line.
    pub fn with_room(octets: usize) -> PatternList {
        // A pattern has two characters more than its name, a line one: the line feed.
        PatternList { text: String::with_capacity(octets + octets / 8), ..PatternList::default() }
    }

    /// Reads a pattern and adds it, without an allocation for it.
    ///
    /// # Errors
    /// As [`Pattern::parse`]; nothing is added then.
    pub fn parse(&mut self, text: &str) -> Result<(), Error> {
        let pattern = split(text)?.try_map(domain::normalise)?;
        self.add(pattern.names());
        Ok(())
    }

    fn add(&mut self, pattern: Pattern<&str>) {
        let (form, name) = match pattern {
            Pattern::Exact(name) => (EXACT, name),
            Pattern::Tree(name) => (TREE, name),
            Pattern::Below(name) => (BELOW, name),
            Pattern::Any => (ANY, ""),
        };
        let length = u8::try_from(name.len()).expect("a domain has at most 253 octets");
        self.text.push(form);
        self.text.push(char::from(length));
        self.text.push_str(name);
        self.size += pattern.compiled().count();
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// How many entries they compile to.
    pub fn size(&self) -> usize {
        self.size
    }

    /// The patterns, in the order written.
    pub fn iter(&self) -> impl Iterator<Item = Pattern<&str>> {
        let mut rest = self.text.as_str();
        std::iter::from_fn(move || {
            let mut chars = rest.chars();
            let (form, length) = (chars.next()?, chars.next()?);
            let (name, behind) = chars.as_str().split_at_checked(u8::try_from(length).ok()?.into())?;
            rest = behind;
            Some(match form {
                EXACT => Pattern::Exact(name),
                TREE => Pattern::Tree(name),
                BELOW => Pattern::Below(name),
                _ => Pattern::Any,
            })
        })
    }

    /// Everything that they compile to.
    pub fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        self.iter().flat_map(Pattern::compiled)
    }

    /// Whether one of them covers a normalised name.
    pub fn covers(&self, name: &str) -> bool {
        self.iter().any(|pattern| pattern.covers(name))
    }

    /// Whether `*` is among them.
    pub fn has_any(&self) -> bool {
        self.iter().any(|pattern| pattern == Pattern::Any)
    }
}

impl FromIterator<Pattern> for PatternList {
    fn from_iter<I: IntoIterator<Item = Pattern>>(patterns: I) -> Self {
        let mut list = PatternList::default();
        list.extend(patterns);
        list
    }
}

impl Extend<Pattern> for PatternList {
    fn extend<I: IntoIterator<Item = Pattern>>(&mut self, patterns: I) {
        for pattern in patterns {
            self.add(pattern.names());
        }
    }
}

impl From<Vec<Pattern>> for PatternList {
    fn from(patterns: Vec<Pattern>) -> Self {
        patterns.into_iter().collect()
    }
}

impl fmt::Debug for PatternList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn it_is_the_patterns_that_went_in() {
        let longest =
            [["a"; 63].concat(), ["b"; 63].concat(), ["c"; 63].concat(), ["d"; 61].concat()].join(".");
        let texts = ["x.example", "*.Contoso.COM.", ".below.example", "*", "b\u{fc}cher.example", &longest];
        let mut list = PatternList::default();
        for text in texts {
            list.parse(text).unwrap();
        }
        let parsed: Vec<Pattern> = texts.iter().map(|text| Pattern::parse(text).unwrap()).collect();
        assert_eq!(list.iter().collect::<Vec<_>>(), parsed.iter().map(Pattern::names).collect::<Vec<_>>());
        assert_eq!(list, PatternList::from(parsed.clone()));
        assert_eq!(list.iter().count(), texts.len());
        assert!(list.has_any());
        let entries: Vec<Entry<'_>> = parsed.iter().flat_map(Pattern::entries).collect();
        assert_eq!(list.entries().collect::<Vec<_>>(), entries);
    }

    #[test]
    fn what_is_no_pattern_adds_nothing() {
        let mut list = PatternList::default();
        assert_eq!(list.parse("a.*.b"), Err(Error::EmbeddedWildcard));
        assert_eq!(list.parse("a..b"), Err(Error::Domain(domain::Error::EmptyLabel)));
        assert!(list.is_empty() && list.iter().next().is_none() && !list.has_any());
    }

    #[test]
    fn the_size_is_that_of_the_entries() {
        let list: PatternList =
            ["a.b", "*.c", ".d", "*"].iter().map(|text| Pattern::parse(text).unwrap()).collect();
        // a.b, c, .c, .d, *
        assert_eq!((list.size(), list.entries().count()), (5, 5));
        assert!(list.covers("x.c") && list.covers("x.d"));
    }
}
