//! Reading a file that the configuration is made of.
//!
//! A file is read whole and at most once or twice, never further than its limit, and only when
//! it is a regular file: a FIFO must not block a reload and a device must not be touched. A file
//! that changes while it is read is read again once and then refused, because a half-written
//! file can be valid TOML. A writer may also pause: until when a file is young, and may still be
//! half-written, is told along with the contents, for the caller to look at it again. Who else may write the file, or put another one in its place, is
//! reported along with the contents: whoever can write the configuration decides what is sent
//! in plaintext.
//!
//! The words of [`Unreadable`] follow a path (`` `x.pem`: no such file ``).

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, SystemTime};

use nix::fcntl::OFlag;

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreadable {
    /// Nothing is there, or a symbolic link leads nowhere.
    #[error("no such file")]
    Missing,
    /// The user we run as may not read it.
    #[error("permission denied")]
    Permission,
    /// A directory.
    #[error("this is a directory")]
    Directory,
    /// A FIFO, socket or device.
    #[error("this is {0}, not a file")]
    Special(&'static str),
    /// Larger than the limit for its kind.
    #[error("the file has more than {} MiB, which is the limit", .0 / (1 << 20))]
    TooLarge(u64),
    /// One file too many for the limit on all of them.
    #[error("with this file the configuration has more than {} MiB, which is the limit", .0 / (1 << 20))]
    TooLargeTogether(u64),
    /// It changed while it was read, twice.
    #[error("the file changed while it was read")]
    Changing,
    /// Anything else the system says.
    #[error("{0}")]
    Other(io::Error),
}

impl Unreadable {
    /// What to do about it.
    pub fn help(&self) -> &'static str {
        match self {
            Unreadable::Missing => "correct the path, or put the file there",
            Unreadable::Permission => {
                "let the user that connectord runs as read the file and enter its directories"
            }
            Unreadable::Directory => "name a file in it",
            Unreadable::Special(_) => "name a regular file",
            Unreadable::TooLarge(_) => "split the file",
            Unreadable::TooLargeTogether(_) => "cover subdomains by \"*.name\" instead of listing them",
            Unreadable::Changing => {
                "wait until it is written; write a new file and rename it over the old one"
            }
            Unreadable::Other(_) => "make the file readable for the user that connectord runs as",
        }
    }

    fn from_system(error: io::Error) -> Self {
        let kind = error.kind();
        if kind == io::ErrorKind::NotFound {
            Unreadable::Missing
        } else if kind == io::ErrorKind::PermissionDenied {
            Unreadable::Permission
        } else {
            Unreadable::Other(error)
        }
    }
}

/// Somebody else who can change what is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exposure {
    /// Everybody can write the file.
    World,
    /// The file's group can write it.
    Group,
    /// Everybody can put another file in its place.
    WorldDirectory,
    /// The directory's group can put another file in its place.
    GroupDirectory,
}

/// How long a file is young after it was written. Whoever writes one does so within a moment;
/// a longer time would keep every reload waiting.
pub(super) const YOUNG: Duration = Duration::from_secs(1);

/// What was read.
#[derive(Debug)]
pub(super) struct Contents {
    /// All of it.
    pub bytes: Vec<u8>,
    /// When a file that was young will be so no longer. A time of writing in the future, by
    /// another host's clock, counts as young.
    pub young_until: Option<SystemTime>,
    /// Who else can change it.
    pub exposures: Vec<Exposure>,
}

/// Reads a regular file of at most `limit` bytes.
///
/// # Errors
/// [`Unreadable`].
pub(super) fn read(path: &Path, limit: u64) -> Result<Contents, Unreadable> {
    read_with(path, limit, || ())
}

/// `meanwhile` runs between the reading and the second look at the file.
fn read_with(path: &Path, limit: u64, mut meanwhile: impl FnMut()) -> Result<Contents, Unreadable> {
    // Twice: a file that somebody is replacing at this moment is there a moment later.
    for _ in 0..2 {
        regular(&std::fs::metadata(path).map_err(Unreadable::from_system)?)?;
        // O_NONBLOCK: what was a file a moment ago may have become a FIFO.
        let flags = OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        let mut file = OpenOptions::new()
            .read(true)
            .custom_flags(flags.bits())
            .open(path)
            .map_err(Unreadable::from_system)?;
        let before = file.metadata().map_err(Unreadable::from_system)?;
        regular(&before)?;
        let now = SystemTime::now();
        if before.len() > limit {
            return Err(Unreadable::TooLarge(limit));
        }
        let bytes = read_to_end(&mut file, before.len(), limit)?;
        meanwhile();
        let after = std::fs::metadata(path).ok();
        if after.is_some_and(|after| state(&after) == state(&before)) {
            let settled = before.modified().ok().and_then(|modified| modified.checked_add(YOUNG));
            let young_until = settled.filter(|&settled| settled > now);
            return Ok(Contents { bytes, young_until, exposures: exposures(path, &before) });
        }
    }
    Err(Unreadable::Changing)
}

/// `length` is what there seems to be, which is at most the limit: a block that grows is copied.
fn read_to_end(file: &mut File, length: u64, limit: u64) -> Result<Vec<u8>, Unreadable> {
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
    file.take(limit + 1).read_to_end(&mut bytes).map_err(Unreadable::from_system)?;
    match u64::try_from(bytes.len()) {
        Ok(length) if length <= limit => Ok(bytes),
        _ => Err(Unreadable::TooLarge(limit)),
    }
}

/// What a writer cannot leave unchanged.
fn state(metadata: &Metadata) -> impl PartialEq {
    (
        metadata.dev(),
        metadata.ino(),
        metadata.len(),
        metadata.mtime(),
        metadata.mtime_nsec(),
        metadata.ctime(),
        metadata.ctime_nsec(),
    )
}

fn regular(metadata: &Metadata) -> Result<(), Unreadable> {
    let kind = metadata.file_type();
    if kind.is_file() {
        Ok(())
    } else if kind.is_dir() {
        Err(Unreadable::Directory)
    } else if kind.is_fifo() {
        Err(Unreadable::Special("a FIFO"))
    } else if kind.is_socket() {
        Err(Unreadable::Special("a socket"))
    } else {
        Err(Unreadable::Special("a device"))
    }
}

const GROUP_WRITES: u32 = 0o020;
const WORLD_WRITES: u32 = 0o002;
const STICKY: u32 = 0o1000;

fn exposures(path: &Path, metadata: &Metadata) -> Vec<Exposure> {
    let mut found = Vec::new();
    if metadata.mode() & WORLD_WRITES != 0 {
        found.push(Exposure::World);
    } else if metadata.mode() & GROUP_WRITES != 0 {
        found.push(Exposure::Group);
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if let Ok(directory) = std::fs::metadata(parent) {
        // In a sticky directory only the owner of a file can replace it.
        if directory.mode() & STICKY == 0 {
            if directory.mode() & WORLD_WRITES != 0 {
                found.push(Exposure::WorldDirectory);
            } else if directory.mode() & GROUP_WRITES != 0 {
                found.push(Exposure::GroupDirectory);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    fn directory() -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        directory
    }

    #[test]
    fn r4_a_file_that_changes_once_is_read_again() {
        let directory = directory();
        let path = directory.path().join("x");
        fs::write(&path, "half").unwrap();
        let mut first = true;
        let contents = read_with(&path, 100, || {
            if std::mem::take(&mut first) {
                fs::write(&path, "half and half").unwrap();
            }
        });
        assert_eq!(contents.unwrap().bytes, b"half and half");
    }

    #[test]
    fn r4_a_file_that_keeps_changing_is_refused() {
        let directory = directory();
        let path = directory.path().join("x");
        fs::write(&path, "").unwrap();
        let mut text = String::new();
        let result = read_with(&path, 100, || {
            text.push('x');
            fs::write(&path, &text).unwrap();
        });
        assert!(matches!(result, Err(Unreadable::Changing)), "{result:?}");
    }

    #[test]
    fn r4_a_file_that_is_replaced_is_read_again() {
        let directory = directory();
        let (path, other) = (directory.path().join("x"), directory.path().join("y"));
        fs::write(&path, "old").unwrap();
        fs::write(&other, "new").unwrap();
        let contents = read_with(&path, 100, || {
            let _ = fs::rename(&other, &path);
        });
        assert_eq!(contents.unwrap().bytes, b"new");
    }

    #[test]
    fn c9_what_is_no_file_is_refused_at_once() {
        let directory = directory();
        let path = directory.path().join("x");
        assert!(matches!(read(&path, 1), Err(Unreadable::Missing)));
        assert!(matches!(read(directory.path(), 1), Err(Unreadable::Directory)));
        assert!(matches!(read(Path::new("/dev/zero"), 1), Err(Unreadable::Special("a device"))));
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(matches!(read(&path, 1), Err(Unreadable::Special("a FIFO"))));
        let looping = directory.path().join("loop");
        std::os::unix::fs::symlink(&looping, &looping).unwrap();
        assert!(matches!(read(&looping, 1), Err(Unreadable::Other(_))));
        let dangling = directory.path().join("dangling");
        std::os::unix::fs::symlink("nowhere", &dangling).unwrap();
        assert!(matches!(read(&dangling, 1), Err(Unreadable::Missing)));
    }

    #[test]
    fn c1_the_limit_is_the_last_byte_read() {
        let directory = directory();
        let path = directory.path().join("x");
        fs::write(&path, "12345").unwrap();
        assert_eq!(read(&path, 5).unwrap().bytes, b"12345");
        assert!(matches!(read(&path, 4), Err(Unreadable::TooLarge(4))));
        // Its size is said to be 0.
        assert!(matches!(
            read(Path::new("/proc/self/maps"), 4),
            Err(Unreadable::TooLarge(4) | Unreadable::Changing)
        ));
    }

    #[test]
    fn c9_whoever_else_can_write_is_told() {
        let directory = directory();
        let path = directory.path().join("x");
        fs::write(&path, "").unwrap();
        let cases = [
            (0o644, 0o755, vec![]),
            (0o664, 0o755, vec![Exposure::Group]),
            (0o666, 0o755, vec![Exposure::World]),
            (0o644, 0o777, vec![Exposure::WorldDirectory]),
            (0o644, 0o1777, vec![]),
            (0o602, 0o775, vec![Exposure::World, Exposure::GroupDirectory]),
        ];
        for (file, parent, expected) in cases {
            fs::set_permissions(&path, fs::Permissions::from_mode(file)).unwrap();
            fs::set_permissions(directory.path(), fs::Permissions::from_mode(parent)).unwrap();
            assert_eq!(read(&path, 1).unwrap().exposures, expected, "{file:o} {parent:o}");
        }
    }
}
