//! A start whose files do not load, or are weaker, and what is served in their place.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _, chown};
use std::path::Path;
use std::time::{Duration, SystemTime};

use connectord::load;
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use serde_json::json;

use super::client::{BANK, CONFIGURATION, action, connect, from_bank, lookup, reply, tls};
use super::daemon::{Daemon, Setup};

/// The main file of a configuration that has a file of every kind.
const MAIN: &str = r#"version = 1
include = ["connectors.d/*.toml", "bank.toml"]
[server]
decisions = "all"
[[outbound]]
name = "listed"
mode = "enforce"
domains_file = "list"
tls = "encrypt"
"#;

const FILES: [(&str, &str); 4] = [
    ("list", "a.example\nb.example\n"),
    (
        "connectors.d/one.toml",
        "version = 1\n[[outbound]]\nname = \"one\"\nmode = \"enforce\"\ndomains = [\"one.example\"]\n\
         tls = \"verify\"\nca_file = \"../ca.pem\"\n",
    ),
    (
        "bank.toml",
        "version = 1\n[[outbound]]\nname = \"bank\"\nmode = \"enforce\"\ndomains = [\"bank.example\"]\n\
         tls = \"secure\"\nmatch = [\"mx.bank.example\"]\nroute = [\"[mx.bank.example]:587\"]\n",
    ),
    (
        "connectors.d/in.toml",
        "version = 1\n[[inbound]]\nname = \"bank-in\"\nmode = \"enforce\"\nidentify.domains = [\"bank.example\"]\n\
         require.certificate.files = [\"../client.pem\"]\non_violation = \"reject\"\n",
    ),
];

fn write(directory: &Path, name: &str, text: &str) {
    let path = directory.join(name);
    let parent = path.parent().unwrap();
    fs::create_dir_all(parent).unwrap();
    fs::set_permissions(parent, fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    // A reload would look again at what was written just now.
    let old = SystemTime::now() - Duration::from_secs(60);
    fs::File::options().write(true).open(&path).unwrap().set_modified(old).unwrap();
}

fn certificate(name: &str) -> String {
    rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap().cert.pem()
}

fn setup() -> Setup {
    let setup = Setup::new(MAIN);
    fs::set_permissions(setup.directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    for (name, text) in FILES {
        write(setup.directory.path(), name, text);
    }
    for name in ["ca", "client"] {
        write(setup.directory.path(), &format!("{name}.pem"), &certificate(&format!("{name}.example")));
    }
    setup
}

/// Waits until what is served is kept, and stops.
pub fn stop_when_kept(daemon: &mut Daemon) {
    daemon.wait_until(|status| status["last_good"]["kept"] == true);
    assert_eq!(daemon.stop(), Some(0));
}

/// What every protocol says about everybody.
fn answers(daemon: &Daemon) -> Vec<String> {
    let mut answers = Vec::new();
    let mut socketmap = connect(&daemon.path("run/socketmap.sock"));
    for map in ["tls", "transport"] {
        for key in
            ["bank.example", "[mx.bank.example]:587", "one.example", "a.example", "b.example", "c.example"]
        {
            let key = if map == "tls" { key.to_owned() } else { format!("x@{key}") };
            socketmap.write_all(&lookup(map, &key)).unwrap();
            answers.push(reply(&mut socketmap).unwrap());
        }
    }
    let mut policy = connect(&daemon.path("run/policy.sock"));
    for tls in ["", "TLSv1.3"] {
        policy.write_all(&from_bank(tls)).unwrap();
        answers.push(action(&mut policy).unwrap());
    }
    for domain in ["bank.example", "one.example", "a.example"] {
        let mut exim = connect(&daemon.path("run/exim.sock"));
        exim.write_all(format!("out domain={domain} sender=\"\"\n").as_bytes()).unwrap();
        let mut answer = String::new();
        exim.read_to_string(&mut answer).unwrap();
        answers.push(answer);
    }
    answers
}

fn remove(directory: &Path, name: &str) {
    fs::remove_file(directory.join(name)).unwrap();
}

fn reads_only_by_nobody(directory: &Path, name: &str) {
    fs::set_permissions(directory.join(name), fs::Permissions::from_mode(0o666)).unwrap();
}

type Break = fn(&Path);

/// Each leaves files that do not load, and a word of the first problem.
const BREAKS: [(&str, Break, &str); 11] = [
    ("the main file is cut", |at| write(at, "connectord.toml", &MAIN[..MAIN.len() - 20]), "not valid TOML"),
    ("the main file is gone", |at| remove(at, "connectord.toml"), "no such file"),
    ("the main file is empty", |at| write(at, "connectord.toml", ""), "version"),
    ("an included file is gone", |at| remove(at, "bank.toml"), "bank.toml"),
    ("an included file is cut", |at| write(at, "bank.toml", &FILES[2].1[..90]), "bank.toml"),
    (
        "the included directory is gone",
        |at| fs::rename(at.join("connectors.d"), at.join("x")).unwrap(),
        "no such directory",
    ),
    ("authorities are gone", |at| remove(at, "ca.pem"), "ca.pem"),
    (
        "a registered certificate is cut",
        |at| write(at, "client.pem", "-----BEGIN CERTIFICATE-----\n"),
        "client.pem",
    ),
    ("the list is gone", |at| remove(at, "list"), "no such file"),
    ("the list is emptied", |at| write(at, "list", ""), "names no domain"),
    ("everybody can write a file", |at| reads_only_by_nobody(at, "list"), "everybody can write"),
];

#[test]
fn files_that_do_not_load_are_answered_for_as_they_were() {
    let mut daemon = setup().start();
    let before = answers(&daemon);
    assert_eq!(before[0], BANK);
    assert!(before[2].starts_with("OK verify tafile=/") && before[3] == "OK encrypt", "{before:?}");
    let sha256 = daemon.status()["sha256"].as_str().unwrap().to_owned();
    stop_when_kept(&mut daemon);
    let main = fs::read(daemon.path("connectord.toml")).unwrap();
    let pems = ["ca.pem", "client.pem"].map(|name| (name, fs::read_to_string(daemon.path(name)).unwrap()));
    for (case, breaks, word) in BREAKS {
        let at = daemon.setup.directory.path().to_owned();
        breaks(&at);
        daemon.start_again();
        assert_eq!(answers(&daemon), before, "{case}");
        let degraded = daemon.log.wait_for("error degraded generation=1 sha256=");
        assert!(degraded.contains(&sha256) && degraded.contains("connectord reload"), "{case}: {degraded}");
        let problem = daemon.log.wait_for("error configuration_problem file=");
        assert!(problem.contains(word), "{case}: {problem}");
        let status = daemon.status();
        assert_eq!(
            (&status["degraded"], &status["generation"]),
            (&json!(true), &json!(1)),
            "{case}: {status}"
        );
        assert_eq!(status["sha256"], sha256, "{case}");
        assert_eq!(status["last_reload"]["ok"], false, "{case}: {status}");
        let told = status["last_reload"]["problems"][0].to_string();
        assert!(told.contains(word), "{case}: {told}");
        assert_eq!(
            (&status["last_good"]["served"], &status["last_good"]["kept"]),
            (&json!(true), &json!(true))
        );
        let outcome = daemon.reload();
        assert_eq!((&outcome["ok"], &outcome["generation"]), (&json!(false), &json!(1)), "{case}: {outcome}");
        let line = daemon.wait_for_notice("the last reload failed");
        assert!(line.contains("DEGRADED: the last good configuration, not the files"), "{case}: {line}");
        assert_eq!(answers(&daemon), before, "{case}");

        let _ = fs::rename(at.join("x"), at.join("connectors.d"));
        for (name, text) in FILES.iter().chain(&pems.each_ref().map(|(name, text)| (*name, text.as_str()))) {
            write(&at, name, text);
        }
        write(&at, "connectord.toml", std::str::from_utf8(&main).unwrap());
        // By signal, as systemd and logrotate do.
        daemon.signal(Signal::SIGHUP);
        let status = daemon.wait_until(|status| status["degraded"] == false);
        assert_eq!((&status["generation"], &status["sha256"]), (&json!(2), &json!(sha256)), "{case}");
        let changes = daemon.reload()["changes"].clone();
        assert_eq!(changes, json!([]), "{case}");
        assert_eq!(daemon.status()["last_good"]["served"], false, "{case}");
        assert_eq!(answers(&daemon), before, "{case}");
        stop_when_kept(&mut daemon);
    }
}

#[test]
fn systemd_is_told_of_a_degraded_start() {
    let mut daemon = Setup::new(CONFIGURATION).start();
    stop_when_kept(&mut daemon);
    daemon.configure("version = 1\nbogus = 1\n");
    daemon.spawn_again();
    let ready = daemon.wait_for_notice("READY=1");
    let status =
        "STATUS=serving generation 1, 4 connectors, DEGRADED: the last good configuration, not the files\n";
    assert!(ready.contains(status), "{ready}");
}

#[test]
fn without_a_last_good_one_the_start_is_refused_as_ever() {
    let setup = Setup::new("version = 1\nbogus = 1\n");
    let (code, said) = setup.fail();
    assert_eq!(code, Some(78), "{said}");
    assert!(
        said.contains("connectord.toml:2:1: unknown key `bogus`") && !said.contains("last good"),
        "{said}"
    );
}

#[test]
fn sockets_come_from_what_is_served() {
    let listen = "[[listen]]\nprotocol = \"socketmap\"\npath = \"other.sock\"\n";
    let mut daemon = Setup::new(&format!("{CONFIGURATION}{listen}")).start();
    stop_when_kept(&mut daemon);
    daemon.configure("version = 1\nbogus = 1\n");
    daemon.start_again();
    let mut stream = connect(&daemon.path("run/other.sock"));
    assert_eq!(tls(&mut stream, "bank.example").as_deref(), Some(BANK));
    // Other sockets need a restart then too.
    daemon.configure(CONFIGURATION);
    assert_eq!(daemon.reload()["ok"], true);
    daemon.log.wait_for("warn restart_needed setting=listen");
}

#[test]
fn sockets_that_cannot_be_opened_are_told_with_what_is_wrong_with_the_files() {
    let listen = "[[listen]]\nprotocol = \"socketmap\"\npath = \"other.sock\"\n";
    let mut daemon = Setup::new(&format!("{CONFIGURATION}{listen}")).start();
    stop_when_kept(&mut daemon);
    fs::write(daemon.path("run/other.sock"), "a file").unwrap();
    daemon.configure("version = 1\nbogus = 1\ntoo = 2\n");
    let (code, said) = daemon.setup.fail();
    assert_eq!(code, Some(73), "{said}");
    let why = said.lines().find(|line| line.starts_with("failed: ")).unwrap();
    assert!(why.contains("other.sock: there is something that is not a socket"), "{why}");
    assert!(
        why.contains("connectord.toml:2:1: unknown key `bogus`") && why.ends_with("(and 1 more)"),
        "{why}"
    );
}

#[test]
fn f18_files_that_only_the_daemon_may_not_read() {
    // As somebody without rights, if we have them all.
    let root = nix::unistd::geteuid().is_root();
    let drop_rights = "set -- setpriv --reuid=65534 --regid=65534 --clear-groups \"$@\";";
    let setup = setup().shell(if root { drop_rights } else { "" });
    for name in ["run", "state"] {
        fs::create_dir(setup.path(name)).unwrap();
        fs::set_permissions(setup.path(name), fs::Permissions::from_mode(0o755)).unwrap();
        if root {
            chown(setup.path(name), Some(65534), Some(65534)).unwrap();
        }
    }
    fs::set_permissions(setup.path("connectord.toml"), fs::Permissions::from_mode(0o644)).unwrap();
    fs::set_permissions(setup.path("notify.sock"), fs::Permissions::from_mode(0o777)).unwrap();
    let mut daemon = setup.start();
    let before = answers(&daemon);
    for name in ["connectord.toml", "list", "ca.pem", "connectors.d"] {
        stop_when_kept(&mut daemon);
        fs::set_permissions(daemon.path(name), fs::Permissions::from_mode(0o000)).unwrap();
        daemon.start_again();
        assert_eq!(answers(&daemon), before, "{name}");
        assert_eq!(daemon.status()["degraded"], true, "{name}");
        let mode = if name == "connectors.d" { 0o755 } else { 0o644 };
        fs::set_permissions(daemon.path(name), fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(daemon.reload()["ok"], true, "{name}");
    }
    let mode = fs::metadata(daemon.path("state/last-good")).unwrap().permissions().mode();
    assert_eq!(Mode::from_bits_truncate(mode), Mode::S_IRUSR | Mode::S_IWUSR);
}

/// Authorities that ended since were good then, and what cannot be met any more stays demanded.
#[test]
fn what_ended_since_is_read_with_the_clock_of_then() {
    let setup = setup();
    let mut params = rcgen::CertificateParams::default();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    (params.not_before, params.not_after) =
        (rcgen::date_time_ymd(2020, 1, 1), rcgen::date_time_ymd(2020, 12, 31));
    let authority = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().pem();
    write(setup.directory.path(), "ca.pem", &authority);
    let (code, said) = setup.fail();
    assert_eq!(code, Some(78), "{said}");

    let then = "2020-06-01T00:00:00Z".parse().unwrap();
    let ready = load::load(&setup.path("connectord.toml"), 1, then).unwrap();
    fs::create_dir(setup.path("state")).unwrap();
    fs::set_permissions(setup.path("state"), fs::Permissions::from_mode(0o750)).unwrap();
    let mut kept =
        fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(setup.path("state/last-good"));
    ready.files.write(kept.as_mut().unwrap()).unwrap();
    let daemon = setup.start();
    let reply = tls(&mut connect(&daemon.path("run/socketmap.sock")), "one.example").unwrap();
    assert!(reply.starts_with("OK verify tafile=/"), "{reply}");
    let status = daemon.status();
    assert_eq!(
        (&status["degraded"], &status["last_good"]["at"]),
        (&json!(true), &json!("2020-06-01T00:00:00Z"))
    );
}
