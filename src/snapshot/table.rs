//! Where in the arena of an [`Index`](super::index::Index) a text is: a hash table that is filled once.
//!
//! A slot has a part of the hash beside the place, eight octets together, so that a lookup waits for
//! memory twice at a million names: for the slot, and for the text. A table that keeps hashes and
//! places apart waits a third time, and that is what such a lookup takes.

/// Open addressing with linear probing, at most half full.
pub(super) struct Table {
    /// Zero: empty. Else the upper half of the hash, and the offset plus one.
    slots: Vec<u64>,
}

impl Table {
    /// A table for so many texts.
    pub(super) fn with_room(texts: usize) -> Table {
        let slots = if texts == 0 { 0 } else { (2 * texts).next_power_of_two() };
        Table { slots: vec![0; slots] }
    }

    /// The offset of the text with this hash that `is_it` says yes to.
    pub(super) fn find(&self, hash: u64, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        self.probe(hash, is_it).ok()
    }

    /// Adds a text with this hash, or has the offset of the one that `is_it` says yes to.
    ///
    /// # Errors
    /// That offset.
    pub(super) fn add(&mut self, hash: u64, offset: u32, is_it: impl Fn(u32) -> bool) -> Result<(), u32> {
        match self.probe(hash, is_it) {
            Ok(known) => Err(known),
            Err(free) => {
                let slot = free.and_then(|free| self.slots.get_mut(free));
                *slot.expect("a table has room for all that it was made for") =
                    upper(hash) | (u64::from(offset) + 1);
                Ok(())
            }
        }
    }

    /// The offset of the text, or else the slot where it would be; none in a table without slots.
    fn probe(&self, hash: u64, is_it: impl Fn(u32) -> bool) -> Result<u32, Option<usize>> {
        let mask = self.slots.len().wrapping_sub(1);
        let Ok(mut at) = usize::try_from(hash & u64::try_from(mask).unwrap_or(u64::MAX)) else {
            return Err(None);
        };
        loop {
            let Some(&slot) = self.slots.get(at) else {
                return Err(None);
            };
            let Some(place) = (slot & u64::from(u32::MAX)).checked_sub(1) else {
                return Err(Some(at));
            };
            if upper(slot) == upper(hash)
                && let Ok(offset) = u32::try_from(place)
                && is_it(offset)
            {
                return Ok(offset);
            }
            at = (at + 1) & mask;
        }
    }
}

/// The upper half of a hash or slot.
fn upper(bits: u64) -> u64 {
    bits & !u64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_is_found_where_nothing_is() {
        let table = Table::with_room(0);
        assert_eq!(table.find(7, |_| true), None);
        assert_eq!(Table::with_room(3).find(7, |_| true), None);
    }

    #[test]
    fn the_last_offset_has_a_slot() {
        let mut table = Table::with_room(1);
        assert_eq!(table.add(u64::MAX, u32::MAX - 1, |_| false), Ok(()));
        assert_eq!(table.find(u64::MAX, |offset| offset == u32::MAX - 1), Some(u32::MAX - 1));
    }

    proptest! {
        /// Hashes of few bits: nearly all collide, in the slot, in the part that is kept, or in both.
        #[test]
        fn it_is_a_map(keys in proptest::collection::vec(0_u64..64, 0..40)) {
            let hash = |key: u64| (key % 3) << 62 | (key % 5);
            let mut table = Table::with_room(keys.len());
            let mut known: Vec<u64> = Vec::new();
            for &key in &keys {
                let offset = u32::try_from(known.len()).unwrap();
                let is_it = |offset: u32| known[usize::try_from(offset).unwrap()] == key;
                match known.iter().position(|other| *other == key) {
                    Some(first) => {
                        prop_assert_eq!(table.add(hash(key), offset, is_it), Err(u32::try_from(first).unwrap()));
                    }
                    None => {
                        prop_assert_eq!(table.add(hash(key), offset, is_it), Ok(()));
                        known.push(key);
                    }
                }
            }
            for key in 0..64 {
                let found = table.find(hash(key), |offset| known[usize::try_from(offset).unwrap()] == key);
                let expected = known.iter().position(|other| *other == key);
                prop_assert_eq!(found, expected.map(|at| u32::try_from(at).unwrap()));
            }
        }
    }
}
