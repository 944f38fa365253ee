//! Proxies of an smtpd(8) that strangers reach: who may say for others who they are, and who gets mail before it is in
//! the queue.

use super::inbound::open;
use super::kinds::{HOLD_DROPPED, XCLIENT};
use super::{Patient, Place, Set};
use crate::model::Inbound;
use crate::model::inbound::Action;
use crate::mta::finding::Finding;
use crate::mta::postfix::settings::{Service, tables};

pub(super) fn proxies(patient: &Patient<'_>) -> Vec<Finding> {
    open(patient)
        .flat_map(|service| [believed(patient, service), handed_on(patient, service)])
        .flatten()
        .collect()
}

/// XCLIENT_README: whoever may say it is anybody, at any address and logged in (smtpd.c:xclient_cmd). Clients that are
/// exempt need none of that to pass.
fn believed<'p>(patient: &Patient<'p>, service: &'p Service) -> Option<Finding> {
    const NAME: &str = "smtpd_authorized_xclient_hosts";
    let value = patient.settings.of(service, NAME);
    // What is excluded (match_list.c) is not let in by that.
    let is_harmless = |entry: &&str| match entry.strip_prefix('!') {
        Some(excluded) => !excluded.starts_with('!'),
        None => patient.is_exempt(entry),
    };
    let all = tables(value);
    if all.iter().all(is_harmless) {
        return None;
    }
    let message = "these hosts may say with XCLIENT that they are at any address, or logged in, and no connector stops \
                   them; a proxy that they are may be written into [inbound_exempt], and without XCLIENT it gets no mail \
                   through";
    let place = patient.place(service, NAME);
    // Other services keep what main.cf says. A value of its own is for this one, and left to people.
    let mend = match place {
        Place::Main => {
            let others: Vec<String> = all.into_iter().filter(is_harmless).map(str::to_owned).collect();
            patient.rewrite(Place::Service(service), NAME, &others)
        }
        Place::Service(_) => Vec::new(),
    };
    patient.coming(&XCLIENT, |_| true, message, Set { place, name: NAME, value }, mend)
}

/// What cleanup(8) would do later cannot be asked for then (smtpd_check.c:can_delegate_action).
fn handed_on<'p>(patient: &Patient<'p>, service: &'p Service) -> Option<Finding> {
    const NAME: &str = "smtpd_proxy_filter";
    let value = patient.settings.of(service, NAME);
    if value.is_empty() {
        return None;
    }
    let message = "before this filter HOLD does nothing, and mail that should be held is delivered: `on_violation` has to be \
                   `reject` or `defer`";
    let set = Set { place: patient.place(service, NAME), name: NAME, value };
    let holds = |connector: &Inbound| connector.on_violation == Action::Hold;
    let mend = patient.written.deferred(patient.inbound_connectors().filter(|connector| holds(connector)));
    patient.coming(&HOLD_DROPPED, holds, message, set, mend)
}
