//! Smart hosts: one answer for each host that mail is sent through.
//!
//! Postfix asks for the host and not for the recipient's domain, so the answer is the join of what
//! all connectors that use the host demand, and of what is demanded for the host's own name. A key
//! with brackets or a port belongs to the host alone; a bare key is also asked for the domain of
//! that name, so there nothing is left out.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use super::exim::EximPolicy;
use super::index::Index;
use super::outbound::{at, numbered};
use super::position;
use super::{Conflict, Direction, render};
use crate::model::requirement::{Requirement, join};
use crate::model::{Agreements, Domain, Host, Mode, Outbound};
use crate::protocol::socketmap::REPLY_LIMIT;

/// The answer for a host that connectors send mail through.
pub struct HostAnswer {
    /// The value for the map `tls`: the join of all.
    pub policy: String,
    /// What it demands.
    pub requirement: Requirement,
    /// The same for Exim, of mail to the host as a recipient's domain.
    pub exim: EximPolicy,
    /// The connectors joined, by index; each once.
    pub connectors: Vec<u32>,
}

impl HostAnswer {
    /// Renders a demand; `connectors` are never none.
    fn of(requirement: Requirement, connectors: Vec<u32>, agreements: &Agreements) -> HostAnswer {
        let names = connectors.iter().map(|&number| at(&agreements.outbound, number).name.as_str());
        let names = names.collect::<Vec<_>>().join(", ");
        HostAnswer {
            policy: render::tls_policy(&requirement, &agreements.mta),
            exim: EximPolicy::of_host(&requirement, &names, &agreements.mta),
            requirement,
            connectors,
        }
    }
}

/// The answers for smart hosts.
#[derive(Default)]
pub struct Hosts {
    /// To keys with brackets or a port.
    routed: HashMap<Domain, HostAnswer>,
    /// To bare keys, for smart hosts written without brackets and port.
    bare: HashMap<Domain, HostAnswer>,
    /// To addresses, however they are written.
    addresses: HashMap<IpAddr, HostAnswer>,
}

impl Hosts {
    /// The answer for a host; `bare` when the key has neither brackets nor a port.
    pub fn find(&self, host: &Host, bare: bool) -> Option<&HostAnswer> {
        match host {
            Host::Name(name) => self.find_name(name.as_str(), bare),
            Host::Address(_) if bare => None,
            Host::Address(address) => self.find_address(*address),
        }
    }

    /// The answer for a host with this normalised name.
    pub fn find_name(&self, name: &str, bare: bool) -> Option<&HostAnswer> {
        self.names(bare).get(name)
    }

    /// The answer for a host with this address: a key for it is never one for a domain.
    pub fn find_address(&self, address: IpAddr) -> Option<&HostAnswer> {
        self.addresses.get(&address)
    }

    /// Every host that has an answer to keys of that form.
    pub fn iter(&self, bare: bool) -> impl Iterator<Item = Host> {
        let names = self.names(bare).keys().cloned().map(Host::Name);
        let addresses = self.addresses.keys().filter(move |_| !bare).copied().map(Host::Address);
        names.chain(addresses)
    }

    fn names(&self, bare: bool) -> &HashMap<Domain, HostAnswer> {
        if bare { &self.bare } else { &self.routed }
    }

    fn insert(&mut self, host: &Host, bare: bool, answer: HostAnswer) {
        match host {
            Host::Name(name) if bare => self.bare.insert(name.clone(), answer),
            Host::Name(name) => self.routed.insert(name.clone(), answer),
            Host::Address(address) => self.addresses.insert(*address, answer),
        };
    }

    /// Joins the enforcing connectors at each host.
    pub(super) fn join(index: &Index, agreements: &Agreements, conflicts: &mut Vec<Conflict>) -> Hosts {
        let mut hosts = Hosts::default();
        let all = &agreements.outbound;
        for (host, users) in users_of_hosts(all, Mode::Enforce) {
            for bare in [false, true] {
                let mut joined = connectors_of(&users, bare);
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
                let connectors = connectors_of(&users, bare);
                let Some(&first) = connectors.first() else {
                    continue;
                };
                let requirement = at(&agreements.outbound, first).requirement.clone();
                hosts.insert(host, bare, HostAnswer::of(requirement, connectors, agreements));
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
    let answer = HostAnswer::of(requirement, connectors, agreements);
    if answer.policy.len() > REPLY_LIMIT {
        return Err(conflict(
            format!(
                "the reply for {host} would have {} bytes; {} is the most",
                answer.policy.len(),
                REPLY_LIMIT
            ),
            "name fewer certificates, or cover several names by one \"*.name\"",
        ));
    }
    Ok(answer)
}

/// A connector that sends mail through a host.
struct User {
    connector: u32,
    /// It names the host without brackets and port, so Postfix asks with the bare name.
    bare: bool,
}

/// The connectors that keys of that form can come from.
fn connectors_of(users: &[User], bare: bool) -> Vec<u32> {
    users.iter().filter(|user| !bare || user.bare).map(|user| user.connector).collect()
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

#[cfg(test)]
#[path = "hosts_tests.rs"]
mod tests;
