#![allow(clippy::unwrap_used)]
use std::future::Future;
use std::os::unix::net::UnixStream as Std;
use std::pin::pin;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::sync::mpsc::unbounded_channel as channel;

use super::*;
use crate::config::ListenProtocol;
use crate::protocol;
use crate::server::exchange::{Answer, Reply};
use crate::server::pool::{Leave, Phase, Pool};

/// Takes a pair of bytes at a time, and says them ten thousand times. It takes its time for a pair that
/// begins with `l`, and panics at one that begins with `x`.
struct Loud;

const REPLY: usize = 20_000;

impl Dialect for Loud {
    const PROTOCOL: ListenProtocol = ListenProtocol::Socketmap;
    const LIMIT: usize = 2;

    fn answer(&self, input: &[u8], output: &mut Vec<u8>) -> Result<Answer, protocol::Error> {
        let Some(pair) = input.get(..2) else { return Ok(Answer::More) };
        let said = pair.iter().copied().cycle().take(REPLY);
        match pair {
            [b'x', _] => panic!("injected"),
            [b'l', _] => {
                let said: Vec<u8> = said.collect();
                let later: Reply = Box::pin(async {
                    tokio::task::yield_now().await;
                    said
                });
                Ok(Answer::Later(2, later))
            }
            _ => {
                output.extend(said);
                Ok(Answer::Done(2))
            }
        }
    }
}

/// A hall, with what is needed to send somebody in and to know how they leave.
struct House {
    pool: Arc<Pool>,
    door: Door,
    hall: Hall<Loud>,
    ends: UnboundedReceiver<End>,
}

impl House {
    fn new(seats: usize, limits: &Limits) -> House {
        let (sender, ends) = channel();
        let farewell = Box::new(move |end| sender.send(end).unwrap());
        let (door, hall) = Hall::open(Arc::new(Loud), limits.clone(), farewell).unwrap();
        House { pool: Pool::new(seats, limits), door, hall, ends }
    }

    /// Sends somebody in whose seat has been through this; the other end.
    fn enter(&self, before: impl FnOnce(&Seat)) -> UnixStream {
        let (own, other) = Std::pair().unwrap();
        other.set_nonblocking(true).unwrap();
        let seat = self.pool.try_seat().unwrap().take();
        before(&seat);
        self.door.enter(own.into(), Opening::silent(), seat);
        UnixStream::from_std(other).unwrap()
    }

    /// Serves those who are in, while `peers` do this; how they left, in that order.
    async fn serve(self, peers: impl Future<Output = ()>) -> Vec<End> {
        let House { pool, door, hall, mut ends } = self;
        drop(door);
        let clock = tokio::spawn(Arc::clone(&pool).keep_time());
        let (served, ()) = tokio::join!(hall.serve(), peers);
        served.unwrap();
        clock.abort();
        assert_eq!(pool.taken(), 0);
        std::iter::from_fn(|| ends.try_recv().ok()).collect()
    }
}

/// How a connection with these limits ends, whose peer does this and closes then.
async fn ended<T>(limits: Limits, peer: impl AsyncFnOnce(UnixStream) -> T) -> End {
    let house = House::new(1, &limits);
    let other = house.enter(|_| ());
    let ends = house.serve(async { drop(peer(other).await) }).await;
    let [end] = ends.as_slice() else { panic!("{ends:?}") };
    *end
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

/// Asks for an answer of this pair.
async fn asks(stream: &mut UnixStream, pair: &[u8; 2]) {
    stream.write_all(pair).await.unwrap();
    gets(stream, pair).await;
}

async fn gets(stream: &mut UnixStream, pair: &[u8; 2]) {
    let mut reply = vec![0; REPLY];
    stream.read_exact(&mut reply).await.unwrap();
    assert!(reply.chunks(2).all(|said| said == pair));
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
        while peer.write_all(b"a").await.is_ok() {
            tokio::task::yield_now().await;
        }
    });
    assert_eq!(unread.await, End::Unread);
}

#[tokio::test]
async fn replies_that_do_not_fit_keep_their_order_and_lose_nothing() {
    const REQUESTS: usize = 300;
    let end = ended(Limits::default(), async |mut peer| {
        let pairs: Vec<[u8; 2]> =
            (0..REQUESTS).map(|number| [b'a' + u8::try_from(number % 23).unwrap(), b'.']).collect();
        // In odd pieces: requests are torn. Some of the replies take their time.
        for piece in pairs.as_flattened().chunks(7) {
            peer.write_all(piece).await.unwrap();
        }
        for pair in &pairs {
            gets(&mut peer, pair).await;
        }
    });
    assert_eq!(end.await, End::Closed);
}

#[tokio::test]
async fn what_was_said_before_the_peer_closed_its_end_is_answered() {
    let end = ended(Limits::default(), async |mut peer| {
        // More than one read has room for, so that the last of it is not heard with the first.
        let requests = [b'a'; 5_000];
        peer.write_all(&requests).await.unwrap();
        peer.shutdown().await.unwrap();
        assert_eq!(heard(&mut peer).await, requests.len() / 2 * REPLY);
    });
    assert_eq!(end.await, End::Closed);
    let end = ended(Limits::default(), async |mut peer| {
        peer.write_all(b"abc").await.unwrap();
        peer.shutdown().await.unwrap();
        assert_eq!(heard(&mut peer).await, REPLY);
    });
    assert_eq!(end.await, End::Cut);
}

#[tokio::test]
async fn many_are_served_together_and_each_gets_its_own() {
    const PEERS: usize = 3 * ROUND;
    let house = House::new(PEERS, &Limits::default());
    let mut peers: Vec<UnixStream> = (0..PEERS).map(|_| house.enter(|_| ())).collect();
    let ends = house.serve(async move {
        for round in *b"abl" {
            // Everybody has asked before anybody is answered.
            for (peer, number) in peers.iter_mut().zip(0..) {
                peer.write_all(&[round, number]).await.unwrap();
            }
            for (peer, number) in peers.iter_mut().zip(0..) {
                gets(peer, &[round, number]).await;
            }
        }
    });
    assert_eq!(ends.await, [End::Closed; PEERS]);
}

#[tokio::test]
async fn nobody_is_forgotten_when_most_leave_at_once() {
    const STAY: usize = 8;
    let house = House::new(ROUND + STAY, &Limits::default());
    let mut peers: Vec<UnixStream> = (0..ROUND + STAY).map(|_| house.enter(|_| ())).collect();
    let ends = house.serve(async move {
        for peer in &mut peers {
            asks(peer, b"a.").await;
        }
        // In one go: those who leave are all of a round, and more than who stay.
        let mut staying = peers.split_off(ROUND);
        drop(peers);
        for peer in &mut staying {
            assert_eq!(peer.try_write(b"b.").unwrap(), 2);
        }
        for peer in &mut staying {
            gets(peer, b"b.").await;
        }
    });
    assert_eq!(ends.await, [End::Closed; ROUND + STAY]);
}

#[tokio::test]
async fn f13_a_panic_ends_its_connection_and_no_other_of_the_group() {
    let house = House::new(4, &Limits::default());
    let mut peers = [0; 4].map(|_| house.enter(|_| ()));
    let ends = house.serve(async move {
        let [one, broken, other, last] = &mut peers;
        for (peer, pair) in
            [(&mut *one, b"a."), (&mut *broken, b"x."), (&mut *other, b"b."), (&mut *last, b"c.")]
        {
            peer.write_all(pair).await.unwrap();
        }
        gets(one, b"a.").await;
        gets(other, b"b.").await;
        gets(last, b"c.").await;
        assert_eq!(heard(broken).await, 0);
        asks(one, b"d.").await;
    });
    assert_eq!(ends.await, [End::Panicked, End::Closed, End::Closed, End::Closed]);
}

#[tokio::test]
async fn one_that_is_asked_to_leave_answers_what_was_asked() {
    let house = House::new(1, &Limits::default());
    let mut other = house.enter(Seat::dismiss);
    other.write_all(b"ab").await.unwrap();
    let ends = house.serve(async {
        assert_eq!(heard(&mut other).await, REPLY);
    });
    assert_eq!(ends.await, [End::Left(Leave::Closing)]);
}

#[tokio::test]
async fn one_that_waits_for_its_peer_leaves_when_it_is_asked() {
    let house = House::new(2, &Limits::default());
    let mut peers = [0; 2].map(|_| house.enter(|_| ()));
    let pool = Arc::clone(&house.pool);
    let ends = house.serve(async move {
        let [one, other] = &mut peers;
        asks(one, b"ab").await;
        asks(other, b"ab").await;
        pool.shut_down();
        assert_eq!((heard(one).await, heard(other).await), (0, 0));
    });
    assert_eq!(ends.await, [End::Left(Leave::Shutdown); 2]);
}

#[tokio::test]
async fn f14_who_has_not_asked_to_the_end_may_while_we_close() {
    let house = House::new(4, &Limits::default());
    let mut peers = [0; 4].map(|_| house.enter(|_| ()));
    let pool = Arc::clone(&house.pool);
    let ends = house.serve(async move {
        let [regular, half, newcomer, silent] = &mut peers;
        asks(half, b"ab").await;
        half.write_all(b"c").await.unwrap();
        asks(regular, b"ab").await;
        pool.close();
        // All of them have been told when this one has left.
        assert_eq!(heard(regular).await, 0);
        newcomer.write_all(b"a").await.unwrap();
        tokio::task::yield_now().await;
        newcomer.write_all(b"b").await.unwrap();
        assert_eq!(heard(newcomer).await, REPLY);
        half.write_all(b"d").await.unwrap();
        assert_eq!(heard(half).await, REPLY);
        pool.shut_down();
        assert_eq!(heard(silent).await, 0);
    });
    let [closing, shutdown] = [Leave::Closing, Leave::Shutdown].map(End::Left);
    assert_eq!(ends.await, [closing, closing, closing, shutdown]);
}

#[tokio::test]
async fn a_request_that_begins_when_time_is_up_has_its_own() {
    let limits = Limits::default();
    let house = House::new(1, &limits);
    let mut other = house.enter(|seat| {
        let start = Instant::now();
        seat.enter(Phase::Idle(start));
        house.pool.dismiss_overdue(start + 2 * limits.idle);
        assert_eq!(seat.leave(), Some(Leave::Overdue));
    });
    other.write_all(b"a").await.unwrap();
    let House { door, hall, mut ends, .. } = house;
    drop(door);
    let mut serving = pin!(hall.serve());
    // So that it sees the one byte and not both.
    poll_fn(|context| Poll::Ready(serving.as_mut().poll(context).is_pending())).await;
    let (served, ()) = tokio::join!(serving, async {
        other.write_all(b"b").await.unwrap();
        gets(&mut other, b"ab").await;
        drop(other);
    });
    served.unwrap();
    assert_eq!(ends.try_recv().ok(), Some(End::Closed));
}
