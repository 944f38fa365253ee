//! Stopping: what was asked is answered, nobody else is waited for.

use std::io::Write as _;

use nix::sys::signal::Signal;

use super::client::{BANK, CONFIGURATION, PLAIN, action, closes, connect, from_bank, lookup, reply, tls};
use super::daemon::Setup;
use super::exhaustion::seats;

#[test]
fn f14_a_stop_closes_idle_connections_and_removes_the_sockets() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut daemon = Setup::new(CONFIGURATION).start();
        let mut idle = connect(&daemon.path("run/socketmap.sock"));
        assert_eq!(tls(&mut idle, "bank.example").as_deref(), Some(BANK));
        let mut half = connect(&daemon.path("run/socketmap.sock"));
        half.write_all(b"16:tls").unwrap();
        daemon.signal(signal);
        assert_eq!(daemon.wait().code(), Some(0));
        assert!(closes(&mut idle) && closes(&mut half));
        for name in ["socketmap", "policy", "control"] {
            assert!(!daemon.path(&format!("run/{name}.sock")).exists(), "{name}");
        }
        daemon.log.wait_for("info stopped");
    }
}

#[test]
fn f14_what_was_asked_before_the_signal_is_answered() {
    for round in 0..20 {
        let mut daemon = Setup::new(CONFIGURATION).start();
        let path = daemon.path("run/socketmap.sock");
        let mut streams: Vec<_> = (0..32).map(|_| connect(&path)).collect();
        // Some are known to the daemon already, others may still be in its queue.
        for stream in streams.iter_mut().take(16) {
            assert_eq!(tls(stream, "plain.example").as_deref(), Some(PLAIN));
        }
        for stream in &mut streams {
            stream.write_all(&lookup("tls", "bank.example").repeat(10)).unwrap();
        }
        daemon.signal(Signal::SIGTERM);
        for (number, stream) in streams.iter_mut().enumerate() {
            for _ in 0..10 {
                assert_eq!(reply(stream).as_deref(), Some(BANK), "round {round}, connection {number}");
            }
            assert!(closes(stream));
        }
        assert_eq!(daemon.wait().code(), Some(0));
    }
}

#[test]
fn f14_who_has_come_and_asks_after_the_signal_is_answered() {
    // Nobody is hurried but by the log.
    let mut daemon = Setup::new(CONFIGURATION).limits("drain=600000 newcomers=600000").start();
    let path = daemon.path("run/socketmap.sock");
    let mut newcomer = connect(&path);
    let mut half = connect(&path);
    half.write_all(b"16:tls").unwrap();
    daemon.wait_until(|status| status["connections"] == 2);
    daemon.signal(Signal::SIGTERM);
    daemon.log.wait_for("info stopping");
    half.write_all(b" bank.example,").unwrap();
    assert_eq!(reply(&mut half).as_deref(), Some(BANK));
    assert_eq!(tls(&mut newcomer, "bank.example").as_deref(), Some(BANK));
    assert!(closes(&mut newcomer) && closes(&mut half));
    assert_eq!(daemon.wait().code(), Some(0));
}

#[test]
fn f14_who_waits_in_the_queue_is_answered() {
    let mut daemon = Setup::new(CONFIGURATION).start();
    // What comes while it is stopped can only be in the queue when it wakes to the signal.
    daemon.signal(Signal::SIGSTOP);
    let mut streams: Vec<_> = (0..32).map(|_| connect(&daemon.path("run/socketmap.sock"))).collect();
    for stream in &mut streams {
        stream.write_all(&lookup("tls", "bank.example")).unwrap();
    }
    daemon.signal(Signal::SIGTERM);
    daemon.signal(Signal::SIGCONT);
    for (number, stream) in streams.iter_mut().enumerate() {
        assert_eq!(reply(stream).as_deref(), Some(BANK), "connection {number}");
        assert!(closes(stream));
    }
    assert_eq!(daemon.wait().code(), Some(0));
}

#[test]
fn f14_who_waits_in_the_queue_for_a_seat_is_answered() {
    let mut daemon = Setup::new(&seats(1)).start();
    let mut half = connect(&daemon.path("run/socketmap.sock"));
    half.write_all(b"16:tls").unwrap();
    daemon.wait_until(|status| status["connections"] == 1);
    daemon.signal(Signal::SIGSTOP);
    let mut streams: Vec<_> = (0..15)
        .map(|_| ["run/socketmap.sock", "run/policy.sock"].map(|name| connect(&daemon.path(name))))
        .collect();
    for [lookups, mails] in &mut streams {
        lookups.write_all(&lookup("tls", "bank.example")).unwrap();
        mails.write_all(&from_bank("TLSv1.2")).unwrap();
    }
    daemon.signal(Signal::SIGTERM);
    daemon.signal(Signal::SIGCONT);
    for (number, [lookups, mails]) in streams.iter_mut().enumerate() {
        assert_eq!(reply(lookups).as_deref(), Some(BANK), "lookup {number}");
        assert_eq!(action(mails).as_deref(), Some("DUNNO"), "mail {number}");
        assert!(closes(lookups) && closes(mails));
    }
    assert!(closes(&mut half));
    assert_eq!(daemon.wait().code(), Some(0));
    assert!(!daemon.all_lines().iter().any(|line| line.contains("drain_incomplete")));
}

#[test]
fn a_seat_is_not_waited_for_longer_than_the_drain() {
    let (mut daemon, _stream) = stuck(Setup::new(&seats(1)).limits("write=600000 drain=50"));
    let mut waiting = connect(&daemon.path("run/policy.sock"));
    waiting.write_all(&from_bank("TLSv1.2")).unwrap();
    assert_eq!(daemon.stop(), Some(0));
    assert!(closes(&mut waiting));
    daemon.log.wait_for("warn drain_incomplete protocol=socketmap connections=1 waiting=0");
    daemon.log.wait_for("warn drain_incomplete protocol=policy connections=0 waiting=1");
}

/// A client that asks and does not read keeps the daemon from stopping for a while.
fn stuck(setup: Setup) -> (super::daemon::Daemon, std::os::unix::net::UnixStream) {
    let daemon = setup.start();
    let mut stream = connect(&daemon.path("run/socketmap.sock"));
    stream.set_nonblocking(true).unwrap();
    let requests = lookup("tls", "bank.example").repeat(1_000);
    while stream.write(&requests).is_ok() {}
    // The daemon has filled the other direction as well once it answers nobody else slower for it.
    assert_eq!(daemon.status()["connections"], 1);
    (daemon, stream)
}

#[test]
fn nobody_is_waited_for_longer_than_the_drain() {
    let (mut daemon, _stream) = stuck(Setup::new(CONFIGURATION).limits("write=600000 drain=50"));
    assert_eq!(daemon.stop(), Some(0));
    daemon.log.wait_for("warn drain_incomplete protocol=socketmap connections=1");
}

#[test]
fn r7_a_hangup_during_shutdown_does_nothing_and_a_second_stop_ends_at_once() {
    let (mut daemon, _stream) = stuck(Setup::new(CONFIGURATION).limits("write=600000 drain=600000"));
    daemon.signal(Signal::SIGTERM);
    daemon.log.wait_for("info stopping");
    daemon.signal(Signal::SIGHUP);
    daemon.signal(Signal::SIGTERM);
    assert_eq!(daemon.wait().code(), Some(143));
}

#[test]
fn r7_a_hangup_during_start_kills_nobody() {
    let setup = Setup::new(CONFIGURATION);
    let mut command = setup.command();
    let mut child = command.spawn().unwrap();
    // From the first moment at which it is a daemon at all: the lock is taken behind the handlers.
    let pid = nix::unistd::Pid::from_raw(child.id().try_into().unwrap());
    while !setup.path("run/connectord.lock").exists() {
        assert!(child.try_wait().unwrap().is_none());
    }
    while !setup.path("run/control.sock").exists() {
        nix::sys::signal::kill(pid, Signal::SIGHUP).unwrap();
        assert!(child.try_wait().unwrap().is_none(), "killed by SIGHUP");
    }
    nix::sys::signal::kill(pid, Signal::SIGTERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
