//! Where connections wait to be accepted: a Unix socket, or a port of the loopback interface.
//!
//! What was accepted is a stream of bytes, whichever it came from; who serves it need not know.

use std::io;
use std::net::TcpListener;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::net::UnixListener;

/// A connection.
pub(super) type Accepted = OwnedFd;

/// A listening socket.
#[derive(Debug)]
pub(super) enum Queue {
    /// With a path, mostly.
    Unix(UnixListener),
    /// For metrics.
    Tcp(TcpListener),
}

impl Queue {
    /// Takes the next connection.
    ///
    /// # Errors
    /// As accept(2).
    pub(super) fn accept(&self) -> io::Result<Accepted> {
        match self {
            Queue::Unix(listener) => listener.accept().map(|(stream, _)| stream.into()),
            Queue::Tcp(listener) => listener.accept().map(|(stream, _)| stream.into()),
        }
    }
}

impl AsFd for Queue {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Queue::Unix(listener) => listener.as_fd(),
            Queue::Tcp(listener) => listener.as_fd(),
        }
    }
}

impl AsRawFd for Queue {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}
