//! More peers than there is room for.

use std::io::Write as _;
use std::os::unix::net::UnixStream;

use super::client::{BANK, CONFIGURATION, closes, connect, tls};
use super::daemon::Setup;

fn seats(count: usize) -> String {
    CONFIGURATION.replace("version = 1\n", &format!("version = 1\n[server]\nmax_connections = {count}\n"))
}

#[test]
fn the_longest_idle_one_makes_room() {
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
    let daemon = Setup::new(&seats(16)).start();
    let path = daemon.path("run/socketmap.sock");
    let mut stalled: Vec<UnixStream> = Vec::new();
    for _ in 0..64 {
        let mut stream = connect(&path);
        stream.write_all(b"16:tls").unwrap();
        stalled.push(stream);
    }
    // Within the deadline of requests, which is a hundred times that of a test.
    for _ in 0..10 {
        assert_eq!(tls(&mut connect(&path), "bank.example").as_deref(), Some(BANK));
    }
    assert_eq!(daemon.status()["generation"], 1);
    assert!(daemon.log.lines().len() < 100);
}

#[test]
fn the_control_socket_has_seats_of_its_own() {
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
