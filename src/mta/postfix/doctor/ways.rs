//! Who decides where mail goes. The policy is asked for under the name of the next host: if that is not the
//! recipient's domain, the partner's connector is asked only if it knows that host (smtp_connect.c:smtp_connect_inet).

use std::collections::{BTreeMap, BTreeSet};

use super::kinds::{OTHER_WAY, OWN_DOMAIN, SOCKET_PATH, WAY_UNSEEN};
use super::names::{Name, Whose};
use super::routing::{HOMES, MAP, Routing, Sent, TRANSPORT, Way};
use super::tables::path_of;
use super::{Patient, Set, filters, finding, services};
use crate::answer;
use crate::model::outbound::Route;
use crate::model::{Mode, Outbound};
use crate::mta::finding::Finding;
use crate::mta::postfix::settings::{Service, tables};
use crate::protocol::escape::printable;

/// Enough of a value to know it again.
const WORDS: usize = 100;

/// Programs that send nothing away (master(5)): what is for them is refused, thrown away or ours.
const AT_HOME: [&str; 4] = ["error", "discard", "local", "virtual"];

/// By which services the mail of each connector leaves, and what is wrong with its ways.
pub(super) struct Ways {
    /// For each outbound connector.
    services: Vec<BTreeSet<String>>,
    pub(super) findings: Vec<Finding>,
}

/// What is wrong with a setting: for which connectors, and the first case of it.
#[derive(Default)]
struct Trouble {
    connectors: BTreeSet<usize>,
    names: usize,
    first: String,
}

impl Ways {
    pub(super) fn of(patient: &Patient<'_>) -> Ways {
        let mut ways =
            Ways { services: vec![BTreeSet::new(); patient.agreements.outbound.len()], findings: Vec::new() };
        // For `*` the daemon's map has no answer, and whatever the next host is, the connector is about it.
        for (connector, services) in patient.agreements.outbound.iter().zip(&mut ways.services) {
            if connector.domains.has_any() {
                services.extend(patient.ordinary_services().map(str::to_owned));
            }
        }
        for service in patient.settings.running("trivial-rewrite") {
            let routing = Routing::of(patient, service);
            let findings = ways.follow(patient, service, &routing);
            ways.findings.extend(findings);
            if routing.has_ours() {
                ways.findings.extend(own_domains(patient, service));
                ways.findings.extend(unreachable(patient, service));
                let missing = services::missing(patient, &ways);
                ways.findings.extend(missing);
            }
        }
        // Of whom no name was looked at, or nobody knows where mail goes.
        for (number, services) in ways.services.iter_mut().enumerate() {
            if services.is_empty() {
                services.extend(patient.ordinary_services().map(str::to_owned));
                services.insert(patient.service_of(number).to_owned());
            }
        }
        let filtered = filters::filters(patient, &mut ways);
        ways.findings.extend(filtered);
        ways
    }

    /// Whether mail of the connector with this number can be given to a service of this name.
    pub(super) fn lead_to(&self, connector: usize, name: &str) -> bool {
        self.services.get(connector).is_some_and(|services| services.contains(name))
    }

    /// Whether mail of the connector with this number can leave by a service.
    pub(super) fn lead_by(&self, connector: usize, service: &Service) -> bool {
        service.name.strip_suffix("/unix").is_some_and(|name| self.lead_to(connector, name))
    }

    /// Follows mail to each name, and says what is wrong with where it goes.
    fn follow<'p>(
        &mut self,
        patient: &Patient<'p>,
        rewrite: &'p Service,
        routing: &Routing<'p>,
    ) -> Vec<Finding> {
        let mut troubles: BTreeMap<&'static str, Trouble> = BTreeMap::new();
        let mut trouble = |by: &'static str, connector: usize, what: String| {
            let trouble = troubles.entry(by).or_default();
            if trouble.names == 0 {
                trouble.first = what;
            }
            trouble.names += 1;
            trouble.connectors.insert(connector);
        };
        // Of ordinary mail the next host is the same for all names of a connector, or for those that are relayed.
        let mut ordinary: BTreeMap<(usize, bool), &Name> = BTreeMap::new();
        for name in &routing.names.names {
            for number in patient.owners(&name.domain, Whose::Named) {
                let sent = routing.sent(name, !patient.is_own(&name.domain));
                if let (Sent::Ordinarily { next }, Some(home)) = (&sent, routing.home(name)) {
                    // Only what smtp(8) gets leaves.
                    let next = next.as_deref().unwrap_or(&home.next);
                    let way = Way { next: next.to_owned(), ..home.clone() };
                    if patient.program_of(&way.service) == "smtp" && !patient.is_own(&name.domain) {
                        self.leaves(number, &way.service);
                        if let Some(what) = patient.goes_round(number, name, &way) {
                            trouble(way.by, number, what);
                        }
                    }
                    continue;
                }
                let ways: Vec<Way> = match sent {
                    Sent::Ours => {
                        self.leaves(number, patient.service_of(number));
                        continue;
                    }
                    Sent::Unseen => continue,
                    Sent::Ordinarily { next: None } => {
                        ordinary.entry((number, routing.may_be_relayed(name))).or_insert(name);
                        continue;
                    }
                    Sent::Ordinarily { next: Some(next) } => {
                        let services = routing
                            .ordinary(routing.may_be_relayed(name))
                            .map(|way| &way.service)
                            .collect::<BTreeSet<_>>();
                        let way = |service: &String| Way {
                            service: service.clone(),
                            next: next.clone(),
                            by: TRANSPORT,
                        };
                        services.into_iter().map(way).collect()
                    }
                    Sent::By(way) => vec![way],
                    Sent::Unknown { table, reason } => {
                        trouble(TRANSPORT, number, not_known(&format!("{table}: {reason}")));
                        continue;
                    }
                };
                for way in ways {
                    self.leaves(number, &way.service);
                    if let Some(what) = patient.goes_round(number, name, &way) {
                        trouble(way.by, number, what);
                    }
                }
            }
        }
        let mut known = BTreeSet::new();
        for (&(number, is_relayed), name) in &ordinary {
            routing.ordinary(is_relayed).for_each(|way| self.leaves(number, &way.service));
            if known.contains(&number) {
                continue;
            }
            // One is enough: what mends it mends the others.
            let mut ways = routing.ordinary(is_relayed);
            let first = ways.find_map(|way| Some((way, patient.goes_round(number, name, way)?)));
            if let Some((way, what)) = first {
                known.insert(number);
                let by = if way.next.is_empty() { TRANSPORT } else { way.by };
                let is_by_sender = way.by.starts_with("sender_dependent");
                trouble(
                    by,
                    number,
                    if is_by_sender { format!("{what}, if certain people send it") } else { what },
                );
                continue;
            }
            if let Some((by, reason)) = routing.unknown.first() {
                known.insert(number);
                trouble(by, number, not_known(reason));
            }
        }
        patient.told(rewrite, routing, &troubles)
    }

    pub(super) fn leaves(&mut self, connector: usize, service: &str) {
        if let Some(services) = self.services.get_mut(connector)
            && !services.contains(service)
        {
            services.insert(service.to_owned());
        }
    }
}

/// Domains that are ours and that the daemon's map sends out: transport_maps is stronger than their class
/// (resolve.c:resolve_addr).
fn own_domains<'p>(patient: &Patient<'p>, rewrite: &'p Service) -> Vec<Finding> {
    let lists = ["mydestination", "virtual_mailbox_domains"].map(|name| {
        let value = patient.settings.of(rewrite, name);
        let others = tables(value).into_iter().filter(|domain| !patient.is_own(domain));
        let sent_out: Vec<&str> =
            others.filter(|domain| !patient.owners(domain, Whose::Named).is_empty()).collect();
        (name, value, sent_out)
    });
    // Both lists are mended by one change of one list of ours.
    let sent_out = lists.iter().flat_map(|(_, _, sent_out)| sent_out.iter().copied());
    let mut mend = patient.written.own_domains(sent_out, patient.is_read());
    let found = lists.iter().filter_map(|(name, value, sent_out)| {
        let first = printable(sent_out.first()?, WORDS);
        let more = match sent_out.len() {
            1 => String::new(),
            count => format!(" and {} more", count.saturating_sub(1)),
        };
        let message = format!(
            "mail for {first}{more} is sent out, though it is ours: such domains are written into own_domains of [mta]"
        );
        let owners = sent_out.iter().flat_map(|domain| patient.owners(domain, Whose::Named));
        let owners: BTreeSet<usize> = owners.collect();
        let names = owners.iter().filter_map(|number| patient.agreements.outbound.get(*number));
        let set = Set { place: patient.place(rewrite, name), name, value };
        let names = names.map(|connector| connector.name.as_str());
        finding(&OWN_DOMAIN, names, &message, set, std::mem::take(&mut mend))
    });
    found.collect()
}

/// The daemon's map at a path that leads elsewhere for trivial-rewrite(8).
fn unreachable<'p>(patient: &Patient<'p>, rewrite: &'p Service) -> Option<Finding> {
    let value = patient.settings.of(rewrite, TRANSPORT);
    let misses = |table: &str| {
        let proxymap = patient.settings.running("proxymap").next().filter(|_| table.starts_with("proxy:"));
        let asks = proxymap.unwrap_or(rewrite);
        path_of(table, MAP).is_some_and(|path| {
            patient.is_at(path, patient.socketmap) && !patient.reaches(asks, path, patient.socketmap)
        })
    };
    if !tables(value).into_iter().any(misses) {
        return None;
    }
    let message = "the daemon cannot be reached at this path, and no mail comes in or leaves";
    let mend = patient.ask_first(patient.place(rewrite, TRANSPORT), TRANSPORT, MAP, std::iter::once(rewrite));
    let set = Set { place: patient.place(rewrite, TRANSPORT), name: TRANSPORT, value };
    finding(
        &SOCKET_PATH,
        patient.outbound_connectors().map(|connector| connector.name.as_str()),
        message,
        set,
        mend,
    )
}

fn not_known(what: &str) -> String {
    format!("it is not known where this sends mail: {}", printable(what, WORDS))
}

impl<'p> Patient<'p> {
    /// The service that the daemon's map names.
    pub(super) fn service_of(&self, number: usize) -> &'p str {
        let own = self.agreements.outbound.get(number).and_then(|connector| connector.transport.as_ref());
        own.unwrap_or(&self.agreements.mta.transport).as_str()
    }

    /// Services of mail that no transport table is about (trivial-rewrite/resolve.c).
    fn ordinary_services(&self) -> [&'p str; 2] {
        let service = |value: &'p str| value.split(':').next().unwrap_or(value);
        ["default_transport", "relay_transport"].map(|name| service(self.settings.main(name)))
    }

    /// Whether the daemon's map never sends a domain out.
    fn is_own(&self, domain: &str) -> bool {
        let name = crate::model::domain::normalise(domain);
        name.is_ok_and(|name| self.agreements.mta.own_domains.covers_name(&name))
    }

    /// Whether the daemon demands what a connector does of a host that mail is sent to.
    pub(super) fn knows_host(&self, number: usize, hop: &str) -> bool {
        let lookup = answer::tls(self.snapshot, hop.as_bytes());
        let reported = lookup.report.iter().map(|report| &report.applied);
        let all = self.snapshot.outbound();
        let Some(wanted) = all.get(number) else { return false };
        lookup.applies.iter().chain(reported).any(|applied| {
            applied.connector.number == wanted.number
                || applied.connector.agreement.mode == Mode::Enforce
                    && applied.connector.agreement.requirement >= wanted.agreement.requirement
        })
    }

    /// What a service of this name runs; nothing if there is none.
    pub(super) fn program_of(&self, service: &str) -> &'p str {
        self.settings.service(&format!("{service}/unix")).map_or("", |service| &service.program)
    }

    /// What is wrong if mail of a connector to this name takes this way.
    fn goes_round(&self, number: usize, name: &Name, way: &Way) -> Option<String> {
        let connector = self.agreements.outbound.get(number)?;
        let program = self.program_of(&way.service);
        if AT_HOME.contains(&program) {
            return None;
        }
        let (domain, next) = (printable(&name.domain, WORDS), printable(&way.next, WORDS));
        if !program.is_empty() && program != "smtp" {
            let service = printable(&way.service, WORDS);
            return Some(format!("mail for {domain} is given to `{service}`, which asks no connector"));
        }
        // What is delivered on this host comes back here, or stays.
        if HOMES.iter().any(|(list, _)| *list == way.by)
            && !way.next.is_empty()
            && hops(&way.next).all(|hop| self.is_here(hop))
        {
            return None;
        }
        let mut hops = hops(&way.next);
        if hops.any(|hop| hop != name.domain && !self.knows_host(number, hop)) {
            return Some(format!(
                "mail for {domain} goes to {next}, and for that host its connector is not asked"
            ));
        }
        self.misses_its_way(connector, name, way)
    }

    /// Whether a connector with a way of its own does not get it.
    fn misses_its_way(&self, connector: &Outbound, name: &Name, way: &Way) -> Option<String> {
        let has_its_own = matches!(connector.route, Route::SmartHosts(_)) || connector.transport.is_some();
        let own = connector.transport.as_ref().unwrap_or(&self.agreements.mta.transport);
        let smart: Vec<String> = connector.route.smart_hosts().iter().map(ToString::to_string).collect();
        let next = if way.next == name.domain { "" } else { &way.next };
        let takes_it = own.as_str() == way.service && hops(next).eq(smart.iter().map(String::as_str));
        let domain = printable(&name.domain, WORDS);
        (has_its_own && !takes_it)
            .then(|| format!("mail for {domain} does not take the way that its connector says"))
    }

    /// The findings about what is wrong with where one trivial-rewrite(8) sends mail.
    fn told(
        &self,
        rewrite: &'p Service,
        routing: &Routing<'p>,
        troubles: &BTreeMap<&'static str, Trouble>,
    ) -> Vec<Finding> {
        let name_of = |number: &usize| self.agreements.outbound.get(*number).map(|one| one.name.as_str());
        let mend =
            || self.ask_first(self.place(rewrite, TRANSPORT), TRANSPORT, MAP, std::iter::once(rewrite));
        // What is taken for ours and is not leaves the list, where the daemon's map would leave it; it is taken in as before,
        // and first of all.
        let sent_out = |list: &str| {
            const RELAYED: &str = "relay_domains";
            let (place, relayed) = (self.place(rewrite, list), self.place(rewrite, RELAYED));
            let is_ours = |entry: &&str| self.is_own(entry) || self.owners(entry, Whose::Named).is_empty();
            let (left, sent): (Vec<&str>, Vec<&str>) =
                tables(self.written(place, list)).into_iter().partition(is_ours);
            if sent.is_empty() {
                return Vec::new();
            }
            let texts =
                |entries: Vec<&str>| -> Vec<String> { entries.into_iter().map(str::to_owned).collect() };
            let taken_in = texts([tables(self.written(relayed, RELAYED)), sent].concat());
            let mut commands = self.rewrite(relayed, RELAYED, &taken_in);
            // One reload for both.
            commands.pop();
            let others = self.rewrite(place, list, &texts(left));
            if commands.is_empty() || others.is_empty() { Vec::new() } else { [commands, others].concat() }
        };
        let set =
            |name| Set { place: self.place(rewrite, name), name, value: self.settings.of(rewrite, name) };
        let told = troubles.iter().filter_map(|(name, trouble)| {
            let mut message = match trouble.names.saturating_sub(1) {
                0 => trouble.first.clone(),
                more => format!("{}; {more} more like that", trouble.first),
            };
            let is_home = HOMES.iter().any(|(list, _)| list == name);
            if is_home {
                message.push_str(
                    "; what mends it has mail for it taken in as for relay_domains, and sent where the connector says; a domain \
                     that is ours is written into own_domains of [mta] instead",
                );
            }
            let connectors = trouble.connectors.iter().filter_map(name_of);
            let mend = if is_home { sent_out(name) } else { mend() };
            finding(&OTHER_WAY, connectors, &message, set(name), mend)
        });
        let mut findings: Vec<Finding> = told.collect();
        let unseen = routing.unseen();
        if let (Some(first), false) = (unseen.first(), troubles.contains_key(TRANSPORT)) {
            let by_domain = self.outbound_connectors().filter(|connector| !connector.domains.has_any());
            let message = format!(
                "all that {} says cannot be known; it was asked for some names and addresses of the connectors, and \
                 sends none of these elsewhere",
                printable(first, WORDS)
            );
            let connectors = by_domain.map(|connector| connector.name.as_str());
            findings.extend(finding(&WAY_UNSEEN, connectors, &message, set(TRANSPORT), mend()));
        }
        findings
    }
}

/// The hosts of a next hop, which may be a list since Postfix 3.5.
pub(super) fn hops(next: &str) -> impl Iterator<Item = &str> {
    next.split([',', ' ', '\t']).filter(|hop| !hop.is_empty())
}
