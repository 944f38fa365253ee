//! A connector as a run needs it: owned, without its million domains, and with what is demanded at
//! each smart host.

use std::collections::BTreeMap;

use jiff::Timestamp;
use tokio::sync::Semaphore;

use super::ground::own_anchors;
use crate::model::outbound::Route;
use crate::model::{Host, Outbound, Requirement};
use crate::snapshot::Snapshot;
use crate::validate::demands::demands;
use crate::validate::options::Recipient;
use crate::validate::report::{Finding, Verdict};
use crate::validate::route::{Destination, destinations};
use crate::validate::sight::FOR_RECIPIENT;
use crate::validate::trust::Anchors;

/// What is demanded of a host, and whom to trust there.
pub struct Demand {
    pub(super) requirement: Requirement,
    /// `None`: whom all connectors trust.
    pub(super) anchors: Option<Anchors>,
}

/// A connector under test.
pub struct Subject {
    pub(super) name: String,
    pub(super) own: Demand,
    /// By the name of a smart host: the join with every connector that is in force there.
    joined: BTreeMap<String, Demand>,
    pub(super) destinations: Vec<Destination>,
    /// What is to be said before anybody was asked.
    pub(super) findings: Vec<Finding>,
    /// Who gets a test mail.
    pub(super) recipients: Vec<Recipient>,
    /// The places that it may take among the connections.
    pub(super) seats: Semaphore,
}

/// Connections of one connector under way at a time: a partner with a thousand silent addresses
/// must leave room for the others.
const MAX_VISITS_OF_ONE: usize = 16;

impl Subject {
    /// Of a connector of any mode, as if it were in force.
    pub fn of(
        connector: &Outbound,
        recipients: Vec<Recipient>,
        snapshot: &Snapshot,
        now: Timestamp,
    ) -> Subject {
        let (mut destinations, mut findings) = destinations(connector);
        if connector.route == Route::Mx {
            // A recipient below a pattern's own domain has mail hosts of its own.
            for Recipient { domain, .. } in &recipients {
                let destination = Destination::Domain(domain.clone());
                if !destinations.contains(&destination) {
                    destinations.push(destination);
                    let reason = format!("For the test mail the hosts of {domain} were tested too.");
                    findings.push(Finding::new(Verdict::Pass, FOR_RECIPIENT, reason, ""));
                }
            }
        }
        let mut demand = |requirement: &Requirement| {
            let anchors = own_anchors(requirement.anchors(), now).unwrap_or_else(|error| {
                let reason = "The connector's own trust anchors cannot be used.";
                findings.push(Finding::new(Verdict::Fail, "ca-file", reason, error.to_string()));
                None
            });
            Demand { requirement: requirement.clone(), anchors }
        };
        let own = demand(&connector.requirement);
        let mut joined = BTreeMap::new();
        let mut apart = Vec::new();
        for (host, joint) in demands(connector, snapshot) {
            match joint {
                Ok(requirement) => {
                    joined.insert(host, demand(&requirement));
                }
                Err(reason) => apart.push(Finding::new(
                    Verdict::Fail,
                    "smart-host-shared",
                    format!(
                        "Other connectors use the smart host {host} too, and {reason}: the connector cannot be enforced."
                    ),
                    "",
                )),
            }
        }
        findings.extend(apart);
        let seats = Semaphore::new(MAX_VISITS_OF_ONE);
        Subject { name: connector.name.to_string(), own, joined, destinations, findings, recipients, seats }
    }

    /// Whether the DNS has to be asked at all.
    pub fn needs_dns(&self) -> bool {
        self.destinations.iter().any(|destination| match destination {
            Destination::Domain(_) => true,
            Destination::SmartHosts(hosts) => hosts.iter().any(|hop| matches!(hop.host(), Host::Name(_))),
        })
    }

    /// What is demanded when the MTA asks for this next-hop.
    pub(super) fn demand(&self, next_hop: &str) -> &Demand {
        self.joined.get(next_hop).unwrap_or(&self.own)
    }
}
