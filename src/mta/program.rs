//! Running a program of an MTA that prints settings: nothing is typed into it, and it says so much, for so long, and no
//! more.

use std::io::{self, Read as _};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Octets, more than any installation has to say; what comes after it is not read.
pub const LIMIT: u64 = 4 << 20;

/// A hundred times what it takes.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Why there is no output.
#[derive(Debug)]
pub enum Error {
    /// It cannot be run.
    Run(io::Error),
    /// It failed; the first lines of what it said about that.
    Failed(String),
    /// It did not end.
    Hangs,
    /// It says more than [`LIMIT`].
    Long,
}

/// What a program prints.
///
/// # Errors
/// It fails, hangs, or does not stop talking.
pub fn output(command: &mut Command) -> Result<String, Error> {
    let mut child = command
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(Error::Run)?;
    // Two readers: whoever waits for one of two pipes may wait for the other's writer.
    let (sender, read) = mpsc::channel();
    listen(0, child.stdout.take(), sender.clone());
    listen(1, child.stderr.take(), sender);
    let said = collect(&read);
    if said.is_err() {
        let _ = child.kill();
    }
    // With its output closed it has no reason to stay.
    let status = child.wait().map_err(Error::Run)?;
    let [out, error] = said?;
    if status.success() {
        return Ok(out);
    }
    Err(Error::Failed(error.lines().take(5).collect::<Vec<_>>().join(" ")))
}

/// What comes from both pipes.
fn collect(read: &mpsc::Receiver<Heard>) -> Result<[String; 2], Error> {
    let mut said = [String::new(), String::new()];
    for _ in 0..2 {
        let (number, bytes) = read.recv_timeout(PATIENCE).map_err(|_| Error::Hangs)?;
        let bytes = bytes.map_err(Error::Run)?;
        if u64::try_from(bytes.len()).is_ok_and(|length| length > LIMIT) {
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

fn listen(number: usize, pipe: Option<impl io::Read + Send + 'static>, sender: mpsc::Sender<Heard>) {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let outcome = pipe.map_or(Ok(0), |pipe| pipe.take(LIMIT + 1).read_to_end(&mut bytes));
        // Maybe nobody waits any more.
        let _ = sender.send((number, outcome.map(|_| bytes)));
    });
}
