//! Whether the user that an MTA runs as may connect to a socket: search every directory on the way, and write into the
//! socket (unix(7)).
//!
//! It is asked of the system in that user's name, with one group and no other, so that access lists count; a security
//! module that knows programs apart is not seen. Whoever is not root may not do that, and knows the modes.

use std::fs::{self, Metadata};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::unistd::{Group, geteuid};

use super::program::{self, Bounds};

/// For one socket. Only a file system that does not answer takes long.
const PATIENCE: Duration = Duration::from_secs(5);

/// A user with its group.
#[derive(Clone, Copy, Debug)]
pub struct Account {
    /// The number of the user.
    pub user: u32,
    /// That of the group.
    pub group: u32,
}

/// What keeps it from a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Barred {
    /// A directory or the socket is not there.
    Missing(PathBuf),
    /// It may not search this directory, or not write into the socket.
    Closed(PathBuf),
    /// This is no socket.
    Other(PathBuf),
    /// It could not be looked at, and why.
    Unknown(String),
}

/// Goes along directories, and then to the socket: which is the first that its user cannot use, and why.
const WALK: &str = r#"
at=0
for path; do
    [ -e "$path" ] || { echo "missing $at"; exit; }
    [ $# -gt $((at + 1)) ] && { [ -x "$path" ] || { echo "closed $at"; exit; }; }
    at=$((at + 1))
done
[ -S "$path" ] || { echo "other $((at - 1))"; exit; }
[ -w "$path" ] || { echo "closed $((at - 1))"; exit; }
echo reached
"#;

impl Account {
    /// Asks the system, in its name.
    ///
    /// # Errors
    /// [`Barred`].
    pub fn may_connect(self, socket: &Path) -> Result<(), Barred> {
        let unknown = |reason: String| Barred::Unknown(reason);
        let mut way: Vec<&Path> = socket.ancestors().collect();
        way.reverse();
        let mut command = Command::new("/bin/sh");
        // What root has in its environment is nothing for that user.
        command.env_clear().env("PATH", "/usr/bin:/bin");
        command.args(["-c", WALK, "sh"]).args(&way).current_dir("/");
        if self.user != geteuid().as_raw() {
            command.uid(self.user).gid(self.group);
        }
        let bounds = Bounds { patience: PATIENCE, octets: 1024 };
        let ended = program::run(&mut command, Vec::new(), bounds).map_err(|failed| match failed {
            program::Error::Run(error) => unknown(error.to_string()),
            program::Error::Failed(said) => unknown(said),
            program::Error::Hangs | program::Error::Long => {
                unknown("the file system does not answer".to_owned())
            }
        })?;
        let (word, at) = ended.out.trim().split_once(' ').unwrap_or((ended.out.trim(), ""));
        let place = at.parse::<usize>().ok().and_then(|at| way.get(at));
        match (word, place) {
            ("reached", _) => Ok(()),
            ("missing", Some(path)) => Err(Barred::Missing(path.to_path_buf())),
            ("closed", Some(path)) => Err(Barred::Closed(path.to_path_buf())),
            ("other", Some(path)) => Err(Barred::Other(path.to_path_buf())),
            _ => Err(unknown("sh has failed".to_owned())),
        }
    }

    /// Goes by the modes.
    ///
    /// # Errors
    /// [`Barred`].
    pub fn may_connect_by_modes(self, socket: &Path) -> Result<(), Barred> {
        let mut way: Vec<&Path> = socket.ancestors().skip(1).collect();
        way.reverse();
        for directory in way {
            let found = fs::metadata(directory).map_err(|_| Barred::Missing(directory.to_path_buf()))?;
            if !self.may(&found, 0o1) {
                return Err(Barred::Closed(directory.to_path_buf()));
            }
        }
        let found = fs::metadata(socket).map_err(|_| Barred::Missing(socket.to_path_buf()))?;
        if self.may(&found, 0o2) { Ok(()) } else { Err(Barred::Closed(socket.to_path_buf())) }
    }

    fn may(self, file: &Metadata, permission: u32) -> bool {
        let shift = if self.user == file.uid() {
            6
        } else if self.group == file.gid() {
            3
        } else {
            0
        };
        self.user == 0 || (file.mode() >> shift) & permission != 0
    }

    /// Whether root can give a socket that it may not use to its group: the modes say that the socket alone keeps it out,
    /// the group is root's or the daemon's, which nobody has chosen, and nobody but root can put a link to something else
    /// in its place before that is done, for chgrp(1) and chmod(1) go where links lead.
    pub fn can_be_given(self, socket: &Path) -> bool {
        let Ok(found) = fs::symlink_metadata(socket) else { return false };
        let daemon = Group::from_name("connectord").ok().flatten().map(|group| group.gid.as_raw());
        let is_nobody_s = found.gid() == 0 || Some(found.gid()) == daemon;
        found.file_type().is_socket()
            && self.user != found.uid()
            && is_nobody_s
            && self.may_connect_by_modes(socket) == Err(Barred::Closed(socket.to_path_buf()))
            && socket.ancestors().skip(1).all(is_root_s)
    }
}

/// Whether a directory, which is no link, is changed by root alone.
fn is_root_s(directory: &Path) -> bool {
    fs::symlink_metadata(directory)
        .is_ok_and(|found| found.is_dir() && found.uid() == 0 && found.mode() & 0o022 == 0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
    use std::os::unix::net::UnixListener;

    use nix::unistd::getegid;

    use super::*;

    /// Both ways of knowing, of whoever runs this, who is not root to the second.
    #[test]
    fn the_first_that_is_closed_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let inner = directory.path().join("a");
        fs::create_dir(&inner).unwrap();
        let socket = inner.join("s");
        let own = Account { user: geteuid().as_raw(), group: getegid().as_raw() };
        let other = Account { user: 54_321, group: own.group };
        fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
        fs::set_permissions(&inner, Permissions::from_mode(0o755)).unwrap();
        assert_eq!(own.may_connect(&socket), Err(Barred::Missing(socket.clone())));
        assert_eq!(own.may_connect_by_modes(&socket), Err(Barred::Missing(socket.clone())));
        fs::write(&socket, "").unwrap();
        assert_eq!(own.may_connect(&socket), Err(Barred::Other(socket.clone())));
        fs::remove_file(&socket).unwrap();
        let _listener = UnixListener::bind(&socket).unwrap();
        for (directory, file, expected) in
            [(0o755, 0o620, Ok(())), (0o755, 0o602, Err(&socket)), (0o707, 0o666, Err(&inner))]
        {
            fs::set_permissions(&socket, Permissions::from_mode(file)).unwrap();
            fs::set_permissions(&inner, Permissions::from_mode(directory)).unwrap();
            let expected = expected.map_err(|at| Barred::Closed(at.clone()));
            assert_eq!(other.may_connect_by_modes(&socket), expected);
            if geteuid().is_root() {
                assert_eq!(other.may_connect(&socket), expected);
            }
            assert_eq!(own.may_connect(&socket), Ok(()));
        }
    }

    /// Somebody else's directory, or one that others write into, may have another thing there tomorrow.
    #[test]
    fn only_what_is_root_s_alone_can_be_given() {
        if !geteuid().is_root() {
            return;
        }
        let other = Account { user: 54_321, group: 54_321 };
        let directory = tempfile::tempdir_in("/run").unwrap();
        fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
        let [socket, link] = ["s", "l"].map(|name| directory.path().join(name));
        let _listener = UnixListener::bind(&socket).unwrap();
        symlink(&socket, &link).unwrap();
        fs::set_permissions(&socket, Permissions::from_mode(0o600)).unwrap();
        assert!(other.can_be_given(&socket));
        assert!(!other.can_be_given(&link));
        chown(directory.path(), Some(54_322), None).unwrap();
        assert!(!other.can_be_given(&socket));
        chown(directory.path(), Some(0), None).unwrap();
        fs::set_permissions(directory.path(), Permissions::from_mode(0o1777)).unwrap();
        assert!(!other.can_be_given(&socket));
        fs::set_permissions(directory.path(), Permissions::from_mode(0o700)).unwrap();
        assert!(!other.can_be_given(&socket));
        fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
        chown(&socket, None, Some(54_322)).unwrap();
        assert!(!other.can_be_given(&socket));
    }
}
