//! A last good configuration that was replaced by one that could not be kept: what was served last
//! may have been stronger, so it answers for nobody.

use std::fs::{self, File, OpenOptions, Permissions};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::time::{Duration, SystemTime};

use connectord::server::control::Command;
use nix::fcntl::{Flock, FlockArg};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::client::{BANK, CONFIGURATION, connect, tls};
use super::daemon::{Daemon, Setup};
use super::kept_file::BROKEN;

/// How the bank's connector is written, and how a weaker one is.
const BANK_CONNECTOR: [&str; 2] = ["tls = \"secure\"\nmatch = [\"mx.bank.example\"]", "tls = \"encrypt\""];

fn weaker() -> String {
    CONFIGURATION.replace(BANK_CONNECTOR[0], BANK_CONNECTOR[1])
}

fn refusing(text: &str) -> String {
    text.replace("version = 1\n", "version = 1\n[server]\nweaker_reload = \"refuse\"\n")
}

/// A daemon that serves this, which is kept.
fn serving(configuration: &str) -> Daemon {
    let daemon = Setup::new(configuration).start();
    daemon.wait_until(|status| status["last_good"]["kept"] == true);
    daemon
}

/// Lets nobody keep anything.
fn keep_away(daemon: &Daemon) -> Flock<File> {
    let lock = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(daemon.path("state/.last-good.lock"))
        .unwrap();
    Flock::lock(lock, FlockArg::LockExclusiveNonblock).unwrap()
}

/// Has this served and not kept, and ends.
fn serve_and_forget(daemon: &mut Daemon, configuration: &str, accept_weaker: bool) {
    let lock = keep_away(daemon);
    daemon.configure(configuration);
    let outcome = daemon.ask(Command::Reload { accept_weaker });
    assert_eq!(outcome["ok"], true, "{outcome}");
    let status = daemon.status();
    assert_eq!(
        (&status["last_good"]["kept"], &status["last_good"]["at"]),
        (&json!(false), &json!("")),
        "{status}"
    );
    assert_eq!(daemon.stop(), Some(0));
    drop(lock);
}

fn bank(daemon: &Daemon) -> String {
    tls(&mut connect(&daemon.path("run/socketmap.sock")), "bank.example").unwrap()
}

fn refuses_to_start(daemon: &Daemon) {
    daemon.configure(BROKEN);
    let (code, said) = daemon.setup.fail();
    assert_eq!(code, Some(78), "{said}");
    let why = "the last good configuration is not used: another configuration was served after it, and could not be kept\n    help: ";
    assert!(said.contains("unknown key `bogus`") && said.contains(why), "{said}");
}

#[test]
fn one_before_what_was_served_last_answers_for_nobody() {
    let mut daemon = serving(&weaker());
    serve_and_forget(&mut daemon, CONFIGURATION, false);
    refuses_to_start(&daemon);
    // It is told what it was, whatever the files are.
    for (files, expected) in [(weaker(), "OK encrypt"), (CONFIGURATION.to_owned(), BANK)] {
        let lock = keep_away(&daemon);
        daemon.configure(&files);
        daemon.start_again();
        assert_eq!(bank(&daemon), expected);
        daemon.log.wait_for("warn last_good_replaced reason=");
        daemon.log.wait_for("info changed_since_last_good last_good=");
        daemon.log.wait_for("warn last_good_not_kept");
        assert_eq!(daemon.stop(), Some(0));
        drop(lock);
        refuses_to_start(&daemon);
    }
    daemon.configure(CONFIGURATION);
    daemon.start_again();
    daemon.log.wait_for("info last_good_kept");
    daemon.wait_until(|status| status["last_good"]["kept"] == true);
    assert_eq!(daemon.stop(), Some(0));
    assert!(!daemon.path("state/last-good.replaced").exists());
    daemon.configure(BROKEN);
    daemon.start_again();
    assert_eq!(bank(&daemon), BANK);
}

#[test]
fn a_start_that_fails_before_it_answers_replaces_nothing() {
    let mut daemon = serving(&weaker());
    assert_eq!(daemon.stop(), Some(0));
    fs::write(daemon.path("run/taken"), "a file").unwrap();
    daemon.configure(&format!("{CONFIGURATION}[[listen]]\nprotocol = \"socketmap\"\npath = \"taken\"\n"));
    let (code, said) = daemon.setup.fail();
    assert_eq!(code, Some(73), "{said}");
    daemon.configure(BROKEN);
    daemon.start_again();
    assert_eq!(bank(&daemon), "OK encrypt");
}

/// By another host's clock it is written just now, however slow this one is.
fn write_young(daemon: &Daemon, name: &str, text: &str) {
    fs::write(daemon.path(name), text).unwrap();
    fs::set_permissions(daemon.path(name), Permissions::from_mode(0o644)).unwrap();
    let later = SystemTime::now() + Duration::from_secs(3600);
    File::options().write(true).open(daemon.path(name)).unwrap().set_modified(later).unwrap();
}

#[test]
fn r4_half_a_list_that_a_start_reads_is_not_kept() {
    let mut daemon = serving(CONFIGURATION);
    assert_eq!(daemon.stop(), Some(0));
    daemon.configure(&CONFIGURATION.replace("domains = [\"plain.example\"]", "domains_file = \"list\""));
    write_young(&daemon, "list", "a.example\n");
    write_young(&daemon, "list.later", "a.example\nplain.example\n");
    daemon.start_again();
    let line = daemon.log.wait_for("warn last_good_not_kept path=");
    assert!(line.contains("files were being written") && line.contains("connectord reload"), "{line}");
    let status = daemon.wait_until(|status| status["last_good"]["problem"] != "");
    assert_eq!(status["last_good"]["kept"], false, "{status}");
    assert!(!daemon.path("state/last-good").exists());
    assert_eq!(daemon.reload()["ok"], true);
    assert_eq!(daemon.status()["last_good"]["kept"], true);
    assert_eq!(daemon.stop(), Some(0));
    // One that stays as it was is kept.
    write_young(&daemon, "list", "a.example\nplain.example\nb.example\n");
    daemon.start_again();
    daemon.log.wait_for("info last_good_kept");
    daemon.wait_until(|status| status["last_good"]["kept"] == true);
}

/// Files that it refuses were refused by everything since, unless somebody accepted them.
#[test]
fn one_that_is_stronger_than_the_files_is_served_if_it_refuses_them() {
    let mut daemon = serving(&refusing(CONFIGURATION));
    serve_and_forget(&mut daemon, &refusing(&CONFIGURATION.replace("\"plain\"", "\"other\"")), true);
    daemon.configure(&refusing(&weaker()));
    daemon.start_again();
    assert_eq!(bank(&daemon), BANK);
    let status = daemon.status();
    assert_eq!((&status["degraded"], &status["last_good"]["served"]), (&json!(true), &json!(true)));
}

/// What was accepted by nobody is served if nothing else can be, and is not taken for good.
fn assert_accepted_first(mut daemon: Daemon, files: &str, expected: &str, word: &str) {
    let kept = |daemon: &Daemon| {
        ["last-good", "last-good.replaced"].map(|name| fs::read(daemon.path("state").join(name)).ok())
    };
    let before = kept(&daemon);
    daemon.configure(files);
    // Twice: what is served so does not become the last good one.
    for _ in 0..2 {
        daemon.start_again();
        assert_eq!(bank(&daemon), expected);
        let line = daemon.log.wait_for("error degraded generation=1 sha256=");
        assert!(line.contains("connectord reload --accept-weaker"), "{line}");
        let problem = daemon.log.wait_for("error configuration_problem file=");
        assert!(problem.contains(word), "{problem}");
        // Nor by a reload, of the same files or of others.
        for text in [files.to_owned(), files.replace("\"plain\"", "\"other\"")] {
            daemon.configure(&text);
            let outcome = daemon.reload();
            assert_eq!((&outcome["ok"], &outcome["refused"]), (&json!(false), &json!(true)), "{outcome}");
        }
        daemon.configure(files);
        let line = daemon.wait_for_notice("the last reload failed");
        assert!(line.contains("DEGRADED: files that may be weaker"), "{line}");
        let status = daemon.status();
        assert_eq!(
            (&status["degraded"], &status["generation"], &status["last_good"]["served"]),
            (&json!(true), &json!(1), &json!(false)),
            "{status}"
        );
        assert_eq!(status["last_good"]["kept"], false, "{status}");
        assert_eq!(daemon.stop(), Some(0));
        assert_eq!(kept(&daemon), before);
    }
    daemon.start_again();
    let outcome = daemon.ask(Command::Reload { accept_weaker: true });
    assert_eq!(outcome["ok"], true, "{outcome}");
    let status = daemon.status();
    assert_eq!(
        (&status["degraded"], &status["last_good"]["kept"]),
        (&json!(false), &json!(true)),
        "{status}"
    );
    assert_eq!(daemon.reload()["ok"], true);
    assert_eq!(daemon.stop(), Some(0));
    daemon.start_again();
    assert_eq!((bank(&daemon).as_str(), &daemon.status()["degraded"]), (expected, &json!(false)));
}

#[test]
fn files_that_one_before_the_last_refuses_are_served_until_somebody_accepts_them() {
    // Weaker at one connector, stronger at another: neither is the better one.
    let one = refusing(&CONFIGURATION.replace("[\"plain.example\"]", "[\"first.example\"]"));
    let mut daemon = serving(&one);
    serve_and_forget(&mut daemon, &refusing(CONFIGURATION), true);
    let files = refusing(&weaker());
    assert_accepted_first(daemon, &files, "OK encrypt", "changes that weaken: ");
}

#[test]
fn files_that_cannot_be_compared_are_served_until_somebody_accepts_them() {
    let mut daemon = serving(&refusing(CONFIGURATION));
    assert_eq!(daemon.stop(), Some(0));
    // As if this version made something else of it.
    let path = daemon.path("state/last-good");
    let text = fs::read_to_string(&path).unwrap();
    let sha256 = daemon_sha256(&text);
    let text = text.replace(&sha256, &"0".repeat(64));
    let records = &text[..text.rfind("end ").unwrap()];
    let digest: String =
        Sha256::digest(records.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    fs::write(&path, format!("{records}end {digest}\n")).unwrap();
    let word = "it does not come to the configuration that was kept";
    assert_accepted_first(daemon, &refusing(&weaker()), "OK encrypt", word);
}

fn daemon_sha256(kept: &str) -> String {
    kept.split_once("sha256 0 64\n").unwrap().1[..64].to_owned()
}
