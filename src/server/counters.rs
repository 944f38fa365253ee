//! How often each connector decided what, for `status`.
//!
//! Counted from the start of the daemon, over reloads; a connector that is no longer configured is
//! forgotten, so that the numbers stay bounded by the configuration. A reporting connector is
//! counted with what it would have decided, and apart from what it decided when it was enforcing.
//! Replies without any enforcing connector are counted together under the empty name.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use crate::snapshot::Snapshot;

/// Counts of verdicts, by their word and [`Part`]; there are sixteen of them.
type Verdicts = Vec<(&'static str, Part, u64)>;

/// What part a connector had in a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The verdict was given.
    Decided,
    /// It would have been given, had the connector been enforcing.
    Reported,
}

/// All that is counted of answers.
#[derive(Debug, Default)]
pub(super) struct Counters {
    decisions: Mutex<HashMap<String, Verdicts, foldhash::fast::RandomState>>,
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

impl Counters {
    /// Counts a verdict of a connector, or one without any under the empty name.
    pub(super) fn count(&self, connector: &str, verdict: &'static str, part: Part) {
        let mut decisions = self.decisions.lock().unwrap_or_else(PoisonError::into_inner);
        let verdicts = match decisions.get_mut(connector) {
            Some(verdicts) => verdicts,
            None => decisions.entry(connector.to_owned()).or_default(),
        };
        match verdicts.iter_mut().find(|(word, was, _)| (*word, *was) == (verdict, part)) {
            Some((.., count)) => *count = count.saturating_add(1),
            None => verdicts.push((verdict, part, 1)),
        }
    }

    /// Counts a connection that ended in a panic.
    pub(super) fn count_panic(&self) {
        self.panics.fetch_add(1, Ordering::Relaxed);
    }

    /// Connections that ended in a panic.
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

    /// Every count, by connector and verdict.
    pub(super) fn decisions(&self) -> Vec<Count> {
        let decisions = self.decisions.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = decisions.iter().flat_map(|(connector, verdicts)| {
            verdicts.iter().map(|&(verdict, part, count)| Count {
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
