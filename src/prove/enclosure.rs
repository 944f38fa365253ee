//! What the copy of an MTA sees of this machine: everything as it is, and nothing that it could change.
//!
//! A mount namespace in which /run and /dev are new, a few paths are replaced, and all the rest is read-only. No socket
//! of this machine's daemons is in there, its log neither. It ends with the thread that made it and the
//! processes started there, and nobody outside ever sees it.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

use super::Error;

/// Where what is new is kept; it is below the new /run.
const WORK: &str = "/run/connectord-prove";

/// What a daemon wants of /dev.
const DEVICES: [&str; 5] = ["null", "zero", "full", "random", "urandom"];

/// File systems that are no files: they cannot be written in a way that stays, or not be made read-only.
const PSEUDO: [&str; 12] = [
    "proc",
    "sysfs",
    "cgroup",
    "cgroup2",
    "devpts",
    "mqueue",
    "autofs",
    "debugfs",
    "tracefs",
    "securityfs",
    "bpf",
    "binfmt_misc",
];

/// The enclosure of this thread.
pub struct Enclosure {
    /// What is ours here, and stays writable.
    own: Vec<PathBuf>,
}

/// Everything that this thread starts from now on ends with it: it is the first process of a PID namespace. This thread
/// starts no other thread from now on (clone(2), `EINVAL` for `CLONE_THREAD`).
pub struct Processes(Child);

impl Enclosure {
    /// Encloses this thread, and what it starts from now on. Its network is a new one too.
    ///
    /// # Errors
    /// It takes root, and a kernel with namespaces.
    pub fn enter() -> Result<Enclosure, Error> {
        let all = CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWIPC;
        unshare(all).map_err(|errno| Error::system("make namespaces", errno))?;
        let mut enclosure = Enclosure { own: Vec::new() };
        let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
        mount(None::<&str>, "/", None::<&str>, private, None::<&str>)
            .map_err(|errno| Error::place("make private", Path::new("/"), errno))?;
        enclosure.tmpfs(Path::new("/run"))?;
        enclosure.directory(Path::new(""), 0o755)?;
        enclosure.devices()?;
        Ok(enclosure)
    }

    /// A path of ours.
    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        Path::new(WORK).join(name)
    }

    /// A new directory of ours.
    ///
    /// # Errors
    /// What the system says, with the path; so for all that follows.
    pub fn directory(&self, name: &Path, mode: u32) -> Result<PathBuf, Error> {
        let path = self.path(name);
        let made = DirBuilder::new().recursive(true).mode(mode).create(&path);
        // Whatever the umask is.
        let made = made
            .and_then(|()| fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(mode)));
        made.map_err(|error| Error::place("make", &path, error))?;
        Ok(path)
    }

    /// Puts a path of ours in the place of one of this machine.
    ///
    /// # Errors
    /// The place does not exist.
    pub fn replace(&mut self, place: &Path, ours: &Path) -> Result<(), Error> {
        mount(Some(ours), place, None::<&str>, MsFlags::MS_BIND, None::<&str>)
            .map_err(|errno| Error::place("replace", place, errno))?;
        self.own.push(place.to_owned());
        Ok(())
    }

    /// Writes a file of ours.
    ///
    /// # Errors
    /// As above.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<PathBuf, Error> {
        let path = self.path(name);
        fs::write(&path, bytes).map_err(|error| Error::place("write", &path, error))?;
        Ok(path)
    }

    fn tmpfs(&mut self, place: &Path) -> Result<(), Error> {
        mount(Some("connectord-prove"), place, Some("tmpfs"), MsFlags::MS_NOSUID, Some("mode=755"))
            .map_err(|errno| Error::place("mount", place, errno))?;
        self.own.push(place.to_owned());
        Ok(())
    }

    /// A /dev without the log of this machine, and with a place for ours.
    fn devices(&mut self) -> Result<(), Error> {
        let directory = self.directory(Path::new("dev"), 0o755)?;
        for name in DEVICES {
            let (real, ours) = (Path::new("/dev").join(name), directory.join(name));
            fs::write(&ours, "").map_err(|error| Error::place("write", &ours, error))?;
            mount(Some(&real), &ours, None::<&str>, MsFlags::MS_BIND, None::<&str>)
                .map_err(|errno| Error::place("copy", &real, errno))?;
        }
        for (name, target) in
            [("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")]
        {
            let ours = directory.join(name);
            symlink(target, &ours).map_err(|error| Error::place("make", &ours, error))?;
        }
        let flags = MsFlags::MS_BIND | MsFlags::MS_REC;
        mount(Some(&directory), "/dev", None::<&str>, flags, None::<&str>)
            .map_err(|errno| Error::place("replace", Path::new("/dev"), errno))?;
        self.own.push(PathBuf::from("/dev"));
        Ok(())
    }

    /// Makes all that is not ours read-only.
    ///
    /// # Errors
    /// Something cannot be made so: then nothing is to be started here.
    pub fn seal(&self) -> Result<(), Error> {
        let mounts = fs::read_to_string("/proc/thread-self/mountinfo")
            .map_err(|error| Error::system("read what is mounted", error))?;
        for line in mounts.lines() {
            let Some((place, kind)) = mounted(line) else { continue };
            let is_own = self.own.iter().any(|own| place.starts_with(own));
            if is_own || PSEUDO.contains(&kind) {
                continue;
            }
            let flags = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY;
            match mount(None::<&str>, &place, None::<&str>, flags, None::<&str>) {
                // What is below a newer mount cannot be reached, by nobody.
                Ok(()) | Err(nix::errno::Errno::ENOENT | nix::errno::Errno::EINVAL)
                    if place != Path::new("/") => {}
                Ok(()) => {}
                Err(errno) => return Err(Error::place("make read-only", &place, errno)),
            }
        }
        Ok(())
    }
}

impl Processes {
    /// The first of them.
    ///
    /// # Errors
    /// What the system says.
    pub fn begin() -> Result<Processes, Error> {
        unshare(CloneFlags::CLONE_NEWPID).map_err(|errno| Error::system("make a PID namespace", errno))?;
        // It ends when nobody holds its input any more, so also when this process is killed.
        let first = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn();
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

/// The place of a mount and the kind of its file system (proc_pid_mountinfo(5)).
fn mounted(line: &str) -> Option<(PathBuf, &str)> {
    let (head, tail) = line.split_once(" - ")?;
    let place = head.split(' ').nth(4)?;
    Some((PathBuf::from(unescaped(place)?), tail.split(' ').next()?))
}

/// Blanks and the like are written as `\040`.
fn unescaped(text: &str) -> Option<String> {
    let mut pieces = text.split('\\');
    let mut bytes = pieces.next()?.as_bytes().to_vec();
    for piece in pieces {
        let (digits, rest) = piece.split_at_checked(3)?;
        bytes.push(u8::from_str_radix(digits, 8).ok()?);
        bytes.extend(rest.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

/// Copies files and directories as they are, by cp(1).
///
/// # Errors
/// What it says.
pub fn copy(what: &[PathBuf], to: &Path) -> Result<(), Error> {
    let output = Command::new("cp").args(["-a", "--"]).args(what).arg(to).stdin(Stdio::null()).output();
    let output: io::Result<std::process::Output> = output;
    let output = output.map_err(|error| Error::system("start cp(1)", error))?;
    if output.status.success() {
        return Ok(());
    }
    Err(Error::Program { program: "cp", said: super::said(&output) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_mounted_is_read() {
        let line = r"36 35 98:0 /mnt1 /mnt\0402/a rw,noatime master:1 - ext3 /dev/root rw,errors=continue";
        assert_eq!(mounted(line), Some((PathBuf::from("/mnt 2/a"), "ext3")));
        for line in ["", "36 35 98:0 / - ext3 x rw", r"36 35 98:0 / /a\9 rw - ext3 x rw"] {
            assert_eq!(mounted(line), None, "{line}");
        }
    }
}
