//! The clients: so many connections, each with one request on its way, and every reply checked.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use super::questions::Questions;

/// What only a server that hangs takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// How requests are sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// The next one as soon as the reply is there.
    AtOnce,
    /// So many a second over all connections; one that is late is sent at once, and its time counts
    /// from when it was due.
    PerSecond(f64),
}

/// What came of it.
pub struct Outcome {
    /// Nanoseconds from each request to its reply, sorted.
    pub nanoseconds: Vec<u64>,
}

impl Outcome {
    pub fn requests(&self) -> usize {
        self.nanoseconds.len()
    }

    /// The time that this share of the requests took at most, in microseconds.
    pub fn percentile(&self, share: f64) -> f64 {
        let last = self.nanoseconds.len() - 1;
        self.nanoseconds[((last as f64) * share).round() as usize] as f64 / 1_000.0
    }
}

struct Connection {
    /// None between two requests where each has a connection of its own.
    stream: Option<UnixStream>,
    /// The question on its way, and since when.
    asked: Option<(usize, Instant)>,
    got: Vec<u8>,
}

/// Asks for `time` over `count` connections, beginning with question `first`; all questions of
/// `questions`, again and again, spread over the connections.
pub fn ask(
    path: &Path,
    questions: &Questions,
    count: usize,
    first: usize,
    pace: Pace,
    time: Duration,
) -> Outcome {
    let poll = Epoll::new(EpollCreateFlags::empty()).unwrap();
    let mut load = Load {
        path,
        questions,
        poll,
        connections: Vec::new(),
        next: first,
        nanoseconds: Vec::with_capacity(1 << 20),
    };
    for number in 0..count {
        let stream = (!questions.single).then(|| load.connect(number));
        load.connections.push(Connection { stream, asked: None, got: Vec::with_capacity(4096) });
    }
    match pace {
        Pace::AtOnce => load.at_once(time),
        Pace::PerSecond(rate) => load.paced(rate, time),
    }
    let mut nanoseconds = load.nanoseconds;
    nanoseconds.sort_unstable();
    Outcome { nanoseconds }
}

struct Load<'a> {
    path: &'a Path,
    questions: &'a Questions,
    poll: Epoll,
    connections: Vec<Connection>,
    next: usize,
    nanoseconds: Vec<u64>,
}

impl Load<'_> {
    fn connect(&self, number: usize) -> UnixStream {
        let stream = UnixStream::connect(self.path).unwrap();
        stream.set_nonblocking(true).unwrap();
        self.poll.add(&stream, EpollEvent::new(EpollFlags::EPOLLIN, number as u64)).unwrap();
        stream
    }

    fn send(&mut self, number: usize, due: Instant) {
        let question = self.next % self.questions.len();
        self.next += 1;
        let fresh = self.questions.single.then(|| self.connect(number));
        let connection = &mut self.connections[number];
        connection.stream = fresh.or(connection.stream.take());
        // A request is shorter than any socket's buffer, which is empty.
        let request = self.questions.request(question);
        let stream = connection.stream.as_mut().unwrap();
        assert_eq!(stream.write(request).unwrap(), request.len());
        connection.asked = Some((question, due));
    }

    /// Takes what has arrived; the connections whose reply is complete.
    fn receive(&mut self, wait: Duration) -> Vec<usize> {
        let mut events = [EpollEvent::empty(); 256];
        let timeout = EpollTimeout::try_from(wait).unwrap();
        let ready = self.poll.wait(&mut events, timeout).unwrap();
        let mut done = Vec::with_capacity(ready);
        for event in &events[..ready] {
            let number = event.data() as usize;
            if self.take(number) {
                done.push(number);
            }
        }
        done
    }

    fn take(&mut self, number: usize) -> bool {
        let connection = &mut self.connections[number];
        let (question, since) = connection.asked.expect("nothing comes unasked, and no connection ends");
        let expected = self.questions.reply(question);
        let mut bytes = [0; 4096];
        let ended = match connection.stream.as_mut().unwrap().read(&mut bytes) {
            Ok(count) => {
                connection.got.extend_from_slice(&bytes[..count]);
                count == 0
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => false,
            Err(error) => panic!("{error} for {:?}", self.questions.shown(question)),
        };
        // Where each request has a connection, the reply is whole when that ends.
        let complete = if self.questions.single { ended } else { connection.got.len() >= expected.len() };
        if !complete {
            assert!(!ended, "closed before the reply to {:?}", self.questions.shown(question));
            return false;
        }
        assert!(
            self.questions.is_answered(question, &connection.got),
            "{:?} to {:?}, expected {:?}",
            String::from_utf8_lossy(&connection.got),
            self.questions.shown(question),
            String::from_utf8_lossy(expected)
        );
        connection.got.clear();
        connection.asked = None;
        if ended && let Some(stream) = connection.stream.take() {
            // By closing alone it would stay for as long as a process that is being started has a copy.
            self.poll.delete(&stream).unwrap();
        }
        self.nanoseconds.push(since.elapsed().as_nanos() as u64);
        true
    }

    fn at_once(&mut self, time: Duration) {
        let begin = Instant::now();
        for number in 0..self.connections.len() {
            self.send(number, Instant::now());
        }
        let mut waiting = self.connections.len();
        while waiting > 0 {
            let done = self.receive(PATIENCE);
            assert!(!done.is_empty() || begin.elapsed() < PATIENCE + time, "no reply for long");
            for number in done {
                let now = Instant::now();
                if now - begin < time {
                    self.send(number, now);
                } else {
                    waiting -= 1;
                }
            }
        }
    }

    fn paced(&mut self, rate: f64, time: Duration) {
        let begin = Instant::now();
        let total = (rate * time.as_secs_f64()) as usize;
        // In turn, so that none of them is idle for long.
        let mut free: VecDeque<usize> = (0..self.connections.len()).collect();
        let mut sent = 0;
        while self.nanoseconds.len() < total {
            assert!(begin.elapsed() < PATIENCE + time, "no reply for long");
            let due = begin + Duration::from_secs_f64(sent as f64 / rate);
            if sent < total
                && due <= Instant::now()
                && let Some(number) = free.pop_front()
            {
                self.send(number, due);
                sent += 1;
                continue;
            }
            // Short of a millisecond it spins: a timer is not as exact.
            let wait = due.saturating_duration_since(Instant::now()).min(Duration::from_millis(100));
            let wait = if sent == total || free.is_empty() { Duration::from_millis(100) } else { wait };
            let wait = Duration::from_millis(wait.as_millis() as u64);
            let done = self.receive(wait);
            free.extend(done);
        }
    }
}
