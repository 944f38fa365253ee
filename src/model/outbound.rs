//! An outbound connector: mail from us to a partner.

use super::host::NextHop;
use super::inbound::Registered;
use super::mta::TransportName;
use super::name::ConnectorName;
use super::pattern::PatternSet;
use super::pattern_list::PatternList;
use super::requirement::Requirement;
use super::{Mode, Notes, Place};

/// An outbound connector of any mode.
#[derive(Clone, Debug)]
pub struct Outbound {
    /// Its name.
    pub name: ConnectorName,
    /// Whether it decides.
    pub mode: Mode,
    /// The partner's domains; never empty.
    pub domains: PatternList,
    /// What it does not apply to, though `domains` cover it.
    pub except: PatternSet,
    /// Names of the wider connectors (or `main.cf`) that this one may be weaker than.
    pub overrides: Vec<String>,
    /// What it demands.
    pub requirement: Requirement,
    /// The certificates that it names: their digests are among those of the requirement, the rest
    /// is for people.
    pub certificates: Vec<Registered>,
    /// The way the mail takes.
    pub route: Route,
    /// The master.cf service for this connector alone, instead of that of `[mta]`.
    pub transport: Option<TransportName>,
    /// Who gets the test mail of `validate`.
    pub validate_recipients: Vec<String>,
    /// What people wrote for people.
    pub notes: Notes,
    /// Where it is written.
    pub place: Place,
}

/// The way of a partner's mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// The MX records of the recipient's domain.
    Mx,
    /// These hosts, in this order; never empty.
    SmartHosts(Vec<NextHop>),
}

impl Route {
    /// The smart hosts; none by MX.
    pub fn smart_hosts(&self) -> &[NextHop] {
        match self {
            Route::Mx => &[],
            Route::SmartHosts(hosts) => hosts,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sample::smart_hosts;

    #[test]
    fn smart_hosts_keep_their_order_and_mx_has_none() {
        let shown = |route: Route| route.smart_hosts().iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(shown(smart_hosts(&["[b.example]:587", "a.example"])), ["[b.example]:587", "a.example"]);
        assert!(shown(Route::Mx).is_empty());
    }
}
