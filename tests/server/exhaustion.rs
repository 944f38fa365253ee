//! More peers than there is room for.

use std::io::Write as _;
use std::os::unix::net::UnixStream;

use nix::sys::signal::Signal;

use super::client::{BANK, CONFIGURATION, closes, connect, tls};
use super::daemon::{Daemon, Setup};

/// The configuration with so many seats.
pub fn seats(count: usize) -> String {
    CONFIGURATION.replace("version = 1\n", &format!("version = 1\n[server]\nmax_connections = {count}\n"))
}

#[test]
fn l1_l3_the_longest_idle_one_makes_room() {
    let daemon = Setup::new(&seats(3)).start();
    let path = daemon.path("run/socketmap.sock");
    let mut streams: Vec<UnixStream> = (0..3).map(|_| connect(&path)).collect();
    for number in [0, 1, 2, 0] {
        assert_eq!(tls(&mut streams[number], "bank.example").as_deref(), Some(BANK));
    }
    let mut fourth = connect(&path);
    assert_eq!(tls(&mut fourth, "bank.example").as_deref(), Some(BANK));
    assert!(closes(&mut streams[1]), "the longest idle");
    for number in [2, 0] {
        assert_eq!(tls(&mut streams[number], "bank.example").as_deref(), Some(BANK));
    }
}

#[test]
fn l1_half_requests_keep_nobody_out() {
    // The deadline of requests helps nobody here.
    let daemon = Setup::new(&seats(16)).limits("request=600000").start();
    let path = daemon.path("run/socketmap.sock");
    let mut stalled: Vec<UnixStream> = Vec::new();
    for _ in 0..64 {
        let mut stream = connect(&path);
        stream.write_all(b"16:tls").unwrap();
        stalled.push(stream);
    }
    for _ in 0..10 {
        assert_eq!(tls(&mut connect(&path), "bank.example").as_deref(), Some(BANK));
    }
    assert_eq!(daemon.status()["generation"], 1);
    assert!(daemon.log.lines().len() < 100);
}

#[test]
fn l1_the_control_socket_has_seats_of_its_own() {
    let daemon = Setup::new(&seats(1)).start();
    let mut stream = connect(&daemon.path("run/socketmap.sock"));
    stream.write_all(b"16:tls").unwrap();
    let _other = connect(&daemon.path("run/policy.sock"));
    daemon.wait_until(|status| status["connections"] == 1);
    assert_eq!(daemon.reload()["ok"], true);
}

#[test]
fn l6_descriptors_run_out_and_come_back() {
    // So few that what is kept back for ourselves is more than there are: a single seat.
    let daemon = Setup::new(CONFIGURATION).shell("ulimit -n 40;").start();
    daemon.log.wait_for("warn max_connections_reduced wanted=1024 connections=1");
    let path = daemon.path("run/socketmap.sock");
    let _waiting: Vec<UnixStream> = (0..100).map(|_| connect(&path)).collect();
    for _ in 0..3 {
        assert_eq!(tls(&mut connect(&path), "bank.example").as_deref(), Some(BANK));
    }
    assert_eq!(daemon.reload()["ok"], true);
    assert!(daemon.log.lines().len() < 50);
}

/// Sets the limit on open files of a running daemon.
fn limit_descriptors(daemon: &Daemon, limit: usize) {
    let status = std::process::Command::new("prlimit")
        .args(["--pid", &daemon.pid().to_string(), &format!("--nofile={limit}:4096")])
        .status();
    assert!(status.unwrap().success());
}

fn descriptors(daemon: &Daemon) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", daemon.pid())).unwrap().count()
}

#[test]
fn l6_without_descriptors_there_is_no_storm_and_it_wakes_by_itself() {
    let daemon = Setup::new(CONFIGURATION).shell("ulimit -n 4096;").start();
    let path = daemon.path("run/socketmap.sock");
    // Each socket is served by now, and has what it takes: READY is said a moment before.
    assert_eq!(tls(&mut connect(&path), "bank.example").as_deref(), Some(BANK));
    assert_eq!(daemon.status()["generation"], 1);
    let begin = std::time::Instant::now();
    limit_descriptors(&daemon, 4);
    let mut waiting = connect(&path);
    // Long enough for a storm to show. Whose line it is that is not suppressed is chance: accept(2) takes a descriptor
    // before it looks whether somebody waits, so the sockets that nobody connects to fail too.
    daemon.log.wait_for_all("warn accept_failed", 3);
    limit_descriptors(&daemon, 4096);
    assert_eq!(tls(&mut waiting, "bank.example").as_deref(), Some(BANK));
    let most = 4 * (begin.elapsed().as_millis() / 100 + 2);
    let number =
        |line: &String| line.split_once("suppressed=").map_or(0, |(_, n)| n.parse::<u128>().unwrap());
    let lines = daemon.log.with("warn accept_failed");
    let attempts = lines.len() as u128 + lines.iter().map(number).sum::<u128>();
    assert!(attempts <= most, "{attempts} attempts of four sockets, at most {most} in this time");
}

#[test]
fn l5_comers_and_goers_leave_nothing_behind() {
    let daemon = Setup::new(CONFIGURATION).start();
    let before = {
        daemon.wait_until(|status| status["connections"] == 0);
        descriptors(&daemon)
    };
    let path = daemon.path("run/socketmap.sock");
    for number in 0..20_000 {
        let mut stream = connect(&path);
        if number % 1_000 == 0 {
            assert_eq!(tls(&mut stream, "bank.example").as_deref(), Some(BANK));
        }
    }
    daemon.wait_until(|status| status["connections"] == 0);
    // The control connection of the question itself may linger for a moment.
    while descriptors(&daemon) > before {
        std::thread::yield_now();
    }
    assert!(daemon.log.lines().len() < 100);
}

/// Connections have a table of descriptors to themselves: with all of them taken there are some for a reload.
#[test]
fn l6_connections_take_no_descriptor_of_a_reload() {
    let daemon = Setup::new(CONFIGURATION).shell("ulimit -n 4096;").start();
    let _some: Vec<_> = (0..50)
        .map(|_| {
            let mut stream = connect(&daemon.path("run/socketmap.sock"));
            assert_eq!(tls(&mut stream, "bank.example").as_deref(), Some(BANK));
            stream
        })
        .collect();
    limit_descriptors(&daemon, 40);
    daemon.configure(&CONFIGURATION.replace("bank.example", "other.example"));
    daemon.signal(Signal::SIGHUP);
    daemon.log.wait_for("info reloaded generation=2");
    // And none was left for one more connection.
    let _waiting = connect(&daemon.path("run/socketmap.sock"));
    daemon.log.wait_for("warn accept_failed protocol=socketmap");
}
