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

use nix::unistd::{Gid, Group, Uid, User, geteuid};

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

    /// The commands that let its group into a socket that the modes keep it from: those of the socket, or of its directory.
    /// `closed` is what was found to be [closed](Barred::Closed).
    ///
    /// None where somebody has chosen another group than root's, the daemon's or the owner's own, where the daemon would
    /// lose what it has by its group, and where root would have to touch what others can put a link in the place of:
    /// chmod(1) goes where a link leads. What is not root's is changed by whoever it belongs to. The MTA's group is lent to
    /// chgrp(1) alone, which is told to stay with a link: chmod(1) with that group could leave a setgid program behind.
    pub fn let_in(self, socket: &Path, closed: &Path) -> Vec<String> {
        let parent = socket.parent();
        if closed != socket && Some(closed) != parent {
            return Vec::new();
        }
        let mut commands = Vec::new();
        for path in parent.into_iter().chain([socket]) {
            let Ok(found) = fs::symlink_metadata(path) else { return Vec::new() };
            if self.may(&found, if found.is_dir() { 0o1 } else { 0o2 }) {
                continue;
            }
            let Some(given) = self.given(path, &found) else { return Vec::new() };
            commands.extend(given);
        }
        commands
    }

    fn given(self, path: &Path, found: &Metadata) -> Option<Vec<String>> {
        let owner = User::from_uid(Uid::from_raw(found.uid())).ok().flatten();
        let daemon = Group::from_name("connectord").ok().flatten().map(|group| group.gid.as_raw());
        let own = owner.as_ref().map(|owner| owner.gid.as_raw());
        let is_its_own = found.gid() == self.group;
        let is_owner_s = own == Some(found.gid());
        // In a directory the daemon may be by its group.
        let is_nobody_s = found.gid() == 0 || is_owner_s || !found.is_dir() && daemon == Some(found.gid());
        let is_plain = found.file_type().is_socket() || found.is_dir();
        // Its owner has rights of his own, which those of the group do not touch.
        if !is_plain || self.user == found.uid() || !(is_nobody_s || is_its_own) {
            return None;
        }
        // No more than is needed, whatever another group had.
        let needed = if found.is_dir() { 0o010 } else { 0o060 };
        let mode = format!("{:04o}", found.mode() & 0o707 | needed);
        let group = group_name(self.group);
        let (own, lent) = if found.uid() == 0 {
            path.ancestors().skip(1).all(is_root_s).then(|| (String::new(), String::new()))?
        } else {
            let by = |group: &str| {
                let owner = owner.as_ref().map(|owner| owner.name.clone()).filter(|name| is_typed(name));
                let owner = owner.unwrap_or_else(|| found.uid().to_string());
                format!("setpriv --reuid={owner} --regid={group} --clear-groups ")
            };
            (by(&group_name(own.unwrap_or_else(|| found.gid()))), by(&group))
        };
        let path = path.to_str().filter(|path| path.starts_with('/') && is_typed(path))?;
        let chgrp = (!is_its_own).then(|| format!("{lent}chgrp -h {group} {path}"));
        Some([format!("{own}chmod {mode} {path}")].into_iter().chain(chgrp).collect())
    }
}

/// The name of a group, or its number where a shell could read the name in another way.
fn group_name(id: u32) -> String {
    let group = Group::from_gid(Gid::from_raw(id)).ok().flatten().map(|group| group.name);
    group.filter(|name| is_typed(name)).unwrap_or_else(|| id.to_string())
}

/// Whether a directory, which is no link, is changed by root alone.
fn is_root_s(directory: &Path) -> bool {
    fs::symlink_metadata(directory).is_ok_and(|found| {
        let others = if found.gid() == 0 { 0o002 } else { 0o022 };
        found.is_dir() && found.uid() == 0 && found.mode() & others == 0
    })
}

/// Whether a shell reads a word as it is written, and no program takes it for an option. Others are left to people.
fn is_typed(word: &str) -> bool {
    !word.starts_with('-') && word.chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c))
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

    /// Root touches nothing that somebody else may have put a link to something else in the place of.
    #[test]
    fn only_what_nobody_has_chosen_is_given() {
        if !geteuid().is_root() {
            return;
        }
        let other = Account { user: 54_321, group: 54_321 };
        let directory = tempfile::tempdir_in("/run").unwrap();
        let [socket, link] = ["s", "l"].map(|name| directory.path().join(name));
        let _listener = UnixListener::bind(&socket).unwrap();
        symlink(&socket, &link).unwrap();
        let set = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        let let_in = |socket: &Path| other.let_in(socket, socket);
        let is_given = |expected: &[&str]| {
            let given = let_in(&socket);
            let at = |command: &str| {
                command
                    .replace("DIR", directory.path().to_str().unwrap())
                    .replace("SOCKET", socket.to_str().unwrap())
            };
            assert_eq!(given, expected.iter().map(|command| at(command)).collect::<Vec<_>>());
            for command in &given {
                assert!(Command::new("sh").args(["-ec", command]).status().unwrap().success(), "{command}");
            }
            assert_eq!(other.may_connect(&socket).is_ok(), !given.is_empty());
        };
        set(directory.path(), 0o755);
        set(&socket, 0o600);
        assert!(let_in(&link).is_empty());
        assert!(other.let_in(&socket, Path::new("/run")).is_empty());
        is_given(&["chmod 0660 SOCKET", "chgrp -h 54321 SOCKET"]);
        // A closed directory is given with it, and only that to a group which could do more.
        chown(&socket, None, Some(0)).unwrap();
        set(directory.path(), 0o770);
        is_given(&["chmod 0710 DIR", "chgrp -h 54321 DIR", "chmod 0660 SOCKET", "chgrp -h 54321 SOCKET"]);
        chown(directory.path(), None, Some(0)).unwrap();
        chown(&socket, None, Some(0)).unwrap();
        set(directory.path(), 0o1777);
        is_given(&[]);
        set(directory.path(), 0o755);
        // A group that somebody has chosen; its own one, that may do nothing.
        chown(&socket, None, Some(54_322)).unwrap();
        is_given(&[]);
        chown(&socket, None, Some(54_321)).unwrap();
        set(&socket, 0o600);
        is_given(&["chmod 0660 SOCKET"]);
        // Somebody else's directory, and then all of it.
        chown(&socket, None, Some(0)).unwrap();
        chown(directory.path(), Some(54_322), None).unwrap();
        is_given(&[]);
        chown(&socket, Some(54_322), None).unwrap();
        is_given(&[
            "setpriv --reuid=54322 --regid=root --clear-groups chmod 0660 SOCKET",
            "setpriv --reuid=54322 --regid=54321 --clear-groups chgrp -h 54321 SOCKET",
        ]);
        let odd = directory.path().join("a b");
        let _listener = UnixListener::bind(&odd).unwrap();
        set(&odd, 0o600);
        assert!(let_in(&odd).is_empty());
    }
}
