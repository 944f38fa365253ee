//! A connector under proof: the domains that its probes go to, and the names that its partner's servers show. Pure.

use std::collections::BTreeSet;

use crate::model::names::Names;
use crate::model::outbound::Route;
use crate::model::requirement::Anchors;
use crate::model::{Agreements, Domain, Host, Level, Mode, Outbound, Pattern, Requirement};

/// Domains of one connector that get probes when none are named. How many there are is told beside.
pub const MAX_DOMAINS: usize = 3;

/// The label below a domain whose names below are the connector's too.
const BELOW: &str = "connectord-prove";

/// The label of those who are nobody's partner.
pub const STRANGER: &str = "connectord-prove-stranger";

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
    /// Of how many they are.
    pub known: usize,
    /// The hosts that its mail may go to, by name or address, with what their certificates are to show.
    pub hosts: Vec<PartnerHost>,
    /// The ports of its smart hosts, as written.
    pub ports: Vec<String>,
    /// A host of it that has TLSA records for the sake of another connector under proof.
    pub lent: Option<String>,
}

/// A host of the partner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartnerHost {
    /// Its name, or its address.
    pub host: Host,
    /// What its certificates show.
    pub shown: Shown,
}

/// Names that certificates of a host show, and who vouches for them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// Agreed ones.
    pub right: BTreeSet<String>,
    /// Those that the partner has without any agreement: of the domain, and of the host.
    pub own: BTreeSet<String>,
    /// Names that no agreement with this partner can mean: of others under the same public suffix.
    pub strange: BTreeSet<String>,
    /// Whether a connector there has authorities of its own, and not the system's.
    pub has_own_authority: bool,
    /// Whether there are TLSA records: where a connector there asks for them. Others would be kept by them from mail that
    /// goes round their connectors, for an MTA that obeys them wherever they are (Exim: `hosts_try_dane`).
    pub has_tlsa: bool,
}

impl Shown {
    /// The same with what another connector has shown there.
    pub fn merge(&mut self, other: &Shown) {
        self.right.extend(other.right.iter().cloned());
        self.own.extend(other.own.iter().cloned());
        self.strange.extend(other.strange.iter().cloned());
        self.has_own_authority |= other.has_own_authority;
        self.has_tlsa |= other.has_tlsa;
    }
}

impl Subject {
    /// Of a connector, beside all others. `named` are domains that are tried in place of the first ones.
    pub fn of(connector: &Outbound, agreements: &Agreements, named: &[Domain]) -> Subject {
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
        let all = connector.domains.iter().flat_map(samples).filter(&wanted);
        let named = named.iter().map(Domain::to_string).filter(|domain| connector.domains.covers(domain));
        let named: Vec<String> = named.filter(&wanted).collect();
        let known = connector.domains.iter().flat_map(samples).filter(&wanted).count();
        let domains = if named.is_empty() { all.take(MAX_DOMAINS).collect() } else { named };
        let mut hosts = Vec::new();
        let mut add = |host: Host, domain: &str| {
            let shown = shown(&connector.requirement, &host, domain);
            hosts.push(PartnerHost { host, shown });
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
            known,
            hosts,
            lent: None,
        }
    }
}

/// Notes where TLSA records of one are at a host of another, who asks for none.
pub fn note_lent(subjects: &mut [Subject]) {
    let with: BTreeSet<String> = subjects
        .iter()
        .flat_map(|subject| &subject.hosts)
        .filter(|host| host.shown.has_tlsa)
        .map(|host| host.host.to_string())
        .collect();
    for subject in subjects {
        let mut without = subject.hosts.iter().filter(|host| !host.shown.has_tlsa);
        subject.lent = without.find_map(|host| with.get(&host.host.to_string()).cloned());
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
    Domain::parse(&exchange(domain)).ok().map(Host::Name)
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

/// What a host for this domain shows.
fn shown(requirement: &Requirement, host: &Host, domain: &str) -> Shown {
    let host = match host {
        Host::Name(name) => Some(name.to_string()),
        Host::Address(_) => None,
    };
    let own: BTreeSet<String> = host.iter().cloned().chain([domain.to_owned()]).collect();
    let mut strange: BTreeSet<String> = [nobody(), stranger(domain)].into();
    let right = match requirement.names() {
        Names::Any => own.clone(),
        Names::MxHost => host.into_iter().collect(),
        Names::Domain => [exchange(domain)].into(),
        Names::Set(patterns) => {
            strange.extend(
                patterns.iter().filter_map(|pattern| pattern.domain()).map(|name| stranger(name.as_str())),
            );
            let right = patterns.iter().map(Pattern::names).map(|pattern| match pattern {
                Pattern::Exact(name) => name.to_owned(),
                Pattern::Tree(name) | Pattern::Below(name) => exchange(name),
                Pattern::Any => nobody(),
            });
            right.collect()
        }
    };
    let has_own_authority = matches!(requirement.anchors(), Anchors::File(_));
    let has_tlsa = matches!(requirement.level(), Level::Dane | Level::DaneOnly);
    Shown { right, own, strange, has_own_authority, has_tlsa }
}

/// The host of a stranger that forged records lead to.
pub fn nobody() -> String {
    format!("mx.{STRANGER}.invalid")
}

/// The host of a stranger with TLSA records of its own.
pub fn nobody_with_tlsa() -> String {
    format!("mx-dane.{STRANGER}.invalid")
}

/// A host of somebody else under the same public suffix: `mx.stranger.example`, `mx.stranger.co.uk`.
fn stranger(name: &str) -> String {
    match psl::suffix_str(name) {
        Some(suffix) => format!("mx.{STRANGER}.{suffix}"),
        None => nobody(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing)]
    use super::*;
    use crate::model::sample::{agreements, connectors};

    fn subjects(texts: &[&str]) -> Vec<Subject> {
        let agreements = agreements(connectors(texts), Vec::new());
        agreements.outbound.iter().map(|connector| Subject::of(connector, &agreements, &[])).collect()
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
    fn a_host_with_records_of_another_connector_is_noted() {
        let mut found = subjects(&[
            "dane of a.b, through [h.i]",
            "encrypt of c.d, through [j.k] [h.i]",
            "dane-only of e.f, through [h.i]",
            "encrypt of g.h",
        ]);
        note_lent(&mut found);
        let lent: Vec<_> = found.iter().map(|subject| subject.lent.as_deref()).collect();
        assert_eq!(lent, [None, Some("h.i"), None, None]);
    }

    #[test]
    fn named_domains_take_the_place_of_the_first_ones() {
        let agreements = agreements(connectors(&["encrypt of a.b c.d *.e.f g.h, except i.e.f"]), Vec::new());
        let named = ["j.e.f", "i.e.f", "k.l"].map(|name| Domain::parse(name).expect("a domain"));
        let found = Subject::of(&agreements.outbound[0], &agreements, &named);
        assert_eq!((found.domains, found.known), (vec!["j.e.f".to_owned()], 5));
    }

    #[test]
    fn a_right_certificate_shows_agreed_names_and_a_strange_one_none_that_is_narrow() {
        let shown = |text: &str| subjects(&[text]).remove(0).hosts.remove(0).shown;
        let names = |names: BTreeSet<String>| names.into_iter().collect::<Vec<_>>();
        let narrow = shown("secure mail.filter.example *.bank.co.uk of bank.co.uk");
        assert_eq!(names(narrow.right), ["mail.filter.example", "mx.bank.co.uk"]);
        assert_eq!(names(narrow.own), ["bank.co.uk", "mx.bank.co.uk"]);
        let strange =
            [".co.uk", ".example", ".invalid"].map(|suffix| format!("mx.connectord-prove-stranger{suffix}"));
        assert_eq!(names(narrow.strange), strange);
        assert!(
            shown("dane of a.b").has_tlsa
                && shown("dane-only of a.b").has_tlsa
                && !shown("may of a.b").has_tlsa
        );
        assert_eq!(names(shown("verify of a.b").right), ["mx.a.b"]);
        assert_eq!(names(shown("secure domain of a.b").right), ["mx.a.b"]);
        assert_eq!(names(shown("encrypt of a.b").right), ["a.b", "mx.a.b"]);
    }
}
