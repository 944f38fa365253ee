//! Whether the daemon is asked, and before everybody else.

use super::kinds::{POLICY_MISSING, POLICY_ORDER, SOCKET_PATH};
use super::{Patient, Place, Set, path_of};
use crate::mta::finding::Finding;
use crate::mta::postfix::settings::tables;

const NAME: &str = "smtp_tls_policy_maps";

/// The word of the map.
pub(super) const MAP: &str = "tls";

/// Whether every smtp(8) asks the daemon first.
pub(super) fn policy(patient: &Patient<'_>) -> Vec<Finding> {
    let is_first = |value: &str| tables(value).first().is_some_and(|first| patient.is_ours(first, MAP));
    let wrong = patient.wrong(&["smtp"], NAME, is_first);
    let found = wrong.into_iter().filter_map(|(place, value)| {
        let is_there = tables(value).iter().any(|table| patient.is_ours(table, MAP));
        let (kind, message) = if is_there {
            (
                &POLICY_ORDER,
                "what the tables before the daemon's say counts, and no connector does".to_owned(),
            )
        } else {
            (&POLICY_MISSING, "the daemon is not asked: no connector is in force".to_owned())
        };
        let mend = match place {
            Place::Main => vec![patient.set(NAME, &first(patient, NAME, MAP)), patient.reload()],
            Place::Service(service) => vec![patient.unset(service, NAME), patient.reload()],
        };
        patient.outbound(kind, |_| true, message, Set { place, name: NAME, value }, mend)
    });
    found.chain(unreachable(patient)).collect()
}

/// Where a service asks the daemon first, and cannot reach it. (`proxy:` is asked by proxymap(8).)
fn unreachable<'p>(patient: &'p Patient<'_>) -> impl Iterator<Item = Finding> + use<'p> {
    let settings = patient.settings;
    let misled = settings.running("smtp").filter_map(|service| {
        let value = settings.of(service, NAME);
        let first = tables(value).into_iter().next()?;
        let path = path_of(first, MAP).filter(|path| patient.is_at(path, patient.socketmap))?;
        let asks = match first.starts_with("proxy:") {
            true => settings.running("proxymap").next()?,
            false => service,
        };
        (!patient.reaches(asks, path, patient.socketmap)).then_some((service, value))
    });
    misled.filter_map(move |(service, value)| {
        let place = patient.place(service, NAME);
        let mend = match place {
            Place::Main => vec![patient.set(NAME, &first(patient, NAME, MAP)), patient.reload()],
            Place::Service(service) => vec![patient.unset(service, NAME), patient.reload()],
        };
        let message = "the daemon cannot be reached at this path, and all mail waits".to_owned();
        patient.outbound(&SOCKET_PATH, |_| true, message, Set { place, name: NAME, value }, mend)
    })
}

/// The same tables, as they are written, with the daemon's before them.
pub(super) fn first(patient: &Patient<'_>, name: &str, map: &str) -> String {
    let others =
        tables(patient.settings.written(name)).into_iter().filter(|table| !patient.is_ours(table, map));
    let ours = patient.our_table(map);
    std::iter::once(ours.as_str()).chain(others).collect::<Vec<_>>().join(", ")
}
