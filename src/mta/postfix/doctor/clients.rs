//! By which services of master.cf the mail of connectors leaves.

use super::ways::is_decided_by_us;
use super::{Patient, Place, Rule, Set, finding};
use crate::model::Outbound;
use crate::mta::finding::{Finding, Kind};
use crate::mta::postfix::settings::Service;

/// Settings that name the service of mail that no transport table is about (trivial-rewrite/resolve.c).
const ORDINARY: [&str; 2] = ["default_transport", "relay_transport"];

/// A value that is wrong, the services that have it from there, and where it is.
pub(super) struct Wrong<'p> {
    pub(super) set: Set<'p>,
    services: Vec<&'p Service>,
}

impl<'p> Patient<'p> {
    /// The services that a connector's mail can leave by.
    fn services_of(&self, connector: &'p Outbound) -> Vec<&'p str> {
        // The transport map says nothing of `*`.
        if is_decided_by_us(self) && !connector.domains.has_any() {
            return vec![connector.transport.as_ref().unwrap_or(&self.agreements.mta.transport).as_str()];
        }
        let service = |value: &'p str| value.split(':').next().unwrap_or(value);
        ORDINARY.map(|name| service(self.settings.main(name))).to_vec()
    }

    fn leaves_by(&self, connector: &'p Outbound, service: &Service) -> bool {
        let name = service.name.strip_suffix("/unix");
        name.is_some_and(|name| self.services_of(connector).contains(&name))
    }

    /// The smtp(8) that mail of connectors can leave by. Others, such as those to content filters, are nobody's here.
    pub(super) fn clients(&self) -> impl Iterator<Item = &'p Service> {
        let settings = self.settings;
        settings
            .running("smtp")
            .filter(|service| self.outbound_connectors().any(|connector| self.leaves_by(connector, service)))
    }

    /// Where those have a value that is not as it should be, each place once.
    pub(super) fn wrong(
        &self,
        name: &'static str,
        is_right: impl Fn(&'p Service, &'p str) -> bool,
    ) -> Vec<Wrong<'p>> {
        let mut all: Vec<Wrong<'p>> = Vec::new();
        for service in self.clients() {
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
        kind: &'static Kind,
        about: impl Fn(&Outbound) -> bool,
        message: &str,
        wrong: &Wrong<'p>,
        mend: Vec<String>,
    ) -> Option<Finding> {
        let connectors = self.outbound_connectors().filter(|connector| {
            about(connector) && wrong.services.iter().any(|service| self.leaves_by(connector, service))
        });
        finding(kind, connectors.map(|connector| connector.name.as_str()), message, wrong.set, mend)
    }

    /// What a rule finds where mail leaves.
    pub(super) fn by_rule(&self, rule: &Rule<Outbound>) -> Vec<Finding> {
        // A version that does not have the setting does not have the fault.
        if !self.settings.has(rule.name) {
            return Vec::new();
        }
        let wrong = self.wrong(rule.name, |_, value| (rule.is_right)(value));
        let found = wrong.iter().filter_map(|wrong| {
            let mend = self.mend(wrong.set.place, rule.name, rule.is_right, rule.right);
            self.leaving(rule.kind, rule.about, rule.message, wrong, mend)
        });
        found.collect()
    }
}
