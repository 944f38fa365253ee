//! A bounded buffer of lines, and the one thread that writes them.
//!
//! Promises: adding a line never waits for the log's reader. When [`MAX_LINES`] or [`MAX_BYTES`]
//! wait already, the line is lost and counted, and once there is room again `log_lost count=N`
//! stands where it would have been. Lines are written whole and in order.
//!
//! A log that fails (a closed pipe, a full disk) is tried again with the next line.

use std::cell::Cell;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::line::{Line, Style};

/// Lines that may wait. Ours: some 2 MB of decisions, what a busy relay says in a few seconds.
const MAX_LINES: usize = 8_192;

/// Bytes that may wait, so that long lines do not take more memory than as many usual ones.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// Bytes that are written at once, without gathering longer. Ours: at full load both buffers then stay
/// in a processor's cache.
const ENOUGH: usize = 32 * 1024;

/// How long lines are gathered before they are written together: one write instead of one for each.
const GATHER: Duration = Duration::from_millis(5);

/// The pause before a log that cannot take more without blocking (a non-blocking pipe) is tried again.
const RETRY: Duration = Duration::from_millis(20);

thread_local! {
    /// The line that is being written, so that not each one allocates.
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// The lines that wait.
#[derive(Debug)]
pub(in crate::server) struct Journal {
    style: Style,
    waiting: Mutex<Waiting>,
    wake: Condvar,
    finished: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    lines: Vec<u8>,
    count: usize,
    /// Lost since `log_lost` was last written.
    unsaid: u64,
    /// Lost since the start.
    lost: u64,
    writer_idle: bool,
    closing: bool,
    closed: bool,
}

impl Journal {
    /// Starts the thread that writes to `target`.
    pub(in crate::server) fn start(
        style: Style,
        target: impl Write + Send + 'static,
    ) -> io::Result<Arc<Journal>> {
        let journal = Arc::new(Journal {
            style,
            waiting: Mutex::default(),
            wake: Condvar::new(),
            finished: Condvar::new(),
        });
        let writer = Arc::clone(&journal);
        thread::Builder::new().name("log".to_owned()).spawn(move || writer.write_lines(target))?;
        Ok(journal)
    }

    /// Adds a line, or counts it as lost.
    pub(in crate::server) fn line(&self, level: &str, event: &str, fill: impl FnOnce(&mut Line<'_>)) {
        // Written before the lock is taken: a panic in `fill` is logged from within.
        let mut text = SCRATCH.take();
        text.clear();
        let mut line = Line::begin(&mut text, self.style, level, event);
        fill(&mut line);
        line.end();
        self.add(&text);
        SCRATCH.set(text);
    }

    fn add(&self, line: &[u8]) {
        let mut waiting = self.lock();
        if waiting.count >= MAX_LINES || waiting.lines.len() >= MAX_BYTES {
            waiting.unsaid = waiting.unsaid.saturating_add(1);
            waiting.lost = waiting.lost.saturating_add(1);
            return;
        }
        let before = waiting.lines.len();
        waiting.lines.extend_from_slice(line);
        waiting.count += 1;
        let enough = before < ENOUGH && waiting.lines.len() >= ENOUGH;
        if waiting.writer_idle || enough {
            waiting.writer_idle = false;
            self.wake.notify_one();
        }
    }

    /// Lines lost since the start.
    pub(in crate::server) fn lost(&self) -> u64 {
        self.lock().lost
    }

    /// Writes what waits, for at most `limit`.
    pub(in crate::server) fn close(&self, limit: Duration) {
        let mut waiting = self.lock();
        waiting.closing = true;
        self.wake.notify_one();
        // Whether all was written in time makes no difference any more.
        drop(self.finished.wait_timeout_while(waiting, limit, |waiting| !waiting.closed));
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_lines(&self, mut target: impl Write) {
        let mut batch = Vec::new();
        loop {
            let (count, lost) = {
                let mut waiting = self.lock();
                waiting.writer_idle = waiting.count == 0;
                let idle = |waiting: &mut Waiting| waiting.count == 0 && !waiting.closing;
                let mut waiting = self.wake.wait_while(waiting, idle).unwrap_or_else(PoisonError::into_inner);
                waiting.writer_idle = false;
                if waiting.count == 0 {
                    waiting.closed = true;
                    self.finished.notify_all();
                    return;
                }
                std::mem::swap(&mut waiting.lines, &mut batch);
                (std::mem::take(&mut waiting.count), std::mem::take(&mut waiting.unsaid))
            };
            if lost > 0 {
                let mut line = Line::begin(&mut batch, self.style, "warn", "log_lost");
                line.number(" count=", lost);
                line.end();
            }
            if write_all(&mut target, &batch).is_err() {
                let unwritten = u64::try_from(count).unwrap_or(u64::MAX);
                let mut waiting = self.lock();
                waiting.unsaid = waiting.unsaid.saturating_add(lost).saturating_add(unwritten);
                waiting.lost = waiting.lost.saturating_add(unwritten);
            }
            batch.clear();
            let gathering = |waiting: &mut Waiting| !waiting.closing && waiting.lines.len() < ENOUGH;
            drop(self.wake.wait_timeout_while(self.lock(), GATHER, gathering));
        }
    }
}

/// As `Write::write_all`, but goes on where it was when the target cannot take more for a moment.
fn write_all(target: &mut impl Write, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match target.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::sleep(RETRY),
            Err(error) => return Err(error),
        }
    }
    target.flush()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::{BufRead as _, BufReader, PipeWriter, Read as _};

    use super::*;

    const STYLE: Style = Style { json: false, time: false };
    const LONG: Duration = Duration::from_secs(60);

    fn number(journal: &Journal, number: usize) {
        journal.line("info", "line", |line| {
            line.number(" n=", u64::try_from(number).unwrap());
        });
    }

    #[test]
    fn lines_are_whole_and_in_order() {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let journal = Journal::start(STYLE, writer).unwrap();
        for n in 0..MAX_LINES / 2 {
            number(&journal, n);
        }
        // More than a pipe holds, so somebody has to read.
        let read = thread::spawn(move || {
            let mut text = String::new();
            reader.read_to_string(&mut text).unwrap();
            text
        });
        journal.close(LONG);
        let text = read.join().unwrap();
        let expected: String = (0..MAX_LINES / 2).map(|n| format!("info line n={n}\n")).collect();
        assert_eq!(text, expected);
        assert_eq!(journal.lost(), 0);
    }

    /// Fills the buffer behind a pipe that nobody reads; how many lines were added in all.
    fn fill(journal: &Journal) -> usize {
        let mut added = 0;
        while journal.lost() < 1_000 {
            number(journal, added);
            added += 1;
        }
        added
    }

    #[test]
    fn f10_lost_lines_are_counted_where_they_would_have_been() {
        let (reader, writer) = std::io::pipe().unwrap();
        let journal = Journal::start(STYLE, writer).unwrap();
        let added = fill(&journal);
        let closer = Arc::clone(&journal);
        let closing = thread::spawn(move || closer.close(LONG));
        let lines: Vec<String> = BufReader::new(reader).lines().map(Result::unwrap).collect();
        closing.join().unwrap();
        let lost: u64 = lines
            .iter()
            .filter_map(|line| line.strip_prefix("warn log_lost count=")?.parse::<u64>().ok())
            .sum();
        let written = lines.iter().filter(|line| line.starts_with("info line n=")).count();
        assert_eq!(lost, journal.lost());
        assert_eq!(written + usize::try_from(lost).unwrap(), added);
        let gap = lines.iter().position(|line| line.starts_with("warn log_lost")).unwrap();
        let before: Vec<&str> = lines.iter().take(gap).map(String::as_str).collect();
        let expected: Vec<String> = (0..gap).map(|n| format!("info line n={n}")).collect();
        assert_eq!(before, expected, "no line before the gap is missing");
    }

    #[test]
    fn f10_a_log_that_never_takes_anything_delays_nobody() {
        let (_reader, writer) = std::io::pipe().unwrap();
        let journal = Journal::start(STYLE, writer).unwrap();
        fill(&journal);
        journal.close(Duration::from_millis(1));
    }

    #[test]
    fn f10_a_closed_log_is_counted_and_tried_again() {
        struct Flaky(bool, PipeWriter);
        impl Write for Flaky {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                if std::mem::replace(&mut self.0, false) {
                    Err(io::ErrorKind::BrokenPipe.into())
                } else {
                    self.1.write(bytes)
                }
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let (reader, writer) = std::io::pipe().unwrap();
        let journal = Journal::start(STYLE, Flaky(true, writer)).unwrap();
        number(&journal, 1);
        while journal.lost() == 0 {
            thread::yield_now();
        }
        number(&journal, 2);
        journal.close(LONG);
        drop(journal);
        let lines: Vec<String> = BufReader::new(reader).lines().map(Result::unwrap).collect();
        assert_eq!(lines, ["info line n=2", "warn log_lost count=1"]);
    }

    #[test]
    fn f13_a_panic_within_a_line_can_be_logged() {
        let (reader, writer) = std::io::pipe().unwrap();
        let journal = Journal::start(STYLE, writer).unwrap();
        let within = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            journal.line("info", "broken", |_| {
                number(&journal, 1);
                std::panic::resume_unwind(Box::new("injected"));
            });
        }));
        assert!(within.is_err());
        number(&journal, 2);
        journal.close(LONG);
        drop(journal);
        let lines: Vec<String> = BufReader::new(reader).lines().map(Result::unwrap).collect();
        assert_eq!(lines, ["info line n=1", "info line n=2"]);
    }

    #[test]
    fn long_lines_count_by_their_bytes() {
        let (_reader, writer) = std::io::pipe().unwrap();
        let journal = Journal::start(STYLE, writer).unwrap();
        let long = "x".repeat(1_000);
        let mut added = 0;
        while journal.lost() == 0 {
            journal.line("info", "line", |line| {
                for _ in 0..100 {
                    line.text(" t=", &long);
                }
            });
            added += 1;
        }
        assert!(added <= 2 * MAX_BYTES / 100_000 + 2, "{added}");
    }
}
