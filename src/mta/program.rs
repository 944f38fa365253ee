//! Running a program of an MTA to its end, with bounds on what it may say and how long it may take. Nothing of what it
//! says is believed to be text.

use std::io::{self, Read as _, Write as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// Octets of settings, more than any installation has; what comes after them is not read.
pub const LIMIT: u64 = 4 << 20;

/// A hundred times what it takes to print them.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// What a program may take.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// How long it is waited for.
    pub patience: Duration,
    /// What it may write to either of its outputs; what comes after that is not read.
    pub octets: u64,
}

/// What a program left behind.
#[derive(Debug)]
pub struct Ended {
    /// How it ended; `None`: by a signal.
    pub code: Option<i32>,
    /// What it wrote to stdout.
    pub out: String,
    /// The same to stderr.
    pub error: String,
}

/// Why there is no output.
#[derive(Debug)]
pub enum Error {
    /// It failed; the first lines of what it said about that.
    Failed(String),
    /// It cannot be run.
    Run(io::Error),
    /// It took too long.
    Hangs,
    /// It said too much.
    Long,
}

/// What a program prints that shows settings: nothing is typed into it.
///
/// # Errors
/// It fails, hangs, or does not stop talking.
pub fn output(command: &mut Command) -> Result<String, Error> {
    let bounds = Bounds { patience: PATIENCE, octets: LIMIT };
    let Ended { code, out, error } = run(command, Vec::new(), bounds)?;
    if code == Some(0) {
        return Ok(out);
    }
    Err(Error::Failed(error.lines().take(5).collect::<Vec<_>>().join(" ")))
}

/// Runs a command with this on its stdin; how it ended is no error here.
///
/// # Errors
/// It cannot be run, hangs, or does not stop talking.
pub fn run(command: &mut Command, input: Vec<u8>, bounds: Bounds) -> Result<Ended, Error> {
    let Bounds { patience, octets } = bounds;
    let deadline = Instant::now() + patience;
    command.env("LC_ALL", "C").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(Error::Run)?;
    if let Some(mut stdin) = child.stdin.take() {
        // It may say something before it has read everything. What it does not read, it does not want.
        thread::spawn(move || {
            let _ = stdin.write_all(&input);
        });
    }
    // Two readers: whoever waits for one of two pipes may wait for the other's writer.
    let (sender, read) = mpsc::channel();
    listen(0, child.stdout.take(), octets, sender.clone());
    listen(1, child.stderr.take(), octets, sender);
    let ended = collect(&read, octets, deadline).and_then(|said| Ok((said, end(&mut child, deadline)?)));
    if ended.is_err() {
        let _ = child.kill();
        // What waits for a disk that does not answer is not ended by a signal: it is not waited for here.
        thread::spawn(move || child.wait());
    }
    let ([out, error], status) = ended?;
    Ok(Ended { code: status.code(), out, error })
}

/// Between two looks whether a program that has closed its outputs has ended: mostly at the first.
const PAUSE: Duration = Duration::from_millis(5);

/// How it ends: with its outputs closed it has no reason to stay, and may stay all the same.
fn end(child: &mut Child, deadline: Instant) -> Result<ExitStatus, Error> {
    loop {
        if let Some(status) = child.try_wait().map_err(Error::Run)? {
            return Ok(status);
        }
        if Instant::now() >= deadline {
            return Err(Error::Hangs);
        }
        thread::sleep(PAUSE);
    }
}

/// What comes from both pipes.
fn collect(read: &mpsc::Receiver<Heard>, octets: u64, deadline: Instant) -> Result<[String; 2], Error> {
    let mut said = [String::new(), String::new()];
    for _ in 0..2 {
        let left = deadline.saturating_duration_since(Instant::now());
        let (number, bytes) = read.recv_timeout(left).map_err(|_| Error::Hangs)?;
        let bytes = bytes.map_err(Error::Run)?;
        if u64::try_from(bytes.len()).is_ok_and(|length| length > octets) {
            return Err(Error::Long);
        }
        if let Some(said) = said.get_mut(number) {
            *said = String::from_utf8_lossy(&bytes).into_owned();
        }
    }
    Ok(said)
}

/// What one of the pipes says, by its number.
type Heard = (usize, io::Result<Vec<u8>>);

fn listen(
    number: usize,
    pipe: Option<impl io::Read + Send + 'static>,
    octets: u64,
    sender: mpsc::Sender<Heard>,
) {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let outcome = pipe.map_or(Ok(0), |pipe| pipe.take(octets.saturating_add(1)).read_to_end(&mut bytes));
        // Maybe nobody waits any more.
        let _ = sender.send((number, outcome.map(|_| bytes)));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_stays_is_not_waited_for() {
        let bounds = Bounds { patience: Duration::from_millis(100), octets: 1024 };
        for stays in ["exec sleep 600", "exec >&- 2>&-; exec sleep 600"] {
            let ended = run(Command::new("sh").args(["-c", stays]), Vec::new(), bounds);
            assert!(matches!(ended, Err(Error::Hangs)), "{stays}: {ended:?}");
        }
    }

    #[test]
    fn who_ends_has_said_how() {
        let bounds = Bounds { patience: PATIENCE, octets: 1024 };
        let ended = run(Command::new("sh").args(["-c", "cat; echo no >&2; exit 3"]), b"yes".to_vec(), bounds);
        let Ended { code, out, error } = ended.unwrap_or_else(|error| panic!("{error:?}"));
        assert_eq!((code, out.as_str(), error.as_str()), (Some(3), "yes", "no\n"));
    }
}
