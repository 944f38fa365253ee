//! The daemon of a proof: connectord with the configuration as it is in the files now.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::enclosure::Enclosure;
use super::program::program;
use super::{Error, Plan};

/// Within this time a daemon answers, with a million domains too.
const START: Duration = Duration::from_secs(30);

/// How often is looked.
const PAUSE: Duration = Duration::from_millis(50);

/// What is told of what it said: octets, and lines.
const SAID: u64 = 2048;
const LINES: usize = 3;

/// It ends with this value.
pub struct Daemon {
    child: Child,
    log: PathBuf,
}

impl Daemon {
    /// Starts it; it answers when this returns.
    ///
    /// # Errors
    /// It does not answer: why not it has said itself.
    pub fn start(plan: &Plan, enclosure: &Enclosure) -> Result<Daemon, Error> {
        let state = enclosure.directory(Path::new("state"), 0o700)?;
        let log = enclosure.path("daemon.log");
        let stderr = File::create_new(&log).map_err(|error| Error::place("write", &log, error))?;
        let child = program(&plan.program)
            .arg("serve")
            .arg("--config")
            .arg(&plan.config)
            .arg("--runtime-dir")
            .arg(&plan.runtime)
            .arg("--state-dir")
            .arg(state)
            .stdout(Stdio::null())
            .stderr(stderr)
            .spawn();
        let child = child.map_err(|error| Error::place("run", &plan.program, error))?;
        let mut daemon = Daemon { child, log };
        let until = Instant::now() + START;
        while !plan.asked().all(|socket| UnixStream::connect(socket).is_ok()) {
            daemon.is_well()?;
            if Instant::now() > until {
                let said = format!("does not listen at its sockets: {}", first_lines(&daemon.log));
                return Err(Error::Daemon { said });
            }
            thread::sleep(PAUSE);
        }
        // Who may ask is the matter of the units that make them, and of `doctor`.
        for socket in plan.asked() {
            let opened = fs::set_permissions(&socket, fs::Permissions::from_mode(0o666));
            opened.map_err(|error| Error::place("open", &socket, error))?;
        }
        Ok(daemon)
    }

    /// It has not ended meanwhile.
    ///
    /// # Errors
    /// It has; what it said about that.
    pub fn is_well(&mut self) -> Result<(), Error> {
        match self.child.try_wait() {
            Ok(Some(status)) => {
                Err(Error::Daemon { said: format!("ended with {status}: {}", first_lines(&self.log)) })
            }
            Ok(None) | Err(_) => Ok(()),
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the daemon said first: as a rule that is what is wrong.
fn first_lines(log: &PathBuf) -> String {
    let mut octets = Vec::new();
    let read: io::Result<usize> = File::open(log).and_then(|file| file.take(SAID).read_to_end(&mut octets));
    let text = String::from_utf8_lossy(&octets);
    let lines: Vec<&str> = text.lines().take(LINES).collect();
    match read {
        Ok(_) if !lines.is_empty() => lines.join(" "),
        Ok(_) => "it said nothing".to_owned(),
        Err(error) => format!("what it said cannot be read: {error}"),
    }
}
