//! The domains of a connector, as many as there may be.
//!
//! A list of a million domains is read, compiled and dropped within a moment beside a mail server, and
//! most names are written there as they are normalised. They stay in the text that they were read from,
//! A list of a million domains is read, compiled and dropped within a moment beside a mail server, and
//! most names are written there as they are normalised. They stay in the text that they were read from,
//! and of each is kept where it is: what is not copied needs neither time nor memory, and a million small
//! allocations would stay with the process. (It takes 8 octets a pattern, which for a name of one or two
//! letters is more than the name.)

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::domain;
use super::pattern::{Entry, Error, Pattern, split};

/// Patterns in the order written, normalised.
#[derive(Clone, Default)]
pub struct PatternList {
    /// What they were read from.
    text: Arc<String>,
    /// The names that are not in it as they are.
    others: String,
    spots: Vec<Spot>,
    size: usize,
}

/// Where the name of a pattern is.
#[derive(Clone, Copy)]
struct Spot {
    start: u32,
    length: u8,
    form: Form,
    is_other: bool,
}

#[derive(Clone, Copy)]
enum Form {
    Exact,
    Tree,
    Below,
    Any,
}

impl PatternList {
    /// None yet of the patterns that are written in this text.
    pub fn of(text: &Arc<String>) -> PatternList {
        PatternList { text: Arc::clone(text), ..PatternList::default() }
    }

    /// Reads the pattern that is written there, and adds it.
    ///
    /// # Errors
    /// As [`Pattern::parse`]; nothing is added then.
    ///
    /// # Panics
    /// The text has 4 GiB: far more than a configuration may.
    pub fn parse(&mut self, at: Range<usize>) -> Result<(), Error> {
        let PatternList { text, others, spots, size } = self;
        let text = text.get(at.clone()).unwrap_or_default();
        let written = split(text)?;
        let before = written.domain().map_or(0, |name| text.len() - name.len());
        let pattern = written.try_map(domain::normalise)?;
        let spot = match pattern.domain() {
            Some(Cow::Owned(_)) => Spot::behind(others, &pattern.names()),
            Some(Cow::Borrowed(_)) | None => Spot::of(&pattern.names(), at.start + before, false),
        };
        spots.push(spot);
        *size += spot.size();
        Ok(())
    }

    /// Adds the patterns of another list.
    pub fn append(&mut self, list: &PatternList) {
        if !Arc::ptr_eq(&self.text, &list.text) {
            return list.iter().for_each(|pattern| self.add(&pattern));
        }
        let behind = narrow(self.others.len());
        self.others.push_str(&list.others);
        self.spots.extend(list.spots.iter().map(|&spot| match spot {
            Spot { is_other: true, start, .. } => Spot { start: start + behind, ..spot },
            Spot { is_other: false, .. } => spot,
        }));
        self.size += list.size;
    }

    fn add(&mut self, pattern: &Pattern<&str>) {
        let spot = Spot::behind(&mut self.others, pattern);
        self.spots.push(spot);
        self.size += spot.size();
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.spots.is_empty()
    }

    /// How many entries they compile to.
    pub fn size(&self) -> usize {
        self.size
    }

    /// The patterns, in the order written.
    pub fn iter(&self) -> impl Iterator<Item = Pattern<&str>> {
        self.spots.iter().map(|spot| {
            let text = if spot.is_other { &self.others } else { self.text.as_str() };
            let start = usize::try_from(spot.start).expect("pointers have 32 bits or more");
            let name = text.get(start..start + usize::from(spot.length)).expect("a name is where it was put");
            match spot.form {
                Form::Exact => Pattern::Exact(name),
                Form::Tree => Pattern::Tree(name),
                Form::Below => Pattern::Below(name),
                Form::Any => Pattern::Any,
            }
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

impl Spot {
    /// Of a pattern whose name begins there.
    fn of(pattern: &Pattern<&str>, start: usize, is_other: bool) -> Spot {
        let form = match pattern {
            Pattern::Exact(_) => Form::Exact,
            Pattern::Tree(_) => Form::Tree,
            Pattern::Below(_) => Form::Below,
            Pattern::Any => Form::Any,
        };
        let length = pattern.domain().map_or(0, |name| name.len());
        let length = u8::try_from(length).expect("a domain has at most 253 octets");
        Spot { start: narrow(start), length, form, is_other }
    }

    /// Of a pattern whose name is put behind these.
    fn behind(others: &mut String, pattern: &Pattern<&str>) -> Spot {
        let start = others.len();
        others.push_str(pattern.domain().unwrap_or(&""));
        Spot::of(pattern, start, true)
    }

    /// How many entries the pattern compiles to.
    fn size(self) -> usize {
        match self.form {
            Form::Tree => 2,
            Form::Exact | Form::Below | Form::Any => 1,
        }
    }
}

impl PartialEq for PatternList {
    fn eq(&self, other: &PatternList) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for PatternList {}

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
            self.add(&pattern.names());
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

/// Offsets are kept in four octets.
fn narrow(offset: usize) -> u32 {
    u32::try_from(offset).expect("a configuration is below 4 GiB")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// The list of these texts, which lie one after another in one.
    fn read(texts: &[&str]) -> Result<PatternList, Error> {
        let mut list = PatternList::of(&Arc::new(texts.concat()));
        let mut start = 0;
        for text in texts {
            list.parse(start..start + text.len())?;
            start += text.len();
        }
        Ok(list)
    }

    #[test]
    fn it_is_the_patterns_that_went_in() {
        let longest =
            [["a"; 63].concat(), ["b"; 63].concat(), ["c"; 63].concat(), ["d"; 61].concat()].join(".");
        let texts = ["x.example", "*.Contoso.COM.", ".below.example", "*", "b\u{fc}cher.example", &longest];
        let list = read(&texts).unwrap();
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
        let mut list = PatternList::of(&Arc::new("a.*.b".to_owned()));
        assert_eq!(list.parse(0..5), Err(Error::EmbeddedWildcard));
        // What is not there is the name without a letter.
        for range in [0..0, 4..6, 9..9] {
            assert_eq!(list.parse(range), Err(Error::Domain(domain::Error::Empty)));
        }
        assert!(list.is_empty() && list.iter().next().is_none() && !list.has_any());
        list.parse(4..5).unwrap();
        assert_eq!(list.iter().collect::<Vec<_>>(), [Pattern::Exact("b")]);
    }

    #[test]
    fn the_size_is_that_of_the_entries() {
        let list: PatternList =
            ["a.b", "*.c", ".d", "*"].iter().map(|text| Pattern::parse(text).unwrap()).collect();
        // a.b, c, .c, .d, *
        assert_eq!((list.size(), list.entries().count()), (5, 5));
        assert!(list.covers("x.c") && list.covers("x.d"));
    }

    #[test]
    fn lists_that_are_not_alike_differ() {
        let [one, other] = [["a.b", "*.c"], ["a.b", ".c"]].map(|texts| read(&texts).unwrap());
        assert_ne!(one, other);
        assert!(one.covers("c") && !other.covers("c") && !one.covers("b"));
        assert!(!one.is_empty() && !one.has_any() && read(&["a.b", "*"]).unwrap().has_any());
        assert_eq!(format!("{one:?}"), r#"[Exact("a.b"), Tree("c")]"#);
    }

    #[test]
    fn two_lists_become_one_whatever_they_were_read_from() {
        let texts = ["x.example", "*.Contoso.COM.", ".B\u{fc}cher.example", "z.example.", "*"];
        for (first, second) in [(0, 5), (2, 3), (5, 0)] {
            let whole = read(&texts).unwrap();
            let mut list = PatternList { spots: Vec::new(), others: String::new(), size: 0, ..whole.clone() };
            let (mut other, mut start) = (list.clone(), 0);
            for (number, text) in texts.iter().enumerate() {
                let part = if number < first { &mut list } else { &mut other };
                part.parse(start..start + text.len()).unwrap();
                start += text.len();
            }
            list.append(&other);
            assert_eq!((&list, list.size()), (&whole, 6), "{first} {second}");
            // What is at the same places of this text is something else.
            let others = read(&["*.below.example", "Exact.example."]).unwrap();
            list.append(&others);
            let both: PatternList = whole.iter().chain(others.iter()).map(owned).collect();
            assert_eq!((&list, list.size()), (&both, 9));
        }
    }

    fn owned(pattern: Pattern<&str>) -> Pattern {
        Pattern::parse(&pattern.to_string()).unwrap()
    }
}
