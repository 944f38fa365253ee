//! How an entry lies in the arena of an [`Index`](super::index::Index): five octets that say whose
//! it is, and its name.
//!
//! The octets have seven bits each, so that an arena is text and a name is taken out of it without a
//! look at each octet.

use super::index::Hit;
use crate::model::pattern::Entry;

/// Octets before the name.
const HEAD: usize = 5;

/// Bits of an octet that is text by itself.
const BITS: u32 = 7;

/// The lowest bits of a head are the length of the name and whether the entry is a suffix: what is
/// compared before the name is.
const LENGTH: u16 = 0xff;
const SUFFIX: u16 = 1 << 8;
const SHAPE: u16 = LENGTH | SUFFIX;

/// Then whether the pattern was written `*.x`, and the owner.
const TREE: u64 = 1 << 9;
const OWNER: u32 = 10;

/// Octets of an entry with this name.
pub(super) fn size(name: &str) -> usize {
    HEAD + name.len()
}

/// Writes an entry of this name at its place, which has its size.
pub(super) fn write(place: &mut [u8], hit: &Hit<'_>, name: &str) {
    let shape = shape(name, matches!(hit.entry, Entry::Suffix(_))).expect("a domain has at most 253 octets");
    let tree = if hit.tree { TREE } else { 0 };
    let head = u64::from(shape) | tree | u64::from(hit.owner) << OWNER;
    // The configuration is limited to 256 MiB, and a connector takes more than 8 octets of it.
    assert_eq!(head >> (BITS * 5), 0, "there are less than 33 million connectors");
    let (octets, text) = place.split_at_mut(HEAD);
    for (octet, shift) in octets.iter_mut().zip([0, 1, 2, 3, 4].map(|at| at * BITS)) {
        *octet = u8::try_from(head >> shift & 0x7f).unwrap_or_default();
    }
    text.copy_from_slice(name.as_bytes());
}

/// Where in a bucket the entry of this name is.
pub(super) fn find(bucket: &[u8], name: &str, is_suffix: bool) -> Option<usize> {
    find_shape(bucket, shape(name, is_suffix)?, name.as_bytes())
}

fn find_shape(bucket: &[u8], shape: u16, name: &[u8]) -> Option<usize> {
    let mut rest = bucket;
    loop {
        let (other, text, next) = split(rest)?;
        if other == shape && text == name {
            return Some(bucket.len() - rest.len());
        }
        rest = next;
    }
}

/// Moves the entries of a bucket together, without those of a name that one before has: the octets of
/// those that are left.
pub(super) fn distinct(bucket: &mut [u8]) -> usize {
    let (mut kept, mut at) = (0, 0);
    while let Some((shape, name, _)) = bucket.get(at..).and_then(split) {
        let end = at + HEAD + name.len();
        if bucket.get(..kept).and_then(|kept| find_shape(kept, shape, name)).is_none() {
            if kept != at {
                bucket.copy_within(at..end, kept);
            }
            kept += end - at;
        }
        at = end;
    }
    kept
}

/// The shape and the name of the first entry, and what is behind it.
fn split(entries: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let (&[first, second, ..], behind) = entries.split_first_chunk::<HEAD>()?;
    let shape = (u16::from(first) | u16::from(second) << BITS) & SHAPE;
    let (name, rest) = behind.split_at_checked(usize::from(shape & LENGTH))?;
    Some((shape, name, rest))
}

/// The first entry, and what is behind it.
pub(super) fn read(entries: &str) -> Option<(Hit<'_>, &str)> {
    let (octets, behind) = entries.split_at_checked(HEAD)?;
    let head = octets.bytes().rev().fold(0, |head, octet| head << BITS | u64::from(octet));
    let shape = u16::try_from(head & u64::from(SHAPE)).ok()?;
    let (name, rest) = behind.split_at_checked(usize::from(shape & LENGTH))?;
    let entry = if shape & SUFFIX == 0 { Entry::Name(name) } else { Entry::Suffix(name) };
    Some((Hit { owner: u32::try_from(head >> OWNER).ok()?, entry, tree: head & TREE != 0 }, rest))
}

fn shape(name: &str, is_suffix: bool) -> Option<u16> {
    let length = u8::try_from(name.len()).ok()?;
    Some(u16::from(length) | if is_suffix { SUFFIX } else { 0 })
}
