//! Where in the arena of an [`Index`](super::index::Index) a text is: the texts lie there in the
//! order of their hashes, and a table has where those of a bucket begin.
//!
//! The table is so small that it stays in the cache, and the few texts of a bucket are neighbours:
//! a lookup among a million waits for memory once. A table of hashes and places, open addressing or
//! chains, waits a second time for its slot, and is eight times as large.
//!
//! It is made by going through the texts twice: [`Counted`] is what the first time finds out, then
//! [`Filling`] gives each text its place. What is in a bucket already is not looked at then, for that
//! would wait for memory each time; it is when all are there, from one end of the arena to the other.

use std::ops::Range;

/// Texts in a bucket. With fewer the table grows, with more the walk through a bucket does.
const TEXTS: usize = 2;

/// Which part of an arena the texts of a hash are in.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// Where each bucket begins, and where the last one ends.
    starts: Vec<u32>,
}

/// How large the buckets are.
#[derive(Debug)]
pub(super) struct Counted {
    octets: Vec<u32>,
}

/// An arena that is being filled, and how far each of its buckets is.
#[derive(Debug)]
pub(super) struct Filling {
    table: Table,
    ends: Vec<u32>,
    arena: Vec<u8>,
}

/// The bucket of a hash among so many, by its upper bits.
fn bucket(hash: u64, buckets: usize) -> usize {
    let buckets = u64::try_from(buckets).unwrap_or(u64::MAX);
    usize::try_from((u128::from(hash) * u128::from(buckets)) >> 64).unwrap_or(usize::MAX)
}

/// Offsets are kept in four octets, and are as large as an arena.
fn wide(offset: u32) -> usize {
    usize::try_from(offset).expect("a platform with Unix sockets has pointers of 32 bits or more")
}

impl Counted {
    /// For about so many texts.
    pub(super) fn with_room(texts: usize) -> Counted {
        Counted { octets: vec![0; texts.div_ceil(TEXTS)] }
    }

    /// Counts a text with this hash that takes so many octets.
    pub(super) fn add(&mut self, hash: u64, octets: usize) {
        if self.octets.is_empty() {
            self.octets.push(0);
        }
        let bucket = bucket(hash, self.octets.len());
        let count = self.octets.get_mut(bucket).expect("a hash has a bucket");
        *count = u32::try_from(octets).ok().and_then(|octets| count.checked_add(octets)).expect(TOO_LARGE);
    }

    /// The arena for what was counted, and where in it what will be.
    pub(super) fn filling(self) -> Filling {
        let Counted { octets: mut starts } = self;
        let mut end: u32 = 0;
        for start in &mut starts {
            let octets = std::mem::replace(start, end);
            end = end.checked_add(octets).expect(TOO_LARGE);
        }
        let ends = starts.clone();
        starts.push(end);
        Filling { table: Table { starts }, ends, arena: vec![0; wide(end)] }
    }
}

/// Configuration is limited to 256 MiB in all, and no text takes sixteen times what is written.
const TOO_LARGE: &str = "the arena is below 4 GiB";

impl Filling {
    /// The place for a text of this hash, behind those of its bucket that are there.
    pub(super) fn place(&mut self, hash: u64, octets: usize) -> &mut [u8] {
        let bucket = bucket(hash, self.ends.len());
        let end = self.ends.get_mut(bucket).expect("a hash has a bucket");
        let start = wide(*end);
        *end = u32::try_from(start + octets).expect(TOO_LARGE);
        self.arena.get_mut(start..start + octets).expect("what is placed was counted")
    }

    /// Octets of the arena.
    pub(super) fn octets(&self) -> usize {
        self.arena.len()
    }

    /// The table, and the arena with what `keep` keeps of each bucket, so many octets from its
    /// beginning on.
    pub(super) fn finish(self, keep: impl Fn(&mut [u8]) -> usize) -> (Table, Vec<u8>) {
        let Filling { mut table, ends, mut arena } = self;
        let mut kept = 0;
        for (start, &end) in table.starts.iter_mut().zip(&ends) {
            let (from, end) = (wide(*start), wide(end));
            let octets = arena.get_mut(from..end).map_or(0, &keep);
            if from != kept {
                arena.copy_within(from..from + octets, kept);
            }
            *start = u32::try_from(kept).expect(TOO_LARGE);
            kept += octets;
        }
        if let Some(end) = table.starts.last_mut() {
            *end = u32::try_from(kept).expect(TOO_LARGE);
        }
        arena.truncate(kept);
        (table, arena)
    }
}

impl Table {
    /// Where in the arena the texts of this hash's bucket are.
    pub(super) fn range(&self, hash: u64) -> Range<usize> {
        let at = bucket(hash, self.starts.len().saturating_sub(1));
        match self.starts.get(at..).unwrap_or_default() {
            [start, end, ..] => wide(*start)..wide(*end),
            [] | [_] => 0..0,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use proptest::prelude::*;

    use super::*;

    /// Keeps everything.
    fn all(bucket: &mut [u8]) -> usize {
        bucket.len()
    }

    #[test]
    fn nothing_is_where_nothing_is() {
        assert_eq!(Table::default().range(7), 0..0);
        for texts in [0, 3] {
            let (table, arena) = Counted::with_room(texts).filling().finish(all);
            assert!(arena.is_empty());
            for hash in [0, 7, u64::MAX] {
                assert!(table.range(hash).is_empty());
            }
        }
    }

    #[test]
    fn the_first_and_the_last_hash_have_a_bucket() {
        for room in 0..9 {
            let texts = [(0, &b"first"[..]), (1 << 63, b"middle"), (u64::MAX, b"last")];
            let mut counted = Counted::with_room(room);
            texts.iter().for_each(|(hash, text)| counted.add(*hash, text.len()));
            let mut filling = counted.filling();
            for (hash, text) in texts {
                filling.place(hash, text.len()).copy_from_slice(text);
            }
            let (table, arena) = filling.finish(all);
            let of = |hash| arena.get(table.range(hash)).unwrap();
            assert!(of(0).starts_with(b"first") && of(u64::MAX).ends_with(b"last"), "{room}");
            assert_eq!((of(0) == b"first", of(1 << 63) == b"middle"), (room > 2, room > 4), "{room}");
        }
    }

    proptest! {
        /// Texts of three octets: a number, the text and whether it is kept. Each of those is in its
        /// bucket, in the order placed, and the others leave no gap.
        #[test]
        fn a_bucket_has_what_was_kept_there(
            texts in proptest::collection::vec((0_u8..9, any::<bool>()), 0..40),
            room in 0_usize..60,
        ) {
            let hash = |text: u8| u64::from(text) << 60 | u64::from(text);
            let mut counted = Counted::with_room(room);
            texts.iter().for_each(|(text, _)| counted.add(hash(*text), 3));
            let mut filling = counted.filling();
            let mut kept = Vec::new();
            for (number, &(text, is_kept)) in (0..).zip(&texts) {
                let octets = [number, text, u8::from(is_kept)];
                filling.place(hash(text), 3).copy_from_slice(&octets);
                if is_kept {
                    kept.push(octets);
                }
            }
            prop_assert_eq!(filling.octets(), 3 * texts.len());
            let (table, arena) = filling.finish(|bucket| {
                let kept: Vec<u8> = bucket.chunks(3).filter(|text| text[2] == 1).flatten().copied().collect();
                bucket[..kept.len()].copy_from_slice(&kept);
                kept.len()
            });
            prop_assert_eq!(arena.len(), 3 * kept.len());
            for text in 0..9 {
                let found: Vec<&[u8]> = arena.get(table.range(hash(text))).unwrap().chunks(3).collect();
                prop_assert!(found.is_sorted());
                let of = |octets: &&[u8]| octets[1] == text;
                let expected = kept.iter().map(|octets| &octets[..]).filter(of);
                prop_assert!(found.iter().copied().filter(of).eq(expected));
            }
        }
    }
}
