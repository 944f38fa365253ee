//! What the copy of an MTA sees of this machine: its files as they are, and nothing that it could change.
//!
//! A mount namespace in which /run and /dev are new, and all the rest is read-only before anything else is done there: a
//! write that slips is `EROFS`. What the copy has of its own lies in one tmpfs with a bound, and is bound over what it
//! replaces. Sockets with a path work over a read-only file system too: an empty file is bound over each
//! ([`sockets`]). The namespace ends with the thread that made it and the processes started there, and nobody outside
//! ever sees it.
//!
//! What stays reachable: devices outside of /dev, and FIFOs there that no setting names, which nothing that is started here
//! is told to open, but by programs that Exim's configuration delivers to; a socket that somebody makes, or moves to another
//! path, while a round runs; and by root's /proc/PID/root all that a process of this machine sees, if a setting says just
//! that.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{
    DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, symlink,
};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::stat::{Mode, umask};

use super::program::program;
use super::{Error, mounts, place, sockets};

/// Where what is new is kept; it is below the new /run.
const WORK: &str = "/run/connectord-prove";

/// The authority of the proof's servers.
pub const AUTHORITY: &str = "/run/connectord-prove/authority.pem";

/// Where the stderr of a program is kept while it runs.
pub const SAID: &str = "/run/connectord-prove/said";

/// What is new here.
const OWN: [&str; 2] = ["/run", "/dev"];

/// The octets that the copy, its queue and its log may have together.
pub const ROOM: u64 = 256 << 20;

/// The files of all these.
const FILES: usize = 100_000;

/// What a daemon wants of /dev.
const DEVICES: [&str; 5] = ["null", "zero", "full", "random", "urandom"];

/// Sockets and FIFOs of this machine that are covered; above that there is no proof.
const SOCKETS: usize = 10_000;

/// The enclosure of this thread.
pub struct Enclosure {
    /// The number of the file system that is ours.
    device: u64,
    covered: usize,
}

/// Everything that this thread starts from now on ends with it: it is the first process of a PID namespace. This thread
/// starts no other thread from now on (clone(2), `EINVAL` for `CLONE_THREAD`).
pub struct Processes(Child);

impl Enclosure {
    /// Encloses this thread, and what it starts from now on. Its network is a new one too.
    ///
    /// # Errors
    /// It takes root, and a kernel with namespaces. What cannot be made read-only is an error too.
    pub fn enter() -> Result<Enclosure, Error> {
        let found = sockets::of_this_machine();
        let found =
            found.map_err(|error| Error::system("find the sockets of this machine in /proc", error))?;
        let all = CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWIPC;
        unshare(all).map_err(|errno| Error::system("make namespaces", errno))?;
        // Of this thread now, and of what it starts (unshare(2): CLONE_NEWNS implies CLONE_FS). Whoever the MTA becomes
        // reads what is made here.
        umask(Mode::from_bits_truncate(0o022));
        let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
        mount(None::<&str>, "/", None::<&str>, private, None::<&str>)
            .map_err(|errno| Error::place("make private", Path::new("/"), errno))?;
        let mut enclosure = Enclosure { device: tmpfs(Path::new("/run"))?, covered: 0 };
        enclosure.directory(Path::new(""), 0o755)?;
        enclosure.devices()?;
        seal()?;
        enclosure.cover(found)?;
        Ok(enclosure)
    }

    /// A path of ours.
    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        Path::new(WORK).join(name)
    }

    /// Whether what is made at this place is made here, and not on this machine.
    pub fn is_ours(&self, place: &Path) -> bool {
        fs::symlink_metadata(place::nearest(place)).is_ok_and(|about| about.dev() == self.device)
    }

    /// A new directory of ours.
    ///
    /// # Errors
    /// What the system says, with the path; so for all that follows.
    pub fn directory(&self, name: &Path, mode: u32) -> Result<PathBuf, Error> {
        let path = self.path(name);
        let made = DirBuilder::new().recursive(true).mode(mode).create(&path);
        // Whatever the umask is.
        let made = made.and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(mode)));
        made.map_err(|error| Error::place("make", &path, error))?;
        Ok(path)
    }

    /// Puts a path of ours, with what is bound in it, in the place of one of this machine.
    ///
    /// # Errors
    /// The place does not exist.
    pub fn replace(&self, place: &Path, ours: &Path) -> Result<(), Error> {
        // Whoever goes there over a link, or by another way, comes to the same place.
        let place = fs::canonicalize(place).map_err(|error| Error::place("replace", place, error))?;
        bind(ours, &place)
    }

    /// Shows a file of this machine at a path of ours. It stays read-only.
    ///
    /// # Errors
    /// As above.
    pub fn show(&self, file: &Path, ours: &Path) -> Result<(), Error> {
        bind(file, ours)
    }

    /// Writes a new file of ours.
    ///
    /// # Errors
    /// As above.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<PathBuf, Error> {
        let path = self.path(name);
        fs::write(&path, bytes).map_err(|error| Error::place("write", &path, error))?;
        Ok(path)
    }

    /// Covers what of these paths are sockets or FIFOs of this machine: nobody here can connect to them, or write to who
    /// reads them.
    ///
    /// # Errors
    /// There are too many, or one cannot be covered.
    pub fn cover(&mut self, paths: BTreeSet<PathBuf>) -> Result<(), Error> {
        let nobody = self.path("nobody");
        let made = fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o444).open(&nobody);
        made.map_err(|error| Error::place("make", &nobody, error))?;
        for path in paths {
            // Where root cannot look, nobody else of this machine's users finds a socket by settings of root.
            let Ok(place) = fs::canonicalize(&path) else { continue };
            let leads_out =
                |about: fs::Metadata| about.file_type().is_socket() || about.file_type().is_fifo();
            if !fs::symlink_metadata(&place).is_ok_and(leads_out) || self.is_ours(&place) {
                continue;
            }
            self.covered += 1;
            if self.covered > SOCKETS {
                let many = format!("there are more than {SOCKETS} sockets and FIFOs");
                return Err(Error::place("cover", &place, io::Error::other(many)));
            }
            bind(&nobody, &place)?;
        }
        Ok(())
    }

    /// A /dev without the log of this machine, and with a place for ours.
    fn devices(&self) -> Result<(), Error> {
        let directory = self.directory(Path::new("dev"), 0o755)?;
        for name in DEVICES {
            let ours = directory.join(name);
            fs::write(&ours, "").map_err(|error| Error::place("write", &ours, error))?;
            bind(&Path::new("/dev").join(name), &ours)?;
        }
        for (name, target) in
            [("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")]
        {
            let ours = directory.join(name);
            symlink(target, &ours).map_err(|error| Error::place("make", &ours, error))?;
        }
        bind(&directory, Path::new("/dev"))
    }
}

/// The file system of all that is ours; its number.
fn tmpfs(place: &Path) -> Result<u64, Error> {
    let options = format!("mode=755,size={ROOM},nr_inodes={FILES}");
    mount(Some("connectord-prove"), place, Some("tmpfs"), MsFlags::MS_NOSUID, Some(options.as_str()))
        .map_err(|errno| Error::place("mount a tmpfs at", place, errno))?;
    let about = fs::metadata(place).map_err(|error| Error::place("read", place, error))?;
    Ok(about.dev())
}

fn bind(from: &Path, place: &Path) -> Result<(), Error> {
    let flags = MsFlags::MS_BIND | MsFlags::MS_REC;
    mount(Some(from), place, None::<&str>, flags, None::<&str>)
        .map_err(|errno| Error::place("replace", place, errno))
}

/// Makes all that is not ours read-only.
///
/// # Errors
/// Something cannot be made so: then nothing is to be started here.
fn seal() -> Result<(), Error> {
    let all = mounts::all().map_err(|error| Error::system("read what is mounted", error))?;
    for mounted in all {
        // To touch a place where something would be mounted by need (autofs) mounts it: that has no files of its own.
        if OWN.iter().any(|own| mounted.place.starts_with(own)) || mounted.kind == "autofs" {
            continue;
        }
        let place = &mounted.place;
        if !mounted.is_reached().map_err(|error| Error::place("look at", place, error))? {
            continue;
        }
        let flags = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY | mounted.flags;
        mount(None::<&str>, place, None::<&str>, flags, None::<&str>)
            .map_err(|errno| Error::place("make read-only", place, errno))?;
    }
    Ok(())
}

impl Processes {
    /// The first of them.
    ///
    /// # Errors
    /// What the system says.
    pub fn begin() -> Result<Processes, Error> {
        unshare(CloneFlags::CLONE_NEWPID).map_err(|errno| Error::system("make a PID namespace", errno))?;
        // It ends when nobody holds its input any more, so also when this process is killed.
        let first = program("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn();
        Ok(Processes(first.map_err(|error| Error::system("start cat(1)", error))?))
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        // The kernel ends what is left in its PID namespace before it is gone.
        let _ = self.0.wait();
    }
}
