//! Where generations come from, as far as the server has to know.
//!
//! The server neither reads files nor knows how a configuration is written: it calls a
//! [`Loader`], which gives it a compiled snapshot or the problems to show. [`of_file`] is the one
//! of the daemon; tests hand in their own.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use crate::config::{self, Listen, Problems, ServerSettings};
use crate::load;
use crate::snapshot::Snapshot;

/// Loads the configuration as the generation of the given number. It is called on one thread
/// only, which may block.
pub type Loader = Box<dyn FnMut(u64) -> Result<Loaded, Failure> + Send>;

/// The loader of a configuration file and what it includes.
pub fn of_file(path: PathBuf) -> Loader {
    Box::new(move |generation| match load::load(&path, generation, Timestamp::now()) {
        Ok(ready) => Ok(Loaded {
            snapshot: ready.snapshot,
            settings: ready.server,
            listen: ready.listen,
            warnings: ready.warnings.iter().map(Problem::from).collect(),
        }),
        Err(problems) => Err(Failure::from(problems)),
    })
}

/// A configuration that can be served.
pub struct Loaded {
    /// What answers are made from.
    pub snapshot: Arc<Snapshot>,
    /// The daemon's own settings.
    pub settings: ServerSettings,
    /// The sockets, the one of the control protocol among them.
    pub listen: Vec<Listen>,
    /// What does not stand in the way, but should be looked at.
    pub warnings: Vec<Problem>,
}

/// A problem and its place, as the interface gives it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The file as the operator named it, or as an include pattern found it; empty when it is
    /// about none.
    pub file: String,
    /// From 1; 0 when it is about the file as a whole.
    pub line: usize,
    /// In characters, from 1; 0 when it is about the file as a whole.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What to do; may be empty.
    pub help: String,
}

/// Why nothing was loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Each problem; never empty.
    pub problems: Vec<Problem>,
    /// All of them as they are shown to the operator, with lines and carets.
    pub text: String,
    /// What kind of exit code a start asks for.
    pub cause: Cause,
}

/// What stood in the way, as far as exit codes tell it apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The main file does not exist.
    MissingFile,
    /// The main file may not be read.
    Permission,
    /// The configuration has problems.
    Configuration,
    /// A defect of ours, or of the system.
    Internal,
}

impl From<&config::Problem> for Problem {
    fn from(problem: &config::Problem) -> Problem {
        Problem {
            file: problem.file.to_string(),
            line: problem.line,
            column: problem.column,
            message: problem.message.clone(),
            help: problem.help.clone(),
        }
    }
}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Failure {
        let cause = match problems.cause() {
            config::Cause::MissingFile => Cause::MissingFile,
            config::Cause::Permission => Cause::Permission,
            config::Cause::Configuration => Cause::Configuration,
        };
        Failure { problems: problems.iter().map(Problem::from).collect(), text: problems.to_string(), cause }
    }
}

impl Failure {
    /// A failure that is about no file.
    pub fn internal(message: String, help: &str) -> Failure {
        let text = if help.is_empty() { message.clone() } else { format!("{message}\n    help: {help}") };
        let problem = Problem { message, help: help.to_owned(), ..Problem::default() };
        Failure { problems: vec![problem], text, cause: Cause::Internal }
    }
}
