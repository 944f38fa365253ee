//! One connection, whatever is spoken on it.
//!
//! Promises: requests are answered in their order, each as a whole, however its bytes arrive; the
//! next bytes are read only when every reply so far has left, so a peer that does not read its
//! replies is not read from either. What is kept for a peer is bounded: one unfinished request, one
//! read, and [`OUTPUT_HIGH`] with one reply on top.
//!
//! Closes, without a reply: at the first byte that is not the protocol's, when a request is not
//! finished [`Limits::request`] after its first byte, when replies are not taken within
//! [`Limits::write`], after [`Limits::idle`] without a request, and when asked to leave. Then what
//! the peer had sent in full is answered first.
//!
//! Logs nothing; says how it ended.

use std::future::{Future, poll_fn};
use std::io;
use std::os::fd::AsRawFd as _;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, recv};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::task::coop::unconstrained;
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use super::limits::Limits;
use super::pool::{Leave, Phase, Seat};
use crate::config::ListenProtocol;
use crate::protocol;

/// Room for one read. Most requests are shorter; longer ones take several.
const READ: usize = 4 * 1024;

/// Buffers that grew beyond this are given back once they are empty.
const KEEP: usize = 16 * 1024;

/// Replies are sent before more are made once they have so many bytes. With requests of a few bytes
/// and replies of up to 60 000, a single read could otherwise be worth megabytes.
const OUTPUT_HIGH: usize = 64 * 1024;

/// A protocol as a connection needs it.
pub(super) trait Dialect: Send + Sync + 'static {
    /// Which one it is.
    const PROTOCOL: ListenProtocol;

    /// Whether the connection ends after one reply.
    const SINGLE: bool = false;

    /// The longest request in bytes: of so many, `answer` never asks for more. It bounds what is
    /// kept of a request whose end does not come.
    const LIMIT: usize;

    /// Whether these bytes, just received, can end a request or break one. It keeps a request that
    /// comes byte by byte from being read from its start each time.
    fn can_end(_fresh: &[u8]) -> bool {
        true
    }

    /// Answers the request that `input` begins with: appends the reply to `output`, and says how
    /// many bytes the request took. `None`: more bytes are needed.
    ///
    /// # Errors
    /// The peer broke the protocol.
    fn answer(
        &self,
        input: &[u8],
        output: &mut Vec<u8>,
    ) -> impl Future<Output = Result<Option<usize>, protocol::Error>> + Send;
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The peer closed, or all was said.
    Closed,
    /// The peer closed within a request.
    Cut,
    /// The peer broke the protocol.
    Malformed(protocol::Error),
    /// A request was not finished in time.
    Unfinished,
    /// Replies were not taken in time.
    Unread,
    /// No request for long.
    Idle,
    /// We asked it to leave.
    Left(Leave),
    /// The system failed the connection.
    Broken(io::ErrorKind),
}

/// What ended the wait for bytes.
enum Woken {
    Bytes(usize),
    Eof,
    Deadline,
    Leave(Leave),
    Failed(io::Error),
}

/// Speaks with a peer until one of both has enough.
pub(super) async fn converse<D: Dialect>(
    stream: UnixStream,
    dialect: &D,
    seat: &Seat,
    limits: &Limits,
) -> End {
    let mut connection = Connection {
        stream,
        seat,
        limits,
        input: Vec::new(),
        output: Vec::new(),
        waker: None,
        sleep: None,
        armed: false,
    };
    match connection.converse(dialect).await {
        Ok(()) => End::Closed,
        Err(end) => end,
    }
}

struct Connection<'a> {
    stream: UnixStream,
    seat: &'a Seat,
    limits: &'a Limits,
    input: Vec<u8>,
    output: Vec<u8>,
    /// Who was last told to wake us.
    waker: Option<Waker>,
    /// The next deadline or an earlier one; none while nobody has waited.
    sleep: Option<Pin<Box<Sleep>>>,
    /// Whether it will wake `waker`.
    armed: bool,
}

impl Connection<'_> {
    async fn converse<D: Dialect>(&mut self, dialect: &D) -> Result<(), End> {
        let mut since = Instant::now();
        loop {
            let (phase, deadline) = match self.input.is_empty() {
                true => (Phase::Idle(since.into_std()), since + self.limits.idle),
                false => (Phase::Partial(since.into_std()), since + self.limits.request),
            };
            self.seat.enter(phase);
            let woken = self.wait(deadline).await;
            self.seat.enter(Phase::Busy);
            let leave = match woken {
                Woken::Bytes(count) => {
                    if self.answer_all(dialect, count, &mut since).await? && D::SINGLE {
                        return Ok(());
                    }
                    continue;
                }
                Woken::Eof if self.input.is_empty() => return Ok(()),
                Woken::Eof => return Err(End::Cut),
                Woken::Deadline if self.input.is_empty() => return Err(End::Idle),
                Woken::Deadline => return Err(End::Unfinished),
                Woken::Failed(error) => return Err(End::Broken(error.kind())),
                Woken::Leave(leave) => leave,
            };
            if !self.answer_last(dialect, leave, &mut since).await? {
                return Err(End::Left(leave));
            }
        }
    }

    /// Answers what the peer sent before it was asked to leave; whether it may stay after all.
    async fn answer_last<D: Dialect>(
        &mut self,
        dialect: &D,
        leave: Leave,
        since: &mut Instant,
    ) -> Result<bool, End> {
        loop {
            let mut bytes = [0; READ];
            // Asking the kernel itself: what the runtime knows of the stream is from its last look,
            // and of a stream that was just accepted it knows nothing yet.
            let count = match recv(self.stream.as_raw_fd(), &mut bytes, MsgFlags::MSG_DONTWAIT) {
                Ok(0) | Err(Errno::EWOULDBLOCK) => return Ok(false),
                Ok(count) => count,
                Err(Errno::EINTR) => continue,
                Err(errno) => return Err(End::Broken(io::Error::from(errno).kind())),
            };
            self.input.extend(bytes.iter().take(count));
            let answered = self.answer_all(dialect, count, since).await?;
            if answered && D::SINGLE {
                return Ok(false);
            }
            if leave == Leave::Seat {
                if answered {
                    self.seat.stay();
                }
                return Ok(answered);
            }
        }
    }

    async fn wait(&mut self, deadline: Instant) -> Woken {
        self.input.reserve(READ);
        poll_fn(|context| self.poll(context, deadline)).await
    }

    /// What happens first. It is polled for every request, so nothing is told to wake us again that
    /// would wake us anyway.
    fn poll(&mut self, context: &mut Context<'_>, deadline: Instant) -> Poll<Woken> {
        if let Some(leave) = self.seat.leave() {
            return Poll::Ready(Woken::Leave(leave));
        }
        let read = pin!(self.stream.read_buf(&mut self.input)).poll(context);
        if let Poll::Ready(read) = read {
            return Poll::Ready(match read {
                Ok(0) => Woken::Eof,
                Ok(count) => Woken::Bytes(count),
                Err(error) => Woken::Failed(error),
            });
        }
        let known = self.waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker()));
        if !known {
            self.waker = Some(context.waker().clone());
            self.armed = false;
            self.seat.wake_by(context.waker().clone());
            if let Some(leave) = self.seat.leave() {
                return Poll::Ready(Woken::Leave(leave));
            }
        }
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        // The timer is moved only when it would be late: it may ring early, and then is set anew.
        // So a request costs no change of timers.
        if deadline < sleep.deadline() {
            sleep.as_mut().reset(deadline);
            self.armed = false;
        }
        if self.armed && !sleep.is_elapsed() {
            return Poll::Pending;
        }
        // The runtime makes tasks pause that were busy for long, and tells a timer so too: one that was
        // not looked at for that reason would never ring.
        while pin!(unconstrained(sleep.as_mut())).poll(context).is_ready() {
            if Instant::now() >= deadline {
                return Poll::Ready(Woken::Deadline);
            }
            sleep.as_mut().reset(deadline);
        }
        self.armed = true;
        Poll::Pending
    }

    /// Answers every request that is complete; `fresh` bytes were just received. Whether there was
    /// any. `since` becomes the time of the last reply, or of the first byte of what is left.
    async fn answer_all<D: Dialect>(
        &mut self,
        dialect: &D,
        fresh: usize,
        since: &mut Instant,
    ) -> Result<bool, End> {
        let begun = self.input.len() > fresh;
        let tail = self.input.get(self.input.len().saturating_sub(fresh)..).unwrap_or_default();
        // Too many bytes end a request as well: only `answer` can say so.
        if begun && self.input.len() < D::LIMIT && !D::can_end(tail) {
            return Ok(false);
        }
        let mut consumed = 0;
        let broken = loop {
            let rest = self.input.get(consumed..).unwrap_or_default();
            if rest.is_empty() {
                break None;
            }
            match dialect.answer(rest, &mut self.output).await {
                Ok(Some(taken)) => consumed += taken,
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
            if D::SINGLE {
                break None;
            }
            if self.output.len() >= OUTPUT_HIGH {
                self.send().await?;
            }
        };
        self.send().await?;
        if let Some(error) = broken {
            return Err(End::Malformed(error));
        }
        self.input.drain(..consumed);
        if consumed > 0 || !begun {
            *since = Instant::now();
        }
        if self.input.is_empty() && self.input.capacity() > KEEP {
            self.input = Vec::new();
        }
        Ok(consumed > 0)
    }

    /// Sends what was answered, in [`Limits::write`] at most.
    async fn send(&mut self) -> Result<(), End> {
        if self.output.is_empty() {
            return Ok(());
        }
        // Nearly always there is room, and nothing to wait for.
        let written = match self.stream.try_write(&self.output) {
            Ok(written) => written,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(error) => return Err(End::Broken(error.kind())),
        };
        let rest = self.output.get(written..).unwrap_or_default();
        let sent = match rest {
            [] => Some(Ok(())),
            rest => within(self.limits.write, self.stream.write_all(rest)).await,
        };
        self.output.clear();
        if self.output.capacity() > OUTPUT_HIGH {
            self.output = Vec::new();
        }
        match sent {
            Some(Ok(())) => Ok(()),
            Some(Err(error)) => Err(End::Broken(error.kind())),
            None => Err(End::Unread),
        }
    }
}

async fn within<T>(limit: Duration, what: impl Future<Output = T>) -> Option<T> {
    timeout(limit, what).await.ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use tokio::task::coop::{consume_budget, has_budget_remaining};

    use super::super::pool::Pool;
    use super::*;

    /// Takes one byte at a time, and says nothing.
    struct Mute;

    impl Dialect for Mute {
        const PROTOCOL: ListenProtocol = ListenProtocol::Socketmap;
        const LIMIT: usize = 1;

        async fn answer(&self, _: &[u8], _: &mut Vec<u8>) -> Result<Option<usize>, protocol::Error> {
            Ok(Some(1))
        }
    }

    #[tokio::test]
    async fn the_deadline_of_a_task_that_was_busy_rings() {
        let (own, _other) = UnixStream::pair().unwrap();
        let seat = Pool::new(1, Duration::from_secs(1)).try_seat().unwrap();
        let limits = Limits { idle: Duration::from_millis(10), ..Limits::default() };
        // The runtime has nothing left for this task when the connection first waits.
        while has_budget_remaining() {
            consume_budget().await;
        }
        assert_eq!(converse(own, &Mute, &seat, &limits).await, End::Idle);
    }
}
