//! Outbound connectors of one mode, compiled.
//!
//! Domains go into the [`Index`]. Smart hosts get an answer of their own, because Postfix asks
//! for the host and not for the recipient's domain: it is the join of what all connectors that
//! use the host demand, and of what is demanded for the host's own name.
//!
//! For enforcing connectors this is where promises about strength are checked: a connector must
//! be at least as strong as the next wider one that it hides, or name it in `overrides`.

use std::collections::{BTreeMap, HashMap};

use super::index::{Hit, Index};
use super::{Conflict, Direction, render};
use crate::model::name::MAIN_CF;
use crate::model::names::Names;
use crate::model::requirement::Requirement;
use crate::model::{Agreements, Host, Mode, Outbound};

/// A connector with the replies it stands for.
pub struct Connector {
    /// What was agreed; its domains are in the index and not here.
    pub agreement: Outbound,
    /// The value for the map `tls`.
    pub policy: String,
    /// The value for the map `transport`.
    pub transport: String,
}

/// The answer for a host that connectors send mail through.
pub struct HostAnswer {
    /// The value for the map `tls`: the join of all.
    pub policy: String,
    /// What it demands.
    pub requirement: Requirement,
    /// The connectors joined, by index; each once.
    pub connectors: Vec<u32>,
}

/// The connectors of one mode, for lookup.
pub struct OutboundSide {
    index: Index,
    /// Answers to keys with brackets or a port.
    routed: HashMap<Host, HostAnswer>,
    /// Answers to bare keys, for smart hosts written without brackets and port.
    bare: HashMap<Host, HostAnswer>,
}

/// Renders every connector, of whatever mode.
pub(super) fn connectors(agreements: &Agreements, conflicts: &mut Vec<Conflict>) -> Vec<Connector> {
    let mta = &agreements.mta;
    let mut connectors = Vec::with_capacity(agreements.outbound.len());
    for (number, outbound) in agreements.outbound.iter().enumerate() {
        let policy = render::tls_policy(&outbound.requirement, mta);
        let transport = render::transport(outbound, mta);
        if let Some(path) = render::unspeakable_anchor(&outbound.requirement, mta) {
            conflicts.push(Conflict {
                direction: Direction::Outbound,
                connector: number,
                key: "ca_file",
                text: None,
                message: format!("the path {} cannot be told to Postfix, which knows no quoting", path.display()),
                help: "set queue_directory in [mta], so that the file is copied, or use a path without spaces and commas"
                    .to_owned(),
            });
        }
        for (key, reply) in [("tls", &policy), ("route", &transport)] {
            if reply.len() > render::MAX_REPLY {
                conflicts.push(Conflict {
                    direction: Direction::Outbound,
                    connector: number,
                    key,
                    text: None,
                    message: format!(
                        "the reply to Postfix would have {} bytes; {} is the most",
                        reply.len(),
                        render::MAX_REPLY
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
            route,
            transport: service,
            validate_recipients,
            notes,
            place,
        } = outbound;
        connectors.push(Connector {
            agreement: Outbound {
                name: name.clone(),
                mode: *mode,
                domains: Vec::new(),
                except: except.clone(),
                overrides: overrides.clone(),
                requirement: requirement.clone(),
                route: route.clone(),
                transport: service.clone(),
                validate_recipients: validate_recipients.clone(),
                notes: notes.clone(),
                place: place.clone(),
            },
            policy,
            transport,
        });
    }
    connectors
}

impl OutboundSide {
    /// Compiles the connectors of one mode.
    pub(super) fn build(agreements: &Agreements, mode: Mode, conflicts: &mut Vec<Conflict>) -> Self {
        let all = &agreements.outbound;
        let chosen = || numbered(all).filter(move |(_, outbound)| outbound.mode == mode);
        for (number, outbound) in chosen() {
            let mut entries = outbound.domains.iter().flat_map(|pattern| pattern.entries());
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
        let (index, duplicates) = Index::build(chosen().flat_map(|(number, outbound)| {
            outbound.domains.iter().flat_map(move |pattern| {
                pattern
                    .entries()
                    .filter(|&entry| !outbound.except.covers(entry))
                    .map(move |entry| (number, pattern, entry))
            })
        }));
        for duplicate in super::inbound::without_repeats(duplicates) {
            let (first, second) = (at(all, duplicate.first), at(all, duplicate.second));
            conflicts.push(super::inbound::duplicate(
                Direction::Outbound,
                "domains",
                &duplicate,
                [&first.name, &second.name],
            ));
        }
        let mut side = OutboundSide { index, routed: HashMap::new(), bare: HashMap::new() };
        match mode {
            Mode::Enforce => {
                side.check_shadowing(agreements, conflicts);
                side.join_hosts(agreements, conflicts);
            }
            Mode::Report => side.list_hosts(agreements),
            Mode::Off => {}
        }
        side
    }

    /// The index of domains.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// The connector that applies to a normalised name: the most specific one that does not
    /// except it.
    pub fn find<'s>(&'s self, connectors: &[Connector], name: &str) -> Option<Hit<'s>> {
        self.index.chain(name).find(|hit| {
            connectors.get(position(hit.owner)).is_some_and(|connector| {
                let except = &connector.agreement.except;
                except.is_empty() || except.find(name).is_none()
            })
        })
    }

    /// The answer for a host; `bare` when the key had neither brackets nor a port.
    pub fn host(&self, host: &Host, bare: bool) -> Option<&HostAnswer> {
        if bare { self.bare.get(host) } else { self.routed.get(host) }
    }

    /// Whether any smart host has to be looked for.
    pub fn has_hosts(&self, bare: bool) -> bool {
        if bare { !self.bare.is_empty() } else { !self.routed.is_empty() }
    }

    /// Every host with an answer of its own.
    pub fn hosts(&self) -> impl Iterator<Item = (&Host, &HostAnswer)> {
        self.routed.iter()
    }

    /// A connector must be at least as strong as the next wider one that it hides. Wider ones
    /// behind that are hidden already, so adding a connector without `overrides` weakens nothing.
    fn check_shadowing(&self, agreements: &Agreements, conflicts: &mut Vec<Conflict>) {
        let all = &agreements.outbound;
        let main_cf = Requirement::of_main_cf(agreements.mta.level);
        // A pair is shown once, with the first domain it was found at.
        let mut weak: BTreeMap<(u32, Option<u32>), (String, usize)> = BTreeMap::new();
        let mut known: HashMap<(u32, u32), bool> = HashMap::new();
        for hit in self.index.entries() {
            let narrow = at(all, hit.owner);
            let mut reaches_main_cf = true;
            for wider in self.index.above(hit.entry) {
                let wide = at(all, wider.owner);
                if wider.owner == hit.owner || wide.except.covers(hit.entry) {
                    continue;
                }
                let relative = matches!(narrow.requirement.names(), Names::Domain)
                    || matches!(wide.requirement.names(), Names::Domain);
                let compare = || narrow.requirement.holds_against(&wide.requirement, hit.entry);
                let holds = if relative {
                    compare()
                } else {
                    *known.entry((hit.owner, wider.owner)).or_insert_with(compare)
                };
                if !holds && !narrow.overrides.iter().any(|name| name == wide.name.as_str()) {
                    weak.entry((hit.owner, Some(wider.owner))).or_insert_with(|| (hit.to_string(), 0)).1 += 1;
                }
                if !wide.except.meets(hit.entry) {
                    reaches_main_cf = false;
                    break;
                }
            }
            if reaches_main_cf
                && !narrow.requirement.holds_against(&main_cf, hit.entry)
                && !narrow.overrides.iter().any(|name| name == MAIN_CF)
            {
                weak.entry((hit.owner, None)).or_insert_with(|| (hit.to_string(), 0)).1 += 1;
            }
        }
        for ((narrow, wide), (pattern, count)) in weak {
            let (wide_name, demand) = match wide {
                Some(wide) => (at(all, wide).name.as_str(), at(all, wide).requirement.to_string()),
                None => (MAIN_CF, format!("{main_cf}, by [mta] level")),
            };
            let narrow_demand = &at(all, narrow).requirement;
            let more = if count > 1 { format!(" and {} more", count - 1) } else { String::new() };
            conflicts.push(Conflict {
                direction: Direction::Outbound,
                connector: position(narrow),
                key: "domains",
                message: format!(
                    "for {pattern}{more} this connector ({narrow_demand}) is not at least as strong as the wider `{wide_name}` ({demand})"
                ),
                text: Some(pattern),
                help: format!("make it as strong, or say that it may be weaker: overrides = [\"{wide_name}\"]"),
            });
        }
    }

    /// One answer for each host that mail is sent through.
    fn join_hosts(&mut self, agreements: &Agreements, conflicts: &mut Vec<Conflict>) {
        let all = &agreements.outbound;
        for (host, users) in users_of_hosts(all, Mode::Enforce) {
            let domain = self.domain_connector(all, host);
            for bare in [false, true] {
                let routers: Vec<u32> =
                    users.iter().filter(|user| !bare || user.bare).map(|user| user.connector).collect();
                if routers.is_empty() {
                    continue;
                }
                // The host's own domain connector is wider than those that use the host only
                // when all of these say so. A bare key is also asked for the domain itself.
                let overridden = |number: u32| {
                    !bare
                        && routers.iter().all(|&router| {
                            let name = at(all, number).name.as_str();
                            router != number
                                && at(all, router).overrides.iter().any(|overridden| overridden == name)
                        })
                };
                let mut joined = routers.clone();
                joined.extend(domain.filter(|number| !routers.contains(number) && !overridden(*number)));
                match join(all, host, &joined) {
                    Ok(requirement) => {
                        let policy = render::tls_policy(&requirement, &agreements.mta);
                        let answer = HostAnswer { policy, requirement, connectors: joined };
                        let map = if bare { &mut self.bare } else { &mut self.routed };
                        map.insert(host.clone(), answer);
                    }
                    Err((connector, other, reason)) => conflicts.push(Conflict {
                        direction: Direction::Outbound,
                        connector: position(connector),
                        key: "route",
                        text: None,
                        message: format!("mail through {host} must satisfy `{}` too, and {reason}", at(all, other).name),
                        help: "Postfix asks for the host, not for the partner: give both the same demands, or one of them another host".to_owned(),
                    }),
                }
            }
        }
    }

    /// Reporting connectors are not joined: each would have answered for itself.
    fn list_hosts(&mut self, agreements: &Agreements) {
        let all = &agreements.outbound;
        for (host, users) in users_of_hosts(all, Mode::Report) {
            let Some(first) = users.first() else { continue };
            let requirement = at(all, first.connector).requirement.clone();
            let answer = |connectors: Vec<u32>| HostAnswer {
                policy: render::tls_policy(&requirement, &agreements.mta),
                requirement: requirement.clone(),
                connectors,
            };
            let bare: Vec<u32> = users.iter().filter(|user| user.bare).map(|user| user.connector).collect();
            if !bare.is_empty() {
                self.bare.insert(host.clone(), answer(bare));
            }
            self.routed.insert(host.clone(), answer(users.iter().map(|user| user.connector).collect()));
        }
    }

    fn domain_connector(&self, all: &[Outbound], host: &Host) -> Option<u32> {
        match host {
            Host::Name(name) => self
                .index
                .chain(name.as_str())
                .find(|hit| at(all, hit.owner).except.find(name.as_str()).is_none())
                .map(|hit| hit.owner),
            Host::Address(_) => self.index.any().map(|hit| hit.owner),
        }
    }
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

type JoinFailure = (u32, u32, String);

fn join(all: &[Outbound], host: &Host, numbers: &[u32]) -> Result<Requirement, JoinFailure> {
    let resolved = |number: u32| {
        let requirement = &at(all, number).requirement;
        match host {
            Host::Name(name) if numbers.len() > 1 => requirement.resolved(name),
            Host::Name(_) | Host::Address(_) => requirement.clone(),
        }
    };
    let mut numbers = numbers.iter().copied();
    let first = numbers.next().expect("a host is only listed with a connector that uses it");
    let mut so_far = resolved(first);
    for number in numbers {
        so_far = so_far.join(&resolved(number)).map_err(|reason| (first, number, reason.to_string()))?;
    }
    Ok(so_far)
}

/// Connectors with the numbers that the index knows them by.
fn numbered(all: &[Outbound]) -> impl Iterator<Item = (u32, &Outbound)> {
    (0_u32..).zip(all)
}

/// The index in a list of a number given by [`numbered`].
pub(super) fn position(number: u32) -> usize {
    usize::try_from(number).expect("a platform with Unix sockets has pointers of 32 bits or more")
}

fn at(all: &[Outbound], number: u32) -> &Outbound {
    all.get(position(number)).expect("numbers are given by `numbered`")
}
