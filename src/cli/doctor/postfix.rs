//! `connectord doctor postfix`.

use std::path::{Path, PathBuf};

use clap::Args;

use super::{Agreed, Examined};
use crate::cli::Failure;
use crate::config::{self, ListenProtocol};
use crate::mta::postfix::doctor::{Patient, examine};
use crate::mta::postfix::postconf;

/// The options of `doctor postfix`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Options {
    /// The directory of main.cf and master.cf [default: the one that Postfix was built with]
    #[arg(long, value_name = "DIR")]
    config_dir: Option<PathBuf>,
}

/// Where the units have the sockets of Postfix.
const SOCKETS: &str = "/var/spool/postfix/connectord";

/// Where systems have their file of authorities: Debian, Fedora, openSUSE.
const AUTHORITIES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem"];

pub(super) fn examined(options: &Options, agreed: &Agreed<'_>) -> Result<Examined, Failure> {
    // The commands may be run elsewhere.
    let config_directory = options.config_dir.as_deref().map(config::absolute);
    let postfix = postconf::settings(config_directory.as_deref())?;
    let version = postfix.version().map_err(postconf::Error::from)?.to_owned();
    let [socketmap, policy] =
        [ListenProtocol::Socketmap, ListenProtocol::Policy].map(|protocol| agreed.sockets(protocol, SOCKETS));
    let findings = examine(&Patient {
        settings: &postfix,
        agreements: agreed.agreements,
        socketmap: &socketmap,
        policy: &policy,
        authorities: AUTHORITIES.map(Path::new).into_iter().find(|file| file.exists()),
        config_directory: config_directory.as_deref(),
    });
    Ok(Examined { mta: "postfix", name: "Postfix", version, findings })
}
