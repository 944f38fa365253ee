//! By which services of master.cf the mail of connectors leaves.

use super::ways::Ways;
use super::{Patient, Place, Rule, Set, finding};
use crate::model::{Mode, Outbound};
use crate::mta::finding::{Finding, Kind};
use crate::mta::postfix::settings::Service;

/// A value that is wrong, the services that have it from there, and where it is.
pub(super) struct Wrong<'p> {
    pub(super) set: Set<'p>,
    services: Vec<&'p Service>,
}

impl<'p> Patient<'p> {
    /// The smtp(8) that mail of connectors can leave by. Others, such as those to content filters, are nobody's here.
    pub(super) fn clients(&self, ways: &Ways) -> impl Iterator<Item = &'p Service> {
        let (settings, outbound) = (self.settings, &self.agreements.outbound);
        settings.running("smtp").filter(move |service| {
            let mut all = outbound.iter().enumerate();
            all.any(|(number, connector)| connector.mode != Mode::Off && ways.lead_by(number, service))
        })
    }

    /// Where those have a value that is not as it should be, each place once.
    pub(super) fn wrong(
        &self,
        ways: &Ways,
        name: &'static str,
        is_right: impl Fn(&'p Service, &'p str) -> bool,
    ) -> Vec<Wrong<'p>> {
        let mut all: Vec<Wrong<'p>> = Vec::new();
        for service in self.clients(ways) {
            let value = self.settings.of(service, name);
            if is_right(service, value) {
                continue;
            }
            let place = self.place(service, name);
            let known =
                all.iter_mut().find(|wrong| matches!((wrong.set.place, place), (Place::Main, Place::Main)));
            match known {
                Some(wrong) => wrong.services.push(service),
                None => all.push(Wrong { set: Set { place, name, value }, services: vec![service] }),
            }
        }
        all
    }

    /// A finding about connectors whose mail can leave by one of these services.
    pub(super) fn leaving(
        &self,
        ways: &Ways,
        kind: &'static Kind,
        about: impl Fn(usize, &Outbound) -> bool,
        message: &str,
        wrong: &Wrong<'p>,
        mend: Vec<String>,
    ) -> Option<Finding> {
        let all = self.agreements.outbound.iter().enumerate();
        let connectors = all.filter(|&(number, connector)| {
            let leaves = || wrong.services.iter().any(|service| ways.lead_by(number, service));
            connector.mode != Mode::Off && about(number, connector) && leaves()
        });
        finding(kind, connectors.map(|(_, connector)| connector.name.as_str()), message, wrong.set, mend)
    }

    /// What a rule finds where mail leaves.
    pub(super) fn by_rule(&self, ways: &Ways, rule: &Rule<Outbound>) -> Vec<Finding> {
        // A version that does not have the setting does not have the fault.
        if !self.settings.has(rule.name) {
            return Vec::new();
        }
        let wrong = self.wrong(ways, rule.name, |_, value| (rule.is_right)(value));
        let found = wrong.iter().filter_map(|wrong| {
            let mend = self.mend(wrong.set.place, rule.name, rule.is_right, rule.right);
            self.leaving(ways, rule.kind, |_, connector| (rule.about)(connector), rule.message, wrong, mend)
        });
        found.collect()
    }
}
