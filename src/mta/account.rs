//! Whether the user that an MTA runs as may connect to a socket: search every directory on the way, and write into the
//! socket (unix(7)).
//!
//! It is asked of the system in that user's name, with one group and no other, so that access lists count; a security
//! module that knows programs apart is not seen. Whoever is not root may not do that, and knows the modes.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::unistd::{Gid, Group, geteuid};

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
    Closed(PathBuf, Opening),
    /// This is no socket.
    Other(PathBuf),
    /// It could not be looked at, and why.
    Unknown(String),
}

/// What lets a user in, and takes nothing from anybody whom somebody has let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opening {
    /// Nothing that is known to be right: a directory further up, or a socket for another group.
    Unknown,
    /// One more permission, in words of chmod(1).
    Mode(&'static str),
    /// This group in place of root's or the daemon's, and the permission for it.
    Group(String),
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
        let mut command = Command::new("sh");
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
            ("closed", Some(path)) => Err(self.closed(path, socket)),
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
                return Err(self.closed(directory, socket));
            }
        }
        let found = fs::metadata(socket).map_err(|_| Barred::Missing(socket.to_path_buf()))?;
        if self.may(&found, 0o2) { Ok(()) } else { Err(self.closed(socket, socket)) }
    }

    fn may(self, file: &Metadata, permission: u32) -> bool {
        let shift = match self.class(file) {
            Class::Owner => 6,
            Class::Group => 3,
            Class::Others => 0,
        };
        self.user == 0 || (file.mode() >> shift) & permission != 0
    }

    fn class(self, file: &Metadata) -> Class {
        if self.user == file.uid() {
            Class::Owner
        } else if self.group == file.gid() {
            Class::Group
        } else {
            Class::Others
        }
    }

    fn closed(self, closed: &Path, socket: &Path) -> Barred {
        Barred::Closed(closed.to_path_buf(), self.opening(closed, socket))
    }

    /// What lets it in there, on the way to a socket.
    fn opening(self, closed: &Path, socket: &Path) -> Opening {
        let Ok(found) = fs::metadata(closed) else { return Opening::Unknown };
        let class = self.class(&found);
        let is_top = closed.parent().is_none_or(|above| above.parent().is_none());
        if Some(closed) == socket.parent() && !is_top {
            // What is in there has its own permissions; in /root that is not to be relied on.
            return Opening::Mode(match class {
                Class::Owner => "u+x",
                Class::Group => "g+x",
                Class::Others => "o+x",
            });
        }
        if closed != socket {
            return Opening::Unknown;
        }
        let by_id = |id| Group::from_gid(Gid::from_raw(id)).ok().flatten().map(|group| group.name);
        let is_nobody_s = found.gid() == 0 || by_id(found.gid()).is_some_and(|name| name == "connectord");
        match (class, by_id(self.group)) {
            (Class::Owner, _) => Opening::Mode("u+rw"),
            (Class::Group, _) => Opening::Mode("g+rw"),
            (Class::Others, Some(group)) if is_nobody_s => Opening::Group(group),
            (Class::Others, _) => Opening::Unknown,
        }
    }
}

/// Which of its permissions a file has for somebody.
#[derive(Clone, Copy)]
enum Class {
    Owner,
    Group,
    Others,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;
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
        let other = Account { user: 4_000_000_000, group: own.group };
        fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
        fs::set_permissions(&inner, Permissions::from_mode(0o755)).unwrap();
        assert_eq!(own.may_connect(&socket), Err(Barred::Missing(socket.clone())));
        assert_eq!(own.may_connect_by_modes(&socket), Err(Barred::Missing(socket.clone())));
        fs::write(&socket, "").unwrap();
        assert_eq!(own.may_connect(&socket), Err(Barred::Other(socket.clone())));
        fs::remove_file(&socket).unwrap();
        let _listener = UnixListener::bind(&socket).unwrap();
        for (directory, file, expected) in [
            (0o755, 0o620, Ok(())),
            (0o755, 0o602, Err((&socket, "g+rw"))),
            (0o707, 0o666, Err((&inner, "g+x"))),
        ] {
            fs::set_permissions(&socket, Permissions::from_mode(file)).unwrap();
            fs::set_permissions(&inner, Permissions::from_mode(directory)).unwrap();
            let expected = expected.map_err(|(at, mode)| Barred::Closed(at.clone(), Opening::Mode(mode)));
            assert_eq!(other.may_connect_by_modes(&socket), expected);
            if geteuid().is_root() {
                assert_eq!(other.may_connect(&socket), expected);
            }
            assert_eq!(own.may_connect(&socket), Ok(()));
        }
    }
}
