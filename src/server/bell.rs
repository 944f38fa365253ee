//! Calls for connections that wait for their peers: somebody wants something of them, that they leave.
//!
//! One task serves many connections ([`hall`](super::hall)); each has a [`Waker`] of its own, by which that
//! task knows whom to look at.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// Whom somebody rang for.
#[derive(Default)]
pub(super) struct Bell(Mutex<Called>);

#[derive(Default)]
struct Called {
    keys: Vec<usize>,
    /// Who answers the bell.
    waker: Option<Waker>,
}

/// Rings for a connection.
pub(super) struct Cord {
    key: usize,
    bell: Arc<Bell>,
}

impl Bell {
    fn called(&self) -> MutexGuard<'_, Called> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whom somebody rang for, as soon as anybody does.
    pub(super) fn poll(&self, context: &mut Context<'_>) -> Poll<Vec<usize>> {
        let mut called = self.called();
        if !called.keys.is_empty() {
            return Poll::Ready(std::mem::take(&mut called.keys));
        }
        if !called.waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
            called.waker = Some(context.waker().clone());
        }
        Poll::Pending
    }
}

impl Cord {
    /// What rings this bell for this connection.
    pub(super) fn of(bell: &Arc<Bell>, key: usize) -> Waker {
        Waker::from(Arc::new(Cord { key, bell: Arc::clone(bell) }))
    }
}

impl Wake for Cord {
    fn wake(self: Arc<Self>) {
        let mut called = self.bell.called();
        called.keys.push(self.key);
        let waker = called.waker.take();
        drop(called);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}
