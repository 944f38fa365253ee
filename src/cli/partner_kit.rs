//! `connectord partner-kit`: what is handed to the partner.
//!
//! It is made from the files as they are now. The kit goes to stdout; what it lacks goes to stderr, and makes the
//! command end with 1, for a kit with placeholders is not yet one to be sent.

use std::io::Write;

use clap::{Args, ValueEnum};
use jiff::Timestamp;

use super::output::talk;
use super::{Exit, Failure, Output, Settings};
use crate::load;
use crate::migrate::kit::{self, Connector, Product};
use crate::model::Agreements;

/// The options of `partner-kit`.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// The connectors, of either direction and in any mode: often the two with one partner
    #[arg(value_name = "NAME", required = true)]
    names: Vec<String>,
    /// What the mail servers are that are to be configured
    #[arg(long = "for", value_enum, value_name = "PRODUCT")]
    product: For,
    /// Whose side is configured: `theirs` is the mirror of the connector; `ours` is the connector itself in the terms of
    /// Exchange Online, to be compared with what it was imported from
    #[arg(long, value_enum, value_name = "SIDE", default_value_t = Side::Theirs)]
    side: Side,
    /// For an outbound connector also how the partner's mail to us travels over TLS, which no connector of ours demands;
    /// for the first one alone, and for none where an inbound connector is named, whose part this is
    #[arg(long)]
    both: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum For {
    /// Exchange Online: commands of PowerShell
    ExchangeOnline,
    /// Exchange Server: commands of PowerShell
    Exchange,
    /// Google Workspace: steps in the Admin console
    Google,
    /// Postfix: lines of main.cf and tables
    Postfix,
    /// Exim: an ACL, a router and a transport
    Exim,
    /// Any other: in words
    Text,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Side {
    Theirs,
    Ours,
}

pub(super) fn run(options: &Options, settings: &Settings, out: &mut Output) -> Result<Exit, Failure> {
    if settings.json {
        return Err(Failure::Argument("a kit has no JSON form; leave --json out".to_owned()));
    }
    let is_ours = options.side == Side::Ours;
    if is_ours && options.product != For::ExchangeOnline {
        let message =
            "--side ours is for exchange-online alone; for Postfix there is `connectord export postfix`";
        return Err(Failure::Argument(message.to_owned()));
    }
    if is_ours && options.both {
        return Err(Failure::Argument("--both is about the partner's side; leave it out".to_owned()));
    }
    let ready = load::check(&settings.config, super::check::OFF_LINE, Timestamp::now());
    let organisation = ready.result.map_err(Failure::Configuration)?.organisation;
    let mut exit = Exit::Good;
    let connectors: Vec<Connector<'_>> =
        options.names.iter().map(|name| find(&ready.agreements, name)).collect::<Result<_, _>>()?;
    // Two sets of objects for one and the same mail would only be in each other's way.
    let other_way = connectors.iter().any(|connector| matches!(connector, Connector::Inbound(_)));
    for (number, connector) in connectors.into_iter().enumerate() {
        let kit = if is_ours {
            kit::same(connector)
        } else {
            kit::theirs(
                connector,
                &organisation,
                options.product.product(),
                options.both && number == 0 && !other_way,
            )
        };
        if number > 0 {
            writeln!(out)?;
        }
        write!(out, "{}", kit.text)?;
        for lack in &kit.lacks {
            talk(format_args!("connectord: {}: the kit lacks {lack}", connector.name()));
            exit = Exit::NotGood;
        }
    }
    Ok(exit)
}

fn find<'a>(agreements: &'a Agreements, name: &str) -> Result<Connector<'a>, Failure> {
    let outbound = agreements.outbound.iter().map(Connector::Outbound);
    let connectors = || outbound.clone().chain(agreements.inbound.iter().map(Connector::Inbound));
    connectors()
        .find(|connector| connector.name() == name)
        .ok_or_else(|| Failure::unknown_connector(name, connectors().map(|connector| connector.name())))
}

impl For {
    fn product(self) -> Product {
        match self {
            For::ExchangeOnline => Product::ExchangeOnline,
            For::Exchange => Product::Exchange,
            For::Google => Product::Google,
            For::Postfix => Product::Postfix,
            For::Exim => Product::Exim,
            For::Text => Product::Text,
        }
    }
}
