//! The control socket: `status`, `metrics` and `reload`, asked by `connectord` itself.
//!
//! One command, one JSON object on one line or the text of [`metrics`](super::metrics), and the connection ends. It has seats of its own, so
//! that it answers when the MTA's connections have all of theirs. [`ask`] is the other end.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::exchange::{Answer, Dialect};
use super::metrics::Scribe;
use super::status::Sources;
use crate::config::ListenProtocol;
use crate::protocol;
use crate::protocol::control;

pub use crate::protocol::control::Command;

/// Connections to the control socket at a time. Ours; more wait.
pub(super) const SEATS: usize = 8;

/// How long [`ask`] waits for an answer: a reload of the largest configuration on a slow disk.
const PATIENCE: Duration = Duration::from_secs(120);

/// The longest answer that is read. A status has a few hundred bytes for each connector.
const MAX_ANSWER: u64 = 256 * 1024 * 1024;

/// Obeys commands.
pub(super) struct Control {
    pub(super) sources: Arc<Sources>,
    pub(super) scribe: Arc<Scribe>,
}

impl Dialect for Control {
    const PROTOCOL: ListenProtocol = ListenProtocol::Control;
    const SINGLE: bool = true;
    const LIMIT: usize = control::LINE_LIMIT;

    fn answer(&self, input: &[u8], output: &mut Vec<u8>) -> Result<Answer, protocol::Error> {
        let Some((command, consumed)) = control::decode(input)? else {
            return Ok(Answer::More);
        };
        Ok(match command {
            Command::Status => {
                output.extend(line_of(&self.sources.status()));
                Answer::Done(consumed)
            }
            Command::Metrics => {
                let text = self.scribe.text(&self.sources);
                let reply = async { text.await.map(|text| text.as_bytes().to_vec()).unwrap_or_default() };
                Answer::Later(consumed, Box::pin(reply))
            }
            Command::Reload { accept_weaker } => {
                let reloads = Arc::clone(&self.sources.reloads);
                let reply = async move {
                    // Stopping: no answer is the answer.
                    reloads.command(accept_weaker).await.map(|outcome| line_of(&outcome)).unwrap_or_default()
                };
                Answer::Later(consumed, Box::pin(reply))
            }
        })
    }
}

/// A JSON object on one line; nothing if it cannot be written.
fn line_of(answer: &impl Serialize) -> Vec<u8> {
    match serde_json::to_vec(answer) {
        Ok(mut line) => {
            line.push(b'\n');
            line
        }
        Err(error) => {
            tracing::error!(%error, "control_answer_failed");
            Vec::new()
        }
    }
}

/// Why a daemon gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Nobody listens.
    #[error("{}: no daemon listens there; is connectord running?", .0.display())]
    NoDaemon(PathBuf),
    /// We may not ask.
    #[error("{}: permission denied; ask as root, or as the user that connectord runs as", .0.display())]
    Permission(PathBuf),
    /// The daemon closed without an answer.
    #[error("{}: the daemon gave no answer; it may be stopping, its log says more", .0.display())]
    NoAnswer(PathBuf),
    /// The system failed us.
    #[error("{}: {source}", .path.display())]
    System {
        /// The socket.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
}

impl AskError {
    fn of(path: &Path, source: io::Error) -> AskError {
        let path = path.to_owned();
        let is = |kinds: &[io::ErrorKind]| kinds.contains(&source.kind());
        if is(&[io::ErrorKind::NotFound, io::ErrorKind::ConnectionRefused]) {
            AskError::NoDaemon(path)
        } else if is(&[io::ErrorKind::PermissionDenied]) {
            AskError::Permission(path)
        } else if is(&[io::ErrorKind::ConnectionReset, io::ErrorKind::BrokenPipe]) {
            AskError::NoAnswer(path)
        } else {
            AskError::System { path, source }
        }
    }

    /// The exit code of the interface.
    pub fn exit_code(&self) -> u8 {
        match self {
            AskError::NoDaemon(_) | AskError::NoAnswer(_) => 69,
            AskError::Permission(_) => 77,
            AskError::System { .. } => 70,
        }
    }
}

/// Asks the daemon behind the control socket at `path`, and returns the JSON object or the text that it
/// answers, without the last line feed. Blocks; a reload takes as long as it takes, up to two minutes.
///
/// # Errors
/// [`AskError`] when there is no whole answer.
pub fn ask(path: &Path, command: Command) -> Result<String, AskError> {
    let failed = |source| AskError::of(path, source);
    let mut stream = UnixStream::connect(path).map_err(failed)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
    let mut request = Vec::new();
    control::encode(command, &mut request);
    stream.write_all(&request).map_err(failed)?;
    let mut answer = String::new();
    (&stream).take(MAX_ANSWER).read_to_string(&mut answer).map_err(failed)?;
    match answer.strip_suffix('\n') {
        Some(answer) => Ok(answer.to_owned()),
        None => Err(AskError::NoAnswer(path.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn nobody_there() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("control.sock");
        assert_eq!(ask(&path, Command::Status).unwrap_err().exit_code(), 69);
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let closing = std::thread::spawn(move || drop(listener.accept()));
        assert_eq!(ask(&path, Command::Status).unwrap_err().exit_code(), 69);
        closing.join().unwrap();
        assert!(matches!(ask(&path, Command::Status), Err(AskError::NoDaemon(_))), "a stale socket");
    }
}
