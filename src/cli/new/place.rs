//! A new file in a directory of the configuration: whole under its name, or not there at all.
//!
//! It is written under a hidden name, which no `include` pattern finds, and then linked to its own: a link is never made over a
//! file that is there. It is ours, with the group of the others there, and as readable, so that the daemon can read it.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::{flag, low_level};

/// What of its neighbour's permissions a file may have: nobody but its owner writes it.
const MODE: u32 = 0o644;

/// Signals that would leave the hidden file behind.
const SIGNALS: [i32; 3] = [SIGHUP, SIGINT, SIGTERM];

/// Holds signals off while a file is put into place.
pub(super) struct Calm {
    takes_effect: Arc<AtomicBool>,
    /// The signal that was held off; 0 for none.
    arrived: Arc<AtomicUsize>,
}

impl Calm {
    /// Signals end the process as ever, but in [`put`].
    ///
    /// # Errors
    /// What the system says.
    pub fn new() -> io::Result<Calm> {
        let takes_effect = Arc::new(AtomicBool::new(true));
        let arrived = Arc::new(AtomicUsize::new(0));
        let ignored = ignored();
        for signal in SIGNALS.into_iter().filter(|&signal| !is_in(ignored, signal)) {
            flag::register_conditional_default(signal, Arc::clone(&takes_effect))?;
            let number = usize::try_from(signal).unwrap_or_default();
            flag::register_usize(signal, Arc::clone(&arrived), number)?;
        }
        Ok(Calm { takes_effect, arrived })
    }

    /// Ends the process if it was asked to in [`put`].
    pub fn end(&self) {
        if let Ok(signal @ 1..) = i32::try_from(self.arrived.load(Ordering::SeqCst)) {
            // It fails for signals that are none.
            let _ = low_level::emulate_default_handler(signal);
        }
    }
}

/// The signals that are ignored, as nohup(1) and shells have it: a bit for each (proc_pid_status(5)). None where that is
/// not known.
fn ignored() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default()
}

fn is_in(mask: u64, signal: i32) -> bool {
    let bit = u32::try_from(signal).ok().and_then(|signal| signal.checked_sub(1));
    bit.and_then(|bit| mask.checked_shr(bit)).is_some_and(|rest| rest & 1 == 1)
}

/// Writes `text` as a new file at `path`, with group and permissions like those of `neighbour`.
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
    let like = fs::symlink_metadata(neighbour)?;
    if !like.is_file() {
        return Err(io::Error::other("there is no file whose permissions it could have"));
    }
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
    if own.uid() != like.uid() && mode & 0o044 == 0 {
        // Whoever reads the others could not read this one.
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "the other files there are for their owner alone, who is somebody else",
        ));
    }
    if own.gid() != like.gid() {
        // Where everybody may read it, the group is no matter.
        fchown(file, None, Some(like.gid()))
            .or_else(|error| if mode & 0o004 == 0 { Err(error) } else { Ok(()) })?;
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
    fn a_mask_has_a_bit_for_each_signal() {
        for (mask, expected) in
            [(0, [false, false]), (1, [true, false]), (2, [false, true]), (3, [true, true])]
        {
            assert_eq!([SIGHUP, SIGINT].map(|signal| is_in(mask, signal)), expected, "{mask}");
        }
        assert!(!is_in(u64::MAX, 0) && !is_in(u64::MAX, 65));
    }

    #[test]
    fn a_link_lends_no_permissions() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("a"), "a").unwrap();
        let link = directory.path().join("a.toml");
        std::os::unix::fs::symlink("a", &link).unwrap();
        let path = directory.path().join("b.toml");
        put(&path, "text", &link, &Calm::new().unwrap()).unwrap_err();
        assert!(!path.exists());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
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
