//! What changes from one snapshot to the next, in words.
//!
//! The question is not which lines of a file differ but which mail will be treated otherwise. So
//! outbound answers are compared at every place where either snapshot could change its mind: each
//! compiled entry, each exception, each smart host. In between, both answers are constant.
//! Changes are gathered by connector; the first place and the number of further ones are named.

use std::collections::{BTreeMap, HashSet};

use super::Snapshot;
use super::inbound_diff::{compare, list, words};
use super::outbound::{Connector, position};
use crate::model::pattern::Entry;
use crate::model::requirement::Requirement;
use crate::model::{Host, Inbound, Mode, Pattern};

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

/// What places have in common that are told as one change.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Told {
    connector: String,
    kind: Kind,
    old: String,
    new: String,
    weakens: bool,
}

/// The first place of a change, and how many there are.
struct Places {
    first: String,
    count: usize,
}

#[derive(Default)]
struct Gathered(BTreeMap<Told, Places>);

impl Gathered {
    fn add(&mut self, place: &str, old: Option<&Demand<'_>>, new: Option<&Demand<'_>>, entry: Entry<'_>) {
        let Some((kind, weakens)) = direction(old, new, entry) else {
            return;
        };
        let words = |demand: Option<&Demand<'_>>| match demand {
            Some(demand) => format!("{} ({})", demand.requirement, demand.connector.transport),
            None => "what main.cf gives".to_owned(),
        };
        let name = old.or(new).map(|demand| demand.connector.agreement.name.to_string());
        let told =
            Told { connector: name.unwrap_or_default(), kind, old: words(old), new: words(new), weakens };
        self.0.entry(told).or_insert_with(|| Places { first: place.to_owned(), count: 0 }).count += 1;
    }

    fn changes(self) -> impl Iterator<Item = Change> {
        self.0.into_iter().map(|(told, places)| {
            let more =
                if places.count > 1 { format!(" and {} more", places.count - 1) } else { String::new() };
            let Told { connector, kind, old, new, weakens } = told;
            Change { connector, kind, old: format!("{}{more}: {old}", places.first), new, weakens }
        })
    }
}

/// In which direction the demand at a place goes, and whether it weakens; none if it stays.
fn direction(old: Option<&Demand<'_>>, new: Option<&Demand<'_>>, entry: Entry<'_>) -> Option<(Kind, bool)> {
    let (old, new) = match (old, new) {
        (None, None) => return None,
        (None, Some(_)) => return Some((Kind::Added, false)),
        (Some(_), None) => return Some((Kind::Removed, true)),
        (Some(old), Some(new)) => (old, new),
    };
    if old.requirement == new.requirement
        && old.policy == new.policy
        && old.connector.transport == new.connector.transport
    {
        return None;
    }
    let at_least = new.requirement.holds_against(old.requirement, entry);
    let at_most = old.requirement.holds_against(new.requirement, entry);
    Some(match (at_least, at_most) {
        (true, true) | (false, false) => (Kind::Changed, !at_least),
        (true, false) => (Kind::Stronger, false),
        (false, true) => (Kind::Weaker, true),
    })
}

fn outbound(old: &Snapshot, new: &Snapshot) -> Vec<Change> {
    let mut gathered = Gathered::default();
    let exceptions = |snapshot: &'_ Snapshot| -> HashSet<Pattern> {
        let enforcing =
            snapshot.outbound().iter().filter(|connector| connector.agreement.mode == Mode::Enforce);
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
        let known =
            old.enforced().index().covering(hit.entry).next().is_some_and(|other| other.entry == hit.entry);
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
    let mut hosts: Vec<&Host> =
        old.enforced().hosts().chain(new.enforced().hosts()).map(|(host, _)| host).collect();
    hosts.sort();
    hosts.dedup();
    for host in hosts {
        let entry = match host {
            Host::Name(name) => Entry::Name(name.as_str()),
            Host::Address(_) => Entry::Any,
        };
        gathered.add(
            &format!("[{host}]"),
            host_demand(old, host).as_ref(),
            host_demand(new, host).as_ref(),
            entry,
        );
    }
    gathered.changes().collect()
}

fn demand<'s>(snapshot: &'s Snapshot, place: Entry<'_>) -> Option<Demand<'s>> {
    let hit = snapshot.enforced().index().covering(place).find(|hit| {
        snapshot
            .outbound()
            .get(position(hit.owner))
            .is_some_and(|connector| !connector.agreement.except.covers(place))
    })?;
    let connector = snapshot.outbound().get(position(hit.owner))?;
    Some(Demand { connector, requirement: &connector.agreement.requirement, policy: &connector.policy })
}

fn host_demand<'s>(snapshot: &'s Snapshot, host: &Host) -> Option<Demand<'s>> {
    if let Some(answer) = snapshot.enforced().host(host, false) {
        let connector =
            answer.connectors.first().and_then(|&number| snapshot.outbound().get(position(number)))?;
        return Some(Demand { connector, requirement: &answer.requirement, policy: &answer.policy });
    }
    match host {
        Host::Name(name) => demand(snapshot, Entry::Name(name.as_str())),
        Host::Address(_) => demand(snapshot, Entry::Any),
    }
}

fn exempt(old: &Snapshot, new: &Snapshot) -> Option<Change> {
    let (before, after) = (old.exempt(), new.exempt());
    let within = |inner: &[ipnet::IpNet], outer: &[ipnet::IpNet]| {
        inner.iter().all(|range| outer.iter().any(|wide| wide.contains(range)))
    };
    let (kind, weakens) = match (within(after, before), within(before, after)) {
        (true, true) => return None,
        (true, false) => (Kind::Stronger, false),
        (false, true) => (Kind::Weaker, true),
        (false, false) => (Kind::Changed, true),
    };
    Some(Change {
        connector: "[inbound_exempt]".to_owned(),
        kind,
        old: list(before),
        new: list(after),
        weakens,
    })
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
            Some(after) => compare(&before, &after).map(|(kind, weakens)| (kind, weakens, words(&after))),
        };
        if let Some((kind, weakens, new)) = change {
            changes.push(Change { connector: name, kind, old: words(&before), new, weakens });
        }
    }
    changes.extend(after.into_iter().map(|(connector, inbound)| Change {
        connector,
        kind: Kind::Added,
        old: "nothing".to_owned(),
        new: words(&inbound),
        // It may take others out of force.
        weakens: !inbound.overrides.is_empty(),
    }));
    changes
}

#[cfg(test)]
#[path = "diff_tests.rs"]
mod tests;
