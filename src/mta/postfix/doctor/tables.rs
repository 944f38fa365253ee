//! Whether the daemon is asked, and before everybody else.

use super::kinds::{POLICY_MISSING, POLICY_ORDER, SOCKET_PATH};
use super::{Patient, Place};
use crate::mta::finding::Finding;
use crate::mta::postfix::settings::{Service, tables};

const NAME: &str = "smtp_tls_policy_maps";

/// The word of the map.
const MAP: &str = "tls";

/// The path of a socketmap table with this map.
fn path_of<'t>(table: &'t str, map: &str) -> Option<&'t str> {
    let table = table.strip_prefix("proxy:").unwrap_or(table);
    let (path, name) = table.strip_prefix("socketmap:unix:")?.rsplit_once(':')?;
    (name == map).then_some(path)
}

impl<'p> Patient<'p> {
    /// Whether a table is the daemon's, for whoever can reach it.
    pub(super) fn is_ours(&self, table: &str, map: &str) -> bool {
        path_of(table, map).is_some_and(|path| self.is_at(path, self.socketmap))
    }

    /// The commands that put the daemon before the other tables, as they are written.
    pub(super) fn ask_first(
        &self,
        place: Place<'p>,
        name: &str,
        map: &str,
        by: impl Iterator<Item = &'p Service>,
    ) -> Vec<String> {
        let Some(path) = self.as_asked(self.socketmap, by) else { return Vec::new() };
        let others = tables(self.written(place, name)).into_iter().filter(|table| !self.is_ours(table, map));
        let ours = format!("socketmap:unix:{path}:{map}");
        let entries: Vec<String> = std::iter::once(ours).chain(others.map(str::to_owned)).collect();
        self.rewrite(place, name, &entries)
    }
}

/// Whether every smtp(8) asks the daemon first, and can.
pub(super) fn policy(patient: &Patient<'_>) -> Vec<Finding> {
    let found = patient
        .wrong(NAME, |service, value| asks_first(patient, service, value))
        .into_iter()
        .filter_map(|wrong| {
            let all = tables(wrong.set.value);
            let (kind, message) = if all.first().is_some_and(|first| patient.is_ours(first, MAP)) {
                (&SOCKET_PATH, "the daemon cannot be reached at this path, and all mail waits")
            } else if all.iter().any(|table| patient.is_ours(table, MAP)) {
                (&POLICY_ORDER, "what the tables before the daemon's say counts, and no connector does")
            } else {
                (&POLICY_MISSING, "the daemon is not asked: no connector is in force")
            };
            let mend = patient.ask_first(wrong.set.place, NAME, MAP, patient.clients());
            patient.leaving(kind, |_| true, message, &wrong, mend)
        });
    found.collect()
}

fn asks_first(patient: &Patient<'_>, service: &Service, value: &str) -> bool {
    let Some(first) = tables(value).into_iter().next() else { return false };
    // What is asked through proxymap(8) is asked from where that is.
    let asks = match first.starts_with("proxy:") {
        true => patient.settings.running("proxymap").next(),
        false => Some(service),
    };
    let path = path_of(first, MAP).zip(asks);
    path.is_some_and(|(path, asks)| patient.reaches(asks, path, patient.socketmap))
}
