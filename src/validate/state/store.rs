//! Reading what was kept, and keeping.

use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::key::{Key, NoKey};
use super::record::{EncodeError, LIMIT, Record, Unusable, file_name};
use super::validation::Validation;
use crate::state_directory::{Directory, Unreadable};

/// The directory below the state directory.
const NAME: &str = "validation";

/// The kept results, for reading. It opens always: what is wrong is said of each connector.
#[derive(Debug)]
pub struct Store {
    directory: io::Result<Option<Directory>>,
    key: Result<Key, NoKey>,
}

/// The kept results, for writing.
#[derive(Debug)]
pub struct Keeper {
    path: PathBuf,
    directory: Directory,
    key: Key,
}

/// Why a result could not be kept.
#[derive(Debug, thiserror::Error)]
#[error("{}: {what} cannot be kept: {reason}", path.display())]
pub struct KeepError {
    path: PathBuf,
    what: String,
    reason: String,
}

impl Store {
    /// Opens the results under a state directory.
    pub fn open(state_directory: &Path) -> Store {
        let opened = Directory::open(state_directory);
        let directory = opened.and_then(|state| match state {
            Some(state) => state.below(NAME),
            None => Ok(None),
        });
        let key = match &directory {
            Ok(Some(directory)) => Key::read(directory),
            Ok(None) | Err(_) => Err(NoKey::Absent),
        };
        Store { directory, key }
    }

    /// Whether results may be there and this user may read none: not the directory, or not the key.
    pub fn is_forbidden(&self) -> bool {
        let denied = |error: &io::Error| error.kind() == io::ErrorKind::PermissionDenied;
        match (&self.directory, &self.key) {
            (Err(error), _) => denied(error),
            (Ok(_), Err(NoKey::Unreadable(Unreadable::System(error)))) => denied(error),
            (Ok(_), _) => false,
        }
    }

    /// What is kept of a connector; `None` when nothing is.
    ///
    /// # Errors
    /// [`Unusable`] when something is there that counts for nothing.
    pub fn kept(&self, connector: &str) -> Result<Option<Record>, Unusable> {
        let directory = match &self.directory {
            Ok(Some(directory)) => directory,
            Ok(None) => return Ok(None),
            Err(error) => return Err(Unusable::Closed(error.to_string())),
        };
        let Some(found) = directory.read(&file_name(connector), LIMIT)? else {
            return Ok(None);
        };
        let key = self.key.as_ref().map_err(|error| Unusable::NoKey(error.to_string()))?;
        Record::decode(&found.bytes, connector, key).map(Some)
    }

    /// Whether a connector with these settings is validated now.
    pub fn validation(&self, connector: &str, settings: &str, now: Timestamp) -> Validation {
        match self.kept(connector) {
            Ok(None) => Validation::Never,
            Ok(Some(record)) => Validation::of(&record, settings, now),
            Err(unusable) => Validation::Unusable { why: unusable.to_string() },
        }
    }
}

impl Keeper {
    /// Opens the results under a state directory, and makes what is missing.
    ///
    /// # Errors
    /// What the system says, or why there is no key.
    pub fn open(state_directory: &Path) -> Result<Keeper, KeepError> {
        let failed = |reason: String| KeepError {
            path: state_directory.to_owned(),
            what: "results".to_owned(),
            reason,
        };
        let state = Directory::create(state_directory);
        let directory =
            state.and_then(|state| state.make_below(NAME)).map_err(|error| failed(error.to_string()))?;
        let key = Key::read_or_make(&directory).map_err(|error| failed(error.to_string()))?;
        Ok(Keeper { path: state_directory.to_owned(), directory, key })
    }

    /// Keeps a result in the place of the connector's last one.
    ///
    /// # Errors
    /// [`KeepError`]; then nothing is kept of the connector: an older result would say what is no
    /// longer known.
    pub fn keep(&self, record: &Record) -> Result<(), KeepError> {
        let name = file_name(&record.connector);
        self.write(&name, record).map_err(|reason| {
            // Best effort: the error is what matters.
            let _ = self.directory.remove(&name);
            let what = format!("the result of {}", record.connector);
            KeepError { path: self.path.clone(), what, reason }
        })
    }

    fn write(&self, name: &str, record: &Record) -> Result<(), String> {
        let bytes = record.encode(&self.key).map_err(|error: EncodeError| error.to_string())?;
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > LIMIT {
            return Err(format!("it has {} bytes; {LIMIT} is the most", bytes.len()));
        }
        self.directory.replace(name, &bytes).map_err(|error| error.to_string())
    }
}
