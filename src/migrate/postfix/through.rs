//! Policies of smart hosts, for the domains whose mail goes there.
//!
//! Postfix asks for the next-hop, and a connector for the domain answers for it. It is imported where nothing else is said
//! of the domain or of the host, on whatever port: what differs stays in both tables.

use super::key::entry;
use super::policies::{Hosts, Item, OfHost, Policies, told};
use super::policy::Demand;
use super::routes::{Route, only_host};
use crate::model::host::NextHop;
use crate::model::mta::TransportName;
use crate::model::pattern::Entry;
use crate::model::{Domain, Host, Pattern};

impl Policies {
    /// Adds a route; whether there is a connector of it. Where no next-hop has a policy there is nothing to say.
    pub(super) fn route(&mut self, route: Route, hosts: &Hosts) -> bool {
        if route.hops.iter().all(|hop| self.policy_of(hop, hosts).is_none()) {
            return false;
        }
        match self.demand(&route, hosts).and_then(|demand| Ok((demand, self.owner(&route)?))) {
            Ok((demand, pattern)) => self.routed(demand, pattern, route, hosts),
            Err(why) => {
                self.refuse(&route.spot, &route.key, why);
                false
            }
        }
    }

    /// What Postfix finds for a next-hop.
    fn policy_of<'p>(&'p self, hop: &NextHop, hosts: &'p Hosts) -> Option<Result<&'p Demand, ()>> {
        let of = |all: &'p [OfHost]| {
            let found = all.iter().find(|other| other.hop == *hop)?;
            Some(found.demand.as_ref().map_err(|_| ()))
        };
        match hop.host() {
            Host::Address(_) => of(&hosts.addresses),
            Host::Name(name) if hop.is_bare() => Some(self.found(name)?.demand.as_ref().ok_or(())),
            Host::Name(name) => of(hosts.named.get(name)?),
        }
    }

    /// What all of its next-hops demand.
    fn demand(&self, route: &Route, hosts: &Hosts) -> Result<Demand, String> {
        let mut demand: Option<Demand> = None;
        for hop in &route.hops {
            let own = match self.policy_of(hop, hosts) {
                None => return Err(format!("its next-hop {hop} has no policy, and others have")),
                Some(Err(())) => return Err(format!("the policy of its next-hop {hop} is not imported")),
                Some(Ok(own)) => own,
            };
            let own = match only_host(&route.hops) {
                Some(host) => own.resolved(host),
                None if own.is_of_the_domain() => {
                    return Err("the certificate would have to show the name of each next-hop".to_owned());
                }
                None => own.clone(),
            };
            if demand.as_ref().is_some_and(|demand| *demand != own) {
                return Err("its next-hops have different policies".to_owned());
            }
            self.alone(hop, &own, hosts)?;
            demand = Some(own);
        }
        demand.ok_or_else(|| "it has no next-hop".to_owned())
    }

    /// Nothing else is said of the host.
    fn alone(&self, hop: &NextHop, own: &Demand, hosts: &Hosts) -> Result<(), String> {
        let Host::Name(name) = hop.host() else {
            let others = hosts.addresses.iter().filter(|other| other.hop.host() == hop.host());
            let differs = others.clone().any(|other| other.demand.as_ref() != Ok(own));
            return if differs { Err(format!("{hop} has other policies on other ports")) } else { Ok(()) };
        };
        let same =
            |demand: Option<&Demand>| demand.map(|demand| demand.resolved(name)) == Some(own.resolved(name));
        let ports = hosts.named.get(name).into_iter().flatten();
        if ports.clone().any(|other| !same(other.demand.as_ref().ok())) {
            return Err(format!("{hop} has other policies on other ports"));
        }
        match self.found(name) {
            Some(item) if !same(item.demand.as_ref()) => {
                Err(format!("{} has another policy for the domain of the name of {hop}", told(&item.spot)))
            }
            _ => Ok(()),
        }
    }

    /// Whose mail it is.
    fn owner(&self, route: &Route) -> Result<Pattern, String> {
        if let Some(service) = &route.service {
            TransportName::parse(service).ok_or_else(|| format!("{service} is no name of a service here"))?;
        }
        route.whose.clone()
    }

    fn routed(&mut self, demand: Demand, pattern: Pattern, route: Route, hosts: &Hosts) -> bool {
        let Route { key, hops, service, spot, .. } = route;
        let around = |name: &Domain| self.items.get(self.around(name).next()?);
        let found = self.at(&pattern).or_else(|| pattern.domain().and_then(around));
        if let Some(other) = found.filter(|other| other.demand.as_ref() != Some(&demand)) {
            let why = format!(
                "{} has another policy for the domain itself than for its next-hop",
                told(&other.spot)
            );
            self.refuse(&spot, &key, why);
            return false;
        }
        let entry = entry(&pattern);
        let differs = |(name, of): (&Domain, &Vec<OfHost>)| {
            let same = |other: &OfHost| {
                other.demand.as_ref().is_ok_and(|other| other.resolved(name) == demand.resolved(name))
            };
            entry.covers(Entry::Name(name.as_str())) && !of.iter().all(same)
        };
        if hosts.named.iter().any(differs) {
            self.refuse(&spot, &key, "a host in this domain has another policy as a next-hop".to_owned());
            return false;
        }
        match self.by_pattern.get(&pattern).and_then(|&number| self.items.get_mut(number)) {
            Some(item) => {
                item.route = hops;
                item.service = service;
            }
            None => {
                self.add(Item {
                    pattern,
                    demand: Some(demand),
                    spot,
                    notes: Vec::new(),
                    route: hops,
                    service,
                });
            }
        }
        true
    }
}
