//! What is mounted here, from proc_pid_mountinfo(5). What cannot be read there is an error: a mount that nobody knows of
//! would stay writable.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::mount::MsFlags;

/// A mount.
#[derive(Debug, PartialEq, Eq)]
pub struct Mounted {
    /// Its number.
    id: u64,
    /// Where it is.
    pub place: PathBuf,
    /// What it forbids, and must go on forbidding.
    pub flags: MsFlags,
    /// The kind of its file system.
    pub kind: String,
}

/// All mounts that this thread sees, each before those on it.
///
/// # Errors
/// They cannot be read.
pub fn all() -> io::Result<Vec<Mounted>> {
    let text = fs::read("/proc/thread-self/mountinfo")?;
    let lines = text.split(|octet| *octet == b'\n').filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let unreadable = || format!("no line of mountinfo: {}", String::from_utf8_lossy(line));
            Mounted::parse(line).ok_or_else(|| io::Error::other(unreadable()))
        })
        .collect()
}

impl Mounted {
    /// `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue`
    fn parse(line: &[u8]) -> Option<Mounted> {
        let mut fields = line.split(|octet| *octet == b' ');
        let id = std::str::from_utf8(fields.next()?).ok()?.parse().ok()?;
        let place = unescaped(fields.nth(3)?)?;
        let options = fields.next()?;
        fields.find(|field| *field == b"-")?;
        let kind = String::from_utf8(fields.next()?.to_vec()).ok()?;
        let mut flags = MsFlags::empty();
        for option in options.split(|octet| *octet == b',') {
            flags |= match option {
                b"nosuid" => MsFlags::MS_NOSUID,
                b"nodev" => MsFlags::MS_NODEV,
                b"noexec" => MsFlags::MS_NOEXEC,
                // Times of access stay as they are where a new mount says nothing of them (mount(2)).
                _ => MsFlags::empty(),
            };
        }
        Some(Mounted { id, place: PathBuf::from(OsString::from_vec(place)), flags, kind })
    }

    /// Whether its path leads to it: another mount may be on it, or on a directory above.
    ///
    /// # Errors
    /// What the system says.
    pub fn is_reached(&self) -> io::Result<bool> {
        let flags = (OFlag::O_PATH | OFlag::O_NOFOLLOW).bits();
        let opened = File::options().read(true).custom_flags(flags).open(&self.place);
        let file = match opened.map_err(|error| (error.raw_os_error().map(Errno::from_raw), error)) {
            Ok(file) => file,
            Err((Some(Errno::ENOENT | Errno::ENOTDIR), _)) => return Ok(false),
            Err((_, error)) => return Err(error),
        };
        let about = fs::read_to_string(format!("/proc/thread-self/fdinfo/{}", file.as_raw_fd()))?;
        let id = about.lines().find_map(|line| line.strip_prefix("mnt_id:")?.trim().parse::<u64>().ok());
        Ok(id.ok_or_else(|| io::Error::other("no mnt_id in fdinfo"))? == self.id)
    }
}

/// Blanks and the like are written as `\040`.
fn unescaped(text: &[u8]) -> Option<Vec<u8>> {
    let mut pieces = text.split(|octet| *octet == b'\\');
    let mut octets = pieces.next()?.to_vec();
    for piece in pieces {
        let (digits, rest) = piece.split_at_checked(3)?;
        octets.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok()?);
        octets.extend(rest);
    }
    Some(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_is_read() {
        let line =
            br"36 35 98:0 /mnt1 /mnt\0402/a rw,nosuid,noexec,noatime master:1 - ext3 /dev/root rw,errors=continue";
        let expected = Mounted {
            id: 36,
            place: PathBuf::from("/mnt 2/a"),
            flags: MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC,
            kind: "ext3".to_owned(),
        };
        assert_eq!(Mounted::parse(line), Some(expected));
        for line in [
            &b""[..],
            b"36 35 98:0 / - ext3 x rw",
            br"36 35 98:0 / /a\9 rw - ext3 x rw",
            b"x 1 8:0 / / rw - a",
        ] {
            assert_eq!(Mounted::parse(line), None, "{}", String::from_utf8_lossy(line));
        }
    }

    #[test]
    fn what_is_mounted_is_reached_and_nothing_else() {
        let all = all().expect("this machine has mounts");
        let last = all.iter().rfind(|mount| mount.place == *"/proc").expect("there is /proc");
        assert!(last.is_reached().expect("it can be opened"));
        let elsewhere = Mounted {
            id: u64::MAX,
            place: PathBuf::from("/proc"),
            ..Mounted::parse(b"1 1 8:0 / / rw - a").expect("it is one")
        };
        assert!(!elsewhere.is_reached().expect("it can be opened"));
        let gone = Mounted { place: PathBuf::from("/nowhere/at/all"), ..elsewhere };
        assert!(!gone.is_reached().expect("there is nothing to open"));
    }
}
