//! What changes from one snapshot to the next, in words.
//!
//! The question is not which lines of a file differ but which mail will be treated otherwise. So
//! outbound answers are compared at every place where either snapshot could change its mind: each
//! compiled entry, each exception, each smart host. In between, both answers are constant.
//! Changes are gathered by connector; the first place and the number of further ones are named.
//! What main.cf gives without us is taken from `[mta] level`.

use std::cmp::Ordering;
use std::collections::btree_map::Entry as MapEntry;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt::{self, Write as _};

use super::Snapshot;
use super::inbound_diff::{compare, list, within, words};
use super::index::Index;
use super::outbound::Connector;
use super::position;
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
    changes.extend(mta(old, new));
    changes.sort_by(|a, b| (&a.connector, a.kind).cmp(&(&b.connector, b.kind)));
    changes
}

/// What a snapshot demands at some place.
#[derive(Clone, Copy)]
struct Demand<'s> {
    owner: Owner<'s>,
    /// The connector that decides, for its name and its route.
    connector: &'s Connector,
    requirement: &'s Requirement,
    policy: &'s str,
}

/// Whose demand it is: places with the same owners before and after are told as one change.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Owner<'s> {
    Connector(u32),
    Host(&'s Host, bool),
}

/// A change from one owner's demand to another's.
type Between<'s> = (Option<Owner<'s>>, Option<Owner<'s>>, Kind, bool);

/// What changes at a place.
#[derive(Clone, Copy)]
struct Step<'s> {
    between: Between<'s>,
    old: Option<Demand<'s>>,
    new: Option<Demand<'s>>,
}

/// The places of a change, and what is demanded there.
struct Places<'s> {
    /// The first of them in the order of their texts: that of an index says nothing.
    first: String,
    count: usize,
    old: Option<Demand<'s>>,
    new: Option<Demand<'s>>,
}

/// Changes gathered by owners, so that the words are made once for a million places.
struct Gathered<'s> {
    old: &'s Snapshot,
    new: &'s Snapshot,
    /// What main.cf gave.
    main_cf: Requirement,
    changes: BTreeMap<Between<'s>, Places<'s>>,
    /// The text of a place, for as long as it is compared.
    text: String,
}

impl<'s> Gathered<'s> {
    /// What changes at a place that is no host.
    fn at(&self, place: Entry<'_>) -> Option<Step<'s>> {
        self.step(demand(self.old, place), demand(self.new, place), place)
    }

    /// The change from one demand to another at a place, if it is one.
    fn step(&self, old: Option<Demand<'s>>, new: Option<Demand<'s>>, entry: Entry<'_>) -> Option<Step<'s>> {
        let (kind, weakens) = self.direction(old, new, entry)?;
        let owner = |demand: Option<Demand<'s>>| demand.map(|demand| demand.owner);
        Some(Step { between: (owner(old), owner(new), kind, weakens), old, new })
    }

    fn add(&mut self, place: &dyn fmt::Display, Step { between, old, new }: Step<'s>) {
        self.text.clear();
        write!(self.text, "{place}").expect("a text takes whatever is written to it");
        match self.changes.entry(between) {
            MapEntry::Vacant(free) => {
                free.insert(Places { first: self.text.clone(), count: 1, old, new });
            }
            MapEntry::Occupied(known) => {
                let places = known.into_mut();
                places.count += 1;
                if self.text < places.first {
                    places.first.clone_from(&self.text);
                }
            }
        }
    }

    /// In which direction the demand at a place goes, and whether it weakens; none if it stays.
    fn direction(
        &self,
        old: Option<Demand<'_>>,
        new: Option<Demand<'_>>,
        entry: Entry<'_>,
    ) -> Option<(Kind, bool)> {
        let (old, new) = match (old, new) {
            (None, None) => return None,
            // An `overrides` may put it below what main.cf gave.
            (None, Some(new)) => {
                return Some((Kind::Added, !new.requirement.holds_against(&self.main_cf, entry)));
            }
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

    fn changes(self) -> impl Iterator<Item = Change> {
        self.changes.into_iter().map(|((_, _, kind, weakens), places)| {
            let Places { first, count, old, new, .. } = places;
            let more = if count > 1 { format!(" and {} more", count - 1) } else { String::new() };
            let words = |demand: Option<Demand<'_>>| match demand {
                Some(demand) => format!("{} ({})", demand.requirement, demand.connector.transport),
                None => "what main.cf gives".to_owned(),
            };
            let name = old.or(new).map(|demand| demand.connector.agreement.name.to_string());
            let mut told = words(new);
            if old.zip(new).is_some_and(|(old, new)| narrows_names(old.requirement, new.requirement)) {
                told.push_str(SESSIONS);
            }
            Change {
                connector: name.unwrap_or_default(),
                kind,
                old: format!("{first}{more}: {}", words(old)),
                new: told,
                weakens,
            }
        })
    }
}

/// Postfix keeps TLS sessions without the names they were checked for (tls_client.c).
const SESSIONS: &str = "; unless smtp_tls_session_cache_database is empty, a session cached by Postfix \
                        still passes for an hour";

/// Whether a certificate that passed before may not pass now.
fn narrows_names(old: &Requirement, new: &Requirement) -> bool {
    let at_most = new.names().partial_cmp(old.names()).is_some_and(Ordering::is_le);
    old.level().judges_chain() && new.level().judges_chain() && !at_most
}

fn outbound(old: &Snapshot, new: &Snapshot) -> Vec<Change> {
    let hosts = [false, true].map(|bare| -> BTreeSet<Host> {
        [old, new].into_iter().flat_map(|snapshot| snapshot.enforced().hosts().iter(bare)).collect()
    });
    let main_cf = Requirement::of_main_cf(old.mta().level);
    let mut gathered = Gathered { old, new, main_cf, changes: BTreeMap::new(), text: String::new() };
    let exceptions = |snapshot: &'_ Snapshot| -> HashSet<Pattern> {
        let enforcing =
            snapshot.outbound().iter().filter(|connector| connector.agreement.mode == Mode::Enforce);
        enforcing.flat_map(|connector| connector.agreement.except.iter().cloned()).collect()
    };
    let (old_exceptions, new_exceptions) = (exceptions(old), exceptions(new));
    let (old_index, new_index) = (old.enforced().index(), new.enforced().index());
    // What is a place in both is looked at from the old side.
    for (index, before) in [(old_index, None), (new_index, Some(old_index))] {
        let is_known = |entry: Entry<'_>| before.is_some_and(|before: &Index| before.contains(entry));
        for hit in index.entries().filter(|hit| !is_known(hit.entry)) {
            let Some(step) = gathered.at(hit.entry) else {
                continue;
            };
            // `*.x` is one place, and compiles to two entries.
            let half = index.half(hit).filter(|&half| !is_known(half));
            let told = half.and_then(|half| gathered.at(half));
            if told.is_none_or(|told| told.between != step.between) {
                gathered.add(&hit, step);
            }
        }
    }
    for pattern in old_exceptions.union(&new_exceptions) {
        let mut told = None;
        for entry in pattern.entries() {
            let is_known = old_index.contains(entry) || new_index.contains(entry);
            let step = if is_known { None } else { gathered.at(entry) };
            if let Some(step) = step.filter(|step| told != Some(step.between)) {
                gathered.add(pattern, step);
                told = Some(step.between);
            }
        }
    }
    for (bare, hosts) in [false, true].into_iter().zip(&hosts) {
        for host in hosts {
            let entry = match host {
                Host::Name(name) => Entry::Name(name.as_str()),
                Host::Address(_) => Entry::Any,
            };
            let (before, after) = (host_demand(old, host, bare), host_demand(new, host, bare));
            if let Some(step) = gathered.step(before, after, entry) {
                let place = if bare { host.to_string() } else { format!("[{host}]") };
                gathered.add(&place, step);
            }
        }
    }
    gathered.changes().collect()
}

fn demand<'s>(snapshot: &'s Snapshot, place: Entry<'_>) -> Option<Demand<'s>> {
    let connector = |owner: u32| snapshot.outbound().get(position(owner));
    let hit = snapshot.enforced().index().covering(place).find(|hit| {
        connector(hit.owner).is_some_and(|connector| !connector.agreement.except.covers(place))
    })?;
    let owner = Owner::Connector(hit.owner);
    let connector = connector(hit.owner)?;
    Some(Demand {
        owner,
        connector,
        requirement: &connector.agreement.requirement,
        policy: snapshot.policy(hit.owner),
    })
}

fn host_demand<'s>(snapshot: &'s Snapshot, host: &'s Host, bare: bool) -> Option<Demand<'s>> {
    if let Some(answer) = snapshot.enforced().hosts().find(host, bare) {
        let connector =
            answer.connectors.first().and_then(|&number| snapshot.outbound().get(position(number)))?;
        let owner = Owner::Host(host, bare);
        return Some(Demand { owner, connector, requirement: &answer.requirement, policy: &answer.policy });
    }
    match host {
        Host::Name(name) => demand(snapshot, Entry::Name(name.as_str())),
        Host::Address(_) => demand(snapshot, Entry::Any),
    }
}

/// What `[mta]` says of the MTA and of our own domains.
fn mta(old: &Snapshot, new: &Snapshot) -> Vec<Change> {
    let (before, after) = (old.mta(), new.mta());
    let mut changes = Vec::new();
    let mut tell = |kind, old, new, weakens| {
        changes.push(Change { connector: "[mta]".to_owned(), kind, old, new, weakens });
    };
    if before.level != after.level {
        let [old, new] = [before.level, after.level].map(|level| (level, Requirement::of_main_cf(level)));
        let (kind, weakens) = match new.1.partial_cmp(&old.1) {
            Some(Ordering::Greater) => (Kind::Stronger, false),
            Some(Ordering::Less) => (Kind::Weaker, true),
            Some(Ordering::Equal) | None => (Kind::Changed, true),
        };
        tell(kind, format!("level {}", old.0), format!("level {}", new.0), weakens);
    }
    if before.own_domains != after.own_domains {
        // A domain of ours is not sent by a connector's route.
        let added: PatternSet = after
            .own_domains
            .iter()
            .filter(|pattern| pattern.entries().any(|entry| !before.own_domains.covers(entry)))
            .cloned()
            .collect();
        let mut partners =
            old.enforced().index().entries().map(|hit| hit.entry).filter(|entry| *entry != Entry::Any);
        let weakens = !added.is_empty() && partners.any(|entry| added.meets(entry));
        let kind = if weakens { Kind::Weaker } else { Kind::Changed };
        let words = |set: &PatternSet| {
            let patterns: Vec<String> = set.iter().map(ToString::to_string).collect();
            format!("own_domains {}", patterns.join(", "))
        };
        tell(kind, words(&before.own_domains), words(&after.own_domains), weakens);
    }
    changes
}

fn exempt(old: &Snapshot, new: &Snapshot) -> Option<Change> {
    let (before, after) = (old.exempt(), new.exempt());
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
