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
//! Waits for nothing but in [`Connection::settle`], which few connections ever come to. Logs nothing;
//! says how it ended.

use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, RawFd};
use std::task::Waker;
use std::time::Instant;

use nix::sys::socket::{MsgFlags, send};
use tokio::io::unix::AsyncFd;
use tokio::time::timeout;

use super::exchange::{Desk, Dialect, Exchange, Heard, Outcome, at_desk, broken};
use super::hall::watched;
use super::limits::Limits;
use super::pool::{Leave, Phase, Seat};
use super::queue::Accepted;
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
    /// The system has no room for it.
    NoRoom(io::ErrorKind),
    /// We failed it.
    Panicked,
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
/// have, and then no watching of the socket and no seat has to be set up for it.
///
/// # Errors
/// How it ended, when it did.
pub(super) fn greet<D: Dialect>(socket: RawFd, dialect: &D) -> Result<Opening, End> {
    let mut exchange = Exchange::default();
    let outcome = at_desk(|desk| {
        let heard = desk.hear(&exchange, socket)?;
        Ok(heard.map(|heard| desk.answer(&mut exchange, dialect, socket, &heard)))
    });
    match outcome? {
        Some(Outcome::Ended(end)) if exchange.output.is_empty() => Err(end),
        outcome => Ok(Opening { exchange, outcome: outcome.unwrap_or(Outcome::Waiting) }),
    }
}

/// A connection between two turns.
pub(super) struct Connection {
    stream: Accepted,
    exchange: Exchange,
    seat: Seat,
    /// Whether a request was whole.
    has_asked: bool,
}

/// What a connection needs after a turn.
pub(super) enum Next {
    /// Its peer has the word.
    Rest,
    /// Another turn: there may be more to hear.
    Turn,
    /// [`Connection::settle`].
    Settle(Outcome),
    /// Nothing any more.
    End(End),
}

/// What was said in a turn.
pub(super) enum Said {
    /// Nothing.
    Nothing,
    /// This, which is to be answered.
    Words(Heard),
    /// Whatever it was, the turn is over.
    Over(Next),
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

impl Connection {
    /// A connection, and what has become of it so far.
    pub(super) fn new(stream: Accepted, opening: Opening, seat: Seat) -> (Connection, Outcome) {
        let Opening { exchange, outcome } = opening;
        let has_asked = !matches!(outcome, Outcome::Waiting);
        (Connection { stream, exchange, seat, has_asked }, outcome)
    }

    /// From now on this one is woken when the connection is asked to leave. Whether it has been.
    pub(super) fn wake_by(&self, waker: Waker) -> bool {
        self.seat.wake_by(waker);
        self.seat.leave().is_some()
    }

    /// The first half of a turn: listens to the peer.
    pub(super) fn hear<D: Dialect>(&mut self, dialect: &D, desk: &mut Desk) -> Said {
        if let Some(leave) = self.seat.leave() {
            return Said::Over(self.answer_last(dialect, desk, leave));
        }
        match desk.hear(&self.exchange, self.stream.as_raw_fd()) {
            Ok(None) => Said::Nothing,
            Ok(Some(heard)) => Said::Words(heard),
            Err(end) => Said::Over(Next::End(end)),
        }
    }

    /// Whether it is between two requests: nothing that was said waits for its end.
    pub(super) fn is_between(&self) -> bool {
        self.exchange.input.is_empty()
    }

    /// The second half: answers.
    pub(super) fn answer<D: Dialect>(
        &mut self,
        dialect: &D,
        desk: &mut Desk,
        heard: &Heard,
        now: Instant,
    ) -> Next {
        let (begun, is_cut) = (!self.is_between(), heard.is_cut());
        let outcome = desk.answer(&mut self.exchange, dialect, self.stream.as_raw_fd(), heard);
        self.has_asked |= !matches!(outcome, Outcome::Waiting);
        match outcome {
            // A request has its time from the first byte on.
            Outcome::Waiting if begun => {}
            Outcome::Waiting | Outcome::Answered => self.rest(now),
            outcome @ (Outcome::Unsent | Outcome::Later(_) | Outcome::Ended(_)) => {
                return self.unsettled(outcome);
            }
        }
        if is_cut { Next::Turn } else { Next::Rest }
    }

    /// Notes that from now on we wait for the peer.
    pub(super) fn rest(&self, now: Instant) {
        self.seat.enter(if self.is_between() { Phase::Idle(now) } else { Phase::Partial(now) });
    }

    /// What cannot be done in a turn.
    fn unsettled(&self, outcome: Outcome) -> Next {
        if let Outcome::Ended(end) = outcome
            && self.exchange.output.is_empty()
        {
            return Next::End(end);
        }
        self.seat.enter(Phase::Busy);
        Next::Settle(outcome)
    }

    /// Answers what the peer sent before it was asked to leave. It may stay after all if there was
    /// something, except at the end of the daemon: then it is asked until there is nothing more, in a
    /// turn each, so that one that goes on asking does not keep the others from their last answers.
    fn answer_last<D: Dialect>(&mut self, dialect: &D, desk: &mut Desk, leave: Leave) -> Next {
        let (begun, socket) = (!self.is_between(), self.stream.as_raw_fd());
        let outcome = match desk.hear(&self.exchange, socket) {
            Ok(Some(heard)) => desk.answer(&mut self.exchange, dialect, socket, &heard),
            // It is told when there is something, or asked again.
            Ok(None) if leave == Leave::Closing && (begun || !self.has_asked) => return Next::Rest,
            Ok(None) => return Next::End(self.left(leave)),
            Err(end) => return Next::End(end),
        };
        self.has_asked |= !matches!(outcome, Outcome::Waiting);
        let stays = match (leave, &outcome) {
            (Leave::Closing | Leave::Shutdown, _) => true,
            (Leave::Seat, Outcome::Waiting) => false,
            // A request that has just begun has its own time.
            (Leave::Overdue, Outcome::Waiting) => !begun && !self.is_between(),
            (Leave::Seat | Leave::Overdue, _) => true,
        };
        if !stays {
            return Next::End(self.left(leave));
        }
        self.seat.stay();
        match outcome {
            Outcome::Waiting | Outcome::Answered => {
                self.rest(Instant::now());
                Next::Turn
            }
            outcome @ (Outcome::Unsent | Outcome::Later(_) | Outcome::Ended(_)) => self.unsettled(outcome),
        }
    }

    fn left(&self, leave: Leave) -> End {
        match leave {
            Leave::Overdue if self.is_between() => End::Idle,
            Leave::Overdue => End::Unfinished,
            Leave::Seat | Leave::Closing | Leave::Shutdown => End::Left(leave),
        }
    }

    /// Waits for what has to be waited for until the peer has all its replies.
    ///
    /// # Errors
    /// How it ended, when it did.
    pub(super) async fn settle<D: Dialect>(
        self,
        mut outcome: Outcome,
        dialect: &D,
        limits: &Limits,
    ) -> Result<Connection, End> {
        let Connection { stream, mut exchange, seat, .. } = self;
        let socket = stream.as_raw_fd();
        let stream = watched(stream).map_err(|error| End::NoRoom(error.kind()))?;
        loop {
            hand_over(&stream, &mut exchange, limits).await?;
            match outcome {
                Outcome::Waiting | Outcome::Answered => {
                    let stream = stream.into_inner();
                    return Ok(Connection { stream, exchange, seat, has_asked: true });
                }
                Outcome::Ended(end) => return Err(end),
                Outcome::Unsent => {}
                Outcome::Later(reply) => {
                    exchange.output = reply.await;
                    hand_over(&stream, &mut exchange, limits).await?;
                    if D::SINGLE {
                        return Err(End::Closed);
                    }
                }
            }
            outcome = at_desk(|desk| desk.resume(&mut exchange, dialect, socket));
        }
    }
}

/// Sends the replies that the peer has not taken yet, in [`Limits::write`] at most.
async fn hand_over(stream: &AsyncFd<Accepted>, exchange: &mut Exchange, limits: &Limits) -> Result<(), End> {
    if exchange.output.is_empty() {
        return Ok(());
    }
    let output = std::mem::take(&mut exchange.output);
    match timeout(limits.write, send_all(stream, &output)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(broken(error)),
        Err(_elapsed) => Err(End::Unread),
    }
}

async fn send_all(stream: &AsyncFd<Accepted>, mut bytes: &[u8]) -> io::Result<()> {
    let send = |stream: &AsyncFd<Accepted>, bytes: &[u8]| {
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
        send(stream.as_raw_fd(), bytes, flags).map_err(io::Error::from)
    };
    while !bytes.is_empty() {
        let mut ready = stream.writable().await?;
        match ready.try_io(|stream| send(stream, bytes)) {
            Ok(Ok(sent)) => bytes = bytes.get(sent..).unwrap_or_default(),
            Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(Err(error)) => return Err(error),
            Err(_would_block) => {}
        }
    }
    Ok(())
}
