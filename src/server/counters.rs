//! How often each connector decided what, for `status`.
//!
//! The usual verdicts of the generation that is served are in its [`Tally`]; the rest, and what was
//! before, in the [`Counters`]. Counted from the start of the daemon, over reloads; a connector that
//! is no longer configured is forgotten, so that the numbers stay bounded by the configuration. A
//! reporting connector is counted with what it would have decided, and apart from what it decided
//! when it was enforcing. Replies without any enforcing connector are counted together under the empty name.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use crate::snapshot::Snapshot;

/// Counts of verdicts, by their word and [`Part`]; there are sixteen of them.
pub(super) type Verdicts = Vec<(&'static str, Part, u64)>;

/// By the name of the connector.
type Decisions = HashMap<String, Verdicts, foldhash::fast::RandomState>;

/// What part a connector had in a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The verdict was given.
    Decided,
    /// It would have been given, had the connector been enforcing.
    Reported,
}

/// What is counted of one generation without a lock or a look-up by name: the verdicts that nearly all
/// answers are. An address in memory for each connector, so that counting costs less than answering.
///
/// One thread counts, that of the connections, and others look: so a count is an ordinary addition, and
/// what is under way in the processor need not be finished before it. It only ever grows.
#[derive(Debug)]
pub(super) struct Tally {
    /// `ok` by each outbound connector.
    outbound: Vec<AtomicU64>,
    /// `pass` by each inbound connector.
    inbound: Vec<AtomicU64>,
    /// `notfound`, and `pass`, without any.
    nobody: [AtomicU64; 2],
    /// How much of each the [`Counters`] have; nothing of those that are missing.
    settled: Mutex<Vec<u64>>,
}

/// A verdict that is given all the time.
#[derive(Clone, Copy, Debug)]
pub(super) enum Usual {
    /// `ok` by the outbound connector of this number.
    Ok(u32),
    /// `pass` by the inbound connector of this number.
    Pass(usize),
    /// `notfound` without any.
    NotFound,
    /// `pass` without any.
    Unidentified,
}

/// All that is counted of answers.
#[derive(Debug, Default)]
pub(super) struct Counters {
    decisions: Mutex<Decisions>,
    panics: AtomicU64,
}

/// One number of `status`.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct Count {
    connector: String,
    verdict: &'static str,
    /// Whether the connector only reported it, and the MTA was told nothing of it.
    reporting: bool,
    count: u64,
}

impl Tally {
    /// Nothing counted yet.
    pub(super) fn of(snapshot: &Snapshot) -> Tally {
        let zeros = |count| std::iter::repeat_with(AtomicU64::default).take(count).collect();
        Tally {
            outbound: zeros(snapshot.outbound().len()),
            inbound: zeros(snapshot.inbound().len()),
            nobody: Default::default(),
            settled: Mutex::default(),
        }
    }

    /// Counts one. For the thread of the connections alone.
    pub(super) fn count(&self, verdict: Usual) {
        let [notfound, unidentified] = &self.nobody;
        let counter = match verdict {
            Usual::Ok(number) => usize::try_from(number).ok().and_then(|number| self.outbound.get(number)),
            Usual::Pass(number) => self.inbound.get(number),
            Usual::NotFound => Some(notfound),
            Usual::Unidentified => Some(unidentified),
        };
        if let Some(counter) = counter {
            counter.store(counter.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        }
    }

    /// Adds to `decisions` what they do not have yet; how much of each counter they have then.
    fn add_to<'s>(
        &'s self,
        decisions: &'s mut Decisions,
        snapshot: &'s Snapshot,
        settled: &'s [u64],
    ) -> impl Iterator<Item = u64> {
        let before = settled.iter().copied().chain(std::iter::repeat(0));
        self.counters(snapshot).zip(before).map(|((connector, verdict, counter), before)| {
            let count = counter.load(Ordering::Relaxed);
            if count > before {
                add(decisions, connector, verdict, Part::Decided, count - before);
            }
            count
        })
    }

    /// Every counter with the connector and the verdict that it stands for.
    fn counters<'s>(
        &'s self,
        snapshot: &'s Snapshot,
    ) -> impl Iterator<Item = (&'s str, &'static str, &'s AtomicU64)> {
        let outbound = snapshot.outbound().iter().map(|connector| connector.agreement.name.as_str());
        let inbound = snapshot.inbound().iter().map(|connector| connector.name.as_str());
        let nobody = ["notfound", "pass"].into_iter().zip(&self.nobody);
        let outbound = outbound.zip(&self.outbound).map(|(name, counter)| (name, "ok", counter));
        let inbound = inbound.zip(&self.inbound).map(|(name, counter)| (name, "pass", counter));
        outbound.chain(inbound).chain(nobody.map(|(verdict, counter)| ("", verdict, counter)))
    }
}

impl Counters {
    /// Counts a verdict of a connector, or one without any under the empty name.
    pub(super) fn count(&self, connector: &str, verdict: &'static str, part: Part) {
        let mut decisions = self.decisions.lock().unwrap_or_else(PoisonError::into_inner);
        add(&mut decisions, connector, verdict, part, 1);
    }

    /// Takes over what was counted of a generation. To be called when it is no longer served, and again
    /// when nobody uses it any more.
    pub(super) fn settle(&self, snapshot: &Snapshot, tally: &Tally) {
        let mut decisions = self.decisions.lock().unwrap_or_else(PoisonError::into_inner);
        let mut settled = tally.settled.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = tally.add_to(&mut decisions, snapshot, &settled).collect();
        *settled = counts;
    }

    /// Counts a panic on behalf of a connection, which has mostly ended by it.
    pub(super) fn count_panic(&self) {
        self.panics.fetch_add(1, Ordering::Relaxed);
    }

    /// Panics on behalf of connections.
    pub(super) fn panics(&self) -> u64 {
        self.panics.load(Ordering::Relaxed)
    }

    /// Forgets connectors that a snapshot does not have.
    pub(super) fn keep(&self, snapshot: &Snapshot) {
        let outbound = snapshot.outbound().iter().map(|connector| connector.agreement.name.as_str());
        let inbound = snapshot.inbound().iter().map(|connector| connector.name.as_str());
        let known: std::collections::HashSet<&str> = outbound.chain(inbound).collect();
        let mut decisions = self.decisions.lock().unwrap_or_else(PoisonError::into_inner);
        decisions.retain(|name, _| name.is_empty() || known.contains(name.as_str()));
    }

    /// Tells what was counted of each connector, outbound and then inbound in the order of the snapshot, and at the end
    /// what was counted without any. Whoever counts waits for no more than what one of them takes.
    pub(super) fn each(&self, snapshot: &Snapshot, tally: &Tally, mut tell: impl FnMut(Verdicts)) {
        let mut usual = tally.counters(snapshot).enumerate().peekable();
        while let Some((_, (name, ..))) = usual.peek().copied() {
            let known = self.decisions.lock().unwrap_or_else(PoisonError::into_inner);
            let settled = tally.settled.lock().unwrap_or_else(PoisonError::into_inner);
            let mut verdicts = known.get(name).cloned().unwrap_or_default();
            while let Some((number, (_, verdict, counter))) = usual.next_if(|(_, (of, ..))| *of == name) {
                let before = settled.get(number).copied().unwrap_or_default();
                let more = counter.load(Ordering::Relaxed).saturating_sub(before);
                if more > 0 {
                    add_verdict(&mut verdicts, verdict, Part::Decided, more);
                }
            }
            drop((settled, known));
            tell(verdicts);
        }
    }

    /// Every count, by connector and verdict, with those of the generation that is served.
    pub(super) fn decisions(&self, snapshot: &Snapshot, tally: &Tally) -> Vec<Count> {
        let known = self.decisions.lock().unwrap_or_else(PoisonError::into_inner);
        let mut decisions = known.clone();
        // Under the lock: what is settled meanwhile would be in both.
        let settled = tally.settled.lock().unwrap_or_else(PoisonError::into_inner);
        tally.add_to(&mut decisions, snapshot, &settled).for_each(drop);
        drop(settled);
        drop(known);
        let counts = decisions.into_iter().flat_map(|(connector, verdicts)| {
            verdicts.into_iter().map(move |(verdict, part, count)| Count {
                connector: connector.clone(),
                verdict,
                reporting: part == Part::Reported,
                count,
            })
        });
        let mut counts: Vec<Count> = counts.collect();
        counts.sort();
        counts
    }
}

fn add(decisions: &mut Decisions, connector: &str, verdict: &'static str, part: Part, more: u64) {
    let verdicts = match decisions.get_mut(connector) {
        Some(verdicts) => verdicts,
        None => decisions.entry(connector.to_owned()).or_default(),
    };
    add_verdict(verdicts, verdict, part, more);
}

fn add_verdict(verdicts: &mut Verdicts, verdict: &'static str, part: Part, more: u64) {
    match verdicts.iter_mut().find(|(word, was, _)| (*word, *was) == (verdict, part)) {
        Some((.., count)) => *count = count.saturating_add(more),
        None => verdicts.push((verdict, part, more)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::service::Service;
    use super::*;

    /// How often `notfound` was answered without any connector, as `status` says it, and the metrics.
    fn told(counters: &Counters, snapshot: &Snapshot, tally: &Tally) -> u64 {
        let all = counters.decisions(snapshot, tally).iter().map(|count| count.count).sum();
        let mut each = 0;
        counters.each(snapshot, tally, |verdicts| {
            each += verdicts.iter().map(|(.., count)| count).sum::<u64>();
        });
        assert_eq!(each, all);
        all
    }

    #[test]
    fn what_is_counted_is_told_once_whatever_is_settled_and_when() {
        let service = Service::empty();
        let current = service.current.load_full();
        let (snapshot, old, new) = (&current.snapshot, &current.tally, Tally::of(&current.snapshot));
        let counters = Counters::default();
        (0..3).for_each(|_| old.count(Usual::NotFound));
        assert_eq!(told(&counters, snapshot, old), 3);
        counters.settle(snapshot, old);
        // Whoever still has the old generation is told the same as who has the new one.
        assert_eq!((told(&counters, snapshot, old), told(&counters, snapshot, &new)), (3, 3));
        // An answer that was under way counts in the old one.
        old.count(Usual::NotFound);
        new.count(Usual::NotFound);
        assert_eq!(told(&counters, snapshot, &new), 4);
        counters.settle(snapshot, old);
        counters.settle(snapshot, old);
        assert_eq!((told(&counters, snapshot, old), told(&counters, snapshot, &new)), (4, 5));
    }
}
