//! Policies of smart hosts, for the domains whose mail goes there.
//!
//! Postfix asks for the next-hop, and a connector for the domain answers for it. It is imported where nothing else is said
//! of the domain or of the host, on whatever port: what differs stays in both tables.

use std::collections::HashMap;

use super::policies::{Hosts, Item, OfHost, Policies};
use super::policy::Demand;
use super::routes::{Route, only_host};
use super::table::told;
use crate::model::host::NextHop;
use crate::model::mta::TransportName;
use crate::model::{Domain, Host, Pattern, domain};

/// What is said of hosts, to be asked by each route.
pub(super) struct Known<'h> {
    /// By the text that Postfix asks with.
    hops: HashMap<String, Result<&'h Demand, ()>>,
    /// What is said of a host in all spellings, if that is the same.
    agreed: HashMap<&'h Host, Option<Demand>>,
    /// The hosts below a domain.
    below: HashMap<&'h str, Vec<&'h Domain>>,
    names: HashMap<&'h Domain, Option<Demand>>,
}

impl<'h> Known<'h> {
    pub(super) fn of(hosts: &'h Hosts) -> Known<'h> {
        let mut known = Known {
            hops: HashMap::new(),
            agreed: HashMap::new(),
            below: HashMap::new(),
            names: HashMap::new(),
        };
        for all in hosts.named.values().chain(hosts.addresses.values()) {
            let Some(first) = all.first() else { continue };
            for of in all {
                known.hops.entry(of.hop.to_string()).or_insert(of.demand.as_ref().map_err(|_| ()));
            }
            let spelt = |of: &OfHost| {
                let demand = of.demand.as_ref().ok()?;
                Some(match of.hop.host() {
                    Host::Name(name) => demand.resolved(name),
                    Host::Address(_) => demand.clone(),
                })
            };
            let agreed = spelt(first).filter(|first| all.iter().all(|of| spelt(of).as_ref() == Some(first)));
            if let Host::Name(name) = first.hop.host() {
                known.names.insert(name, agreed.clone());
                for parent in domain::parents(name.as_str()) {
                    known.below.entry(parent).or_default().push(name);
                }
            }
            known.agreed.insert(first.hop.host(), agreed);
        }
        known
    }

    /// Whether a host that a pattern is about has another policy than this.
    fn has_other(&self, pattern: &Pattern, demand: &Demand) -> bool {
        let differs = |name: &Domain| {
            self.names.get(name).is_some_and(|own| own.as_ref() != Some(&demand.resolved(name)))
        };
        match pattern {
            Pattern::Below(name) => {
                self.below.get(name.as_str()).into_iter().flatten().any(|name| differs(name))
            }
            Pattern::Exact(name) | Pattern::Tree(name) => differs(name),
            Pattern::Any => true,
        }
    }
}

impl Policies {
    /// Adds a route; whether there is a connector of it. Where no next-hop has a policy there is nothing to say.
    pub(super) fn route(&mut self, route: Route, known: &Known<'_>) -> bool {
        if route.hops.iter().all(|hop| self.policy_of(hop, known).is_none()) {
            self.unsaid += 1;
            return false;
        }
        match self.demand(&route, known).and_then(|demand| Ok((demand, self.owner(&route)?))) {
            Ok((demand, pattern)) => self.routed(demand, pattern, route, known),
            Err(why) => {
                self.refuse(&route.spot, &route.key, why);
                false
            }
        }
    }

    /// What Postfix finds for a next-hop.
    fn policy_of<'p>(&'p self, hop: &NextHop, known: &'p Known<'_>) -> Option<Result<&'p Demand, ()>> {
        match hop.host() {
            Host::Name(name) if hop.is_bare() => Some(self.found(name)?.demand.as_ref().ok_or(())),
            Host::Name(_) | Host::Address(_) => known.hops.get(&hop.to_string()).copied(),
        }
    }

    /// What all of its next-hops demand.
    fn demand(&self, route: &Route, known: &Known<'_>) -> Result<Demand, String> {
        let mut demand: Option<Demand> = None;
        for hop in &route.hops {
            let own = match self.policy_of(hop, known) {
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
            self.alone(hop, &own, known)?;
            demand = Some(own);
        }
        demand.ok_or_else(|| "it has no next-hop".to_owned())
    }

    /// Nothing else is said of the host.
    fn alone(&self, hop: &NextHop, own: &Demand, known: &Known<'_>) -> Result<(), String> {
        let others = known.agreed.get(hop.host());
        let Host::Name(name) = hop.host() else {
            let differs = others.is_some_and(|others| others.as_ref() != Some(own));
            return if differs { Err(format!("{hop} has other policies on other ports")) } else { Ok(()) };
        };
        if others.is_some_and(|others| others.as_ref() != Some(&own.resolved(name))) {
            return Err(format!("{hop} has other policies on other ports"));
        }
        let same =
            |demand: Option<&Demand>| demand.map(|demand| demand.resolved(name)) == Some(own.resolved(name));
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

    fn routed(&mut self, demand: Demand, pattern: Pattern, route: Route, known: &Known<'_>) -> bool {
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
        if known.has_other(&pattern, &demand) {
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
                    is_plain: true,
                });
            }
        }
        true
    }
}
