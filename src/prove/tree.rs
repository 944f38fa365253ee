//! Copying a directory: owners, modes and times as they are, and no more than there is room for.
//!
//! Sockets, FIFOs and block devices are left out: nobody is behind them in a copy. What is large, and what is a
//! device, is not copied but told: it can be bound to its place.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, chown, lchown, symlink};
use std::path::{Path, PathBuf};

use super::Error;

/// A file of more octets is not copied.
const LARGE: u64 = 16 << 20;

/// What all copies of a proof may have together, in octets and in files: half of the room that there is.
const OCTETS: u64 = super::enclosure::ROOM / 2;
const FILES: usize = 20_000;

/// What may still be copied.
pub struct Copies {
    octets: u64,
    files: usize,
    /// What is at its place in the copy only as an empty file, with the original.
    pub bound: Vec<(PathBuf, PathBuf)>,
}

impl Copies {
    /// Nothing is copied yet.
    pub fn new() -> Copies {
        Copies { octets: OCTETS, files: FILES, bound: Vec::new() }
    }

    /// Copies a directory, a file or a link with all that is in it.
    ///
    /// # Errors
    /// It is too large, or the system says something.
    pub fn copy(&mut self, from: &Path, to: &Path) -> Result<(), Error> {
        let mut left = vec![(from.to_owned(), to.to_owned())];
        let mut directories = Vec::new();
        while let Some((from, to)) = left.pop() {
            let about = fs::symlink_metadata(&from).map_err(|error| Error::place("read", &from, error))?;
            let copied = |error| Error::place("copy", &from, error);
            self.files = self.files.checked_sub(1).ok_or_else(|| too_much(&from))?;
            if about.is_dir() {
                fs::create_dir(&to).map_err(copied)?;
                for entry in fs::read_dir(&from).map_err(copied)? {
                    let name = entry.map_err(copied)?.file_name();
                    left.push((from.join(&name), to.join(&name)));
                }
                directories.push((to, about));
            } else if about.is_symlink() {
                let target = fs::read_link(&from).map_err(copied)?;
                symlink(target, &to)
                    .and_then(|()| lchown(&to, Some(about.uid()), Some(about.gid())))
                    .map_err(copied)?;
            } else if about.file_type().is_char_device() || (about.is_file() && about.len() > LARGE) {
                fs::write(&to, "").map_err(copied)?;
                self.bound.push((from, to));
            } else if about.is_file() {
                self.octets = self.octets.checked_sub(about.len()).ok_or_else(|| too_much(&from))?;
                fs::copy(&from, &to).and_then(|_| alike(&to, &about)).map_err(copied)?;
            }
        }
        // Last, because what is put into a directory changes its time.
        for (directory, about) in directories.into_iter().rev() {
            alike(&directory, &about).map_err(|error| Error::place("make", &directory, error))?;
        }
        Ok(())
    }
}

fn too_much(at: &Path) -> Error {
    let most = OCTETS >> 20;
    let reason = format!(
        "the copy has no room for more than {most} MB and {FILES} files; keep other things elsewhere"
    );
    Error::place("copy", at, io::Error::other(reason))
}

fn alike(path: &Path, about: &Metadata) -> io::Result<()> {
    chown(path, Some(about.uid()), Some(about.gid()))?;
    File::open(path)?.set_modified(about.modified()?)?;
    // After chown(2), which takes bits of it away.
    fs::set_permissions(path, about.permissions())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::net::UnixListener;
    use std::time::{Duration, SystemTime};

    use super::*;

    #[test]
    fn a_copy_is_like_the_original() {
        let directory = tempfile::tempdir().unwrap();
        let (from, to) = (directory.path().join("from"), directory.path().join("to"));
        fs::create_dir_all(from.join("a/b")).unwrap();
        fs::write(from.join("a/file"), "text").unwrap();
        fs::set_permissions(from.join("a/file"), fs::Permissions::from_mode(0o4710)).unwrap();
        let then = SystemTime::now() - Duration::from_secs(86_400);
        File::options().write(true).open(from.join("a/file")).unwrap().set_modified(then).unwrap();
        symlink("../nowhere", from.join("a/link")).unwrap();
        File::create(from.join("large")).unwrap().set_len(LARGE + 1).unwrap();
        let _listener = UnixListener::bind(from.join("socket")).unwrap();

        let mut copies = Copies::new();
        copies.copy(&from, &to).unwrap();
        let about = fs::metadata(to.join("a/file")).unwrap();
        assert_eq!(fs::read(to.join("a/file")).unwrap(), b"text");
        assert_eq!((about.mode() & 0o7777, about.modified().unwrap()), (0o4710, then));
        assert_eq!(fs::read_link(to.join("a/link")).unwrap(), Path::new("../nowhere"));
        assert!(to.join("a/b").is_dir() && !to.join("socket").exists());
        assert_eq!(fs::metadata(to.join("large")).unwrap().len(), 0);
        assert_eq!(copies.bound, [(from.join("large"), to.join("large"))]);
    }

    #[test]
    fn what_is_too_much_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let from = directory.path().join("from");
        fs::create_dir(&from).unwrap();
        fs::write(from.join("file"), "12345").unwrap();
        for (octets, files, is_copied) in [(5, 2, true), (4, 2, false), (5, 1, false)] {
            let mut copies = Copies { octets, files, bound: Vec::new() };
            let copied = copies.copy(&from, &directory.path().join(format!("to-{octets}-{files}")));
            assert_eq!(copied.is_ok(), is_copied, "{octets} {files}");
            let said = copied.err().map(|error| error.to_string()).unwrap_or_default();
            assert!(is_copied || said.contains("from/file") && said.contains("128 MB"), "{said}");
        }
    }
}
