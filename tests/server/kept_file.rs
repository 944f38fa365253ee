//! The file of the last good configuration: what somebody did to it, and where it cannot be written.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::Path;
use std::sync::atomic::Ordering;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use serde_json::json;

use super::broken_disk;
use super::client::{BANK, CONFIGURATION, PLAIN, connect, tls};
use super::daemon::{Daemon, Setup};

const BROKEN: &str = "version = 1\nbogus = 1\n";

/// A daemon that has served this and has ended.
fn served(configuration: &str) -> Daemon {
    let mut daemon = Setup::new(configuration).start();
    daemon.wait_until(|status| status["last_good"]["kept"] == true);
    assert_eq!(daemon.stop(), Some(0));
    daemon
}

fn kept(daemon: &Daemon) -> Vec<u8> {
    fs::read(daemon.path("state/last-good")).unwrap()
}

fn bank(daemon: &Daemon) -> String {
    tls(&mut connect(&daemon.path("run/socketmap.sock")), "bank.example").unwrap()
}

fn replace_by_link(at: &Path, target: &str) {
    fs::remove_file(at).unwrap();
    symlink(target, at).unwrap();
}

fn edit(path: &Path, change: impl Fn(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

#[test]
fn only_its_owner_can_read_it_and_nothing_is_left_beside_it() {
    let daemon = served(CONFIGURATION);
    let metadata = fs::metadata(daemon.path("state/last-good")).unwrap();
    assert_eq!(metadata.mode() & 0o7777, 0o600);
    assert_eq!(fs::metadata(daemon.path("state")).unwrap().mode() & 0o7777, 0o750, "whatever the umask");
    let names = fs::read_dir(daemon.path("state")).unwrap();
    let mut names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, [".last-good.lock", "last-good"]);
    assert!(kept(&daemon).starts_with(b"connectord last good 1\n"));
}

type Change = fn(&Path);

/// What somebody, or a disk, did to the file; and how it is told.
const CHANGES: [(&str, Change, &str); 15] = [
    ("emptied", |at| fs::write(at, "").unwrap(), "it is damaged, or was cut short"),
    ("cut", |at| edit(at, |bytes| bytes.truncate(bytes.len() / 2)), "it is damaged, or was cut short"),
    (
        "cut at its end",
        |at| edit(at, |bytes| bytes.truncate(bytes.len() - 1)),
        "it is damaged, or was cut short",
    ),
    (
        "a bit of a connector",
        |at| edit(at, |bytes| *bytes.iter_mut().rev().nth(200).unwrap() ^= 1),
        "it is damaged, or was cut short",
    ),
    ("appended to", |at| edit(at, |bytes| bytes.push(b'\n')), "it is damaged, or was cut short"),
    (
        "of a later version",
        |at| edit(at, |bytes| bytes[21] = b'2'),
        "it was kept by another version of connectord (format 2)",
    ),
    ("oversized", |at| fs::File::options().write(true).open(at).unwrap().set_len(1 << 40).unwrap(), "it is "),
    (
        "a link to a good one",
        |at| {
            fs::rename(at, at.with_file_name("moved")).unwrap();
            symlink("moved", at).unwrap();
        },
        "it is a symbolic link",
    ),
    ("a link to nothing", |at| replace_by_link(at, "/nonexistent"), "it is a symbolic link"),
    (
        "a FIFO",
        |at| {
            fs::remove_file(at).unwrap();
            nix::unistd::mkfifo(at, nix::sys::stat::Mode::S_IRUSR).unwrap();
        },
        "it is not a file",
    ),
    ("a device", |at| replace_by_link(at, "/dev/zero"), "it is a symbolic link"),
    (
        "writable for others",
        |at| fs::set_permissions(at, Permissions::from_mode(0o602)).unwrap(),
        "others than its owner can write it (mode 0602)",
    ),
    (
        "in a directory that is everybody's",
        |at| fs::set_permissions(at.parent().unwrap(), Permissions::from_mode(0o1777)).unwrap(),
        "everybody may write to the state directory",
    ),
    (
        "in a directory of a group",
        |at| fs::set_permissions(at.parent().unwrap(), Permissions::from_mode(0o770)).unwrap(),
        "the group of the state directory may write to it",
    ),
    (
        "of another configuration",
        |at| assert!(fs::copy(served(CONFIGURATION).path("state/last-good"), at).is_ok()),
        "it is of another configuration, /",
    ),
];

/// It is never served, never in the way, and told with what to do; the next one takes its place.
fn assert_ignored(case: &str, change: impl Fn(&Path), reason: &str) {
    let mut daemon = served(CONFIGURATION);
    let (path, good) = (daemon.path("state/last-good"), kept(&daemon));
    change(&path);
    daemon.configure(BROKEN);
    let (code, said) = daemon.setup.fail();
    assert_eq!(code, Some(78), "{case}: {said}");
    assert!(said.contains("unknown key `bogus`"), "{case}: {said}");
    let told = said
        .split("\n\nthe last good configuration is not used: ")
        .nth(1)
        .unwrap_or_else(|| panic!("{case}: {said}"));
    assert!(told.starts_with(reason) && told.contains("\n    help: "), "{case}: {said}");

    daemon.configure(CONFIGURATION);
    daemon.start_again();
    assert_eq!(bank(&daemon), BANK, "{case}");
    let line = daemon.log.wait_for("warn last_good_ignored reason=");
    assert!(line.contains(reason) && line.contains(" help="), "{case}: {line}");
    if case.contains("in a directory") {
        let line = daemon.log.wait_for("warn last_good_not_kept");
        assert!(line.contains(reason), "{case}: {line}");
        if case.contains("of theirs") {
            assert_eq!(kept(&daemon), good, "{case}: it says the same");
            daemon.configure(&CONFIGURATION.replace("encrypt", "verify"));
            assert_eq!(daemon.reload()["ok"], true);
            assert!(!path.exists(), "{case}: it may be weaker than what is served now");
        }
        return;
    }
    daemon.log.wait_for("info last_good_kept");
    daemon.wait_until(|status| status["last_good"]["kept"] == true);
    assert_eq!(daemon.stop(), Some(0));
    // Only the time of its files is another.
    assert_eq!(kept(&daemon).len().abs_diff(good.len()) / 10, 0, "{case}");
    daemon.configure(BROKEN);
    daemon.start_again();
    assert_eq!(bank(&daemon), BANK, "{case}");
}

#[test]
fn f9_what_somebody_did_to_it_makes_it_nothing() {
    for (case, change, reason) in CHANGES {
        assert_ignored(case, change, reason);
    }
}

#[test]
fn f9_one_of_another_user_is_nothing() {
    if is_root() {
        assert_ignored(
            "another user's",
            |at| chown(at, Some(4711), None).unwrap(),
            "it belongs to user 4711",
        );
    }
}

#[test]
fn one_in_a_directory_of_another_user_is_nothing() {
    if is_root() {
        let all = |at: &Path| {
            chown(at, Some(4711), None).unwrap();
            chown(at.parent().unwrap(), Some(4711), None).unwrap();
        };
        let directory = |at: &Path| chown(at.parent().unwrap(), Some(4711), None).unwrap();
        assert_ignored("all of it in a directory of theirs", all, "the state directory belongs to user 4711");
        assert_ignored("in a directory of theirs", directory, "the state directory belongs to user 4711");
    }
}

#[test]
fn who_tries_another_configuration_leaves_the_one_of_a_daemon_alone() {
    if !is_root() {
        return;
    }
    let daemon = served(CONFIGURATION);
    let good = kept(&daemon);
    for name in ["state", "state/last-good"] {
        chown(daemon.path(name), Some(4711), None).unwrap();
    }
    let setup = Setup::new(&CONFIGURATION.replace("encrypt", "verify"));
    symlink(daemon.path("state"), setup.path("state")).unwrap();
    let mut beside = setup.start();
    assert_eq!(beside.reload()["ok"], true);
    assert_eq!(beside.stop(), Some(0));
    assert_eq!(kept(&daemon), good);
}

/// Damage that its beginning does not show is found as soon as it is served without it.
#[test]
fn f9_damage_behind_the_head_is_mended_at_a_start() {
    let mut daemon = served(CONFIGURATION);
    edit(&daemon.path("state/last-good"), |bytes| *bytes.iter_mut().rev().nth(200).unwrap() ^= 1);
    daemon.start_again();
    daemon.log.wait_for("warn last_good_ignored reason=\"it is damaged, or was cut short\"");
    daemon.log.wait_for("info last_good_kept");
    daemon.wait_until(|status| status["last_good"]["kept"] == true);
    assert_eq!(daemon.stop(), Some(0));
    daemon.configure(BROKEN);
    daemon.start_again();
    assert_eq!(bank(&daemon), BANK);
}

/// What is done to it while it is kept is found at the next reload.
#[test]
fn f9_damage_while_it_runs_is_mended_at_a_reload() {
    let mut daemon = Setup::new(CONFIGURATION).start();
    daemon.wait_until(|status| status["last_good"]["kept"] == true);
    let damage = |bytes: &mut Vec<u8>| *bytes.iter_mut().rev().nth(200).unwrap() ^= 1;
    for times in 1..3 {
        // Looked through by then.
        assert_eq!(daemon.reload()["ok"], true);
        edit(&daemon.path("state/last-good"), damage);
        assert_eq!(daemon.reload()["ok"], true);
        let line = "warn last_good_ignored reason=\"it is damaged, or was cut short\"";
        daemon.log.wait_for_all(line, times);
        assert_eq!(daemon.status()["last_good"]["kept"], true);
    }
    assert_eq!(daemon.stop(), Some(0));
    daemon.configure(BROKEN);
    daemon.start_again();
    assert_eq!(bank(&daemon), BANK);
}

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

fn is_root() -> bool {
    let root = nix::unistd::geteuid().is_root();
    let strict = std::env::var("CONNECTORD_TESTS_MUST_NOT_SKIP").is_ok_and(|value| value == "1");
    assert!(root || !strict, "this test needs root (mounts, owners)");
    #[allow(clippy::print_stderr)]
    if !root {
        eprintln!("SKIPPED: this test needs root (mounts, owners)");
    }
    root
}

/// Mounts of this test alone: those of its thread, and of what it starts.
fn private_mounts() {
    unshare(CloneFlags::CLONE_NEWNS).unwrap();
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>).unwrap();
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
