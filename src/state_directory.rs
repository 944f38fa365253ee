//! What outlives a run: files in the state directory, by file descriptor.
//!
//! Root writes here into a directory that belongs to somebody else, who could exchange any part of
//! a path at any moment. So the directory is opened once, what is below it without following a
//! link, and everything else is named relative to it and never followed either. A file appears
//! whole, on disk and with its final owner, or not at all.

use std::fs::{DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io::{self, BufWriter, Read as _, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, Flock, FlockArg, OFlag, openat, renameat};
use nix::sys::stat::{Mode, mkdirat};
use nix::unistd::{Gid, Uid, UnlinkatFlags, fchown, fsync, geteuid, linkat, unlinkat};

/// Only the owner: what partners look like, and what was agreed with them, is nobody's business.
const FILE_MODE: Mode = Mode::S_IRUSR.union(Mode::S_IWUSR);

/// As above, for the directory; the group may look.
const DIRECTORY_MODE: Mode = Mode::S_IRWXU.union(Mode::S_IRGRP).union(Mode::S_IXGRP);

/// The mode bit that lets everybody write.
const WRITABLE_BY_OTHERS: u32 = 0o002;

/// The mode bit that lets the group write.
const WRITABLE_BY_GROUP: u32 = 0o020;

/// A directory that is open.
#[derive(Debug)]
pub(crate) struct Directory {
    handle: OwnedFd,
    /// The owner of the state directory, and so of everything in it.
    owner: (u32, u32),
    /// The permissions of the state directory.
    mode: u32,
}

/// A file's bytes, and who could have read them.
#[derive(Debug)]
pub(crate) struct Found {
    /// All of it.
    pub(crate) bytes: Vec<u8>,
    /// Its permissions.
    pub(crate) mode: u32,
    /// The user that it belongs to.
    pub(crate) user: u32,
}

/// Who else can put files into the state directory, or back into it what was there once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Others {
    /// Its owner, who is neither root nor us.
    #[error("the state directory belongs to user {0}")]
    Owner(u32),
    /// Everybody.
    #[error("everybody may write to the state directory")]
    Everybody,
    /// Its group.
    #[error("the group of the state directory may write to it")]
    Group,
}

impl Others {
    /// What to do.
    pub(crate) fn help(self) -> &'static str {
        match self {
            Others::Owner(_) => {
                "run connectord as the user that the state directory belongs to, or name one of its own with --state-dir"
            }
            Others::Everybody => "take the right to write there from all others: chmod o-w",
            Others::Group => "take the right to write there from the group: chmod g-w",
        }
    }
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
    /// Opens a state directory; `None` when it is not there. It may be a link: systemd makes it one
    /// with `DynamicUser=`.
    pub(crate) fn open(path: &Path) -> io::Result<Option<Directory>> {
        let flags = OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let opened = OpenOptions::new().read(true).custom_flags(flags.bits()).open(path);
        let Some(state) = there(opened)? else {
            return Ok(None);
        };
        let metadata = state.metadata()?;
        let (owner, mode) = ((metadata.uid(), metadata.gid()), metadata.mode());
        Ok(Some(Directory { handle: state.into(), owner, mode }))
    }

    /// Opens a state directory, made where it is missing.
    pub(crate) fn create(path: &Path) -> io::Result<Directory> {
        make(path)?;
        Directory::open(path)?.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Opens a directory in this one; `None` when it is not there.
    pub(crate) fn below(&self, name: &str) -> io::Result<Option<Directory>> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let Some(handle) = there(openat(&self.handle, name, flags, Mode::empty()).map_err(io::Error::from))?
        else {
            return Ok(None);
        };
        Ok(Some(Directory { handle, owner: self.owner, mode: self.mode }))
    }

    /// Opens a directory in this one, made where it is missing.
    pub(crate) fn make_below(&self, name: &str) -> io::Result<Directory> {
        let made = match mkdirat(&self.handle, name, DIRECTORY_MODE) {
            Ok(()) => true,
            Err(Errno::EEXIST) => false,
            Err(error) => return Err(error.into()),
        };
        let directory = self.below(name)?.ok_or(io::ErrorKind::NotFound)?;
        if made {
            directory.give(&directory.handle)?;
        }
        Ok(directory)
    }

    /// The user that it belongs to.
    pub(crate) fn user(&self) -> u32 {
        self.owner.0
    }

    /// Who else can put files into it, the owner first.
    pub(crate) fn others(&self) -> Option<Others> {
        let owner = self.user();
        if owner != 0 && owner != geteuid().as_raw() {
            Some(Others::Owner(owner))
        } else if self.mode & WRITABLE_BY_OTHERS != 0 {
            Some(Others::Everybody)
        } else if self.mode & WRITABLE_BY_GROUP != 0 {
            Some(Others::Group)
        } else {
            None
        }
    }

    /// Opens a regular file for reading.
    pub(crate) fn file(&self, name: &str) -> Result<Option<(File, Metadata)>, Unreadable> {
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
        Ok(Some((file, metadata)))
    }

    /// Reads a regular file, no longer than `limit`.
    pub(crate) fn read(&self, name: &str, limit: u64) -> Result<Option<Found>, Unreadable> {
        let Some((file, metadata)) = self.file(name)? else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        // The file may grow while it is read.
        file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > limit {
            return Err(Unreadable::TooLarge(limit));
        }
        Ok(Some(Found { bytes, mode: metadata.mode(), user: metadata.uid() }))
    }

    /// Writes a file in the place of whatever has its name.
    pub(crate) fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let temporary = self.name_of_our_own(name)?;
        self.write(&temporary, |file| file.write_all(bytes), || self.rename(&temporary, name))
    }

    /// Writes a file unless something has its name, which then stays.
    pub(crate) fn make(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let temporary = self.name_of_our_own(name)?;
        self.write(
            &temporary,
            |file| file.write_all(bytes),
            || match linkat(&self.handle, temporary.as_str(), &self.handle, name, AtFlags::empty()) {
                Ok(()) | Err(Errno::EEXIST) => self.unlink(&temporary),
                Err(error) => Err(error),
            },
        )
    }

    /// As [`Directory::replace`], as the only writer of such files in this directory, so that what
    /// one left behind that was killed in the middle is known for what it is, and removed.
    ///
    /// # Errors
    /// What the system says; `WouldBlock` while another process writes.
    pub(crate) fn replace_alone(
        &self,
        name: &str,
        content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> io::Result<()> {
        let _alone = self.lock(name)?;
        let temporary = format!(".{name}.new");
        self.remove(&temporary)?;
        self.write(&temporary, content, || self.rename(&temporary, name))
    }

    /// Gives a file another name, in the place of whatever has that; if it is there.
    pub(crate) fn set_aside(&self, name: &str, aside: &str) -> io::Result<()> {
        match self.rename(name, aside) {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Puts names on disk as they are now.
    pub(crate) fn sync(&self) -> io::Result<()> {
        Ok(fsync(&self.handle)?)
    }

    /// Locks a file of its own beside this one, which stays. Everybody who may look into the directory
    /// could hold a lock on that.
    fn lock(&self, name: &str) -> io::Result<Flock<File>> {
        let flags =
            OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let file = File::from(openat(&self.handle, format!(".{name}.lock").as_str(), flags, FILE_MODE)?);
        Ok(Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, error)| error)?)
    }

    /// Removes a file, if it is there.
    pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
        match self.unlink(name) {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn unlink(&self, name: &str) -> nix::Result<()> {
        unlinkat(&self.handle, name, UnlinkatFlags::NoRemoveDir)
    }

    fn rename(&self, from: &str, to: &str) -> nix::Result<()> {
        renameat(&self.handle, from, &self.handle, to)
    }

    /// A name for a file that is being written, which nothing has.
    fn name_of_our_own(&self, name: &str) -> io::Result<String> {
        /// Of the files written by this process: two threads do not share one.
        static WRITTEN: AtomicU32 = AtomicU32::new(0);
        let number = WRITTEN.fetch_add(1, Ordering::Relaxed);
        let temporary = format!(".{name}.{}.{number}", std::process::id());
        // Of a run with our number that was killed in the middle.
        self.remove(&temporary)?;
        Ok(temporary)
    }

    fn write(
        &self,
        temporary: &str,
        content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
        publish: impl FnOnce() -> nix::Result<()>,
    ) -> io::Result<()> {
        let written = (|| {
            let flags =
                OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
            let file = File::from(openat(&self.handle, temporary, flags, FILE_MODE)?);
            let mut buffered = BufWriter::new(&file);
            content(&mut buffered)?;
            buffered.flush()?;
            drop(buffered);
            self.give(&file)?;
            file.sync_all()?;
            publish()?;
            Ok(fsync(&self.handle)?)
        })();
        if written.is_err() {
            // Best effort: the error is what matters.
            let _ = self.unlink(temporary);
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

/// Makes a directory, and those that it is in, where they are missing.
fn make(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.mode(DIRECTORY_MODE.bits());
    let made = match builder.create(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // Of a name alone the parent is the empty path, which cannot be missing.
            make(path.parent().ok_or(error)?)?;
            builder.create(path)
        }
        made => made,
    };
    match made {
        Ok(()) => {
            // Once more, because the umask took part; by handle, because the name may mean another
            // one by now.
            let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
            let directory = OpenOptions::new().read(true).custom_flags(flags.bits()).open(path)?;
            directory.set_permissions(Permissions::from_mode(DIRECTORY_MODE.bits()))
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// What was opened, if it is there.
fn there<T>(opened: io::Result<T>) -> io::Result<Option<T>> {
    match opened {
        Ok(opened) => Ok(Some(opened)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
#[path = "state_directory_tests.rs"]
mod tests;
