//! Connectors as values: only valid ones exist.
//!
//! Nothing here reads a file, opens a socket or asks the time; nothing here knows how a
//! configuration is written or how an MTA wants to be answered. What is here is the meaning:
//!
//! - [`domain`] names as they are compared, and [`pattern`]s over them, a million in a [`pattern_list`];
//! - [`address`] whom our own mail goes to;
//! - [`host`] what a connection can be made to, and the next-hops that name it;
//! - [`level`], [`names`], [`anchors`], [`tls`] and, of these, [`requirement`]: what an outbound
//!   connector demands, with the one order of strength that "weaker" stands for everywhere;
//! - [`outbound`] and [`inbound`] the two kinds of connector;
//! - [`certificate`] facts about certificates, and [`judgement`] of a partner's by a requirement;
//! - [`mta`] what the administrator told us of the MTA that asks, and [`organisation`] of us.
//!
//! A constructor that can refuse says why in words for the operator; where the offending text
//! stands in a file is known to `config`, which puts the two together.

pub mod address;
pub mod anchors;
pub mod certificate;
pub mod domain;
pub mod host;
pub mod inbound;
pub mod judgement;
pub mod level;
pub mod mta;
pub mod name;
pub mod names;
pub mod organisation;
pub mod outbound;
pub mod pattern;
pub mod pattern_list;
pub mod requirement;
#[cfg(test)]
pub mod sample;
pub mod tls;

use std::sync::Arc;

pub use address::Address;
pub use domain::Domain;
pub use host::{Host, NextHop};
pub use inbound::Inbound;
pub use level::Level;
pub use mta::Mta;
pub use name::{ConnectorName, MAX_LENGTH as MAX_NAME_LENGTH};
pub use organisation::Organisation;
pub use outbound::Outbound;
pub use pattern::{Pattern, PatternSet};
pub use pattern_list::PatternList;
pub use requirement::Requirement;

/// Whether a connector takes part in answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// It decides.
    Enforce,
    /// It is decided beside the enforcing ones, for the log alone.
    Report,
    /// It takes no part.
    Off,
}

impl Mode {
    /// The word in the configuration, in logs and in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Mode::Enforce => "enforce",
            Mode::Report => "report",
            Mode::Off => "off",
        }
    }
}

/// Where a connector is written, for `explain` and for messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file as the operator named it, or as an include pattern found it.
    pub file: Arc<str>,
    /// Line of the connector's table, from 1.
    pub line: usize,
}

/// What people wrote for people: never looked at by an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// What the connector is about.
    pub comment: Option<String>,
    /// Whom to ask on the partner's side.
    pub contact: Option<String>,
    /// Every other note: `owner`, `agreement`, `review_by` and the keys `x-...`, by key.
    pub others: Vec<(String, String)>,
}

/// All that answers are made from: the accepted configuration without the daemon's own settings.
#[derive(Clone, Debug)]
pub struct Agreements {
    /// What the administrator told us of the MTA.
    pub mta: Mta,
    /// Clients that no inbound connector judges, our own re-injection above all.
    pub inbound_exempt: Vec<ipnet::IpNet>,
    /// Outbound connectors of every mode, in the order written.
    pub outbound: Vec<Outbound>,
    /// Inbound connectors of every mode, in the order written.
    pub inbound: Vec<Inbound>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_have_the_words_of_the_configuration() {
        assert_eq!([Mode::Enforce, Mode::Report, Mode::Off].map(Mode::word), ["enforce", "report", "off"]);
    }
}
