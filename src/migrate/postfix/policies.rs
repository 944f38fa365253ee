//! The policies of smtp_tls_policy_maps, each with what it is for: domains, and hosts of which it is asked by another name.
//!
//! A connector answers for a host whatever the port, and for the domain of the same name; Postfix has a policy for each
//! spelling. So the policies of a host become a connector only where they, and the one of the domain, are the same. What
//! differs stays in the table with all that is said of the host: the connectors around it leave it out.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::key::Key;
use super::policy::{Demand, MainCf};
use super::routes::Route;
use super::table::{Spot, Table, Written, refused, told};
use super::through::Known;
use crate::migrate::Refused;
use crate::model::host::NextHop;
use crate::model::{Domain, Host, Pattern, domain};

impl Written {
    fn demand(&self, domain: Option<&Domain>, main_cf: &MainCf) -> Result<Demand, String> {
        Demand::parse(self.value.as_deref().map_err(ToOwned::to_owned)?, domain, main_cf)
    }
}

/// A domain, or what is below it, with its policy.
#[derive(Debug)]
pub struct Item {
    /// `x` or `.x`.
    pub pattern: Pattern,
    /// What it demands; `None`: it stays in the table.
    pub demand: Option<Demand>,
    /// Where it stands.
    pub spot: Spot,
    /// What was decided about it.
    pub notes: Vec<String>,
    /// The smart hosts that its mail goes to.
    pub route: Vec<NextHop>,
    /// The service that takes it there.
    pub service: Option<String>,
    /// Whether the table has it as A-labels, as it is asked for but by clients with SMTPUTF8.
    pub is_plain: bool,
}

/// All of them.
#[derive(Debug, Default)]
pub struct Policies {
    /// In the order written.
    pub items: Vec<Item>,
    pub(super) by_pattern: HashMap<Pattern, usize>,
    /// Those for all below a name, by the name.
    below: HashMap<String, usize>,
    /// What stays in the table.
    pub refused: Vec<Refused>,
    /// Ways to smart hosts of which no policy says anything.
    pub unsaid: usize,
    /// Whether there may be entries that are not known.
    is_part: bool,
}

/// A policy of a host as it is written with a port or in brackets.
pub(super) struct OfHost {
    pub hop: NextHop,
    pub written: Written,
    pub demand: Result<Demand, String>,
}

/// All of these.
#[derive(Default)]
pub(super) struct Hosts {
    pub named: BTreeMap<Domain, Vec<OfHost>>,
    pub addresses: BTreeMap<Host, Vec<OfHost>>,
}

impl Policies {
    /// Reads them. Of a key that is there twice the first counts, as with postmap(1), which warns, and as with several
    /// tables; a `texthash:` with such a key is none to Postfix (dict_thash.c), which is told.
    pub fn read(table: Table, routes: Vec<Route>, main_cf: &MainCf) -> Policies {
        let Table { written, refused, is_whole } = table;
        let mut policies = Policies { refused, is_part: !is_whole, ..Policies::default() };
        let mut hosts = Hosts::default();
        for written in written {
            match Key::parse(&written.key) {
                Err(why) => {
                    let why = written.value.err().unwrap_or(why);
                    policies.refuse(&written.spot, &written.key, why);
                }
                Ok(Key::Domain(pattern)) => policies.domain(pattern, &written, main_cf),
                Ok(Key::Host(name, hop)) => {
                    let demand = written.demand(Some(&name), main_cf);
                    hosts.named.entry(name).or_default().push(OfHost { hop, written, demand });
                }
                Ok(Key::Address(hop)) => {
                    let demand = written.demand(None, main_cf);
                    hosts.addresses.entry(hop.host().clone()).or_default().push(OfHost {
                        hop,
                        written,
                        demand,
                    });
                }
            }
        }
        policies.spellings();
        let mut used: HashSet<Host> = HashSet::new();
        let known = Known::of(&hosts);
        for route in routes {
            let hops = route.hops.iter().filter(|hop| !hop.is_bare()).map(|hop| hop.host().clone());
            let hops: Vec<Host> = hops.collect();
            if policies.route(route, &known) {
                used.extend(hops);
            }
        }
        let Hosts { named, addresses } = hosts;
        for (name, of_host) in named {
            if !used.contains(&Host::Name(name.clone())) {
                policies.host(&name, of_host);
            }
        }
        for OfHost { hop, written, demand } in addresses.into_values().flatten() {
            let why = demand.err().unwrap_or_else(|| {
                "an address belongs to a connector as its smart host only, and transport_maps has no domain for it".to_owned()
            });
            if !used.contains(hop.host()) {
                policies.refuse(&written.spot, &written.key, why);
            }
        }
        policies
    }

    pub(super) fn refuse(&mut self, spot: &Spot, subject: &str, reason: String) {
        self.refused.push(refused(spot, subject, reason));
    }

    /// The number of the item with just this pattern.
    pub fn number(&self, pattern: &Pattern) -> Option<usize> {
        self.by_pattern.get(pattern).copied()
    }

    pub(super) fn at(&self, pattern: &Pattern) -> Option<&Item> {
        self.items.get(self.number(pattern)?)
    }

    /// The numbers of the items that are for all below one of the parents of a name, the nearest first.
    pub fn around(&self, name: &Domain) -> impl Iterator<Item = usize> {
        domain::parents(name.as_str()).filter_map(|parent| self.below.get(parent).copied())
    }

    /// What is found for a name.
    pub(super) fn found(&self, name: &Domain) -> Option<&Item> {
        self.at(&Pattern::Exact(name.clone())).or_else(|| self.items.get(self.around(name).next()?))
    }

    pub(super) fn add(&mut self, item: Item) {
        self.by_pattern.insert(item.pattern.clone(), self.items.len());
        if let Pattern::Below(name) = &item.pattern {
            self.below.insert(name.as_str().to_owned(), self.items.len());
        }
        self.items.push(item);
    }

    fn domain(&mut self, pattern: Pattern, written: &Written, main_cf: &MainCf) {
        let only = if let Pattern::Exact(name) = &pattern { Some(name) } else { None };
        let mut demand = written.demand(only, main_cf);
        if self.is_part && matches!(pattern, Pattern::Below(_)) {
            demand = demand
                .and(Err("a table that was not read may have another policy for a part of it".to_owned()));
        }
        let is_plain = written.key.to_ascii_lowercase() == pattern.to_string();
        if let Some(number) = self.number(&pattern) {
            self.again(number, demand, is_plain, written);
            return;
        }
        let demand = demand.map_err(|why| self.refuse(&written.spot, &written.key, why)).ok();
        self.add(Item {
            pattern,
            demand,
            spot: written.spot.clone(),
            notes: Vec::new(),
            route: Vec::new(),
            service: None,
            is_plain,
        });
    }

    /// A domain that is there already. Of the same key the first counts; of two spellings each would have its own, and a
    /// connector has one for both.
    fn again(&mut self, number: usize, demand: Result<Demand, String>, is_plain: bool, written: &Written) {
        let Some(first) = self.items.get_mut(number) else { return };
        let spot = first.spot.clone();
        let other_spelling = first.is_plain != is_plain;
        let demand = match (demand, &first.demand) {
            (Err(why), None) => {
                self.refuse(&written.spot, &written.key, why);
                return;
            }
            (demand, _) => demand.ok(),
        };
        if first.demand == demand {
            first.is_plain |= is_plain;
            if !other_spelling && first.spot.file == written.spot.file {
                first.notes.push(format!(
                    "{} says the same again: a key that is there twice is an error in a texthash: table",
                    told(&written.spot)
                ));
            }
            return;
        }
        let reason = if other_spelling {
            let stays = first.demand.take().is_some();
            let reason =
                "another spelling of the same domain has another policy, and a connector has one for both";
            if stays {
                self.refuse(&spot, &written.key, format!("{reason}: {}", told(&written.spot)));
            }
            reason.to_owned()
        } else {
            format!("{} has another policy for it, which is the one that counts", told(&spot))
        };
        self.refuse(&written.spot, &written.key, reason);
    }

    /// U-labels alone are another policy than what the A-labels of the same domain have by a wider entry.
    fn spellings(&mut self) {
        let stays = |(number, item): (usize, &Item)| {
            let around =
                self.items.get(self.around(item.pattern.domain()?).find(|&other| other != number)?)?;
            let differs = !item.is_plain && item.demand.is_some() && around.demand != item.demand;
            differs.then(|| (number, told(&around.spot)))
        };
        let stays: Vec<(usize, String)> = self.items.iter().enumerate().filter_map(stays).collect();
        for (number, around) in stays {
            let Some(item) = self.items.get_mut(number) else { continue };
            item.demand = None;
            let (spot, subject) = (item.spot.clone(), item.pattern.to_string());
            let domain = item.pattern.domain().cloned();
            let reason = format!(
                "written in U-labels alone: in A-labels the domain has the policy of {around}, and a connector has one for \
                 both; that line has to stay too"
            );
            self.refuse(&spot, &subject, reason);
            if let Some(domain) = domain {
                let around = self.around(&domain).find(|&other| other != number);
                self.rest_on(around, &subject);
            }
        }
    }

    /// Tells that the line of an item has to stay for what its connector leaves out and no other line is about.
    fn rest_on(&mut self, number: Option<usize>, left_out: &str) {
        if let Some(item) = number.and_then(|number| self.items.get_mut(number)) {
            item.notes.push(format!(
                "{} has to stay in the table too: mail to the domain {left_out}, which is left out here, has its policy \
                 from there",
                told(&item.spot)
            ));
        }
    }

    fn host(&mut self, name: &Domain, of_host: Vec<OfHost>) {
        let Some(OfHost { written, demand, .. }) = of_host.first() else { return };
        let resolved = |demand: &Demand| demand.resolved(name);
        let same = |other: &OfHost| other.demand.as_ref().ok().map(resolved);
        let first = demand.as_ref().ok().map(resolved);
        let agreed = first.is_some() && of_host.iter().all(|other| same(other) == first);
        let found = self.found(name);
        match (agreed, found, demand) {
            // The connector of the domain answers for its host.
            (true, Some(Item { demand: Some(around), .. }), _) if Some(resolved(around)) == first => {}
            (true, None, Ok(demand)) if !self.is_part => {
                let note = format!(
                    "{} is about the next-hop {}; the connector is for this host on any port, and for mail to the domain of \
                     the same name too",
                    told(&written.spot),
                    written.key
                );
                self.add(Item {
                    pattern: Pattern::Exact(name.clone()),
                    demand: Some(demand.clone()),
                    spot: written.spot.clone(),
                    notes: vec![note],
                    route: Vec::new(),
                    service: None,
                    is_plain: true,
                });
            }
            _ => self.stays(name, of_host, agreed),
        }
    }

    /// Leaves everything that is said of a host in the table.
    fn stays(&mut self, name: &Domain, of_host: Vec<OfHost>, agreed: bool) {
        let exact = self.number(&Pattern::Exact(name.clone()));
        let around = self.around(name).next().filter(|_| exact.is_none());
        let place = |number: Option<usize>| Some(told(&self.items.get(number?)?.spot));
        let differs = match (place(exact), place(around)) {
            _ if !agreed => {
                "the lines about it have different policies, or one of them cannot be imported".to_owned()
            }
            (Some(exact), _) => format!("{exact} has another policy for the domain of the same name"),
            (None, Some(around)) => format!("{around} has another policy for all around it"),
            (None, None) => {
                "a table that was not read may have another policy for the domain of the same name".to_owned()
            }
        };
        // With a connector for all around it, the domain of the same name has no other line.
        let around =
            around.filter(|&around| self.items.get(around).is_some_and(|item| item.demand.is_some()));
        let rests =
            place(around).map(|line| format!("; {line} has to stay too, for mail to the domain {name}"));
        let rests = rests.unwrap_or_default();
        self.rest_on(around, name.as_str());
        let spot = of_host.first().map(|first| first.written.spot.clone());
        for OfHost { written, demand, .. } in of_host {
            let reason = match demand {
                Ok(_) => format!("{differs}, and a connector has one for a host, whatever the port{rests}"),
                Err(why) => format!("{why}{rests}"),
            };
            self.refuse(&written.spot, &written.key, reason);
        }
        let pattern = Pattern::Exact(name.clone());
        let known = self.by_pattern.get(&pattern).and_then(|&number| self.items.get_mut(number));
        match (known, spot) {
            (Some(item), _) => {
                if item.demand.take().is_some() {
                    let spot = item.spot.clone();
                    let reason = "its next-hop of the same name stays in the table, and a connector has one policy for both";
                    self.refuse(&spot, name.as_str(), reason.to_owned());
                }
            }
            (None, Some(spot)) => self.add(Item {
                pattern,
                demand: None,
                spot,
                notes: Vec::new(),
                route: Vec::new(),
                service: None,
                is_plain: true,
            }),
            (None, None) => {}
        }
    }
}
