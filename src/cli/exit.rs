//! How a command ends: the numbers, and the words for what went wrong.
//!
//! The numbers are an interface; scripts and unit files rely on them, and each stands for one
//! thing that an administrator would do next. A [`Failure`] is a command without a result: it is
//! told once, on stderr, by whoever called the command. A command with a result that is not good
//! (`check` with problems) returns its [`Exit`] and no failure.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::config::{self, Cause, Problems};
use crate::mta::exim::ask;
use crate::mta::exim::settings::Unreadable;
use crate::mta::postfix::postconf;
use crate::mta::program;
use crate::mta::teller::Silence;
use crate::server;
use crate::server::control::AskError;

/// The exit codes (sysexits.h where it has one). Scripts and unit files rely on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Good; warnings alone are good.
    Good,
    /// The thing checked is not good: `validate` fails, a reload was refused for weakening.
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
    /// Each of them, by its number.
    pub const ALL: [Exit; 9] = [
        Exit::Good,
        Exit::NotGood,
        Exit::Usage,
        Exit::NoInput,
        Exit::Unavailable,
        Exit::Internal,
        Exit::CannotCreate,
        Exit::Permission,
        Exit::Configuration,
    ];

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

    /// What it stands for, in the words of the manual.
    pub fn meaning(self) -> &'static str {
        match self {
            Exit::Good => "Good. Warnings alone are good.",
            Exit::NotGood => {
                "What was tested is not good: `validate` or `prove` fails, `doctor` finds more than advice, a reload was refused because it weakens a connector, `import` left something out, or `partner-kit` lacks something."
            }
            Exit::Usage => "The command line is wrong.",
            Exit::NoInput => "A file that was named is missing.",
            Exit::Unavailable => "No daemon answers at the control socket.",
            Exit::Internal => "Something that should not happen.",
            Exit::CannotCreate => "Another instance runs, or the path of a socket is taken.",
            Exit::Permission => "A permission is missing.",
            Exit::Configuration => "The configuration has problems.",
        }
    }

    /// The exit of that number; the internal error for one that the interface does not have.
    pub(super) fn with_code(code: u8) -> Exit {
        Exit::ALL.into_iter().find(|exit| exit.code() == code).unwrap_or(Exit::Internal)
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

/// All of them, for the help.
pub(super) fn table() -> String {
    let lines = Exit::ALL.iter().map(|exit| format!("  {:>2}  {}\n", exit.code(), exit.meaning()));
    format!("Exit status:\n{}", lines.collect::<String>())
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
    /// A file that an option names cannot be read.
    #[error("connectord: {option} {}: {error}", path.display())]
    OptionFile {
        /// The option.
        option: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The daemon could not start, or had to stop.
    #[error("{}", ended(.0))]
    Server(#[from] server::Error),
    /// The daemon gave no answer.
    #[error("connectord: {0}")]
    Daemon(#[from] AskError),
    /// What answered is no daemon of this interface.
    #[error("connectord: {}: what came back is no answer of a connectord daemon: {error}", path.display())]
    Answer {
        /// The control socket.
        path: PathBuf,
        /// What is wrong with it.
        error: serde_json::Error,
    },
    /// No runtime for the network.
    #[error("connectord: the system gives no resources for connections: {0}")]
    Runtime(io::Error),
    /// The program that validates cannot be run.
    #[error("connectord: {}: {error}; it belongs beside connectord: install both, of the same version", path.display())]
    HandOver {
        /// The program.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// It is of another version than who hands over.
    #[error(
        "connectord-validate: this is version {}, and connectord is another one: install both, of the same version",
        env!("CARGO_PKG_VERSION")
    )]
    OtherVersion,
    /// Nobody has handed over.
    #[error("connectord-validate: this is what `connectord validate` becomes: run that")]
    NotHandedOver,
    /// A run of `validate` could not begin. In words: its own error knows those of OpenSSL, which has no
    /// place in the daemon's program.
    #[error("connectord: {message}")]
    Ground {
        /// Why.
        message: String,
        /// Whether an option has to be another one.
        is_of_an_option: bool,
    },
    /// There is no proof. In words, as above.
    #[error("connectord: {message}")]
    Proof {
        /// Why.
        message: String,
        /// Whether it is for want of a permission.
        is_forbidden: bool,
    },
    /// The settings of Postfix are not known.
    #[error("connectord: {0}")]
    Postfix(#[from] postconf::Error),
    /// The settings of Exim are not known.
    #[error("connectord: {0}")]
    Exim(#[from] ask::Error),
    /// The main file includes no directory that a new file could go to.
    #[error(
        "connectord: {}: no directory for new files is included; add include = [\"connectors.d/*.toml\"], and create connectors.d",
        .0.display()
    )]
    NoDropIn(PathBuf),
    /// A question of `new` has no answer.
    #[error("connectord: the answers ended before the last question; nothing was written")]
    Unanswered,
    /// An option's value makes no sense.
    #[error("connectord: {0}")]
    Argument(String),
}

impl Failure {
    /// A connector that was named on the command line is none of these.
    pub(super) fn unknown_connector<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Failure {
        let help = config::nearest(name, known).map_or_else(
            || "`connectord list` shows them".to_owned(),
            |meant| format!("did you mean `{meant}`?"),
        );
        Failure::Argument(format!("no connector is named {name:?}; {help}"))
    }

    /// Whether it stands in the daemon's log, and so on standard error, already.
    pub(super) fn is_told(&self) -> bool {
        matches!(self, Failure::Server(server::Error::Logged(_)))
    }

    /// The exit code for it.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the system's errors are an open list")]
    pub fn exit(&self) -> Exit {
        match self {
            Failure::Output(_) => Exit::Internal,
            Failure::Configuration(problems) => Exit::of_problems(problems),
            Failure::File { error, .. } | Failure::OptionFile { error, .. } => match error.kind() {
                io::ErrorKind::NotFound => Exit::NoInput,
                io::ErrorKind::PermissionDenied => Exit::Permission,
                _ => Exit::Usage,
            },
            Failure::Server(error) => Exit::with_code(error.exit_code()),
            Failure::Daemon(error) => Exit::with_code(error.exit_code()),
            Failure::Answer { .. } => Exit::Unavailable,
            // readconf.c:print_config: what Exim says to whoever is no administrator of it.
            Failure::Exim(ask::Error::Silent(Silence { why: program::Error::Failed(said), .. }))
                if said.contains("permission denied") =>
            {
                Exit::Permission
            }
            Failure::Exim(ask::Error::NotRoot | ask::Error::Unreadable(Unreadable::Hidden)) => {
                Exit::Permission
            }
            Failure::Postfix(postconf::Error::Silent(silence))
            | Failure::Exim(ask::Error::Silent(silence)) => match silence.why {
                program::Error::Run(_) => Exit::Unavailable,
                program::Error::Failed(_) => Exit::NoInput,
                program::Error::Hangs | program::Error::Long => Exit::Internal,
            },
            Failure::Postfix(_) | Failure::Exim(_) => Exit::Internal,
            Failure::NoDropIn(_) => Exit::Configuration,
            Failure::Ground { is_of_an_option: true, .. }
            | Failure::Argument(_)
            | Failure::NotHandedOver
            | Failure::Unanswered => Exit::Usage,
            Failure::Proof { is_forbidden: true, .. } => Exit::Permission,
            Failure::HandOver { .. }
            | Failure::Proof { .. }
            | Failure::OtherVersion
            | Failure::Ground { .. }
            | Failure::Runtime(_) => Exit::Internal,
        }
    }
}

/// Problems begin with their place, as everywhere; the rest with who is speaking.
fn ended(error: &server::Error) -> String {
    if matches!(error, server::Error::Configuration(_)) {
        error.to_string()
    } else {
        format!("connectord: {error}")
    }
}
