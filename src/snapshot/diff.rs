//! What changes from one snapshot to the next, in words.
//!
//! The question is not which lines of a file differ but which mail will be treated otherwise. So
//! outbound answers are compared at every place where either snapshot could change its mind: each
//! compiled entry, each exception, each smart host. In between, both answers are constant.
//! Changes are gathered by connector; the first place and the number of further ones are named.

use std::collections::btree_map::Entry as Slot;
use std::collections::{BTreeMap, HashSet};

use super::outbound::{Connector, position};
use super::Snapshot;
use crate::model::inbound::{CertificateRequirement, Require, TlsRequirement};
use crate::model::pattern::Entry;
use crate::model::requirement::Requirement;
use crate::model::{Host, Inbound, Mode, Pattern, PatternSet};

/// One change of what a connector enforces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The connector, or the table of the configuration in brackets.
    pub connector: String,
    /// In which direction it went.
    pub kind: Kind,
    /// What was demanded.
    pub old: String,
    /// What is demanded now.
    pub new: String,
    /// Some mail needs less than before: what `weaker_reload = "refuse"` refuses.
    pub weakens: bool,
}

/// The kind of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Nothing was demanded before.
    Added,
    /// Nothing is demanded any more.
    Removed,
    /// More is demanded.
    Stronger,
    /// Less is demanded.
    Weaker,
    /// Something else is demanded, or the mail takes another way.
    Changed,
}

impl Kind {
    /// The word in logs and in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Added => "added",
            Kind::Removed => "removed",
            Kind::Stronger => "stronger",
            Kind::Weaker => "weaker",
            Kind::Changed => "changed",
        }
    }
}

/// Every change from `old` to `new`, ordered by connector.
pub fn diff(old: &Snapshot, new: &Snapshot) -> Vec<Change> {
    let mut changes = outbound(old, new);
    changes.extend(inbound(old, new));
    changes.extend(exempt(old, new));
    changes.sort_by(|a, b| (&a.connector, a.kind).cmp(&(&b.connector, b.kind)));
    changes
}

/// What a snapshot demands at some place.
struct Demand<'s> {
    /// The connector that decides, for its name and its route.
    connector: &'s Connector,
    requirement: &'s Requirement,
    policy: &'s str,
}

/// Gathers changes of one kind between the same two demands.
#[derive(Default)]
struct Gathered(BTreeMap<(String, Kind, String, String), (String, usize, bool)>);

impl Gathered {
    fn add(&mut self, place: &str, old: Option<&Demand<'_>>, new: Option<&Demand<'_>>, entry: Entry<'_>) {
        let (kind, weakens) = match (old, new) {
            (None, None) => return,
            (None, Some(_)) => (Kind::Added, false),
            (Some(_), None) => (Kind::Removed, true),
            (Some(old), Some(new)) => {
                let same_way = old.connector.transport == new.connector.transport;
                if old.policy == new.policy && same_way && old.requirement == new.requirement {
                    return;
                }
                let at_least = new.requirement.holds_against(old.requirement, entry);
                let at_most = old.requirement.holds_against(new.requirement, entry);
                match (at_least, at_most) {
                    (true, true) | (false, false) => (Kind::Changed, !at_least),
                    (true, false) => (Kind::Stronger, false),
                    (false, true) => (Kind::Weaker, true),
                }
            }
        };
        let words = |demand: Option<&Demand<'_>>| demand.map_or_else(|| "what main.cf gives".to_owned(), |demand| {
            format!("{} ({})", demand.requirement, demand.connector.transport)
        });
        let name = old.or(new).map(|demand| demand.connector.agreement.name.to_string()).unwrap_or_default();
        match self.0.entry((name, kind, words(old), words(new))) {
            Slot::Vacant(slot) => {
                slot.insert((place.to_owned(), 1, weakens));
            }
            Slot::Occupied(mut slot) => slot.get_mut().1 += 1,
        }
    }

    fn changes(self) -> impl Iterator<Item = Change> {
        self.0.into_iter().map(|((connector, kind, old, new), (place, count, weakens))| {
            let more = if count > 1 { format!(" and {} more", count - 1) } else { String::new() };
            Change { connector, kind, old: format!("{place}{more}: {old}"), new, weakens }
        })
    }
}

fn outbound(old: &Snapshot, new: &Snapshot) -> Vec<Change> {
    let mut gathered = Gathered::default();
    let exceptions = |snapshot: &'_ Snapshot| -> HashSet<Pattern> {
        let enforcing = snapshot.outbound().iter().filter(|connector| connector.agreement.mode == Mode::Enforce);
        enforcing.flat_map(|connector| connector.agreement.except.iter().cloned()).collect()
    };
    let (old_exceptions, new_exceptions) = (exceptions(old), exceptions(new));
    let mut look = |place: Entry<'_>| {
        gathered.add(&place.to_string(), demand(old, place).as_ref(), demand(new, place).as_ref(), place);
    };
    for hit in old.enforced().index().entries() {
        look(hit.entry);
    }
    for hit in new.enforced().index().entries() {
        // What is a place in both has been looked at from the old side.
        let known = old.enforced().index().covering(hit.entry).next().is_some_and(|other| other.entry == hit.entry);
        if !known {
            look(hit.entry);
        }
    }
    for pattern in old_exceptions.union(&new_exceptions) {
        for entry in pattern.entries() {
            let listed = [old, new].iter().any(|snapshot| {
                snapshot.enforced().index().covering(entry).next().is_some_and(|hit| hit.entry == entry)
            });
            if !listed {
                look(entry);
            }
        }
    }
    let mut hosts: Vec<&Host> = old.enforced().hosts().chain(new.enforced().hosts()).map(|(host, _)| host).collect();
    hosts.sort();
    hosts.dedup();
    for host in hosts {
        let entry = match host {
            Host::Name(name) => Entry::Name(name.as_str()),
            Host::Address(_) => Entry::Any,
        };
        gathered.add(&format!("[{host}]"), host_demand(old, host).as_ref(), host_demand(new, host).as_ref(), entry);
    }
    gathered.changes().collect()
}

fn demand<'s>(snapshot: &'s Snapshot, place: Entry<'_>) -> Option<Demand<'s>> {
    let hit = snapshot.enforced().index().covering(place).find(|hit| {
        snapshot.outbound().get(position(hit.owner)).is_some_and(|connector| !connector.agreement.except.covers(place))
    })?;
    let connector = snapshot.outbound().get(position(hit.owner))?;
    Some(Demand { connector, requirement: &connector.agreement.requirement, policy: &connector.policy })
}

fn host_demand<'s>(snapshot: &'s Snapshot, host: &Host) -> Option<Demand<'s>> {
    if let Some(answer) = snapshot.enforced().host(host, false) {
        let connector = answer.connectors.first().and_then(|&number| snapshot.outbound().get(position(number)))?;
        return Some(Demand { connector, requirement: &answer.requirement, policy: &answer.policy });
    }
    match host {
        Host::Name(name) => demand(snapshot, Entry::Name(name.as_str())),
        Host::Address(_) => demand(snapshot, Entry::Any),
    }
}

fn exempt(old: &Snapshot, new: &Snapshot) -> Option<Change> {
    let (before, after) = (old.exempt(), new.exempt());
    let within = |inner: &[ipnet::IpNet], outer: &[ipnet::IpNet]| inner.iter().all(|range| outer.iter().any(|wide| wide.contains(range)));
    let (kind, weakens) = match (within(after, before), within(before, after)) {
        (true, true) => return None,
        (true, false) => (Kind::Stronger, false),
        (false, true) => (Kind::Weaker, true),
        (false, false) => (Kind::Changed, true),
    };
    Some(Change { connector: "[inbound_exempt]".to_owned(), kind, old: list(before), new: list(after), weakens })
}

fn list<T: ToString>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn inbound(old: &Snapshot, new: &Snapshot) -> Vec<Change> {
    let enforced = |snapshot: &Snapshot| -> BTreeMap<String, Inbound> {
        let all = snapshot.inbound().iter().filter(|inbound| inbound.mode == Mode::Enforce);
        all.map(|inbound| (inbound.name.to_string(), inbound.clone())).collect()
    };
    let (before, mut after) = (enforced(old), enforced(new));
    let mut changes = Vec::new();
    for (name, before) in before {
        let change = match after.remove(&name) {
            None => Some((Kind::Removed, true, "nothing".to_owned())),
            Some(after) => compare(&before, &after).map(|(kind, weakens)| (kind, weakens, inbound_words(&after))),
        };
        if let Some((kind, weakens, new)) = change {
            changes.push(Change { connector: name, kind, old: inbound_words(&before), new, weakens });
        }
    }
    changes.extend(after.into_iter().map(|(connector, inbound)| Change {
        connector,
        kind: Kind::Added,
        old: "nothing".to_owned(),
        new: inbound_words(&inbound),
        // It may take others out of force.
        weakens: !inbound.overrides.is_empty(),
    }));
    changes
}

/// Component by component: is the new one at least, and at most, as strong?
fn compare(old: &Inbound, new: &Inbound) -> Option<(Kind, bool)> {
    let at_least = [at_least(new, old), at_least(old, new)];
    match at_least {
        [true, true] => None,
        [true, false] => Some((Kind::Stronger, false)),
        [false, true] => Some((Kind::Weaker, true)),
        [false, false] => Some((Kind::Changed, true)),
    }
}

/// Whether all mail that `weak` refuses is refused by `strong` as well, as far as it can be read
/// from the configuration.
fn at_least(strong: &Inbound, weak: &Inbound) -> bool {
    let (own, other) = (&strong.identify, &weak.identify);
    let domains = PatternSet::new(own.domains.clone());
    let covers_domains = other.domains.iter().flat_map(|pattern| pattern.entries()).all(|entry| domains.covers(entry));
    let within = |inner: &[ipnet::IpNet], outer: &[ipnet::IpNet]| inner.iter().all(|range| outer.iter().any(|wide| wide.contains(range)));
    let scope = match (&strong.recipients, &weak.recipients) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(own), Some(other)) => own.includes(other),
    };
    covers_domains
        && within(&other.addresses, &own.addresses)
        && within(&own.except_addresses, &other.except_addresses)
        && scope
        && requires(&strong.require, &weak.require)
        && strong.on_violation >= weak.on_violation
        && strong.overrides.iter().all(|name| weak.overrides.contains(name))
}

fn requires(strong: &Require, weak: &Require) -> bool {
    let version = |require: &Require| match require.tls {
        None => None,
        Some(TlsRequirement::Any) => Some(None),
        Some(TlsRequirement::AtLeast(version)) => Some(Some(version)),
    };
    let tls = version(strong).or(strong.needs_tls().then_some(None)) >= version(weak).or(weak.needs_tls().then_some(None));
    let certificate = match (&strong.certificate, &weak.certificate) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(strong), Some(weak)) => certificate_requires(strong, weak),
    };
    let addresses = match (&strong.addresses, &weak.addresses) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(strong), Some(weak)) => strong.iter().all(|range| weak.iter().any(|wide| wide.contains(range))),
    };
    tls && certificate && addresses
}

fn certificate_requires(strong: &CertificateRequirement, weak: &CertificateRequirement) -> bool {
    let names = match (&strong.names, &weak.names) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(strong), Some(weak)) => weak.includes(strong),
    };
    let issuers = match (&strong.issuers, &weak.issuers) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(strong), Some(weak)) => strong.is_subset(weak),
    };
    // A trusted chain is a way in only where names or issuers are given.
    let chain = |requirement: &CertificateRequirement| requirement.names.is_some() || requirement.issuers.is_some();
    let ways = !chain(strong) || chain(weak);
    names && issuers && ways && strong.registered.iter().all(|registered| weak.registered.contains(registered))
}

/// An inbound connector in one line.
fn inbound_words(inbound: &Inbound) -> String {
    let mut words = Vec::new();
    let identify = &inbound.identify;
    let clients: Vec<String> = identify.addresses.iter().map(ToString::to_string).collect();
    let about = identify.domains.iter().take(3).map(ToString::to_string).chain(clients.into_iter().take(3)).collect::<Vec<_>>().join(", ");
    words.push(format!("from {about}"));
    match inbound.require.tls {
        Some(TlsRequirement::Any) => words.push("TLS".to_owned()),
        Some(TlsRequirement::AtLeast(version)) => words.push(format!("{version} or newer")),
        None => {}
    }
    if let Some(certificate) = &inbound.require.certificate {
        let names = certificate.names.as_ref().map_or_else(|| "any name".to_owned(), |names| {
            crate::model::names::Names::Set(names.clone()).to_string()
        });
        words.push(format!("certificate {names}, {} registered", certificate.registered.len()));
    }
    if let Some(ranges) = &inbound.require.addresses {
        words.push(format!("client in {}", list(ranges)));
    }
    words.push(format!("else {}", inbound.on_violation.word()));
    words.join("; ")
}
