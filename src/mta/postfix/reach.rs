//! Whether the daemons of Postfix reach a socket, and whether somebody answers there.
//!
//! They connect as the user `mail_owner`, with its own group and no other one (set_ugid.c): to be put into the group of a
//! socket does not help that user.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use nix::unistd::{User, geteuid};

use crate::mta::account::{Account, Barred};

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
    Closed(PathBuf),
    /// This is no socket.
    Other(PathBuf),
    /// Nobody listens.
    Refused,
    /// Who listens does not answer, or something else.
    Silent,
    /// It could not be looked at, and why.
    Unknown(String),
}

/// Sockets, as Postfix sees them.
pub trait Sockets {
    /// Connects to one, and asks.
    ///
    /// # Errors
    /// [`Unreached`].
    fn reach(&self, path: &Path, dialect: Dialect) -> Result<(), Unreached>;

    /// The commands that let Postfix into one that is closed to it [there](Unreached::Closed), if there are such.
    fn let_in(&self, path: &Path, closed: &Path) -> Vec<String>;
}

/// The user that the daemons of Postfix run as.
#[derive(Debug)]
pub struct MailOwner {
    /// Its name.
    pub name: String,
}

impl MailOwner {
    fn account(&self) -> Option<Account> {
        let user = User::from_name(&self.name).ok().flatten()?;
        Some(Account { user: user.uid.as_raw(), group: user.gid.as_raw() })
    }

    /// Whether the user may connect to a socket.
    fn may_use(&self, socket: &Path) -> Result<(), Unreached> {
        let unknown = |reason: String| Unreached::Unknown(reason);
        let account = self.account().ok_or_else(|| unknown(format!("there is no user {}", self.name)))?;
        if account.user != geteuid().as_raw() && !geteuid().is_root() {
            return Err(unknown(format!("only root can look at it as {} does", self.name)));
        }
        account.may_connect(socket).map_err(|barred| match barred {
            Barred::Missing(path) => Unreached::Missing(path),
            Barred::Closed(path) => Unreached::Closed(path),
            Barred::Other(path) => Unreached::Other(path),
            Barred::Unknown(reason) => Unreached::Unknown(reason),
        })
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
            Word::Closed => Err(may_use.err().unwrap_or_else(|| Unreached::Closed(path.to_path_buf()))),
        })
    }

    fn let_in(&self, path: &Path, closed: &Path) -> Vec<String> {
        self.account().map(|account| account.let_in(path, closed)).unwrap_or_default()
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
