//! Proxies of an smtpd(8) that strangers reach: who may say for others who they are, and who gets mail before it is in
//! the queue.

use super::access::AccessTables;
use super::inbound::doors;
use super::kinds::{HOLD_DROPPED, XCLIENT};
use super::{Patient, Place, Set};
use crate::model::Inbound;
use crate::model::inbound::Action;
use crate::mta::finding::Finding;
use crate::mta::postfix::settings::{Service, tables};

pub(super) fn proxies(patient: &Patient<'_>, access: &AccessTables<'_>) -> Vec<Finding> {
    let mut findings = believed(patient);
    // Where strangers are turned away nothing of a partner is held.
    let taking_in = doors(patient).filter(|service| !patient.turns_strangers_away(access, service));
    findings.extend(taking_in.filter_map(|service| handed_on(patient, service)));
    findings
}

/// XCLIENT_README: whoever may say it is anybody, at any address and logged in (smtpd.c:xclient_cmd). Clients that are
/// exempt need none of that to pass.
fn believed(patient: &Patient<'_>) -> Vec<Finding> {
    const NAME: &str = "smtpd_authorized_xclient_hosts";
    let message = "these hosts may say with XCLIENT that they are at any address, or logged in, and no connector stops \
                   them; a proxy that they are may be written into [inbound_exempt], and without XCLIENT it gets no mail \
                   through";
    // What is excluded (match_list.c) is not let in by that.
    let is_harmless = |entry: &&str| match entry.strip_prefix('!') {
        Some(excluded) => !excluded.starts_with('!'),
        None => patient.is_exempt(entry),
    };
    let mut of_main: Option<(Set<'_>, Vec<String>)> = None;
    let mut findings = Vec::new();
    for service in doors(patient) {
        let value = patient.settings.of(service, NAME);
        let all = tables(value);
        if all.iter().all(is_harmless) {
            continue;
        }
        let set = Set { place: patient.place(service, NAME), name: NAME, value };
        match set.place {
            // Services that nobody else reaches keep what main.cf says.
            Place::Main => {
                let others: Vec<String> = all.into_iter().filter(is_harmless).map(str::to_owned).collect();
                let commands = patient.rewrite(Place::Service(service), NAME, &others);
                let (_, mend) = of_main.get_or_insert((set, Vec::new()));
                // One reload for all.
                mend.pop();
                mend.extend(commands);
            }
            // A value of its own is for this one, and left to people.
            Place::Service(_) => {
                findings.extend(patient.coming(&XCLIENT, |_| true, message, set, Vec::new()))
            }
        }
    }
    findings.extend(of_main.and_then(|(set, mend)| patient.coming(&XCLIENT, |_| true, message, set, mend)));
    findings
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
