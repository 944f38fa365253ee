//! Another program that does it: `connectord-validate`, in the directory of this one.
//!
//! The daemon's program has no TLS library in it; see `src/main.rs`. The other one is of the same version, or
//! it does nothing: it would judge by other rules, and what it keeps is believed.

use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;

use super::Options;
use crate::cli::{Exit, Failure, Output, Settings};

/// The program.
const NAME: &str = "connectord-validate";

/// By this variable it is told the version of who hands over.
const VARIABLE: &str = "CONNECTORD_VALIDATE_FOR";

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Becomes the program that validates, with the same arguments.
///
/// # Errors
/// It cannot be run.
pub fn hand_over(_: &Options, _: &Settings, _: &mut Output) -> Result<Exit, Failure> {
    let failure = |path, error| Failure::HandOver { path, error };
    let own = std::env::current_exe().map_err(|error| failure(PathBuf::from(NAME), error))?;
    let path = own.with_file_name(NAME);
    let error = Command::new(&path).args(std::env::args_os().skip(1)).env(VARIABLE, VERSION).exec();
    Err(failure(path, error))
}

/// Whether this process was handed what it does by a program of its own version.
///
/// # Errors
/// By another one, or by none.
pub(in crate::cli) fn handed_over() -> Result<(), Failure> {
    match std::env::var_os(VARIABLE) {
        Some(version) if version == VERSION => Ok(()),
        Some(_) => Err(Failure::OtherVersion),
        None => Err(Failure::NotHandedOver),
    }
}
