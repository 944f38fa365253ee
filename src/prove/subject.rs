//! A connector under proof: the domains that its probes go to, and the names that its partner's servers show. Pure.

use crate::model::names::Names;
use crate::model::outbound::Route;
use crate::model::{Agreements, Host, Mode, Outbound, Pattern, Requirement};

/// Domains of one connector that get probes; more would say the same again.
pub const MAX_DOMAINS: usize = 3;

/// The label below a domain whose names below are the connector's too.
const BELOW: &str = "connectord-prove";

/// The label of those who are nobody's partner.
const STRANGER: &str = "connectord-prove-stranger";

/// The domain of a connector for all (RFC 6761 section 6.4: nobody has it).
const NOBODYS: &str = "connectord-prove.invalid";

/// A connector, and what it takes to try it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// Its name.
    pub name: String,
    /// Its mode.
    pub mode: Mode,
    /// What it demands.
    pub requirement: Requirement,
    /// The domains that get probes; without one of its own it cannot be tried.
    pub domains: Vec<String>,
    /// The hosts that its mail may go to, by name or address, with what their certificates are to show.
    pub hosts: Vec<PartnerHost>,
    /// The ports of its smart hosts, as written.
    pub ports: Vec<String>,
}

/// A host of the partner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartnerHost {
    /// Its name, or its address.
    pub host: Host,
    /// Names that a certificate as agreed shows.
    pub right: Vec<String>,
    /// Names that no agreement with this partner can mean: of others under the same public suffix.
    pub strange: Vec<String>,
}

impl Subject {
    /// Of a connector, beside all others.
    pub fn of(connector: &Outbound, agreements: &Agreements) -> Subject {
        let wanted = |domain: &String| {
            let is_excepted = connector.except.covers_name(domain);
            // A narrower connector that says so may be weaker there: that is what was agreed.
            let is_overridden = agreements.outbound.iter().any(|other| {
                other.mode == Mode::Enforce
                    && other.overrides.iter().any(|name| *name == connector.name.as_str())
                    && other.domains.covers(domain)
                    && !other.except.covers_name(domain)
            });
            !is_excepted && !is_overridden
        };
        let samples = connector.domains.iter().flat_map(samples);
        let domains: Vec<String> = samples.filter(wanted).take(MAX_DOMAINS).collect();
        let names = connector.requirement.names();
        let mut hosts = Vec::new();
        let mut add = |host: Host, domain: &str| {
            let (right, strange) = shown(names, &host, domain);
            hosts.push(PartnerHost { host, right, strange });
        };
        match &connector.route {
            Route::Mx => {
                for domain in &domains {
                    hosts_of(domain).into_iter().for_each(|host| add(host, domain));
                }
            }
            Route::SmartHosts(hops) => {
                let first = domains.first().map_or(NOBODYS, String::as_str);
                for hop in hops {
                    add(hop.host().clone(), first);
                    if hop.uses_mx() {
                        hosts_of(&hop.host().to_string()).into_iter().for_each(|host| add(host, first));
                    }
                }
            }
        }
        let ports = connector.route.smart_hosts().iter().filter_map(|hop| hop.port().map(str::to_owned));
        Subject {
            name: connector.name.to_string(),
            mode: connector.mode,
            requirement: connector.requirement.clone(),
            ports: ports.collect(),
            domains,
            hosts,
        }
    }
}

impl Subject {
    /// Whether only the partner itself can be right.
    pub fn is_pinned(&self) -> bool {
        self.requirement.pins().is_some()
    }
}

/// The mail host of a name, in the DNS of a proof.
pub fn exchange(name: &str) -> String {
    format!("mx.{name}")
}

fn hosts_of(domain: &str) -> Option<Host> {
    crate::model::Domain::parse(&exchange(domain)).ok().map(Host::Name)
}

/// Domains that a pattern is about.
fn samples(pattern: Pattern<&str>) -> Vec<String> {
    match pattern {
        Pattern::Exact(name) => vec![name.to_owned()],
        Pattern::Tree(name) => vec![name.to_owned(), format!("{BELOW}.{name}")],
        Pattern::Below(name) => vec![format!("{BELOW}.{name}")],
        Pattern::Any => vec![NOBODYS.to_owned()],
    }
}

/// What a host for this domain shows when all is right, and what a stranger shows.
fn shown(names: &Names, host: &Host, domain: &str) -> (Vec<String>, Vec<String>) {
    let mut right = vec![domain.to_owned()];
    if let Host::Name(name) = host {
        right.push(name.to_string());
    }
    let mut strange = vec![format!("{STRANGER}.invalid"), stranger(domain)];
    if let Names::Set(patterns) = names {
        for pattern in patterns.iter().map(Pattern::names) {
            right.extend(match pattern {
                Pattern::Exact(name) => Some(name.to_owned()),
                Pattern::Tree(name) | Pattern::Below(name) => Some(exchange(name)),
                Pattern::Any => None,
            });
            strange.extend(pattern.domain().map(|name| stranger(name)));
        }
    }
    for list in [&mut right, &mut strange] {
        list.sort();
        list.dedup();
    }
    (right, strange)
}

/// A host of somebody else under the same public suffix: `mx.stranger.example`, `mx.stranger.co.uk`.
fn stranger(name: &str) -> String {
    match psl::suffix_str(name) {
        Some(suffix) => format!("mx.{STRANGER}.{suffix}"),
        None => format!("mx.{STRANGER}.invalid"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing)]
    use super::*;
    use crate::model::sample::{agreements, connectors};

    fn subjects(texts: &[&str]) -> Vec<Subject> {
        let agreements = agreements(connectors(texts), Vec::new());
        agreements.outbound.iter().map(|connector| Subject::of(connector, &agreements)).collect()
    }

    fn hosts(subject: &Subject) -> Vec<String> {
        subject.hosts.iter().map(|host| host.host.to_string()).collect()
    }

    #[test]
    fn each_form_of_a_pattern_has_its_domains() {
        let domains = |text: &str| subjects(&[text]).remove(0).domains;
        assert_eq!(domains("encrypt of a.example"), ["a.example"]);
        assert_eq!(domains("encrypt of *.a.example"), ["a.example", "connectord-prove.a.example"]);
        assert_eq!(domains("encrypt of .a.example"), ["connectord-prove.a.example"]);
        assert_eq!(domains("encrypt of *"), ["connectord-prove.invalid"]);
        assert_eq!(domains("encrypt of a.b c.d e.f g.h"), ["a.b", "c.d", "e.f"]);
    }

    #[test]
    fn where_it_does_not_decide_nothing_is_tried() {
        let found = subjects(&[
            "secure mx.a.b of *.a.b, except a.b",
            "encrypt of connectord-prove.a.b, overrides c0",
            "secure mx.c.d of *.c.d",
            "encrypt of c.d, overrides c2, report",
        ]);
        assert_eq!(found[0].domains, Vec::<String>::new());
        assert_eq!(found[1].domains, ["connectord-prove.a.b"]);
        // What only reports overrides nothing.
        assert_eq!(found[2].domains, ["c.d", "connectord-prove.c.d"]);
    }

    #[test]
    fn hosts_are_those_that_the_mta_goes_to() {
        let found = subjects(&["encrypt of a.b c.d", "encrypt of e.f, through [h.i]:587 j.k [192.0.2.1]"]);
        assert_eq!(hosts(&found[0]), ["mx.a.b", "mx.c.d"]);
        assert_eq!(hosts(&found[1]), ["h.i", "j.k", "mx.j.k", "192.0.2.1"]);
        assert_eq!((&found[0].ports, &found[1].ports), (&vec![], &vec!["587".to_owned()]));
    }

    #[test]
    fn a_right_certificate_satisfies_every_pattern_and_a_strange_one_none_that_is_narrow() {
        let host = |text: &str| subjects(&[text]).remove(0).hosts.remove(0);
        let narrow = host("secure mail.filter.example *.bank.co.uk of bank.co.uk");
        for name in ["mail.filter.example", "mx.bank.co.uk", "bank.co.uk"] {
            assert!(narrow.right.iter().any(|right| right == name), "{name}: {:?}", narrow.right);
        }
        let strange: Vec<&str> = narrow.strange.iter().map(String::as_str).collect();
        assert_eq!(
            strange,
            [
                "connectord-prove-stranger.invalid",
                "mx.connectord-prove-stranger.co.uk",
                "mx.connectord-prove-stranger.example"
            ]
        );
    }
}
