//! `connectord import`: connectors made of what there is, as a file to stdout.
//!
//! What was read and what came of it is told on stderr: every note of every connector, and what could not be imported, with
//! its place. It ends with 1 if there was anything of that kind; what could be imported is written all the same.

mod summary;

use clap::Subcommand;

use super::{Exit, Failure, Output, Settings};

/// Where the connectors come from.
#[derive(Debug, Subcommand)]
pub(super) enum Source {}

pub(super) fn run(source: &Source, settings: &Settings, _out: &mut Output) -> Result<Exit, Failure> {
    if settings.json {
        return Err(Failure::Argument("what is imported is TOML; leave --json out".to_owned()));
    }
    match *source {}
}
