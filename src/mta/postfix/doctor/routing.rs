//! Where trivial-rewrite(8) sends mail to a name that is not ours (resolve.c:resolve_addr, transport.c:transport_lookup).

use std::collections::BTreeSet;

use super::Patient;
use super::chain::{Chain, Found, Key};
use super::names::{Name, Names, Whose};
use crate::model::domain;
use crate::mta::postfix::postmap::can_be_listed;
use crate::mta::postfix::settings::{Service, tables};

pub(super) const TRANSPORT: &str = "transport_maps";

/// The word of the daemon's map.
pub(super) const MAP: &str = "transport";

/// A service of master.cf and a next hop; without one it is the domain of the recipient.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Way {
    pub(super) service: String,
    pub(super) next: String,
    /// The setting that names the next hop.
    pub(super) by: &'static str,
}

/// What becomes of mail to a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// By the daemon's answer.
    Ours,
    /// By an entry of another table.
    By(Way),
    /// As mail of which no table says anything, with this next hop if there is one.
    Ordinarily { next: Option<String> },
    /// A table was not asked, which is among [`Routing::unseen`].
    Unseen,
    /// It is not known what a table says.
    Unknown { table: String, reason: String },
}

/// A class of domains that Postfix takes for ours (ADDRESS_CLASS_README).
struct Home {
    /// In lower case; no tables.
    domains: BTreeSet<String>,
    way: Way,
}

/// What one trivial-rewrite(8) knows.
pub(super) struct Routing<'p> {
    chain: Chain<'p>,
    pub(super) names: Names,
    /// Where mail goes of which no table says anything: one of these, by sender.
    ordinary: Vec<Way>,
    /// Or one of these, to a domain of relay_domains.
    relayed: Vec<Way>,
    /// Domains that are ours by a list of main.cf, and how mail to them is delivered.
    homes: Vec<Home>,
    /// What is in relay_domains, if these are only names.
    relay_domains: Option<Vec<String>>,
    /// Settings that could send it elsewhere, and why it is not known where.
    pub(super) unknown: Vec<(&'static str, String)>,
    /// `.x` means what is below x, and not only that: `x` does as well.
    parents_are_bare: bool,
}

/// The lists, in their order (resolve.c:resolve_addr), and the settings with the way for what is in them.
pub(super) const HOMES: [(&str, &str); 2] =
    [("mydestination", "local_transport"), ("virtual_mailbox_domains", "virtual_transport")];

impl Home {
    fn of(patient: &Patient<'_>, list: &str, by: &'static str, transport: &str) -> Home {
        let (service, next) = transport.split_once(':').unwrap_or((transport, ""));
        let way = Way { service: service.to_owned(), next: next.to_owned(), by };
        let mut domains = BTreeSet::new();
        // Mail for what is in there leaves only by smtp(8).
        let leaves = patient.program_of(service) == "smtp";
        for entry in tables(list) {
            let table = entry.strip_prefix("proxy:").unwrap_or(entry);
            if leaves && can_be_listed(table) {
                let keys = patient.tables.list(table).unwrap_or_default().into_keys();
                domains.extend(keys.filter(|key| !patient.owners(key, Whose::Named).is_empty()));
            } else if domain::normalise(entry).is_ok() {
                domains.insert(entry.to_lowercase());
            }
        }
        Home { domains, way }
    }
}

impl<'p> Routing<'p> {
    pub(super) fn of(patient: &Patient<'p>, service: &'p Service) -> Routing<'p> {
        let of = |name| patient.settings.of(service, name);
        let mut chain = Chain::open(patient, of(TRANSPORT), MAP);
        let relay_domains = only_names(of("relay_domains"));
        let relayed = relay_domains.iter().flatten().map(String::as_str);
        let homes: Vec<Home> =
            HOMES.map(|(list, transport)| Home::of(patient, of(list), list, of(transport))).into();
        let at_home = homes.iter().flat_map(|home| &home.domains).map(String::as_str);
        let names = patient.names(chain.keys().chain(relayed).chain(at_home), Whose::Named);
        let style = tables(of("parent_domain_matches_subdomains"));
        let mut routing = Routing {
            names: Names { names: BTreeSet::new(), is_cut: names.is_cut },
            chain: Chain::open(patient, "", MAP),
            ordinary: Vec::new(),
            relayed: Vec::new(),
            homes,
            relay_domains,
            unknown: Vec::new(),
            parents_are_bare: style.contains(&TRANSPORT),
        };
        chain.ask(patient, || names.names.iter().flat_map(|name| routing.keys(name)).collect());
        (routing.chain, routing.names) = (chain, names);
        routing.look_at_the_ordinary(patient, service);
        routing
    }

    /// What is looked up for an address, in this order.
    fn keys(&self, name: &Name) -> Vec<Key> {
        let dot = if self.parents_are_bare { "" } else { "." };
        let mut keys = vec![Key::whole(name.address()), Key::part(name.domain.clone())];
        keys.extend(domain::parents(&name.domain).map(|parent| Key::part(format!("{dot}{parent}"))));
        keys.push(Key::whole("*"));
        keys
    }

    /// What becomes of mail to a name, where `has_ours` says whether the daemon's map has the address.
    pub(super) fn sent(&self, name: &Name, has_ours: bool) -> Sent {
        for (number, key) in self.keys(name).iter().enumerate() {
            // The daemon's map knows whole addresses.
            match self.chain.find(key, has_ours && number == 0) {
                Found::Nothing => {}
                Found::Ours => return Sent::Ours,
                Found::Unseen => return Sent::Unseen,
                Found::Unknown { table, reason } => {
                    return Sent::Unknown { table: table.to_owned(), reason: reason.to_owned() };
                }
                Found::Value { value, .. } => {
                    let (service, next) = value.split_once(':').unwrap_or((value, ""));
                    let (service, next) = (service.to_owned(), next.to_owned());
                    if service.is_empty() {
                        return Sent::Ordinarily { next: Some(next).filter(|next| !next.is_empty()) };
                    }
                    return Sent::By(Way { service, next, by: TRANSPORT });
                }
            }
        }
        Sent::Ordinarily { next: None }
    }

    /// Where mail to a name goes of which no table says anything.
    pub(super) fn ordinary(&self, is_relayed: bool) -> impl Iterator<Item = &Way> {
        self.ordinary.iter().chain(self.relayed.iter().filter(move |_| is_relayed))
    }

    /// How mail to a name is delivered that Postfix takes for ours.
    pub(super) fn home(&self, name: &Name) -> Option<&Way> {
        let domain = name.domain.to_lowercase();
        self.homes.iter().find(|home| home.domains.contains(&domain)).map(|home| &home.way)
    }

    /// Whether a name may be in relay_domains. Whether that is about what is below a name as well is another setting,
    /// and nearly everybody has it so.
    pub(super) fn may_be_relayed(&self, name: &Name) -> bool {
        let Some(names) = &self.relay_domains else { return true };
        let domain = name.domain.to_lowercase();
        let mut all = std::iter::once(domain.as_str()).chain(domain::parents(&domain));
        all.any(|name| names.iter().any(|relayed| relayed.trim_start_matches('.') == name))
    }

    /// Whether the daemon decides about any address.
    pub(super) fn has_ours(&self) -> bool {
        self.chain.has_ours()
    }

    /// The tables that are asked before the daemon's and could have more than what was seen of them.
    pub(super) fn unseen(&self) -> Vec<&'p str> {
        let before = self.chain.before_ours();
        before.filter(|table| self.names.is_cut || !can_be_listed(table)).collect()
    }

    fn look_at_the_ordinary(&mut self, patient: &Patient<'p>, service: &'p Service) {
        let of = |name| patient.settings.of(service, name);
        let way = |(transport, by): (&str, &'static str), (relay, by_relay): (&str, &'static str)| {
            let (service, next) = transport.split_once(':').unwrap_or((transport, ""));
            // A next hop of the transport is stronger than relayhost.
            let (next, by) = if next.is_empty() { (relay, by_relay) } else { (next, by) };
            Way { service: service.to_owned(), next: next.to_owned(), by }
        };
        let relayhost = (of("relayhost"), "relayhost");
        let default = (of("default_transport"), "default_transport");
        let mut ways = vec![way(default, relayhost)];
        let relays = self.values(patient, service, "sender_dependent_relayhost_maps");
        ways.extend(relays.iter().map(|relay| way(default, (relay, "sender_dependent_relayhost_maps"))));
        let transports = self.values(patient, service, "sender_dependent_default_transport_maps");
        ways.extend(
            transports
                .iter()
                .map(|transport| way((transport, "sender_dependent_default_transport_maps"), relayhost)),
        );
        if !tables(of("relay_domains")).is_empty() {
            let relay = (of("relay_transport"), "relay_transport");
            let by_sender = relays.iter().map(|value| (value.as_str(), "sender_dependent_relayhost_maps"));
            self.relayed = std::iter::once(relayhost).chain(by_sender).map(|host| way(relay, host)).collect();
        }
        self.ordinary = ways;
    }

    /// What a table by sender says of all its senders: who will send is not known.
    fn values(&mut self, patient: &Patient<'p>, service: &Service, name: &'static str) -> BTreeSet<String> {
        let mut values = BTreeSet::new();
        for table in tables(patient.settings.of(service, name)) {
            let bare = table.strip_prefix("proxy:").unwrap_or(table);
            let listed = match can_be_listed(bare) {
                true => patient.tables.list(bare),
                false => Err("its entries cannot be listed".to_owned()),
            };
            match listed {
                Ok(entries) => values.extend(entries.into_values().filter(|value| value != "DUNNO")),
                Err(reason) => self.unknown.push((name, format!("{table}: {reason}"))),
            }
        }
        values
    }
}

/// The names of a list of domains, in lower case; nothing if it has something else, such as a table, a file or an exception.
fn only_names(list: &str) -> Option<Vec<String>> {
    let name = |entry: &str| {
        let bare = entry.strip_prefix('.').unwrap_or(entry);
        domain::normalise(bare).is_ok().then(|| entry.to_lowercase())
    };
    tables(list).into_iter().map(name).collect()
}
