//! What systemd is told: ready, reloading, stopping, alive.
//!
//! Outside systemd nothing is sent. A notification that cannot be sent is logged at debug and
//! otherwise ignored: systemd acts on its absence by itself. The library that knows the words would
//! wait for ever when systemd does not read (its socket holds ten messages), and answers with it,
//! so sending is done here: the thread of the connections does not wait at all, the loading thread
//! not for long.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use sd_notify::NotifyState;

/// How long the loading thread waits for systemd to read.
const PATIENCE: Duration = Duration::from_secs(1);

fn tell(states: &[NotifyState<'_>], patience: Option<Duration>) {
    let Some(socket) = std::env::var_os("NOTIFY_SOCKET").filter(|path| !path.is_empty()) else {
        return;
    };
    let text: String = states.iter().map(|state| format!("{state}\n")).collect();
    if let Err(error) = send(&socket, text.as_bytes(), patience) {
        // Not `message`: that is the event's name.
        tracing::debug!(%error, text, "notify_failed");
    }
}

fn send(socket: &OsStr, message: &[u8], patience: Option<Duration>) -> io::Result<()> {
    // sd_notify(3): a leading @ stands for the abstract namespace.
    let address = match socket.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(socket)?,
    };
    let sender = UnixDatagram::unbound()?;
    match patience {
        None => sender.set_nonblocking(true)?,
        Some(_) => sender.set_write_timeout(patience)?,
    }
    sender.send_to_addr(message, &address).map(drop)
}

/// Serving, with a line for `systemctl status`.
pub(super) fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)], Some(PATIENCE));
}

/// A reload begins; [`ready`] ends it. (sd_notify(3): it needs the time, so that its end is not
/// taken for another's.)
pub(super) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now], Some(PATIENCE)),
        Err(error) => tracing::debug!(%error, "notify_failed"),
    }
}

/// No more connections are taken.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping, NotifyState::Status("stopping")], None);
}

/// Pings the watchdog for ever, if systemd wants it. Runs among the connections, so that a loop
/// that is blocked for the interval is noticed; half of it is systemd's own advice.
pub(super) async fn keep_alive<T>() -> T {
    let Some(interval) = sd_notify::watchdog_enabled().filter(|interval| *interval > Duration::ZERO) else {
        return std::future::pending().await;
    };
    at_each(interval / 2, || tell(&[NotifyState::Watchdog], None)).await
}

async fn at_each<T>(interval: Duration, mut ping: impl FnMut()) -> T {
    let mut ticks = tokio::time::interval(interval);
    loop {
        ticks.tick().await;
        ping();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn both_kinds_of_address() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify.sock");
        let name = format!("connectord-test-{}", std::process::id());
        let abstract_address = SocketAddr::from_abstract_name(&name).unwrap();
        let receivers =
            [UnixDatagram::bind(&path).unwrap(), UnixDatagram::bind_addr(&abstract_address).unwrap()];
        for (receiver, socket) in receivers.iter().zip([path.into_os_string(), format!("@{name}").into()]) {
            send(&socket, b"READY=1\n", None).unwrap();
            let mut bytes = [0; 64];
            let length = receiver.recv(&mut bytes).unwrap();
            assert_eq!(&bytes[..length], b"READY=1\n");
        }
    }

    #[test]
    fn f16_a_blocked_loop_pings_nobody() {
        use std::sync::Arc;
        use std::sync::atomic::{AtomicU64, Ordering};

        const INTERVAL: Duration = Duration::from_millis(2);
        let pings = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&pings);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async move {
            tokio::spawn(at_each::<()>(INTERVAL, move || {
                counted.fetch_add(1, Ordering::Relaxed);
            }));
            while pings.load(Ordering::Relaxed) < 3 {
                tokio::task::yield_now().await;
            }
            // Many intervals in which a connection, say, keeps this thread for itself.
            let (before, begin) = (pings.load(Ordering::Relaxed), std::time::Instant::now());
            while begin.elapsed() < 25 * INTERVAL {
                std::hint::spin_loop();
            }
            assert_eq!(pings.load(Ordering::Relaxed), before);
            while pings.load(Ordering::Relaxed) == before {
                tokio::task::yield_now().await;
            }
        });
    }

    #[test]
    fn nobody_waits_for_a_manager_that_does_not_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify.sock");
        let _unread = UnixDatagram::bind(&path).unwrap();
        let mut sent = 0;
        let error = loop {
            match send(path.as_os_str(), b"WATCHDOG=1\n", None) {
                Ok(()) => sent += 1,
                Err(error) => break error,
            }
            assert!(sent < 100_000);
        };
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        let error = send(path.as_os_str(), b"READY=1\n", Some(Duration::from_millis(1))).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    }
}
