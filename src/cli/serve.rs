//! `connectord serve`: the daemon, in the foreground.
//!
//! A configuration that cannot be served is told in the same words as `check` has. In its place the
//! last good one is served, which the state directory has; without it the start is refused.
//! Whatever keeps the daemon from starting is told on stderr with what to do about it, and has its
//! exit code, so that a unit file can tell what a restart may mend from what it cannot.

use super::{Exit, Failure, Settings, results};
use crate::server::{self, LastGood, Limits, Options, loader};

pub(super) fn run(settings: &Settings) -> Result<Exit, Failure> {
    let loader = loader::of_file(settings.config.clone());
    let last_good = LastGood::new(settings.state_dir(), &settings.config);
    let runtime_dir = settings.runtime_dir();
    let results = results::of_file(settings.config.clone(), settings.state_dir());
    server::run(Options { runtime_dir, loader, last_good, results, limits: Limits::default() })?;
    Ok(Exit::Good)
}
