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

    /// The commands that let its group into a socket that the modes of the socket, or of its directory, keep it from.
    ///
    /// None where somebody has chosen another group than root's, the daemon's or the owner's own, and where root would have to
    /// touch what others can put a link in the place of: chgrp(1) and chmod(1) go where links lead. What is not root's is
    /// changed by whoever it belongs to, who has no more from a link than before.
    pub fn let_in(self, socket: &Path) -> Vec<String> {
        let parent = socket.parent().map(|parent| (parent, "g+x", 0o1));
        let mut commands = Vec::new();
        for (path, mode, permission) in parent.into_iter().chain([(socket, "g+rw", 0o2)]) {
            let Ok(found) = fs::symlink_metadata(path) else { return Vec::new() };
            if self.may(&found, permission) {
                continue;
            }
            let Some(given) = self.given(path, &found, mode) else { return Vec::new() };
            commands.extend(given);
        }
        commands
    }

    fn given(self, path: &Path, found: &Metadata, mode: &str) -> Option<Vec<String>> {
        let user = |id: u32| User::from_uid(Uid::from_raw(id)).ok().flatten();
        let owner = user(found.uid());
        let daemon = Group::from_name("connectord").ok().flatten().map(|group| group.gid.as_raw());
        let own = owner.as_ref().map(|owner| owner.gid.as_raw());
        let is_nobody_s = found.gid() == 0 || [daemon, own].contains(&Some(found.gid()));
        let is_its_own = found.gid() == self.group;
        let is_plain = found.file_type().is_socket() || found.is_dir();
        // Its owner has rights of his own, which those of the group do not touch.
        if !is_plain || self.user == found.uid() || !(is_nobody_s || is_its_own) {
            return None;
        }
        let group = Group::from_gid(Gid::from_raw(self.group)).ok().flatten();
        let group = group.map_or_else(|| self.group.to_string(), |group| group.name);
        let by = if found.uid() == 0 {
            path.ancestors().skip(1).all(is_root_s).then(String::new)?
        } else {
            let owner = owner.map_or_else(|| found.uid().to_string(), |owner| owner.name);
            format!("setpriv --reuid={owner} --regid={group} --clear-groups ")
        };
        let path = path.to_str().filter(|path| is_typed(path))?;
        let chgrp = (!is_its_own).then(|| format!("{by}chgrp {group} {path}"));
        Some(chgrp.into_iter().chain([format!("{by}chmod {mode} {path}")]).collect())
    }
}

/// Whether a directory, which is no link, is changed by root alone.
fn is_root_s(directory: &Path) -> bool {
    fs::symlink_metadata(directory)
        .is_ok_and(|found| found.is_dir() && found.uid() == 0 && found.mode() & 0o022 == 0)
}

/// Whether a shell reads a path as it is written. Others are left to people.
fn is_typed(path: &str) -> bool {
    path.starts_with('/') && path.chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c))
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
        set(directory.path(), 0o755);
        set(&socket, 0o600);
        let (at, within) = (socket.display(), directory.path().display());
        let given = [format!("chgrp 54321 {at}"), format!("chmod g+rw {at}")];
        assert_eq!(other.let_in(&socket), given);
        assert!(other.let_in(&link).is_empty());
        // A closed directory is given with it.
        set(directory.path(), 0o700);
        let door = [format!("chgrp 54321 {within}"), format!("chmod g+x {within}")];
        assert_eq!(other.let_in(&socket), [door, given.clone()].concat());
        set(directory.path(), 0o1777);
        assert!(other.let_in(&socket).is_empty());
        set(directory.path(), 0o755);
        // A group that somebody has chosen; its own one, that may do nothing.
        chown(&socket, None, Some(54_322)).unwrap();
        assert!(other.let_in(&socket).is_empty());
        chown(&socket, None, Some(54_321)).unwrap();
        assert_eq!(other.let_in(&socket), [format!("chmod g+rw {at}")]);
        // Somebody else's directory, and then all of it.
        chown(&socket, None, Some(0)).unwrap();
        chown(directory.path(), Some(54_322), None).unwrap();
        assert!(other.let_in(&socket).is_empty());
        chown(&socket, Some(54_322), None).unwrap();
        let by = "setpriv --reuid=54322 --regid=54321 --clear-groups";
        assert_eq!(other.let_in(&socket), given.map(|command| format!("{by} {command}")));
        set(&socket, 0o606);
        assert_eq!(other.let_in(&socket), Vec::<String>::new());
        let odd = directory.path().join("a b");
        let _listener = UnixListener::bind(&odd).unwrap();
        set(&odd, 0o600);
        assert!(other.let_in(&odd).is_empty());
    }
}
