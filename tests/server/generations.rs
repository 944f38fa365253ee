//! Which generation answers: each request one, and its line in the log says which.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use super::client::{connect, lookup, reply};
use super::daemon::Setup;
use super::reload::{ask_without_pause, generation_of, numbered};

#[test]
fn r2_each_reply_is_of_one_generation_and_its_line_says_which() {
    const GENERATIONS: u64 = 20;
    let mut daemon = Setup::new(&numbered(1)).start();
    let path = daemon.path("run/socketmap.sock");
    let stop = Arc::new(AtomicBool::new(false));
    let asking = {
        let stop = Arc::clone(&stop);
        thread::spawn(move || {
            let mut stream = connect(&path);
            let pair = [lookup("tls", "x.example"), lookup("tls", "y.example")].concat();
            let mut replies = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                stream.write_all(&pair).unwrap();
                replies.extend(["x", "y"].map(|_| reply(&mut stream).unwrap()));
                // The log must be able to follow: it leaves lines out where it cannot.
                thread::yield_now();
            }
            replies
        })
    };
    for generation in 2..=GENERATIONS {
        daemon.configure(&numbered(generation));
        assert_eq!(daemon.reload()["generation"], generation);
    }
    stop.store(true, Ordering::Relaxed);
    let replies = asking.join().unwrap();
    let lost = daemon.status()["log_lost"].as_u64().unwrap();
    assert_eq!(daemon.stop(), Some(0));
    let mut told: BTreeMap<String, u64> = BTreeMap::new();
    for reply in &replies {
        *told.entry(reply.clone()).or_default() += 1;
    }
    for line in daemon.all_lines().iter().filter(|line| line.contains("info decision")) {
        let (_, rest) = line.split_once("reply=\"").unwrap();
        let reply = rest.split('"').next().unwrap();
        assert!(line.ends_with(&format!("generation={}", generation_of(reply))), "{line}");
        *told.get_mut(reply).unwrap_or_else(|| panic!("nobody was told: {line}")) -= 1;
    }
    assert_eq!(told.values().sum::<u64>(), lost, "replies without a line that was not counted as lost");
    assert!(told.len() > 2, "several generations answered");
}

/// Clients that trickle, and one that does not read, hold up no reload.
#[test]
fn r10_a_reload_waits_for_no_client() {
    let limits = "request=600000 write=600000";
    let daemon = Setup::new(&numbered(1)).limits(limits).start();
    let path = daemon.path("run/socketmap.sock");
    let mut slow: Vec<_> = (0..200)
        .map(|_| {
            let mut stream = connect(&path);
            stream.write_all(b"9000:tls ").unwrap();
            stream
        })
        .collect();
    let mut deaf = connect(&path);
    deaf.set_nonblocking(true).unwrap();
    let requests = lookup("tls", "x.example").repeat(1_000);
    while deaf.write(&requests).is_ok() {}
    let (stop, newest) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(1)));
    let asking = {
        let (path, stop, newest) = (path.clone(), Arc::clone(&stop), Arc::clone(&newest));
        thread::spawn(move || ask_without_pause(&path, &stop, &newest))
    };
    for generation in 2..=10 {
        for stream in &mut slow {
            stream.write_all(b"a").unwrap();
        }
        newest.store(generation, Ordering::Relaxed);
        daemon.configure(&numbered(generation));
        // Answered before any of the deadlines above: only a hang would take longer.
        assert_eq!(daemon.reload()["generation"], generation);
    }
    stop.store(true, Ordering::Relaxed);
    assert!(asking.join().unwrap() > 0);
}
