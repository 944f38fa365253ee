//! Why the daemon could not start, or had to stop.
//!
//! Each says what to do about it, and which exit code of the interface it stands for.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use nix::errno::Errno;

use super::loader::{Cause, Failure};

/// Why [`run`](super::run) ended otherwise than by a signal.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The first load failed.
    #[error("{}", .0.text)]
    Configuration(Failure),
    /// Another daemon has the lock of the runtime directory.
    #[error("another connectord runs with the runtime directory {}: it holds {}", .directory.display(), .lock.display())]
    SecondInstance {
        /// The runtime directory.
        directory: PathBuf,
        /// The lock file.
        lock: PathBuf,
    },
    /// What is served would be the last good configuration, and it cannot be.
    #[error(
        "{error}; this is of the last good configuration, which is to be served because of the files: {problems}"
    )]
    InPlaceOfFiles {
        /// Why not.
        error: Box<Error>,
        /// What is wrong with the files.
        problems: String,
    },
    /// Somebody listens at a path.
    #[error("{}: somebody listens there already; stop them, or choose another path", .0.display())]
    Taken(PathBuf),
    /// A path is that of something else than a socket.
    #[error("{}: there is something that is not a socket; move it away, or choose another path", .0.display())]
    NotASocket(PathBuf),
    /// Two listeners with one path.
    #[error("{}: two listeners have this path; give each one of its own", .0.display())]
    Twice(PathBuf),
    /// systemd passed sockets, but not this one.
    #[error("{}: systemd passed sockets, but none for this [[listen]]; add it to the socket unit, or remove the [[listen]]", .0.display())]
    NotInherited(PathBuf),
    /// systemd passed a socket that the configuration does not have.
    #[error(
        "{socket}: systemd passed this socket, but no [[listen]] has its path; add one, or remove it from the socket unit"
    )]
    NotConfigured {
        /// Its path, or what else is known of it.
        socket: String,
    },
    /// systemd passed a socket whose name says nothing, and no `[[listen]]` is written.
    #[error(
        "{}: systemd passed this socket, and its name does not say what is spoken there: socketmap.sock, policy.sock, \
         exim.sock, control.sock or metrics.sock would; rename it, or write a [[listen]] for each socket",
        .0.display()
    )]
    Unnamed(PathBuf),
    /// systemd passed a socket that others than this host could reach.
    #[error(
        "{0}: systemd passed this socket, which others than this host could reach; only metrics are served at an address, and only at a loopback one"
    )]
    NotLoopback(SocketAddr),
    /// A port could not be had.
    #[error("{address}: cannot listen there: {source}{}", address_advice(.source))]
    Address {
        /// Which.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// A group that the system does not have.
    #[error("{}: the group {group} does not exist; create it, or name another one", .path.display())]
    UnknownGroup {
        /// The socket.
        path: PathBuf,
        /// The group as written.
        group: String,
    },
    /// The system refused something.
    #[error("{}: cannot {what}: {source}{}", .path.display(), advice(.source))]
    System {
        /// What was attempted.
        what: &'static str,
        /// On which path.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The system refused something that is about no path.
    #[error("cannot {what}: {source}")]
    Process {
        /// What was attempted.
        what: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// A socket of ours was removed or replaced while we ran.
    #[error("{}: our socket was removed or replaced; stopping, so that a restart makes it anew", .0.display())]
    SocketGone(PathBuf),
    /// It stands in the log already. Standard error may be a pipe that nobody reads, and then only
    /// the log's own thread may wait for it.
    #[error("{0}")]
    Logged(Box<Error>),
    /// The runtime directory is not only ours.
    #[error("{}: the runtime directory belongs to another user, or everybody may write to it; use one of your own", .0.display())]
    ForeignDirectory(PathBuf),
    /// A task that must not end did.
    #[error("{0} ended unexpectedly; this is a defect, the log says more")]
    TaskEnded(&'static str),
}

/// What to do about the errors of the system that have one usual cause here.
fn advice(error: &io::Error) -> &'static str {
    if error.kind() == io::ErrorKind::PermissionDenied {
        "; the user that connectord runs as must be allowed to, see User= and Group= in its unit and the owner of the directory"
    } else if error.kind() == io::ErrorKind::NotFound {
        "; create the directory that it is in"
    } else {
        ""
    }
}

/// The same for a port.
fn address_advice(error: &io::Error) -> &'static str {
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::EADDRINUSE) => "; choose another port",
        Some(Errno::EAFNOSUPPORT | Errno::EADDRNOTAVAIL) => {
            "; the unit allows Unix sockets alone, see connectord-monitoring(7)"
        }
        _ => "",
    }
}

impl Error {
    pub(super) fn system(
        what: &'static str,
        path: impl Into<PathBuf>,
        source: impl Into<io::Error>,
    ) -> Error {
        Error::System { what, path: path.into(), source: source.into() }
    }

    pub(super) fn process(what: &'static str, source: impl Into<io::Error>) -> Error {
        Error::Process { what, source: source.into() }
    }

    /// The exit code of the interface.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Configuration(failure) => match failure.cause {
                Cause::MissingFile => 66,
                Cause::Permission => 77,
                Cause::Configuration => 78,
                Cause::Internal => 70,
            },
            Error::SecondInstance { .. } | Error::Taken(_) | Error::NotASocket(_) | Error::SocketGone(_) => {
                73
            }
            Error::Twice(_)
            | Error::NotInherited(_)
            | Error::NotConfigured { .. }
            | Error::Unnamed(_)
            | Error::NotLoopback(_)
            | Error::UnknownGroup { .. } => 78,
            Error::System { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => 77,
            Error::System { .. } | Error::Process { .. } | Error::Address { .. } => 73,
            Error::ForeignDirectory(_) => 77,
            Error::Logged(error) | Error::InPlaceOfFiles { error, .. } => error.exit_code(),
            Error::TaskEnded(_) => 70,
        }
    }
}
