//! Another program that does it: `connectord-validate`, in the directory of this one.
//!
//! The daemon's program has no TLS library in it; see `src/main.rs`.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;

use super::Options;
use crate::cli::{Exit, Failure, Output, Settings};

/// The program.
const NAME: &str = "connectord-validate";

/// Becomes the program that validates, with the same arguments.
///
/// # Errors
/// It cannot be run.
pub fn beside(_: &Options, _: &Settings, _: &mut Output) -> Result<Exit, Failure> {
    let failure = |path, error| Failure::Beside { path, error };
    let own = std::env::current_exe().map_err(|error| failure(PathBuf::from(NAME), error))?;
    let path = own.with_file_name(NAME);
    let error: io::Error = Command::new(&path).args(std::env::args_os().skip(1)).exec();
    Err(failure(path, error))
}
