//! Taking connections: one loop for every listener.
//!
//! A connection is taken only when a seat is free for it; see [`pool`](super::pool) for who goes
//! when none is. Errors of accept(2) are of three kinds. One connection may fail: the next is
//! taken. The system may be out of descriptors or memory: somebody idle is asked to leave, and
//! nothing is tried for [`Limits::back_off`], because the connection stays in the queue and
//! would fail again at once. Or the listener itself is no good: the daemon ends.
//!
//! A peer that asks one question has mostly sent it by then, and is answered on the spot: see [`greet`].
//!
//! A panic in a connection closes that connection, is logged and counted, and harms nobody else.
//!
//! At shutdown our own socket is removed first and the connections that were waiting in its queue
//! are taken, each when there is a seat for it, so that what they had asked by then is answered.
//! That, and the end of the connections, has [`Limits::drain`]. The queue of an inherited socket
//! is left to the next start.

use std::future::Future;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::os::unix::net::{UnixListener, UnixStream as Accepted};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tokio::io::unix::{AsyncFd, AsyncFdReadyGuard};
use tokio::net::UnixStream;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, timeout_at};

use super::activation::Listener;
use super::connection::{End, Opening, converse, greet};
use super::exchange::Dialect;
use super::pool::{FreeSeat, Pool};
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
    let queue = watched(socket.listener)?;
    let mut hall = Hall {
        dialect: Arc::new(dialect),
        service: Arc::clone(&service),
        connections: JoinSet::new(),
        closing: false,
    };
    loop {
        tokio::select! {
            biased;
            () = told_to_stop(&mut shutdown) => break,
            Some(ended) = hall.connections.join_next() => hall.note(ended),
            taken = take(&queue, &pool) => {
                let taken = taken.and_then(|(stream, seat, ready)| {
                    hall.admit(stream, seat);
                    hall.admit_more(ready, &pool)
                });
                if let Err(error) = taken {
                    match sort(&error) {
                        Trouble::Connection => {}
                        Trouble::Resources => {
                            note_failure(D::PROTOCOL, &error, &service);
                            pool.dismiss_one(Instant::now().into_std());
                            hall.pause().await;
                        }
                        Trouble::Fatal => return Err(error),
                    }
                }
            }
        }
    }
    let deadline = Instant::now() + service.limits.drain;
    let mut waiting = 0;
    if let Some(file) = socket.file {
        // From here on nobody can come; those in the queue came before.
        drop(file);
        if timeout_at(deadline, hall.admit_rest(queue.get_ref(), &pool)).await.is_err() {
            waiting = std::iter::from_fn(|| queue.get_ref().accept().ok()).count();
        }
    }
    drop(queue);
    hall.drain(deadline, waiting).await;
    Ok(())
}

/// A listener whose readiness can be waited for before anything is accepted, which tokio's own
/// listener cannot do.
#[expect(
    deprecated,
    reason = "its successor is unsafe; a std listener keeps its descriptor, which is all that asks"
)]
fn watched(listener: UnixListener) -> io::Result<AsyncFd<UnixListener>> {
    AsyncFd::new(listener)
}

/// Waits for the end; it is there too when nobody can announce it any more.
async fn told_to_stop(shutdown: &mut watch::Receiver<bool>) {
    let _ = shutdown.wait_for(|stop| *stop).await;
}

type Ready<'q> = AsyncFdReadyGuard<'q, UnixListener>;

/// Takes the next connection, once there is one and a seat for it.
async fn take<'q>(
    queue: &'q AsyncFd<UnixListener>,
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
            Ok(accepted) => return accepted.map(|(stream, _)| (stream, seat, ready)),
            Err(_would_block) => {}
        }
    }
}

/// Whether there is a connection in the queue.
fn has_waiting(listener: &UnixListener) -> io::Result<bool> {
    let mut asked = [PollFd::new(listener.as_fd(), PollFlags::POLLIN)];
    Ok(poll(&mut asked, PollTimeout::ZERO)? > 0)
}

/// The connections of one listener.
struct Hall<D> {
    dialect: Arc<D>,
    service: Arc<Service>,
    connections: JoinSet<()>,
    /// Whoever is admitted now is to leave after one answer.
    closing: bool,
}

impl<D: Dialect> Hall<D> {
    /// Answers what the peer has sent already, and goes on with it if that was not all.
    fn admit(&mut self, stream: Accepted, seat: FreeSeat) {
        let opening = if D::SINGLE {
            let greeted = catch_unwind(AssertUnwindSafe(|| greet(stream.as_raw_fd(), self.dialect.as_ref())));
            match greeted {
                Ok(Ok(opening)) => opening,
                Ok(Err(end)) => return note_end(D::PROTOCOL, end, &self.service),
                Err(_panic) => return self.service.counters.count_panic(),
            }
        } else {
            Opening::silent()
        };
        let stream = stream.set_nonblocking(true).and_then(|()| UnixStream::from_std(stream));
        let stream = match stream {
            Ok(stream) => stream,
            Err(error) => {
                note_failure(D::PROTOCOL, &error, &self.service);
                return;
            }
        };
        let (dialect, service, seat) = (Arc::clone(&self.dialect), Arc::clone(&self.service), seat.take());
        if self.closing {
            seat.dismiss();
        }
        self.connections.spawn(async move {
            let end = converse(stream, opening, dialect.as_ref(), &seat, &service.limits).await;
            note_end(D::PROTOCOL, end, &service);
        });
    }

    /// Admits who else is there already, as long as there are seats.
    fn admit_more(&mut self, mut ready: Ready<'_>, pool: &Arc<Pool>) -> io::Result<()> {
        for _ in 1..AT_ONCE {
            let Some(seat) = pool.try_seat() else { break };
            match ready.try_io(|queue| queue.get_ref().accept()) {
                Ok(accepted) => self.admit(accepted?.0, seat),
                Err(_would_block) => break,
            }
        }
        Ok(())
    }

    fn note(&self, ended: Result<(), JoinError>) {
        if ended.is_err_and(|error| error.is_panic()) {
            // The panic itself was logged where it happened.
            self.service.counters.count_panic();
        }
    }

    /// Waits until it makes sense to try again.
    async fn pause(&mut self) {
        let over = tokio::time::sleep(self.service.limits.back_off);
        self.meanwhile(over).await;
    }

    /// Waits for something; connections that end meanwhile are noted.
    async fn meanwhile<T>(&mut self, something: impl Future<Output = T>) -> T {
        tokio::pin!(something);
        loop {
            tokio::select! {
                what = &mut something => return what,
                Some(ended) = self.connections.join_next() => self.note(ended),
            }
        }
    }

    /// Admits those who wait in the queue, for the one answer that they came for.
    async fn admit_rest(&mut self, queue: &UnixListener, pool: &Arc<Pool>) {
        self.closing = true;
        // Nobody waits for a seat in the name of an empty queue; if it cannot be asked, accept says why.
        while has_waiting(queue).unwrap_or(true) {
            let seat = self.meanwhile(pool.seat()).await;
            match queue.accept() {
                Ok((stream, _)) => self.admit(stream, seat),
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

    /// Lets the connections end; those that do not in time are closed. `waiting`: how many could not
    /// even be admitted.
    async fn drain(&mut self, deadline: Instant, waiting: usize) {
        let ended = async {
            while let Some(ended) = self.connections.join_next().await {
                self.note(ended);
            }
        };
        let in_time = timeout_at(deadline, ended).await.is_ok();
        if !in_time || waiting > 0 {
            tracing::warn!(
                protocol = D::PROTOCOL.word(),
                connections = self.connections.len(),
                waiting,
                "drain_incomplete"
            );
        }
        self.connections.abort_all();
    }
}

fn note_failure(protocol: ListenProtocol, error: &io::Error, service: &Service) {
    if let Some(turn) = service.repeats.turn("accept_failed") {
        tracing::warn!(protocol = protocol.word(), %error, suppressed = turn.suppressed, "accept_failed");
    }
}

/// What a peer did is debug; what it did wrong is a warning, at most one a second of each kind.
fn note_end(protocol: ListenProtocol, end: End, service: &Service) {
    let protocol = protocol.word();
    let name = match end {
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
