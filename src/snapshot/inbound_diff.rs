//! Two versions of an inbound connector: which one is stronger, and what each says in one line.
//!
//! Stronger means that all mail refused by the other one is refused by this one as well, as far
//! as it can be read from the configuration.

use std::collections::BTreeSet;

use ipnet::IpNet;

use super::diff::Kind;
use crate::model::inbound::{CertificateRequirement, Require, TlsRequirement};
use crate::model::names::Names;
use crate::model::{Inbound, PatternSet};

/// Component by component: is the new one at least, and at most, as strong?
pub(super) fn compare(old: &Inbound, new: &Inbound) -> Option<(Kind, bool)> {
    // Where a connector that overrides others comes into force, or goes, theirs does the opposite.
    let same_reach = at_least_in_reach(new, old) && at_least_in_reach(old, new);
    let overrides = !old.overrides.is_empty() || !new.overrides.is_empty();
    if overrides && !same_reach {
        return Some((Kind::Changed, true));
    }
    match [at_least(new, old), at_least(old, new)] {
        [true, true] => None,
        [true, false] => Some((Kind::Stronger, false)),
        [false, true] => Some((Kind::Weaker, true)),
        [false, false] => Some((Kind::Changed, true)),
    }
}

/// Whether all mail that `weak` refuses is refused by `strong` as well, as far as it can be read
/// from the configuration.
fn at_least(strong: &Inbound, weak: &Inbound) -> bool {
    at_least_in_reach(strong, weak)
        && requires(&strong.require, &weak.require)
        && strong.on_violation >= weak.on_violation
}

/// Whether `wide` is about all the mail that `narrow` is about, and overrides the same.
fn at_least_in_reach(wide: &Inbound, narrow: &Inbound) -> bool {
    let (own, other) = (&wide.identify, &narrow.identify);
    let domains = own.domains == other.domains || {
        let domains = PatternSet::new(own.domains.clone());
        other.domains.iter().flat_map(|pattern| pattern.entries()).all(|entry| domains.covers(entry))
    };
    let scope = match (&wide.recipients, &narrow.recipients) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(own), Some(other)) => own.includes(other),
    };
    let overrides = |connector: &Inbound| connector.overrides.iter().cloned().collect::<BTreeSet<_>>();
    domains
        && within(&other.addresses, &own.addresses)
        && within(&own.except_addresses, &other.except_addresses)
        && scope
        && overrides(wide) == overrides(narrow)
}

/// Whether every range of `inner` lies in one of `outer`.
pub(super) fn within(inner: &[IpNet], outer: &[IpNet]) -> bool {
    inner == outer || inner.iter().all(|range| outer.iter().any(|wide| wide.contains(range)))
}

fn requires(strong: &Require, weak: &Require) -> bool {
    let version = |require: &Require| match require.tls {
        None => None,
        Some(TlsRequirement::Any) => Some(None),
        Some(TlsRequirement::AtLeast(version)) => Some(Some(version)),
    };
    let tls = version(strong).or(strong.needs_tls().then_some(None))
        >= version(weak).or(weak.needs_tls().then_some(None));
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
    let chain =
        |requirement: &CertificateRequirement| requirement.names.is_some() || requirement.issuers.is_some();
    let ways = !chain(strong) || chain(weak);
    names
        && issuers
        && ways
        && strong.registered.iter().all(|registered| weak.registered.contains(registered))
}

/// An inbound connector in one line.
pub(super) fn words(inbound: &Inbound) -> String {
    let mut parts = Vec::new();
    let identify = &inbound.identify;
    let clients: Vec<String> = identify.addresses.iter().map(ToString::to_string).collect();
    let about = identify
        .domains
        .iter()
        .take(3)
        .map(ToString::to_string)
        .chain(clients.into_iter().take(3))
        .collect::<Vec<_>>()
        .join(", ");
    parts.push(format!("from {about}"));
    match inbound.require.tls {
        Some(TlsRequirement::Any) => parts.push("TLS".to_owned()),
        Some(TlsRequirement::AtLeast(version)) => parts.push(format!("{version} or newer")),
        None => {}
    }
    if let Some(certificate) = &inbound.require.certificate {
        let names = certificate
            .names
            .as_ref()
            .map_or_else(|| "any name".to_owned(), |names| Names::Set(names.clone()).to_string());
        parts.push(format!("certificate {names}, {} registered", certificate.registered.len()));
    }
    if let Some(ranges) = &inbound.require.addresses {
        parts.push(format!("client in {}", list(ranges)));
    }
    parts.push(format!("else {}", inbound.on_violation.word()));
    parts.join("; ")
}

/// Items in one line.
pub(super) fn list<T: ToString>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
#[path = "inbound_diff_tests.rs"]
mod tests;
