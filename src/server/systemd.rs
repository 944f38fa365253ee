//! What systemd is told: ready, reloading, stopping, alive.
//!
//! Outside systemd nothing is sent. A notification that fails is logged at debug and otherwise
//! ignored: systemd acts on its absence by itself.

use std::time::Duration;

use sd_notify::NotifyState;

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "notify_failed");
    }
}

/// Serving, with a line for `systemctl status`. Also the end of a reload.
pub(super) fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// A reload begins (sd_notify(3): it needs the time, so that its end is not taken for another's).
pub(super) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => tracing::debug!(%error, "notify_failed"),
    }
}

/// No more connections are taken.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping, NotifyState::Status("stopping")]);
}

/// Pings the watchdog for ever, if systemd wants it. Runs among the connections, so that a loop
/// that is blocked for the interval is noticed; half of it is systemd's own advice.
pub(super) async fn keep_alive<T>() -> T {
    let Some(interval) = sd_notify::watchdog_enabled().filter(|interval| *interval > Duration::ZERO) else {
        return std::future::pending().await;
    };
    let mut ticks = tokio::time::interval(interval / 2);
    loop {
        ticks.tick().await;
        tell(&[NotifyState::Watchdog]);
    }
}
