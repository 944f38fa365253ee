//! Whether connectors are validated, for `list`, `status` and `explain`.
//!
//! It is asked of the kept results at the moment of the command. Nothing here can fail: what cannot
//! be known is shown as not validated, with the reason. Who may not read the results at all is told
//! so once.

use std::cell::Cell;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use super::output::talk;
use crate::model::outbound::Route;
use crate::model::{Agreements, Inbound, Outbound};
use crate::protocol::escape::printable;
use crate::snapshot::{self, Snapshot};
use crate::validate::settings;
use crate::validate::state::{Store, Validation};

/// Characters of a reason before it is cut: it is about a partner, and may hold a partner's words.
const REASON: usize = 300;

/// Characters of the path of a file of authorities in a cell before it is cut.
const PATH: usize = 60;

/// In words, of a connector whose result this user may not read.
pub(super) const UNKNOWN: &str = "not known: the kept results cannot be read";

/// The kept results, the time, and what connectors share.
pub(super) struct Validated {
    store: Store,
    now: Timestamp,
    /// `None` where nobody has smart hosts, or the connectors contradict each other.
    snapshot: Option<Arc<Snapshot>>,
    /// What has to be said before the first connector is asked for; none when nothing has, any more.
    forbidden: Cell<Option<Forbidden>>,
    unknown: bool,
}

/// The results are not for this user.
pub(super) struct Forbidden(PathBuf);

impl Forbidden {
    /// Of an open store.
    pub(super) fn of(store: &Store, state_directory: &Path) -> Option<Forbidden> {
        store.is_forbidden().then(|| Forbidden(state_directory.to_owned()))
    }
}

impl fmt::Display for Forbidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "connectord: {}: what was seen from partners cannot be read: permission denied; ask as root, or as \
             the user that connectord runs as",
            self.0.display()
        )
    }
}

/// A validation in JSON.
#[derive(Clone, Debug, Serialize)]
pub struct Shown {
    /// The connector.
    pub connector: String,
    /// `validated`, `warned`, `stale`, `failed`, `never` or `unusable`.
    pub state: &'static str,
    /// When it was tested; null when that is not known.
    pub at: Option<Timestamp>,
    /// When the first certificate that was seen expires; null unless the result counts.
    pub expires: Option<Timestamp>,
    /// Whole days until then.
    pub days: Option<i64>,
    /// Why it does not count, or what should be looked at.
    pub reason: Option<String>,
    /// The file of authorities that the result rests on, where it was named for that run alone
    /// (`--ca-file`); null otherwise.
    pub authorities: Option<String>,
    /// The same in one line.
    #[serde(skip)]
    pub words: String,
    /// The same in a cell of a table.
    #[serde(skip)]
    pub cell: String,
    /// Whether it counts.
    #[serde(skip)]
    pub valid: bool,
    /// Whether this user may know nothing of any result.
    #[serde(skip)]
    pub unknown: bool,
}

impl Validated {
    /// Opens the results under a state directory, for whoever has compiled no snapshot.
    pub(super) fn open(state_directory: &Path, now: Timestamp, agreements: &Agreements) -> Self {
        let shared = agreements.outbound.iter().any(|connector| connector.route != Route::Mx);
        let snapshot = shared.then(|| snapshot::compile(agreements, 0, String::new()).ok()).flatten();
        Self::with(state_directory, now, snapshot.map(Arc::new))
    }

    /// The same with the snapshot of all connectors.
    pub(super) fn with(state_directory: &Path, now: Timestamp, snapshot: Option<Arc<Snapshot>>) -> Self {
        let store = Store::open(state_directory);
        let forbidden = Forbidden::of(&store, state_directory);
        let unknown = forbidden.is_some();
        Validated { store, now, snapshot, forbidden: Cell::new(forbidden), unknown }
    }

    /// Whether an outbound connector is validated.
    pub(super) fn outbound(&self, connector: &Outbound) -> Shown {
        self.shown(connector.name.as_str(), &settings::of_outbound(connector, self.snapshot.as_deref()))
    }

    /// Whether an inbound connector is; `None` when it registers no certificate files, and so has
    /// nothing that could be judged.
    pub(super) fn inbound(&self, connector: &Inbound) -> Option<Shown> {
        let files = connector.require.certificate.iter().flat_map(|wanted| &wanted.registered);
        (files.count() > 0).then(|| self.shown(connector.name.as_str(), &settings::of_inbound(connector)))
    }

    /// All that can be validated, in the order of the configuration.
    pub(super) fn all(&self, agreements: &Agreements) -> Vec<Shown> {
        let outbound = agreements.outbound.iter().map(|connector| self.outbound(connector));
        let inbound = agreements.inbound.iter().filter_map(|connector| self.inbound(connector));
        outbound.chain(inbound).collect()
    }

    fn shown(&self, connector: &str, settings: &str) -> Shown {
        if let Some(forbidden) = self.forbidden.take() {
            talk(format_args!("{forbidden}"));
        }
        let validation = self.store.validation(connector, settings, self.now);
        let unknown = self.unknown;
        Shown {
            connector: connector.to_owned(),
            state: validation.word(),
            at: validation.at(),
            expires: validation.expires().map(|(expires, _)| expires),
            days: validation.expires().map(|(_, days)| days),
            reason: validation.reason().map(|reason| printable(&reason, REASON)),
            authorities: validation.given().map(str::to_owned),
            words: if unknown { UNKNOWN.to_owned() } else { printable(&validation.to_string(), REASON) },
            cell: if unknown { "not known".to_owned() } else { cell(&validation) },
            valid: validation.is_valid(),
            unknown,
        }
    }
}

/// `2026-11-25, 80 days`: when it was tested, and how long the certificates are still good for; with
/// the authorities of that run, where neither the MTA nor the connector need know of them.
fn cell(validation: &Validation) -> String {
    let day = validation.at().map(|at| at.strftime("%Y-%m-%d").to_string()).unwrap_or_default();
    let days = validation.expires().map_or_else(String::new, |(_, days)| format!(", {days} days"));
    let given = validation.given().map(|path| format!(" with the authorities in {}", printable(path, PATH)));
    let given = given.unwrap_or_default();
    match validation {
        Validation::Never => "never".to_owned(),
        Validation::Validated { .. } => format!("{day}{given}{days}"),
        Validation::Warned { .. } => format!("{day}{given}{days}, warnings"),
        Validation::Stale { why, .. } => format!("no, {why}"),
        Validation::Failed { .. } => format!("failed {day}{given}"),
        Validation::Unusable { .. } => "no, result unusable".to_owned(),
    }
}
