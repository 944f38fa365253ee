//! Faults of the system around the daemon: it answers rightly, or not at all.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::client::{BANK, CONFIGURATION, PLAIN, action, closes, connect, from_bank, lookup, reply, tls};
use super::daemon::{Daemon, PATIENCE, Setup};

const REJECTED: &str = "530 5.7.0 connector bank-in: TLS is required";

/// Asks until the connection ends, whatever ends it; every reply up to then is whole and right.
fn ask_to_the_end(path: &Path, pieces: usize) -> u64 {
    let Ok(mut stream) = UnixStream::connect(path) else { return 0 };
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    for count in 0.. {
        let (key, expected) = [("bank.example", BANK), ("plain.example", PLAIN)][count % 2];
        let sent = lookup("tls", key).chunks(pieces).all(|piece| stream.write_all(piece).is_ok());
        match reply(&mut stream) {
            Some(told) => assert_eq!(told, expected),
            None => return count as u64,
        }
        assert!(sent);
    }
    unreachable!("it ends")
}

/// The same with mail.
fn mail_to_the_end(path: &Path) -> u64 {
    let Ok(mut stream) = UnixStream::connect(path) else { return 0 };
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    for count in 0.. {
        let (version, expected) = [("", REJECTED), ("TLSv1.3", "DUNNO")][count % 2];
        if stream.write_all(&from_bank(version)).is_err() {
            return count as u64;
        }
        match action(&mut stream) {
            Some(told) => assert_eq!(told, expected),
            None => return count as u64,
        }
    }
    unreachable!("it ends")
}

#[test]
fn f1_killed_at_any_moment_nothing_weaker_is_heard() {
    const KILLS: u32 = 100;
    let mut daemon = Setup::new(CONFIGURATION).start();
    let [lookups, mails] = ["run/socketmap.sock", "run/policy.sock"].map(|name| daemon.path(name));
    let mut answered = 0;
    for round in 0..KILLS {
        if round > 0 {
            daemon.start_again();
        }
        let (at_once, in_bytes, mails) = (lookups.clone(), lookups.clone(), mails.clone());
        let clients = [
            thread::spawn(move || ask_to_the_end(&at_once, usize::MAX)),
            thread::spawn(move || ask_to_the_end(&in_bytes, 1)),
            thread::spawn(move || mail_to_the_end(&mails)),
        ];
        // From the first connection to well within the conversation, in no order.
        let moment = Duration::from_micros(u64::from(round * 1_237 % 4_000));
        let begin = Instant::now();
        while begin.elapsed() < moment {
            std::hint::spin_loop();
        }
        daemon.kill();
        for client in clients {
            answered += client.join().unwrap();
        }
    }
    assert!(answered > 0, "always killed before the first question");
}

#[test]
fn f7_a_directory_that_is_removed_ends_the_daemon() {
    let mut daemon = Setup::new(CONFIGURATION).limits("watch=20").start();
    fs::remove_dir_all(daemon.path("run")).unwrap();
    assert_eq!(daemon.wait().code(), Some(73));
    daemon.log.wait_for("our socket was removed or replaced");
}

/// A machine that has run for ten years: what is timed here is timed by clocks that such an offset
/// moves. A change of the time of day moves none of them.
#[test]
#[allow(clippy::print_stderr)]
fn f11_ten_years_later_everything_is_answered() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("SKIPPED: time namespaces need root");
        return;
    }
    let decade = "--monotonic 315360000 --boottime 315360000";
    let words = format!("set -- unshare --time --kill-child {decade} -- \"$@\";");
    let daemon = Setup::new(CONFIGURATION).limits("request=50 idle=1500").shell(&words).start();
    let path = daemon.path("run/socketmap.sock");
    let mut stream = connect(&path);
    assert_eq!(tls(&mut stream, "bank.example").as_deref(), Some(BANK));
    assert!(closes(&mut stream), "idle");
    let mut half = connect(&path);
    half.write_all(b"16:tls bank.").unwrap();
    assert!(closes(&mut half), "not finished");
    assert_eq!(daemon.reload()["ok"], true);
    assert_eq!(tls(&mut connect(&path), "bank.example").as_deref(), Some(BANK));
}

fn state(pid: i32) -> char {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit_once(") ").unwrap().1.chars().next().unwrap()
}

#[test]
fn f12_who_still_waits_after_a_pause_is_answered() {
    let daemon = Setup::new(CONFIGURATION).limits("request=100").start();
    let path = daemon.path("run/socketmap.sock");
    let mut early = connect(&path);
    assert_eq!(tls(&mut early, "bank.example").as_deref(), Some(BANK));
    let mut half = connect(&path);
    half.write_all(b"16:tls bank.").unwrap();
    daemon.signal(Signal::SIGSTOP);
    let begin = Instant::now();
    while state(daemon.pid()) != 'T' {
        thread::yield_now();
    }
    let mut waiting: Vec<UnixStream> = (0..20).map(|_| connect(&path)).collect();
    for stream in waiting.iter_mut().chain([&mut early]) {
        stream.write_all(&lookup("tls", "bank.example")).unwrap();
    }
    // Some give up, and the half becomes a whole when its time is over.
    waiting.truncate(10);
    while begin.elapsed() < Duration::from_millis(150) {
        thread::yield_now();
    }
    half.write_all(b"example,").unwrap();
    daemon.signal(Signal::SIGCONT);
    for stream in waiting.iter_mut().chain([&mut early]) {
        assert_eq!(reply(stream).as_deref(), Some(BANK));
    }
    let late = reply(&mut half);
    assert!(late.is_none() || late.as_deref() == Some(BANK), "{late:?}");
    drop((waiting, half));
    daemon.wait_until(|status| status["connections"].as_u64() <= Some(1));
    assert_eq!(tls(&mut early, "bank.example").as_deref(), Some(BANK));
}

#[test]
fn f13_a_panic_while_loading_changes_nothing() {
    let daemon = Setup::new(CONFIGURATION).start();
    let mut stream = connect(&daemon.path("run/socketmap.sock"));
    fs::write(daemon.path("panic"), "").unwrap();
    for count in 1..=2 {
        let outcome = daemon.reload();
        assert!(outcome["ok"] == false && outcome["internal"] == true, "{outcome}");
        assert_eq!(tls(&mut stream, "bank.example").as_deref(), Some(BANK), "the same connection");
        let status = daemon.status();
        assert!(status["generation"] == 1 && status["degraded"] == true, "{status}");
        daemon.log.wait_for_all("error reload_failed generation=1", count);
    }
    daemon.signal(Signal::SIGHUP);
    daemon.log.wait_for_all("error reload_failed generation=1", 3);
    fs::remove_file(daemon.path("panic")).unwrap();
    assert_eq!(daemon.reload()["generation"], 2);
}

#[test]
fn f17_a_full_disk_under_the_log_stops_nobody() {
    let mut daemon = Setup::new(CONFIGURATION).shell("exec 2>/dev/full;").start();
    let mut stream = connect(&daemon.path("run/socketmap.sock"));
    for _ in 0..100 {
        assert_eq!(tls(&mut stream, "bank.example").as_deref(), Some(BANK));
    }
    daemon.wait_until(|status| status["log_lost"].as_u64() >= Some(100));
    assert_eq!(daemon.reload()["ok"], true);
    assert_eq!(daemon.stop(), Some(0));
}

/// Sends a signal once a millisecond for as long as this lives.
struct Storm(Arc<AtomicBool>, Option<thread::JoinHandle<()>>);

impl Storm {
    fn of(signal: Signal, pid: i32) -> Storm {
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let sending = thread::spawn(move || {
            while !told.load(Ordering::Relaxed) && kill(Pid::from_raw(pid), signal).is_ok() {
                thread::sleep(Duration::from_millis(1));
            }
        });
        Storm(stop, Some(sending))
    }
}

impl Drop for Storm {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
        self.1.take().unwrap().join().unwrap();
    }
}

fn assert_answers(daemon: &Daemon) {
    let [lookups, mails] = ["run/socketmap.sock", "run/policy.sock"].map(|name| daemon.path(name));
    for _ in 0..50 {
        let mut stream = connect(&lookups);
        for _ in 0..20 {
            assert_eq!(tls(&mut stream, "bank.example").as_deref(), Some(BANK));
        }
        let mut stream = connect(&mails);
        stream.write_all(&from_bank("")).unwrap();
        assert_eq!(action(&mut stream).as_deref(), Some(REJECTED));
    }
}

#[test]
fn f17_interrupted_a_thousand_times_a_second_it_answers() {
    let mut daemon = Setup::new(CONFIGURATION).start();
    for signal in [Signal::SIGUSR1, Signal::SIGUSR2, Signal::SIGHUP, Signal::SIGWINCH] {
        let storm = Storm::of(signal, daemon.pid());
        assert_answers(&daemon);
        assert_eq!(daemon.reload()["ok"], true, "{signal}");
        drop(storm);
    }
    let status = daemon.status();
    assert!(status["panics"] == 0 && status["degraded"] == false, "{status}");
    let _storm = Storm::of(Signal::SIGUSR1, daemon.pid());
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn f17_without_memory_it_exits_or_answers() {
    let list: String = (0..60_000).map(|number| format!("host-{number}.list.example\n")).collect();
    let large = format!(
        "{CONFIGURATION}[[outbound]]\nname = \"list\"\nmode = \"enforce\"\ndomains_file = \"list\"\ntls = \"encrypt\"\n"
    );
    let (mut served, mut ended) = (0, 0);
    // Of address space, in MiB: from less than the program takes to enough for everything.
    for limit in [16, 20, 24, 28, 32, 36, 40, 48, 64, 100] {
        let setup = Setup::new(CONFIGURATION).shell(&format!("ulimit -c 0; ulimit -v {};", limit * 1024));
        fs::write(setup.path("list"), &list).unwrap();
        let mut child = setup.command().stderr(Stdio::null()).spawn().unwrap();
        let path: PathBuf = setup.path("run/socketmap.sock");
        let deadline = Instant::now() + PATIENCE;
        let mut gone = || child.try_wait().unwrap().is_some();
        while !gone() && UnixStream::connect(&path).is_err() {
            assert!(Instant::now() < deadline, "neither ended nor serving at {limit} MiB");
            thread::yield_now();
        }
        if gone() {
            ended += 1;
            continue;
        }
        served += 1;
        // A generation that may be too large: the old one stays, or nobody answers any more.
        setup.configure(&large);
        let pid = Pid::from_raw(child.id().try_into().unwrap());
        let _ = kill(pid, Signal::SIGHUP);
        let connections: Vec<UnixStream> = (0..200).map_while(|_| UnixStream::connect(&path).ok()).collect();
        for mut stream in connections {
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            if stream.write_all(&lookup("tls", "bank.example")).is_ok() {
                let told = reply(&mut stream);
                assert!(told.is_none() || told.as_deref() == Some(BANK), "{told:?}");
            }
        }
        let _ = kill(pid, Signal::SIGKILL);
        child.wait().unwrap();
    }
    assert!(served > 0 && ended > 0, "{served} served, {ended} ended");
}

#[test]
#[allow(clippy::print_stderr)]
fn f18_a_configuration_that_the_service_may_not_read_is_said() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("SKIPPED: only root can become another user");
        return;
    }
    let drop_rights = "set -- setpriv --reuid=65534 --regid=65534 --clear-groups \"$@\";";
    let setup = Setup::new(CONFIGURATION).shell(drop_rights);
    fs::set_permissions(setup.directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::create_dir(setup.path("run")).unwrap();
    nix::unistd::chown(&setup.path("run"), Some(65534.into()), Some(65534.into())).unwrap();
    // Fine for root, who checks it.
    fs::set_permissions(setup.path("connectord.toml"), fs::Permissions::from_mode(0o600)).unwrap();
    let (code, said) = setup.fail();
    assert_eq!(code, Some(77), "{said}");
    assert!(said.contains("connectord.toml: permission denied"), "{said}");
    assert!(!setup.path("run/socketmap.sock").exists());
}
