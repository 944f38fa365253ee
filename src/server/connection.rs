//! One connection, whatever is spoken on it.
//!
//! Promises: requests are answered in their order, each as a whole, however its bytes arrive; the
//! next bytes are read only when every reply so far has left, so a peer that does not read its
//! replies is not read from either. What is kept for a peer is bounded ([`exchange`](super::exchange)).
//!
//! Closes, without a reply: at the first byte that is not the protocol's, when a request is not
//! finished [`Limits::request`] after its first byte, when replies are not taken within
//! [`Limits::write`], after [`Limits::idle`] without a request, and when asked to leave. Then what
//! the peer had sent in full is answered first.
//!
//! Logs nothing; says how it ended.

use std::future::poll_fn;
use std::io;
use std::os::fd::{AsRawFd as _, RawFd};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use tokio::io::{AsyncRead as _, AsyncWriteExt as _, ReadBuf};
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::exchange::{Dialect, Exchange, Outcome, at_desk, broken};
use super::limits::Limits;
use super::pool::{Leave, Phase, Seat};
use crate::protocol;

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

/// A connection that was greeted, and goes on.
pub(super) struct Opening {
    exchange: Exchange,
    outcome: Outcome,
}

impl Opening {
    /// Of a peer that nothing was read from.
    pub(super) fn silent() -> Opening {
        Opening { exchange: Exchange::default(), outcome: Outcome::Waiting }
    }
}

/// Answers what a peer has sent by the time that it is accepted. Most peers that ask one question
/// have, and then no task, no watching of the socket and no seat has to be set up for it.
///
/// # Errors
/// How it ended, when it did.
pub(super) fn greet<D: Dialect>(socket: RawFd, dialect: &D) -> Result<Opening, End> {
    let mut exchange = Exchange::default();
    match at_desk(|desk| desk.take(&mut exchange, dialect, socket)) {
        Some(Outcome::Ended(end)) if exchange.output.is_empty() => Err(end),
        Some(outcome) => Ok(Opening { exchange, outcome }),
        None => Ok(Opening::silent()),
    }
}

/// Speaks with a peer until one of both has enough.
pub(super) async fn converse<D: Dialect>(
    stream: UnixStream,
    opening: Opening,
    dialect: &D,
    seat: &Seat,
    limits: &Limits,
) -> End {
    let Opening { exchange, outcome } = opening;
    let mut connection = Connection { stream, exchange, seat, limits, waker: None };
    match connection.converse(dialect, outcome).await {
        Ok(never) => match never {},
        Err(end) => end,
    }
}

enum Woken {
    /// Something is to be done that a turn cannot.
    Outcome(Outcome),
    Leave(Leave),
}

struct Connection<'a> {
    stream: UnixStream,
    exchange: Exchange,
    seat: &'a Seat,
    limits: &'a Limits,
    /// Who was last told to wake us.
    waker: Option<Waker>,
}

impl Connection<'_> {
    async fn converse<D: Dialect>(
        &mut self,
        dialect: &D,
        opening: Outcome,
    ) -> Result<std::convert::Infallible, End> {
        self.settle(dialect, opening).await?;
        self.rest();
        loop {
            match poll_fn(|context| self.turn(context, dialect)).await {
                Woken::Outcome(outcome) => {
                    self.seat.enter(Phase::Busy);
                    self.settle(dialect, outcome).await?;
                    self.rest();
                }
                Woken::Leave(leave) => self.answer_last(dialect, leave).await?,
            }
        }
    }

    /// Reads and answers for as long as there is something to read and nothing to wait for. It is
    /// what happens for every request, so nothing is told to wake us again that would wake us anyway.
    fn turn<D: Dialect>(&mut self, context: &mut Context<'_>, dialect: &D) -> Poll<Woken> {
        loop {
            if let Some(leave) = self.seat.leave() {
                return Poll::Ready(Woken::Leave(leave));
            }
            let begun = !self.exchange.input.is_empty();
            let socket = self.stream.as_raw_fd();
            let (stream, exchange) = (Pin::new(&mut self.stream), &mut self.exchange);
            let outcome = at_desk(|desk| {
                let mut fresh = ReadBuf::new(&mut desk.input);
                let read = stream.poll_read(context, &mut fresh);
                let count = fresh.filled().len();
                read.map(|read| match read {
                    Ok(()) if count == 0 => Outcome::Ended(exchange.closed()),
                    Ok(()) => desk.answer(exchange, dialect, socket, count),
                    Err(error) => Outcome::Ended(broken(error)),
                })
            });
            match outcome {
                Poll::Ready(Outcome::Answered) => self.rest(),
                // A request has its time from the first byte on.
                Poll::Ready(Outcome::Waiting) if begun => {}
                Poll::Ready(Outcome::Waiting) => self.rest(),
                Poll::Ready(outcome) => return Poll::Ready(Woken::Outcome(outcome)),
                Poll::Pending if self.is_known(context.waker()) => return Poll::Pending,
                Poll::Pending => {
                    self.waker = Some(context.waker().clone());
                    self.seat.wake_by(context.waker().clone());
                    if self.seat.leave().is_none() {
                        return Poll::Pending;
                    }
                }
            }
        }
    }

    fn is_known(&self, waker: &Waker) -> bool {
        self.waker.as_ref().is_some_and(|known| known.will_wake(waker))
    }

    /// Notes that from now on we wait for the peer.
    fn rest(&self) {
        let now = Instant::now();
        self.seat.enter(if self.exchange.input.is_empty() { Phase::Idle(now) } else { Phase::Partial(now) });
    }

    /// Waits for what has to be waited for until the peer has all its replies. Whether there was any.
    async fn settle<D: Dialect>(&mut self, dialect: &D, mut outcome: Outcome) -> Result<bool, End> {
        let mut answered = false;
        loop {
            self.send().await?;
            match outcome {
                Outcome::Waiting => return Ok(answered),
                Outcome::Answered => return Ok(true),
                Outcome::Ended(end) => return Err(end),
                Outcome::Unsent => {}
                Outcome::Later(reply) => {
                    self.exchange.output = reply.await;
                    self.send().await?;
                    if D::SINGLE {
                        return Err(End::Closed);
                    }
                }
            }
            answered = true;
            let socket = self.stream.as_raw_fd();
            outcome = at_desk(|desk| desk.resume(&mut self.exchange, dialect, socket));
        }
    }

    /// Answers what the peer sent before it was asked to leave; returns if it may stay after all.
    async fn answer_last<D: Dialect>(&mut self, dialect: &D, leave: Leave) -> Result<(), End> {
        loop {
            let begun = !self.exchange.input.is_empty();
            let socket = self.stream.as_raw_fd();
            // Asking the kernel itself: what the runtime knows of the stream is from its last look,
            // and of a stream that was just accepted it knows nothing yet.
            let Some(outcome) = at_desk(|desk| desk.take(&mut self.exchange, dialect, socket)) else {
                return Err(self.left(leave));
            };
            self.seat.enter(Phase::Busy);
            let answered = self.settle(dialect, outcome).await?;
            // A request that has just begun has its own time.
            let begins = !begun && !self.exchange.input.is_empty();
            match leave {
                // One that goes on asking does not keep the others from their last answers, nor us from
                // looking at the time.
                Leave::Shutdown => tokio::task::yield_now().await,
                Leave::Seat if answered => break,
                Leave::Overdue if answered || begins => break,
                Leave::Seat | Leave::Overdue => return Err(self.left(leave)),
            }
        }
        self.seat.stay();
        self.rest();
        Ok(())
    }

    fn left(&self, leave: Leave) -> End {
        match leave {
            Leave::Overdue if self.exchange.input.is_empty() => End::Idle,
            Leave::Overdue => End::Unfinished,
            Leave::Seat | Leave::Shutdown => End::Left(leave),
        }
    }

    /// Sends the replies that the peer has not taken yet, in [`Limits::write`] at most.
    async fn send(&mut self) -> Result<(), End> {
        if self.exchange.output.is_empty() {
            return Ok(());
        }
        let output = std::mem::take(&mut self.exchange.output);
        match timeout(self.limits.write, self.stream.write_all(&output)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(broken(error)),
            Err(_elapsed) => Err(End::Unread),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::io::AsyncReadExt as _;

    use super::super::exchange::Answer;
    use super::super::pool::Pool;
    use super::*;
    use crate::config::ListenProtocol;

    /// Takes a pair of bytes at a time, and says them ten thousand times.
    struct Loud;

    const REPLY: usize = 20_000;

    impl Dialect for Loud {
        const PROTOCOL: ListenProtocol = ListenProtocol::Socketmap;
        const LIMIT: usize = 2;

        fn answer(&self, input: &[u8], output: &mut Vec<u8>) -> Result<Answer, protocol::Error> {
            let Some(pair) = input.get(..2) else { return Ok(Answer::More) };
            output.extend(pair.iter().cycle().take(REPLY));
            Ok(Answer::Done(2))
        }
    }

    /// How a connection with these limits ends, whose peer does this and closes then.
    async fn ended<T>(limits: Limits, peer: impl AsyncFnOnce(UnixStream) -> T) -> End {
        let (own, other) = UnixStream::pair().unwrap();
        let pool = Pool::new(1, &limits);
        let seat = pool.try_seat().unwrap().take();
        let clock = tokio::spawn(Arc::clone(&pool).keep_time());
        let conversation = converse(own, Opening::silent(), &Loud, &seat, &limits);
        let (end, _) = tokio::join!(conversation, peer(other));
        clock.abort();
        end
    }

    fn short(limit: impl FnOnce(&mut Limits)) -> Limits {
        let mut limits = Limits::default();
        limit(&mut limits);
        limits
    }

    const SOON: Duration = Duration::from_millis(10);

    /// Reads until the other end closes.
    async fn heard(stream: &mut UnixStream) -> usize {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.unwrap()
    }

    #[tokio::test]
    async fn waiting_has_an_end() {
        let idle = ended(short(|limits| limits.idle = SOON), async |mut peer| {
            assert_eq!(heard(&mut peer).await, 0);
        });
        assert_eq!(idle.await, End::Idle);
        let unfinished = ended(short(|limits| limits.request = SOON), async |mut peer| {
            peer.write_all(b"abc").await.unwrap();
            assert_eq!(heard(&mut peer).await, REPLY);
        });
        assert_eq!(unfinished.await, End::Unfinished);
        let unread = ended(short(|limits| limits.write = SOON), async |mut peer| {
            peer.write_all(&[b'a'; 4_000]).await.unwrap();
            peer
        });
        assert_eq!(unread.await, End::Unread);
    }

    #[tokio::test]
    async fn replies_that_do_not_fit_keep_their_order_and_lose_nothing() {
        const REQUESTS: usize = 300;
        let end = ended(Limits::default(), async |mut peer| {
            let requests: Vec<u8> =
                (0..REQUESTS).flat_map(|number| [b'a' + u8::try_from(number % 26).unwrap(), b'.']).collect();
            // In odd pieces: requests are torn.
            for piece in requests.chunks(7) {
                peer.write_all(piece).await.unwrap();
            }
            for request in requests.chunks(2) {
                let mut reply = vec![0; REPLY];
                peer.read_exact(&mut reply).await.unwrap();
                assert!(reply.chunks(2).all(|pair| pair == request));
            }
        });
        assert_eq!(end.await, End::Closed);
    }

    #[tokio::test]
    async fn one_that_is_asked_to_leave_answers_what_was_asked() {
        let (own, mut other) = UnixStream::pair().unwrap();
        let limits = Limits::default();
        let pool = Pool::new(1, &limits);
        let seat = pool.try_seat().unwrap().take();
        other.write_all(b"ab").await.unwrap();
        seat.dismiss();
        let conversation = converse(own, Opening::silent(), &Loud, &seat, &limits);
        let (end, count) = tokio::join!(conversation, async {
            let mut reply = vec![0; REPLY];
            other.read_exact(&mut reply).await.unwrap()
        });
        assert_eq!((end, count), (End::Left(Leave::Shutdown), REPLY));
    }

    #[tokio::test]
    async fn a_request_that_begins_when_time_is_up_has_its_own() {
        let (own, mut other) = UnixStream::pair().unwrap();
        let limits = Limits::default();
        let pool = Pool::new(1, &limits);
        let seat = pool.try_seat().unwrap().take();
        let start = Instant::now();
        seat.enter(Phase::Idle(start));
        pool.dismiss_overdue(start + 2 * limits.idle);
        assert_eq!(seat.leave(), Some(Leave::Overdue));
        other.write_all(b"a").await.unwrap();
        let conversation = converse(own, Opening::silent(), &Loud, &seat, &limits);
        let (end, ()) = tokio::join!(conversation, async {
            while seat.leave().is_some() {
                tokio::task::yield_now().await;
            }
            other.write_all(b"b").await.unwrap();
            let mut reply = vec![0; REPLY];
            other.read_exact(&mut reply).await.unwrap();
            drop(other);
        });
        assert_eq!(end, End::Closed);
    }
}
