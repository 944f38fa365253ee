//! What is known of partners, as the daemon says it in its metrics: the kept results, for the files as they are.
//!
//! The daemon answers from a snapshot, which does not have what a result is bound to: the domains of a connector as
//! written. So the files are read once more, when another configuration is served; results of files with problems say
//! nothing. It is done on the daemon's thread for metrics, which nothing else waits for.

use std::path::{Path, PathBuf};

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

/// Reads the results of a configuration file under a state directory.
pub(super) fn of_file(config: PathBuf, state: PathBuf) -> Results {
    let mut bound: Option<Bound> = None;
    Box::new(move |snapshot: &Snapshot| {
        if bound.as_ref().is_none_or(|bound| bound.sha256 != snapshot.sha256()) {
            bound = Bound::of(&config, snapshot);
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
