//! Programs that a proof starts: with nothing of the environment that it was called in, and found where the system has
//! them.

use std::process::{Command, Stdio};

/// Where programs of the system are (hier(7)).
const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

/// A program that reads nothing.
pub fn program(name: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(name);
    command.env_clear().env("PATH", PATH).env("LC_ALL", "C").stdin(Stdio::null());
    command
}
