//! The end of a round, for its threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Set once, and seen by all clones.
#[derive(Clone, Debug, Default)]
pub struct Closing(Arc<AtomicBool>);

impl Closing {
    /// It is over.
    pub fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it is.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Sets it when it is dropped, however the round ends.
pub struct Closes(pub Closing);

impl Drop for Closes {
    fn drop(&mut self) {
        self.0.set();
    }
}
