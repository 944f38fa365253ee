//! What `connectord status` shows.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use super::counters::Count;
use super::last_good;
use super::last_reload::LastReload;
use super::pool::Pool;
use super::reload::Reloads;
use super::service::Service;
use crate::snapshot::Snapshot;

/// A socket that is served.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Place {
    /// What is spoken on it.
    pub(super) protocol: &'static str,
    /// Where it is.
    pub(super) path: String,
}

/// Where the numbers come from.
pub(super) struct Sources {
    /// What is served.
    pub(super) service: Arc<Service>,
    /// What was loaded.
    pub(super) reloads: Arc<Reloads>,
    /// The connections of MTAs.
    pub(super) pool: Arc<Pool>,
    /// How many there can be.
    pub(super) seats: usize,
    /// When the daemon began to serve.
    pub(super) started: Timestamp,
    /// The sockets.
    pub(super) places: Vec<Place>,
}

/// The object of the interface.
#[derive(Debug, Serialize)]
pub(super) struct Status {
    version: &'static str,
    pid: u32,
    generation: u64,
    sha256: String,
    loaded_at: String,
    degraded: bool,
    connectors: usize,
    last_reload: LastReload,
    last_good: last_good::State,
    listeners: Vec<Place>,
    connections: usize,
    decisions: Vec<Count>,
    log_lost: u64,
    panics: u64,
}

#[cfg(test)]
impl Sources {
    /// For tests: of a daemon that nobody asks.
    pub(super) fn of(service: Service) -> Sources {
        let pool = Pool::new(1, &service.limits);
        let (service, reloads) = (Arc::new(service), Arc::new(Reloads::idle()));
        Sources { service, reloads, pool, seats: 1, started: Timestamp::UNIX_EPOCH, places: Vec::new() }
    }
}

impl Sources {
    /// The state of things now.
    pub(super) fn status(&self) -> Status {
        let current = self.service.current.load();
        let last_reload = self.reloads.last();
        Status {
            version: env!("CARGO_PKG_VERSION"),
            pid: std::process::id(),
            generation: current.snapshot.generation(),
            sha256: current.snapshot.sha256().to_owned(),
            loaded_at: self.reloads.loaded_at().to_string(),
            // What is served is not what the files say.
            degraded: !last_reload.ok,
            connectors: connectors(&current.snapshot),
            last_reload,
            last_good: self.reloads.last_good(),
            listeners: self.places.clone(),
            connections: self.pool.taken(),
            decisions: self.service.counters.decisions(&current.snapshot, &current.tally),
            log_lost: self.service.journal.lost(),
            panics: self.service.counters.panics(),
        }
    }
}

/// The line for `systemctl status`, with a note of what is not as it should be.
pub(super) fn status_line(snapshot: &Snapshot, note: &str) -> String {
    format!("serving generation {}, {} connectors{note}", snapshot.generation(), connectors(snapshot))
}

/// How many connectors of both directions there are.
pub(super) fn connectors(snapshot: &Snapshot) -> usize {
    snapshot.outbound().len() + snapshot.inbound().len()
}
