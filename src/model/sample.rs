//! Connectors for tests, in few words.

use std::sync::Arc;

use super::inbound::{Action, Identify, Require};
use super::names::Names;
use super::outbound::Route;
use super::requirement::{Parts, Requirement};
use super::{
    Agreements, ConnectorName, Inbound, Level, Mode, Mta, NextHop, Notes, Outbound, Pattern, PatternSet,
    Place,
};

fn place() -> Place {
    Place { file: Arc::from("test.toml"), line: 1 }
}

/// Patterns from their texts.
pub fn patterns(texts: &[&str]) -> Vec<Pattern> {
    texts.iter().map(|text| Pattern::parse(text).expect("a pattern of a test")).collect()
}

/// A requirement from Postfix's words: `secure a.b *.c.d`, `encrypt`, `verify`.
pub fn requirement(text: &str) -> Requirement {
    let mut words = text.split(' ');
    let level = words.next().and_then(Level::from_word).expect("a level of a test");
    let names: Vec<&str> = words.collect();
    let names = match names.as_slice() {
        [] => None,
        ["domain"] => Some(Names::Domain),
        names => Some(Names::Set(PatternSet::new(patterns(names)))),
    };
    Requirement::new(Parts { names, ..Parts::of_level(level) }).expect("a requirement of a test")
}

/// An enforcing outbound connector by MX.
pub fn outbound(name: &str, domains: &[&str], demand: &str) -> Outbound {
    Outbound {
        name: ConnectorName::parse(name).expect("a name of a test"),
        mode: Mode::Enforce,
        domains: patterns(domains).into(),
        except: PatternSet::default(),
        overrides: Vec::new(),
        requirement: requirement(demand),
        certificates: Vec::new(),
        route: Route::Mx,
        transport: None,
        validate_recipients: Vec::new(),
        notes: Notes::default(),
        place: place(),
    }
}

/// Outbound connectors `c0`, `c1` and so on from texts such as
/// `encrypt of a.b *.c, except x.c, overrides c0 main.cf, through [h.q]:587 i.q, report`.
pub fn connectors(texts: &[&str]) -> Vec<Outbound> {
    let connector = |(number, text): (usize, &&str)| {
        let mut parts = text.split(", ");
        let (demand, domains) =
            parts.next().and_then(|part| part.split_once(" of ")).expect("a demand of domains");
        let domains: Vec<&str> = domains.split(' ').collect();
        let mut connector = outbound(&format!("c{number}"), &domains, demand);
        for part in parts {
            let (word, rest) = part.split_once(' ').unwrap_or((part, ""));
            let words: Vec<&str> = rest.split(' ').collect();
            match word {
                "except" => connector.except = PatternSet::new(patterns(&words)),
                "overrides" => connector.overrides = words.into_iter().map(str::to_owned).collect(),
                "through" => connector.route = smart_hosts(&words),
                "report" => connector.mode = Mode::Report,
                "off" => connector.mode = Mode::Off,
                _ => panic!("{part} is no part of a connector of a test"),
            }
        }
        connector
    };
    texts.iter().enumerate().map(connector).collect()
}

/// A route through smart hosts.
pub fn smart_hosts(texts: &[&str]) -> Route {
    Route::SmartHosts(
        texts.iter().map(|text| NextHop::parse(text).expect("a smart host of a test")).collect(),
    )
}

/// An enforcing, rejecting inbound connector identified by domains.
pub fn inbound(name: &str, domains: &[&str], require: Require) -> Inbound {
    Inbound {
        name: ConnectorName::parse(name).expect("a name of a test"),
        mode: Mode::Enforce,
        identify: Identify { domains: patterns(domains), ..Identify::default() },
        recipients: None,
        require,
        on_violation: Action::Reject,
        overrides: Vec::new(),
        notes: Notes::default(),
        place: place(),
    }
}

/// Agreements with the defaults of `[mta]`.
pub fn agreements(outbound: Vec<Outbound>, inbound: Vec<Inbound>) -> Agreements {
    let exempt = ["127.0.0.0/8", "::1/128"].map(|range| range.parse().expect("a range of a test"));
    Agreements { mta: Mta::default(), inbound_exempt: exempt.to_vec(), outbound, inbound }
}
