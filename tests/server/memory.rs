//! What is kept for peers, in bytes.

use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::client::{BANK, CONFIGURATION, connect, framed, tls};
use super::daemon::{Daemon, Setup};

/// Without lines for decisions, whose buffer is bounded but larger than all the rest.
fn quiet() -> String {
    CONFIGURATION.replace("version = 1\n", "version = 1\n[server]\ndecisions = \"none\"\n")
}

/// The resident set of a daemon in KiB.
fn resident(daemon: &Daemon) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Writes requests and never reads, until the daemon has closed the connection; how many bytes it
/// took.
fn never_read(stream: &mut UnixStream, requests: usize) -> usize {
    let request = framed("tls bank.example");
    let bytes = request.repeat(requests);
    let mut taken = 0;
    while taken < bytes.len() {
        match stream.write(&bytes[taken..]) {
            Ok(count) => taken += count,
            Err(error) => {
                let closed = matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset);
                assert!(closed, "{error}");
                break;
            }
        }
    }
    taken
}

#[test]
fn l4_who_never_reads_takes_no_memory() {
    let daemon = Setup::new(&quiet()).limits("write=300").start();
    let path = daemon.path("run/socketmap.sock");
    tls(&mut connect(&path), "bank.example").unwrap();
    let before = resident(&daemon);
    let taken = never_read(&mut connect(&path), 100_000);
    assert!(taken < 100_000 * framed("tls bank.example").len(), "reading never stopped");
    let after = resident(&daemon);
    assert!(after < before + 1024, "{before} KiB became {after}");
    // The same from many at once is bounded by what is kept of each.
    let threads: Vec<_> = (0..32)
        .map(|_| {
            let path = path.clone();
            std::thread::spawn(move || never_read(&mut connect(&path), 100_000))
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    let after = resident(&daemon);
    assert!(after < before + 32 * 256, "{before} KiB became {after}");
}

/// Asks for so many names that are in no list, and says what the daemon takes then.
fn ask_strangers(daemon: &Daemon, from: usize, count: usize) -> usize {
    let mut stream = connect(&daemon.path("run/socketmap.sock"));
    let expected = framed("NOTFOUND ");
    let mut bytes = vec![0; expected.len() * 500];
    for number in (from..from + count).step_by(500) {
        let requests: Vec<u8> =
            (number..number + 500).flat_map(|n| framed(&format!("tls host-{n}.stranger.example"))).collect();
        stream.write_all(&requests).unwrap();
        stream.read_exact(&mut bytes).unwrap();
        assert!(bytes.chunks(expected.len()).all(|reply| reply == expected));
    }
    resident(daemon)
}

/// The memory of a daemon stays what it is, however many are asked for.
fn forgets(names: usize) {
    let daemon = Setup::new(&quiet()).start();
    let before = ask_strangers(&daemon, 0, 1_000);
    let after = ask_strangers(&daemon, 1_000, names);
    assert!(after < before + 1024 && after < 64 * 1024, "{before} KiB became {after}");
}

#[test]
fn l7_names_that_nobody_listed_are_not_remembered() {
    // Were they, a hundred thousand would not fit in the MiB that is allowed.
    forgets(100_000);
}

#[test]
#[ignore = "the whole million of the list, ten seconds"]
fn l7_a_million_names_that_nobody_listed_are_not_remembered() {
    forgets(1_000_000);
}

#[test]
fn l10_sixty_four_megabytes_are_enough_under_attack() {
    // As MemoryMax= would, but of everything that could be written to, used or not.
    let daemon = Setup::new(&quiet()).limits("write=300").shell("ulimit -d 65536; ulimit -n 256;").start();
    let path = daemon.path("run/socketmap.sock");
    let halves: Vec<UnixStream> = (0..400)
        .map(|_| {
            let mut stream = connect(&path);
            let _ = stream.write_all(b"9000:tls ");
            let _ = stream.write_all(&[b'a'; 8_000]);
            stream
        })
        .collect();
    let threads: Vec<_> = (0..32)
        .map(|_| {
            let path = path.clone();
            std::thread::spawn(move || never_read(&mut connect(&path), 20_000))
        })
        .collect();
    assert_eq!(tls(&mut connect(&path), "bank.example").as_deref(), Some(BANK));
    for thread in threads {
        thread.join().unwrap();
    }
    drop(halves);
    ask_strangers(&daemon, 0, 20_000);
    assert_eq!(daemon.reload()["ok"], true);
    assert_eq!(tls(&mut connect(&path), "bank.example").as_deref(), Some(BANK));
    assert!(resident(&daemon) < 64 * 1024);
}

#[test]
fn l3_well_behaved_connections_are_kept() {
    let daemon = Setup::new(CONFIGURATION).limits("request=50").start();
    let path = daemon.path("run/socketmap.sock");
    let mut idle: Vec<UnixStream> = (0..300).map(|_| connect(&path)).collect();
    for stream in &mut idle {
        assert_eq!(tls(stream, "bank.example").as_deref(), Some(BANK));
    }
    // Much longer than a request may take, with others coming and going.
    let begin = std::time::Instant::now();
    while begin.elapsed() < Duration::from_millis(500) {
        assert_eq!(tls(&mut connect(&path), "bank.example").as_deref(), Some(BANK));
    }
    for stream in &mut idle {
        assert_eq!(tls(stream, "bank.example").as_deref(), Some(BANK), "kept");
    }
    // Longer than smtpd(8) keeps one (smtpd_policy_service_max_ttl).
    assert!(connectord::server::Limits::default().idle > Duration::from_secs(1_000));
}
