//! Who decides where mail goes. The policy is asked for under the name of the next host: if that is not the
//! recipient's domain, the partner's connector is not asked (smtp_connect.c:smtp_connect_inet).

use super::kinds::OTHER_WAY;
use super::tables::first;
use super::{Patient, Place, Set};
use crate::model::Outbound;
use crate::model::outbound::Route;
use crate::mta::finding::Finding;
use crate::mta::postfix::settings::tables;

const TRANSPORT: &str = "transport_maps";

const MAP: &str = "transport";

/// Settings that name another next host (trivial-rewrite/resolve.c), behind transport_maps: where the daemon answers
/// for a connector's domain, none of them counts.
const OTHERS: [&str; 4] = [
    "relayhost",
    "sender_dependent_relayhost_maps",
    "sender_dependent_default_transport_maps",
    "default_transport",
];

pub(super) fn ways(patient: &Patient<'_>) -> Option<Finding> {
    let main = |name: &str| patient.settings.main(name);
    let transport = tables(main(TRANSPORT));
    if transport.first().is_some_and(|first| patient.is_ours(first, MAP)) {
        return None;
    }
    let is_routed = |connector: &Outbound| {
        matches!(connector.route, Route::SmartHosts(_)) || connector.transport.is_some()
    };
    // `smtp` alone says who delivers, and `smtp:host` where to as well.
    let names_a_host = |name: &str| match name {
        "default_transport" => main(name).split_once(':').is_some_and(|(_, host)| !host.is_empty()),
        _ => !main(name).is_empty(),
    };
    let other = OTHERS.into_iter().find(|name| names_a_host(name));
    let (name, about): (&str, fn(&Outbound) -> bool) = match (transport.is_empty(), other) {
        (false, _) => (TRANSPORT, |_| true),
        (true, Some(name)) => (name, |_| true),
        // Then only those miss something that have a way of their own.
        (true, None) => (TRANSPORT, is_routed),
    };
    let message =
        "this decides where mail goes, and not the connectors: those of the domains that it sends elsewhere \
                   are not asked for"
            .to_owned();
    let mend = vec![patient.set(TRANSPORT, &first(patient, TRANSPORT, MAP)), patient.reload()];
    patient.outbound(&OTHER_WAY, about, message, Set { place: Place::Main, name, value: main(name) }, mend)
}
