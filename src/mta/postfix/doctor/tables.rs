//! Whether the daemon is asked, and before everybody else.

use super::kinds::{POLICY_BEFORE, POLICY_MISSING, POLICY_ORDER, POLICY_UNSEEN, SOCKET_PATH};
use super::policies::Policies;
use super::ways::Ways;
use super::{Patient, Place};
use crate::model::Outbound;
use crate::mta::finding::Finding;
use crate::mta::postfix::settings::{Service, tables};

pub(super) const NAME: &str = "smtp_tls_policy_maps";

/// The word of the map.
pub(super) const MAP: &str = "tls";

/// The path of a socketmap table with this map.
pub(super) fn path_of<'t>(table: &'t str, map: &str) -> Option<&'t str> {
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

/// Whether every smtp(8) asks the daemon first, and can, or another table that demands as much.
pub(super) fn policy(patient: &Patient<'_>, ways: &Ways) -> Vec<Finding> {
    let found = patient
        .wrong(ways, NAME, |service, value| asks_first(patient, service, value))
        .into_iter()
        .filter_map(|wrong| {
            let all = tables(wrong.set.value);
            let mend = patient.ask_first(wrong.set.place, NAME, MAP, patient.clients(ways));
            if all.first().is_some_and(|first| patient.is_ours(first, MAP)) {
                let message = "the daemon cannot be reached at this path, and all mail waits";
                return patient.leaving(ways, &SOCKET_PATH, |_, _| true, message, &wrong, mend);
            }
            let policies = Policies::of(patient, wrong.set.value);
            let is_weaker = |number, _: &Outbound| policies.weaker.contains(&number);
            if !all.iter().any(|table| patient.is_ours(table, MAP)) {
                // A copy of the answers in a table that tells all of it is as good, as long as it is one.
                let message = match policies.first.as_str() {
                    first if !all.is_empty() && !first.is_empty() => format!("the daemon is not asked: {first}"),
                    _ => "the daemon is not asked: no connector is in force".to_owned(),
                };
                if !all.is_empty() && !policies.is_whole && policies.weaker.is_empty() {
                    let message = "the daemon is not asked, and all that these tables say cannot be known; what they were \
                                   asked for they answer as the connectors demand";
                    return patient.leaving(ways, &POLICY_UNSEEN, |_, _| true, message, &wrong, mend);
                }
                let about = |number, connector: &Outbound| !policies.is_whole || is_weaker(number, connector);
                return patient.leaving(ways, &POLICY_MISSING, about, &message, &wrong, mend);
            }
            let message =
                "what another table says first counts, and a connector does only where it says nothing";
            let advice = || patient.leaving(ways, &POLICY_BEFORE, |_, _| true, message, &wrong, mend.clone());
            let bypass =
                patient.leaving(ways, &POLICY_ORDER, is_weaker, &policies.first, &wrong, mend.clone());
            bypass.or_else(advice)
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
