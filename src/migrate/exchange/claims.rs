//! Connectors that are about the same mail: the configuration takes one of them in each mode.
//!
//! A domain of its own goes before a wildcard, in Exchange (New-OutboundConnector, `RecipientDomains`;
//! connector-selection on premises), so beside `contoso.com` elsewhere `*.contoso.com` is written `.contoso.com`. Where
//! two name the same pattern, on premises the lower cost goes first; else Exchange does not say which of the two applies,
//! and the one that demands more stays, or neither where each does. What was off may be about what is off already: it is
//! kept with a domain that stands for none.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::place::Place;
use super::stricter::{Order, order};
use crate::migrate::{Draft, Terms};
use crate::model::{Mode, Pattern};
use crate::snapshot::Direction;

/// A draft, and where it comes from.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) draft: Draft,
    pub(super) file: String,
    pub(super) place: Place,
    /// A domain that stands for none.
    pub(super) nowhere: String,
    /// Which goes first among send connectors on premises; `None` where that counts for nothing.
    pub(super) cost: Option<u32>,
}

type Named = HashMap<(&'static str, String), (usize, String)>;

/// Who is for a pattern.
#[derive(Clone, Copy)]
struct Owner {
    number: usize,
    /// Whether nobody knows, so that no later one is for it either.
    is_disputed: bool,
}

/// Puts them beside each other. What has no place even when it is off comes back, with the name of the other one.
pub(super) fn settle(made: &mut Vec<Made>) -> Vec<(Made, String)> {
    // Exchange uses a domain's own connectors before a wildcard even where it is not known which one of them.
    let in_use = named(made, Mode::Report);
    duplicates(made);
    beside_wildcards(made, Mode::Report, &in_use);
    let off = named(made, Mode::Off);
    beside_wildcards(made, Mode::Off, &off);
    let mut owners: HashMap<(&'static str, String), String> = HashMap::new();
    let mut lost = Vec::new();
    for mut one in std::mem::take(made) {
        if one.draft.mode == Mode::Off {
            let mut all = entries(&one.draft.terms);
            if let Some(first) = all.iter().find_map(|entry| owners.get(entry)).cloned() {
                to_nowhere(&mut one, &first);
                all = entries(&one.draft.terms);
                if all.iter().any(|entry| owners.contains_key(entry)) {
                    lost.push((one, first));
                    continue;
                }
            }
            owners.extend(all.into_iter().map(|entry| (entry, one.draft.name.clone())));
        }
        made.push(one);
    }
    lost
}

/// Takes all but one, or all, of those that name the same pattern out of force.
fn duplicates(made: &mut [Made]) {
    let mut owners: HashMap<(&'static str, String), Owner> = HashMap::new();
    for number in 0..made.len() {
        let Some(claimed) =
            made.get(number).filter(|one| one.draft.mode != Mode::Off).map(|one| written(&one.draft.terms))
        else {
            continue;
        };
        for key in claimed {
            match owners.entry(key) {
                Entry::Vacant(free) => {
                    free.insert(Owner { number, is_disputed: false });
                }
                Entry::Occupied(mut owner) if owner.get().number != number => {
                    let decided = decide(made, *owner.get(), number);
                    owner.insert(decided);
                }
                Entry::Occupied(_) => {}
            }
        }
    }
}

/// Of two with the same pattern the one that stays, or neither.
fn decide(made: &mut [Made], owner: Owner, later: usize) -> Owner {
    const UNKNOWN: &str = "Exchange does not say which of the two applies. Choose one.";
    let (Some(one), Some(other)) = (made.get(owner.number), made.get(later)) else {
        return owner;
    };
    let (first, second) = (one.draft.name.clone(), other.draft.name.clone());
    let order = if owner.is_disputed { Order::Neither } else { order(one, other) };
    let cost = "is about the same mail and has the lower cost.";
    let (first_off, second_off) = match order {
        Order::Cost(true) => (None, Some(format!("`{first}` {cost}"))),
        Order::Cost(false) => (Some(format!("`{second}` {cost}")), None),
        Order::Demands(true) => {
            (None, Some(format!("`{first}` is about the same mail and demands no less; {UNKNOWN}")))
        }
        Order::Demands(false) => {
            (Some(format!("`{second}` is about the same mail and demands more; {UNKNOWN}")), None)
        }
        Order::Neither => {
            let otherwise = "is about the same mail and demands something else, or goes another way;";
            (
                Some(format!("`{second}` {otherwise} {UNKNOWN}")),
                Some(format!("`{first}` {otherwise} {UNKNOWN}")),
            )
        }
    };
    let stays = second_off.is_none();
    off(made, owner.number, first_off);
    off(made, later, second_off);
    Owner {
        number: if stays { later } else { owner.number },
        is_disputed: owner.is_disputed || order == Order::Neither,
    }
}

/// One that is off already has its reason.
fn off(made: &mut [Made], number: usize, reason: Option<String>) {
    if let (Some(one), Some(reason)) = (made.get_mut(number), reason)
        && one.draft.mode != Mode::Off
    {
        one.draft.mode = Mode::Off;
        one.draft.notes.push(format!("Off: {reason}"));
    }
}

/// The first connector that names a pattern, by number and name.
fn named(made: &[Made], mode: Mode) -> Named {
    let mut owners = Named::new();
    for (number, one) in made.iter().enumerate().filter(|(_, one)| one.draft.mode == mode) {
        for key in written(&one.draft.terms) {
            owners.entry(key).or_insert_with(|| (number, one.draft.name.clone()));
        }
    }
    owners
}

/// Takes a domain that another connector names out of a wildcard.
fn beside_wildcards(made: &mut [Made], mode: Mode, owners: &Named) {
    for (number, Made { draft, .. }) in made.iter_mut().enumerate() {
        if draft.mode != mode {
            continue;
        }
        let (direction, domains) = match &mut draft.terms {
            Terms::Outbound(terms) => (Direction::Outbound, &mut terms.domains),
            Terms::Inbound(terms) => (Direction::Inbound, &mut terms.domains),
        };
        for domain in domains {
            let Some(base) = domain.strip_prefix("*.") else {
                continue;
            };
            let owner = owners.get(&(direction.word(), base.to_owned()));
            if let Some((_, name)) = owner.filter(|(owner, _)| *owner != number) {
                draft.notes.push(format!(
                    "`{name}` is for {base}, and Exchange takes that first: here `{domain}` is `.{base}`, what is below."
                ));
                *domain = format!(".{base}");
            }
        }
    }
}

/// For no mail, since another is about it.
fn to_nowhere(Made { draft, nowhere, .. }: &mut Made, first: &str) {
    let of = match &mut draft.terms {
        Terms::Outbound(terms) => {
            terms.test_recipients.clear();
            std::mem::replace(&mut terms.domains, vec![nowhere.clone()])
        }
        Terms::Inbound(terms) => {
            let mut all = std::mem::replace(&mut terms.domains, vec![nowhere.clone()]);
            all.append(&mut terms.addresses);
            all
        }
    };
    draft.notes.push(format!(
        "`{first}` is about the same mail and off too, of which there can be one: {nowhere} stands for {}.",
        of.join(", ")
    ));
}

/// Domains and ranges as they are written.
fn written(terms: &Terms) -> Vec<(&'static str, String)> {
    let (direction, domains, ranges) = parts(terms);
    domains.iter().chain(ranges).map(|text| (direction.word(), text.clone())).collect()
}

/// What they compile to.
fn entries(terms: &Terms) -> Vec<(&'static str, String)> {
    let (direction, domains, ranges) = parts(terms);
    let patterns: Vec<Pattern> = domains.iter().filter_map(|domain| Pattern::parse(domain).ok()).collect();
    let entries = patterns.iter().flat_map(Pattern::entries).map(|entry| entry.to_string());
    entries.chain(ranges.iter().cloned()).map(|entry| (direction.word(), entry)).collect()
}

fn parts(terms: &Terms) -> (Direction, &[String], &[String]) {
    match terms {
        Terms::Outbound(terms) => (Direction::Outbound, &terms.domains, &[]),
        Terms::Inbound(terms) => (Direction::Inbound, &terms.domains, &terms.addresses),
    }
}
