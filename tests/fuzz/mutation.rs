//! Mutants of seeds, the same ones each time.

/// Bytes that decide something somewhere: ends, escapes, separators, edges of ranges.
const TELLING: &[u8] = b"\0\t\n\r !\"#$%&'*+,-./0:;=@AFZ[\\]^_afgxz{}~\x7f\x80\xc3\xe2\xff";

/// The most bytes of a mutant; what is over is cut.
const LONGEST: usize = 4096;

/// Mutants without end.
pub struct Mutants<'a> {
    seeds: &'a [Vec<u8>],
    dictionary: Vec<Vec<u8>>,
    state: u64,
}

impl<'a> Mutants<'a> {
    /// Of these seeds, with words to put in.
    pub fn new(seeds: &'a [Vec<u8>], dictionary: Vec<Vec<u8>>) -> Self {
        Mutants { seeds, dictionary, state: 0x0c09_9ec7_04d0_0001 }
    }

    /// SplitMix64.
    fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, or 0.
    fn below(&mut self, end: usize) -> usize {
        (self.random() % end.max(1) as u64) as usize
    }

    fn pick<'s>(&mut self, all: &'s [Vec<u8>]) -> &'s [u8] {
        let at = self.below(all.len());
        all.get(at).map_or(&[], Vec::as_slice)
    }

    /// A short range of a mutant.
    fn range(&mut self, length: usize) -> std::ops::Range<usize> {
        let start = self.below(length);
        let longest = 1 + self.below(32);
        start..length.min(start + 1 + self.below(longest))
    }

    fn mutate(&mut self, bytes: &mut Vec<u8>) {
        let at = self.below(bytes.len());
        let range = self.range(bytes.len());
        let telling = TELLING[self.below(TELLING.len())];
        match self.below(9) {
            // A bit, a byte, a neighbour in the alphabet.
            0 if !bytes.is_empty() => bytes[at] ^= 1 << self.below(8),
            1 if !bytes.is_empty() => bytes[at] = telling,
            2 if !bytes.is_empty() => {
                bytes[at] = bytes[at].wrapping_add(if telling.is_multiple_of(2) { 1 } else { 255 })
            }
            3 => bytes.insert(at, telling),
            4 => drop(bytes.drain(range)),
            5 => bytes.truncate(at),
            // Twice, or at another place.
            6 => {
                let part = bytes[range].to_vec();
                bytes.splice(at..at, part);
            }
            // The beginning of one and the end of another.
            7 => {
                let other = self.pick(self.seeds).to_vec();
                bytes.truncate(at);
                bytes.extend_from_slice(&other[self.below(other.len())..]);
            }
            _ => {
                let words = std::mem::take(&mut self.dictionary);
                bytes.splice(at..at, self.pick(&words).iter().copied());
                self.dictionary = words;
            }
        }
        bytes.truncate(LONGEST);
    }
}

impl Iterator for Mutants<'_> {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let mut bytes = self.pick(self.seeds).to_vec();
        for _ in 0..=self.below(4) {
            self.mutate(&mut bytes);
        }
        Some(bytes)
    }
}
