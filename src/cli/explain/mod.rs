//! `connectord explain`: the daemon's own answer functions on the command line.
//!
//! What is printed comes from the same pure functions that the daemon answers with, on a snapshot
//! compiled from the files as they are now. A running daemon may still serve an older generation;
//! `connectord status` shows its digest.

pub mod inbound;
pub mod outbound;

use clap::{Subcommand, ValueEnum};

use jiff::Timestamp;

use super::check::{snapshot, whole};
use super::validated::Validated;
use super::{Exit, Failure, Output, Settings};

/// What is to be explained.
#[derive(Debug, Subcommand)]
pub enum Direction {
    /// Mail from us to a partner: what the maps `transport` and `tls` answer
    Outbound(outbound::Options),
    /// Mail from a partner to us: what policy delegation answers
    Inbound(Box<inbound::Options>),
}

/// The MTA whose questions are answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Mta {
    /// Postfix: socketmap and policy delegation.
    #[default]
    Postfix,
    /// Exim: the line protocol of contrib/exim.
    Exim,
}

impl Mta {
    /// Its name in a sentence.
    fn name(self) -> &'static str {
        match self {
            Mta::Postfix => "Postfix",
            Mta::Exim => "Exim",
        }
    }
}

/// The version of the JSON objects: a key may be added to them without a new number.
const SCHEMA: u8 = 1;

pub(super) fn run(direction: &Direction, settings: &Settings, out: &mut Output) -> Result<Exit, Failure> {
    // What is asked comes first: a mistyped option is not worth reading a million domains.
    match direction {
        Direction::Outbound(options) => {
            let (snapshot, agreements) = whole(settings)?;
            let validated = Validated::with(&settings.state_dir(), Timestamp::now(), Some(snapshot.clone()));
            let validation = |name: &str| {
                let connector =
                    agreements.outbound.iter().find(|connector| connector.name.as_str() == name)?;
                Some(validated.outbound(connector))
            };
            outbound::run(options, &snapshot, &validation, settings.json, out)
        }
        Direction::Inbound(options) => {
            let certificate = options.certificate()?;
            let snapshot = snapshot(settings)?;
            inbound::run(options, &certificate, &snapshot, settings.json, out)
        }
    }
}
