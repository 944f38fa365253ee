//! Inbound connectors of one mode, compiled.
//!
//! Unlike outbound ones they do not hide each other: whatever identifies a mail applies. So a
//! lookup here returns every connector, in the order written, each once.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use smallvec::SmallVec;

use super::index::{Duplicate, Hit, Index};
use super::position;
use super::{Conflict, Direction};
use crate::model::inbound::in_ranges;
use crate::model::{Agreements, ConnectorName, Inbound, Mode};

/// The inbound connectors of one mode, for lookup.
pub struct InboundSide {
    index: Index,
    /// Ranges by prefix length (IPv6 lengths counted from 33 on), then by network.
    ranges: BTreeMap<u16, HashMap<IpAddr, Vec<u32>>>,
    has_domains: bool,
}

/// A connector that a mail is about, and by what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identified<'s> {
    /// Its index in the snapshot's inbound connectors.
    pub connector: usize,
    /// What identified it.
    pub by: IdentifiedBy<'s>,
}

/// What a mail was identified by; shown as written when normalised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentifiedBy<'s> {
    /// A pattern of the sender's domain.
    Domain(Hit<'s>),
    /// A range of client addresses.
    Range(IpNet),
}

impl fmt::Display for IdentifiedBy<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            IdentifiedBy::Domain(hit) => write!(f, "{hit}"),
            IdentifiedBy::Range(range) => write!(f, "{range}"),
        }
    }
}

/// The index of the senders' domains of these connectors, and what two of them claim.
fn domains<'i>(chosen: impl Iterator<Item = (u32, &'i Inbound)> + Clone) -> (Index, Vec<Duplicate>) {
    let all = || {
        chosen.clone().flat_map(|(number, inbound)| {
            inbound.identify.domains.iter().flat_map(move |pattern| Hit::of(number, pattern.names()))
        })
    };
    Index::build(all().count(), all)
}

impl InboundSide {
    /// Compiles the connectors of one mode.
    pub(super) fn build(agreements: &Agreements, mode: Mode, conflicts: &mut Vec<Conflict>) -> Self {
        let all = &agreements.inbound;
        let chosen = || (0_u32..).zip(all).filter(move |(_, inbound)| inbound.mode == mode);
        let (index, duplicates) = domains(chosen());
        let name = |number: u32| -> &ConnectorName {
            &all.get(position(number)).expect("the index returns the numbers it was given").name
        };
        for found in without_repeats(duplicates) {
            conflicts.push(duplicate(
                Direction::Inbound,
                "identify.domains",
                &found,
                [name(found.first), name(found.second)],
            ));
        }
        for (number, inbound) in chosen() {
            if inbound.recipients.is_some() && !inbound.overrides.is_empty() {
                conflicts.push(scoped_override(number));
            }
        }
        let mut ranges: BTreeMap<u16, HashMap<IpAddr, Vec<u32>>> = BTreeMap::new();
        for (number, inbound) in chosen() {
            for range in &inbound.identify.addresses {
                let owners = ranges.entry(slot(range)).or_default().entry(range.network()).or_default();
                match owners.first() {
                    Some(&first) if first != number => conflicts.push(duplicate(
                        Direction::Inbound,
                        "identify.addresses",
                        &Duplicate { first, second: number, pattern: range.to_string() },
                        [name(first), name(number)],
                    )),
                    _ => owners.push(number),
                }
            }
        }
        let has_domains = chosen().any(|(_, inbound)| !inbound.identify.domains.is_empty());
        InboundSide { index, ranges, has_domains }
    }

    /// Whether some connector is identified by a sender's domain.
    pub fn has_domains(&self) -> bool {
        self.has_domains
    }

    /// Whether some connector is identified by a client's address.
    pub fn has_addresses(&self) -> bool {
        !self.ranges.is_empty()
    }

    /// Every connector that mail from this domain and client is about, in the order written.
    /// `domain` is normalised; `None` where the sender has an address literal or nothing usable.
    pub fn identify<'s>(
        &'s self,
        all: &[Inbound],
        domain: Option<&str>,
        client: Option<IpAddr>,
    ) -> SmallVec<[Identified<'s>; 2]> {
        let mut found: SmallVec<[(u32, IdentifiedBy<'s>); 4]> = SmallVec::new();
        let mut add = |owner: u32, by| {
            if !found.iter().any(|(known, _)| *known == owner) {
                found.push((owner, by));
            }
        };
        match domain {
            Some(name) => self.index.chain(name).for_each(|hit| add(hit.owner, IdentifiedBy::Domain(hit))),
            None => self.index.any().into_iter().for_each(|hit| add(hit.owner, IdentifiedBy::Domain(hit))),
        }
        if let Some(client) = client {
            self.ranges_of(client).for_each(|(range, owner)| add(owner, IdentifiedBy::Range(range)));
        }
        found.sort_unstable_by_key(|(owner, _)| *owner);
        found
            .into_iter()
            .map(|(number, by)| Identified { connector: position(number), by })
            .filter(|identified| {
                let except = all.get(identified.connector).map(|inbound| &inbound.identify.except_addresses);
                !client.zip(except).is_some_and(|(client, except)| in_ranges(except, client))
            })
            .collect()
    }

    /// The longest prefix comes first.
    fn ranges_of(&self, client: IpAddr) -> impl Iterator<Item = (IpNet, u32)> {
        let client = client.to_canonical();
        self.ranges
            .iter()
            .rev()
            .filter_map(move |(&slot, networks)| {
                let range = IpNet::new(client, prefix(slot, client)?).ok()?.trunc();
                networks.get(&range.network()).map(|owners| owners.iter().map(move |&owner| (range, owner)))
            })
            .flatten()
    }
}

/// At DATA with several recipients Postfix names none (smtpd_check.c:check_policy_service): then it
/// cannot be known for whom a wider connector would be out of force, and for whom not.
fn scoped_override(number: u32) -> Conflict {
    Conflict {
        direction: Direction::Inbound,
        connector: position(number),
        key: "overrides",
        text: None,
        message: "a connector limited by `recipients` cannot take another one out of force".to_owned(),
        help: "leave out `recipients`, or limit the wider connector to the other recipients by `recipients` of its own"
            .to_owned(),
    }
}

/// IPv4 prefixes are 0 to 32; IPv6 prefixes follow.
const IPV6_SLOTS: u16 = 33;

fn slot(range: &IpNet) -> u16 {
    match range {
        IpNet::V4(range) => u16::from(range.prefix_len()),
        IpNet::V6(range) => IPV6_SLOTS + u16::from(range.prefix_len()),
    }
}

fn prefix(slot: u16, client: IpAddr) -> Option<u8> {
    let (ipv6, length) = if slot < IPV6_SLOTS { (false, slot) } else { (true, slot - IPV6_SLOTS) };
    if ipv6 == client.is_ipv6() { u8::try_from(length).ok() } else { None }
}

/// `*.x` twice is one mistake, though it compiles to two entries.
pub(super) fn without_repeats(duplicates: Vec<Duplicate>) -> Vec<Duplicate> {
    let mut kept: Vec<Duplicate> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for duplicate in duplicates {
        if seen.insert((duplicate.first, duplicate.second, duplicate.pattern.clone())) {
            kept.push(duplicate);
        }
    }
    kept
}

/// One entry in two connectors of one direction and mode.
pub(super) fn duplicate(
    direction: Direction,
    key: &'static str,
    found: &Duplicate,
    [first, _]: [&ConnectorName; 2],
) -> Conflict {
    Conflict {
        direction,
        connector: position(found.second),
        key,
        text: Some(found.pattern.clone()),
        message: format!("{} belongs to the connector `{first}` already", found.pattern),
        help: "keep it in one of them; \"*.x\" is x itself and everything below it".to_owned(),
    }
}

#[cfg(test)]
#[path = "inbound_tests.rs"]
mod tests;
