//! Where the last good configuration cannot be written, or not to the end.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::atomic::Ordering;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use serde_json::json;

use super::broken_disk;
use super::client::{BANK, CONFIGURATION, PLAIN, connect, tls};
use super::daemon::{Daemon, Setup};
use super::kept_file::{BROKEN, bank, is_root, kept, served};

fn other(number: usize) -> String {
    CONFIGURATION.replace("name = \"plain\"", &format!("name = \"plain-{number}\""))
}

#[test]
fn without_a_directory_it_serves_and_says_so_once() {
    let setup = Setup::new(CONFIGURATION);
    fs::write(setup.path("state"), "a file").unwrap();
    let mut daemon = setup.start();
    // A start that is compared with nothing says so, whatever it would have been compared with.
    let line = daemon.log.wait_for("warn last_good_ignored reason=");
    assert!(line.contains("the state directory cannot be read: Not a directory"), "{line}");
    daemon.log.wait_for("warn last_good_not_kept path=");
    for number in 1..4 {
        daemon.configure(&other(number));
        assert_eq!(daemon.reload()["ok"], true);
    }
    assert_eq!(bank(&daemon), BANK);
    let status = daemon.status();
    assert_eq!((&status["degraded"], &status["last_good"]["kept"]), (&json!(false), &json!(false)));
    assert!(status["last_good"]["problem"].as_str().unwrap().contains("Not a directory"), "{status}");
    assert_eq!(daemon.stop(), Some(0));
    let lines = daemon.all_lines();
    assert_eq!(lines.iter().filter(|line| line.contains("last_good")).count(), 2, "{lines:#?}");
}

/// A list so long that writing it takes a while.
fn long_list(domain: &str) -> String {
    (0..10_000).map(|number| format!("x{number}.{domain}.example\n")).collect()
}

#[test]
fn a_daemon_killed_while_it_keeps_leaves_the_old_one_or_the_new_one() {
    let text = CONFIGURATION.replace("domains = [\"plain.example\"]", "domains_file = \"list\"");
    let setup = Setup::new(CONFIGURATION);
    fs::write(setup.path("list"), long_list("a")).unwrap();
    fs::set_permissions(setup.path("list"), Permissions::from_mode(0o644)).unwrap();
    setup.configure(&text);
    let mut daemon = setup.start();
    daemon.wait_until(|status| status["last_good"]["kept"] == true);
    let (mut seen, temporary) = (0, daemon.path("state/.last-good.new"));
    for round in 0..4 {
        assert_eq!(daemon.stop(), Some(0));
        let old = kept(&daemon);
        fs::write(daemon.path("list"), long_list(if round % 2 == 0 { "b" } else { "a" })).unwrap();
        daemon.start_again();
        let moved = |daemon: &Daemon| fs::read(daemon.path("state/last-good")).is_ok_and(|new| new != old);
        while !temporary.exists() && !moved(&daemon) {
            std::thread::yield_now();
        }
        daemon.kill();
        seen += usize::from(temporary.exists());
        // What is left of it is in nobody's way, and the one that counts is whole.
        let list = daemon.path("list");
        fs::rename(&list, daemon.path("away")).unwrap();
        if moved(&daemon) {
            daemon.start_again();
            assert_eq!(daemon.status()["last_good"]["served"], true);
            let key = if round % 2 == 0 { "x1.b.example" } else { "x1.a.example" };
            let mut stream = connect(&daemon.path("run/socketmap.sock"));
            assert_eq!(tls(&mut stream, key).as_deref(), Some(PLAIN), "{round}");
            fs::rename(daemon.path("away"), &list).unwrap();
            assert_eq!(daemon.reload()["ok"], true);
        } else {
            // The old one is no longer what was served last.
            assert_eq!(fs::read(daemon.path("state/last-good.replaced")).unwrap(), old);
            let (code, said) = daemon.setup.fail();
            assert_eq!(code, Some(78), "{round}: {said}");
            assert!(said.contains("another configuration was served after it"), "{round}: {said}");
            fs::rename(daemon.path("away"), &list).unwrap();
            daemon.start_again();
        }
        daemon.wait_until(|status| status["last_good"]["kept"] == true);
        assert!(!temporary.exists(), "{round}");
    }
    assert!(seen > 0, "it was never killed in the middle");
}

/// Mounts of this test alone: those of its thread, and of what it starts.
fn private_mounts() {
    unshare(CloneFlags::CLONE_NEWNS).unwrap();
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>).unwrap();
}

/// What is mounted there goes with this value, so that its directory can.
struct Mounted(PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = umount2(&self.0, MntFlags::MNT_DETACH);
    }
}

/// Waits until a change is refused by the disk, which is told with this word; the old one stays, under
/// this name.
fn assert_not_kept(daemon: &Daemon, numbers: [usize; 2], word: &str, name: &str) {
    let (old, before) = (kept(daemon), daemon.log.with("last_good_not_kept").len());
    for number in numbers {
        daemon.configure(&other(number));
        assert_eq!(daemon.reload()["ok"], true, "answers go on");
        assert_eq!(bank(daemon), BANK);
        let status = daemon.status();
        assert_eq!(
            (&status["degraded"], &status["last_good"]["kept"]),
            (&json!(false), &json!(false)),
            "{status}"
        );
        assert!(status["last_good"]["problem"].as_str().unwrap().contains(word), "{status}");
    }
    assert_eq!(fs::read(daemon.path("state").join(name)).unwrap(), old);
    let told = daemon.log.wait_for_all("last_good_not_kept", before + 1);
    assert!(told[before].contains(word), "{told:#?}");
    let names = fs::read_dir(daemon.path("state")).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(!names.into_iter().any(|name| name.to_string_lossy().contains("new")), "nothing is left");
}

#[test]
fn f8_a_full_and_a_read_only_directory_cost_a_warning() {
    if !is_root() {
        return;
    }
    private_mounts();
    let setup = Setup::new(CONFIGURATION);
    let state = setup.path("state");
    fs::create_dir(&state).unwrap();
    mount(Some("tmpfs"), &state, Some("tmpfs"), MsFlags::empty(), Some("size=64k,mode=0700")).unwrap();
    let mut daemon = setup.start();
    let _mounted = Mounted(state.clone());
    daemon.wait_until(|status| status["last_good"]["kept"] == true);
    let filler = state.join("filler");
    while let Ok(mut file) = fs::File::options().append(true).create(true).open(&filler)
        && std::io::Write::write_all(&mut file, &[0; 512]).is_ok()
    {}
    assert_not_kept(&daemon, [1, 2], "No space left", "last-good.replaced");
    fs::remove_file(&filler).unwrap();
    assert_eq!(daemon.reload()["ok"], true);
    assert_eq!(daemon.status()["last_good"]["kept"], true, "as soon as there is room, at a reload");

    let again = MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
    mount(Some("tmpfs"), &state, Some("tmpfs"), again, Some("size=64k,mode=0700")).unwrap();
    assert_not_kept(&daemon, [3, 4], "Read-only file system", "last-good");
    let line = daemon.log.wait_for("warn last_good_outdated path=");
    assert!(line.contains("Read-only file system") && line.contains("it may be weaker"), "{line}");
    assert_eq!(daemon.stop(), Some(0));
    let told = daemon.all_lines().iter().filter(|line| line.contains("last_good_not_kept")).count();
    assert_eq!(told, 2, "once for each reason");
    // The files that were not kept are served without it, and compared with what was.
    daemon.start_again();
    daemon.log.wait_for("info changed_since_last_good");
    daemon.log.wait_for("warn last_good_not_kept");
    assert_eq!(daemon.stop(), Some(0));
    daemon.configure(BROKEN);
    daemon.start_again();
    let mut stream = connect(&daemon.path("run/socketmap.sock"));
    assert_eq!(tls(&mut stream, "plain.example").as_deref(), Some(PLAIN));
    assert_eq!(daemon.status()["last_good"]["served"], true);
}

#[test]
fn f8_a_file_that_the_disk_does_not_give_back() {
    if !is_root() {
        return;
    }
    private_mounts();
    let mut daemon = served(CONFIGURATION);
    // A regular file of root's, for its owner alone, that the kernel answers with EIO.
    mount(
        Some("/proc/self/mem"),
        &daemon.path("state/last-good"),
        None::<&str>,
        MsFlags::MS_BIND,
        None::<&str>,
    )
    .unwrap();
    let _mounted = Mounted(daemon.path("state/last-good"));
    daemon.configure(BROKEN);
    let (code, said) = daemon.setup.fail();
    assert_eq!(code, Some(78), "{said}");
    assert!(said.contains("the last good configuration is not used: Input/output error"), "{said}");
    daemon.configure(CONFIGURATION);
    daemon.start_again();
    daemon.log.wait_for("warn last_good_ignored reason=\"Input/output error");
    // A mount cannot be replaced.
    daemon.log.wait_for("warn last_good_not_kept");
    assert_eq!(bank(&daemon), BANK);
}

#[test]
fn f8_a_disk_that_takes_nothing_costs_a_warning() {
    if !is_root() {
        return;
    }
    private_mounts();
    let setup = Setup::new(CONFIGURATION);
    let state = setup.path("state");
    fs::create_dir(&state).unwrap();
    let refused = broken_disk::mounted(&state);
    let mut daemon = setup.start();
    let _mounted = Mounted(state);
    daemon.log.wait_for("warn last_good_not_kept");
    for number in 1..3 {
        daemon.configure(&other(number));
        assert_eq!(daemon.reload()["ok"], true);
        assert_eq!(bank(&daemon), BANK);
        let status = daemon.status();
        assert!(status["last_good"]["problem"].as_str().unwrap().contains("Input/output error"), "{status}");
        assert_eq!((&status["degraded"], &status["last_good"]["kept"]), (&json!(false), &json!(false)));
    }
    assert!(refused.load(Ordering::Relaxed) >= 3, "it was tried");
    assert_eq!(daemon.stop(), Some(0));
    let lines = daemon.all_lines();
    assert_eq!(lines.iter().filter(|line| line.contains("last_good")).count(), 1, "{lines:#?}");
}
