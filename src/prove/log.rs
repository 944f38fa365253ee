//! What the copy of Postfix says of each probe: its log, which comes to a socket of ours.

use std::collections::{HashMap, VecDeque};
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
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

/// How long it takes at most to see that it is over.
const LOOK: Duration = Duration::from_millis(100);

/// What Postfix did with a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fate {
    /// `sent`, `deferred`, `bounced`, `expired`
    pub status: String,
    /// Why, in words of Postfix.
    pub reason: String,
}

/// The log so far.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Heard>>);

#[derive(Default)]
struct Heard {
    fates: HashMap<String, Vec<Fate>>,
    last: VecDeque<String>,
}

impl Log {
    /// Listens at a path, where syslog(3) writes to.
    ///
    /// # Errors
    /// What the system says.
    pub fn listen(path: &Path, closing: Closing) -> io::Result<Log> {
        let socket = UnixDatagram::bind(path)?;
        // Every user of this machine may log.
        fs::set_permissions(path, fs::Permissions::from_mode(0o666))?;
        socket.set_read_timeout(Some(LOOK))?;
        let log = Log::default();
        let heard = log.clone();
        thread::spawn(move || {
            let mut line = [0; 8192];
            while !closing.is_set() {
                let Ok(length) = socket.recv(&mut line) else { continue };
                heard.add(&String::from_utf8_lossy(line.get(..length).unwrap_or_default()));
            }
        });
        Ok(log)
    }

    fn add(&self, line: &str) {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((recipients, fate)) = fate(line)
            && heard.fates.len() < RECIPIENTS
        {
            for recipient in recipients {
                let fates = heard.fates.entry(recipient.to_ascii_lowercase()).or_default();
                if fates.len() < FATES {
                    fates.push(fate.clone());
                }
            }
        }
        if heard.last.len() == LINES {
            heard.last.pop_front();
        }
        heard.last.push_back(line.to_owned());
    }

    /// What became of the mail to this address, and to those that it stands for.
    pub fn fates(&self, recipient: &str) -> Vec<Fate> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .fates
            .get(recipient)
            .cloned()
            .unwrap_or_default()
    }

    /// The last lines.
    pub fn last(&self) -> String {
        let heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heard.last.iter().map(|line| format!("{}\n", line.trim_end())).collect()
    }
}

/// `to=<a>, orig_to=<b>, relay=..., status=deferred (reason)` (log_adhoc.c:log_adhoc).
fn fate(line: &str) -> Option<(Vec<&str>, Fate)> {
    let (head, tail) = line.split_once(", status=")?;
    let (status, reason) = tail.split_once(" (").unwrap_or((tail, ""));
    let recipients = [" to=<", ", orig_to=<"].into_iter().filter_map(|word| {
        let (_, rest) = head.split_once(word)?;
        rest.split_once('>').map(|(address, _)| address)
    });
    let reason = reason.trim_end().trim_end_matches(')').chars().take(WORDS).collect();
    Some((recipients.collect(), Fate { status: status.trim_end().to_owned(), reason }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fate_of_a_probe_is_read() {
        let log = Log::default();
        log.add("<22>Nov 26 08:00:00 postfix/smtp[7]: 4F: to=<A@x.example>, relay=mx.x.example[198.18.1.1]:25, delay=1, dsn=4.7.5, status=deferred (Server certificate not verified (again))\n");
        log.add("<22>Nov 26 08:00:00 postfix/local[7]: 4F: to=<root@y.example>, orig_to=<b@x.example>, relay=discard, status=sent (y.example)");
        log.add("<22>Nov 26 08:00:00 postfix/qmgr[7]: 4F: removed");
        let fate = |recipient| log.fates(recipient).pop().map(|fate| (fate.status, fate.reason));
        let deferred = ("deferred".to_owned(), "Server certificate not verified (again".to_owned());
        assert_eq!(fate("a@x.example"), Some(deferred));
        assert_eq!(fate("b@x.example"), Some(("sent".to_owned(), "y.example".to_owned())));
        assert_eq!(fate("root@y.example"), fate("b@x.example"));
        assert_eq!(fate("c@x.example"), None);
        assert_eq!(log.last().lines().count(), 3);
    }
}
