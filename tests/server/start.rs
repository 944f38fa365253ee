//! Starting: what is made, what is refused, what is never touched.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixListener;

use super::client::{BANK, CONFIGURATION, connect, tls};
use super::daemon::Setup;

fn with_listener(listener: &str) -> String {
    format!("{CONFIGURATION}[[listen]]\nprotocol = \"socketmap\"\n{listener}\n")
}

#[test]
fn f5_sockets_have_their_mode_and_group() {
    // Who is not root can give a socket to a group of its own only.
    let group = if nix::unistd::geteuid().is_root() { 4711 } else { nix::unistd::getegid().as_raw() };
    let configuration =
        with_listener(&format!("path = \"socketmap.sock\"\nmode = \"0666\"\ngroup = \"{group}\""));
    let daemon = Setup::new(&configuration).start();
    let metadata = fs::metadata(daemon.path("run/socketmap.sock")).unwrap();
    assert_eq!((metadata.mode() & 0o7777, metadata.gid()), (0o666, group));
    let control = fs::metadata(daemon.path("run/control.sock")).unwrap();
    assert_eq!(control.mode() & 0o7777, 0o600);
    assert_eq!(fs::metadata(daemon.path("run")).unwrap().mode() & 0o7777, 0o755);
    let mut names: Vec<_> =
        fs::read_dir(daemon.path("run")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["connectord.lock", "control.sock", "socketmap.sock"]);
}

#[test]
fn the_log_says_what_is_served_and_where() {
    let daemon = Setup::new(CONFIGURATION).start();
    let real = fs::canonicalize(daemon.path("run")).unwrap();
    for protocol in ["socketmap", "policy", "control"] {
        let path = real.join(format!("{protocol}.sock"));
        daemon
            .log
            .wait_for(&format!("info listening protocol={protocol} path={} inherited=false", path.display()));
    }
    let started = daemon.log.wait_for("info started");
    assert!(started.contains("generation=1 sha256=") && started.ends_with("connectors=4"), "{started}");
}

#[test]
fn lines_have_the_time_outside_journald() {
    let daemon = Setup::new(CONFIGURATION).no_journal().start();
    let line = daemon.log.wait_for(" info started ");
    let (time, _) = line.split_once(' ').unwrap();
    assert!(time.parse::<jiff::Timestamp>().is_ok(), "{line}");
}

#[test]
fn systemd_is_told() {
    let mut daemon = Setup::new(CONFIGURATION).watchdog(std::time::Duration::from_millis(100)).start();
    for _ in 0..3 {
        daemon.wait_for_notice("WATCHDOG=1");
    }
    daemon.reload();
    let reloading = daemon.wait_for_notice("RELOADING=1");
    assert!(reloading.contains("MONOTONIC_USEC="), "{reloading}");
    let ready = daemon.wait_for_notice("READY=1");
    assert!(ready.contains("STATUS=serving generation 2, 4 connectors"), "{ready}");
    daemon.signal(nix::sys::signal::Signal::SIGTERM);
    daemon.wait_for_notice("STOPPING=1");
}

#[test]
fn what_systemd_cannot_be_told_is_logged_at_debug() {
    let configuration = CONFIGURATION.replace("version = 1\n", "version = 1\nserver.log = \"debug\"\n");
    let mut daemon = Setup::new(&configuration).start();
    std::fs::remove_file(daemon.path("notify.sock")).unwrap();
    assert_eq!(daemon.stop(), Some(0));
    let line = daemon.log.wait_for("notify_failed");
    assert!(line.starts_with("debug notify_failed error="), "{line}");
    assert!(line.ends_with(r#" text="STOPPING=1\x0aSTATUS=stopping\x0a""#), "{line}");
}

#[test]
fn f3_a_second_instance_is_refused() {
    let daemon = Setup::new(CONFIGURATION).start();
    let second = daemon.setup.fail();
    assert_eq!(second.0, Some(73), "{}", second.1);
    assert!(second.1.contains("another connectord runs"), "{}", second.1);
    let mut stream = connect(&daemon.path("run/socketmap.sock"));
    assert_eq!(tls(&mut stream, "bank.example").as_deref(), Some(BANK));
}

#[test]
fn f2_a_killed_daemon_is_replaced() {
    let mut daemon = Setup::new(CONFIGURATION).start();
    let path = daemon.path("run/socketmap.sock");
    daemon.kill();
    assert!(path.exists(), "a killed daemon removes nothing");
    daemon.start_again();
    let mut stream = connect(&path);
    assert_eq!(tls(&mut stream, "bank.example").as_deref(), Some(BANK));
}

#[test]
fn f4_a_live_socket_and_a_file_are_left_alone() {
    let setup = Setup::new(&with_listener("path = \"../taken.sock\""));
    let live = UnixListener::bind(setup.path("taken.sock")).unwrap();
    let (code, said) = setup.fail();
    assert_eq!(code, Some(73), "{said}");
    assert!(said.contains("somebody listens there already"), "{said}");
    assert!(!setup.path("run/control.sock").exists(), "what was made before is removed");
    live.set_nonblocking(true).unwrap();
    while live.accept().is_ok() {}
    drop(std::os::unix::net::UnixStream::connect(setup.path("taken.sock")).unwrap());
    assert!(live.accept().is_ok(), "still theirs");

    fs::remove_file(setup.path("taken.sock")).unwrap();
    fs::write(setup.path("taken.sock"), "precious").unwrap();
    let (code, said) = setup.fail();
    assert_eq!(code, Some(73), "{said}");
    assert!(said.contains("something that is not a socket"), "{said}");
    assert_eq!(fs::read(setup.path("taken.sock")).unwrap(), b"precious");
}

#[test]
fn what_cannot_work_says_what_to_do() {
    let cases = [
        (
            with_listener("path = \"a.sock\"\ngroup = \"no-such-group\""),
            78,
            "the group no-such-group does not exist",
        ),
        (with_listener("path = \"nowhere/a.sock\""), 73, "create the directory that it is in"),
        ("version = 1\nbogus = true\n".to_owned(), 78, "connectord.toml:2:1: "),
    ];
    for (configuration, code, text) in cases {
        let setup = Setup::new(&configuration);
        let (exit, said) = setup.fail();
        assert_eq!(exit, Some(code), "{said}");
        assert!(said.contains(text), "{said}");
        assert!(!setup.path("run/control.sock").exists());
    }
    let setup = Setup::new(CONFIGURATION);
    fs::remove_file(setup.path("connectord.toml")).unwrap();
    assert_eq!(setup.fail().0, Some(66));
    let setup = Setup::new(CONFIGURATION);
    fs::write(setup.path("run"), "a file").unwrap();
    let (code, said) = setup.fail();
    assert_eq!(code, Some(73), "{said}");
}

#[test]
fn f5_nobody_sees_a_socket_wider_than_configured() {
    // The narrowest mode under the widest umask; a watcher looks at every instant.
    let setup = Setup::new(&with_listener("path = \"a.sock\"\nmode = \"0600\"")).shell("umask 0;");
    let directory = setup.path("run");
    fs::create_dir(&directory).unwrap();
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o755)).unwrap();
    let watcher = std::thread::spawn(move || {
        let mut seen = Vec::new();
        while !seen.iter().any(|(name, _)| name == "a.sock") {
            for entry in fs::read_dir(&directory).unwrap().flatten() {
                if let Ok(metadata) = entry.metadata() {
                    seen.push((entry.file_name(), metadata.mode() & 0o777));
                }
            }
        }
        seen
    });
    let daemon = setup.start();
    let seen = watcher.join().unwrap();
    for (name, mode) in seen {
        assert_eq!(mode, 0o600, "{name:?}");
    }
    drop(daemon);
}

#[test]
fn f6_a_socket_that_is_removed_ends_the_daemon() {
    let mut daemon = Setup::new(CONFIGURATION).limits("watch=20").start();
    fs::remove_file(daemon.path("run/policy.sock")).unwrap();
    assert_eq!(daemon.wait().code(), Some(73));
    daemon.log.wait_for("our socket was removed or replaced");
    assert!(!daemon.path("run/socketmap.sock").exists());
}

#[test]
fn f7_a_directory_that_is_not_ours_is_told_with_what_to_do() {
    // As somebody without rights, if we have them all.
    let drop_rights = "set -- setpriv --reuid=65534 --regid=65534 --clear-groups \"$@\";";
    let root = nix::unistd::geteuid().is_root();
    let setup = Setup::new(CONFIGURATION).shell(if root { drop_rights } else { "" });
    fs::set_permissions(setup.directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(setup.path("connectord.toml"), fs::Permissions::from_mode(0o644)).unwrap();
    fs::create_dir(setup.path("run")).unwrap();
    fs::set_permissions(setup.path("run"), fs::Permissions::from_mode(0o555)).unwrap();
    let (code, said) = setup.fail();
    assert_eq!(code, Some(77), "{said}");
    assert!(
        said.contains("connectord.lock: cannot open the lock file") && said.contains("see User="),
        "{said}"
    );
}
