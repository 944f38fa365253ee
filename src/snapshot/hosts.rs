//! Smart hosts: one answer for each host that mail is sent through.
//!
//! Postfix asks for the host and not for the recipient's domain, so the answer is the join of what
//! all connectors that use the host demand, and of what is demanded for the host's own name. A key
//! with brackets or a port belongs to the host alone; a bare key is also asked for the domain of
//! that name, so there nothing is left out.

use std::collections::{BTreeMap, HashMap};

use super::index::Index;
use super::outbound::{at, numbered, position};
use super::{Conflict, Direction, render};
use crate::model::requirement::{Requirement, join};
use crate::model::{Agreements, Host, Mode, Outbound};

/// The answer for a host that connectors send mail through.
pub struct HostAnswer {
    /// The value for the map `tls`: the join of all.
    pub policy: String,
    /// What it demands.
    pub requirement: Requirement,
    /// The connectors joined, by index; each once.
    pub connectors: Vec<u32>,
}

/// The answers for smart hosts.
#[derive(Default)]
pub struct Hosts {
    /// To keys with brackets or a port.
    routed: HashMap<Host, HostAnswer>,
    /// To bare keys, for smart hosts written without brackets and port.
    bare: HashMap<Host, HostAnswer>,
}

impl Hosts {
    /// The answer for a host; `bare` when the key has neither brackets nor a port.
    pub fn find(&self, host: &Host, bare: bool) -> Option<&HostAnswer> {
        self.form(bare).get(host)
    }

    /// Whether there is any for keys of that form.
    pub fn is_empty(&self, bare: bool) -> bool {
        self.form(bare).is_empty()
    }

    /// Every host that has an answer to keys of that form.
    pub fn iter(&self, bare: bool) -> impl Iterator<Item = &Host> {
        self.form(bare).keys()
    }

    fn form(&self, bare: bool) -> &HashMap<Host, HostAnswer> {
        if bare { &self.bare } else { &self.routed }
    }

    fn insert(&mut self, host: &Host, bare: bool, answer: HostAnswer) {
        let form = if bare { &mut self.bare } else { &mut self.routed };
        form.insert(host.clone(), answer);
    }

    /// Joins the enforcing connectors at each host.
    pub(super) fn join(index: &Index, agreements: &Agreements, conflicts: &mut Vec<Conflict>) -> Hosts {
        let mut hosts = Hosts::default();
        let all = &agreements.outbound;
        for (host, users) in users_of_hosts(all, Mode::Enforce) {
            for bare in [false, true] {
                let mut joined: Vec<u32> =
                    users.iter().filter(|user| !bare || user.bare).map(|user| user.connector).collect();
                if joined.is_empty() {
                    continue;
                }
                add_owner(index, all, host, bare, &mut joined);
                match joined_answer(agreements, host, joined) {
                    Ok(answer) => hosts.insert(host, bare, answer),
                    Err(conflict) => conflicts.push(conflict),
                }
            }
        }
        hosts
    }

    /// Lists the reporting connectors at each host. They are not joined: each would have answered
    /// for itself.
    pub(super) fn list(agreements: &Agreements) -> Hosts {
        let mut hosts = Hosts::default();
        for (host, users) in users_of_hosts(&agreements.outbound, Mode::Report) {
            for bare in [false, true] {
                let connectors: Vec<u32> =
                    users.iter().filter(|user| !bare || user.bare).map(|user| user.connector).collect();
                let Some(&first) = connectors.first() else {
                    continue;
                };
                let requirement = at(&agreements.outbound, first).requirement.clone();
                let policy = render::tls_policy(&requirement, &agreements.mta);
                hosts.insert(host, bare, HostAnswer { policy, requirement, connectors });
            }
        }
        hosts
    }
}

/// Adds the connector that the host's own name belongs to. In keys with brackets or a port it may
/// be left out, as a wider one, when every connector that uses the host overrides it; then the
/// next wider one is asked.
fn add_owner(index: &Index, all: &[Outbound], host: &Host, bare: bool, joined: &mut Vec<u32>) {
    let covering: Vec<u32> = match host {
        Host::Name(name) => index
            .chain(name.as_str())
            .map(|hit| hit.owner)
            .filter(|&number| !at(all, number).except.covers_name(name.as_str()))
            .collect(),
        Host::Address(_) => index.any().map(|hit| hit.owner).into_iter().collect(),
    };
    for number in covering {
        if joined.contains(&number) {
            return;
        }
        let name = at(all, number).name.as_str();
        let overrides = |&user: &u32| at(all, user).overrides.iter().any(|overridden| overridden == name);
        if bare || !joined.iter().all(overrides) {
            joined.push(number);
            return;
        }
    }
}

fn joined_answer(agreements: &Agreements, host: &Host, connectors: Vec<u32>) -> Result<HostAnswer, Conflict> {
    let all = &agreements.outbound;
    let demands: Vec<Requirement> = connectors
        .iter()
        .map(|&number| {
            let requirement = &at(all, number).requirement;
            match host {
                Host::Name(name) if connectors.len() > 1 => requirement.resolved(name),
                Host::Name(_) | Host::Address(_) => requirement.clone(),
            }
        })
        .collect();
    let first = connectors.first().copied().unwrap_or_default();
    let conflict = |message: String, help: &str| Conflict {
        direction: Direction::Outbound,
        connector: position(first),
        key: "route",
        text: None,
        message,
        help: help.to_owned(),
    };
    let requirement = join(&demands).map_err(|reason| {
        let others: Vec<String> =
            connectors.iter().skip(1).map(|&number| format!("`{}`", at(all, number).name)).collect();
        conflict(
            format!("mail through {host} must satisfy {} too, and {reason}", others.join(" and ")),
            "Postfix asks for the host, not for the partner: give both the same demands, or one of them another host",
        )
    })?;
    let policy = render::tls_policy(&requirement, &agreements.mta);
    if policy.len() > render::MAX_REPLY {
        return Err(conflict(
            format!(
                "the reply for {host} would have {} bytes; {} is the most",
                policy.len(),
                render::MAX_REPLY
            ),
            "name fewer certificates, or cover several names by one \"*.name\"",
        ));
    }
    Ok(HostAnswer { policy, requirement, connectors })
}

/// A connector that sends mail through a host.
struct User {
    connector: u32,
    /// It names the host without brackets and port, so Postfix asks with the bare name.
    bare: bool,
}

fn users_of_hosts(all: &[Outbound], mode: Mode) -> BTreeMap<&Host, Vec<User>> {
    let mut hosts: BTreeMap<&Host, Vec<User>> = BTreeMap::new();
    for (connector, outbound) in numbered(all).filter(|(_, outbound)| outbound.mode == mode) {
        for hop in outbound.route.smart_hosts() {
            let users = hosts.entry(hop.host()).or_default();
            match users.iter_mut().find(|user| user.connector == connector) {
                Some(user) => user.bare |= hop.is_bare(),
                None => users.push(User { connector, bare: hop.is_bare() }),
            }
        }
    }
    hosts
}
