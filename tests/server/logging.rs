//! What is logged, how it looks, and that it is never in the way.

use std::io::{BufRead as _, BufReader, Write as _};

use serde_json::{Value, json};

use super::client::{BANK, CONFIGURATION, action, connect, from_bank, lookup, policy, reply, tls};
use super::daemon::{Daemon, PATIENCE, Setup};

fn with_server(settings: &str) -> String {
    CONFIGURATION.replace("version = 1\n", &format!("version = 1\n[server]\n{settings}\n"))
}

fn ask(daemon: &Daemon) {
    let mut stream = connect(&daemon.path("run/socketmap.sock"));
    for key in ["bank.example", "trial.example", "other.example"] {
        tls(&mut stream, key).unwrap();
    }
    let mut stream = connect(&daemon.path("run/policy.sock"));
    for request in [
        from_bank(""),
        from_bank("TLSv1.3"),
        policy(&[("protocol_state", "RCPT"), ("sender", "a@b.example"), ("client_address", "::1")]),
    ] {
        stream.write_all(&request).unwrap();
        action(&mut stream).unwrap();
    }
}

#[test]
fn decisions_as_text() {
    let mut daemon = Setup::new(CONFIGURATION).start();
    ask(&daemon);
    assert_eq!(daemon.stop(), Some(0));
    daemon.log.wait_for("info stopped");
    assert_eq!(
        daemon.log.with(" decision "),
        [
            "info decision direction=outbound map=tls key=bank.example connector=bank pattern=bank.example mode=enforce \
         verdict=ok reply=\"OK secure match=mx.bank.example\" generation=1",
            "info decision direction=outbound map=tls key=trial.example connector=trial pattern=trial.example mode=report \
         verdict=notfound reply=\"NOTFOUND \" generation=1 would_reply=\"OK encrypt\"",
            "info decision direction=inbound state=RCPT key=a@bank.example connector=bank-in pattern=bank.example mode=enforce \
         verdict=reject reply=\"530 5.7.0 connector bank-in: TLS is required\" generation=1 instance=123.456 \
         client=192.0.2.1 presented=plaintext",
            "info decision direction=inbound state=RCPT key=a@bank.example connector=bank-in pattern=bank.example mode=enforce \
         verdict=pass reply=DUNNO generation=1 instance=123.456 client=192.0.2.1 presented=TLSv1.3",
        ]
    );
}

#[test]
fn decisions_as_json() {
    let mut daemon = Setup::new(&with_server("log_format = \"json\"")).start();
    ask(&daemon);
    assert_eq!(daemon.stop(), Some(0));
    daemon.log.wait_for("\"event\":\"stopped\"");
    let lines: Vec<Value> =
        daemon.log.lines().iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let decisions: Vec<&Value> = lines.iter().filter(|line| line["event"] == "decision").collect();
    assert_eq!(decisions.len(), 4);
    assert_eq!(
        *decisions[0],
        json!({
            "level": "info", "event": "decision", "direction": "outbound", "map": "tls", "key": "bank.example",
            "connector": "bank", "pattern": "bank.example", "mode": "enforce", "verdict": "ok", "reply": BANK, "generation": 1,
        })
    );
    assert!(lines.iter().any(|line| line["event"] == "listening" && line["protocol"] == "socketmap"));
}

#[test]
fn i12_which_decisions_are_logged() {
    for (settings, count) in [
        ("decisions = \"none\"", 0),
        ("decisions = \"connector\"", 4),
        ("decisions = \"all\"", 6),
        ("log = \"debug\"", 6),
        ("log = \"warn\"", 0),
    ] {
        let mut daemon = Setup::new(&with_server(settings)).start();
        ask(&daemon);
        assert_eq!(daemon.stop(), Some(0));
        // The end of the process is the end of its log.
        let lines = daemon.all_lines();
        assert_eq!(lines.iter().filter(|line| line.contains(" decision ")).count(), count, "{settings}");
        let debug = lines.iter().filter(|line| line.starts_with("debug decision ")).count();
        assert_eq!(debug, if settings.contains("debug") { 2 } else { 0 }, "{settings}");
    }
}

#[test]
fn p_what_a_peer_sends_cannot_forge_a_line() {
    let mut daemon = Setup::new(&with_server("decisions = \"all\"")).start();
    let mut stream = connect(&daemon.path("run/socketmap.sock"));
    tls(&mut stream, "x\ninfo decision forged=1 \"quoted\" \u{1b}[31m").unwrap();
    tls(&mut stream, &"k".repeat(9_000)).unwrap();
    drop(stream);
    assert_eq!(daemon.stop(), Some(0));
    for line in daemon.all_lines() {
        assert!(line.len() < 2_000 && line.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{line}");
        assert!(!line.starts_with("info decision forged"), "{line}");
    }
    assert_eq!(daemon.log.with("info decision direction=").len(), 2);
}

#[test]
fn l11_what_a_peer_causes_is_said_once_a_second() {
    let daemon = Setup::new(CONFIGURATION).start();
    let mut stream = connect(&daemon.path("run/socketmap.sock"));
    for _ in 0..5_000 {
        assert!(tls(&mut stream, "a..b").unwrap().starts_with("PERM "));
    }
    // Nothing goes uncounted: what was not said follows.
    let counted = || -> u64 {
        let number = |line: &String, key: &str| {
            line.split_once(key).map_or(0, |(_, rest)| rest.split(' ').next().unwrap().parse().unwrap())
        };
        let said = daemon.log.with("warn lookup_refused");
        let suppressed: u64 = said.iter().map(|line| number(line, "suppressed=")).sum();
        let left: u64 = daemon
            .log
            .with("warn suppressed kind=lookup_refused")
            .iter()
            .map(|line| number(line, "count="))
            .sum();
        said.len() as u64 + suppressed + left
    };
    let begin = std::time::Instant::now();
    while counted() < 5_000 {
        assert!(begin.elapsed() < PATIENCE, "{:#?}", daemon.log.lines());
        std::thread::yield_now();
    }
    assert_eq!(counted(), 5_000);
    assert!(daemon.log.lines().len() < 50, "{:#?}", daemon.log.lines());
}

#[test]
fn f10_a_log_that_nobody_reads_delays_nobody() {
    let mut daemon = Setup::new(CONFIGURATION).log_unread().start();
    let mut stream = connect(&daemon.path("run/socketmap.sock"));
    let requests = lookup("tls", "bank.example").repeat(100);
    // Much more than pipe and buffer hold.
    for _ in 0..400 {
        stream.write_all(&requests).unwrap();
        for _ in 0..100 {
            assert_eq!(reply(&mut stream).as_deref(), Some(BANK));
        }
    }
    let lost = daemon.status()["log_lost"].as_u64().unwrap();
    assert!(lost > 10_000, "{lost}");
    // A reload logs too, and is not held up either.
    assert_eq!(daemon.reload()["ok"], true);
    let stderr = daemon.stderr.take().unwrap();
    let (seen, lines) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        BufReader::new(stderr).lines().map_while(Result::ok).for_each(|line| seen.send(line).unwrap())
    });
    let said =
        lines.iter().find_map(|line| line.strip_prefix("warn log_lost count=")?.parse::<u64>().ok()).unwrap();
    assert!(said >= lost, "{said} of {lost}");
    // And it goes on.
    tls(&mut stream, "bank.example").unwrap();
    assert!(lines.iter().any(|line| line.starts_with("info decision")));
    daemon.stop();
}

#[test]
fn f10_a_closed_log_stops_nobody() {
    let mut daemon = Setup::new(CONFIGURATION).log_unread().start();
    drop(daemon.stderr.take());
    let mut stream = connect(&daemon.path("run/socketmap.sock"));
    for _ in 0..100 {
        assert_eq!(tls(&mut stream, "bank.example").as_deref(), Some(BANK));
    }
    daemon.wait_until(|status| status["log_lost"].as_u64() >= Some(100));
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn status_tells_all() {
    let daemon = Setup::new(CONFIGURATION).start();
    ask(&daemon);
    let _open = connect(&daemon.path("run/policy.sock"));
    let status = daemon.wait_until(|status| status["connections"] == 1);
    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(status["pid"], daemon.pid());
    assert_eq!(status["generation"], 1);
    assert_eq!(status["sha256"].as_str().unwrap().len(), 64);
    assert!(status["loaded_at"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok());
    assert_eq!(
        (&status["degraded"], &status["connectors"], &status["log_lost"]),
        (&json!(false), &json!(4), &json!(0))
    );
    assert_eq!(status["last_reload"]["ok"], true);
    assert_eq!(status["last_reload"]["problems"], json!([]));
    let protocols: Vec<&Value> =
        status["listeners"].as_array().unwrap().iter().map(|listener| &listener["protocol"]).collect();
    assert_eq!(protocols, ["socketmap", "policy", "exim", "control"]);
    assert_eq!(
        status["decisions"],
        json!([
            {"connector": "", "verdict": "notfound", "reporting": false, "count": 2},
            {"connector": "", "verdict": "pass", "reporting": false, "count": 1},
            {"connector": "bank", "verdict": "ok", "reporting": false, "count": 1},
            {"connector": "bank-in", "verdict": "pass", "reporting": false, "count": 1},
            {"connector": "bank-in", "verdict": "reject", "reporting": false, "count": 1},
            {"connector": "trial", "verdict": "ok", "reporting": true, "count": 1},
        ])
    );
}
