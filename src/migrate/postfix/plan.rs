//! Connectors of policies: which domains are together in one, what each leaves out, and what it may be weaker than.
//!
//! The answers of the connectors are those of the table. Both take the most specific entry for a name, so that each entry
//! needs a connector with its demand, and no more; what stays in the table is excepted by every connector around it, so
//! that the daemon finds nothing there and Postfix goes on to the table. Where an entry is weaker than a wider one the
//! connector says so, because the table did.

use std::collections::HashMap;

use super::key::{entry, together};
use super::policies::{Item, Policies};
use super::policy::{Demand, MainCf};
use super::routes::Route;
use super::table::{Table, told};
use crate::migrate::{Draft, People, Refused, Terms, Unique};
use crate::model::name::MAIN_CF;
use crate::model::requirement::Requirement;
use crate::model::{Domain, Level, Mode, Pattern, PatternSet, domain};

/// Lines that a note names before it counts the rest.
const NAMED: usize = 3;

/// Exceptions of all connectors together. Ours: more are more than the 16 MiB that a file of the configuration may have.
const EXCEPTIONS: usize = 400_000;

/// What came of the tables.
#[derive(Debug, Default)]
pub struct Import {
    /// The connectors.
    pub drafts: Vec<Draft>,
    /// What stays in the tables.
    pub refused: Vec<Refused>,
    /// Ways to smart hosts without a policy: they are no connector's, and stay too.
    pub unsaid: usize,
}

/// What one connector has in common.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Shared {
    demand: Demand,
    except: Vec<Pattern>,
    route: Vec<String>,
    service: Option<String>,
    /// Groups that were made before; `None` is main.cf.
    overrides: Vec<Option<usize>>,
}

#[derive(Debug)]
struct Group {
    shared: Shared,
    /// `except`, to be asked.
    except: PatternSet,
    /// Numbers of items.
    members: Vec<usize>,
}

/// Makes connectors of the entries of smtp_tls_policy_maps, and of those of transport_maps that have their next-hops.
pub fn outbound(all: Table, routes: Vec<Route>, main_cf: &MainCf, mode: Mode, names: &mut Unique) -> Import {
    let mut policies = Policies::read(all, routes, main_cf);
    let mut refused = std::mem::take(&mut policies.refused);
    let Some(except) = exceptions(&policies) else {
        refused.push(Refused {
            file: "smtp_tls_policy_maps".to_owned(),
            line: None,
            subject: String::new(),
            reason: format!(
                "connectors would have more than {EXCEPTIONS} exceptions for what cannot be imported: nothing is imported; \
                 mend those lines first"
            ),
        });
        return Import { refused, ..Import::default() };
    };
    let mut groups = groups(&policies, &except, main_cf.level);
    for group in &mut groups {
        group.members.sort_unstable();
    }
    let mut order: Vec<usize> = (0..groups.len()).collect();
    order.sort_by_key(|&number| groups.get(number).map(|group| group.members.first().copied()));
    let mut named: Vec<String> = vec![String::new(); groups.len()];
    for &number in &order {
        if let (Some(group), Some(name)) = (groups.get(number), named.get_mut(number)) {
            *name = names.name(&wanted(group, &policies.items), group.shared.demand.level().word());
        }
    }
    let drafts = order.iter().filter_map(|&number| {
        let mut draft = draft(groups.get(number)?, named.get(number)?, &policies.items, &named, mode);
        if main_cf.queue_directory.is_none()
            && groups.get(number).is_some_and(|group| group.shared.demand.has_ca_file())
        {
            draft.notes.push(
                "`ca_file` is as the table has it; where master.cf says that smtp(8) is chrooted, the file that Postfix reads \
                 is below queue_directory"
                    .to_owned(),
            );
        }
        Some(draft)
    });
    Import { drafts: drafts.collect(), refused, unsaid: policies.unsaid }
}

/// The domain of an item.
fn name(item: &Item) -> Option<&Domain> {
    item.pattern.domain()
}

/// What the connectors of the items have to except, by the number of the item; unless it is too much.
fn exceptions(policies: &Policies) -> Option<HashMap<usize, Vec<Pattern>>> {
    let mut except: HashMap<usize, Vec<Pattern>> = HashMap::new();
    let mut count = 0;
    for item in policies.items.iter().filter(|item| item.demand.is_none()) {
        for wider in name(item).into_iter().flat_map(|name| policies.around(name)) {
            count += 1;
            if count > EXCEPTIONS {
                return None;
            }
            except.entry(wider).or_default().push(item.pattern.clone());
        }
    }
    Some(except)
}

/// The widest first, so that what an entry overrides has its group already, and nothing runs in a circle.
fn groups(policies: &Policies, except: &HashMap<usize, Vec<Pattern>>, level: Level) -> Vec<Group> {
    let items = &policies.items;
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.sort_by_cached_key(|&number| items.get(number).and_then(name).map(Domain::labels));
    let mut groups: Vec<Group> = Vec::new();
    let mut by_shared: HashMap<Shared, usize> = HashMap::new();
    let mut group_of: HashMap<usize, usize> = HashMap::new();
    for number in order {
        let Some(item @ Item { demand: Some(demand), .. }) = items.get(number) else { continue };
        let overrides = overrides(policies, number, &groups, &group_of, level);
        let except = except.get(&sibling(policies, number)).cloned().unwrap_or_default();
        let route = item.route.iter().map(ToString::to_string).collect();
        let shared =
            Shared { demand: demand.clone(), except, route, service: item.service.clone(), overrides };
        let group = *by_shared.entry(shared).or_insert_with_key(|shared| {
            let except = shared.except.iter().cloned().collect();
            groups.push(Group { shared: shared.clone(), except, members: Vec::new() });
            groups.len() - 1
        });
        group_of.insert(number, group);
        if let Some(group) = groups.get_mut(group) {
            group.members.push(number);
        }
    }
    groups
}

/// Of `x` with the demand of `.x` that one, so that both are in one connector: nothing that it excepts is `x`.
fn sibling(policies: &Policies, number: usize) -> usize {
    let item = |number: usize| policies.items.get(number);
    let Some(Item { pattern: Pattern::Exact(name), demand, .. }) = item(number) else { return number };
    let below = policies.number(&Pattern::Below(name.clone()));
    below.filter(|&below| item(below).is_some_and(|below| below.demand == *demand)).unwrap_or(number)
}

/// The wider groups that an item is not at least as strong as, as far as they are looked at when the file is loaded
/// (`snapshot::shadowing`).
fn overrides(
    policies: &Policies,
    number: usize,
    groups: &[Group],
    group_of: &HashMap<usize, usize>,
    level: Level,
) -> Vec<Option<usize>> {
    let mut found = Vec::new();
    let Some(Item { demand: Some(demand), pattern, .. }) = policies.items.get(number) else { return found };
    let Some(name) = pattern.domain() else { return found };
    let mut wider = policies.around(name).filter(|&other| other != number).peekable();
    if wider.peek().is_none() && level == Level::May {
        return found;
    }
    let (requirement, entry) = (demand.requirement(), entry(pattern));
    for other in wider {
        let Some((&group, wide)) = group_of.get(&other).and_then(|group| Some((group, groups.get(*group)?)))
        else {
            continue;
        };
        if wide.except.covers(entry) {
            continue;
        }
        let same = *demand == wide.shared.demand;
        if !same && !requirement.holds_against(&wide.shared.demand.requirement(), entry) {
            found.push(Some(group));
        } else if !wide.except.meets(entry) {
            return found;
        }
    }
    if !requirement.holds_against(&Requirement::of_main_cf(level), entry) {
        found.push(None);
    }
    found
}

/// What a group is called: the domain that it is about, if it is one, or else what it demands.
fn wanted(group: &Group, items: &[Item]) -> String {
    let names = || group.members.iter().filter_map(|&number| name(items.get(number)?));
    let Some(first) = names().next() else { return String::new() };
    let covers =
        |base: &&str| names().all(|name| name.as_str() == *base || domain::is_below(name.as_str(), base));
    let mut bases = std::iter::once(first.as_str()).chain(domain::parents(first.as_str()));
    match bases.find(covers) {
        Some(base) if base.contains('.') || group.members.len() == 1 => base.to_owned(),
        _ if group.shared.demand.is_common() => group.shared.demand.level().word().to_owned(),
        _ => format!("{first} and others"),
    }
}

fn draft(group: &Group, called: &str, items: &[Item], named: &[String], mode: Mode) -> Draft {
    let members: Vec<&Item> = group.members.iter().filter_map(|&number| items.get(number)).collect();
    let patterns = together(members.iter().map(|item| item.pattern.clone()).collect());
    let mut terms = group.shared.demand.terms(patterns.iter().map(ToString::to_string).collect());
    let Shared { except, overrides, route, service, .. } = &group.shared;
    terms.route.clone_from(route);
    terms.transport.clone_from(service);
    terms.except = except.iter().map(ToString::to_string).collect();
    let overridden = |group: &Option<usize>| match group {
        Some(group) => named.get(*group).cloned().unwrap_or_default(),
        None => MAIN_CF.to_owned(),
    };
    terms.overrides = overrides.iter().map(overridden).collect();
    let mut notes = said(&members);
    if !except.is_empty() {
        notes.push(
            "The domains in `except` have lines that stay in the table: keep it behind the daemon in smtp_tls_policy_maps, \
             or they have main.cf's level"
                .to_owned(),
        );
    }
    if !overrides.is_empty() {
        let lines = places(&members);
        notes.push(format!(
            "Weaker than the wider connectors in `overrides`, or another demand, as the table has it: {lines}"
        ));
    }
    Draft { name: called.to_owned(), mode, notes, terms: Terms::Outbound(terms), people: People::default() }
}

/// The notes of the members; of more than a few the first, and how many there are.
fn said(members: &[&Item]) -> Vec<String> {
    let mut notes: Vec<String> = members.iter().flat_map(|item| &item.notes).cloned().collect();
    let more = notes.len().saturating_sub(NAMED);
    if more > 1 {
        notes.truncate(NAMED);
        notes.push(format!("The same of {more} more lines"));
    }
    notes
}

fn places(members: &[&Item]) -> String {
    let shown: Vec<String> = members.iter().take(NAMED).map(|item| told(&item.spot)).collect();
    let more = members.len().saturating_sub(NAMED);
    let shown = shown.join(", ");
    if more > 0 { format!("{shown} and {more} more") } else { shown }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
