//! What takes a TLS library, and the program that does it: `connectord-validate`, in the directory of this one.
//!
//! The daemon's program has no TLS library in it; see `src/main.rs`. The other one is of the same version, or
//! it does nothing: it would judge by other rules, and what it keeps is believed.

use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;

use super::{Exit, Failure, Output, Settings, prove, validate};

/// A command that takes a TLS library.
#[derive(Clone, Copy)]
pub enum Task<'t> {
    /// `validate`
    Validate(&'t validate::Options),
    /// `prove`
    Prove(&'t prove::Options),
}

/// How a program does it.
pub type Perform = fn(Task<'_>, &Settings, &mut Output) -> Result<Exit, Failure>;

/// Does it in this program.
///
/// # Errors
/// Those of the command.
pub fn perform(task: Task<'_>, settings: &Settings, out: &mut Output) -> Result<Exit, Failure> {
    match task {
        Task::Validate(options) => validate::run(options, settings, out),
        Task::Prove(options) => prove::run(options, settings, out),
    }
}

/// The program.
const NAME: &str = "connectord-validate";

/// By this variable it is told the version of who hands over.
const VARIABLE: &str = "CONNECTORD_VALIDATE_FOR";

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Becomes the program that has one, with the same arguments.
///
/// # Errors
/// It cannot be run.
pub fn hand_over(_: Task<'_>, _: &Settings, _: &mut Output) -> Result<Exit, Failure> {
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
pub(super) fn handed_over() -> Result<(), Failure> {
    match std::env::var_os(VARIABLE) {
        Some(version) if version == VERSION => Ok(()),
        Some(_) => Err(Failure::OtherVersion),
        None => Err(Failure::NotHandedOver),
    }
}
