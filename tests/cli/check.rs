//! `check`: text for people, JSON for scripts, and the codes for what stands in the way.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::bench::{BAD, Bench, CONFIGURATION, assert_keys};
use crate::daemon::Daemon;

#[test]
fn a_good_configuration_is_summed_up() {
    let bench = Bench::new(CONFIGURATION);
    let ended = bench.run(&["check"]).expect(0);
    let file = bench.path("connectord.toml");
    assert_eq!(ended.stdout, format!("{}: good, 6 connectors, 3 enforced, no warnings\n", file.display()));
    assert_eq!(ended.stderr, "");
    let json = bench.run(&["check", "--json"]).expect(0).json();
    assert_keys(&json, &["ok", "problems", "warnings"], &[]);
    assert_eq!(json, serde_json::json!({"ok": true, "problems": [], "warnings": []}));
}

#[test]
fn problems_point_at_their_place() {
    let bench = Bench::new(BAD);
    let ended = bench.run(&["check"]).expect(78);
    let file = bench.path("connectord.toml").display().to_string();
    assert!(ended.stderr.contains(&format!("{file}:10:1: ")), "{}", ended.stderr);
    assert!(ended.stderr.contains("\n    domain = [\"contoso.net\"]\n    ^^^^^^\n"), "{}", ended.stderr);
    assert!(ended.stderr.contains(&format!("warning: {file}:6:")), "{}", ended.stderr);
    let summary = ended.stdout.strip_prefix(&format!("{file}: ")).unwrap();
    assert!(summary.ends_with(" problems, 1 warning\n"), "{summary}");

    let json = bench.run(&["check", "--json"]).expect(78).json();
    assert_eq!(json["ok"], false);
    for list in ["problems", "warnings"] {
        for finding in json[list].as_array().unwrap() {
            assert_keys(finding, &["file", "line", "column", "message", "help"], &[]);
            assert_eq!(finding["file"], file.as_str());
            assert!(finding["line"].is_u64() && finding["column"].is_u64(), "{finding}");
        }
    }
    assert_eq!(json["warnings"].as_array().unwrap().len(), 1);
    assert!(json["problems"].as_array().unwrap().iter().any(|problem| problem["line"] == 10), "{json}");
}

#[test]
fn warnings_alone_are_good() {
    let bench = Bench::new(&BAD.replace("domain =", "domains ="));
    let ended = bench.run(&["check"]).expect(0);
    assert!(ended.stdout.ends_with(": good, 2 connectors, 2 enforced, 1 warning\n"), "{}", ended.stdout);
    assert!(ended.stderr.starts_with("warning: "), "{}", ended.stderr);
}

#[test]
fn every_command_that_reads_the_configuration_ends_alike() {
    let commands: [&[&str]; 6] = [
        &["check"],
        &["check", "--json"],
        &["list"],
        &["explain", "outbound", "contoso.com"],
        &["explain", "inbound", "--sender", "", "--client-address", "::1"],
        &["export", "postfix", "--map", "tls"],
    ];
    let (good, bad) = (Bench::new(CONFIGURATION), Bench::new(BAD));
    let missing = Bench::new("");
    fs::remove_file(missing.path("connectord.toml")).unwrap();
    for command in commands {
        good.run(command).expect(0);
        bad.run(command).expect(78);
        let ended = missing.run(command).expect(66);
        if !command.contains(&"--json") {
            assert!(ended.stderr.contains("connectord.toml: no such file"), "{ended:?}");
        }
    }
}

#[test]
fn f18_an_unreadable_configuration_is_a_matter_of_permission() {
    let bench = Bench::new(CONFIGURATION);
    fs::set_permissions(bench.path("connectord.toml"), fs::Permissions::from_mode(0o000)).unwrap();
    let ended = bench.run_unprivileged(&["check"]).expect(77);
    assert!(ended.stderr.contains("permission denied"), "{ended:?}");
}

/// A check, a reload, a signal and a start say the same of the same files.
#[test]
fn c11_a_check_and_the_daemon_say_the_same() {
    let five = include_str!("../config/bad/19-five-mistakes/connectord.toml");
    for text in [BAD, "version = 1\nbogus = 1\n", "", five] {
        let bench = Bench::new(CONFIGURATION);
        let daemon = Daemon::start(&bench);
        bench.write("connectord.toml", text);
        let checked = bench.run(&["check", "--json"]).expect(78).json();
        let reloaded = bench.run(&["reload", "--json"]).expect(78).json();
        assert!(!checked["problems"].as_array().unwrap().is_empty(), "{checked}");
        assert_eq!(checked["problems"], reloaded["problems"]);
        let before = daemon.log().matches("error reload_problem ").count();
        daemon.signal(nix::sys::signal::Signal::SIGHUP);
        // A second reload on command comes behind the one that was signalled.
        bench.run(&["reload"]).expect(78);
        daemon.stop().expect(0);
        let log = fs::read_to_string(bench.path("log")).unwrap();
        let problems = checked["problems"].as_array().unwrap();
        assert!(log.matches("error reload_problem ").count() > before, "{log}");
        for problem in problems {
            let place = format!("line={} column={} ", problem["line"], problem["column"]);
            assert!(log.contains(&place), "{place} in {log}");
        }
        let start = bench.run(&["serve"]).expect(78).stderr;
        let check = bench.run(&["check"]).expect(78).stderr;
        // A check has warnings too.
        let problems = check.split("warning: ").next().unwrap();
        assert!(start.contains(problems.trim_end()), "{start}\nis not\n{problems}");
    }
}
