//! Asking postconf(1). It reads main.cf and master.cf as Postfix does, with the defaults of the version that is
//! installed, and changes nothing.

use std::io::{self, Read as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::settings::{Said, Settings, Unreadable};

/// More than any installation has; what comes after it is not read.
const LIMIT: u64 = 4 << 20;

/// A hundred times what it takes. Tables that main.cf names are not opened by postconf.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why the settings are not known.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be run.
    #[error("postconf: {0}; is Postfix installed, and /usr/sbin in PATH?")]
    Run(io::Error),
    /// It failed.
    #[error(
        "postconf: {}; see what `postconf -x` says, with -c for another directory",
        said.strip_prefix("postconf: ").unwrap_or(said).escape_debug()
    )]
    Failed {
        /// What it said.
        said: String,
    },
    /// It did not end.
    #[error("postconf has not ended after {} s", PATIENCE.as_secs())]
    Hangs,
    /// It says more than anybody has to say.
    #[error("postconf says more than {LIMIT} octets")]
    Long,
    /// It said something else than settings.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
}

/// The settings of the instance with this directory; of the default one without.
///
/// # Errors
/// postconf(1) fails, hangs, or says what nobody expects.
pub fn settings(config_directory: Option<&Path>) -> Result<Settings, Error> {
    let ask = |options: &[&str]| output(config_directory, options);
    let (main, main_written, services) = (ask(&["-x"])?, ask(&[])?, ask(&["-M"])?);
    let (own, own_written) = (ask(&["-Px"])?, ask(&["-P"])?);
    Ok(Settings::parse(&Said {
        main: &main,
        main_written: &main_written,
        services: &services,
        own: &own,
        own_written: &own_written,
    })?)
}

fn output(config_directory: Option<&Path>, options: &[&str]) -> Result<String, Error> {
    let mut command = Command::new("postconf");
    if let Some(directory) = config_directory {
        command.arg("-c").arg(directory);
    }
    command.args(options).env("LC_ALL", "C");
    let mut child = command
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
    Err(Error::Failed { said: error.lines().take(5).collect::<Vec<_>>().join(" ") })
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
