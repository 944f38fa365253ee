//! `status` and `reload` against a daemon played by the test, for answers that the real one gives
//! only in trouble.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::thread::{self, JoinHandle};

use jiff::Timestamp;

use crate::bench::{Bench, CONFIGURATION, Ended};
use crate::kept::{keep, report};

const STATUS: &str = r#"{"version":"9.9.9","pid":4711,"generation":3,"sha256":"5ha","loaded_at":"2026-11-24T00:00:00Z","degraded":false,"connectors":6,"last_reload":{"at":"2026-11-24T01:00:00Z","ok":false,"problems":[{"file":"f","line":1,"column":2,"message":"m","help":"h"}]},"listeners":[{"protocol":"control","path":"/x/control.sock"}],"connections":1,"decisions":[{"connector":"contoso-bank","verdict":"ok","count":12}],"log_lost":0}"#;

/// Answers one request, and says what it was.
fn daemon(path: &Path, answer: &str) -> JoinHandle<String> {
    let listener = UnixListener::bind(path).unwrap();
    let answer = answer.to_owned();
    thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut asked = String::new();
        BufReader::new(&stream).read_line(&mut asked).unwrap();
        (&stream).write_all(answer.as_bytes()).unwrap();
        asked
    })
}

fn exchange(arguments: &[&str], answer: &str) -> (String, Ended) {
    let bench = Bench::new(CONFIGURATION);
    let daemon = daemon(&bench.path("run/control.sock"), answer);
    let ended = bench.run(arguments);
    (daemon.join().unwrap(), ended)
}

#[test]
fn status_is_shown_and_passed_on() {
    let (asked, ended) = exchange(&["status"], &format!("{STATUS}\n"));
    assert_eq!(asked, "status\n");
    let text = ended.expect(0).stdout;
    for words in [
        "connectord 9.9.9, process 4711",
        "FAILED at 2026-11-24T01:00:00Z, problems: 1",
        "contoso-bank: ok 12",
    ] {
        assert!(text.contains(words), "{text}");
    }
    let (_, ended) = exchange(&["status", "--json"], &format!("{STATUS}\n"));
    // As it came, with a key that the daemon does not have.
    let text = ended.expect(0).stdout;
    let open = STATUS.strip_suffix('}').unwrap();
    assert!(text.starts_with(&format!("{open},\"validation\":[{{\"connector\":\"contoso-bank\",")), "{text}");
    assert!(text.ends_with("]}\n"), "{text}");
    // Unless it has.
    let newer = format!("{open},\"validation\":\"its own\"}}\n");
    assert_eq!(exchange(&["status", "--json"], &newer).1.expect(0).stdout, newer);
}

/// What an administrator reads when the files were not served, and when they would not be.
#[test]
fn a_degraded_daemon_says_what_to_do() {
    let problems = r#""ok":false,"problems":[{"file":"a.toml","line":3,"column":1,"message":"bad","help":"mend it"},{"file":"b.pem","line":0,"column":0,"message":"no such file","help":""},{"file":"","line":0,"column":0,"message":"refused","help":"--accept-weaker"},{"file":"c","line":1,"column":1,"message":"one more","help":""}]}"#;
    let status = |generation: u32, degraded: bool, last_good: &str| {
        let (start, rest) = STATUS.split_once("\"ok\":false").unwrap();
        let (_, end) = rest.split_once("]}").unwrap();
        let start = start
            .replace("\"generation\":3", &format!("\"generation\":{generation}"))
            .replace("\"degraded\":false", &format!("\"degraded\":{degraded}"));
        format!("{start}{problems},\"last_good\":{last_good}{end}\n")
    };
    let served = r#"{"served":true,"kept":true,"at":"2026-11-23T10:00:00.5Z","problem":""}"#;
    let text = exchange(&["status"], &status(1, true, served)).1.expect(0).stdout;
    let told = "degraded     yes: what is served is not what the files say
             it is the last good configuration, of 2026-11-23T10:00:00Z
             mend what is told below (connectord check tells all), then: connectord reload
last load    FAILED at 2026-11-24T01:00:00Z, problems: 4
  a.toml:3:1: bad
    help: mend it
  b.pem: no such file
  refused
    help: --accept-weaker
listens      ";
    assert!(text.contains(told), "{text}");
    let lost = r#"{"served":false,"kept":false,"at":"","problem":"No space left"}"#;
    let text = exchange(&["status"], &status(2, true, lost)).1.expect(0).stdout;
    assert!(text.contains("last reload  FAILED at") && !text.contains("it is the last good"), "{text}");
    assert!(text.contains("\nlast good    NOT KEPT for the next start: No space left\n"), "{text}");
    let unaccepted = r#"{"served":false,"unaccepted":true,"kept":false,"at":"","problem":"somebody has yet to accept it"}"#;
    let text = exchange(&["status"], &status(1, true, unaccepted)).1.expect(0).stdout;
    let told =
        "degraded     yes: the files are served, and somebody has yet to accept them\nlast load    FAILED at";
    assert!(text.contains(told) && text.contains("NOT KEPT"), "{text}");
    let kept = r#"{"served":false,"kept":true,"at":"2026-11-23T10:00:00Z","problem":""}"#;
    let text = exchange(&["status"], &status(2, false, kept)).1.expect(0).stdout;
    assert!(text.contains("\nlast good    kept, of 2026-11-23T10:00:00Z\n"), "{text}");
    assert!(!text.contains("degraded"), "{text}");
}

#[test]
fn a_reload_ends_as_the_daemon_says() {
    let change = |kind: &str| format!(r#"[{{"connector":"c","change":"{kind}","old":"a","new":"b"}}]"#);
    let problem = r#"[{"file":"f.toml","line":7,"column":2,"message":"bad","help":"mend it"}]"#;
    let refusal = r#"[{"file":"","line":0,"column":0,"message":"refused","help":"--accept-weaker"}]"#;
    let no_room = r#"[{"file":"","line":0,"column":0,"message":"no room","help":"make some"}]"#;
    let answer = |ok: bool, changes: &str, problems: &str| {
        let (refused, internal) = (problems == refusal, problems == no_room);
        format!(
            "{{\"ok\":{ok},\"refused\":{refused},\"internal\":{internal},\"generation\":2,\"changes\":{changes},\"problems\":{problems}}}\n"
        )
    };
    let table = [
        (answer(true, "[]", "[]"), 0, "reloaded as generation 2, nothing that is enforced changed\n", ""),
        (answer(true, &change("stronger"), "[]"), 0, "stronger c: a -> b\nreloaded as generation 2\n", ""),
        (
            answer(false, &change("weaker"), refusal),
            1,
            "weaker   c: a -> b\nnot reloaded; ",
            "--accept-weaker",
        ),
        (answer(false, "[]", no_room), 70, "not reloaded; ", "connectord: no room\n    help: make some\n"),
        (answer(false, "[]", problem), 78, "not reloaded; ", "f.toml:7:2: bad\n    help: mend it\n"),
    ];
    for (answer, code, stdout, stderr) in table {
        for (arguments, line) in
            [(&["reload"][..], "reload\n"), (&["reload", "--accept-weaker"], "reload accept-weaker\n")]
        {
            let (asked, ended) = exchange(arguments, &answer);
            assert_eq!(asked, line);
            let ended = ended.expect(code);
            assert!(ended.stdout.starts_with(stdout) && ended.stderr.contains(stderr), "{ended:?}");
        }
        let (_, ended) = exchange(&["reload", "--json"], &answer);
        assert_eq!(ended.expect(code).stdout, answer);
    }
}

#[test]
fn no_daemon_and_half_an_answer_are_told() {
    let bench = Bench::new(CONFIGURATION);
    for command in [&["status"][..], &["reload"], &["status", "--json"]] {
        let ended = bench.run(command).expect(69);
        assert!(ended.stderr.contains("no daemon listens there") && ended.stdout.is_empty(), "{ended:?}");
    }
    // A socket that its daemon left behind.
    drop(UnixListener::bind(bench.path("run/control.sock")).unwrap());
    bench.run(&["status"]).expect(69);

    for answer in ["", "{\"ok\":true", &STATUS[..40], STATUS, "[]\n", "{}\n"] {
        for command in ["status", "reload"] {
            let (_, ended) = exchange(&[command], answer);
            assert_eq!((ended.code, ended.stdout.as_str()), (Some(69), ""), "{answer} {ended:?}");
        }
    }
}

#[test]
fn the_configuration_names_the_socket() {
    let listen = "[[listen]]\nprotocol = \"control\"\npath = \"other.sock\"\n";
    // Even one with mistakes in it: the daemon is to be asked about them.
    for configuration in [format!("{CONFIGURATION}{listen}"), format!("nonsense = = 1\n{listen}")] {
        let bench = Bench::new(&configuration);
        let daemon = daemon(&bench.path("run/other.sock"), &format!("{STATUS}\n"));
        bench.run(&["status"]).expect(0);
        daemon.join().unwrap();
    }
}

/// One that only reports did not decide what the MTA was told.
#[test]
fn what_only_would_have_been_decided_is_told_apart() {
    let decisions = r#"[{"connector":"","verdict":"notfound","reporting":false,"count":7},{"connector":"contoso-bank","verdict":"ok","reporting":false,"count":5},{"connector":"contoso-bank","verdict":"ok","reporting":true,"count":1}]"#;
    let (start, _) = STATUS.split_once("[{\"connector\"").unwrap();
    let status = format!("{start}{decisions},\"log_lost\":0}}\n")
        .replace("2026-11-24T00:00:00Z", "2026-11-24T00:00:00.123456789Z")
        .replace("2026-11-24T01:00:00Z", "2026-11-24T01:00:00.987654321Z");
    let text = exchange(&["status"], &status).1.expect(0).stdout;
    let lines = [
        "generation   3, loaded at 2026-11-24T00:00:00Z\n",
        "last reload  FAILED at 2026-11-24T01:00:00Z, problems: 1\n",
        "decided      (no enforcing connector): notfound 7\n",
        "decided      contoso-bank: ok 5\n",
        "would have   contoso-bank: ok 1 (in report: not what was answered)\n",
    ];
    for line in lines {
        assert!(text.contains(line), "{line} in {text}");
    }
}

#[test]
fn a_user_who_may_not_read_the_results_gets_the_rest_of_status() {
    let bench = Bench::new(CONFIGURATION);
    keep(&bench, report("contoso-bank", "pass", Timestamp::now()));
    let state = bench.path("state");
    fs::set_permissions(&state, fs::Permissions::from_mode(0o000)).unwrap();
    let daemon = daemon(&bench.path("run/control.sock"), &format!("{STATUS}\n"));
    fs::set_permissions(bench.path("run/control.sock"), fs::Permissions::from_mode(0o666)).unwrap();
    let ended = bench.run_unprivileged(&["status"]).expect(0);
    daemon.join().unwrap();
    fs::set_permissions(&state, fs::Permissions::from_mode(0o755)).unwrap();
    assert!(
        ended.stdout.ends_with("\nvalidated    not known: the kept results cannot be read\n"),
        "{ended:?}"
    );
    assert_eq!(ended.stderr.lines().count(), 1, "{ended:?}");
    assert!(ended.stderr.contains("ask as root, or as the user that connectord runs as"), "{ended:?}");
}

#[test]
fn a_socket_that_is_not_for_us_is_a_matter_of_permission() {
    let bench = Bench::new(CONFIGURATION);
    let socket = bench.path("run/control.sock");
    let _listener = UnixListener::bind(&socket).unwrap();
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o000)).unwrap();
    let ended = bench.run_unprivileged(&["status"]).expect(77);
    assert!(ended.stderr.contains("permission denied"), "{ended:?}");
}
