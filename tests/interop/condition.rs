//! Waiting for something to become true, never for time to pass.

use std::thread;
use std::time::{Duration, Instant};

/// How long anything may take on a machine that is busy with something else. Reached only when
/// the test fails.
pub const DEADLINE: Duration = Duration::from_secs(90);

/// How often a condition is looked at.
const INTERVAL: Duration = Duration::from_millis(20);

/// The value that `look` finds, as soon as it finds one.
///
/// # Panics
/// After [`DEADLINE`], with `what` and what `look` said last.
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Result<T, String>) -> T {
    let start = Instant::now();
    loop {
        match look() {
            Ok(value) => return value,
            Err(last) if start.elapsed() > DEADLINE => {
                panic!("waited {DEADLINE:?} for {what}; last seen: {last}")
            }
            Err(_) => thread::sleep(INTERVAL),
        }
    }
}
