//! Outbound connectors of one mode, compiled.
//!
//! Domains go into the [`Index`]; smart hosts get answers of their own ([`Hosts`]). For enforcing
//! connectors the promise about strength is checked on the way ([`shadowing`]).

use super::exim::EximPolicy;
use super::hosts::Hosts;
use super::index::{Duplicate, Hit, Index};
use super::spoken::Spoken;
use super::{Conflict, Direction, position, render, shadowing};
use crate::model::{Agreements, Mode, Outbound, PatternList};
use crate::protocol::socketmap::REPLY_LIMIT;

/// A connector with the replies it stands for.
pub struct Connector {
    /// Its index in the list of all connectors; its value for the map `tls` is
    /// [`Snapshot::policy`](super::Snapshot::policy) of it.
    pub number: u32,
    /// What was agreed; its domains are in the index and not here.
    pub agreement: Outbound,
    /// The value for the map `transport`.
    pub transport: String,
    /// What Exim is told.
    pub exim: EximPolicy,
}

/// The connectors of one mode, for lookup.
pub struct OutboundSide {
    index: Index,
    /// By the number of the connector, whether it excepts anything: few do, and the others need no look.
    has_except: Vec<bool>,
    hosts: Hosts,
}

/// Renders every connector, of whatever mode; `hosts` are those of the enforcing ones.
pub(super) fn connectors(
    agreements: &Agreements,
    hosts: &Hosts,
    conflicts: &mut Vec<Conflict>,
) -> (Vec<Connector>, Spoken) {
    let mta = &agreements.mta;
    let mut connectors = Vec::with_capacity(agreements.outbound.len());
    let mut spoken = Spoken::default();
    for (number, outbound) in numbered(&agreements.outbound) {
        let policy = render::tls_policy(&outbound.requirement, mta);
        let transport = render::transport(outbound, mta);
        if let Some(path) = render::unspeakable_anchor(&outbound.requirement, mta) {
            conflicts.push(Conflict {
                direction: Direction::Outbound,
                connector: position(number),
                key: "ca_file",
                text: None,
                message: format!("the path {} cannot be told to Postfix, which knows no quoting", path.display()),
                help: "set queue_directory in [mta], so that the file is copied, or use a path without spaces and commas"
                    .to_owned(),
            });
        }
        for (key, reply) in [("tls", &policy), ("route", &transport)] {
            if reply.len() > REPLY_LIMIT {
                conflicts.push(Conflict {
                    direction: Direction::Outbound,
                    connector: position(number),
                    key,
                    text: None,
                    message: format!(
                        "the reply to Postfix would have {} bytes; {} is the most",
                        reply.len(),
                        REPLY_LIMIT
                    ),
                    help: "name fewer certificates or hosts, or cover several names by one \"*.name\""
                        .to_owned(),
                });
            }
        }
        let Outbound {
            name,
            mode,
            domains: _,
            except,
            overrides,
            requirement,
            certificates: _,
            route,
            transport: service,
            validate_recipients,
            notes,
            place,
        } = outbound;
        spoken.push(name.as_str(), &policy);
        connectors.push(Connector {
            number,
            agreement: Outbound {
                name: name.clone(),
                mode: *mode,
                domains: PatternList::default(),
                except: except.clone(),
                overrides: overrides.clone(),
                requirement: requirement.clone(),
                certificates: Vec::new(),
                route: route.clone(),
                transport: service.clone(),
                validate_recipients: validate_recipients.clone(),
                notes: notes.clone(),
                place: place.clone(),
            },
            transport,
            exim: EximPolicy::of(outbound, hosts, mta),
        });
    }
    (connectors, spoken)
}

impl OutboundSide {
    /// Compiles the connectors of one mode.
    pub(super) fn build(agreements: &Agreements, mode: Mode, conflicts: &mut Vec<Conflict>) -> Self {
        let all = &agreements.outbound;
        let chosen = || numbered(all).filter(move |(_, outbound)| outbound.mode == mode);
        for (number, outbound) in chosen().filter(|_| mode != Mode::Off) {
            let mut entries = outbound.domains.entries();
            if entries.all(|entry| outbound.except.covers(entry)) {
                conflicts.push(Conflict {
                    direction: Direction::Outbound,
                    connector: position(number),
                    key: "except",
                    text: None,
                    message: "`except` takes out every domain of the connector".to_owned(),
                    help: "shorten `except`, or set mode = \"off\"".to_owned(),
                });
            }
        }
        let (index, duplicates) = domains(chosen());
        for duplicate in super::inbound::without_repeats(duplicates) {
            let (first, second) = (at(all, duplicate.first), at(all, duplicate.second));
            conflicts.push(super::inbound::duplicate(
                Direction::Outbound,
                "domains",
                &duplicate,
                [&first.name, &second.name],
            ));
        }
        let hosts = match mode {
            Mode::Enforce => {
                shadowing::check(&index, agreements, conflicts);
                Hosts::join(&index, agreements, conflicts)
            }
            Mode::Report => Hosts::list(agreements),
            Mode::Off => Hosts::default(),
        };
        let has_except = all.iter().map(|outbound| !outbound.except.is_empty()).collect();
        OutboundSide { index, has_except, hosts }
    }

    /// The index of domains.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// The connector that applies to a normalised name: the most specific one that does not
    /// except it.
    pub fn find<'s>(&'s self, connectors: &[Connector], name: &str) -> Option<Hit<'s>> {
        self.index.chain(name).find(|hit| {
            let number = position(hit.owner);
            let covers = |connector: &Connector| connector.agreement.except.covers_name(name);
            match self.has_except.get(number) {
                Some(false) => true,
                Some(true) | None => connectors.get(number).is_some_and(|connector| !covers(connector)),
            }
        })
    }

    /// The smart hosts.
    pub fn hosts(&self) -> &Hosts {
        &self.hosts
    }
}

/// The index of the domains of these connectors, and what two of them claim.
fn domains<'o>(chosen: impl Iterator<Item = (u32, &'o Outbound)> + Clone) -> (Index, Vec<Duplicate>) {
    let size = chosen.clone().map(|(_, outbound)| outbound.domains.size()).sum();
    Index::build(size, || chosen.clone().flat_map(|(number, outbound)| entries(number, outbound)))
}

/// What a connector's domains compile to, without what it excepts, in the order written.
pub(super) fn entries(number: u32, outbound: &Outbound) -> impl Iterator<Item = Hit<'_>> {
    let all = outbound.domains.iter().flat_map(move |pattern| Hit::of(number, pattern));
    // Few except anything, and a million entries are asked about.
    let excepts = !outbound.except.is_empty();
    all.filter(move |hit| !(excepts && outbound.except.covers(hit.entry)))
}

/// Connectors with the numbers that the index knows them by.
pub(super) fn numbered(all: &[Outbound]) -> impl Iterator<Item = (u32, &Outbound)> + Clone {
    (0_u32..).zip(all)
}

pub(super) fn at(all: &[Outbound], number: u32) -> &Outbound {
    all.get(position(number)).expect("numbers are given by `numbered`")
}
