//! Ways to smart hosts, from transport_maps.
//!
//! A value is `transport:nexthop`, of which either may be empty (transport(5)). Those that lead to smtp(8) by a next-hop are
//! a connector's `route`, if smtp_tls_policy_maps has a policy for that next-hop; whatever else there is stays where it is.

use std::collections::HashSet;

use super::table::{Spot, Table, Written};
use crate::config::value;
use crate::model::host::NextHop;
use crate::model::{Domain, Pattern};

/// An entry that leads to smart hosts.
#[derive(Clone, Debug)]
pub struct Route {
    /// Whose mail, or why no connector can have it.
    pub whose: Result<Pattern, String>,
    /// As it is written.
    pub key: String,
    /// Where it goes to.
    pub hops: Vec<NextHop>,
    /// The service of master.cf, if it is not `smtp`.
    pub service: Option<String>,
    /// Where it stands.
    pub spot: Spot,
}

/// The entries that lead to smart hosts by one of these services, which run smtp(8). What was not read may be for a part of
/// each, or before it: then no connector has any.
pub fn read(all: Table, services: &HashSet<String>) -> Vec<Route> {
    let is_known = all.is_whole && all.unread().next().is_none();
    let mut routes: Vec<Route> =
        all.written.into_iter().filter_map(|written| route(written, services)).collect();
    if !is_known {
        for route in &mut routes {
            route.whose =
                Err("something of transport_maps was not read, and may be about the same mail".to_owned());
        }
    }
    routes
}

fn route(written: Written, services: &HashSet<String>) -> Option<Route> {
    let Written { spot, key, value } = written;
    let value = value.ok()?;
    let (service, hops) = value.split_once(':')?;
    if !service.is_empty() && !services.contains(service) {
        return None;
    }
    // smtp(8) takes several (smtp_connect.c, since 3.5).
    let hops = hops.split([',', ' ', '\t']).filter(|hop| !hop.is_empty());
    let hops: Vec<NextHop> = hops.map(NextHop::parse).collect::<Result<_, _>>().ok()?;
    if hops.is_empty() {
        return None;
    }
    let whose = if key.contains(['@', '*']) {
        Err("a connector is for domains, and not for an address or for everything".to_owned())
    } else {
        value::domain(&key)
    };
    let service = Some(service).filter(|service| !matches!(*service, "" | "smtp")).map(str::to_owned);
    Some(Route { whose, key, hops, service, spot })
}

/// The one name behind all next-hops, if there is one.
pub fn only_host(hops: &[NextHop]) -> Option<&Domain> {
    let name = |hop: &'_ NextHop| match hop.host() {
        crate::model::Host::Name(name) => Some(name.clone()),
        crate::model::Host::Address(_) => None,
    };
    let first = hops.first().and_then(name)?;
    if !hops.iter().all(|hop| name(hop).as_ref() == Some(&first)) {
        return None;
    }
    match hops.first()?.host() {
        crate::model::Host::Name(name) => Some(name),
        crate::model::Host::Address(_) => None,
    }
}
