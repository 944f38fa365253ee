//! A socket of our own: made with the right mode from the first instant, removed at the end.
//!
//! It is bound under another name in the same directory, where nobody asks, with mode 0600 (the
//! umask is 0177), given to its group, then its mode, and renamed into place: so nobody ever sees
//! it wider than configured, and nobody connects before that.
//!
//! What stands at the path is replaced only if it is a socket that nobody listens on any more,
//! which is what a daemon that was killed leaves behind. A live socket, a file, a directory, a
//! symbolic link is never touched. At the end the path is removed if the socket there is still
//! ours.
//!
//! One at an address has no file: nobody can take its place, and it is gone when we are.

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};
use nix::unistd::{Gid, Group};

use super::error::Error;
use super::queue::Queue;
use crate::config::Listen;

/// A listening socket and what is ours of it.
#[derive(Debug)]
pub(super) struct Socket {
    /// What is accepted from.
    pub(super) queue: Queue,
    /// Its file; none at an address, nor for a socket that we inherited, which is not ours to watch or remove.
    pub(super) file: Option<SocketFile>,
}

/// The file of a socket of our own. Dropping it removes it, if it is still ours.
#[derive(Debug)]
pub(super) struct SocketFile(Mark);

/// What a socket of ours is recognised by.
#[derive(Clone, Debug)]
pub(super) struct Mark {
    path: PathBuf,
    identity: (u64, u64),
}

impl Socket {
    /// Makes the socket of `listen` at `path`.
    pub(super) fn create(listen: &Listen, path: PathBuf) -> Result<Socket, Error> {
        make_way(&path)?;
        let temporary = temporary_name(&path);
        // Of a daemon with our number that was killed between bind and rename.
        match fs::symlink_metadata(&temporary) {
            Ok(there) if there.file_type().is_socket() => {
                fs::remove_file(&temporary)
                    .map_err(|source| Error::system("remove an old socket", &temporary, source))?;
            }
            _ => {}
        }
        let listener = UnixListener::bind(&temporary)
            .map_err(|source| Error::system("create the socket", &path, source))?;
        let dressed = dress(&temporary, listen).and_then(|()| {
            listener
                .set_nonblocking(true)
                .map_err(|source| Error::system("set up the socket", &path, source))?;
            let identity =
                identity(&temporary).map_err(|source| Error::system("look at the socket", &path, source))?;
            fs::rename(&temporary, &path)
                .map_err(|source| Error::system("put the socket in its place", &path, source))?;
            Ok(identity)
        });
        match dressed {
            Ok(identity) => {
                let file = Some(SocketFile(Mark { path, identity }));
                Ok(Socket { queue: Queue::Unix(listener), file })
            }
            Err(error) => {
                // Best effort: the error is what matters.
                let _ = fs::remove_file(&temporary);
                Err(error)
            }
        }
    }

    /// Opens a socket at an address.
    pub(super) fn at(address: SocketAddr) -> Result<Socket, Error> {
        let listener = TcpListener::bind(address).and_then(|listener| {
            listener.set_nonblocking(true)?;
            Ok(listener)
        });
        match listener {
            Ok(listener) => Ok(Socket { queue: Queue::Tcp(listener), file: None }),
            Err(source) => Err(Error::Address { address, source }),
        }
    }
}

impl SocketFile {
    /// What it is recognised by.
    pub(super) fn mark(&self) -> &Mark {
        &self.0
    }
}

impl Mark {
    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the path still leads to our socket. What cannot be looked at is taken for gone.
    pub(super) fn is_there(&self) -> bool {
        identity(&self.path).is_ok_and(|identity| identity == self.identity)
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if self.0.is_there()
            && let Err(error) = fs::remove_file(&self.0.path)
        {
            tracing::warn!(path = %self.0.path.display(), %error, "socket_not_removed");
        }
    }
}

/// Device and inode: what tells our socket from one that somebody else put there.
pub(super) fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|metadata| (metadata.dev(), metadata.ino()))
}

/// Refuses unless there is nothing at the path, or a socket without a listener.
fn make_way(path: &Path) -> Result<(), Error> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(Error::system("look at the path of the socket", path, source)),
        Ok(there) if !there.file_type().is_socket() => Err(Error::NotASocket(path.to_owned())),
        Ok(_) if is_stale(path) => Ok(()),
        Ok(_) => Err(Error::Taken(path.to_owned())),
    }
}

/// Only a refused connection says that nobody listens. Not being allowed to connect, a full queue
/// of connections or a datagram socket say that somebody might.
fn is_stale(path: &Path) -> bool {
    // Non-blocking, because connect(2) would wait for room in a full queue.
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let probe = socket(AddressFamily::Unix, SockType::Stream, flags, None)
        .and_then(|probe| connect(std::os::fd::AsRawFd::as_raw_fd(&probe), &UnixAddr::new(path)?));
    probe == Err(Errno::ECONNREFUSED)
}

/// A name in the same directory that is seldom longer than the real one: a socket's whole path has
/// at most 107 bytes (unix(7)).
fn temporary_name(path: &Path) -> PathBuf {
    path.with_file_name(format!(".{:x}", std::process::id()))
}

/// Group first: the mode may only widen when it is the right group that gains.
fn dress(path: &Path, listen: &Listen) -> Result<(), Error> {
    let written = listen.path().unwrap_or(path);
    if let Some(group) = &listen.group {
        let gid = gid(group)
            .ok_or_else(|| Error::UnknownGroup { path: written.to_owned(), group: group.clone() })?;
        std::os::unix::fs::lchown(path, None, Some(gid.as_raw()))
            .map_err(|source| Error::system("give the socket to its group", written, source))?;
    }
    fs::set_permissions(path, fs::Permissions::from_mode(listen.mode))
        .map_err(|source| Error::system("set the mode of the socket", written, source))
}

/// A group by name or number; a name of digits that exists comes first, as for chgrp(1).
fn gid(group: &str) -> Option<Gid> {
    match Group::from_name(group) {
        Ok(Some(found)) => Some(found.gid),
        Ok(None) | Err(_) => group.parse().ok().map(Gid::from_raw),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::net::{UnixDatagram, UnixStream};

    use super::*;
    use crate::config::{At, ListenProtocol};

    fn listen(path: &Path, mode: u32) -> Listen {
        Listen {
            protocol: ListenProtocol::Socketmap,
            at: At::Path(path.to_owned()),
            group: None,
            mode,
            is_written: true,
        }
    }

    fn create(path: &Path) -> Result<Socket, Error> {
        Socket::create(&listen(path, 0o660), path.to_owned())
    }

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn f5_made_with_its_mode_and_removed_at_the_end() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.sock");
        for mode in [0o600, 0o660, 0o666] {
            let socket = Socket::create(&listen(&path, mode), path.clone()).unwrap();
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, mode);
            assert_eq!(names(directory.path()), ["a.sock"]);
            UnixStream::connect(&path).unwrap();
            drop(socket);
            assert!(names(directory.path()).is_empty());
        }
    }

    #[test]
    fn f2_a_socket_that_nobody_listens_on_is_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.sock");
        drop(UnixListener::bind(&path).unwrap());
        let _socket = create(&path).unwrap();
        UnixStream::connect(&path).unwrap();
    }

    #[test]
    fn f4_whatever_else_is_there_is_never_touched() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::write(at("file"), "precious").unwrap();
        fs::create_dir(at("directory")).unwrap();
        drop(UnixListener::bind(at("stale")).unwrap());
        std::os::unix::fs::symlink(at("stale"), at("link")).unwrap();
        std::os::unix::fs::symlink(at("nowhere"), at("dangling")).unwrap();
        let _live = UnixListener::bind(at("live")).unwrap();
        let _datagrams = UnixDatagram::bind(at("datagrams")).unwrap();
        let before = ["file", "directory", "link", "dangling", "live", "datagrams"]
            .map(|name| identity(&at(name)).unwrap());
        for name in ["file", "directory", "link", "dangling"] {
            let error = create(&at(name)).unwrap_err();
            assert!(matches!(error, Error::NotASocket(_)), "{name}: {error}");
        }
        for name in ["live", "datagrams"] {
            let error = create(&at(name)).unwrap_err();
            assert!(matches!(error, Error::Taken(_)), "{name}: {error}");
            assert_eq!(error.exit_code(), 73);
        }
        let after = ["file", "directory", "link", "dangling", "live", "datagrams"]
            .map(|name| identity(&at(name)).unwrap());
        assert_eq!(before, after);
        assert_eq!(fs::read(at("file")).unwrap(), b"precious");
        assert_eq!(names(directory.path()).len(), 7);
    }

    #[test]
    fn f4_a_live_socket_with_a_full_queue_is_live() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.sock");
        let full = socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).unwrap();
        nix::sys::socket::bind(std::os::fd::AsRawFd::as_raw_fd(&full), &UnixAddr::new(&path).unwrap())
            .unwrap();
        nix::sys::socket::listen(&full, nix::sys::socket::Backlog::new(0).unwrap()).unwrap();
        let _waiting = UnixStream::connect(&path).unwrap();
        assert!(matches!(create(&path), Err(Error::Taken(_))));
    }

    #[test]
    fn f4_f6_a_socket_that_was_replaced_is_not_removed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.sock");
        let socket = create(&path).unwrap();
        assert!(socket.file.as_ref().unwrap().mark().is_there());
        fs::rename(&path, directory.path().join("moved")).unwrap();
        let _other = UnixListener::bind(&path).unwrap();
        assert!(!socket.file.as_ref().unwrap().mark().is_there());
        drop(socket);
        UnixStream::connect(&path).unwrap();
    }

    #[test]
    fn an_unknown_group_leaves_nothing_behind() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.sock");
        let listen = Listen { group: Some("no-such-group".to_owned()), ..listen(&path, 0o660) };
        let error = Socket::create(&listen, path).unwrap_err();
        assert!(matches!(error, Error::UnknownGroup { .. }), "{error}");
        assert!(names(directory.path()).is_empty());
    }

    #[test]
    fn groups_by_name_and_by_number() {
        assert_eq!(gid("root"), Some(Gid::from_raw(0)));
        assert_eq!(gid("4711"), Some(Gid::from_raw(4711)));
        assert_eq!(gid("-1"), None);
        assert_eq!(gid("no-such-group"), None);
    }
}
