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

use std::collections::{BTreeMap, HashMap};

use foldhash::fast::RandomState;

use super::index::{Hit, Index};
use super::outbound::{at, position};
use super::{Conflict, Direction};
use crate::model::name::MAIN_CF;
use crate::model::names::Names;
use crate::model::requirement::Requirement;
use crate::model::{Agreements, Outbound};

/// A connector, and a wider one that it is not at least as strong as; none is main.cf.
type Pair = (u32, Option<u32>);

/// Where a pair was found first, and how often.
struct Found {
    pattern: String,
    count: usize,
}

struct Check<'a> {
    all: &'a [Outbound],
    main_cf: Requirement,
    /// Pairs compared already, where the domain makes no difference.
    known: HashMap<Pair, bool, RandomState>,
    weak: BTreeMap<Pair, Found>,
}

/// Finds every connector that is weaker than what it hides, without naming it.
pub(super) fn check(index: &Index, agreements: &Agreements, conflicts: &mut Vec<Conflict>) {
    let main_cf = Requirement::of_main_cf(agreements.mta.level);
    let mut check =
        Check { all: &agreements.outbound, main_cf, known: HashMap::default(), weak: BTreeMap::new() };
    for hit in index.entries() {
        check.entry(index, &hit);
    }
    conflicts.extend(check.weak.iter().map(|(pair, found)| check.conflict(*pair, found)));
}

impl Check<'_> {
    fn entry(&mut self, index: &Index, hit: &Hit<'_>) {
        for wider in index.above(hit.entry) {
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
    fn holds(&mut self, hit: &Hit<'_>, wide: Option<u32>) -> bool {
        let narrow = at(self.all, hit.owner);
        let wide_demand = wide.map_or(&self.main_cf, |number| &at(self.all, number).requirement);
        let relative =
            [&narrow.requirement, wide_demand].iter().any(|demand| *demand.names() == Names::Domain);
        let compare = || narrow.requirement.holds_against(wide_demand, hit.entry);
        let pair = (hit.owner, wide);
        let holds = if relative { compare() } else { *self.known.entry(pair).or_insert_with(compare) };
        let wide_name = wide.map_or(MAIN_CF, |number| at(self.all, number).name.as_str());
        if !holds && !narrow.overrides.iter().any(|name| name == wide_name) {
            let found = self.weak.entry(pair).or_insert_with(|| Found { pattern: hit.to_string(), count: 0 });
            found.count += 1;
        }
        holds
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
