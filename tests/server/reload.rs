//! Reloading: all or nothing, under load, and never backwards.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use connectord::server::control::Command;
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::client::{BANK, CONFIGURATION, connect, lookup, reply, tls};
use super::daemon::{Daemon, Setup};

/// The configuration of a generation: which of the two partners has the stricter connector
/// alternates, and both replies say the number.
pub fn numbered(generation: u64) -> String {
    let [x, y] = if generation.is_multiple_of(2) { ["encrypt", "secure"] } else { ["secure", "encrypt"] };
    let connector = |name: &str, level: &str| {
        let names = if level == "secure" { "match = [\"mx.partner.example\"]\n" } else { "" };
        format!(
            "[[outbound]]\nname = \"{name}\"\nmode = \"enforce\"\ndomains = [\"{name}.example\"]\n\
             tls = \"{level}\"\n{names}servername = \"g{generation}.example\"\n"
        )
    };
    format!("version = 1\n{}{}", connector("x", x), connector("y", y))
}

/// The reply of a generation.
fn expected(name: &str, generation: u64) -> String {
    let secure = generation.is_multiple_of(2) == (name == "y");
    let level = if secure { "secure match=mx.partner.example" } else { "encrypt" };
    format!("OK {level} servername=g{generation}.example")
}

pub fn generation_of(reply: &str) -> u64 {
    let (_, rest) = reply.split_once("servername=g").unwrap_or_else(|| panic!("{reply}"));
    rest.split_once('.').unwrap().0.parse().unwrap()
}

/// Asks for both partners without pause, in pairs, until told to stop; how many pairs were answered.
fn ask_without_pause(path: &Path, stop: &AtomicBool, newest: &AtomicU64) -> u64 {
    let mut stream = connect(path);
    let pair = [lookup("tls", "x.example"), lookup("tls", "y.example")].concat();
    let mut last = 0;
    let mut pairs = 0;
    while !stop.load(Ordering::Relaxed) {
        stream.write_all(&pair).unwrap();
        for name in ["x", "y"] {
            let reply = reply(&mut stream).expect("no request is lost");
            let generation = generation_of(&reply);
            assert_eq!(reply, expected(name, generation), "of one generation");
            assert!(generation >= last, "{generation} after {last}");
            assert!(generation <= newest.load(Ordering::Relaxed), "{generation} is not written yet");
            last = generation;
        }
        pairs += 1;
    }
    pairs
}

#[test]
fn r1_two_hundred_reloads_under_load() {
    const RELOADS: u64 = 200;
    let daemon = Setup::new(&numbered(1)).start();
    let path = daemon.path("run/socketmap.sock");
    let stop = Arc::new(AtomicBool::new(false));
    let newest = Arc::new(AtomicU64::new(1));
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let (path, stop, newest) = (path.clone(), Arc::clone(&stop), Arc::clone(&newest));
            thread::spawn(move || ask_without_pause(&path, &stop, &newest))
        })
        .collect();
    for generation in 2..=RELOADS + 1 {
        newest.store(generation, Ordering::Relaxed);
        daemon.configure(&numbered(generation));
        if generation.is_multiple_of(2) {
            let outcome = daemon.reload();
            assert_eq!(
                (&outcome["ok"], &outcome["generation"]),
                (&json!(true), &json!(generation)),
                "{outcome}"
            );
        } else {
            daemon.signal(Signal::SIGHUP);
            daemon.wait_until(|status| status["generation"] == generation);
        }
        // From now on nobody is answered from before.
        assert_eq!(tls(&mut connect(&path), "x.example").as_deref(), Some(&*expected("x", generation)));
    }
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        assert!(client.join().unwrap() > RELOADS, "asked without pause");
    }
    let status = daemon.status();
    assert_eq!(status["generation"], RELOADS + 1);
    assert_eq!(status["panics"], 0);
    assert_eq!(daemon.log.wait_for_all("info reloaded generation=", 200).len(), 200);
}

#[test]
fn r6_a_hundred_hangups_are_few_loads_and_the_last_file_wins() {
    let daemon = Setup::new(&numbered(1)).start();
    // The last file is there before the last signal.
    for _ in 0..99 {
        daemon.signal(Signal::SIGHUP);
    }
    daemon.configure(&numbered(1_000));
    daemon.signal(Signal::SIGHUP);
    let path = daemon.path("run/socketmap.sock");
    daemon.wait_until(|_| tls(&mut connect(&path), "x.example").as_deref() == Some(&expected("x", 1_000)));
    // A reload on command comes behind everything that was signalled.
    let generation = daemon.reload()["generation"].as_u64().unwrap();
    assert!(generation < 100, "{generation} generations");
}

fn assert_unchanged(daemon: &Daemon, case: &str) {
    let mut stream = connect(&daemon.path("run/socketmap.sock"));
    assert_eq!(tls(&mut stream, "bank.example").as_deref(), Some(BANK), "{case}");
    let status = daemon.status();
    assert_eq!(status["generation"], 1, "{case}");
    assert_eq!(status["degraded"], true, "{case}");
    assert_eq!(status["last_reload"]["ok"], false, "{case}");
    assert!(!status["last_reload"]["problems"].as_array().unwrap().is_empty(), "{case}");
}

#[test]
fn r3_a_bad_file_changes_nothing() {
    let daemon = Setup::new(CONFIGURATION).start();
    let fail = |case: &str| {
        let outcome = daemon.reload();
        assert_eq!((&outcome["ok"], &outcome["generation"]), (&json!(false), &json!(1)), "{case}: {outcome}");
        assert_eq!(outcome["refused"], false, "{case}");
        let problem = &outcome["problems"][0];
        assert!(problem["message"].as_str().is_some_and(|text| !text.is_empty()), "{case}: {outcome}");
        assert_unchanged(&daemon, case);
    };
    for (case, text) in [
        ("empty", ""),
        ("garbage", "\u{0}\u{1}"),
        ("unknown key", "version = 1\nbogus = 1\n"),
        ("cut in a table", "version = 1\n[[outbound]]\nname = \"bank\"\nmode = \"enforce\"\n"),
    ] {
        daemon.configure(text);
        fail(case);
    }
    // Half-written: the writer stops at each line.
    let lines: Vec<&str> = CONFIGURATION.lines().collect();
    let mut accepted = 0;
    for count in 0..lines.len() {
        let text = lines[..count].join("\n");
        daemon.configure(&text);
        let outcome = daemon.reload();
        let mut stream = connect(&daemon.path("run/socketmap.sock"));
        let answer = tls(&mut stream, "bank.example").unwrap();
        if outcome["ok"] == true && !text.contains("bank") {
            // Cut between two tables it is a whole file; what is gone with the rest is said.
            accepted += 1;
            let removed = json!({"connector": "bank", "change": "removed"});
            let is_removed = |change: &Value| {
                change["connector"] == removed["connector"] && change["change"] == removed["change"]
            };
            assert!(outcome["changes"].as_array().unwrap().iter().any(is_removed), "{text}: {outcome}");
            daemon.configure(CONFIGURATION);
            assert_eq!(daemon.reload()["ok"], true);
        } else {
            assert_eq!(answer, BANK, "{text}");
        }
    }
    assert_eq!(accepted, 1, "the line `version = 1` alone");
    let mut daemon = Setup::new(CONFIGURATION).start();
    let file = daemon.path("connectord.toml");
    fs::remove_file(&file).unwrap();
    assert_eq!(daemon.reload()["ok"], false);
    assert_unchanged(&daemon, "removed");
    fs::create_dir(&file).unwrap();
    assert_eq!(daemon.reload()["ok"], false);
    assert_unchanged(&daemon, "a directory");
    fs::remove_dir(&file).unwrap();
    daemon.configure("bogus = 1\n");
    daemon.signal(Signal::SIGHUP);
    daemon.log.wait_for_all("error reload_failed generation=1 problems=", 3);
    daemon.log.wait_for("error reload_problem file=");
    assert_unchanged(&daemon, "by signal");
    // And it mends.
    daemon.configure(CONFIGURATION);
    assert_eq!(daemon.reload()["ok"], true);
    let status = daemon.status();
    assert_eq!((&status["generation"], &status["degraded"]), (&json!(2), &json!(false)));
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn r5_weakening_is_loud_or_refused() {
    let weaker =
        CONFIGURATION.replace("tls = \"secure\"\nmatch = [\"mx.bank.example\"]", "tls = \"encrypt\"");
    let refusing =
        |text: &str| text.replace("version = 1\n", "version = 1\n[server]\nweaker_reload = \"refuse\"\n");
    let change = json!({"connector": "bank", "change": "weaker"});
    let is_change = |outcome: &Value| {
        let told = &outcome["changes"][0];
        told["connector"] == change["connector"]
            && told["change"] == change["change"]
            && told["old"] != told["new"]
    };

    let daemon = Setup::new(CONFIGURATION).start();
    daemon.configure(&weaker);
    let outcome = daemon.reload();
    assert!(outcome["ok"] == true && is_change(&outcome), "{outcome}");
    daemon.log.wait_for("warn reload_change connector=bank change=weaker old=");

    let daemon = Setup::new(&refusing(CONFIGURATION)).start();
    // The file cannot allow itself what the daemon was told to refuse.
    for (text, weakened) in [(refusing(&weaker), 1), (weaker.clone(), 2)] {
        daemon.configure(&text);
        let outcome = daemon.reload();
        assert!(outcome["ok"] == false && outcome["refused"] == true && is_change(&outcome), "{outcome}");
        assert!(outcome["problems"][0]["help"].as_str().unwrap().contains("--accept-weaker"), "{outcome}");
        daemon.signal(Signal::SIGHUP);
        daemon.log.wait_for_all(&format!("error reload_refused generation=1 weakened={weakened}"), 2);
        let status = daemon.status();
        assert!(
            status["degraded"] == true && status["last_reload"]["problems"][0] != json!(null),
            "{status}"
        );
    }
    // Nor may it take the refusal away first.
    daemon.configure(CONFIGURATION);
    let outcome = daemon.reload();
    assert_eq!(
        (&outcome["refused"], &outcome["changes"][0]["connector"]),
        (&json!(true), &json!("[server]"))
    );
    daemon.configure(&weaker);
    let mut stream = connect(&daemon.path("run/socketmap.sock"));
    assert_eq!(tls(&mut stream, "bank.example").as_deref(), Some(BANK));
    let outcome = daemon.ask(Command::Reload { accept_weaker: true });
    assert!(outcome["ok"] == true && is_change(&outcome), "{outcome}");
    assert_eq!(tls(&mut stream, "bank.example").as_deref(), Some("OK encrypt"));
    // Stronger needs nobody's leave.
    daemon.configure(&refusing(CONFIGURATION));
    assert_eq!(daemon.reload()["changes"][0]["change"], "stronger");
    daemon.log.wait_for("info reload_change connector=bank change=stronger");
    daemon.configure(&refusing("version = 1\n"));
    let outcome = daemon.reload();
    assert_eq!(
        (&outcome["refused"], &outcome["changes"][0]["change"]),
        (&json!(true), &json!("removed")),
        "{outcome}"
    );
}

#[test]
fn r9_what_needs_a_restart_is_named_and_the_rest_applies() {
    let daemon = Setup::new(CONFIGURATION).start();
    let server = "[server]\nmax_connections = 7\nlog = \"debug\"\nlog_format = \"json\"\n\
                  [[listen]]\nprotocol = \"policy\"\npath = \"other.sock\"\n";
    daemon.configure(
        &CONFIGURATION
            .replace("tls = \"encrypt\"", "tls = \"dane-only\"")
            .replace("version = 1\n", &format!("version = 1\n{server}")),
    );
    assert_eq!(daemon.reload()["ok"], true);
    for setting in ["listen", "server.max_connections", "server.log", "server.log_format"] {
        daemon.log.wait_for(&format!("warn restart_needed setting={setting}"));
    }
    let mut stream = connect(&daemon.path("run/socketmap.sock"));
    assert_eq!(tls(&mut stream, "plain.example").as_deref(), Some("OK dane-only"));
}

#[test]
fn trust_anchors_that_cannot_be_published_show_in_the_status() {
    let setup = Setup::new("version = 1\n");
    let certificate = rcgen::generate_simple_self_signed(vec!["ca.example".to_owned()]).unwrap();
    fs::write(setup.path("ca.pem"), certificate.cert.pem()).unwrap();
    setup.configure(&format!(
        "version = 1\n[mta]\nqueue_directory = \"{}\"\n[[outbound]]\nname = \"bank\"\nmode = \"enforce\"\n\
         domains = [\"bank.example\"]\ntls = \"verify\"\nca_file = \"ca.pem\"\n",
        setup.path("not-there").display()
    ));
    let daemon = setup.start();
    let status = daemon.status();
    assert!(status["degraded"] == true && status["last_reload"]["ok"] == false, "{status}");
    fs::create_dir(daemon.path("not-there")).unwrap();
    assert_eq!(daemon.reload()["ok"], true);
    assert_eq!(daemon.status()["degraded"], false);
}

#[test]
fn r8_trust_anchors_are_published_before_they_are_named() {
    let authority = |name: &str| {
        let mut params = rcgen::CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().pem()
    };
    let setup = Setup::new("version = 1\n");
    fs::create_dir(setup.path("queue")).unwrap();
    let configuration = format!(
        "version = 1\n[mta]\nqueue_directory = \"{}\"\n[[outbound]]\nname = \"bank\"\nmode = \"enforce\"\n\
         domains = [\"bank.example\"]\ntls = \"secure\"\nmatch = [\"mx.bank.example\"]\nca_file = \"ca.pem\"\n",
        setup.path("queue").display()
    );
    setup.configure(&configuration);
    let authorities = [1, 2, 3].map(|number| authority(&format!("Authority {number}")));
    fs::write(setup.path("ca.pem"), &authorities[0]).unwrap();
    let daemon = setup.start();
    let named = |daemon: &Daemon| {
        let reply = tls(&mut connect(&daemon.path("run/socketmap.sock")), "bank.example").unwrap();
        let relative = reply.split_once("tafile=").unwrap().1.split(' ').next().unwrap().to_owned();
        daemon.path("queue").join(relative)
    };
    let mut files = Vec::new();
    for (generation, pem) in authorities.iter().enumerate() {
        if generation > 0 {
            fs::write(daemon.path("ca.pem"), pem).unwrap();
            assert_eq!(daemon.reload()["ok"], true);
        }
        let file = named(&daemon);
        assert_eq!(&fs::read_to_string(&file).unwrap(), pem);
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o644);
        files.push(file);
    }
    assert!(!files[0].exists(), "of neither this generation nor the one before");
    assert!(files[1].exists() && files[2].exists());
    let directory = files[2].parent().unwrap();
    assert_eq!(fs::metadata(directory).unwrap().permissions().mode() & 0o7777, 0o755);

    // Where it cannot be published nothing changes.
    fs::remove_dir_all(directory).unwrap();
    fs::write(directory, "in the way").unwrap();
    fs::write(daemon.path("ca.pem"), &authorities[0]).unwrap();
    let outcome = daemon.reload();
    assert!(outcome["ok"] == false && outcome["generation"] == 3, "{outcome}");
    assert_eq!(named(&daemon), files[2]);
}
