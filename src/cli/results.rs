//! What is known of partners, as the daemon says it in its metrics: the kept results, for the files as they are.
//!
//! The daemon answers from a snapshot, which does not have what a result is bound to: the domains of a connector as
//! written. So the files are read once more, when another configuration is served; results of files with problems say
//! nothing, and are not read again each minute while they are the same. It is done on the daemon's thread for metrics, which nothing else waits for.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use jiff::Timestamp;

use crate::config;
use crate::model::{Agreements, Inbound};
use crate::server::metrics::{Results, Tested};
use crate::snapshot::Snapshot;
use crate::validate::settings;
use crate::validate::state::Store;

/// What the results of a configuration are bound to: the digest of its settings, by the name of the connector.
struct Bound {
    /// Of which configuration.
    sha256: String,
    digests: Vec<(String, String)>,
}

/// Files that are not what is served are read again after this time at the latest: one that the main file only names may
/// have been mended.
const AGAIN: Duration = Duration::from_secs(600);

/// Files that were read, and are not what is served.
struct Refused {
    /// What was served.
    sha256: String,
    main: Option<(SystemTime, u64)>,
    at: Instant,
}

impl Refused {
    fn new(config: &Path, served: &Snapshot) -> Refused {
        Refused { sha256: served.sha256().to_owned(), main: stamp(config), at: Instant::now() }
    }

    /// Whether it would be so again.
    fn stands(&self, config: &Path, served: &Snapshot) -> bool {
        self.sha256 == served.sha256() && self.main == stamp(config) && self.at.elapsed() < AGAIN
    }
}

/// When the main file was written, and its length.
fn stamp(config: &Path) -> Option<(SystemTime, u64)> {
    let metadata = std::fs::metadata(config).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

/// Reads the results of a configuration file under a state directory.
pub(super) fn of_file(config: PathBuf, state: PathBuf) -> Results {
    let mut bound: Option<Bound> = None;
    let mut refused: Option<Refused> = None;
    Box::new(move |snapshot: &Snapshot| {
        if bound.as_ref().is_none_or(|bound| bound.sha256 != snapshot.sha256()) {
            if refused.as_ref().is_some_and(|refused| refused.stands(&config, snapshot)) {
                return None;
            }
            // Before they are read: what is written meanwhile is read next time.
            let now = Refused::new(&config, snapshot);
            bound = Bound::of(&config, snapshot);
            refused = bound.is_none().then_some(now);
        }
        read(bound.as_ref()?, &state)
    })
}

impl Bound {
    /// Of the files, where they are what is served.
    fn of(config: &Path, served: &Snapshot) -> Option<Bound> {
        let loaded = config::load(config, Timestamp::now()).ok()?;
        let sha256 = served.sha256().to_owned();
        (loaded.sha256 == sha256).then(|| Bound { sha256, digests: digests(&loaded.agreements, served) })
    }
}

/// Of every connector that can be tested, as [`Validated`](super::validated::Validated) has them.
fn digests(agreements: &Agreements, served: &Snapshot) -> Vec<(String, String)> {
    let outbound = agreements
        .outbound
        .iter()
        .map(|connector| (connector.name.to_string(), settings::of_outbound(connector, Some(served))));
    let registers = |connector: &&Inbound| {
        connector.require.certificate.iter().any(|wanted| !wanted.registered.is_empty())
    };
    let inbound = agreements.inbound.iter().filter(registers);
    let inbound = inbound.map(|connector| (connector.name.to_string(), settings::of_inbound(connector)));
    outbound.chain(inbound).collect()
}

/// What is kept now.
fn read(bound: &Bound, state: &Path) -> Option<Vec<Tested>> {
    let store = Store::open(state);
    if store.is_forbidden() {
        return None;
    }
    let now = Timestamp::now();
    let tested = bound.digests.iter().map(|(connector, digest)| {
        let validation = store.validation(connector, digest, now);
        Tested {
            connector: connector.clone(),
            state: validation.word(),
            at: validation.at(),
            expires: validation.expires().map(|(expires, _)| expires),
        }
    });
    Some(tested.collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::model::Mta;
    use crate::snapshot::compile;

    #[test]
    fn what_was_refused_is_read_again_when_anything_differs() {
        let directory = tempfile::tempdir().unwrap();
        let config = directory.path().join("connectord.toml");
        let agreements = Agreements {
            mta: Mta::default(),
            inbound_exempt: Vec::new(),
            outbound: Vec::new(),
            inbound: Vec::new(),
        };
        let [served, other] =
            ["one", "two"].map(|sha256| compile(&agreements, 1, sha256.to_owned()).unwrap());
        let mut refused = Refused::new(&config, &served);
        assert!(refused.stands(&config, &served) && !refused.stands(&config, &other));
        std::fs::write(&config, "version = 1\n").unwrap();
        assert!(!refused.stands(&config, &served), "it is there now");
        refused = Refused::new(&config, &served);
        assert!(refused.stands(&config, &served));
        std::fs::write(&config, "version = 1\n# mended\n").unwrap();
        assert!(!refused.stands(&config, &served), "another one");
        refused = Refused::new(&config, &served);
        refused.at = refused.at.checked_sub(AGAIN).unwrap();
        assert!(!refused.stands(&config, &served), "long ago");
    }
}
