//! What all connections share.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::counters::{Counters, Tally};
use super::limits::Limits;
use super::log::Journal;
use super::repeats::Repeats;
use super::traffic::Traffic;
use crate::config::{Decisions, LogLevel, ServerSettings};
use crate::snapshot::Snapshot;

/// What is served now, and what is noted of it.
pub(super) struct Service {
    /// The one pointer that a reload swaps. Taken once for each request.
    pub(super) current: ArcSwap<Current>,
    /// The log.
    pub(super) journal: Arc<Journal>,
    /// The level of the log, which only a restart changes.
    pub(super) log: LogLevel,
    /// What is counted of answers.
    pub(super) counters: Counters,
    /// What is counted of connections.
    pub(super) traffic: Traffic,
    /// What was said of peers lately.
    pub(super) repeats: Repeats,
    /// How long anybody may take.
    pub(super) limits: Limits,
}

/// A generation with the settings that came with it.
pub(super) struct Current {
    /// What answers are made from.
    pub(super) snapshot: Arc<Snapshot>,
    /// The daemon's own settings.
    pub(super) settings: ServerSettings,
    /// How often the usual was answered from it.
    pub(super) tally: Tally,
}

impl Current {
    /// A generation from which nothing was answered yet.
    pub(super) fn new(snapshot: Arc<Snapshot>, settings: ServerSettings) -> Current {
        Current { tally: Tally::of(&snapshot), snapshot, settings }
    }
}

impl Service {
    /// The level at which a decision is logged, if it is. `connector`: one took part in it.
    pub(super) fn decision_level(&self, settings: &ServerSettings, connector: bool) -> Option<&'static str> {
        let info = match settings.decisions {
            Decisions::All => true,
            Decisions::Connector => connector,
            Decisions::None => return None,
        };
        match self.log {
            LogLevel::Error | LogLevel::Warn => None,
            LogLevel::Info => info.then_some("info"),
            LogLevel::Debug | LogLevel::Trace => Some(if info { "info" } else { "debug" }),
        }
    }
}

#[cfg(test)]
impl Service {
    /// For tests: without any connector, and with a log that nobody sees.
    pub(super) fn empty() -> Service {
        use crate::model::{Agreements, Mta};
        let agreements = Agreements {
            mta: Mta::default(),
            inbound_exempt: Vec::new(),
            outbound: Vec::new(),
            inbound: Vec::new(),
        };
        let snapshot =
            crate::snapshot::compile(&agreements, 1, String::new()).expect("nothing contradicts nothing");
        let style = super::log::line::Style { json: false, time: false };
        Service {
            current: ArcSwap::from_pointee(Current::new(Arc::new(snapshot), ServerSettings::default())),
            journal: Journal::start(style, std::io::sink()).expect("a thread can be started"),
            log: LogLevel::Info,
            counters: Counters::default(),
            traffic: Traffic::default(),
            repeats: Repeats::default(),
            limits: Limits::default(),
        }
    }
}
