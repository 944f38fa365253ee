//! Asking Exim for its configuration. It reads that as it would before a delivery, with the defaults of the version
//! that is installed, and changes nothing.

use std::io;
use std::path::Path;
use std::process::Command;

use nix::unistd::geteuid;

use super::settings::{Said, Settings, Unreadable};
use crate::mta::program;
use crate::mta::teller::{Silence, Teller};

/// What the program is called: Debian, everybody else.
const NAMES: [&str; 2] = ["exim4", "exim"];

static EXIM: Teller = Teller { name: "exim", mta: "Exim", look: "`exim -bV` says, with -C for another file" };

/// Why the settings are not known.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It said nothing.
    #[error(transparent)]
    Silent(#[from] Silence),
    /// For whoever is not root, Exim gives up its privileges with -C, and another file may be all that it can read.
    #[error("--config-file is for root: Exim gives up its privileges when anybody else names a file")]
    NotRoot,
    /// It said something else than settings.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
}

/// The settings in this file, which others may be included in; in the one that Exim uses without.
///
/// # Errors
/// Exim is not there, fails, hangs, hides something, or says what nobody expects.
pub fn settings(config_file: Option<&Path>) -> Result<Settings, Error> {
    if config_file.is_some() && !geteuid().is_root() {
        return Err(Error::NotRoot);
    }
    let [debian, other] = NAMES;
    let is_missing = |error: &Error| {
        let Error::Silent(Silence { why: program::Error::Run(error), .. }) = error else { return false };
        error.kind() == io::ErrorKind::NotFound
    };
    match read(debian, config_file) {
        Err(error) if is_missing(&error) => read(other, config_file),
        read => read,
    }
}

fn read(name: &str, config_file: Option<&Path>) -> Result<Settings, Error> {
    let ask = |options: &[&str]| {
        let mut command = Command::new(name);
        if let Some(file) = config_file {
            command.arg("-C").arg(file);
        }
        EXIM.ask(command.args(options))
    };
    let version = ask(&["-bV"])?;
    let (main, config) = (ask(&["-bP"])?, ask(&["-bP", "config"])?);
    let (routers, transports) = (ask(&["-bP", "routers"])?, ask(&["-bP", "transports"])?);
    Ok(Settings::parse(&Said {
        version: &version,
        main: &main,
        routers: &routers,
        transports: &transports,
        config: &config,
    })?)
}
