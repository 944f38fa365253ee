//! Lists of domains in routers, and whether a connector's mail is in them. What a table or an expansion says is not known
//! here: it may be there.

use std::collections::BTreeSet;

use super::Patient;
use crate::model::domain::normalise;
use crate::model::{Outbound, Pattern};
use crate::mta::exim::lists::{file_that_it_needs, items, takes_the_rest};

/// Lists within lists that are followed.
const DEPTH: usize = 5;

/// Our own domains, which nobody is asked about.
pub(super) const LOCAL: &str = "local_domains";

/// Whether a domain of the connector can be in a list of domains.
pub(super) fn may_take(patient: &Patient<'_>, domains: &str, connector: &Outbound) -> bool {
    if is_for_none(patient, domains) {
        return false;
    }
    let items = items(domains);
    let mut positive = items.iter().filter(|item| !item.starts_with('!'));
    items.is_empty() || takes_the_rest(&items) || positive.any(|item| may_be(patient, item, connector))
}

/// Whether a domain of the connector can be what an item of a list of domains says.
pub(super) fn may_be(patient: &Patient<'_>, item: &str, connector: &Outbound) -> bool {
    let own = &patient.agreements.mta.own_domains;
    match item {
        "@" | "+local_domains" => false,
        name if name.contains(['*', '$', ';', '^', '+', '@', '/', '(', '[', '!']) => true,
        name => normalise(name).is_ok_and(|name| !own.covers_name(&name) && connector.domains.covers(&name)),
    }
}

/// Whether the list is one for nobody: the file that it begins with is not there, and then its expansion is forced to fail,
/// as in Debian's router for `hubbed_hosts` (match.c:match_check_list).
fn is_for_none(patient: &Patient<'_>, domains: &str) -> bool {
    file_that_it_needs(domains).is_some_and(|file| patient.host.missing.contains(file))
}

/// Whether a router with these `domains` can take mail for one domain.
pub(super) fn may_take_name(patient: &Patient<'_>, domains: &str, name: &str) -> bool {
    domains.is_empty()
        || !is_for_none(patient, domains) && is_in(patient, domains, name, DEPTH) != Some(false)
}

/// Whether a domain is in a list, of which the first item that is about it decides; `None`: that is not known here.
fn is_in(patient: &Patient<'_>, list: &str, name: &str, depth: usize) -> Option<bool> {
    let depth = depth.checked_sub(1)?;
    let items = items(list);
    let mut possible = BTreeSet::new();
    let mut is_decided = false;
    for item in &items {
        let positive = item.strip_prefix('!').map(str::trim);
        match is_about(patient, positive.unwrap_or(item), name, depth) {
            Some(false) => continue,
            Some(true) => is_decided = true,
            None => {}
        }
        possible.insert(positive.is_none());
        if is_decided {
            break;
        }
        // What it expands to may be several items.
        if item.contains('$') {
            return None;
        }
    }
    if !is_decided {
        possible.insert(takes_the_rest(&items));
    }
    possible.pop_first().filter(|_| possible.is_empty())
}

/// Whether an item, without its `!`, is about a domain.
fn is_about(patient: &Patient<'_>, item: &str, name: &str, depth: usize) -> Option<bool> {
    if let Some(list) = item.strip_prefix('+') {
        return is_in(patient, patient.settings.written.domain_list(list)?, name, depth);
    }
    if item == "@" {
        return Some(patient.settings.main("primary_hostname").eq_ignore_ascii_case(name));
    }
    if item.contains(['$', ';', '^', '/', '@', '(']) {
        return None;
    }
    match item.strip_prefix('*') {
        Some(end) => Some(name.ends_with(&end.to_ascii_lowercase())),
        None => Some(normalise(item).is_ok_and(|item| item == name)),
    }
}

/// The domains among our own that a connector names, itself or by what is above them, and that `[mta]` does not have. Who is
/// in a table is not known to be anybody's; and a connector for `*` is about others than us.
pub(super) fn taken_for_ours(patient: &Patient<'_>, list: &str, connector: &Outbound) -> Vec<String> {
    let own = &patient.agreements.mta.own_domains;
    let is_named =
        |name: &str| connector.domains.iter().any(|pattern| pattern != Pattern::Any && pattern.covers(name));
    let mut names = names(patient, list, DEPTH);
    names.retain(|name| {
        is_named(name)
            && !connector.except.covers_name(name)
            && !own.covers_name(name)
            && is_in(patient, list, name, DEPTH) != Some(false)
    });
    names
}

/// The names in a list, and in the lists in it.
fn names(patient: &Patient<'_>, list: &str, depth: usize) -> Vec<String> {
    let Some(depth) = depth.checked_sub(1) else { return Vec::new() };
    let each = items(list).into_iter().flat_map(|item| match item.strip_prefix('+') {
        Some(inner) => {
            let inner = patient.settings.written.domain_list(inner);
            inner.map(|inner| names(patient, inner, depth)).unwrap_or_default()
        }
        None => normalise(&item).map(|name| name.into_owned()).into_iter().collect(),
    });
    each.collect()
}

/// What a list leaves out beside our own domains: the items behind a `!`, and those of the lists there.
pub(super) fn left_out(patient: &Patient<'_>, list: &str) -> Vec<String> {
    let each = items(list).into_iter().filter_map(|item| Some(item.strip_prefix('!')?.trim().to_owned()));
    each.filter(|item| item != "@").flat_map(|item| flat(patient, item, DEPTH)).collect()
}

/// The items of a named list, if they are known and each only adds to it.
fn flat(patient: &Patient<'_>, item: String, depth: usize) -> Vec<String> {
    let list = item.strip_prefix('+').filter(|name| *name != LOCAL);
    let list = list.and_then(|name| patient.settings.written.domain_list(name));
    match (list.map(items), depth.checked_sub(1)) {
        (Some(inner), Some(depth)) if !inner.iter().any(|item| item.starts_with('!')) => {
            inner.into_iter().flat_map(|item| flat(patient, item, depth)).collect()
        }
        _ if item == "+local_domains" => Vec::new(),
        _ => vec![item],
    }
}
