//! A daemon in the place of ours: it answers as ours does, and misbehaves where it is told to.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;

use nix::sys::socket::{MsgFlags, recv, shutdown};

/// The longest question of the lab.
const LONGEST: usize = 64 * 1024;

/// What is said instead of an answer, and how the connection ends.
#[derive(Clone)]
pub struct Fault {
    says: Vec<u8>,
    then: Ending,
}

#[derive(Clone, Copy)]
enum Ending {
    Close,
    /// With the question unread: the kernel resets the connection.
    Reset,
    Never,
}

impl Fault {
    /// Says this and closes the connection.
    pub fn says(bytes: impl Into<Vec<u8>>) -> Fault {
        Fault { says: bytes.into(), then: Ending::Close }
    }

    /// Says this and resets the connection.
    pub fn resets(bytes: impl Into<Vec<u8>>) -> Fault {
        Fault { says: bytes.into(), then: Ending::Reset }
    }

    /// Says this and keeps the connection.
    pub fn hangs(bytes: impl Into<Vec<u8>>) -> Fault {
        Fault { says: bytes.into(), then: Ending::Never }
    }
}

/// A question that came.
#[derive(Debug)]
pub struct Question<'q> {
    /// `out`, `cert` or `in`
    pub verb: &'q str,
    /// The recipient's domain outbound, the sender's inbound.
    pub domain: &'q str,
    /// Asked by an ACL at RCPT.
    pub names_recipient: bool,
    /// How often this verb has asked about this domain before.
    pub before: usize,
}

impl<'q> Question<'q> {
    fn of(line: &'q str) -> Question<'q> {
        let verb = line.split(' ').next().unwrap_or_default();
        let value = |key: &str| {
            let (_, behind) = line.split_once(key).unwrap_or_default();
            behind.split([' ', '\n']).next().unwrap_or_default().trim_matches('"')
        };
        let sender = || value(" sender=").rsplit('@').next().unwrap_or_default();
        let domain = if verb == "in" { sender() } else { value(" domain=") };
        Question { verb, domain, names_recipient: line.contains(" recipient="), before: 0 }
    }
}

/// Who decides about a question: a fault, or the answer of the real daemon.
type Plan = dyn Fn(&Question<'_>) -> Option<Fault> + Send + Sync;

struct Shared {
    behind: PathBuf,
    plan: Box<Plan>,
    asked: Mutex<BTreeMap<String, usize>>,
    /// Connections that are never closed.
    open: Mutex<Vec<UnixStream>>,
}

/// Listens until it is dropped; then its socket is gone.
pub struct Impostor {
    listener: UnixListener,
    path: PathBuf,
    shared: Arc<Shared>,
}

impl Impostor {
    /// Listens at `path`; the real daemon is `behind`.
    pub fn start(
        path: &Path,
        behind: &Path,
        plan: impl Fn(&Question<'_>) -> Option<Fault> + Send + Sync + 'static,
    ) -> Impostor {
        let listener = UnixListener::bind(path).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o666)).unwrap();
        let shared = Arc::new(Shared {
            behind: behind.to_owned(),
            plan: Box::new(plan),
            asked: Mutex::default(),
            open: Mutex::default(),
        });
        let impostor = Impostor { listener: listener.try_clone().unwrap(), path: path.to_owned(), shared };
        let shared = impostor.shared.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                // Fails when the listener was shut down.
                let Ok(stream) = stream else { return };
                let shared = shared.clone();
                // Exim does not wait for the end of everything that is said here.
                thread::spawn(move || shared.answer(stream));
            }
        });
        impostor
    }

    /// How often each `VERB DOMAIN` was asked.
    pub fn asked(&self) -> BTreeMap<String, usize> {
        self.shared.asked.lock().unwrap().clone()
    }
}

impl Drop for Impostor {
    fn drop(&mut self) {
        let _ = shutdown(self.listener.as_raw_fd(), nix::sys::socket::Shutdown::Both);
        fs::remove_file(&self.path).unwrap();
    }
}

impl Shared {
    fn answer(&self, mut stream: UnixStream) -> io::Result<()> {
        let line = peek(&stream)?;
        let mut question = Question::of(&line);
        {
            let mut asked = self.asked.lock().unwrap();
            let times = asked.entry(format!("{} {}", question.verb, question.domain)).or_default();
            question.before = *times;
            *times += 1;
        }
        let Some(Fault { says, then }) = (self.plan)(&question) else {
            return self.relay(&mut stream);
        };
        if !matches!(then, Ending::Reset) {
            io::copy(&mut (&stream).take(line.len().try_into().unwrap()), &mut io::sink())?;
        }
        stream.write_all(&says)?;
        if matches!(then, Ending::Never) {
            self.open.lock().unwrap().push(stream);
        }
        Ok(())
    }

    fn relay(&self, stream: &mut UnixStream) -> io::Result<()> {
        let mut daemon = UnixStream::connect(&self.behind)?;
        let mut question = Vec::new();
        stream.read_to_end(&mut question)?;
        daemon.write_all(&question)?;
        daemon.shutdown(Shutdown::Write)?;
        let mut answer = Vec::new();
        daemon.read_to_end(&mut answer)?;
        stream.write_all(&answer)
    }
}

/// The question, which stays unread.
fn peek(stream: &UnixStream) -> io::Result<String> {
    let mut buffer = vec![0; LONGEST];
    loop {
        let length = recv(stream.as_raw_fd(), &mut buffer, MsgFlags::MSG_PEEK)?;
        let line = &buffer[..length];
        if length == 0 || line.ends_with(b"\n") {
            return Ok(String::from_utf8_lossy(line).into_owned());
        }
        thread::yield_now();
    }
}
