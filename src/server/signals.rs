//! SIGHUP reloads, SIGTERM and SIGINT stop, and a second one of these ends at once.
//!
//! SIGUSR1 and SIGUSR2 mean nothing here. Unhandled they would end the daemon, and scripts send them
//! to daemons of other kinds, to have logs opened anew.
//!
//! The handlers are installed before anything else happens, so that a SIGHUP during start or
//! shutdown kills nobody. What arrives early waits in a pipe: a SIGTERM during the first load
//! stops the daemon once that is done, and several SIGHUPs are one.

use std::io;
use std::os::unix::net::UnixStream as StdStream;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::{flag, low_level};
use tokio::net::UnixStream;

/// The exit code of a daemon that was asked twice to stop: that of a process ended by SIGTERM.
const IMPATIENT: i32 = 128 + SIGTERM;

/// Installed handlers, and the pipes that they write to.
pub(super) struct Signals {
    reload: StdStream,
    stop: StdStream,
}

impl Signals {
    /// Installs the handlers.
    pub(super) fn install() -> io::Result<Signals> {
        let (reload, hup) = StdStream::pair()?;
        low_level::pipe::register(SIGHUP, hup)?;
        let (stop, term) = StdStream::pair()?;
        let stopping = Arc::new(AtomicBool::new(false));
        for signal in [SIGTERM, SIGINT] {
            // In this order: the first signal finds the flag unset, sets it, and wakes us.
            flag::register_conditional_shutdown(signal, IMPATIENT, Arc::clone(&stopping))?;
            flag::register(signal, Arc::clone(&stopping))?;
            low_level::pipe::register(signal, term.try_clone()?)?;
        }
        for signal in [SIGUSR1, SIGUSR2] {
            // A flag that nobody asks for: the least that a handler can do.
            flag::register(signal, Arc::default())?;
        }
        reload.set_nonblocking(true)?;
        stop.set_nonblocking(true)?;
        Ok(Signals { reload, stop })
    }

    /// Makes them something to wait for; in the runtime's context.
    pub(super) fn listen(self) -> io::Result<(Asked, Asked)> {
        Ok((Asked(UnixStream::from_std(self.reload)?), Asked(UnixStream::from_std(self.stop)?)))
    }
}

/// One kind of signal.
pub(super) struct Asked(UnixStream);

impl Asked {
    /// Waits for the next one; those that came before are one.
    pub(super) async fn next(&mut self) -> io::Result<()> {
        loop {
            self.0.readable().await?;
            let mut bytes = [0; 64];
            match self.0.try_read(&mut bytes) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }
}
