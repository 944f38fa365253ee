//! Whether connectors are validated, for `list`, `status` and `explain`.
//!
//! It is asked of the kept results at the moment of the command. Nothing here can fail: what cannot
//! be known is shown as not validated, with the reason.

use std::path::Path;

use jiff::Timestamp;
use serde::Serialize;

use crate::model::{Agreements, Inbound, Outbound};
use crate::protocol::escape::printable;
use crate::validate::settings;
use crate::validate::state::{Store, Validation};

/// Characters of a reason before it is cut: it is about a partner, and may hold a partner's words.
const REASON: usize = 300;

/// Characters of the path of a file of authorities in a cell before it is cut.
const PATH: usize = 60;

/// The kept results, and the time.
pub(super) struct Validated {
    store: Store,
    now: Timestamp,
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
}

impl Validated {
    /// Opens the results under a state directory.
    pub(super) fn open(state_directory: &Path, now: Timestamp) -> Self {
        Validated { store: Store::open(state_directory), now }
    }

    /// Whether an outbound connector is validated.
    pub(super) fn outbound(&self, connector: &Outbound) -> Shown {
        self.shown(connector.name.as_str(), &settings::of_outbound(connector))
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
        let validation = self.store.validation(connector, settings, self.now);
        Shown {
            connector: connector.to_owned(),
            state: validation.word(),
            at: validation.at(),
            expires: validation.expires().map(|(expires, _)| expires),
            days: validation.expires().map(|(_, days)| days),
            reason: validation.reason().map(|reason| printable(&reason, REASON)),
            authorities: validation.given().map(str::to_owned),
            words: printable(&validation.to_string(), REASON),
            cell: cell(&validation),
            valid: validation.is_valid(),
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
