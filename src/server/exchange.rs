//! Requests in, replies out: what is under way with one peer.
//!
//! No waiting is done here. Bytes that were received are answered as far as they are whole, and
//! what the peer takes at once is sent; [`Outcome`] says what is left. All connections share one
//! [`Desk`], where their bytes lie while they are worked on, those of some beside each other: it stays in
//! the processor's cache, and a connection between two requests keeps no buffer at all.
//!
//! What is kept for a peer is bounded: one unfinished request, one read, and [`OUTPUT_HIGH`] with
//! one reply on top.

use std::cell::RefCell;
use std::io;
use std::os::fd::RawFd;
use std::pin::Pin;

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, recv, send};

use super::connection::End;
use crate::config::ListenProtocol;
use crate::protocol;

/// Room for one read. Most requests are shorter; longer ones take several.
const READ: usize = 4 * 1024;

/// Room on the desk: for one long read, or for many short ones and then a long one.
const ROOM: usize = 2 * READ;

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

    /// Says what will be answered next: the starts of requests of some peers, or all of them. What the
    /// answers would have to wait for from memory can be on its way then.
    fn foresee<'i>(&self, _inputs: impl Iterator<Item = &'i [u8]>) {}

    /// Answers the request that `input` begins with: appends the reply to `output`.
    ///
    /// # Errors
    /// The peer broke the protocol.
    fn answer(&self, input: &[u8], output: &mut Vec<u8>) -> Result<Answer, protocol::Error>;
}

/// What became of a request.
pub(super) enum Answer {
    /// More bytes are needed.
    More,
    /// It took so many bytes, and is answered.
    Done(usize),
    /// It took so many bytes; the reply will be what comes of this.
    Later(usize, Reply),
}

/// A reply that takes its time.
pub(super) type Reply = Pin<Box<dyn Future<Output = Vec<u8>> + Send>>;

/// What is left to do after bytes were answered.
pub(super) enum Outcome {
    /// There was no whole request.
    Waiting,
    /// All that was whole is answered, and the peer has the replies.
    Answered,
    /// The peer has not taken all replies yet; there may be more to answer after them.
    Unsent,
    /// A reply that has to be waited for.
    Later(Reply),
    /// The connection ends, once the peer has what is left of the replies.
    Ended(End),
}

/// What is kept of a peer between two reads.
#[derive(Default)]
pub(super) struct Exchange {
    /// A request that is not whole yet, or what came while replies were not taken.
    pub(super) input: Vec<u8>,
    /// Replies that the peer has not taken yet.
    pub(super) output: Vec<u8>,
}

/// Where bytes lie while they are worked on: never for longer than a turn.
pub(super) struct Desk {
    /// What was read, one after another.
    input: [u8; ROOM],
    used: usize,
    output: Vec<u8>,
}

/// Where on the desk lies what was read.
#[derive(Debug)]
pub(super) struct Heard {
    start: usize,
    count: usize,
}

impl Heard {
    fn of<'d>(&self, input: &'d [u8]) -> &'d [u8] {
        input.get(self.start..self.start + self.count).unwrap_or_default()
    }

    /// Whether the kernel may have more of it. (Of a peer that passes descriptors as well it may in any case;
    /// that one is heard when it says more.)
    pub(super) fn is_cut(&self) -> bool {
        self.count == READ
    }
}

thread_local! {
    static DESK: RefCell<Desk> =
        const { RefCell::new(Desk { input: [0; ROOM], used: 0, output: Vec::new() }) };
}

/// Works at the desk of this thread, on which nothing lies yet.
pub(super) fn at_desk<T>(work: impl FnOnce(&mut Desk) -> T) -> T {
    DESK.with_borrow_mut(|desk| {
        desk.used = 0;
        work(desk)
    })
}

impl Desk {
    /// Whether another peer can be listened to.
    pub(super) fn has_room(&self) -> bool {
        self.used <= ROOM - READ
    }

    /// Reads what the kernel has of a socket, if there is room for it. `None`: nothing.
    ///
    /// # Errors
    /// How the connection ended, if it has.
    pub(super) fn hear(&mut self, exchange: &Exchange, socket: RawFd) -> Result<Option<Heard>, End> {
        let start = self.used;
        let Some(room) = self.input.get_mut(start..start + READ) else { return Ok(None) };
        loop {
            match recv(socket, room, MsgFlags::MSG_DONTWAIT) {
                Ok(0) => return Err(exchange.closed()),
                Ok(count) => {
                    self.used = start + count;
                    return Ok(Some(Heard { start, count }));
                }
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return Ok(None),
                Err(errno) => return Err(broken(errno)),
            }
        }
    }

    /// What was read.
    pub(super) fn bytes(&self, heard: &Heard) -> &[u8] {
        heard.of(&self.input)
    }

    /// Answers every request that is whole now that this was read, and sends the replies.
    pub(super) fn answer<D: Dialect>(
        &mut self,
        exchange: &mut Exchange,
        dialect: &D,
        socket: RawFd,
        heard: &Heard,
    ) -> Outcome {
        let fresh = heard.of(&self.input);
        self.output.clear();
        if exchange.input.is_empty() {
            let (taken, outcome) = answer_all(exchange, dialect, socket, fresh, &mut self.output);
            exchange.input.extend_from_slice(fresh.get(taken..).unwrap_or_default());
            return outcome;
        }
        exchange.input.extend_from_slice(fresh);
        // Too many bytes end a request as well: only `answer` can say so.
        if exchange.input.len() < D::LIMIT && !D::can_end(fresh) {
            return Outcome::Waiting;
        }
        exchange.resume(dialect, socket, &mut self.output)
    }

    /// Goes on with what came while replies were not taken.
    pub(super) fn resume<D: Dialect>(
        &mut self,
        exchange: &mut Exchange,
        dialect: &D,
        socket: RawFd,
    ) -> Outcome {
        self.output.clear();
        exchange.resume(dialect, socket, &mut self.output)
    }
}

impl Exchange {
    /// How a connection ends that the peer closed.
    pub(super) fn closed(&self) -> End {
        if self.input.is_empty() { End::Closed } else { End::Cut }
    }

    fn resume<D: Dialect>(&mut self, dialect: &D, socket: RawFd, output: &mut Vec<u8>) -> Outcome {
        if self.input.is_empty() {
            return Outcome::Waiting;
        }
        let mut input = std::mem::take(&mut self.input);
        let (taken, outcome) = answer_all(self, dialect, socket, &input, output);
        if taken < input.len() {
            input.drain(..taken);
            self.input = input;
        }
        outcome
    }

    /// Sends replies; what the peer does not take at once is kept. Whether nothing is.
    fn send(&mut self, socket: RawFd, replies: &mut Vec<u8>) -> Result<bool, End> {
        let sent = match send(socket, replies, MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL) {
            Ok(sent) => sent,
            Err(Errno::EAGAIN | Errno::EINTR) => 0,
            Err(errno) => return Err(broken(errno)),
        };
        self.output.extend_from_slice(replies.get(sent..).unwrap_or_default());
        replies.clear();
        if replies.capacity() > OUTPUT_HIGH {
            *replies = Vec::new();
        }
        Ok(self.output.is_empty())
    }
}

/// Answers what is whole in `input`, from its start; how many bytes that took.
fn answer_all<D: Dialect>(
    exchange: &mut Exchange,
    dialect: &D,
    socket: RawFd,
    input: &[u8],
    output: &mut Vec<u8>,
) -> (usize, Outcome) {
    let mut taken = 0;
    let last = loop {
        match dialect.answer(input.get(taken..).unwrap_or_default(), output) {
            Ok(Answer::Done(count)) => taken += count,
            Ok(Answer::More) => break if taken > 0 { Outcome::Answered } else { Outcome::Waiting },
            Ok(Answer::Later(count, reply)) => {
                taken += count;
                break Outcome::Later(reply);
            }
            Err(error) => break Outcome::Ended(End::Malformed(error)),
        }
        if D::SINGLE {
            break Outcome::Ended(End::Closed);
        }
        if taken == input.len() {
            break Outcome::Answered;
        }
        if output.len() >= OUTPUT_HIGH {
            match exchange.send(socket, output) {
                Ok(true) => {}
                Ok(false) => return (taken, Outcome::Unsent),
                Err(end) => return (taken, Outcome::Ended(end)),
            }
        }
    };
    if output.is_empty() {
        return (taken, last);
    }
    let outcome = match exchange.send(socket, output) {
        Ok(false) if matches!(last, Outcome::Answered) => Outcome::Unsent,
        Ok(_) => last,
        Err(end) => Outcome::Ended(end),
    };
    (taken, outcome)
}

/// The system failed a connection.
pub(super) fn broken(error: impl Into<io::Error>) -> End {
    End::Broken(error.into().kind())
}
