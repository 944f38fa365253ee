//! A restart whose files are weaker than what was served before: it tells, or refuses, what a reload would.

use connectord::server::control::Command;
use nix::sys::signal::Signal;
use serde_json::json;

use super::client::{BANK, CONFIGURATION, connect, tls};
use super::daemon::{Daemon, Setup};
use super::last_good::stop_when_kept;

const WEAKER: [&str; 2] = ["tls = \"secure\"\nmatch = [\"mx.bank.example\"]", "tls = \"encrypt\""];

#[test]
fn a_restart_with_weaker_files_is_told_as_a_reload_would_be() {
    let mut daemon = Setup::new(CONFIGURATION).start();
    stop_when_kept(&mut daemon);
    let lines = daemon.all_lines();
    assert!(!lines.iter().any(|line| line.contains("reload_change")), "{lines:#?}");
    daemon.start_again();
    stop_when_kept(&mut daemon);
    let lines = daemon.all_lines();
    assert!(
        !lines.iter().any(|line| line.contains("since_last_good") || line.contains("last_good_kept")),
        "{lines:#?}"
    );

    daemon.configure(
        &CONFIGURATION.replace(WEAKER[0], WEAKER[1]).replace("name = \"plain\"", "name = \"new\""),
    );
    daemon.start_again();
    daemon.log.wait_for("warn reload_change connector=bank change=weaker old=");
    let summary = daemon.log.wait_for("info changed_since_last_good last_good=");
    assert!(summary.contains(" weakened=1"), "{summary}");
    let status = daemon.status();
    assert_eq!((&status["degraded"], &status["generation"]), (&json!(false), &json!(1)));
    assert_eq!(
        tls(&mut connect(&daemon.path("run/socketmap.sock")), "bank.example").as_deref(),
        Some("OK encrypt")
    );
    // It is the last good one now.
    daemon.log.wait_for("info last_good_kept");
    stop_when_kept(&mut daemon);
    daemon.start_again();
    stop_when_kept(&mut daemon);
    assert!(!daemon.all_lines().iter().any(|line| line.contains("reload_change")));
    // Gone is the weakest of all.
    daemon.configure("version = 1\n");
    daemon.start_again();
    daemon.log.wait_for("warn reload_change connector=bank change=removed old=");
    daemon.log.wait_for("warn reload_change connector=bank-in change=removed old=");
}

#[test]
fn weaker_files_are_refused_by_a_restart_as_by_a_reload() {
    let refusing =
        |text: &str| text.replace("version = 1\n", "version = 1\n[server]\nweaker_reload = \"refuse\"\n");
    let weaker = CONFIGURATION.replace(WEAKER[0], WEAKER[1]);
    let mut daemon = Setup::new(&refusing(CONFIGURATION)).start();
    stop_when_kept(&mut daemon);
    let bank =
        |daemon: &Daemon| tls(&mut connect(&daemon.path("run/socketmap.sock")), "bank.example").unwrap();
    // The files cannot allow themselves what the last good ones refuse, nor the refusal be taken away first.
    for files in [refusing(&weaker), weaker.clone(), CONFIGURATION.to_owned()] {
        daemon.configure(&files);
        // Twice: what was refused does not become the last good one.
        for _ in 0..2 {
            daemon.start_again();
            assert_eq!(bank(&daemon), BANK, "{files}");
            daemon.log.wait_for("error degraded generation=1 sha256=");
            let problem = daemon.log.wait_for("error configuration_problem file=");
            assert!(problem.contains("--accept-weaker"), "{problem}");
            daemon.log.wait_for("warn reload_change connector=");
            let status = daemon.status();
            assert_eq!((&status["degraded"], &status["last_good"]["served"]), (&json!(true), &json!(true)));
            let outcome = daemon.reload();
            assert_eq!((&outcome["ok"], &outcome["refused"]), (&json!(false), &json!(true)), "{outcome}");
            daemon.signal(Signal::SIGHUP);
            daemon.log.wait_for_all("error reload_refused generation=1", 2);
            assert_eq!(bank(&daemon), BANK, "{files}");
            assert_eq!(daemon.stop(), Some(0));
        }
    }
    daemon.configure(&refusing(&weaker));
    daemon.start_again();
    let outcome = daemon.ask(Command::Reload { accept_weaker: true });
    assert_eq!((&outcome["ok"], &outcome["generation"]), (&json!(true), &json!(2)), "{outcome}");
    assert_eq!(outcome["changes"][0]["connector"], "bank");
    assert_eq!(bank(&daemon), "OK encrypt");
    let status = daemon.status();
    assert_eq!((&status["degraded"], &status["last_good"]["served"]), (&json!(false), &json!(false)));
    assert_eq!(status["last_good"]["kept"], true, "`reload` waits until it is kept");
    assert_eq!(daemon.stop(), Some(0));
    // What was accepted once needs no leave again; what is stronger needs none.
    for files in [refusing(&weaker), refusing(CONFIGURATION)] {
        daemon.configure(&files);
        daemon.start_again();
        assert_eq!(daemon.status()["degraded"], false);
        stop_when_kept(&mut daemon);
    }
}
