//! Where generations come from, as far as the server has to know.
//!
//! The server neither reads files nor knows how a configuration is written: it calls a
//! [`Loader`], which gives it a compiled snapshot or the problems to show. [`of_file`] is the one
//! of the daemon; tests hand in their own.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use crate::config::{self, Archive, Files, Head, Listen, Problems, ServerSettings};
use crate::load::{self, NotAsKept, Ready};
use crate::snapshot::Snapshot;

/// Loads the configuration as the generation of the given number. It is called on one thread
/// only, which may block.
pub type Loader = Box<dyn FnMut(u64) -> Result<Loaded, Failure> + Send>;

/// The loader of a configuration file and what it includes.
///
/// A reload takes up to a second longer when a file was written less than a second ago, and fails
/// if it changes in that time. The first generation is loaded at once: nothing would be answered
/// meanwhile.
pub fn of_file(path: PathBuf) -> Loader {
    pausing(path, std::thread::sleep)
}

fn pausing(path: PathBuf, mut pause: impl FnMut(Duration) + Send + 'static) -> Loader {
    Box::new(move |generation| {
        let now = Timestamp::now();
        let ready = match generation {
            0 | 1 => load::load(&path, generation, now)?,
            _ => load::load_settled(&path, generation, now, &mut pause)?,
        };
        Ok(Loaded::from(ready))
    })
}

/// Loads an archive of a configuration as this generation.
pub(super) fn of_archive(archive: Archive, generation: u64) -> Result<Loaded, NotAsKept> {
    let ready = load::load_archive(archive, generation)?;
    // What comes from an archive is archived.
    Ok(Loaded { files: None, ..Loaded::from(ready) })
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
    /// What it was made of, to be kept for another start; as large as that.
    pub files: Option<Files>,
}

impl Loaded {
    /// Whether it was made of the configuration that a head is of.
    pub(super) fn is_of_the_same(&self, head: &Head) -> bool {
        self.files.as_ref().is_some_and(|files| files.head().is_of_the_same(head))
    }
}

impl From<Ready> for Loaded {
    fn from(ready: Ready) -> Loaded {
        Loaded {
            snapshot: ready.snapshot,
            settings: ready.server,
            listen: ready.listen,
            warnings: ready.warnings.iter().map(Problem::from).collect(),
            files: Some(ready.files),
        }
    }
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

impl fmt::Display for Problem {
    /// In one line, without what to do.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem { file, message, .. } if file.is_empty() => write!(f, "{message}"),
            Problem { file, line: 0, message, .. } => write!(f, "{file}: {message}"),
            Problem { file, line, column, message, .. } => write!(f, "{file}:{line}:{column}: {message}"),
        }
    }
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

    /// Loading panicked, which was logged where it happened.
    pub(super) fn panicked() -> Failure {
        Failure::internal("internal error while loading".to_owned(), "the log says where; please report it")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs::{self, File, Permissions};
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::SystemTime;

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);
    const LIST: &str = "a.example\nb.example\n";

    fn write(path: &Path, text: &str, modified: SystemTime) {
        fs::write(path, text).unwrap();
        fs::set_permissions(path, Permissions::from_mode(0o644)).unwrap();
        File::options().write(true).open(path).unwrap().set_modified(modified).unwrap();
    }

    /// Loads this generation of a configuration with a list that was written then and is another
    /// one after a pause: the number of pauses, and what came of it.
    fn loaded(generation: u64, modified: SystemTime, later: &'static str) -> (usize, Result<(), String>) {
        let directory = tempfile::tempdir().unwrap();
        fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
        let (main, list) = (directory.path().join("connectord.toml"), directory.path().join("list"));
        let old = SystemTime::now() - HOUR;
        let text = "version = 1\n[[outbound]]\nname = \"a\"\nmode = \"enforce\"\ntls = \"encrypt\"\ndomains_file = \"list\"\n";
        write(&main, text, old);
        write(&list, LIST, modified);
        let pauses = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&pauses);
        let mut loader = pausing(main, move |rest| {
            assert!(rest <= Duration::from_secs(1), "{rest:?}");
            counted.fetch_add(1, Ordering::Relaxed);
            write(&list, later, old);
        });
        let result = loader(generation).map(drop).map_err(|failure| failure.text);
        (pauses.load(Ordering::Relaxed), result)
    }

    #[test]
    fn r4_a_reload_looks_again_at_what_was_just_written() {
        let (now, old) = (SystemTime::now(), SystemTime::now() - HOUR);
        // By another host's clock it was written just now, and stays so however slow this one is.
        let young = now + HOUR;
        assert_eq!(loaded(2, young, LIST), (1, Ok(())));
        let (pauses, result) = loaded(2, young, "a.example\nb.example\nc.example\n");
        let text = result.unwrap_err();
        assert_eq!(pauses, 1);
        assert!(
            text.contains(":6:16: `") && text.contains("list`: the file changed while it was read\n"),
            "{text}"
        );
        assert_eq!(loaded(2, old, ""), (0, Ok(())));
        assert_eq!(loaded(1, young, ""), (0, Ok(())));
    }
}
