//! Where in the arena of an [`Index`](super::index::Index) a text is: its hash says where.
//!
//! Every hash has its home, a place in the arena. The texts lie in the order of their homes, each where
//! its home begins or, when that is taken, right behind the one before it. A third of the arena stays
//! empty, so that this is near: a lookup looks at one piece of memory, two of three times at a single line
//! of it. For a table of where the texts are it would wait as well: that of a million does not stay in
//! the cache.
//!
//! It is made by going through the texts twice: [`Counted`] is what the first time finds out, then
//! [`Filling`] gives each text its place. What is in a home already is not looked at then, for that
//! would wait for memory each time; it is when all are there, from one end of the arena to the other.

use super::{LINE, position};

/// Three texts have two homes.
const TEXTS: usize = 3;
const HOMES: usize = 2;

/// Homes at most: with so many of them, and [`LINE`] octets each, an arena takes 1 GiB. With more texts
/// the homes get larger.
const MOST: usize = 1 << 24;

/// Of ten octets of an arena at most seven have text. With less room a text is farther from its home.
const ROOM: u64 = 10;
const TAKEN: u64 = 7;

/// Where the texts of a hash begin.
#[derive(Debug, Default)]
pub(super) struct Homes {
    count: usize,
    octets: usize,
    first: usize,
}

/// How much text each home has.
#[derive(Debug)]
pub(super) struct Counted {
    octets: Vec<u32>,
}

/// An arena that is being filled, and how far the texts of each home reach.
#[derive(Debug)]
pub(super) struct Filling {
    homes: Homes,
    ends: Vec<u32>,
    arena: Vec<u8>,
}

/// Configuration is limited to 256 MiB in all, and no text takes sixteen times what is written.
const TOO_LARGE: &str = "the arena is below 4 GiB";

/// The home of a hash among so many, by its upper bits.
fn home(hash: u64, homes: usize) -> usize {
    let homes = u64::try_from(homes).unwrap_or(u64::MAX);
    usize::try_from((u128::from(hash) * u128::from(homes)) >> 64).unwrap_or(usize::MAX)
}

/// Offsets are kept in four octets.
fn narrow(offset: usize) -> u32 {
    u32::try_from(offset).expect(TOO_LARGE)
}

impl Homes {
    /// Where in the arena the home of this hash begins.
    pub(super) fn start(&self, hash: u64) -> usize {
        self.first + home(hash, self.count) * self.octets
    }

    /// Octets from one home to the next.
    pub(super) fn octets(&self) -> usize {
        self.octets
    }
}

impl Counted {
    /// For about so many texts.
    pub(super) fn with_room(texts: usize) -> Counted {
        Counted { octets: vec![0; (texts.div_ceil(TEXTS) * HOMES).min(MOST)] }
    }

    /// Counts a text with this hash that takes so many octets.
    pub(super) fn add(&mut self, hash: u64, octets: usize) {
        if self.octets.is_empty() {
            self.octets.push(0);
        }
        let home = home(hash, self.octets.len());
        let count = self.octets.get_mut(home).expect("a hash has a home");
        *count = count.checked_add(narrow(octets)).expect(TOO_LARGE);
    }

    /// The arena for what was counted, and where in it what will be.
    pub(super) fn filling(self) -> Filling {
        let Counted { octets: mut ends } = self;
        let all: u64 = ends.iter().map(|&octets| u64::from(octets)).sum();
        if all == 0 {
            return Filling { homes: Homes::default(), ends: Vec::new(), arena: Vec::new() };
        }
        let count = ends.len();
        let even = (all * ROOM).div_ceil(TAKEN * u64::try_from(count).unwrap_or(u64::MAX));
        // A home is no smaller than a line of the cache, and the first one begins with one.
        let octets = usize::try_from(even).expect(TOO_LARGE).next_multiple_of(LINE / 4).max(LINE);
        let (mut start, mut end) = (0, 0);
        for texts in &mut ends {
            let place = start.max(end);
            end = place + position(std::mem::replace(texts, narrow(place)));
            start += octets;
        }
        // What the last homes have too much is behind them, and what there is before the first one is
        // for its alignment.
        let arena = vec![0; position(narrow(start.max(end) + LINE - 1))];
        let first = arena.as_ptr().align_offset(LINE).min(LINE - 1);
        Filling { homes: Homes { count, octets, first }, ends, arena }
    }
}

impl Filling {
    /// The place for a text of this hash, behind those of its home that are there.
    pub(super) fn place(&mut self, hash: u64, octets: usize) -> &mut [u8] {
        let end = self.ends.get_mut(home(hash, self.homes.count)).expect("a hash has a home");
        let start = position(*end) + self.homes.first;
        *end += narrow(octets);
        self.arena.get_mut(start..start + octets).expect("what is placed was counted")
    }

    /// The arena with what `keep` keeps of each home, so many octets from its beginning on, and how many
    /// octets it did not keep. Of texts that are not all in the home itself `settle` is told how many octets
    /// behind its beginning they begin, and how many it has.
    pub(super) fn finish(
        self,
        keep: impl Fn(&mut [u8]) -> usize,
        settle: impl Fn(&mut [u8], usize, usize),
    ) -> (Homes, Vec<u8>, usize) {
        let Filling { homes, ends, mut arena } = self;
        let (mut start, mut before, mut kept, mut lost) = (homes.first, 0, 0, 0);
        for &end in &ends {
            let (from, end) = (start.max(before), position(end) + homes.first);
            let to = start.max(kept);
            let octets = arena.get_mut(from..end).map_or(0, &keep);
            if from != to {
                arena.copy_within(from..from + octets, to);
            }
            (before, kept) = (end, to + octets);
            lost += end - from - octets;
            if let Some(left) = arena.get_mut(kept.max(from)..end) {
                left.fill(0);
            }
            if kept > start + homes.octets
                && let Some(texts) = arena.get_mut(to..kept)
            {
                settle(texts, to - start, homes.octets);
            }
            start += homes.octets;
        }
        (homes, arena, lost)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use std::cell::RefCell;

    use proptest::prelude::*;

    use super::*;

    /// Octets of a text: a home has room for one and a half.
    const TEXT: usize = 40;

    #[test]
    fn nothing_takes_nothing() {
        for texts in [0, 3] {
            let (homes, arena, lost) = Counted::with_room(texts).filling().finish(|_| 0, |_, _, _| ());
            assert_eq!((arena.capacity(), lost), (0, 0));
            for hash in [0, 7, u64::MAX] {
                assert_eq!(homes.start(hash), 0);
            }
        }
    }

    #[test]
    fn few_texts_take_little_and_many_no_more_than_is_theirs() {
        for (room, texts, most) in
            [(1, 1, 3 * LINE), (10, 10, 12 * LINE), (0, 1000, 65_000), (1000, 1000, 65_000)]
        {
            let mut counted = Counted::with_room(room);
            (0..texts).for_each(|text| counted.add(text << 54, TEXT));
            let arena = counted.filling().arena;
            assert!(arena.capacity() <= most, "{room} {texts} {}", arena.capacity());
        }
    }

    #[test]
    fn the_first_and_the_last_hash_have_a_home() {
        for room in 0..9 {
            let texts = [(0, b'a'), (u64::MAX, b'z')];
            let mut counted = Counted::with_room(room);
            texts.iter().for_each(|(hash, _)| counted.add(*hash, TEXT));
            let mut filling = counted.filling();
            texts.iter().for_each(|(hash, text)| filling.place(*hash, TEXT).fill(*text));
            let (homes, arena, _) = filling.finish(|home| home.len(), |_, _, _| ());
            assert_eq!(homes.start(0), homes.first);
            assert_eq!(arena.as_ptr().align_offset(LINE), homes.first);
            let last = homes.start(u64::MAX) + if room == 0 { TEXT } else { 0 };
            assert_eq!([homes.first, last].map(|at| arena[at]), *b"az", "{room}");
        }
    }

    proptest! {
        /// Each text that is kept is where its home begins or right behind the one before, in the order
        /// of the homes and of placing; everything else is zeros.
        #[test]
        fn the_order_is_that_of_homes(
            texts in proptest::collection::vec((0_u8..12, any::<bool>()), 0..120),
            room in 0_usize..150,
        ) {
            let hash = |home: u8| u64::from(home) << 60;
            let mut counted = Counted::with_room(room);
            texts.iter().for_each(|(home, _)| counted.add(hash(*home), TEXT));
            let mut filling = counted.filling();
            let mut kept = Vec::new();
            for (number, &(home, is_kept)) in (1..).zip(&texts) {
                let place = filling.place(hash(home), TEXT);
                place.fill(number);
                place[0] = u8::from(is_kept);
                if is_kept {
                    kept.push((hash(home), number));
                }
            }
            let settled = RefCell::new(Vec::new());
            let (homes, arena, lost) = filling.finish(
                |home| {
                    let kept: Vec<u8> =
                        home.chunks(TEXT).filter(|text| text[0] == 1).flatten().copied().collect();
                    home[..kept.len()].copy_from_slice(&kept);
                    kept.len()
                },
                |texts, behind, octets| {
                    if let Some(number) = texts.get(1) {
                        settled.borrow_mut().push((*number, behind, texts.len(), octets));
                    }
                },
            );
            prop_assert_eq!(lost, (texts.len() - kept.len()) * TEXT);
            kept.sort_by_key(|&(hash, number)| (homes.start(hash), number));
            let mut expected = vec![0; arena.len()];
            let mut calls = Vec::new();
            let mut end = 0;
            for group in kept.chunk_by(|a, b| homes.start(a.0) == homes.start(b.0)) {
                let start = homes.start(group[0].0);
                let from = start.max(end);
                end = from;
                for (_, number) in group {
                    expected[end..end + TEXT].fill(*number);
                    expected[end] = 1;
                    end += TEXT;
                }
                if end > start + homes.octets() {
                    calls.push((group[0].1, from - start, end - from, homes.octets()));
                }
            }
            prop_assert_eq!(arena, expected);
            prop_assert_eq!(settled.into_inner(), calls);
        }
    }
}
