//! Which generation answers: each request one, and its line in the log says which.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use super::client::{connect, lookup, reply, tls};
use super::daemon::Setup;
use super::reload::{generation_of, numbered};

#[test]
fn r2_each_reply_is_of_one_generation_and_its_line_says_which() {
    const GENERATIONS: u64 = 20;
    let mut daemon = Setup::new(&numbered(1)).start();
    let path = daemon.path("run/socketmap.sock");
    let stop = Arc::new(AtomicBool::new(false));
    let asked = Arc::new(AtomicU64::new(0));
    let asking = {
        let (stop, asked) = (Arc::clone(&stop), Arc::clone(&asked));
        thread::spawn(move || {
            let mut stream = connect(&path);
            let pair = [lookup("tls", "x.example"), lookup("tls", "y.example")].concat();
            let mut replies = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                stream.write_all(&pair).unwrap();
                replies.extend(["x", "y"].map(|_| reply(&mut stream).unwrap()));
                asked.fetch_add(1, Ordering::Relaxed);
                // The log must be able to follow: it leaves lines out where it cannot.
                thread::yield_now();
            }
            replies
        })
    };
    for generation in 2..=GENERATIONS {
        daemon.configure(&numbered(generation));
        assert_eq!(daemon.reload()["generation"], generation);
        // A pair may be on its way; the one behind it is of this generation.
        let before = asked.load(Ordering::Relaxed);
        while asked.load(Ordering::Relaxed) < before + 2 {
            thread::yield_now();
        }
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
    let answered: BTreeSet<u64> = told.keys().map(|reply| generation_of(reply)).collect();
    assert!(answered.len() as u64 >= GENERATIONS - 1, "{answered:?}");
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
    let mut quick = connect(&path);
    for generation in 2..=10 {
        for stream in &mut slow {
            stream.write_all(b"a").unwrap();
        }
        daemon.configure(&numbered(generation));
        // Answered before any of the deadlines above: only a hang would take longer.
        assert_eq!(daemon.reload()["generation"], generation);
        assert_eq!(generation_of(&tls(&mut quick, "x.example").unwrap()), generation);
    }
}
