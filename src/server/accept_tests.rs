#![allow(clippy::unwrap_used, clippy::indexing_slicing)]
use std::io::Write as _;
use std::os::unix::net::{UnixListener, UnixStream as Std};
use std::path::PathBuf;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

use super::*;
use crate::protocol;
use crate::server::exchange::Answer;
use crate::server::socket::Socket;

#[test]
fn l6_errors_are_sorted() {
    let kinds = [
        (Errno::ECONNABORTED, Trouble::Connection),
        (Errno::EINTR, Trouble::Connection),
        (Errno::EMFILE, Trouble::Resources),
        (Errno::ENFILE, Trouble::Resources),
        (Errno::ENOBUFS, Trouble::Resources),
        (Errno::ENOMEM, Trouble::Resources),
        (Errno::EIO, Trouble::Resources),
        (Errno::EBADF, Trouble::Fatal),
        (Errno::EINVAL, Trouble::Fatal),
        (Errno::ENOTSOCK, Trouble::Fatal),
    ];
    for (errno, expected) in kinds {
        assert_eq!(sort(&errno.into()), expected, "{errno}");
    }
    assert_eq!(sort(&io::Error::other("unknown")), Trouble::Resources);
}

/// Sends each byte back, but panics at an `x`.
struct Fragile<const SINGLE: bool>;

impl<const SINGLE: bool> Dialect for Fragile<SINGLE> {
    const PROTOCOL: ListenProtocol = ListenProtocol::Socketmap;
    const SINGLE: bool = SINGLE;
    const LIMIT: usize = 1;

    fn answer(&self, input: &[u8], output: &mut Vec<u8>) -> Result<Answer, protocol::Error> {
        let first = *input.first().unwrap();
        assert_ne!(first, b'x', "injected");
        output.push(first);
        Ok(Answer::Done(1))
    }
}

async fn echoes(stream: &mut UnixStream) -> bool {
    stream.write_all(b"a").await.unwrap();
    matches!(stream.read_u8().await, Ok(b'a'))
}

/// A hall in a directory of its own, and what ends it.
struct House {
    path: PathBuf,
    service: Arc<Service>,
    pool: Arc<Pool>,
    stop: watch::Sender<bool>,
    serving: tokio::task::JoinHandle<io::Result<()>>,
    _directory: tempfile::TempDir,
}

impl House {
    fn open(dialect: impl Dialect) -> House {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.sock");
        let socket = {
            let listener = UnixListener::bind(&path).unwrap();
            listener.set_nonblocking(true).unwrap();
            Socket { queue: Queue::Unix(listener), file: None }
        };
        let listener = Listener {
            protocol: ListenProtocol::Socketmap,
            place: path.display().to_string(),
            is_inherited: false,
            socket,
        };
        let service = Arc::new(Service::empty());
        let pool = Pool::new(2, &service.limits);
        let (stop, stopped) = watch::channel(false);
        let serving =
            tokio::spawn(serve(listener, dialect, Arc::clone(&pool), Arc::clone(&service), stopped));
        House { path, service, pool, stop, serving, _directory: directory }
    }

    /// Waits until so many connections have panicked: it is counted when the seat is free again, or soon after.
    async fn panicked(&self, count: u64) {
        while self.service.counters.panics() < count {
            tokio::task::yield_now().await;
        }
    }

    async fn close(self) {
        self.stop.send(true).unwrap();
        self.pool.shut_down();
        self.serving.await.unwrap().unwrap();
        assert_eq!(self.pool.taken(), 0);
    }
}

#[tokio::test]
async fn f13_a_panic_closes_its_connection_only() {
    let house = House::open(Fragile::<false>);
    let mut other = UnixStream::connect(&house.path).await.unwrap();
    assert!(echoes(&mut other).await);
    for count in 1..=3 {
        let mut stream = UnixStream::connect(&house.path).await.unwrap();
        assert!(echoes(&mut stream).await);
        stream.write_all(b"x").await.unwrap();
        assert!(stream.read_u8().await.is_err(), "closed without a byte");
        house.panicked(count).await;
        assert!(echoes(&mut other).await);
    }
    house.close().await;
}

#[tokio::test]
async fn f13_a_panic_while_a_connection_is_accepted_closes_it_only() {
    let house = House::open(Fragile::<true>);
    for count in 1..=3 {
        // Sent before the other end has a chance to accept: it has the request when it does.
        let mut asked = [b"x", b"a"].map(|request| {
            let mut stream = Std::connect(&house.path).unwrap();
            stream.write_all(request).unwrap();
            stream.set_nonblocking(true).unwrap();
            UnixStream::from_std(stream).unwrap()
        });
        assert!(asked[0].read_u8().await.is_err(), "closed without a byte");
        assert_eq!(asked[1].read_u8().await.unwrap(), b'a');
        house.panicked(count).await;
    }
    // And one that has nothing to say yet goes into the hall.
    for count in 4..=6 {
        let mut late = UnixStream::connect(&house.path).await.unwrap();
        while house.pool.taken() == 0 {
            tokio::task::yield_now().await;
        }
        late.write_all(b"x").await.unwrap();
        assert!(late.read_u8().await.is_err(), "closed without a byte");
        house.panicked(count).await;
    }
    house.close().await;
}
