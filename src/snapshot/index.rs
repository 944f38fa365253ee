//! Which connector a name belongs to: the index of compiled patterns.
//!
//! A million names have to fit beside a mail server and be found in less time than a context
//! switch takes, so they lie one after another in an arena, each where its hash says ([`Homes`]). The
//! suffixes of a name are slices of the name itself, and a lookup allocates nothing.
//!
//! The order of a lookup is the order of specificity: the name itself, the longest suffix, the
//! next one, ..., `*`.

use std::fmt;
use std::hash::{BuildHasher as _, Hasher as _};

use foldhash::fast::RandomState;

use super::homes::{Counted, Homes};
use super::{LINE, stored};
use crate::model::pattern::{Entry, Pattern};

/// Entries that are placed one right after the other. Their places are not in the cache: what happens
/// in between waits for them as soon as it reads what it wrote, as iterators do, and so would each
/// entry for the one before it.
const BATCH: usize = 256;

/// An arena of so many octets stays in the cache.
const NEAR: usize = 256 * 1024;

/// The patterns of many owners, each entry belonging to exactly one of them.
pub struct Index {
    arena: String,
    homes: Homes,
    /// Seeded for each index: who writes a list cannot know which names would meet in a bucket.
    hasher: RandomState,
    /// Bit n is set when some suffix has n labels: most names need one probe, not one a label.
    depths: u128,
    any: Option<u32>,
    has_repeats: bool,
}

/// An entry of an owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit<'a> {
    /// Whose it is: a number below that of connectors.
    pub owner: u32,
    /// What it is.
    pub entry: Entry<'a>,
    /// It was written `*.x`, name and suffix in one.
    pub(super) tree: bool,
}

impl<'a> Hit<'a> {
    /// What a pattern of an owner compiles to.
    pub fn of(owner: u32, pattern: Pattern<&'a str>) -> impl Iterator<Item = Hit<'a>> {
        let tree = matches!(pattern, Pattern::Tree(_));
        pattern.compiled().map(move |entry| Hit { owner, entry, tree })
    }
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
    /// The index of the entries that `all` gives, the same ones each time, about so many of them.
    ///
    /// An entry that two owners have belongs to the one that came first, and is told of. One owner
    /// may repeat itself.
    pub fn build<'a, I>(size: usize, all: impl Fn() -> I) -> (Index, Vec<Duplicate>)
    where
        I: Iterator<Item = Hit<'a>>,
    {
        let hasher = RandomState::default();
        let (mut counted, mut depths, mut any, mut has_repeats) = (Counted::with_room(size), 0, None, false);
        // Not with `for`, here and below: the parts of such an iterator become one loop only if it is the
        // iterator that loops. A tenth of a start.
        all().for_each(|hit| {
            if let Some((name, is_suffix)) = text(hit.entry) {
                counted.add(hash(&hasher, name, is_suffix), stored::size(name));
                if is_suffix {
                    depths |= depth_bit(name.split('.').count());
                }
            } else {
                has_repeats |= any.is_some();
                any.get_or_insert(hit.owner);
            }
        });
        let mut filling = counted.filling();
        let mut batch = Vec::with_capacity(BATCH);
        let mut place = |batch: &mut Vec<_>| {
            for (hash, name, hit) in batch.drain(..) {
                stored::write(filling.place(hash, stored::size(name)), &hit, name);
            }
        };
        all().for_each(|hit| {
            let Some((name, is_suffix)) = text(hit.entry) else { return };
            batch.push((hash(&hasher, name, is_suffix), name, hit));
            if batch.len() == BATCH {
                place(&mut batch);
            }
        });
        place(&mut batch);
        let (homes, arena, lost) = filling.finish(stored::distinct, stored::settle);
        has_repeats |= lost > 0;
        let arena = String::from_utf8(arena).expect("entries are text");
        let index = Index { arena, homes, hasher, depths, any, has_repeats };
        // What is not found is not enforced.
        debug_assert!(index.entries().all(|hit| index.own(hit.entry) == Some(hit)), "an entry is lost");
        let duplicates = if has_repeats { index.duplicates(all()) } else { Vec::new() };
        (index, duplicates)
    }

    /// Those of the entries given that are another owner's.
    fn duplicates<'a>(&self, all: impl Iterator<Item = Hit<'a>>) -> Vec<Duplicate> {
        let others = all.filter_map(|hit| {
            let first = self.own(hit.entry).filter(|first| first.owner != hit.owner)?;
            Some(Duplicate { first: first.owner, second: hit.owner, pattern: hit.to_string() })
        });
        others.collect()
    }

    fn find(&self, name: &str, is_suffix: bool) -> Option<Hit<'_>> {
        let start = self.homes.start(hash(&self.hasher, name, is_suffix));
        let behind = self.arena.as_bytes().get(start..)?;
        let at = stored::find(behind, self.homes.octets(), name, is_suffix)?;
        stored::read(self.arena.get(start + at..)?).map(|(hit, _)| hit)
    }

    /// Sends for what a lookup of this name will look at first, if it is far away. Waits for nothing.
    pub fn prefetch(&self, name: &str) {
        if self.arena.len() > NEAR {
            let start = self.homes.start(hash(&self.hasher, name, false));
            // An entry may reach into the next line.
            prefetch_index::prefetch_index(self.arena.as_bytes(), start);
            prefetch_index::prefetch_index(self.arena.as_bytes(), start + LINE);
        }
    }

    /// The entry of exactly this name.
    pub fn name(&self, name: &str) -> Option<Hit<'_>> {
        self.find(name, false)
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
        match text(entry) {
            Some((name, is_suffix)) => self.find(name, is_suffix),
            None => self.any(),
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
                let wanted = self.depths & depth_bit(depth) != 0;
                (rest, depth) = (rest.get(dot + 1..)?, depth - 1);
                if let Some(hit) = wanted.then(|| self.find(rest, true)).flatten() {
                    return Some(hit);
                }
            }
            None
        })
    }

    /// Whether this entry is this owner's.
    pub(super) fn is_of(&self, entry: Entry<'_>, owner: u32) -> bool {
        self.own(entry).is_some_and(|hit| hit.owner == owner)
    }

    /// The other half of a suffix that was written `*.x`, if both are here: the name `x`.
    pub(super) fn half<'a>(&self, hit: Hit<'a>) -> Option<Entry<'a>> {
        match hit.entry {
            Entry::Suffix(name) if hit.tree => {
                let half = Hit { entry: Entry::Name(name), ..hit };
                (self.own(half.entry) == Some(half)).then_some(half.entry)
            }
            Entry::Name(_) | Entry::Suffix(_) | Entry::Any => None,
        }
    }

    /// Whether some entry was given more than once.
    pub(super) fn has_repeats(&self) -> bool {
        self.has_repeats
    }

    /// Every entry, each once; `*` is the last, and the others come in an order that means nothing: it
    /// is another one in each index, also of the same entries.
    pub fn entries(&self) -> impl Iterator<Item = Hit<'_>> {
        let mut rest = self.arena.as_str();
        std::iter::from_fn(move || {
            let (hit, behind) = stored::read(rest.get(stored::next(rest.as_bytes())?..)?)?;
            rest = behind;
            Some(hit)
        })
        .chain(self.any())
    }
}

/// What an entry is stored by: its name, and whether it is a suffix. `*` is not stored.
fn text(entry: Entry<'_>) -> Option<(&str, bool)> {
    match entry {
        Entry::Name(name) => Some((name, false)),
        Entry::Suffix(name) => Some((name, true)),
        Entry::Any => None,
    }
}

fn hash(hasher: &RandomState, name: &str, is_suffix: bool) -> u64 {
    let mut hasher = hasher.build_hasher();
    hasher.write_u8(u8::from(is_suffix));
    hasher.write(name.as_bytes());
    hasher.finish()
}

/// A name has at most 127 labels (RFC 1035 section 2.3.4), so every depth has a bit.
fn depth_bit(labels: usize) -> u128 {
    1_u128 << labels.min(127)
}

#[cfg(test)]
#[path = "index_tests.rs"]
mod tests;
