//! No connector hides a stronger one by accident.
//!
//! Of the connectors that cover a name the most specific answers; the wider ones are hidden. A
//! connector must be at least as strong as what it hides, or name it in `overrides`. What main.cf
//! gives is the widest of all.
//!
//! The wider ones are gone through from the nearest on. One that the connector is at least as
//! strong as ends the search: what lies behind was hidden by that one already, and adding the
//! connector weakens nothing. One that it overrides does not end it: `overrides` excuses the
//! connectors it names and no others.

use std::collections::{BTreeMap, HashMap, HashSet};

use foldhash::fast::RandomState;

use super::index::{Hit, Index};
use super::outbound::{at, entries, numbered};
use super::position;
use super::{Conflict, Direction};
use crate::model::name::MAIN_CF;
use crate::model::names::Names;
use crate::model::pattern::Entry;
use crate::model::requirement::Requirement;
use crate::model::{Agreements, Mode, Outbound};

/// A connector, and a wider one that it is not at least as strong as; none is main.cf.
type Pair = (u32, Option<u32>);

/// Where a pair was found first, and how often.
struct Found {
    pattern: String,
    count: usize,
}

struct Check<'a> {
    /// Of the enforcing connectors.
    index: &'a Index,
    all: &'a [Outbound],
    main_cf: Requirement,
    /// Pairs compared already, where the domain makes no difference.
    known: HashMap<Pair, bool, RandomState>,
    /// The last of them that is as it should be: in a list of a million it is always the same.
    sound: Option<Pair>,
    weak: BTreeMap<Pair, Found>,
    /// Entries of weak pairs, where some connector may have one twice.
    seen: HashSet<(Pair, Entry<'a>), RandomState>,
}

/// Finds every connector that is weaker than what it hides, without naming it, in the order written.
pub(super) fn check(index: &Index, agreements: &Agreements, conflicts: &mut Vec<Conflict>) {
    let mut check = Check {
        index,
        all: &agreements.outbound,
        main_cf: Requirement::of_main_cf(agreements.mta.level),
        known: HashMap::default(),
        sound: None,
        weak: BTreeMap::new(),
        seen: HashSet::default(),
    };
    for (number, outbound) in numbered(check.all).filter(|(_, outbound)| outbound.mode == Mode::Enforce) {
        for hit in entries(number, outbound) {
            check.entry(hit);
        }
    }
    conflicts.extend(check.weak.iter().map(|(pair, found)| check.conflict(*pair, found)));
}

impl<'a> Check<'a> {
    fn entry(&mut self, hit: Hit<'a>) {
        for wider in self.index.above(hit.entry) {
            let wide = at(self.all, wider.owner);
            if wider.owner == hit.owner || wide.except.covers(hit.entry) {
                continue;
            }
            // Through an exception inside the entry the next wider one is seen.
            if self.holds(hit, Some(wider.owner)) && !wide.except.meets(hit.entry) {
                return;
            }
        }
        self.holds(hit, None);
    }

    /// Whether the owner of the entry is at least as strong as a wider connector; notes it if it
    /// is not, and does not say so.
    fn holds(&mut self, hit: Hit<'a>, wide: Option<u32>) -> bool {
        let pair = (hit.owner, wide);
        if self.sound == Some(pair) {
            return true;
        }
        let narrow = at(self.all, hit.owner);
        let wide_demand = wide.map_or(&self.main_cf, |number| &at(self.all, number).requirement);
        let relative =
            [&narrow.requirement, wide_demand].iter().any(|demand| *demand.names() == Names::Domain);
        let compare = || narrow.requirement.holds_against(wide_demand, hit.entry);
        let holds = if relative { compare() } else { *self.known.entry(pair).or_insert_with(compare) };
        if holds {
            self.sound = (!relative).then_some(pair);
            return true;
        }
        let wide_name = wide.map_or(MAIN_CF, |number| at(self.all, number).name.as_str());
        if !narrow.overrides.iter().any(|name| name == wide_name) && self.is_new(hit, pair) {
            let found = self.weak.entry(pair).or_insert_with(|| Found { pattern: hit.to_string(), count: 0 });
            found.count += 1;
        }
        false
    }

    /// Whether a weak place was not told of: neither as such, nor as another connector's too.
    fn is_new(&mut self, hit: Hit<'a>, pair: Pair) -> bool {
        !self.index.has_repeats()
            || (self.index.is_of(hit.entry, hit.owner) && self.seen.insert((pair, hit.entry)))
    }

    fn conflict(&self, (narrow, wide): Pair, Found { pattern, count }: &Found) -> Conflict {
        let (wide_name, demand) = match wide {
            Some(wide) => (at(self.all, wide).name.as_str(), at(self.all, wide).requirement.to_string()),
            None => (MAIN_CF, format!("{}, by [mta] level", self.main_cf)),
        };
        let demand_here = &at(self.all, narrow).requirement;
        let more = if *count > 1 { format!(" and {} more", count - 1) } else { String::new() };
        Conflict {
            direction: Direction::Outbound,
            connector: position(narrow),
            key: "domains",
            message: format!(
                "for {pattern}{more} this connector ({demand_here}) is not at least as strong as the wider `{wide_name}` ({demand})"
            ),
            text: Some(pattern.clone()),
            help: format!("make it as strong, or say that it may be weaker: overrides = [\"{wide_name}\"]"),
        }
    }
}

#[cfg(test)]
#[path = "shadowing_tests.rs"]
mod tests;
