//! What goes round the connectors in an Exim, or keeps their mail: from its settings and the agreements to findings.
//! Pure.
//!
//! Every finding is something that was seen to happen on a real Exim, and each is shown by a test that lets it happen:
//! `tests/interop/doctor_exim.rs` and the files beside it.
//!
//! What is examined is what Exim would do: routers and transports by the values of their options, however they are
//! called and wherever they are written; they are known by the question that they ask. What mends a finding is
//! printed as a command only where it takes nothing away that somebody wrote.

mod acls;
mod answers;
mod certificates;
mod domains;
mod kinds;
mod mend;
mod routers;
mod server;
mod sockets;
mod transports;

use std::path::Path;

pub use kinds::KINDS;

use super::host::Host;
use super::settings::Settings;
use crate::model::{Agreements, Inbound, Mode, Outbound};
use crate::mta::finding::{Finding, Kind};

/// What is examined.
pub struct Patient<'p> {
    /// The settings of Exim.
    pub settings: &'p Settings,
    /// The connectors, and what was told us of the MTA.
    pub agreements: &'p Agreements,
    /// What is beside the settings.
    pub host: &'p Host,
    /// The configuration file, if it is another one than Exim's own.
    pub config_file: Option<&'p Path>,
}

/// Everything that is wrong, worst first.
pub fn examine(patient: &Patient<'_>) -> Vec<Finding> {
    let mut findings = routers::routers(patient);
    findings.extend(transports::transports(patient));
    findings.extend(acls::acls(patient));
    findings.extend(sockets::sockets(patient));
    findings.extend(server::server(patient));
    findings.sort_by_key(|finding| finding.kind.severity);
    findings
}

impl<'p> Patient<'p> {
    /// The outbound connectors in force, and those that report: what goes round them will once they are.
    fn outbound(&self) -> impl Iterator<Item = &'p Outbound> + use<'p> {
        self.agreements.outbound.iter().filter(|connector| connector.mode != Mode::Off)
    }

    /// The same inbound.
    fn inbound(&self) -> impl Iterator<Item = &'p Inbound> + use<'p> {
        self.agreements.inbound.iter().filter(|connector| connector.mode != Mode::Off)
    }

    /// A finding about outbound connectors; none without any.
    fn leaving(
        &self,
        kind: &'static Kind,
        about: impl Fn(&Outbound) -> bool,
        message: &str,
        place: String,
        mend: Vec<String>,
    ) -> Option<Finding> {
        let connectors = self.outbound().filter(|connector| about(connector));
        finding(kind, connectors.map(|connector| connector.name.as_str()), message, place, mend)
    }

    /// A finding about inbound connectors; none without any.
    fn coming(
        &self,
        kind: &'static Kind,
        about: impl Fn(&Inbound) -> bool,
        message: &str,
        place: String,
        mend: Vec<String>,
    ) -> Option<Finding> {
        let connectors = self.inbound().filter(|connector| about(connector));
        finding(kind, connectors.map(|connector| connector.name.as_str()), message, place, mend)
    }
}

fn finding<'n>(
    kind: &'static Kind,
    connectors: impl Iterator<Item = &'n str>,
    message: &str,
    place: String,
    mut mend: Vec<String>,
) -> Option<Finding> {
    let connectors: Vec<String> = connectors.map(str::to_owned).collect();
    // What cannot be printed cannot be typed, and what was no UTF-8 is not what was there.
    if mend
        .iter()
        .any(|command| command.contains(char::REPLACEMENT_CHARACTER) || command.contains(char::is_control))
    {
        mend.clear();
    }
    let message = message.to_owned();
    (!connectors.is_empty()).then_some(Finding { kind, message, connectors, place, mend })
}

#[cfg(test)]
mod tests;
