//! `connectord export`: the answers as static tables, to stdout.
//!
//! The tables are made from the files as they are now and not from what a running daemon serves;
//! the digest in the first lines says from which. Nothing is installed: where a table goes and
//! when Postfix reads it is the administrator's part.

use std::io::Write;

use clap::{Args, Subcommand, ValueEnum};

use super::check::snapshot;
use super::{Exit, Failure, Output, Settings};
use crate::mta::postfix::tables;
use crate::protocol::escape::printable;

/// Longest path in a header, in characters. Linux opens no longer one.
const PATH: usize = 4096;

/// The MTA that reads the table.
#[derive(Debug, Subcommand)]
pub(super) enum Mta {
    /// A table for Postfix, in the form of `texthash:` and of postmap(1)
    ///
    /// What the daemon answers and a table cannot say stands in its first lines.
    Postfix(Options),
}

/// The options of `export postfix`.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// The table to write: `tls` for smtp_tls_policy_maps, `transport` for transport_maps
    #[arg(long, value_enum)]
    map: Map,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Map {
    Tls,
    Transport,
}

pub(super) fn run(mta: &Mta, settings: &Settings, out: &mut Output) -> Result<Exit, Failure> {
    let Mta::Postfix(Options { map }) = mta;
    if settings.json {
        return Err(Failure::Argument("a table has no JSON form; leave --json out".to_owned()));
    }
    let snapshot = snapshot(settings)?;
    let mut table = match map {
        Map::Tls => tables::tls(&snapshot),
        Map::Transport => tables::transport(&snapshot),
    };
    let file = printable(&settings.config.display().to_string(), PATH);
    let version = env!("CARGO_PKG_VERSION");
    table
        .header
        .insert(table.header.len().min(2), format!("It is that of {file}, read by connectord {version}."));
    write!(out, "{table}")?;
    Ok(Exit::Good)
}
