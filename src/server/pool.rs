//! Seats for connections: how many there may be, and who goes when they run out.
//!
//! A connection has a seat before it is accepted. When all are taken, one goes that owes nobody an
//! answer: first a request that was begun and left unfinished for [`Limits::stalled`], oldest
//! first; then the connection that has been idle the longest. A connection between a request and
//! its reply is never chosen, and one that is chosen but turns out to have a whole request at hand
//! answers it and stays.
//!
//! The pool also keeps their time ([`Pool::keep_time`]): a connection that waits has noted since when,
//! and one task looks at all of them. A timer for each would be set anew with every request.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};

use foldhash::fast::RandomState;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::limits::Limits;

/// How long one that was asked to leave has before the next is asked.
const PATIENCE: Duration = Duration::from_millis(50);

/// Seats for one kind of connection.
#[derive(Debug)]
pub(super) struct Pool {
    seats: Arc<Semaphore>,
    taken: Mutex<HashMap<u64, Arc<Place>, RandomState>>,
    next: AtomicU64,
    /// What everybody was asked for last: [`STAY`] until the daemon stops.
    all: AtomicU8,
    /// [`Limits::stalled`], [`Limits::request`], [`Limits::idle`].
    stalled: Duration,
    request: Duration,
    idle: Duration,
    /// What the times of phases are counted from.
    start: Instant,
}

/// What is known of a connection from outside.
#[derive(Debug)]
struct Place {
    /// A [`Phase`] as [`Pool::encode`] has it: it changes with each request, and is seldom read.
    phase: AtomicU64,
    leave: AtomicU8,
    waker: Mutex<Option<Waker>>,
}

/// What a connection is doing, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Waiting for an answer, or for the peer to take it. What is answered at once needs no mark: it is
    /// done by the thread that looks.
    Busy,
    /// Waiting for the rest of a request.
    Partial(Instant),
    /// Waiting for a request.
    Idle(Instant),
}

/// Why a connection is asked to leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leave {
    /// Its seat is needed.
    Seat,
    /// It has waited for too long.
    Overdue,
    /// The daemon is about to stop. Whoever has not asked yet may: a peer that sees its connection accepted
    /// counts on an answer, and not every one tries again (Exim's `readsocket` does not).
    Closing,
    /// The daemon stops.
    Shutdown,
}

/// The phase of one that answers; every other is larger.
const BUSY: u64 = 0;

const STAY: u8 = 0;
const SEAT: u8 = 1;
const OVERDUE: u8 = 2;
const CLOSING: u8 = 3;
const SHUTDOWN: u8 = 4;

/// A seat that nobody has sat down on, given back when it is dropped: enough to accept a connection
/// and see what it wants.
#[derive(Debug)]
pub(super) struct FreeSeat {
    pool: Arc<Pool>,
    permit: OwnedSemaphorePermit,
}

/// The seat of a connection, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    pool: Arc<Pool>,
    number: u64,
    place: Arc<Place>,
    _permit: OwnedSemaphorePermit,
}

impl Pool {
    /// A pool of so many seats.
    pub(super) fn new(seats: usize, limits: &Limits) -> Arc<Pool> {
        let &Limits { stalled, request, idle, .. } = limits;
        let seats = Arc::new(Semaphore::new(seats.min(Semaphore::MAX_PERMITS)));
        let (taken, next, start) = (Mutex::default(), AtomicU64::new(0), Instant::now());
        Arc::new(Pool { seats, taken, next, all: AtomicU8::new(STAY), stalled, request, idle, start })
    }

    /// Waits for a seat. When all are taken, others are asked to leave until one is free.
    pub(super) async fn seat(self: &Arc<Self>) -> FreeSeat {
        loop {
            if let Some(seat) = self.try_seat() {
                return seat;
            }
            self.dismiss_one(Instant::now());
            // Whoever leaves wakes us; whoever does not is followed by the next.
            if let Ok(Ok(permit)) =
                tokio::time::timeout(PATIENCE, Arc::clone(&self.seats).acquire_owned()).await
            {
                return FreeSeat { pool: Arc::clone(self), permit };
            }
        }
    }

    /// A seat, if one is free.
    pub(super) fn try_seat(self: &Arc<Self>) -> Option<FreeSeat> {
        let permit = Arc::clone(&self.seats).try_acquire_owned().ok()?;
        Some(FreeSeat { pool: Arc::clone(self), permit })
    }

    /// Asks connections to leave that have waited for [`Limits::request`] or [`Limits::idle`], each
    /// when it has or up to a fiftieth of the shorter of these later. Never ends.
    pub(super) async fn keep_time(self: Arc<Self>) -> Infallible {
        let shortest = self.request.min(self.idle);
        loop {
            let now = Instant::now();
            let next = self.dismiss_overdue(now);
            // Who begins to wait after this look is not due before the next one.
            let pause = next.map_or(shortest, |next| next.saturating_duration_since(now).min(shortest));
            tokio::time::sleep(pause.max(shortest / 50)).await;
        }
    }

    /// Asks all to leave that have waited for too long; when the next will have.
    pub(super) fn dismiss_overdue(&self, now: Instant) -> Option<Instant> {
        let places = self.places();
        let due = |place: &Place| match self.phase(place) {
            Phase::Busy => None,
            Phase::Partial(since) => Some(since + self.request),
            Phase::Idle(since) => Some(since + self.idle),
        };
        let mut next = None;
        let mut overdue = Vec::new();
        for (place, due) in places.values().filter_map(|place| Some((place, due(place)?))) {
            if due <= now {
                overdue.push((due, place));
            } else if next.is_none_or(|next| due < next) {
                next = Some(due);
            }
        }
        // Whoever has waited longest is told of first.
        overdue.sort_by_key(|(due, _)| *due);
        for (_, place) in overdue {
            place.ask(OVERDUE);
        }
        next
    }

    /// Asks one connection to leave. False when there is none that could. While we close, that is one who has come
    /// and not asked, for one who waits outside.
    pub(super) fn dismiss_one(&self, now: Instant) -> bool {
        let places = self.places();
        let asked = |place: &Place| place.leave.load(Ordering::Relaxed);
        let waiting = places.values().filter(|place| [STAY, CLOSING].contains(&asked(place)));
        let rank = |place: &Place| match self.phase(place) {
            Phase::Busy => None,
            Phase::Partial(since) if now.saturating_duration_since(since) < self.stalled => None,
            Phase::Partial(since) => Some((0, since)),
            Phase::Idle(since) => Some((1, since)),
        };
        let chosen =
            waiting.filter_map(|place| rank(place).map(|rank| (rank, place))).min_by_key(|(rank, _)| *rank);
        chosen.map(|(_, place)| place.ask(if asked(place) == CLOSING { SHUTDOWN } else { SEAT })).is_some()
    }

    /// Asks all connections to leave, first those who have asked what they came for.
    pub(super) fn close(&self) {
        self.dismiss_all(CLOSING);
    }

    /// Asks all connections to leave: the daemon stops.
    pub(super) fn shut_down(&self) {
        self.dismiss_all(SHUTDOWN);
    }

    fn dismiss_all(&self, reason: u8) {
        // Before they are looked through: whoever comes later looks at this.
        self.all.fetch_max(reason, Ordering::SeqCst);
        for place in self.places().values() {
            place.ask(reason);
        }
    }

    /// How many seats are taken.
    pub(super) fn taken(&self) -> usize {
        self.places().len()
    }

    fn places(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Arc<Place>, RandomState>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The nanoseconds from the start, times two, plus two; odd when partial.
    fn encode(&self, phase: Phase) -> u64 {
        let (since, partial) = match phase {
            Phase::Busy => return BUSY,
            Phase::Partial(since) => (since, 1),
            Phase::Idle(since) => (since, 0),
        };
        let passed = since.saturating_duration_since(self.start);
        // Enough for 146 years.
        let nanoseconds = u64::try_from(passed.as_nanos()).unwrap_or(u64::MAX / 4).min(u64::MAX / 4);
        2 * nanoseconds + 2 + partial
    }

    fn phase(&self, place: &Place) -> Phase {
        let encoded = place.phase.load(Ordering::Relaxed);
        let Some(twice) = encoded.checked_sub(2) else {
            return Phase::Busy;
        };
        let since = self.start + Duration::from_nanos(twice / 2);
        if twice % 2 == 1 { Phase::Partial(since) } else { Phase::Idle(since) }
    }
}

impl Place {
    fn ask(&self, reason: u8) {
        // Before the waker is looked for: whoever leaves one behind looks for a reason after that.
        self.leave.fetch_max(reason, Ordering::SeqCst);
        if let Some(waker) = self.waker().as_ref() {
            waker.wake_by_ref();
        }
    }

    fn waker(&self) -> std::sync::MutexGuard<'_, Option<Waker>> {
        self.waker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FreeSeat {
    /// Sits down.
    pub(super) fn take(self) -> Seat {
        let FreeSeat { pool, permit } = self;
        let number = pool.next.fetch_add(1, Ordering::Relaxed);
        let place = Arc::new(Place {
            phase: AtomicU64::new(BUSY),
            leave: AtomicU8::new(STAY),
            waker: Mutex::new(None),
        });
        pool.places().insert(number, Arc::clone(&place));
        Seat { pool, number, place, _permit: permit }
    }
}

impl Seat {
    /// Says what the connection is doing now.
    pub(super) fn enter(&self, phase: Phase) {
        self.place.phase.store(self.pool.encode(phase), Ordering::Relaxed);
    }

    /// From now on this one is woken when the connection is asked to leave. It may have been asked
    /// before: look at [`Seat::leave`] after this.
    pub(super) fn wake_by(&self, waker: Waker) {
        *self.place.waker() = Some(waker);
    }

    /// Why the connection is to leave, if it is.
    pub(super) fn leave(&self) -> Option<Leave> {
        match self.place.leave.load(Ordering::SeqCst) {
            SHUTDOWN => Some(Leave::Shutdown),
            CLOSING => Some(Leave::Closing),
            OVERDUE => Some(Leave::Overdue),
            SEAT => Some(Leave::Seat),
            _ => None,
        }
    }

    /// Keeps the seat after all: there was a request to answer. No way to stay on at shutdown.
    pub(super) fn stay(&self) {
        for reason in [SEAT, OVERDUE] {
            // Nobody to race with would change the outcome: a shutdown is kept.
            let _ = self.place.leave.compare_exchange(reason, STAY, Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    /// Leaves at the next opportunity: the daemon was stopping when the connection came.
    pub(super) fn dismiss(&self) {
        self.place.ask(CLOSING.max(self.pool.all.load(Ordering::SeqCst)));
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.pool.places().remove(&self.number);
    }
}

#[cfg(test)]
#[path = "pool_tests.rs"]
mod tests;
