//! Asking the running daemon over its control socket.
//!
//! One line goes there and one JSON object comes back. What is not a whole object with the keys of
//! the interface is no answer: the daemon was killed in the middle, or somebody else listens. The
//! daemon is waited for, but not for ever.
//!
//! The socket is `control.sock` in the runtime directory unless the configuration names another
//! one. The configuration is only glanced at for that: it may be the very file with the mistakes
//! that the daemon is asked about.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use toml::de::{DeTable, DeValue};

use super::{Failure, Settings};
use crate::protocol::exposition::END;
use crate::server::control::{self, AskError, Command};

/// The control socket when the configuration names no other one.
const SOCKET: &str = "control.sock";

/// Configuration files above this are not looked through for the path of the socket (interface:
/// limit of a TOML file).
const CONFIG_LIMIT: u64 = 16 << 20;

/// An answer: the line as it came, and what it says.
#[derive(Debug)]
pub(super) struct Answer<T> {
    /// One JSON object, without the line feed.
    pub line: String,
    /// The same, read.
    pub value: T,
}

/// Asks, and reads what the daemon answers.
pub(super) fn ask<T: DeserializeOwned>(settings: &Settings, command: Command) -> Result<Answer<T>, Failure> {
    let path = socket(settings);
    let line = control::ask(&path, command)?;
    match serde_json::from_str(&line) {
        Ok(value) => Ok(Answer { line, value }),
        Err(error) => Err(Failure::Answer { path, error }),
    }
}

/// Asks for the daemon's metrics, and returns them whole.
pub(super) fn metrics(settings: &Settings) -> Result<String, Failure> {
    let path = socket(settings);
    let text = format!("{}\n", control::ask(&path, Command::Metrics)?);
    if text.ends_with(&format!("\n{END}")) { Ok(text) } else { Err(AskError::NoAnswer(path).into()) }
}

/// The socket that the daemon listens on, as far as can be known: a configuration that cannot be
/// read, or has problems, must not keep anybody from asking the daemon about them.
fn socket(settings: &Settings) -> PathBuf {
    let named = named_in(&settings.config).unwrap_or_else(|| PathBuf::from(SOCKET));
    settings.runtime_dir().join(named)
}

fn named_in(config: &Path) -> Option<PathBuf> {
    let metadata = std::fs::metadata(config).ok()?;
    if !metadata.is_file() || metadata.len() > CONFIG_LIMIT {
        return None;
    }
    let text = std::fs::read_to_string(config).ok()?;
    // What can be read of a file with mistakes in it is read all the same.
    let (table, _) = DeTable::parse_recoverable(text.trim_start_matches('\u{feff}'));
    let listeners = table.get_ref().get("listen")?.get_ref().as_array()?;
    let text = |value: &'_ DeValue<'_>, key: &str| value.get(key)?.get_ref().as_str().map(str::to_owned);
    let control =
        listeners.iter().find(|listen| text(listen.get_ref(), "protocol").as_deref() == Some("control"))?;
    text(control.get_ref(), "path").map(PathBuf::from)
}
