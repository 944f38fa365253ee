//! From the files to a snapshot: what `check`, `serve`, `explain` and every reload do alike, and a
//! start from the last good configuration with files of then.
//!
//! It returns everything that is needed to go on with the configuration, or every problem that
//! stands in the way: those of the files and, between the connectors that are sound in
//! themselves, their contradictions. It changes nothing and logs nothing; what is done with the
//! result is the caller's part.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::config::{
    self, Archive, Files, Listen, ListenProtocol, Loaded, Planned, Problems, ServerSettings,
};
use crate::model::{Agreements, Organisation};
use crate::snapshot::{self, Snapshot};

/// A configuration that can be served.
pub struct Ready {
    /// What answers are made from.
    pub snapshot: Arc<Snapshot>,
    /// How the daemon behaves.
    pub server: ServerSettings,
    /// The sockets; a control socket is always among them.
    pub listen: Vec<Listen>,
    /// Who we are.
    pub organisation: Organisation,
    /// What the operator should know.
    pub warnings: Problems,
    /// What it was made of; as large as that.
    pub files: Files,
}

impl fmt::Debug for Ready {
    /// Which configuration it is; all of it would fill a screen.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ready")
            .field("generation", &self.snapshot.generation())
            .field("sha256", &self.snapshot.sha256())
            .finish_non_exhaustive()
    }
}

/// What a configuration came to, whether it can be served or not.
#[derive(Debug)]
pub struct Checked {
    /// What it came to.
    pub result: Result<Ready, Problems>,
    /// What the operator should know in either case.
    pub warnings: Problems,
    /// The connectors as written, those with which nothing is wrong.
    pub agreements: Agreements,
}

/// Loads a configuration as this generation. `now` is what certificates are judged by.
///
/// # Errors
/// Every problem of every file, in the order of the files.
pub fn load(path: &Path, generation: u64, now: Timestamp) -> Result<Ready, Problems> {
    check(path, generation, now).result
}

/// As [`load`], with the warnings of a configuration that has problems too.
pub fn check(path: &Path, generation: u64, now: Timestamp) -> Checked {
    compile(config::read(path, now, None), generation)
}

/// As [`check`], with a file that is not there yet.
pub fn check_planned(path: &Path, generation: u64, now: Timestamp, planned: Planned) -> Checked {
    compile(config::read_planned(path, now, planned), generation)
}

/// As [`load`], for a time when somebody may be at work on the files: those written less than a
/// second ago are read again once they are older, and refused if they changed. `pause` is called
/// at most once, with a second at most, and is to wait so long.
///
/// # Errors
/// As [`load`].
pub fn load_settled(
    path: &Path,
    generation: u64,
    now: Timestamp,
    pause: &mut dyn FnMut(Duration),
) -> Result<Ready, Problems> {
    compile(config::read(path, now, Some(pause)), generation).result
}

/// Why an archive is not what it was.
#[derive(Debug, thiserror::Error)]
pub enum NotAsKept {
    /// This version of connectord, or of a library, sees problems in it.
    #[error("it has problems for this version of connectord: {}", first(.0))]
    Problems(Problems),
    /// Reading it gave another configuration than was put in.
    #[error("it does not come to the configuration that was kept")]
    Other,
}

fn first(problems: &Problems) -> String {
    problems.iter().next().map(ToString::to_string).unwrap_or_default()
}

/// Loads the configuration of an archive as this generation: what [`load`] made of its files then.
///
/// # Errors
/// When it comes to anything else.
pub fn load_archive(archive: Archive, generation: u64) -> Result<Ready, NotAsKept> {
    let expected = archive.head().sha256().to_owned();
    let ready = compile(config::read_archive(archive), generation).result.map_err(NotAsKept::Problems)?;
    if ready.snapshot.sha256() == expected { Ok(ready) } else { Err(NotAsKept::Other) }
}

fn compile((loaded, mut problems): (Loaded, Problems), generation: u64) -> Checked {
    let compiled = snapshot::compile(&loaded.agreements, generation, loaded.sha256.clone());
    if let Err(conflicts) = &compiled {
        problems.extend(loaded.locate(conflicts));
    }
    let mut warnings = loaded.warnings.clone();
    let listens = |protocol| loaded.listen.iter().any(|listener| listener.protocol == protocol);
    if let Ok(snapshot) = &compiled
        && listens(ListenProtocol::Exim)
    {
        let mut told = snapshot.exim_gaps();
        // Without any [[listen]] there are the sockets of both, and which of them asks is not known.
        if !listens(ListenProtocol::Socketmap) {
            told.extend(snapshot.exim_takes_every_way());
        }
        warnings.extend(loaded.locate(&told));
        warnings.sort();
    }
    let result = match compiled {
        Ok(snapshot) if problems.is_empty() => Ok(Ready {
            snapshot: Arc::new(snapshot),
            server: loaded.server,
            listen: loaded.listen,
            organisation: loaded.organisation,
            warnings: warnings.clone(),
            files: loaded.files,
        }),
        Ok(_) | Err(_) => Err(problems),
    };
    Checked { result, warnings, agreements: loaded.agreements }
}
