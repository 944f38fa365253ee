//! Which connector a name belongs to: the index of compiled patterns.
//!
//! A million names have to fit beside a mail server and be found in less time than a context
//! switch takes, so the names lie one after another in an arena and the hash table holds offsets
//! into it. A suffix keeps its leading dot there: the suffixes of a name are then slices of the
//! name itself and a lookup allocates nothing.
//!
//! The order of a lookup is the order of specificity: the name itself, the longest suffix, the
//! next one, ..., `*`.

use std::fmt;
use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use crate::model::pattern::{Entry, Pattern};

/// Octets before the text of an entry: the owner (four), the form (one), the length (one).
const HEADER: usize = 6;

/// The patterns of many owners, each entry belonging to exactly one of them.
pub struct Index {
    arena: Vec<u8>,
    table: HashTable<u32>,
    hasher: RandomState,
    /// Bit n is set when some suffix has n labels: most names need one probe, not one a label.
    depths: u128,
    any: Option<u32>,
}

/// An entry that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit<'a> {
    /// Whose it is: the number given to [`Index::build`].
    pub owner: u32,
    /// What was found.
    pub entry: Entry<'a>,
    /// It was written `*.x`, name and suffix in one.
    tree: bool,
}

impl fmt::Display for Hit<'_> {
    /// The pattern as it was written.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.entry {
            Entry::Name(name) | Entry::Suffix(name) if self.tree => write!(f, "*.{name}"),
            Entry::Name(_) | Entry::Suffix(_) | Entry::Any => write!(f, "{}", self.entry),
        }
    }
}

/// Two owners with one entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duplicate {
    /// The owner that came first.
    pub first: u32,
    /// The owner that came later.
    pub second: u32,
    /// The entry of the later one, as its pattern was written.
    pub pattern: String,
}

impl Index {
    /// Compiles patterns. Of duplicates the first is kept and all are returned; one owner may
    /// repeat itself.
    pub fn build<'a>(
        patterns: impl Iterator<Item = (u32, &'a Pattern, Entry<'a>)>,
    ) -> (Index, Vec<Duplicate>) {
        let mut arena = Vec::new();
        let mut any: Option<u32> = None;
        let mut depths = 0_u128;
        let mut duplicates = Vec::new();
        let mut count = 0_usize;
        for (owner, pattern, entry) in patterns {
            let text = match entry {
                Entry::Name(name) => name,
                Entry::Suffix(name) => {
                    depths |= depth_bit(name.split('.').count());
                    name
                }
                Entry::Any => {
                    match any {
                        Some(first) if first != owner => {
                            duplicates.push(Duplicate { first, second: owner, pattern: pattern.to_string() });
                        }
                        _ => any = Some(owner),
                    }
                    continue;
                }
            };
            let dot = matches!(entry, Entry::Suffix(_));
            let length =
                u8::try_from(text.len() + usize::from(dot)).expect("a domain has at most 253 octets");
            arena.extend_from_slice(&owner.to_le_bytes());
            arena.push(u8::from(matches!(pattern, Pattern::Tree(_))));
            arena.push(length);
            if dot {
                arena.push(b'.');
            }
            arena.extend_from_slice(text.as_bytes());
            count += 1;
        }
        arena.shrink_to_fit();
        let mut index = Index {
            arena,
            table: HashTable::with_capacity(count),
            hasher: RandomState::default(),
            depths,
            any,
        };
        index.fill(&mut duplicates);
        (index, duplicates)
    }

    /// The second pass: a table of exactly the capacity needed.
    fn fill(&mut self, duplicates: &mut Vec<Duplicate>) {
        let mut offset = 0_usize;
        while let Some((hit, text)) = self.at(offset) {
            let next = offset + HEADER + text.len();
            let hash = self.hasher.hash_one(text.as_bytes());
            match self.find(text).map(|first| first.owner) {
                Some(first) if first != hit.owner => {
                    duplicates.push(Duplicate { first, second: hit.owner, pattern: hit.to_string() });
                }
                Some(_) => {}
                None => {
                    // Configuration is limited to 256 MiB in all, far below 4 GiB.
                    let stored = u32::try_from(offset).expect("the arena is below 4 GiB");
                    let (arena, hasher) = (&self.arena, &self.hasher);
                    self.table.insert_unique(hash, stored, |&other| hasher.hash_one(octets_at(arena, other)));
                }
            }
            offset = next;
        }
    }

    fn at(&self, offset: usize) -> Option<(Hit<'_>, &str)> {
        let header = self.arena.get(offset..offset + HEADER)?;
        let [a, b, c, d, tree, _] = header.try_into().ok()?;
        let text = std::str::from_utf8(octets_at(&self.arena, u32::try_from(offset).ok()?)).ok()?;
        let entry = match text.strip_prefix('.') {
            Some(name) => Entry::Suffix(name),
            None => Entry::Name(text),
        };
        Some((Hit { owner: u32::from_le_bytes([a, b, c, d]), entry, tree: tree == 1 }, text))
    }

    /// Looks up `x` or `.x` as stored.
    fn find(&self, text: &str) -> Option<Hit<'_>> {
        let text = text.as_bytes();
        let offset =
            self.table.find(self.hasher.hash_one(text), |&offset| octets_at(&self.arena, offset) == text)?;
        self.at(usize::try_from(*offset).ok()?).map(|(hit, _)| hit)
    }

    /// The entry of exactly this name.
    pub fn name(&self, name: &str) -> Option<Hit<'_>> {
        self.find(name)
    }

    /// The entry for everything.
    pub fn any(&self) -> Option<Hit<'_>> {
        self.any.map(|owner| Hit { owner, entry: Entry::Any, tree: false })
    }

    /// Every entry that covers a normalised name, the most specific first.
    pub fn chain<'s>(&'s self, name: &str) -> impl Iterator<Item = Hit<'s>> {
        self.name(name).into_iter().chain(self.suffixes(name)).chain(self.any())
    }

    /// Every entry that covers all of `entry` and is not that entry, the most specific first.
    pub fn above<'s>(&'s self, entry: Entry<'_>) -> impl Iterator<Item = Hit<'s>> {
        let (name, any) = match entry {
            Entry::Name(name) | Entry::Suffix(name) => (name, self.any()),
            Entry::Any => ("", None),
        };
        self.suffixes(name).chain(any)
    }

    /// Every entry that covers all of `entry`, itself included.
    pub fn covering<'s>(&'s self, entry: Entry<'_>) -> impl Iterator<Item = Hit<'s>> {
        self.own(entry).into_iter().chain(self.above(entry))
    }

    /// Whether this very entry is there.
    pub fn contains(&self, entry: Entry<'_>) -> bool {
        self.own(entry).is_some()
    }

    fn own(&self, entry: Entry<'_>) -> Option<Hit<'_>> {
        match entry {
            Entry::Name(name) => self.find(name),
            Entry::Suffix(name) => self.find(&format!(".{name}")),
            Entry::Any => self.any(),
        }
    }

    fn suffixes<'s>(&'s self, name: &str) -> impl Iterator<Item = Hit<'s>> {
        // A suffix of n labels is only looked up when there is one of that depth.
        let dots = name.bytes().filter(|&b| b == b'.').count();
        name.match_indices('.').enumerate().filter_map(move |(passed, (at, _))| {
            if self.depths & depth_bit(dots - passed) == 0 {
                return None;
            }
            self.find(name.get(at..)?)
        })
    }

    /// Every entry, in the order compiled; `*` last.
    pub fn entries(&self) -> impl Iterator<Item = Hit<'_>> {
        let mut offset = 0;
        std::iter::from_fn(move || {
            let (hit, text) = self.at(offset)?;
            offset += HEADER + text.len();
            Some(hit)
        })
        .chain(self.any())
    }
}

/// A name has at most 127 labels (RFC 1035 section 2.3.4), so every depth has a bit.
fn depth_bit(labels: usize) -> u128 {
    1_u128 << labels.min(127)
}

fn octets_at(arena: &[u8], offset: u32) -> &[u8] {
    usize::try_from(offset)
        .ok()
        .and_then(|start| {
            let length = usize::from(*arena.get(start + HEADER - 1)?);
            arena.get(start + HEADER..start + HEADER + length)
        })
        .expect("offsets are of entries that were stored whole")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn index(patterns: &[(u32, &str)]) -> (Index, Vec<Duplicate>) {
        let parsed: Vec<(u32, Pattern)> =
            patterns.iter().map(|(owner, text)| (*owner, Pattern::parse(text).unwrap())).collect();
        Index::build(
            parsed
                .iter()
                .flat_map(|(owner, pattern)| pattern.entries().map(move |entry| (*owner, pattern, entry))),
        )
    }

    fn chain(index: &Index, name: &str) -> Vec<(u32, String)> {
        index.chain(name).map(|hit| (hit.owner, hit.to_string())).collect()
    }

    #[test]
    fn the_most_specific_comes_first() {
        let (index, duplicates) = index(&[
            (1, "*"),
            (2, "*.contoso.com"),
            (3, ".eu.contoso.com"),
            (4, "mail.eu.contoso.com"),
            (5, "com"),
        ]);
        assert!(duplicates.is_empty());
        let table = [
            ("contoso.com", "2 *.contoso.com, 1 *"),
            ("mail.eu.contoso.com", "4 mail.eu.contoso.com, 3 .eu.contoso.com, 2 *.contoso.com, 1 *"),
            ("eu.contoso.com", "2 *.contoso.com, 1 *"),
            ("a.b.eu.contoso.com", "3 .eu.contoso.com, 2 *.contoso.com, 1 *"),
            ("evilcontoso.com", "1 *"),
            ("com", "5 com, 1 *"),
        ];
        for (name, expected) in table {
            let found: Vec<String> = chain(&index, name)
                .into_iter()
                .map(|(owner, pattern)| format!("{owner} {pattern}"))
                .collect();
            assert_eq!(found.join(", "), expected, "{name}");
        }
        assert_eq!(index.entries().count(), 6);
    }

    #[test]
    fn duplicates_are_of_compiled_entries() {
        let (_, duplicates) =
            index(&[(1, "*.a.b"), (2, "a.b"), (1, ".a.b"), (3, "*.a.b"), (4, "*"), (5, "*")]);
        let found: Vec<(u32, u32, &str)> =
            duplicates.iter().map(|d| (d.first, d.second, d.pattern.as_str())).collect();
        assert_eq!(found, [(4, 5, "*"), (1, 2, "a.b"), (1, 3, "*.a.b"), (1, 3, "*.a.b")]);
    }

    #[test]
    fn above_leaves_the_entry_itself_out() {
        let (index, _) = index(&[(1, "*"), (2, ".b.c"), (3, ".a.b.c"), (4, "a.b.c")]);
        let above = |entry| index.above(entry).map(|hit| hit.owner).collect::<Vec<_>>();
        assert_eq!(above(Entry::Name("a.b.c")), [2, 1]);
        assert_eq!(above(Entry::Suffix("a.b.c")), [2, 1]);
        assert_eq!(above(Entry::Suffix("b.c")), [1]);
        assert!(above(Entry::Any).is_empty());
        assert_eq!(
            index.covering(Entry::Suffix("a.b.c")).map(|hit| hit.owner).collect::<Vec<_>>(),
            [3, 2, 1]
        );
    }
    #[test]
    fn an_owner_may_repeat_itself() {
        let (index, duplicates) = index(&[(1, "*.a.b"), (2, "*"), (1, "a.b"), (1, "*.a.b"), (2, "*")]);
        assert_eq!(duplicates, []);
        assert_eq!(chain(&index, "x.a.b"), [(1, "*.a.b".to_owned()), (2, "*".to_owned())]);
    }

    #[test]
    fn an_entry_is_found_by_itself_alone() {
        let (index, _) = index(&[(1, "a.b"), (2, ".c.d")]);
        for (entry, expected) in [
            (Entry::Name("a.b"), true),
            (Entry::Suffix("a.b"), false),
            (Entry::Name("c.d"), false),
            (Entry::Suffix("c.d"), true),
            (Entry::Suffix("x.c.d"), false),
            (Entry::Any, false),
        ] {
            assert_eq!(index.contains(entry), expected, "{entry}");
        }
        assert!(index.any().is_none());
        assert_eq!(index.name("a.b").map(|hit| hit.owner), Some(1));
        assert!(index.name("c.d").is_none() && index.name("x.c.d").is_none());
    }

    #[test]
    fn entries_come_in_their_order() {
        let (index, _) = index(&[(7, "*"), (300, "*.a.b"), (70_000, "c"), (5, ".d.e")]);
        let all: Vec<(u32, String)> = index.entries().map(|hit| (hit.owner, hit.entry.to_string())).collect();
        let expected = [(300, "a.b"), (300, ".a.b"), (70_000, "c"), (5, ".d.e"), (7, "*")];
        assert_eq!(all, expected.map(|(owner, entry)| (owner, entry.to_owned())));
    }

    #[test]
    fn a_suffix_is_found_at_every_depth() {
        let labels = |count: usize| vec!["a"; count].join(".");
        for depth in [1, 2, 64, 125, 126] {
            let suffix = format!(".{}", labels(depth));
            let (index, _) = index(&[(1, &suffix)]);
            assert_eq!(chain(&index, &labels(depth)), [], "{depth}");
            for below in [depth + 1, 127] {
                assert_eq!(chain(&index, &labels(below)), [(1, suffix.clone())], "{depth} {below}");
            }
        }
    }
}
