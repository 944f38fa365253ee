//! The file of the last good configuration, and what somebody did to it.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::Path;

use super::client::{BANK, CONFIGURATION, connect, tls};
use super::daemon::{Daemon, Setup};

pub(super) const BROKEN: &str = "version = 1\nbogus = 1\n";

/// A daemon that has served this and has ended.
pub(super) fn served(configuration: &str) -> Daemon {
    let mut daemon = Setup::new(configuration).start();
    daemon.wait_until(|status| status["last_good"]["kept"] == true);
    assert_eq!(daemon.stop(), Some(0));
    daemon
}

pub(super) fn kept(daemon: &Daemon) -> Vec<u8> {
    fs::read(daemon.path("state/last-good")).unwrap()
}

pub(super) fn bank(daemon: &Daemon) -> String {
    tls(&mut connect(&daemon.path("run/socketmap.sock")), "bank.example").unwrap()
}

pub(super) fn is_root() -> bool {
    let root = nix::unistd::geteuid().is_root();
    let strict = std::env::var("CONNECTORD_TESTS_MUST_NOT_SKIP").is_ok_and(|value| value == "1");
    assert!(root || !strict, "this test needs root (mounts, owners)");
    #[allow(clippy::print_stderr)]
    if !root {
        eprintln!("SKIPPED: this test needs root (mounts, owners)");
    }
    root
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
