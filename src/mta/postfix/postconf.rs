//! Asking postconf(1). It reads main.cf and master.cf as Postfix does, with the defaults of the version that is
//! installed, and changes nothing.

use std::io;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::program::{self, Bounds, Ended, Failed};
use super::settings::{Said, Settings, Unreadable};

/// More than any installation has; what comes after it is not read.
const LIMIT: u64 = 4 << 20;

/// A hundred times what it takes. Tables that main.cf names are not opened by postconf.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why the settings are not known.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be run.
    #[error("postconf: {0}; is Postfix installed, and /usr/sbin in PATH?")]
    Run(io::Error),
    /// It failed.
    #[error(
        "postconf: {}; see what `postconf -x` says, with -c for another directory",
        said.strip_prefix("postconf: ").unwrap_or(said).escape_debug()
    )]
    Failed {
        /// What it said.
        said: String,
    },
    /// It did not end.
    #[error("postconf has not ended after {} s", PATIENCE.as_secs())]
    Hangs,
    /// It says more than anybody has to say.
    #[error("postconf says more than {LIMIT} octets")]
    Long,
    /// It said something else than settings.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
}

/// The settings of the instance with this directory; of the default one without.
///
/// # Errors
/// postconf(1) fails, hangs, or says what nobody expects.
pub fn settings(config_directory: Option<&Path>) -> Result<Settings, Error> {
    let ask = |options: &[&str]| output(config_directory, options);
    let (main, main_written, services) = (ask(&["-x"])?, ask(&[])?, ask(&["-M"])?);
    let (own, own_written) = (ask(&["-Px"])?, ask(&["-P"])?);
    Ok(Settings::parse(&Said {
        main: &main,
        main_written: &main_written,
        services: &services,
        own: &own,
        own_written: &own_written,
    })?)
}

fn output(config_directory: Option<&Path>, options: &[&str]) -> Result<String, Error> {
    let mut command = Command::new("postconf");
    if let Some(directory) = config_directory {
        command.arg("-c").arg(directory);
    }
    command.args(options);
    let bounds = Bounds { patience: PATIENCE, octets: LIMIT };
    let Ended { code, out, error } = program::run(command, Vec::new(), bounds)?;
    if code == Some(0) {
        return Ok(out);
    }
    Err(Error::Failed { said: error.lines().take(5).collect::<Vec<_>>().join(" ") })
}

impl From<Failed> for Error {
    fn from(failed: Failed) -> Error {
        match failed {
            Failed::Run(error) => Error::Run(error),
            Failed::Hangs => Error::Hangs,
            Failed::Long => Error::Long,
        }
    }
}
