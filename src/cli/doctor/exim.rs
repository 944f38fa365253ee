//! `connectord doctor exim`.

use std::path::PathBuf;

use clap::Args;

use super::{Agreed, Examined};
use crate::cli::Failure;
use crate::config::{self, ListenProtocol};
use crate::mta::exim::ask;
use crate::mta::exim::doctor::{Patient, examine};
use crate::mta::exim::host::Host;

/// The options of `doctor exim`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Options {
    /// The configuration file; for root alone [default: the one that Exim was built with]
    #[arg(long, value_name = "FILE")]
    config_file: Option<PathBuf>,
    /// Write how many findings there are of each severity, as Prometheus reads it
    ///
    /// The exit status is the same; connectord-monitoring(7).
    #[arg(long)]
    pub(super) prometheus: bool,
}

/// Where the unit has the socket of Exim.
const SOCKETS: &str = "/run/connectord";

pub(super) fn examined(options: &Options, agreed: &Agreed<'_>) -> Result<Examined, Failure> {
    let config_file = options.config_file.as_deref().map(config::absolute);
    let exim = ask::settings(config_file.as_deref())?;
    let sockets = agreed.sockets(ListenProtocol::Exim, SOCKETS);
    let host = Host::examine(&exim, config_file.is_some(), sockets, agreed.start());
    let findings = examine(&Patient {
        settings: &exim,
        agreements: agreed.agreements,
        host: &host,
        config_file: config_file.as_deref(),
    });
    Ok(Examined { mta: "exim", name: "Exim", version: exim.version, findings })
}
