//! How an entry lies in the arena of an [`Index`](super::index::Index): six octets that say whose
//! it is, and its name.
//!
//! Its first two octets are one character that is not ASCII, and everything else is: so an entry can be
//! told from the middle of another one wherever one looks, an arena is text all the same, and a name is
//! taken out of it without a look at each octet. Where there is no entry an arena has zeros.

use super::index::Hit;
use crate::model::domain::MAX_NAME;
use crate::model::pattern::Entry;

/// Octets before the name.
const HEAD: usize = 6;

/// Bits of an octet that is text by itself.
const BITS: u32 = 7;

/// First octets of the characters of two octets that an entry begins with; the lower bits are [`SUFFIX`]
/// and [`FAR`].
const FIRST: u8 = 0xd0;

/// What the second octet of such a character has besides six bits: the lower ones of the length.
const SECOND: u32 = 0x80;

/// Whether the entry is a suffix, and the length of the name, in the first three octets: what is compared
/// before the name is.
const SUFFIX: u32 = 1;
const SHAPE: u32 = 0x03_ff_01;

/// How many homes behind its own an entry begins: a walk ends at one whose home is a later one. So many
/// and more are one number.
const FAR: u8 = 0b1110;
const FARTHEST: usize = 7;

/// What is not within an entry, wherever one looks: a head has no more than four zeros, for the second of
/// its octets has a bit set, and behind them is a name.
const NOBODY: [u8; 5] = [0; 5];

/// In the third octet whether the pattern was written `*.x`, then the owner: four bits of it there.
const TREE: u32 = 1 << 18;
const OWNER: u32 = 19;
const OWNER_THERE: u32 = 4;

/// Octets of an entry with this name.
pub(super) fn size(name: &str) -> usize {
    HEAD + name.len()
}

/// Writes an entry of this name at its place, which has its size.
pub(super) fn write(place: &mut [u8], hit: &Hit<'_>, name: &str) {
    let shape = shape(name, matches!(hit.entry, Entry::Suffix(_))).expect("a domain has at most 253 octets");
    // The configuration is limited to 256 MiB, and a connector takes more than 8 octets of it.
    assert_eq!(hit.owner >> 25, 0, "there are less than 33 million connectors");
    let here = (hit.owner & ((1 << OWNER_THERE) - 1)) << OWNER;
    let [first, second, third, _] = (shape | if hit.tree { TREE } else { 0 } | here).to_le_bytes();
    let behind = |at: u32| u8::try_from(hit.owner >> (OWNER_THERE + BITS * at) & 0x7f).unwrap_or_default();
    let (head, text) = place.split_at_mut(HEAD);
    head.copy_from_slice(&[FIRST | first, second, third, behind(0), behind(1), behind(2)]);
    text.copy_from_slice(name.as_bytes());
}

/// Where the entry of this name is, in an arena from its home on, if homes have so many octets.
pub(super) fn find(home: &[u8], octets: usize, name: &str, is_suffix: bool) -> Option<usize> {
    let shape = shape(name, is_suffix)?;
    let mut at = match *home.first_chunk()? {
        NOBODY => return None,
        [first, ..] if begins(first) => 0,
        // The end of an entry of a home before.
        _ => next(home.get(..HEAD + MAX_NAME).unwrap_or(home))?,
    };
    loop {
        let (other, far, text) = split(home.get(at..)?)?;
        if other == shape && text == name.as_bytes() {
            return Some(at);
        }
        if far < FARTHEST && at >= (far + 1) * octets {
            return None;
        }
        at += HEAD + text.len();
    }
}

/// Moves the entries of a home together, without those of a name that one before has: the octets of
/// those that are left.
pub(super) fn distinct(home: &mut [u8]) -> usize {
    let (mut kept, mut at) = (0, 0);
    while let Some((shape, _, name)) = home.get(at..).and_then(split) {
        let end = at + HEAD + name.len();
        if !home.get(..kept).is_some_and(|kept| has(kept, shape, name)) {
            if kept != at {
                home.copy_within(at..end, kept);
            }
            kept += end - at;
        }
        at = end;
    }
    kept
}

fn has(mut entries: &[u8], shape: u32, name: &[u8]) -> bool {
    while let Some((other, _, text)) = split(entries) {
        if other == shape && text == name {
            return true;
        }
        entries = entries.get(HEAD + text.len()..).unwrap_or_default();
    }
    false
}

/// Writes into each entry of a home how far from there it is: they begin behind so many octets, and homes
/// have so many.
pub(super) fn settle(entries: &mut [u8], behind: usize, octets: usize) {
    let mut at = 0;
    while let Some((_, _, name)) = entries.get(at..).and_then(split) {
        let far = u8::try_from(((behind + at) / octets).min(FARTHEST)).unwrap_or_default();
        let next = at + HEAD + name.len();
        if let Some(first) = entries.get_mut(at) {
            *first = *first & !FAR | far << FAR.trailing_zeros();
        }
        at = next;
    }
}

/// Whether this is the first octet of an entry: no other octet of an arena has both of these bits.
fn begins(octet: u8) -> bool {
    octet & 0xc0 == 0xc0
}

/// Where the first entry begins.
pub(super) fn next(arena: &[u8]) -> Option<usize> {
    let (words, rest) = arena.as_chunks::<8>();
    for (at, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let found = word & word << 1 & 0x8080_8080_8080_8080;
        if found != 0 {
            return Some(at * 8 + usize::try_from(found.trailing_zeros() / 8).ok()?);
        }
    }
    rest.iter().position(|&octet| begins(octet)).map(|at| words.len() * 8 + at)
}

/// The shape of the entry that begins here, how far from its home it is, and its name.
fn split(entries: &[u8]) -> Option<(u32, usize, &[u8])> {
    let (&[first, second, third, ..], behind) = entries.split_first_chunk::<HEAD>()?;
    if !begins(first) {
        return None;
    }
    let shape = u32::from_le_bytes([first, second, third, 0]) & SHAPE;
    let far = usize::from((first & FAR) >> FAR.trailing_zeros());
    Some((shape, far, behind.get(..length(shape))?))
}

/// The entry that begins here, and what is behind it.
pub(super) fn read(entries: &str) -> Option<(Hit<'_>, &str)> {
    let (head, behind) = entries.split_at_checked(HEAD)?;
    let &[first, second, third, fourth, fifth, sixth] = head.as_bytes().first_chunk::<HEAD>()?;
    let word = u32::from_le_bytes([first, second, third, 0]);
    let owner = [sixth, fifth, fourth].iter().fold(0, |owner, &octet| owner << BITS | u32::from(octet));
    let owner = owner << OWNER_THERE | word >> OWNER;
    let (name, rest) = behind.split_at_checked(length(word & SHAPE))?;
    let entry = if word & SUFFIX == 0 { Entry::Name(name) } else { Entry::Suffix(name) };
    Some((Hit { owner, entry, tree: word & TREE != 0 }, rest))
}

/// The shape of an entry of this name: first the suffix, then the lower six bits of the length, and in the
/// third octet the others.
fn shape(name: &str, is_suffix: bool) -> Option<u32> {
    let length = u32::from(u8::try_from(name.len()).ok()?);
    let suffix = if is_suffix { SUFFIX } else { 0 };
    Some(suffix | (SECOND | length & 0x3f) << 8 | length >> 6 << 16)
}

/// The length that a shape has.
fn length(shape: u32) -> usize {
    let [_, second, third, _] = shape.to_le_bytes();
    usize::from(third) << 6 | usize::from(second & 0x3f)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use crate::snapshot::LINE;

    /// More than ten homes have room for, all of them of the first.
    #[test]
    fn the_last_of_a_crowd_is_found() {
        let names: Vec<String> = (0..60).map(|number| format!("n{number}.example")).collect();
        let mut arena = Vec::new();
        let mut places = Vec::new();
        for name in &names {
            let at = arena.len();
            places.push(at);
            arena.resize(at + size(name), 0);
            let hit = Hit { owner: 0, entry: Entry::Name(name), tree: false };
            write(&mut arena[at..], &hit, name);
        }
        settle(&mut arena, 0, LINE);
        arena.resize(arena.len() + LINE, 0);
        for (name, at) in names.iter().zip(places) {
            assert_eq!(find(&arena, LINE, name, false), Some(at), "{name}");
        }
        assert_eq!(find(&arena, LINE, "other.example", false), None);
        assert_eq!(find(&arena, LINE, "n1.example", true), None);
    }

    #[test]
    fn an_entry_is_found_wherever_it_begins() {
        for length in 0..40 {
            let mut arena = vec![0x7f; length];
            assert_eq!(next(&arena), None);
            for at in 0..length {
                arena[at] = FIRST;
                assert_eq!(next(&arena), Some(at), "{length}");
                arena[at] = 0x7f;
            }
        }
    }
}
