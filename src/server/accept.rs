//! Taking connections: one loop for every listener.
//!
//! A connection is taken only when a seat is free for it; see [`pool`](super::pool) for who goes
//! when none is. Errors of accept(2) are of three kinds. One connection may fail: the next is
//! taken. The system may be out of descriptors or memory: somebody idle is asked to leave, and
//! nothing is tried for [`Limits::back_off`], because the connection stays in the queue and
//! would fail again at once. Or the listener itself is no good: the daemon ends.
//!
//! A peer that asks one question has mostly sent it by then, and is answered on the spot: see [`greet`].
//! Everybody else goes into the [`hall`](super::hall).
//!
//! At shutdown our own socket is removed first and the connections that were waiting in its queue
//! are taken, each when there is a seat for it, so that what they had asked by then is answered.
//! That, and the end of the connections, has [`Limits::drain`]. The queue of an inherited socket
//! is left to the next start.

use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tokio::io::unix::{AsyncFd, AsyncFdReadyGuard};
use tokio::sync::watch;
use tokio::task::{JoinSet, yield_now};
use tokio::time::{Instant, timeout_at};

use super::activation::Listener;
use super::connection::{End, Opening, greet};
use super::exchange::Dialect;
use super::hall::{Door, Hall, watched};
use super::pool::{FreeSeat, Pool};
use super::queue::{Accepted, Queue};
use super::service::Service;
use crate::config::ListenProtocol;

/// Connections that are taken before others have a turn.
const AT_ONCE: usize = 32;

/// What becomes of an error of accept(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    /// This connection is lost.
    Connection,
    /// The system has no room; wait.
    Resources,
    /// The listener is unusable.
    Fatal,
}

fn sort(error: &io::Error) -> Trouble {
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::ECONNABORTED | Errno::EINTR | Errno::EPROTO | Errno::EPERM) => Trouble::Connection,
        Some(Errno::EBADF | Errno::EINVAL | Errno::ENOTSOCK | Errno::EOPNOTSUPP | Errno::EFAULT) => {
            Trouble::Fatal
        }
        // What we do not know must neither end us nor make us spin.
        _ => Trouble::Resources,
    }
}

/// Serves one listener until shutdown, or until it fails. Connections still open or in the queue at
/// the end of [`Limits::drain`](super::limits::Limits::drain) are closed.
pub(super) async fn serve<D: Dialect>(
    listener: Listener,
    dialect: D,
    pool: Arc<Pool>,
    service: Arc<Service>,
    mut shutdown: watch::Receiver<bool>,
) -> io::Result<()> {
    let Listener { socket, .. } = listener;
    let queue = watched(socket.queue)?;
    let dialect = Arc::new(dialect);
    let noting = Arc::clone(&service);
    let farewell = Box::new(move |end| note_end(D::PROTOCOL, end, &noting));
    let (door, hall) = Hall::open(Arc::clone(&dialect), service.limits.clone(), farewell)?;
    // Its end is the end of this, and the other way round.
    let mut serving = JoinSet::new();
    serving.spawn(hall.serve());
    let mut entrance = Entrance { dialect, service: Arc::clone(&service), door, closing: false };
    loop {
        tokio::select! {
            biased;
            () = told_to_stop(&mut shutdown) => break,
            Some(ended) = serving.join_next() => return ended?,
            taken = take(&queue, &pool) => {
                let taken = taken.and_then(|(stream, seat, ready)| {
                    entrance.admit(stream, seat);
                    entrance.admit_more(ready, &pool)
                });
                match taken {
                    // The queue of a busy listener does not end.
                    Ok(true) => yield_now().await,
                    Ok(false) => {}
                    Err(error) => match sort(&error) {
                        Trouble::Connection => {}
                        Trouble::Resources => {
                            note_failure(D::PROTOCOL, &error, &service);
                            pool.dismiss_one(Instant::now().into_std());
                            entrance.pause().await;
                        }
                        Trouble::Fatal => return Err(error),
                    },
                }
            }
        }
    }
    let deadline = Instant::now() + service.limits.drain;
    let mut waiting = 0;
    if let Some(file) = socket.file {
        // From here on nobody can come; those in the queue came before.
        drop(file);
        if timeout_at(deadline, entrance.admit_rest(queue.get_ref(), &pool)).await.is_err() {
            waiting = std::iter::from_fn(|| queue.get_ref().accept().ok()).count();
        }
    }
    drop(queue);
    // Nobody else can enter; whoever is there ends in time, or is closed.
    let present = entrance.door.present();
    drop(entrance);
    let ended = timeout_at(deadline, serving.join_next()).await;
    if ended.is_err() || waiting > 0 {
        let connections = present.load(Ordering::Relaxed);
        tracing::warn!(protocol = D::PROTOCOL.word(), connections, waiting, "drain_incomplete");
    }
    match ended {
        Ok(Some(ended)) => ended?,
        Ok(None) | Err(_) => Ok(()),
    }
}

/// Waits for the end; it is there too when nobody can announce it any more.
async fn told_to_stop(shutdown: &mut watch::Receiver<bool>) {
    let _ = shutdown.wait_for(|stop| *stop).await;
}

type Ready<'q> = AsyncFdReadyGuard<'q, Queue>;

/// Takes the next connection, once there is one and a seat for it.
async fn take<'q>(
    queue: &'q AsyncFd<Queue>,
    pool: &Arc<Pool>,
) -> io::Result<(Accepted, FreeSeat, Ready<'q>)> {
    loop {
        // Waiting first: nobody has to leave for a connection that does not come.
        let mut ready = queue.readable().await?;
        let seat = match pool.try_seat() {
            Some(seat) => seat,
            // Being ready may be old news, and then nobody has to leave.
            None if !has_waiting(queue.get_ref())? => {
                ready.clear_ready();
                continue;
            }
            None => pool.seat().await,
        };
        match ready.try_io(|queue| queue.get_ref().accept()) {
            Ok(accepted) => return accepted.map(|stream| (stream, seat, ready)),
            Err(_would_block) => {}
        }
    }
}

/// Whether there is a connection in the queue.
fn has_waiting(listener: &Queue) -> io::Result<bool> {
    let mut asked = [PollFd::new(listener.as_fd(), PollFlags::POLLIN)];
    Ok(poll(&mut asked, PollTimeout::ZERO)? > 0)
}

/// Where connections are let in.
struct Entrance<D> {
    dialect: Arc<D>,
    service: Arc<Service>,
    door: Door,
    /// Whoever is admitted now is to leave after one answer.
    closing: bool,
}

impl<D: Dialect> Entrance<D> {
    /// Answers what the peer has sent already, and goes on with it if that was not all.
    fn admit(&self, stream: Accepted, seat: FreeSeat) {
        self.service.traffic.of(D::PROTOCOL).connections.add();
        let opening = if D::SINGLE {
            let greeted = catch_unwind(AssertUnwindSafe(|| {
                let greeted = greet(stream.as_raw_fd(), self.dialect.as_ref());
                greeted.map_err(|end| note_end(D::PROTOCOL, end, &self.service))
            }));
            match greeted {
                Ok(Ok(opening)) => opening,
                Ok(Err(())) => return,
                // The panic itself was logged where it happened.
                Err(_panic) => return note_end(D::PROTOCOL, End::Panicked, &self.service),
            }
        } else {
            Opening::silent()
        };
        let seat = seat.take();
        if self.closing {
            seat.dismiss();
        }
        self.door.enter(stream, opening, seat);
    }

    /// Admits who else is there already, as long as there are seats. Whether there may be more.
    fn admit_more(&self, mut ready: Ready<'_>, pool: &Arc<Pool>) -> io::Result<bool> {
        for _ in 1..AT_ONCE {
            let Some(seat) = pool.try_seat() else { return Ok(false) };
            match ready.try_io(|queue| queue.get_ref().accept()) {
                Ok(accepted) => self.admit(accepted?, seat),
                Err(_would_block) => return Ok(false),
            }
        }
        Ok(true)
    }

    /// Waits until it makes sense to try again.
    async fn pause(&self) {
        tokio::time::sleep(self.service.limits.back_off).await;
    }

    /// Admits those who wait in the queue, for the one answer that they came for.
    async fn admit_rest(&mut self, queue: &Queue, pool: &Arc<Pool>) {
        self.closing = true;
        // Nobody waits for a seat in the name of an empty queue; if it cannot be asked, accept says why.
        while has_waiting(queue).unwrap_or(true) {
            let seat = pool.seat().await;
            match queue.accept() {
                Ok(stream) => self.admit(stream, seat),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) => match sort(&error) {
                    Trouble::Connection => {}
                    Trouble::Resources => {
                        drop(seat);
                        note_failure(D::PROTOCOL, &error, &self.service);
                        self.pause().await;
                    }
                    Trouble::Fatal => return,
                },
            }
        }
    }
}

fn note_failure(protocol: ListenProtocol, error: &io::Error, service: &Service) {
    service.traffic.of(protocol).failures.add();
    if let Some(turn) = service.repeats.turn("accept_failed") {
        tracing::warn!(protocol = protocol.word(), %error, suppressed = turn.suppressed, "accept_failed");
    }
}

/// What a peer did is debug; what it did wrong is a warning, at most one a second of each kind.
fn note_end(listened: ListenProtocol, end: End, service: &Service) {
    service.traffic.of(listened).count_end(end);
    let protocol = listened.word();
    let name = match end {
        // The panic itself was logged where it happened.
        End::Panicked => return service.counters.count_panic(),
        End::NoRoom(kind) => return note_failure(listened, &kind.into(), service),
        End::Closed | End::Left(_) | End::Idle | End::Broken(_) => {
            return tracing::debug!(protocol, ?end, "connection_closed");
        }
        End::Malformed(error) => {
            if let Some(turn) = service.repeats.turn("request_malformed") {
                tracing::warn!(protocol, %error, suppressed = turn.suppressed, "request_malformed");
            }
            return;
        }
        End::Cut => "the peer closed within a request",
        End::Unfinished => "a request was not finished in time",
        End::Unread => "replies were not taken in time",
    };
    if let Some(turn) = service.repeats.turn(name) {
        tracing::warn!(protocol, reason = name, suppressed = turn.suppressed, "connection_cut");
    }
}

#[cfg(test)]
#[path = "accept_tests.rs"]
mod tests;
