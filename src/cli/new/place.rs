//! A new file in a directory of the configuration: whole under its name, or not there at all.
//!
//! It is written under a hidden name, which no `include` pattern finds, and then linked to its own: a link is never made over a
//! file that is there. It belongs to whom the others there belong to and is as readable, so that the daemon can read it.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// What of its neighbour's permissions a file may have: nobody but its owner writes it.
const MODE: u32 = 0o644;

/// Signals that would leave the hidden file behind.
const SIGNALS: [i32; 3] = [SIGHUP, SIGINT, SIGTERM];

/// Holds signals off while a file is put into place.
pub(super) struct Calm {
    takes_effect: Arc<AtomicBool>,
}

impl Calm {
    /// Signals end the process as ever, but in [`put`].
    ///
    /// # Errors
    /// What the system says.
    pub fn new() -> io::Result<Calm> {
        let takes_effect = Arc::new(AtomicBool::new(true));
        for signal in SIGNALS {
            signal_hook::flag::register_conditional_default(signal, Arc::clone(&takes_effect))?;
        }
        Ok(Calm { takes_effect })
    }
}

/// Writes `text` as a new file at `path`, with owner and permissions like those of `neighbour`.
///
/// # Errors
/// What the system says; `AlreadyExists` when there is something at `path`, which stays.
pub(super) fn put(path: &Path, text: &str, neighbour: &Path, calm: &Calm) -> io::Result<()> {
    calm.takes_effect.store(false, Ordering::SeqCst);
    let done = written(path, text, neighbour);
    calm.takes_effect.store(true, Ordering::SeqCst);
    done
}

fn written(path: &Path, text: &str, neighbour: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let hidden = directory.join(format!(".{name}.{}", std::process::id()));
    let like = fs::metadata(neighbour)?;
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&hidden)?;
    let done = filled(&file, text, &like).and_then(|()| fs::hard_link(&hidden, path));
    // What is there by now is whole: that a name could not be taken away, or put on disk, is no reason to say otherwise.
    let _ = fs::remove_file(&hidden);
    let _ = File::open(directory).and_then(|directory| directory.sync_all());
    done
}

fn filled(mut file: &File, text: &str, like: &fs::Metadata) -> io::Result<()> {
    file.write_all(text.as_bytes())?;
    let mode = like.mode() & MODE | 0o400;
    let own = file.metadata()?;
    let owner = (own.uid() != like.uid()).then_some(like.uid());
    let group = (own.gid() != like.gid()).then_some(like.gid());
    // Only root may give a file away. Its group is enough to read it, unless everybody may.
    let foreign = owner.is_some() || group.is_some();
    if foreign && fchown(file, owner, group).is_err() && mode & 0o004 == 0 {
        fchown(file, None, Some(like.gid()))?;
    }
    file.set_permissions(Permissions::from_mode(mode))?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o7777
    }

    #[test]
    fn a_file_is_whole_and_as_readable_as_its_neighbour() {
        let directory = tempfile::tempdir().unwrap();
        let neighbour = directory.path().join("a.toml");
        fs::write(&neighbour, "a").unwrap();
        let calm = Calm::new().unwrap();
        for (own, expected) in [(0o644, 0o644), (0o640, 0o640), (0o666, 0o644), (0o400, 0o400)] {
            fs::set_permissions(&neighbour, Permissions::from_mode(own)).unwrap();
            let path = directory.path().join(format!("{own:o}.toml"));
            put(&path, "text\n", &neighbour, &calm).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), "text\n");
            assert_eq!(mode(&path), expected, "{own:o}");
        }
    }

    #[test]
    fn what_is_there_stays_and_nothing_else_is_left() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.toml");
        fs::write(&path, "old").unwrap();
        let calm = Calm::new().unwrap();
        let error = put(&path, "new", &path, &calm).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        let dangling = directory.path().join("b.toml");
        std::os::unix::fs::symlink("/nonexistent", &dangling).unwrap();
        let error = put(&dangling, "new", &path, &calm).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
    }
}
