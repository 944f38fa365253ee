//! Whether the daemons of Postfix reach a socket, and whether somebody answers there.
//!
//! They connect as the user `mail_owner`, with its own group and no other one (set_ugid.c): to be put into the group of a
//! socket does not help that user. What it may do is asked of the system in its name, so that access lists count; a
//! security module that knows programs apart is not seen.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use nix::unistd::{Gid, Group, User, geteuid};

use crate::mta::program::{self, Bounds};

/// For one socket. The daemon answers in less than a thousandth of it.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the daemon is asked, as Postfix would: neither question is about a connector, so that no decision is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dialect {
    /// socketmap_table(5), for a parent domain.
    Socketmap,
    /// SMTPD_POLICY_README, for a client that has said nothing yet.
    Policy,
}

/// Why nobody is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unreached {
    /// A directory or the socket is not there.
    Missing(PathBuf),
    /// The user may not enter this directory, or not write to the socket.
    Closed(PathBuf, Opening),
    /// This is no socket.
    Other(PathBuf),
    /// Nobody listens.
    Refused,
    /// Who listens does not answer, or something else.
    Silent,
    /// It could not be looked at, and why.
    Unknown(String),
}

/// What lets the user in, and takes nothing from anybody whom somebody has let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opening {
    /// Nothing that is known to be right: a directory further up, or a socket for another group.
    Unknown,
    /// One more permission, in words of chmod(1).
    Mode(&'static str),
    /// This group in place of root's or the daemon's, and the permission for it.
    Group(String),
}

/// Sockets, as Postfix sees them.
pub trait Sockets {
    /// Connects to one, and asks.
    ///
    /// # Errors
    /// [`Unreached`].
    fn reach(&self, path: &Path, dialect: Dialect) -> Result<(), Unreached>;
}

/// The user that the daemons of Postfix run as.
#[derive(Debug)]
pub struct MailOwner {
    /// Its name.
    pub name: String,
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

impl MailOwner {
    /// Whether the user may connect to a socket.
    fn may_use(&self, socket: &Path) -> Result<(), Unreached> {
        let unknown = |reason: String| Unreached::Unknown(reason);
        let user = User::from_name(&self.name).ok().flatten();
        let user = user.ok_or_else(|| unknown(format!("there is no user {}", self.name)))?;
        let is_that_user = user.uid == geteuid();
        if !is_that_user && !geteuid().is_root() {
            return Err(unknown(format!("only root can look at it as {} does", self.name)));
        }
        let mut way: Vec<&Path> = socket.ancestors().collect();
        way.reverse();
        let mut command = Command::new("sh");
        command.args(["-c", WALK, "sh"]).args(&way).current_dir("/");
        if !is_that_user {
            command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
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
            ("missing", Some(path)) => Err(Unreached::Missing(path.to_path_buf())),
            ("closed", Some(path)) => {
                Err(Unreached::Closed(path.to_path_buf(), Opening::of(path, socket, &user)))
            }
            ("other", Some(path)) => Err(Unreached::Other(path.to_path_buf())),
            _ => Err(unknown("sh has failed".to_owned())),
        }
    }
}

impl Opening {
    fn of(closed: &Path, socket: &Path, user: &User) -> Opening {
        let Ok(found) = fs::metadata(closed) else { return Opening::Unknown };
        let is_its_own = user.uid.as_raw() == found.uid();
        let is_for_its_group = user.gid.as_raw() == found.gid();
        let is_top = closed.parent().is_none_or(|above| above.parent().is_none());
        if Some(closed) == socket.parent() && !is_top {
            // What is in there has its own permissions; in /root that is not to be relied on.
            return Opening::Mode(match (is_its_own, is_for_its_group) {
                (true, _) => "u+x",
                (false, true) => "g+x",
                (false, false) => "o+x",
            });
        }
        if closed != socket {
            return Opening::Unknown;
        }
        let by_id = |id| Group::from_gid(Gid::from_raw(id)).ok().flatten().map(|group| group.name);
        let is_nobody_s = found.gid() == 0 || by_id(found.gid()).is_some_and(|name| name == "connectord");
        match by_id(user.gid.as_raw()) {
            _ if is_its_own => Opening::Mode("u+rw"),
            _ if is_for_its_group => Opening::Mode("g+rw"),
            Some(group) if is_nobody_s => Opening::Group(group),
            _ => Opening::Unknown,
        }
    }
}

impl Sockets for MailOwner {
    fn reach(&self, path: &Path, dialect: Dialect) -> Result<(), Unreached> {
        let may_use = self.may_use(path);
        if !matches!(may_use, Ok(()) | Err(Unreached::Unknown(_))) {
            return may_use;
        }
        // A daemon that does not answer us does not answer that user either.
        ask(path, dialect, PATIENCE).and_then(|word| match word {
            Word::Right => may_use,
            Word::Closed => {
                let closed = || Unreached::Closed(path.to_path_buf(), Opening::Unknown);
                Err(may_use.err().unwrap_or_else(closed))
            }
        })
    }
}

/// What comes of asking with our own rights.
#[derive(Debug, PartialEq, Eq)]
enum Word {
    /// The answer.
    Right,
    /// We may not connect.
    Closed,
}

/// Connects with our own rights, and asks.
fn ask(path: &Path, dialect: Dialect, patience: Duration) -> Result<Word, Unreached> {
    let (question, expected): (&[u8], &[u8]) = match dialect {
        Dialect::Socketmap => (b"30:tls .connectord-doctor.invalid,", b"9:NOTFOUND ,"),
        Dialect::Policy => (b"request=smtpd_access_policy\nprotocol_state=CONNECT\n\n", b"action=DUNNO\n\n"),
    };
    let socket = path.to_path_buf();
    let answer = move || -> io::Result<bool> {
        let mut stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(patience))?;
        stream.set_write_timeout(Some(patience))?;
        stream.write_all(question)?;
        let mut answer = vec![0; expected.len()];
        stream.read_exact(&mut answer)?;
        Ok(answer == expected)
    };
    // To connect to somebody who accepts nobody any more takes as long as that lasts.
    let (sender, answered) = mpsc::channel();
    thread::spawn(move || sender.send(answer()));
    match answered.recv_timeout(patience) {
        Ok(Ok(true)) => Ok(Word::Right),
        Ok(Err(error)) if error.kind() == io::ErrorKind::PermissionDenied => Ok(Word::Closed),
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => Err(Unreached::Refused),
        Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => {
            Err(Unreached::Missing(path.to_path_buf()))
        }
        Ok(Ok(false) | Err(_)) | Err(_) => Err(Unreached::Silent),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use nix::sys::socket::{Backlog, listen};

    use super::*;

    const LITTLE: Duration = Duration::from_millis(100);

    #[test]
    fn who_accepts_nobody_is_silent() {
        let directory = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
        let path = directory.path().join("s");
        assert_eq!(ask(&path, Dialect::Policy, LITTLE), Err(Unreached::Missing(path.clone())));
        let listener = UnixListener::bind(&path).unwrap_or_else(|error| panic!("{error}"));
        let backlog = Backlog::new(0).unwrap_or_else(|error| panic!("{error}"));
        listen(&listener, backlog).unwrap_or_else(|error| panic!("{error}"));
        // The first waits for an answer, the others for being let in.
        for _ in 0..3 {
            assert_eq!(ask(&path, Dialect::Socketmap, LITTLE), Err(Unreached::Silent));
        }
        drop(listener);
        assert_eq!(ask(&path, Dialect::Policy, LITTLE), Err(Unreached::Refused));
    }

    #[test]
    fn a_dead_daemon_is_seen_by_whom_nobody_knows() {
        let directory = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
        let path = directory.path().join("s");
        let nobody = MailOwner { name: "no such user".to_owned() };
        let reach = || nobody.reach(&path, Dialect::Policy);
        assert_eq!(reach(), Err(Unreached::Missing(path.clone())));
        drop(UnixListener::bind(&path).unwrap_or_else(|error| panic!("{error}")));
        assert_eq!(reach(), Err(Unreached::Refused));
    }
}
