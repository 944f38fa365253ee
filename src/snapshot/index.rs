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

use super::table::Table;
use crate::model::pattern::{Entry, Pattern};
use crate::model::pattern_list::Size;

/// Octets before the text of an entry: the owner (four), the form (one), the length (one).
const HEADER: usize = 6;

/// The patterns of many owners, each entry belonging to exactly one of them.
pub struct Index {
    arena: Vec<u8>,
    table: Table,
    hasher: RandomState,
    /// Bit n is set when some suffix has n labels: most names need one probe, not one a label.
    depths: u128,
    any: Option<u32>,
}

/// An entry that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit<'a> {
    /// Whose it is: the number given to [`Index::add`].
    pub owner: u32,
    /// What was found.
    pub entry: Entry<'a>,
    /// It was written `*.x`, name and suffix in one.
    tree: bool,
}

impl fmt::Display for Hit<'_> {
    /// The pattern as it was written.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (form, name) = self.parts();
        write!(f, "{form}{name}")
    }
}

impl Hit<'_> {
    /// The pattern as it was written: what stands before the name, and the name.
    pub fn parts(&self) -> (&'static str, &str) {
        match self.entry {
            Entry::Name(name) | Entry::Suffix(name) if self.tree => ("*.", name),
            Entry::Name(name) => ("", name),
            Entry::Suffix(name) => (".", name),
            Entry::Any => ("*", ""),
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
    /// An index with room for entries of this size: a block that grows leaves its smaller selves
    /// behind.
    pub fn with_room(size: Size) -> Index {
        Index {
            arena: Vec::with_capacity(size.octets + HEADER * size.entries),
            table: Table::with_room(size.entries),
            hasher: RandomState::default(),
            depths: 0,
            any: None,
        }
    }

    /// Adds an entry that a pattern compiles to.
    ///
    /// # Errors
    /// [`Duplicate`] when another owner has it; then the other keeps it. One owner may repeat itself.
    pub fn add(&mut self, owner: u32, pattern: Pattern<&str>, entry: Entry<'_>) -> Result<(), Duplicate> {
        let duplicate = |first| Duplicate { first, second: owner, pattern: pattern.to_string() };
        let name = match entry {
            Entry::Name(name) => name,
            Entry::Suffix(name) => {
                self.depths |= depth_bit(name.split('.').count());
                name
            }
            Entry::Any => {
                let first = *self.any.get_or_insert(owner);
                return if first == owner { Ok(()) } else { Err(duplicate(first)) };
            }
        };
        // Configuration is limited to 256 MiB in all, far below 4 GiB.
        let start = self.arena.len();
        let offset = u32::try_from(start).expect("the arena is below 4 GiB");
        let length = name.len() + usize::from(is_suffix(entry));
        self.arena.extend_from_slice(&owner.to_le_bytes());
        self.arena.push(u8::from(matches!(pattern, Pattern::Tree(_))));
        self.arena.push(u8::try_from(length).expect("a domain has at most 253 octets"));
        if is_suffix(entry) {
            self.arena.push(b'.');
        }
        self.arena.extend_from_slice(name.as_bytes());
        let text = octets_at(&self.arena, offset);
        let hash = self.hasher.hash_one(text);
        let first = match self.table.add(hash, offset, |other| octets_at(&self.arena, other) == text) {
            Ok(()) => return Ok(()),
            Err(first) => owner_at(&self.arena, first),
        };
        // It is in the arena for nothing: the walk over all entries would find it there.
        self.arena.truncate(start);
        if first == owner { Ok(()) } else { Err(duplicate(first)) }
    }

    fn at(&self, offset: usize) -> Option<(Hit<'_>, &str)> {
        let (&[a, b, c, d, tree, length], rest) = self.arena.get(offset..)?.split_first_chunk::<HEADER>()?;
        let text = std::str::from_utf8(rest.get(..usize::from(length))?).ok()?;
        let entry = match text.strip_prefix('.') {
            Some(name) => Entry::Suffix(name),
            None => Entry::Name(text),
        };
        Some((Hit { owner: u32::from_le_bytes([a, b, c, d]), entry, tree: tree == 1 }, text))
    }

    /// Looks up `x` or `.x` as stored.
    fn find(&self, text: &str) -> Option<Hit<'_>> {
        if self.arena.is_empty() {
            return None;
        }
        let text = text.as_bytes();
        let hash = self.hasher.hash_one(text);
        let offset = self.table.find(hash, |offset| octets_at(&self.arena, offset) == text)?;
        self.at(usize::try_from(offset).ok()?).map(|(hit, _)| hit)
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
        let dots = |name: &str| name.bytes().filter(|&octet| octet == b'.').count();
        let mut depth = if self.depths == 0 { 0 } else { dots(name) };
        let mut rest = name;
        std::iter::from_fn(move || {
            while depth > 0 {
                let dot = rest.bytes().position(|octet| octet == b'.')?;
                let (suffix, wanted) = (rest.get(dot..)?, self.depths & depth_bit(depth) != 0);
                (rest, depth) = (rest.get(dot + 1..)?, depth - 1);
                if let Some(hit) = wanted.then(|| self.find(suffix)).flatten() {
                    return Some(hit);
                }
            }
            None
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

fn is_suffix(entry: Entry<'_>) -> bool {
    matches!(entry, Entry::Suffix(_))
}

fn octets_at(arena: &[u8], offset: u32) -> &[u8] {
    let (header, rest) = stored(arena, offset);
    let [.., length] = header;
    rest.get(..usize::from(*length)).expect("an entry was stored whole")
}

fn owner_at(arena: &[u8], offset: u32) -> u32 {
    let (&[a, b, c, d, ..], _) = stored(arena, offset);
    u32::from_le_bytes([a, b, c, d])
}

fn stored(arena: &[u8], offset: u32) -> (&[u8; HEADER], &[u8]) {
    let at = usize::try_from(offset).ok();
    at.and_then(|at| arena.get(at..)?.split_first_chunk()).expect("offsets are of entries")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::model::PatternList;

    fn index(patterns: &[(u32, &str)]) -> (Index, Vec<Duplicate>) {
        let parsed = patterns.iter().map(|(_, text)| Pattern::parse(text).unwrap());
        let mut index = Index::with_room(PatternList::from_iter(parsed).size());
        let mut duplicates = Vec::new();
        for (owner, text) in patterns {
            let pattern = Pattern::parse(text).unwrap();
            for entry in pattern.entries() {
                duplicates.extend(index.add(*owner, pattern.names(), entry).err());
            }
        }
        (index, duplicates)
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
        assert_eq!(found, [(1, 2, "a.b"), (1, 3, "*.a.b"), (1, 3, "*.a.b"), (4, 5, "*")]);
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
