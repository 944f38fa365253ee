//! How a command ends: the numbers, and the words for what went wrong.
//!
//! The numbers are an interface; scripts and unit files rely on them, and each stands for one
//! thing that an administrator would do next. A [`Failure`] is a command without a result: it is
//! told once, on stderr, by whoever called the command. A command with a result that is not good
//! (`check` with problems) returns its [`Exit`] and no failure.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::config::{Cause, Problems};

/// The exit codes (sysexits.h where it has one). Scripts and unit files rely on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Good; warnings alone are good.
    Good,
    /// The thing checked is not good: a reload was refused for weakening.
    NotGood,
    /// The command line is wrong.
    Usage,
    /// A named file is missing.
    NoInput,
    /// No daemon at the control socket.
    Unavailable,
    /// Something that should not happen.
    Internal,
    /// Another instance runs, or the path of a socket is taken.
    CannotCreate,
    /// Permission is missing.
    Permission,
    /// The configuration has problems.
    Configuration,
}

impl Exit {
    /// The number.
    pub fn code(self) -> u8 {
        match self {
            Exit::Good => 0,
            Exit::NotGood => 1,
            Exit::Usage => 64,
            Exit::NoInput => 66,
            Exit::Unavailable => 69,
            Exit::Internal => 70,
            Exit::CannotCreate => 73,
            Exit::Permission => 77,
            Exit::Configuration => 78,
        }
    }

    /// For a configuration with problems.
    pub(super) fn of_problems(problems: &Problems) -> Exit {
        match problems.cause() {
            Cause::MissingFile => Exit::NoInput,
            Cause::Permission => Exit::Permission,
            Cause::Configuration => Exit::Configuration,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        exit.code().into()
    }
}

/// Why a command has no result.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The result could not be written.
    #[error("connectord: the output cannot be written: {0}")]
    Output(#[from] io::Error),
    /// The configuration has problems.
    #[error("{0}")]
    Configuration(Problems),
    /// A file of the command line cannot be read.
    #[error("connectord: {}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The daemon does not answer.
    #[error("connectord: {}: {}", path.display(), unanswered(error))]
    Daemon {
        /// The control socket.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// An option's value makes no sense.
    #[error("connectord: {0}")]
    Argument(String),
}

impl Failure {
    /// The exit code for it.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the system's errors are an open list")]
    pub fn exit(&self) -> Exit {
        match self {
            Failure::Output(_) => Exit::Internal,
            Failure::Configuration(problems) => Exit::of_problems(problems),
            Failure::File { error, .. } => match error.kind() {
                io::ErrorKind::NotFound => Exit::NoInput,
                io::ErrorKind::PermissionDenied => Exit::Permission,
                _ => Exit::Usage,
            },
            Failure::Daemon { error, .. } => match error.kind() {
                io::ErrorKind::PermissionDenied => Exit::Permission,
                _ => Exit::Unavailable,
            },
            Failure::Argument(_) => Exit::Usage,
        }
    }
}

/// Why no answer came, and what to do.
#[expect(clippy::wildcard_enum_match_arm, reason = "the system's errors are an open list")]
fn unanswered(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
            "no daemon listens here; start it with `connectord serve`, or name its --config and --runtime-dir"
                .to_owned()
        }
        io::ErrorKind::PermissionDenied => {
            "permission denied; ask as the user that the daemon runs as, or as root".to_owned()
        }
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
            "the daemon does not answer in time; is it stopped?".to_owned()
        }
        io::ErrorKind::UnexpectedEof => {
            "the daemon closed the connection before its answer was whole; its log says more".to_owned()
        }
        _ => format!("no answer from the daemon: {error}"),
    }
}
