//! What a peer can cause is said at most once a second for each kind.
//!
//! What was left unsaid is counted, and told with the next line of the kind, or by
//! [`Repeats::left_over`] when there is no next one.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The time between two lines of one kind. Ours: nobody can fill the log, nor miss what happens.
const INTERVAL: Duration = Duration::from_secs(1);

/// The kinds that were said, and when.
#[derive(Debug, Default)]
pub(super) struct Repeats(Mutex<BTreeMap<&'static str, Said>>);

#[derive(Debug)]
struct Said {
    at: Instant,
    unsaid: u64,
}

/// Leave to say something.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Turn {
    /// How many of the kind were not said since the last one, if any.
    pub(super) suppressed: Option<u64>,
}

impl Repeats {
    /// Asks to say something of a kind; none: it was only counted.
    pub(super) fn turn(&self, kind: &'static str) -> Option<Turn> {
        self.turn_at(kind, Instant::now())
    }

    fn turn_at(&self, kind: &'static str, now: Instant) -> Option<Turn> {
        let mut kinds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match kinds.get_mut(kind) {
            Some(said) if now.saturating_duration_since(said.at) < INTERVAL => {
                said.unsaid = said.unsaid.saturating_add(1);
                None
            }
            Some(said) => {
                let unsaid = std::mem::replace(said, Said { at: now, unsaid: 0 }).unsaid;
                Some(Turn { suppressed: (unsaid > 0).then_some(unsaid) })
            }
            None => {
                kinds.insert(kind, Said { at: now, unsaid: 0 });
                Some(Turn { suppressed: None })
            }
        }
    }

    /// What was counted and is not followed by another, with its number.
    pub(super) fn left_over(&self) -> Vec<(&'static str, u64)> {
        self.left_over_at(Instant::now())
    }

    /// The same at the end, when there will be no other of any kind.
    pub(super) fn all_left_over(&self) -> Vec<(&'static str, u64)> {
        self.left_over_at(Instant::now() + INTERVAL)
    }

    fn left_over_at(&self, now: Instant) -> Vec<(&'static str, u64)> {
        let mut kinds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let old = kinds.iter_mut().filter(|(_, said)| now.saturating_duration_since(said.at) >= INTERVAL);
        let unsaid =
            old.map(|(kind, said)| (*kind, std::mem::replace(said, Said { at: now, unsaid: 0 }).unsaid));
        unsaid.filter(|(_, unsaid)| *unsaid > 0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn l11_one_a_second_and_nothing_goes_uncounted() {
        let repeats = Repeats::default();
        let start = Instant::now();
        let mut said = 0;
        let mut suppressed = 0;
        for millisecond in 0..10_000 {
            if let Some(turn) = repeats.turn_at("a", start + Duration::from_millis(millisecond)) {
                said += 1;
                suppressed += turn.suppressed.unwrap_or_default();
            }
        }
        assert_eq!(said, 10);
        let end = start + Duration::from_secs(10);
        assert_eq!(repeats.left_over_at(end), [("a", 10_000 - said - suppressed)]);
        assert_eq!(repeats.left_over_at(end + INTERVAL), []);
    }

    #[test]
    fn l11_kinds_do_not_silence_each_other() {
        let repeats = Repeats::default();
        let now = Instant::now();
        assert_eq!(repeats.turn_at("a", now), Some(Turn { suppressed: None }));
        assert_eq!(repeats.turn_at("b", now), Some(Turn { suppressed: None }));
        assert_eq!(repeats.turn_at("a", now), None);
        assert_eq!(repeats.turn_at("a", now + INTERVAL), Some(Turn { suppressed: Some(1) }));
    }
}
