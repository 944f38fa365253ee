//! `connectord serve`: the daemon, in the foreground.
//!
//! A start with a configuration that cannot be served is refused, with the same words as `check`.
//! Whatever keeps the daemon from starting is told on stderr with what to do about it, and has its
//! exit code, so that a unit file can tell what a restart may mend from what it cannot.

use super::{Exit, Failure, Settings};
use crate::server::{self, Limits, Options, loader};

pub(super) fn run(settings: &Settings) -> Result<Exit, Failure> {
    let loader = loader::of_file(settings.config.clone());
    server::run(Options { runtime_dir: settings.runtime_dir(), loader, limits: Limits::default() })?;
    Ok(Exit::Good)
}
