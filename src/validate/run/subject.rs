//! A connector as a run needs it: owned, without its million domains, and with what is demanded at
//! each smart host.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::ground::own_anchors;
use crate::model::{Mode, Outbound, Requirement};
use crate::snapshot::Snapshot;
use crate::validate::report::{Finding, Verdict};
use crate::validate::route::{Destination, destinations};
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
    /// By the name of a smart host: the join of every connector that routes through it.
    joined: BTreeMap<String, Demand>,
    pub(super) destinations: Vec<Destination>,
    /// What is to be said before anybody was asked.
    pub(super) findings: Vec<Finding>,
    /// Who gets a test mail.
    pub(super) recipients: Vec<String>,
}

impl Subject {
    /// Of a connector of any mode; its answers at smart hosts are those of the snapshot, where it is
    /// in force.
    pub fn of(connector: &Outbound, recipients: Vec<String>, snapshot: &Snapshot, now: Timestamp) -> Subject {
        let (destinations, mut findings) = destinations(connector);
        let mut demand = |requirement: &Requirement| {
            let anchors = own_anchors(requirement.anchors(), now).unwrap_or_else(|error| {
                findings.push(Finding {
                    verdict: Verdict::Fail,
                    code: "ca-file".to_owned(),
                    reason: "The connector's own trust anchors cannot be used.".to_owned(),
                    detail: error.to_string(),
                });
                None
            });
            Demand { requirement: requirement.clone(), anchors }
        };
        let own = demand(&connector.requirement);
        let mut joined = BTreeMap::new();
        if connector.mode == Mode::Enforce {
            for hop in connector.route.smart_hosts() {
                if let Some(answer) = snapshot.enforced().hosts().find(hop.host(), hop.is_bare()) {
                    joined.insert(hop.host().to_string(), demand(&answer.requirement));
                }
            }
        }
        Subject { name: connector.name.to_string(), own, joined, destinations, findings, recipients }
    }

    /// What is demanded when the MTA asks for this next-hop.
    pub(super) fn demand(&self, next_hop: &str) -> &Demand {
        self.joined.get(next_hop).unwrap_or(&self.own)
    }
}
