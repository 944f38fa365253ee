//! Asking postconf(1). It reads main.cf and master.cf as Postfix does, with the defaults of the version that is
//! installed, and changes nothing.

use std::path::Path;
use std::process::Command;

use super::settings::{Said, Settings, Unreadable};
use crate::mta::teller::{Silence, Teller};

static POSTCONF: Teller =
    Teller { name: "postconf", mta: "Postfix", look: "`postconf -x` says, with -c for another directory" };

/// What master(8) tells an smtpd(8) when as many are busy as there may be (STRESS_README).
const STRESS: &str = "stress=yes";

/// Why the settings are not known.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It said nothing.
    #[error(transparent)]
    Silent(#[from] Silence),
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
    let said = Said {
        main: &main,
        main_written: &main_written,
        services: &services,
        own: &own,
        own_written: &own_written,
    };
    let (main, own) = (ask(&["-x", "-o", STRESS])?, ask(&["-Px", "-o", STRESS])?);
    let stressed = Settings::parse(&Said { main: &main, own: &own, ..said })?;
    Ok(Settings::parse(&said)?.with_stressed(stressed))
}

fn output(config_directory: Option<&Path>, options: &[&str]) -> Result<String, Error> {
    let mut command = Command::new("postconf");
    if let Some(directory) = config_directory {
        command.arg("-c").arg(directory);
    }
    Ok(POSTCONF.ask(command.args(options))?)
}
