//! The runtime directory and its lock: one daemon each.
//!
//! The directory is made when only it is missing. The lock is an flock(2) on `connectord.lock`,
//! which the kernel releases however the daemon ends; the file itself stays, because removing it
//! would let two daemons hold locks on two files of one name.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::libc::O_NOFOLLOW;
use nix::unistd::geteuid;

use super::error::Error;

/// The lock file in the runtime directory.
const LOCK: &str = "connectord.lock";

/// The mode of a runtime directory that we make: MTAs reach the sockets in it, whose own modes say
/// who may ask.
const DIRECTORY_MODE: u32 = 0o755;

/// The mode bit that lets everybody write.
const WRITABLE_BY_OTHERS: u32 = 0o002;

/// The runtime directory, ours as long as this lives.
#[derive(Debug)]
pub(super) struct RuntimeDir {
    path: PathBuf,
    _lock: Flock<File>,
}

impl RuntimeDir {
    /// Makes the directory if need be, and locks it.
    pub(super) fn claim(path: &Path) -> Result<RuntimeDir, Error> {
        match fs::DirBuilder::new().mode(DIRECTORY_MODE).create(path) {
            // Once more, because the umask took part.
            Ok(()) => fs::set_permissions(path, fs::Permissions::from_mode(DIRECTORY_MODE))
                .map_err(|source| Error::system("set the mode of the runtime directory", path, source))?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(source) => return Err(Error::system("create the runtime directory", path, source)),
        }
        // Relative paths must keep their meaning.
        let path = fs::canonicalize(path)
            .map_err(|source| Error::system("open the runtime directory", path, source))?;
        // Whoever else may write here could put links and sockets of their own in our way.
        let there = fs::metadata(&path)
            .map_err(|source| Error::system("look at the runtime directory", &path, source))?;
        let owners = [0, geteuid().as_raw()];
        if !owners.contains(&there.uid()) || there.mode() & WRITABLE_BY_OTHERS != 0 {
            return Err(Error::ForeignDirectory(path));
        }
        let lock = path.join(LOCK);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(O_NOFOLLOW)
            .open(&lock);
        let file = file.map_err(|source| Error::system("open the lock file", &lock, source))?;
        let mut held = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(held) => held,
            Err((_, Errno::EWOULDBLOCK)) => return Err(Error::SecondInstance { directory: path, lock }),
            Err((_, errno)) => return Err(Error::system("lock the lock file", lock, errno)),
        };
        // For people; nothing reads it.
        let noted = held.set_len(0).and_then(|()| writeln!(held, "{}", std::process::id()));
        noted.map_err(|source| Error::system("write the lock file", &lock, source))?;
        Ok(RuntimeDir { path, _lock: held })
    }

    /// A path of the configuration: a relative one is in this directory.
    pub(super) fn resolve(&self, path: &Path) -> PathBuf {
        self.path.join(path)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn f3_the_second_one_is_refused_until_the_first_ends() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("run");
        let first = RuntimeDir::claim(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o755);
        assert!(matches!(RuntimeDir::claim(&path), Err(Error::SecondInstance { .. })));
        drop(first);
        RuntimeDir::claim(&path).unwrap();
    }

    #[test]
    fn only_the_last_directory_is_made() {
        let parent = tempfile::tempdir().unwrap();
        let error = RuntimeDir::claim(&parent.path().join("a/b")).unwrap_err();
        assert!(error.to_string().contains("create the directory that it is in"), "{error}");
        assert_eq!(error.exit_code(), 73);
    }

    #[test]
    fn f4_a_link_in_place_of_the_lock_is_not_followed() {
        let parent = tempfile::tempdir().unwrap();
        let precious = parent.path().join("precious");
        fs::write(&precious, "precious").unwrap();
        std::os::unix::fs::symlink(&precious, parent.path().join(LOCK)).unwrap();
        RuntimeDir::claim(parent.path()).unwrap_err();
        assert_eq!(fs::read(&precious).unwrap(), b"precious");
    }

    #[test]
    fn f7_a_directory_that_everybody_may_write_to_is_refused() {
        let parent = tempfile::tempdir().unwrap();
        fs::set_permissions(parent.path(), fs::Permissions::from_mode(0o1777)).unwrap();
        let error = RuntimeDir::claim(parent.path()).unwrap_err();
        assert!(matches!(error, Error::ForeignDirectory(_)), "{error}");
        assert_eq!(error.exit_code(), 77);
    }

    #[test]
    fn relative_paths_are_in_the_directory() {
        let parent = tempfile::tempdir().unwrap();
        let directory = RuntimeDir::claim(parent.path()).unwrap();
        let real = fs::canonicalize(parent.path()).unwrap();
        assert_eq!(directory.resolve(Path::new("policy.sock")), real.join("policy.sock"));
        assert_eq!(directory.resolve(Path::new("/a/policy.sock")), Path::new("/a/policy.sock"));
    }
}
