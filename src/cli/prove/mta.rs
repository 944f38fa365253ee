//! Which MTA is tried: the one that is named, or else the one that is there.

use std::env;
use std::path::Path;

use clap::ValueEnum;

use super::Options;
use crate::cli::Failure;
use crate::config;
use crate::mta::exim::ask;
use crate::mta::postfix::postconf;
use crate::prove::mta::Mta;
use crate::prove::mta::exim::Exim;
use crate::prove::mta::postfix::Postfix;
use crate::prove::program::PATH;

/// The MTAs that can be tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Kind {
    /// Postfix
    Postfix,
    /// Exim, with the configuration that it uses without being told of one
    Exim,
}

/// Programs by which it is seen that one is there.
const POSTFIX: [&str; 1] = ["postconf"];
const EXIM: [&str; 2] = ["exim4", "exim"];

/// The MTA, with its settings.
pub(super) fn asked(options: &Options) -> Result<Box<dyn Mta>, Failure> {
    let directory = options.config_dir.as_deref().map(config::absolute);
    let kind = match (options.mta, is_there(&POSTFIX), is_there(&EXIM)) {
        (Some(Kind::Exim), _, _) if directory.is_some() => {
            return Err(Failure::Argument("--config-dir is for Postfix".to_owned()));
        }
        (Some(kind), _, _) => kind,
        (None, _, _) if directory.is_some() => Kind::Postfix,
        (None, true, true) => {
            let message = "Postfix and Exim are both here: name one, with --mta";
            return Err(Failure::Argument(message.to_owned()));
        }
        (None, true, false) => Kind::Postfix,
        (None, false, true) => Kind::Exim,
        (None, false, false) => {
            let message = format!("neither Postfix nor Exim is in PATH or {PATH}: name one, with --mta");
            return Err(Failure::Argument(message));
        }
    };
    match kind {
        Kind::Postfix => {
            let settings = postconf::settings(directory.as_deref())?;
            Ok(Box::new(Postfix::new(settings, directory).map_err(postconf::Error::from)?))
        }
        Kind::Exim => Ok(Box::new(Exim::new(ask::settings(None)?))),
    }
}

/// Whether one is found, or would be where the system has programs: an MTA that PATH does not lead to is one too.
fn is_there(programs: &[&str]) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    let is_in = |directory: &Path| programs.iter().any(|program| directory.join(program).is_file());
    env::split_paths(&path).chain(env::split_paths(PATH)).any(|directory| is_in(&directory))
}
