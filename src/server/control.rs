//! The control socket: `status`, `metrics` and `reload`, asked by `connectord` itself.
//!
//! One command, one JSON object on one line or the text of [`metrics`](super::metrics), and the connection ends. It has seats of its own, so
//! that it answers when the MTA's connections have all of theirs. [`ask`] is the other end.

use std::io::{self, Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, UnixAddr, connect, setsockopt, socket, sockopt::SendTimeout,
};
use nix::sys::time::{TimeVal, TimeValLike as _};
use serde::Serialize;
use tokio::time::timeout;

use super::exchange::{Answer, Dialect};
use super::metrics::Scribe;
use super::status::Sources;
use crate::config::ListenProtocol;
use crate::protocol;
use crate::protocol::control;

pub use crate::protocol::control::Command;

/// Connections to the control socket at a time. Ours; more wait.
pub(super) const SEATS: usize = 8;

/// How long [`ask`] waits for what the daemon has ready.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long it waits for a reload: of the largest configuration on a slow disk.
const PATIENCE_RELOAD: Duration = Duration::from_secs(120);

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
                let patience = self.sources.service.limits.metrics;
                let reply = async move {
                    match timeout(patience, text).await {
                        Ok(text) => text.map(|text| text.as_bytes().to_vec()).unwrap_or_default(),
                        Err(_elapsed) => {
                            let help = "the results of validations cannot be read; is a disk away?";
                            tracing::warn!(help, "metrics_late");
                            Vec::new()
                        }
                    }
                };
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
    #[error("{}: the daemon gave no answer; it may be stopping or hang, its log says more", .0.display())]
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
        } else if is(&[
            io::ErrorKind::ConnectionReset,
            io::ErrorKind::BrokenPipe,
            // Not in time: of connect(2) while its queue is full, of read(2) and write(2).
            io::ErrorKind::WouldBlock,
            io::ErrorKind::TimedOut,
        ]) {
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
/// answers, without the last line feed. Blocks for some seconds at most; a reload takes as long as it takes, up to
/// two minutes.
///
/// # Errors
/// [`AskError`] when there is no whole answer.
pub fn ask(path: &Path, command: Command) -> Result<String, AskError> {
    let patience = match command {
        Command::Status | Command::Metrics => PATIENCE,
        Command::Reload { .. } => PATIENCE_RELOAD,
    };
    ask_within(path, command, patience)
}

fn ask_within(path: &Path, command: Command, patience: Duration) -> Result<String, AskError> {
    let failed = |source| AskError::of(path, source);
    let mut stream = reach(path, patience).map_err(failed)?;
    stream.set_read_timeout(Some(patience)).map_err(failed)?;
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

/// Connects. A queue that is full is waited for no longer than this; `UnixStream::connect` would wait for ever.
fn reach(path: &Path, patience: Duration) -> io::Result<UnixStream> {
    let socket = socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    let patience = i64::try_from(patience.as_millis()).unwrap_or(i64::MAX);
    setsockopt(&socket, SendTimeout, &TimeVal::milliseconds(patience))?;
    connect(socket.as_raw_fd(), &UnixAddr::new(path)?)?;
    Ok(socket.into())
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

    #[test]
    fn a_daemon_that_hangs_gives_no_answer() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("control.sock");
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        nix::sys::socket::listen(&listener, nix::sys::socket::Backlog::new(2).unwrap()).unwrap();
        let ask = || ask_within(&path, Command::Status, Duration::from_millis(20)).unwrap_err();
        let error = ask();
        assert!(matches!(&error, AskError::NoAnswer(_)) && error.exit_code() == 69, "{error}");
        // As many as the queue holds: the next one cannot even connect.
        let patience = Duration::from_millis(20);
        let waiting: Vec<UnixStream> = std::iter::from_fn(|| reach(&path, patience).ok()).take(100).collect();
        assert!(waiting.len() < 100);
        let error = ask();
        assert!(matches!(&error, AskError::NoAnswer(_)), "{error}");
    }
}
