//! The connections of a listener, and whose turn it is.
//!
//! Those whose peers have said something are served in rounds, in groups: all of a group are listened to,
//! then what their answers are made of is sent for, then they are answered. A million domains do not
//! stay in the processor's cache: what one answer would wait for arrives while others are worked on. A
//! connection costs what is known of it, and no task.
//!
//! What has to be waited for, a peer that does not take its replies or a reply that takes its time, is
//! done in a task ([`Connection::settle`]), from which the connection comes back.
//!
//! A panic in a connection ends that connection, and harms nobody else.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::ops::RangeInclusive;
use std::os::fd::{AsRawFd, RawFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::slice::Iter;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use slab::Slab;
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::{JoinError, JoinSet, yield_now};

use super::bell::{Bell, Cord};
use super::connection::{Connection, End, Next, Opening, Said};
use super::exchange::{Desk, Dialect, Heard, Outcome, at_desk};
use super::limits::Limits;
use super::pool::Seat;
use super::queue::Accepted;

/// Connections that have said something, and such as are due without, in a round.
const ROUND: usize = 32;

/// How much of a round a group is, and how many there are in one. If all were listened to first, and then
/// answered, we would wait for all peers and then all of them for us.
const GROUP: usize = 4;
const GROUP_SIZE: RangeInclusive<usize> = 2..=16;

/// How long connections have their turns until others have one: listeners, tasks, signals.
const SLICE: Duration = Duration::from_millis(1);

/// What is to be known of a peer: that it said something, and that it closed its end.
const WATCHED: EpollFlags = EpollFlags::EPOLLIN.union(EpollFlags::EPOLLRDHUP).union(EpollFlags::EPOLLET);

/// Behind these nothing is told any more: what there is has to be heard now.
const LAST: EpollFlags = EpollFlags::EPOLLRDHUP.union(EpollFlags::EPOLLHUP).union(EpollFlags::EPOLLERR);

/// What is done when a connection has ended.
type Farewell = Box<dyn Fn(End) + Send>;

/// The way in, from where connections are accepted. When it is gone, and the last connection as well,
/// the hall closes.
pub(super) struct Door {
    newcomers: UnboundedSender<(Connection, Outcome)>,
    present: Arc<AtomicUsize>,
}

/// The connections.
pub(super) struct Hall<D> {
    dialect: Arc<D>,
    limits: Limits,
    farewell: Farewell,
    newcomers: UnboundedReceiver<(Connection, Outcome)>,
    bell: Arc<Bell>,
    watch: AsyncFd<Watch>,
    guests: Slab<Guest>,
    /// Whose turn it is, each once.
    due: VecDeque<usize>,
    settling: JoinSet<Result<Connection, End>>,
    present: Arc<AtomicUsize>,
    /// The lists of a round, kept for their memory.
    turns: Vec<usize>,
    heard: Vec<(usize, Heard)>,
}

struct Guest {
    connection: Connection,
    is_due: bool,
    /// Its peer has closed its end, so that nothing more will be told of it.
    is_closed: bool,
}

/// The sockets that are watched: an epoll(7) of their own, in which the runtime's sees one descriptor.
struct Watch(Epoll);

impl AsRawFd for Watch {
    fn as_raw_fd(&self) -> RawFd {
        self.0.0.as_raw_fd()
    }
}

impl Door {
    /// Takes a connection in.
    pub(super) fn enter(&self, stream: Accepted, opening: Opening, seat: Seat) {
        let (connection, outcome) = Connection::new(stream, opening, seat);
        // If the hall has failed, whoever waits for its end knows, and the connection closes here.
        let _ = self.newcomers.send((connection, outcome));
    }

    /// How many there are.
    pub(super) fn present(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.present)
    }
}

impl<D: Dialect> Hall<D> {
    /// An empty hall; `farewell` is told how connections end.
    ///
    /// # Errors
    /// The system gives no epoll(7).
    pub(super) fn open(dialect: Arc<D>, limits: Limits, farewell: Farewell) -> io::Result<(Door, Hall<D>)> {
        let (sender, newcomers) = unbounded_channel();
        let present = Arc::<AtomicUsize>::default();
        let hall = Hall {
            dialect,
            limits,
            farewell,
            newcomers,
            bell: Arc::default(),
            watch: watched(Watch(Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?))?,
            guests: Slab::new(),
            due: VecDeque::new(),
            settling: JoinSet::new(),
            present: Arc::clone(&present),
            turns: Vec::new(),
            heard: Vec::new(),
        };
        Ok((Door { newcomers: sender, present }, hall))
    }

    /// Serves the connections until the last one has ended and no other can come.
    ///
    /// # Errors
    /// The sockets cannot be watched any more.
    pub(super) async fn serve(mut self) -> io::Result<()> {
        loop {
            let has_more = self.rounds()?;
            self.present.store(self.guests.len() + self.settling.len(), Ordering::Relaxed);
            if has_more {
                yield_now().await;
            }
            if poll_fn(|context| self.poll_news(context, has_more)).await? {
                return Ok(());
            }
        }
    }

    /// Takes in some of those who have come, or come back, and notes whom somebody rang for. Waits until
    /// there is something to do, unless there is already; whether there never will be.
    fn poll_news(&mut self, context: &mut Context<'_>, has_more: bool) -> Poll<io::Result<bool>> {
        let (mut has_news, mut is_closed) = (has_more, false);
        for _ in 0..ROUND {
            match self.newcomers.poll_recv(context) {
                Poll::Ready(Some((connection, outcome))) => self.receive(connection, outcome),
                Poll::Ready(None) => {
                    is_closed = true;
                    break;
                }
                Poll::Pending => break,
            }
            has_news = true;
        }
        if let Poll::Ready(keys) = self.bell.poll(context) {
            keys.into_iter().for_each(|key| self.call(key));
            has_news = true;
        }
        for _ in 0..ROUND {
            let Poll::Ready(Some(settled)) = self.settling.poll_join_next(context) else { break };
            self.settled(settled);
            has_news = true;
        }
        if is_closed && self.guests.is_empty() && self.settling.is_empty() {
            return Poll::Ready(Ok(true));
        }
        // Whoever was taken in may be due.
        if has_news {
            return Poll::Ready(Ok(false));
        }
        // What comes from now on is told anew.
        self.watch.poll_read_ready(context).map_ok(|mut ready| {
            ready.clear_ready();
            false
        })
    }

    /// Some rounds. Whether more are needed at once.
    ///
    /// While some are answered, others ask: only when all had a turn, or nobody, there is probably nothing
    /// left to do. Going through the runtime to find out takes as long as an answer.
    fn rounds(&mut self) -> io::Result<bool> {
        let start = Instant::now();
        let mut now = start;
        while now.saturating_duration_since(start) < SLICE {
            let is_last = self.round(now)?;
            if is_last && self.due.is_empty() {
                return Ok(false);
            }
            now = Instant::now();
        }
        Ok(true)
    }

    fn receive(&mut self, connection: Connection, outcome: Outcome) {
        match outcome {
            Outcome::Waiting | Outcome::Answered => self.add(connection),
            outcome @ (Outcome::Unsent | Outcome::Later(_) | Outcome::Ended(_)) => {
                self.settle(connection, outcome);
            }
        }
    }

    fn settled(&mut self, settled: Result<Result<Connection, End>, JoinError>) {
        match settled {
            Ok(Ok(connection)) => self.add(connection),
            Ok(Err(end)) => self.farewell(end),
            Err(_panic) => self.farewell(End::Panicked),
        }
    }

    /// Gives a connection a place, from where it is called when its peer says something.
    fn add(&mut self, connection: Connection) {
        let place = self.guests.vacant_entry();
        let key = place.key();
        let event = EpollEvent::new(WATCHED, u64::try_from(key).unwrap_or(u64::MAX));
        if let Err(errno) = self.watch.get_ref().0.add(&connection, event) {
            return self.farewell(End::NoRoom(io::Error::from(errno).kind()));
        }
        connection.rest(Instant::now());
        let is_to_leave = connection.wake_by(Cord::of(&self.bell, key));
        place.insert(Guest { connection, is_due: false, is_closed: false });
        if is_to_leave {
            self.call(key);
        }
    }

    /// It is the turn of this one, if it is still there.
    fn call(&mut self, key: usize) {
        if let Some(guest) = self.guests.get_mut(key)
            && !std::mem::replace(&mut guest.is_due, true)
        {
            self.due.push_back(key);
        }
    }

    /// A turn for those whose turn it is. Whether nobody seems to be left besides those that are due.
    fn round(&mut self, now: Instant) -> io::Result<bool> {
        let mut events = [EpollEvent::empty(); ROUND];
        let count = loop {
            match self.watch.get_ref().0.wait(&mut events, EpollTimeout::ZERO) {
                Err(Errno::EINTR) => {}
                count => break count?,
            }
        };
        for event in events.iter().take(count) {
            let key = usize::try_from(event.data()).unwrap_or(usize::MAX);
            if event.events().intersects(LAST)
                && let Some(guest) = self.guests.get_mut(key)
            {
                guest.is_closed = true;
            }
            self.call(key);
        }
        let mut turns = std::mem::take(&mut self.turns);
        turns.extend(self.due.drain(..self.due.len().min(2 * ROUND)));
        let size = (turns.len() / GROUP).clamp(*GROUP_SIZE.start(), *GROUP_SIZE.end());
        let mut rest = turns.iter();
        while !rest.as_slice().is_empty() {
            at_desk(|desk| self.group(desk, &mut rest, size, now));
        }
        let had_one = turns.len();
        turns.clear();
        self.turns = turns;
        // What the system could not tell at once it does not tell anew.
        Ok(count < ROUND && (had_one == 0 || had_one >= self.guests.len()))
    }

    /// A turn for so many of these, or as many as there is room for.
    fn group(&mut self, desk: &mut Desk, keys: &mut Iter<'_, usize>, size: usize, now: Instant) {
        let mut heard = std::mem::take(&mut self.heard);
        while heard.len() < size
            && desk.has_room()
            && let Some(&key) = keys.next()
        {
            match self.with(key, |connection, dialect| connection.hear(dialect, desk)) {
                None | Some(Said::Nothing) => {}
                Some(Said::Words(words)) => heard.push((key, words)),
                Some(Said::Over(next)) => self.go_on(key, next),
            }
        }
        if heard.len() > 1 {
            let begins = |key| self.guests.get(key).is_some_and(|guest| guest.connection.is_between());
            let begun = heard.iter().filter(|(key, _)| begins(*key)).map(|(_, words)| desk.bytes(words));
            // Nothing depends on it.
            if catch_unwind(AssertUnwindSafe(|| self.dialect.foresee(begun))).is_err() {
                self.farewell(End::Panicked);
            }
        }
        for (key, words) in heard.drain(..) {
            let next = self.with(key, |connection, dialect| connection.answer(dialect, desk, &words, now));
            if let Some(next) = next {
                self.go_on(key, next);
            }
        }
        self.heard = heard;
    }

    /// Does something with a connection, if it is still there; if that panics, it is not any more.
    fn with<T>(&mut self, key: usize, work: impl FnOnce(&mut Connection, &D) -> T) -> Option<T> {
        let guest = self.guests.get_mut(key)?;
        guest.is_due = false;
        match catch_unwind(AssertUnwindSafe(|| work(&mut guest.connection, &self.dialect))) {
            Ok(done) => Some(done),
            Err(_panic) => {
                self.go_on(key, Next::End(End::Panicked));
                None
            }
        }
    }

    fn go_on(&mut self, key: usize, next: Next) {
        match next {
            Next::Rest if self.guests.get(key).is_some_and(|guest| guest.is_closed) => self.call(key),
            Next::Rest => {}
            Next::Turn => self.call(key),
            Next::Settle(outcome) => {
                if let Some(Guest { connection, .. }) = self.guests.try_remove(key) {
                    // It is watched again when it comes back.
                    let _ = self.watch.get_ref().0.delete(&connection);
                    self.settle(connection, outcome);
                }
            }
            Next::End(end) => {
                // Nothing watches a socket that is closed.
                drop(self.guests.try_remove(key));
                self.farewell(end);
            }
        }
    }

    /// Says how one has ended. That this is said must not end the others.
    fn farewell(&self, end: End) {
        if catch_unwind(AssertUnwindSafe(|| (self.farewell)(end))).is_err() && end != End::Panicked {
            self.farewell(End::Panicked);
        }
    }

    fn settle(&mut self, connection: Connection, outcome: Outcome) {
        let (dialect, limits) = (Arc::clone(&self.dialect), self.limits.clone());
        self.settling.spawn(async move { connection.settle(outcome, dialect.as_ref(), &limits).await });
    }
}

/// A descriptor whose readiness can be waited for before anything is done with it, as the runtime's own
/// sockets do not allow.
///
/// # Errors
/// The system does not watch it.
#[expect(
    deprecated,
    reason = "its successor is unsafe; what owns its descriptor keeps it, which is all that asks"
)]
pub(super) fn watched<T: AsRawFd>(of: T) -> io::Result<AsyncFd<T>> {
    AsyncFd::new(of)
}

#[cfg(test)]
#[path = "hall_tests.rs"]
mod tests;
