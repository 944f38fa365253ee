//! What the copy of an MTA says of each probe: its log, which comes to a socket of ours, or is in files of the copy.

use std::collections::{HashMap, VecDeque};
use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::closing::Closing;

/// Lines that are kept for whoever asks why nothing works.
const LINES: usize = 20;

/// Recipients whose fates are kept: more than a round has probes.
const RECIPIENTS: usize = 100_000;

/// Fates of one recipient, which may be an alias of several.
const FATES: usize = 10;

/// Characters of a reason that are kept: enough to know it again.
const WORDS: usize = 300;

/// Connections that nobody took, of one fate; each with so many characters before.
const REFUSALS: usize = 8;
const PLACE: usize = 100;

/// What an MTA says of such a connection, from strerror(3).
const REFUSED: &str = "Connection refused";

/// Octets of a file that are read at once.
const MOST: u64 = 16 << 20;

/// How long it takes at most to see that it is over.
const LOOK: Duration = Duration::from_millis(100);

/// How a delivery ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was delivered, to whomever.
    Sent,
    /// It failed for good.
    Returned,
    /// It is tried again.
    Waits,
}

/// What an MTA did with a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fate {
    /// How it ended.
    pub outcome: Outcome,
    /// Why, in words of the MTA.
    pub reason: String,
    /// Connections that nobody took.
    pub refused: Vec<Refusal>,
}

/// A connection that nobody took: every address is served, so it was to a port that nobody foresaw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The port, if the MTA says it.
    pub port: Option<u16>,
    /// What it says.
    pub words: String,
}

impl Fate {
    fn new(outcome: Outcome, reason: &str) -> Fate {
        // Of the whole of it: what came of each host stands before what that means.
        let mut places: Vec<&str> = reason.split(REFUSED).collect();
        places.pop();
        let refused = places.into_iter().take(REFUSALS).map(Refusal::behind).collect();
        Fate { outcome, reason: reason.chars().take(WORDS).collect(), refused }
    }

    /// A probe that was delivered.
    pub fn sent(reason: &str) -> Fate {
        Fate::new(Outcome::Sent, reason)
    }

    /// A probe that failed for good.
    pub fn returned(reason: &str) -> Fate {
        Fate::new(Outcome::Returned, reason)
    }

    /// A probe that is tried again.
    pub fn waits(reason: &str) -> Fate {
        Fate::new(Outcome::Waits, reason)
    }
}

impl Refusal {
    /// `connect to relay.example[198.18.1.1]:2525: Connection refused` (Postfix, smtp_connect.c:smtp_connect_sock), and
    /// `H=relay.example [198.18.1.1]:2525 Connection refused` (Exim, with the selector `outgoing_port`).
    fn behind(place: &str) -> Refusal {
        let port = place.trim_end_matches([':', ' ']).rsplit_once("]:");
        let port = port.and_then(|(_, port)| port.parse().ok());
        let last = place.char_indices().rev().take(PLACE).last().map_or(0, |(at, _)| at);
        Refusal { port, words: format!("{}{REFUSED}", place.get(last..).unwrap_or_default()) }
    }
}

/// What a line tells.
pub struct Heard {
    /// The recipient, and what it stood for.
    pub recipients: Vec<String>,
    /// What became of the mail.
    pub fate: Fate,
}

/// What understands the lines of an MTA.
pub trait Reader: Send {
    /// What this line, after those before it, tells of a recipient, if anything.
    fn read(&mut self, line: &str) -> Option<Heard>;
}

/// The log so far.
#[derive(Clone)]
pub struct Log(Arc<Mutex<SoFar>>);

struct SoFar {
    reader: Box<dyn Reader>,
    fates: HashMap<String, Vec<Fate>>,
    last: VecDeque<String>,
    /// How far each file is read.
    files: HashMap<PathBuf, u64>,
}

impl Log {
    /// Nothing is heard yet.
    pub fn new(reader: Box<dyn Reader>) -> Log {
        let (fates, last, files) = Default::default();
        Log(Arc::new(Mutex::new(SoFar { reader, fates, last, files })))
    }

    /// Listens at a path, where syslog(3) writes to.
    ///
    /// # Errors
    /// What the system says.
    pub fn listen(&self, path: &Path, closing: Closing) -> io::Result<()> {
        let socket = UnixDatagram::bind(path)?;
        // Every user of this machine may log.
        fs::set_permissions(path, fs::Permissions::from_mode(0o666))?;
        socket.set_read_timeout(Some(LOOK))?;
        let log = self.clone();
        thread::spawn(move || {
            let mut line = [0; 8192];
            while !closing.is_set() {
                let Ok(length) = socket.recv(&mut line) else { continue };
                log.so_far().add(&String::from_utf8_lossy(line.get(..length).unwrap_or_default()));
            }
        });
        Ok(())
    }

    /// Reads what these files have more than before, in whole lines. What cannot be read is not there yet.
    pub fn catch_up(&self, files: &[PathBuf]) {
        let mut so_far = self.so_far();
        for path in files {
            let from = so_far.files.get(path).copied().unwrap_or_default();
            let Ok(octets) = behind(path, from) else { continue };
            let whole = octets.iter().rposition(|octet| *octet == b'\n').map_or(0, |last| last + 1);
            let (lines, _) = octets.split_at(whole);
            String::from_utf8_lossy(lines).lines().for_each(|line| so_far.add(line));
            so_far.files.insert(path.clone(), from.saturating_add(u64::try_from(whole).unwrap_or_default()));
        }
    }

    /// What became of the mail to this address, and to those that it stands for.
    pub fn fates(&self, recipient: &str) -> Vec<Fate> {
        self.so_far().fates.get(recipient).cloned().unwrap_or_default()
    }

    /// The last lines.
    pub fn last(&self) -> String {
        self.so_far().last.iter().map(|line| format!("{}\n", line.trim_end())).collect()
    }

    fn so_far(&self) -> MutexGuard<'_, SoFar> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SoFar {
    fn add(&mut self, line: &str) {
        if let Some(Heard { recipients, fate }) = self.reader.read(line)
            && self.fates.len() < RECIPIENTS
        {
            for recipient in recipients {
                let fates = self.fates.entry(recipient.to_ascii_lowercase()).or_default();
                if fates.len() < FATES {
                    fates.push(fate.clone());
                }
            }
        }
        if self.last.len() == LINES {
            self.last.pop_front();
        }
        self.last.push_back(line.to_owned());
    }
}

fn behind(path: &Path, from: u64) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(from))?;
    let mut octets = Vec::new();
    file.take(MOST).read_to_end(&mut octets)?;
    Ok(octets)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use std::io::Write as _;

    use super::*;

    /// Everybody named in a line waits.
    struct All;

    impl Reader for All {
        fn read(&mut self, line: &str) -> Option<Heard> {
            let recipients: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            (!recipients.is_empty()).then(|| Heard { recipients, fate: Fate::waits(line) })
        }
    }

    #[test]
    fn a_connection_that_nobody_took_is_seen_with_its_port() {
        let long = format!("{} H=r [198.18.1.1]:26 Connection refused; defer", "x".repeat(2 * WORDS));
        for (reason, expected) in [
            ("connect to relay.example[198.18.1.1]:2525: Connection refused", &[Some(2525)][..]),
            ("H=relay.example [198.18.1.1]:2525 Connection refused; R=r T=t defer (111)", &[Some(2525)]),
            (
                "H=a [198.18.1.1]:26 Connection refused; R=r H=b [198.18.1.2] defer (111): Connection refused",
                &[Some(26), None],
            ),
            ("H=relay.example [198.18.1.1] Connection refused", &[None]),
            ("connect to relay.example[198.18.1.1]:25: Connection timed out", &[]),
            ("Connection refused", &[None]),
            (&long, &[Some(26)]),
            ("", &[]),
        ] {
            let found: Vec<_> = Fate::waits(reason).refused.iter().map(|refusal| refusal.port).collect();
            assert_eq!(found, expected, "{reason}");
        }
        assert_eq!(Fate::waits(&long).refused[0].words.chars().count(), PLACE + REFUSED.len());
    }

    #[test]
    fn a_file_is_read_in_whole_lines_and_each_once() {
        let directory = tempfile::tempdir().unwrap();
        let (path, log) = (directory.path().join("mainlog"), Log::new(Box::new(All)));
        let files = [path.clone()];
        log.catch_up(&files);
        let mut file = File::create(&path).unwrap();
        file.write_all(b"A@x b@x\nc@").unwrap();
        log.catch_up(&files);
        assert_eq!((log.fates("a@x").len(), log.fates("b@x").len()), (1, 1));
        file.write_all(b"x\n").unwrap();
        log.catch_up(&files);
        log.catch_up(&files);
        assert_eq!(log.fates("c@x"), [Fate::waits("c@x")]);
        assert_eq!(log.fates("a@x").len(), 1);
        assert_eq!(log.last(), "A@x b@x\nc@x\n");
    }
}
