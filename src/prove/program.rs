//! Programs that a proof starts: with nothing of the environment that it was called in, and found where the system has
//! them.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::Error;
use super::enclosure::SAID;

/// Where programs of the system are (hier(7)).
pub const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

/// Within this time a program has taken in a message, and tried to deliver it.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// How often is looked: a message is taken in within this.
const PAUSE: Duration = Duration::from_millis(2);

/// Octets of what it said that are told.
const LONGEST: u64 = 600;

/// A program that reads nothing.
pub fn program(name: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(name);
    command.env_clear().env("PATH", PATH).env("LC_ALL", "C").stdin(Stdio::null());
    command
}

/// Runs a program in the enclosure with this on its stdin, less than a pipe holds (pipe(7)), to its end, for which it has
/// this time. It is called `name` in errors.
///
/// # Errors
/// It cannot be run, fails, or does not end: what it said about that.
pub fn fed(command: &mut Command, name: &'static str, input: &[u8], patience: Duration) -> Result<(), Error> {
    // In a file: what a program leaves behind may keep a pipe open, and a thread cannot be started here.
    let failed = |error| Error::system(format!("run {name}"), error);
    let options = File::options().read(true).write(true).create(true).truncate(true).open(SAID);
    let mut said = options.map_err(failed)?;
    let stderr = said.try_clone().map_err(failed)?;
    let child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(stderr).spawn();
    let mut child = child.map_err(failed)?;
    // Who does not read it says why not.
    let written = child.stdin.take().map_or(Ok(()), |mut stdin| stdin.write_all(input));
    let status = end(&mut child, patience).map_err(failed)?;
    if status.is_some_and(|status| status.success()) && written.is_ok() {
        return Ok(());
    }
    let mut octets = Vec::new();
    let read = said.rewind().and_then(|()| said.take(LONGEST).read_to_end(&mut octets));
    read.map_err(failed)?;
    let how = match status {
        Some(status) => status.to_string(),
        None => format!("not ended after {} s", patience.as_secs()),
    };
    let text = String::from_utf8_lossy(&octets);
    let said = format!("{how}: {}", text.lines().take(5).collect::<Vec<_>>().join(" "));
    Err(Error::Program { program: name, said })
}

/// How it ended; `None`: it was ended.
fn end(child: &mut Child, patience: Duration) -> io::Result<Option<ExitStatus>> {
    let until = Instant::now() + patience;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() > until {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(PAUSE);
    }
}
