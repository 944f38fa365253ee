//! The directory of kept results, by file descriptor.
//!
//! Root writes here into a directory that belongs to somebody else, who could exchange any part of
//! a path at any moment. So the directory is opened once, below the state directory without
//! following a link, and everything else is named relative to it and never followed either. A file
//! appears whole, on disk and with its final owner, or not at all.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat, renameat};
use nix::sys::stat::{Mode, mkdirat};
use nix::unistd::{Gid, Uid, UnlinkatFlags, fchown, fsync, geteuid, linkat, unlinkat};

/// The directory below the state directory.
const NAME: &str = "validation";

/// Only the owner: what partners look like is nobody's business.
const FILE_MODE: Mode = Mode::S_IRUSR.union(Mode::S_IWUSR);

/// As above, for the directory; the group may look.
const DIRECTORY_MODE: Mode = Mode::S_IRWXU.union(Mode::S_IRGRP).union(Mode::S_IXGRP);

/// A directory that is open.
#[derive(Debug)]
pub(super) struct Directory {
    handle: OwnedFd,
    /// The owner of the state directory, and so of everything in it.
    owner: (u32, u32),
}

/// A file's bytes, and who could have read them.
#[derive(Debug)]
pub(super) struct Found {
    /// All of it.
    pub(super) bytes: Vec<u8>,
    /// Its permissions.
    pub(super) mode: u32,
    /// The user that it belongs to.
    pub(super) user: u32,
}

/// Why a file has no bytes to offer.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// A symbolic link: it could lead anywhere.
    #[error("it is a symbolic link")]
    Link,
    /// A directory, a socket, a pipe.
    #[error("it is not a file")]
    NotAFile,
    /// More bytes than a result can have.
    #[error("it has more than {0} bytes")]
    TooLarge(u64),
    /// What the system says.
    #[error("{0}")]
    System(#[from] io::Error),
}

impl Directory {
    /// Opens it for reading; `None` when nothing was ever kept.
    pub(super) fn open(state_directory: &Path) -> io::Result<Option<Directory>> {
        let opened = state(state_directory).and_then(|state| below(&state));
        match opened {
            Ok(directory) => Ok(Some(directory)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Opens it for keeping, made where it is missing.
    pub(super) fn create(state_directory: &Path) -> io::Result<Directory> {
        DirBuilder::new().recursive(true).mode(DIRECTORY_MODE.bits()).create(state_directory)?;
        let state = state(state_directory)?;
        let made = match mkdirat(&state, NAME, DIRECTORY_MODE) {
            Ok(()) => true,
            Err(Errno::EEXIST) => false,
            Err(error) => return Err(error.into()),
        };
        let directory = below(&state)?;
        if made {
            directory.give(&directory.handle)?;
        }
        Ok(directory)
    }

    /// The user that it belongs to.
    pub(super) fn user(&self) -> u32 {
        self.owner.0
    }

    /// Reads a regular file, no longer than `limit`.
    pub(super) fn read(&self, name: &str, limit: u64) -> Result<Option<Found>, Unreadable> {
        // Non-blocking, so that a pipe cannot hold us.
        let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let file = match openat(&self.handle, name, flags, Mode::empty()) {
            Ok(handle) => File::from(handle),
            Err(Errno::ENOENT) => return Ok(None),
            Err(Errno::ELOOP) => return Err(Unreadable::Link),
            Err(error) => return Err(Unreadable::System(error.into())),
        };
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(Unreadable::NotAFile);
        }
        let mut bytes = Vec::new();
        // The file may grow while it is read.
        file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > limit {
            return Err(Unreadable::TooLarge(limit));
        }
        Ok(Some(Found { bytes, mode: metadata.mode(), user: metadata.uid() }))
    }

    /// Writes a file in the place of whatever has its name.
    pub(super) fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.write(name, bytes, |temporary| renameat(&self.handle, temporary, &self.handle, name))
    }

    /// Writes a file unless something has its name, which then stays.
    pub(super) fn make(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.write(name, bytes, |temporary| {
            match linkat(&self.handle, temporary, &self.handle, name, AtFlags::empty()) {
                Ok(()) | Err(Errno::EEXIST) => self.unlink(temporary),
                Err(error) => Err(error),
            }
        })
    }

    /// Removes a file, if it is there.
    pub(super) fn remove(&self, name: &str) -> io::Result<()> {
        match self.unlink(name) {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn unlink(&self, name: &str) -> nix::Result<()> {
        unlinkat(&self.handle, name, UnlinkatFlags::NoRemoveDir)
    }

    fn write(
        &self,
        name: &str,
        bytes: &[u8],
        publish: impl FnOnce(&str) -> nix::Result<()>,
    ) -> io::Result<()> {
        /// Of the files written by this process: two threads do not share one.
        static WRITTEN: AtomicU32 = AtomicU32::new(0);
        let number = WRITTEN.fetch_add(1, Ordering::Relaxed);
        let temporary = format!(".{name}.{}.{number}", std::process::id());
        // Of a run with our number that was killed in the middle.
        self.remove(&temporary)?;
        let written = (|| {
            let flags =
                OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
            let mut file = File::from(openat(&self.handle, temporary.as_str(), flags, FILE_MODE)?);
            file.write_all(bytes)?;
            self.give(&file)?;
            file.sync_all()?;
            publish(&temporary)?;
            Ok(fsync(&self.handle)?)
        })();
        if written.is_err() {
            // Best effort: the error is what matters.
            let _ = self.unlink(&temporary);
        }
        written
    }

    /// What root makes belongs to the owner of the state directory.
    fn give(&self, file: impl std::os::fd::AsFd) -> io::Result<()> {
        if geteuid().is_root() {
            let (user, group) = self.owner;
            fchown(file, Some(Uid::from_raw(user)), Some(Gid::from_raw(group)))?;
        }
        Ok(())
    }
}

/// The state directory itself may be a link: systemd makes it one with `DynamicUser=`.
fn state(path: &Path) -> io::Result<File> {
    let flags = OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    OpenOptions::new().read(true).custom_flags(flags.bits()).open(path)
}

fn below(state: &File) -> io::Result<Directory> {
    let metadata = state.metadata()?;
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let handle = openat(state, NAME, flags, Mode::empty())?;
    Ok(Directory { handle, owner: (metadata.uid(), metadata.gid()) })
}
