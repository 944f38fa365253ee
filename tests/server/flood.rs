//! Peers that mean harm, many at a time, and one honest client that asks all the while.

use std::io::{ErrorKind, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::client::{BANK, CONFIGURATION, action, closes, connect, policy, tls};
use super::daemon::{Daemon, PATIENCE, Setup};

/// Half of a request.
const HALF: &[u8] = b"16:tls bank.";

/// The pace of the honest client.
const PACE: Duration = Duration::from_millis(100);

/// How long each question of an honest client took, one on a connection of its own at each beat,
/// until told to stop and at least once. Each is answered, and rightly.
fn honest(path: &Path, stop: &AtomicBool) -> Vec<Duration> {
    let mut times = Vec::new();
    while times.is_empty() || !stop.load(Ordering::Relaxed) {
        let begin = Instant::now();
        assert_eq!(tls(&mut connect(path), "bank.example").as_deref(), Some(BANK));
        times.push(begin.elapsed());
        thread::sleep(PACE.saturating_sub(begin.elapsed()));
    }
    times
}

/// Connects and asks half of something. None where not even that can be said any more: the peer
/// may close at once.
fn half(path: &Path) -> Option<UnixStream> {
    let mut stream = connect(path);
    stream.write_all(HALF).is_ok().then_some(stream)
}

/// Clients that hold half a request for a while, each with another one as soon as it is closed, and
/// what became of the honest one meanwhile and behind them.
fn hold_halves(daemon: &Daemon, count: usize, duration: Duration) -> (Vec<Duration>, Duration, usize) {
    let path = daemon.path("run/socketmap.sock");
    let stop = Arc::new(AtomicBool::new(false));
    let asking = {
        let (path, stop) = (path.clone(), Arc::clone(&stop));
        thread::spawn(move || honest(&path, &stop))
    };
    let begin = Instant::now();
    let mut held: Vec<UnixStream> = (0..count).filter_map(|_| half(&path)).collect();
    let mut closed = 0;
    while begin.elapsed() < duration {
        for stream in &mut held {
            stream.set_nonblocking(true).unwrap();
            let alive = matches!(std::io::Read::read(stream, &mut [0]), Err(error) if error.kind() == ErrorKind::WouldBlock);
            if !alive {
                closed += 1;
                *stream = half(&path).unwrap_or_else(|| connect(&path));
            }
        }
        thread::sleep(Duration::from_millis(10));
    }
    drop(held);
    let over = Instant::now();
    assert_eq!(tls(&mut connect(&path), "bank.example").as_deref(), Some(BANK));
    daemon.wait_until(|status| status["connections"].as_u64() <= Some(1));
    let recovered = over.elapsed();
    stop.store(true, Ordering::Relaxed);
    (asking.join().unwrap(), recovered, closed)
}

#[test]
fn l1_with_few_descriptors_every_honest_question_is_answered() {
    let daemon = Setup::new(CONFIGURATION).shell("ulimit -n 256;").start();
    let (times, ..) = hold_halves(&daemon, 400, Duration::from_secs(2));
    assert!(!times.is_empty());
    assert!(daemon.log.lines().len() < 100 + times.len(), "{:#?}", daemon.log.lines());
    assert_eq!(daemon.status()["panics"], 0);
}

/// Processor time that a daemon has used, in seconds: utime and stime of proc(5).
fn processor(daemon: &Daemon) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", daemon.pid())).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    // A tick is 1/100 s on every Linux (sysconf(3), _SC_CLK_TCK).
    fields[11..13].iter().map(|ticks| ticks.parse::<f64>().unwrap()).sum::<f64>() / 100.0
}

/// The figures of L1 on this machine:
/// `cargo test --release --test server l1_measured -- --ignored --nocapture`.
#[test]
#[ignore = "takes a minute; prints figures"]
#[allow(clippy::print_stderr)]
fn l1_measured() {
    let daemon = Setup::new(CONFIGURATION).shell("ulimit -n 256;").start();
    let seconds = std::env::var("L1_SECONDS").map_or(60, |text| text.parse().unwrap());
    let (mut times, recovered, closed) = hold_halves(&daemon, 400, Duration::from_secs(seconds));
    times.sort();
    let decisions = daemon.log.with("info decision").len();
    eprintln!(
        "RLIMIT_NOFILE=256, 400 clients with half a request for {seconds} s, reconnecting ({closed} closed):\n\
         honest questions {} at {PACE:?}: median {:?}, 99 % {:?}, longest {:?}\n\
         log lines without the {decisions} decisions asked for: {}\n\
         processor: {:.1} % of one\n\
         back to one connection after {recovered:?}",
        times.len(),
        times[times.len() / 2],
        times[times.len() * 99 / 100],
        times[times.len() - 1],
        daemon.log.lines().len() - decisions,
        processor(&daemon) * 100.0 / seconds as f64,
    );
}

#[test]
fn l2_a_thousand_that_trickle_are_cut_and_the_honest_are_answered() {
    let daemon = Setup::new(CONFIGURATION).limits("request=1000").start();
    let path = daemon.path("run/socketmap.sock");
    let stop = Arc::new(AtomicBool::new(false));
    let asking = {
        let (path, stop) = (path.clone(), Arc::clone(&stop));
        thread::spawn(move || honest(&path, &stop))
    };
    let mut streams: Vec<UnixStream> = (0..1_000)
        .map(|_| {
            let mut stream = connect(&path);
            // More than all the bytes that will come.
            let _ = stream.write_all(b"9000:tls ");
            stream
        })
        .collect();
    let mut sent = 0_u64;
    while !streams.is_empty() {
        // A byte each, until the daemon has had enough of it.
        streams.retain_mut(|stream| stream.write_all(b"a").is_ok());
        sent += 1;
        assert!(sent < 9_000, "{} were never cut", streams.len());
        thread::sleep(Duration::from_millis(20));
    }
    stop.store(true, Ordering::Relaxed);
    assert!(!asking.join().unwrap().is_empty());
    daemon.wait_until(|status| status["connections"].as_u64() <= Some(1));
    assert_eq!(daemon.status()["panics"], 0);
}

/// Causes one event of each kind that a peer can cause and the log tells of.
fn misbehave(daemon: &Daemon) {
    let to = |socket: &str| connect(&daemon.path(&format!("run/{socket}.sock")));
    let mut garbage = to("socketmap");
    garbage.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let mut cut = to("socketmap");
    cut.write_all(HALF).unwrap();
    drop(cut);
    assert!(tls(&mut to("socketmap"), "a..b").unwrap().starts_with("PERM "));
    let mut mail = to("policy");
    mail.write_all(&policy(&[("protocol_state", "LATER"), ("sender", "a@other.example")])).unwrap();
    assert!(action(&mut mail).unwrap().starts_with("450 "));
    let mut exim = to("exim");
    exim.write_all(b"nonsense\n").unwrap();
    assert!(!closes(&mut exim), "a refusal first");
    assert!(closes(&mut garbage));
}

/// A stop has no second in which the rest could follow.
#[test]
fn l11_a_stop_tells_what_was_left_over() {
    let mut daemon = Setup::new(CONFIGURATION).start();
    let mut stream = connect(&daemon.path("run/socketmap.sock"));
    for _ in 0..100 {
        assert!(tls(&mut stream, "a..b").unwrap().starts_with("PERM "));
    }
    assert_eq!(daemon.stop(), Some(0));
    let (said, suppressed, _, counted) = told(&daemon.all_lines(), "lookup_refused", "warn lookup_refused");
    assert_eq!(said + suppressed + counted, 100, "{:#?}", daemon.log.lines());
}

/// How often an event was said, how many of it each line left out, and how many lines told only that.
fn told(lines: &[String], kind: &str, text: &str) -> (u64, u64, u64, u64) {
    let number = |line: &&String, key: &str| {
        line.split_once(key).map_or(0, |(_, rest)| rest.split(' ').next().unwrap().parse::<u64>().unwrap())
    };
    let said: Vec<&String> = lines.iter().filter(|line| line.contains(text)).collect();
    let only_counted = |line: &&String| line.contains("warn suppressed kind=") && line.contains(kind);
    let left: Vec<&String> = lines.iter().filter(only_counted).collect();
    let suppressed = said.iter().map(|line| number(line, "suppressed=")).sum();
    let counted = left.iter().map(|line| number(line, "count=")).sum();
    (said.len() as u64, suppressed, left.len() as u64, counted)
}

#[test]
fn l11_every_kind_is_said_once_a_second_and_nothing_goes_uncounted() {
    const ROUNDS: u64 = 400;
    let daemon = Setup::new(CONFIGURATION).limits("request=600000").start();
    let begin = Instant::now();
    for _ in 0..ROUNDS {
        misbehave(&daemon);
    }
    for (kind, text, caused) in [
        ("request_malformed", "warn request_malformed", 2 * ROUNDS),
        ("the peer closed within a request", "reason=\"the peer closed within a request\"", ROUNDS),
        ("lookup_refused", "warn lookup_refused", ROUNDS),
        ("mail_undecidable", "warn mail_undecidable", ROUNDS),
    ] {
        // What is left over is told within a second; nothing else is going on.
        let (said, left) = loop {
            let (said, suppressed, left, counted) = told(&daemon.log.lines(), kind, text);
            if said + suppressed + counted == caused {
                break (said, left);
            }
            assert!(begin.elapsed() < PATIENCE, "{kind}: {said} + {suppressed} + {counted} of {caused}");
            thread::yield_now();
        };
        let seconds = begin.elapsed().as_secs() + 1;
        assert!(said <= seconds + 1 && left <= seconds + 1, "{kind}: {said} and {left} in {seconds} s");
    }
}
