//! Sockets of this machine that have a path. Who has the path reaches them, in any network namespace, and over a file
//! system that is read-only (unix(7)): a copy that must not talk to the daemons of this machine must not find them.
//!
//! They are those that the kernel names, of every network namespace that has a process here. What it does not say: a
//! path that was changed after bind(2), and the path here of a socket that another mount namespace has at another one.
//! Paths that the settings of the MTA name are looked at too ([`named`]), so that such a socket is found where
//! it matters.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use nix::errno::Errno;

/// Processes that are asked for what they see: with more there is no proof.
const PROCESSES: usize = 65_536;

/// Octets of one list: half a million sockets.
const LONGEST: u64 = 64 << 20;

/// Roots, and working directories, of processes: there a path is meant.
const PLACES: usize = 8192;

/// Paths that may lead to sockets of this machine. Many lead nowhere.
///
/// # Errors
/// A list cannot be read, or is too long.
pub fn of_this_machine() -> io::Result<BTreeSet<PathBuf>> {
    let (mut networks, mut paths) = (BTreeSet::new(), BTreeSet::new());
    let (mut roots, mut working) = (BTreeSet::from([PathBuf::from("/")]), BTreeSet::new());
    for (number, process) in fs::read_dir("/proc")?.enumerate() {
        let process = process?.path();
        if number > PROCESSES || roots.len() + working.len() > PLACES {
            return Err(io::Error::other("more processes than can be looked at"));
        }
        // Who has just ended has nothing any more, and what is no process never had.
        let Ok(network) = fs::read_link(process.join("ns/net")) else { continue };
        for (link, places) in [("root", &mut roots), ("cwd", &mut working)] {
            places.extend(fs::read_link(process.join(link)));
        }
        if networks.contains(&network) {
            continue;
        }
        let mut text = Vec::new();
        match File::open(process.join("net/unix"))
            .and_then(|file| file.take(LONGEST + 1).read_to_end(&mut text))
        {
            Ok(_) => {}
            // It ended between: another process of its network comes, or none is left.
            Err(error) if !process.exists() || ended(&error) => continue,
            Err(error) => return Err(error),
        }
        if u64::try_from(text.len()).is_ok_and(|length| length > LONGEST) {
            return Err(io::Error::other("more sockets than can be looked at"));
        }
        networks.insert(network);
        paths.extend(text.split(|octet| *octet == b'\n').filter_map(path).map(Path::to_owned));
    }
    let all = paths.iter().flat_map(|path| {
        // Of a process with another root it is a path there.
        let (below, places) =
            path.strip_prefix("/").map_or((path.as_path(), &working), |below| (below, &roots));
        places.iter().map(move |place| place.join(below))
    });
    Ok(all.collect())
}

/// Reading from /proc says so of a process that has ended.
fn ended(error: &io::Error) -> bool {
    error.raw_os_error().map(Errno::from_raw) == Some(Errno::ESRCH)
}

/// `ffff8f0e: 00000002 00000000 00010000 0001 01 21934 /run/x.sock`; none of an abstract name, and of what is no such
/// line: no setting can name a path with the end of a line in it.
fn path(line: &[u8]) -> Option<&Path> {
    let start = line.windows(2).position(|octets| octets == b" /").map(|blank| blank + 1);
    let path = match start {
        Some(start) => line.get(start..)?,
        // A relative one: the eighth field.
        None => line.split(|octet| *octet == b' ').filter(|field| !field.is_empty()).nth(7)?,
    };
    (!path.is_empty() && !path.starts_with(b"@")).then(|| Path::new(OsStr::from_bytes(path)))
}

/// Absolute paths that stand in a text, as settings and tables write them: `unix:/run/a.sock`, `hosts = unix:/run/b`.
pub fn named(text: &str) -> impl Iterator<Item = &Path> {
    let pieces = text.split(|c: char| c.is_whitespace() || ",:;=(){}<>\"'".contains(c));
    pieces.filter(|piece| piece.starts_with('/')).map(Path::new)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn a_line_has_a_path_or_none() {
        for (line, expected) in [
            ("0000: 00000002 00000000 00010000 0001 01 21934 /run/a b.sock", Some("/run/a b.sock")),
            ("0000: 00000002 00000000 00010000 0001 01 21934 private/smtp", Some("private/smtp")),
            ("0000: 00000002 00000000 00010000 0001 01 21934 @abstract", None),
            ("0000: 00000003 00000000 00000000 0001 03 21935", None),
            ("", None),
        ] {
            assert_eq!(path(line.as_bytes()), expected.map(Path::new), "{line}");
        }
    }

    #[test]
    fn a_socket_of_this_machine_is_among_them() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.sock");
        let _listener = UnixListener::bind(&path).unwrap();
        assert!(of_this_machine().unwrap().contains(&path));
    }

    #[test]
    fn settings_name_paths() {
        let text = "hash:/etc/a, socketmap:unix:/srv/x.sock:tls inline:{{a=/b}} proxy:mysql:/etc/c.cf etc/d";
        let found: Vec<&str> = named(text).filter_map(Path::to_str).collect();
        assert_eq!(found, ["/etc/a", "/srv/x.sock", "/b", "/etc/c.cf"]);
    }
}
