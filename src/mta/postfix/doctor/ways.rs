//! Who decides where mail goes. The policy is asked for under the name of the next host: if that is not the
//! recipient's domain, the partner's connector is not asked (smtp_connect.c:smtp_connect_inet).

use super::kinds::OTHER_WAY;
use super::{Patient, Set, finding};
use crate::model::Outbound;
use crate::model::outbound::Route;
use crate::mta::finding::Finding;
use crate::mta::postfix::settings::{Service, tables};

const TRANSPORT: &str = "transport_maps";

const MAP: &str = "transport";

/// Settings that name another next host (trivial-rewrite/resolve.c), behind transport_maps: where the daemon answers
/// for a connector's domain, none of them counts.
const OTHERS: [&str; 5] = [
    "relayhost",
    "sender_dependent_relayhost_maps",
    "sender_dependent_default_transport_maps",
    "default_transport",
    "relay_transport",
];

/// Whether the daemon's table decides where mail of connectors goes.
pub(super) fn is_decided_by_us(patient: &Patient<'_>) -> bool {
    deciders(patient).all(|service| asks_us(patient, service))
}

/// Those who decide (trivial-rewrite(8)).
fn deciders<'p>(patient: &Patient<'p>) -> impl Iterator<Item = &'p Service> + use<'p> {
    let settings = patient.settings;
    settings.running("trivial-rewrite")
}

fn asks_us(patient: &Patient<'_>, service: &Service) -> bool {
    let first = tables(patient.settings.of(service, TRANSPORT)).into_iter().next();
    first.is_some_and(|first| patient.is_ours(first, MAP))
}

pub(super) fn ways(patient: &Patient<'_>) -> Vec<Finding> {
    deciders(patient)
        .filter(|service| !asks_us(patient, service))
        .filter_map(|service| way(patient, service))
        .collect()
}

fn way<'p>(patient: &Patient<'p>, service: &'p Service) -> Option<Finding> {
    let of = |name: &str| patient.settings.of(service, name);
    // `smtp` alone says who delivers, and `smtp:host` where to as well.
    let names_a_host = |name: &str| match name {
        "default_transport" | "relay_transport" => {
            of(name).split_once(':').is_some_and(|(_, host)| !host.is_empty())
        }
        _ => !of(name).is_empty(),
    };
    // Whatever the next host is, `*` is about it.
    let is_by_domain: fn(&Outbound) -> bool = |connector| !connector.domains.has_any();
    let needs_us: fn(&Outbound) -> bool = |connector| {
        !connector.domains.has_any()
            && (matches!(connector.route, Route::SmartHosts(_)) || connector.transport.is_some())
    };
    let (name, about) = if !tables(of(TRANSPORT)).is_empty() {
        (TRANSPORT, is_by_domain)
    } else if let Some(other) = OTHERS.into_iter().find(|name| names_a_host(name)) {
        (other, is_by_domain)
    } else {
        // Then only those miss something that have a way of their own.
        (TRANSPORT, needs_us)
    };
    let message = "this decides where mail goes, and not the connectors: those of the domains that it sends elsewhere \
                   are not asked for";
    let mend = patient.ask_first(patient.place(service, TRANSPORT), TRANSPORT, MAP, std::iter::once(service));
    let connectors = patient.outbound_connectors().filter(|connector| about(connector));
    let set = Set { place: patient.place(service, name), name, value: of(name) };
    finding(&OTHER_WAY, connectors.map(|connector| connector.name.as_str()), message, set, mend)
}
