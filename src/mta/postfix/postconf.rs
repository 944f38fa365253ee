//! Asking postconf(1). It reads main.cf and master.cf as Postfix does, with the defaults of the version that is
//! installed, and changes nothing.

use std::io;
use std::path::Path;
use std::process::Command;

use super::settings::{Said, Settings, Unreadable};
use crate::mta::program::{self, LIMIT, PATIENCE};

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
    Ok(program::output(command.args(options))?)
}

impl From<program::Error> for Error {
    fn from(error: program::Error) -> Error {
        match error {
            program::Error::Run(error) => Error::Run(error),
            program::Error::Failed(said) => Error::Failed { said },
            program::Error::Hangs => Error::Hangs,
            program::Error::Long => Error::Long,
        }
    }
}
