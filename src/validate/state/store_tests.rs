//! What is kept is what is read, and what somebody else wrote is nothing.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::*;
use crate::validate::report::Verdict;
use crate::validate::sample;

const NOW: &str = "2026-11-25T12:00:00Z";

fn record(name: &str) -> Record {
    let mut report = sample::connector(name, Verdict::Pass, NOW);
    let mut address = sample::address("mx1.contoso.com", "192.0.2.1", Verdict::Pass);
    address.certificate = Some(sample::certificate(&["mx1.contoso.com"], "01", "2027-06-01T00:00:00Z"));
    address.not_after = Some(jiff::Timestamp::MAX);
    report.addresses.push(address);
    Record::new("abc".to_owned(), String::new(), report, None)
}

/// A state directory with the results of `bank` and `other`.
fn kept() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let keeper = Keeper::open(directory.path()).unwrap();
    for name in ["bank", "other"] {
        keeper.keep(&record(name)).unwrap();
    }
    directory
}

fn at(directory: &TempDir, name: &str) -> PathBuf {
    directory.path().join("validation").join(name)
}

fn validation(directory: &Path, name: &str) -> Validation {
    Store::open(directory).validation(name, "abc", NOW.parse().unwrap())
}

fn why(validation: &Validation) -> &str {
    let Validation::Unusable { why } = validation else {
        panic!("{validation:?}");
    };
    why
}

#[test]
fn what_is_kept_is_read() {
    let directory = kept();
    let store = Store::open(directory.path());
    assert_eq!(store.kept("bank").unwrap(), Some(record("bank")));
    assert_eq!(store.kept("nobody").unwrap(), None);
    assert!(validation(directory.path(), "bank").is_valid());
    assert_eq!(validation(directory.path(), "nobody"), Validation::Never);
    // Nothing else is left.
    let mut names: Vec<_> = fs::read_dir(directory.path().join("validation"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["bank.json", "key", "other.json"]);
    for name in names {
        assert_eq!(fs::metadata(at(&directory, &name)).unwrap().mode() & 0o777, 0o600, "{name}");
    }
}

#[test]
fn a_later_result_takes_the_place_and_the_key_stays() {
    let directory = kept();
    let key = fs::read(at(&directory, "key")).unwrap();
    let mut failed = record("bank");
    failed.report.verdict = Verdict::Fail;
    Keeper::open(directory.path()).unwrap().keep(&failed).unwrap();
    assert_eq!(fs::read(at(&directory, "key")).unwrap(), key);
    assert_eq!(validation(directory.path(), "bank").word(), "failed");
    assert!(validation(directory.path(), "other").is_valid());
}

#[test]
fn nothing_was_ever_kept() {
    let directory = tempfile::tempdir().unwrap();
    for path in [directory.path().to_owned(), directory.path().join("missing")] {
        assert_eq!(validation(&path, "bank"), Validation::Never);
    }
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(why(&validation(&file, "bank")).starts_with("the state directory cannot be read: "));
    assert!(Keeper::open(&file).is_err());
    let deep = directory.path().join("made/where/missing");
    Keeper::open(&deep).unwrap().keep(&record("bank")).unwrap();
    assert!(validation(&deep, "bank").is_valid());
}

/// Somebody at work on the file of `bank`; then what `list` has to say of it, and what a run does.
#[test]
fn a_file_of_somebody_else_is_no_validation() {
    const FORGED: &str = "it was changed by hand, or comes from another machine";
    const DAMAGED: &str = "it is damaged, or was cut short";
    let edit = |change: fn(String) -> String| {
        move |path: &Path| fs::write(path, change(fs::read_to_string(path).unwrap())).unwrap()
    };
    type Change = Box<dyn Fn(&Path)>;
    let table: Vec<(&str, Change, &str)> = vec![
        ("empty", Box::new(edit(|_| String::new())), DAMAGED),
        ("cut", Box::new(edit(|text| text[..text.len() / 2].to_owned())), DAMAGED),
        ("without its end", Box::new(edit(|text| text[..text.len() - 2].to_owned())), DAMAGED),
        ("something behind", Box::new(edit(|text| text + "{}")), DAMAGED),
        ("another date", Box::new(edit(|text| text.replace("2026-11-25", "2026-11-26"))), FORGED),
        ("another verdict", Box::new(edit(|text| text.replace("pass", "warn"))), FORGED),
        ("other settings", Box::new(edit(|text| text.replace("abc", "abd"))), FORGED),
        ("a space more", Box::new(edit(|text| text.replace("\"settings\":", "\"settings\": "))), FORGED),
        ("no seal", Box::new(edit(|text| text.replace("\"mac\":\"", "\"mac\":\"\",\"was\":\""))), DAMAGED),
        (
            "an empty seal",
            Box::new(edit(|text| format!("{}\"mac\":\"\",{}", &text[..12], &text[12 + 73..]))),
            FORGED,
        ),
        (
            "a seal of zeros",
            Box::new(edit(|text| format!("{}{}{}", &text[..19], "0".repeat(64), &text[83..]))),
            FORGED,
        ),
        (
            "a later format",
            Box::new(edit(|text| text.replace("\"format\":1", "\"format\":2"))),
            "it was written by another version of connectord (format 2)",
        ),
        ("no JSON", Box::new(|path| fs::write(path, [0xff; 99]).unwrap()), DAMAGED),
        ("nested without end", Box::new(|path| fs::write(path, "[".repeat(1 << 20)).unwrap()), DAMAGED),
        (
            "another connector's",
            Box::new(|path| assert!(fs::copy(path.with_file_name("other.json"), path).is_ok())),
            "it is the result of another connector",
        ),
        (
            "of another machine",
            Box::new(|path| assert!(fs::copy(at(&kept(), "bank.json"), path).is_ok())),
            FORGED,
        ),
        (
            "oversized",
            Box::new(|path| fs::OpenOptions::new().write(true).open(path).unwrap().set_len(1 << 40).unwrap()),
            "it has more than 16777216 bytes",
        ),
        (
            "a link to a good one",
            Box::new(|path| {
                fs::rename(path, path.with_file_name("moved")).unwrap();
                symlink("moved", path).unwrap();
            }),
            "it is a symbolic link",
        ),
        (
            "a link to nothing",
            Box::new(|path| {
                fs::remove_file(path).unwrap();
                symlink("/nonexistent", path).unwrap();
            }),
            "it is a symbolic link",
        ),
        (
            "a pipe",
            Box::new(|path| {
                fs::remove_file(path).unwrap();
                nix::unistd::mkfifo(path, nix::sys::stat::Mode::S_IRUSR).unwrap();
            }),
            "it is not a file",
        ),
    ];
    for (name, change, expected) in table {
        let directory = kept();
        change(&at(&directory, "bank.json"));
        assert_eq!(why(&validation(directory.path(), "bank")), expected, "{name}");
        assert!(validation(directory.path(), "other").is_valid(), "{name}");
        Keeper::open(directory.path()).unwrap().keep(&record("bank")).unwrap();
        assert!(validation(directory.path(), "bank").is_valid(), "{name}");
    }
}

#[test]
fn a_directory_in_the_place_of_a_file_stays_and_is_told() {
    let directory = kept();
    fs::remove_file(at(&directory, "bank.json")).unwrap();
    fs::create_dir(at(&directory, "bank.json")).unwrap();
    assert_eq!(why(&validation(directory.path(), "bank")), "it is not a file");
    let error = Keeper::open(directory.path()).unwrap().keep(&record("bank")).unwrap_err().to_string();
    assert!(error.contains("the result of bank cannot be kept: "), "{error}");
}

#[test]
fn without_its_key_nothing_is_validated() {
    type Change = fn(&Path);
    let table: [(&str, Change, &str); 6] = [
        ("removed", |key| fs::remove_file(key).unwrap(), "is missing"),
        (
            "another",
            |key| fs::write(key, [7; 32]).unwrap(),
            "it was changed by hand, or comes from another machine",
        ),
        ("cut", |key| fs::write(key, [7; 31]).unwrap(), "is damaged"),
        ("longer", |key| fs::write(key, [7; 33]).unwrap(), "is damaged"),
        (
            "open to others",
            |key| fs::set_permissions(key, Permissions::from_mode(0o640)).unwrap(),
            "others can read it",
        ),
        (
            "a link",
            |key| {
                fs::rename(key, key.with_file_name("moved")).unwrap();
                symlink("moved", key).unwrap();
            },
            "cannot be read: it is a symbolic link",
        ),
    ];
    for (name, change, expected) in table {
        let directory = kept();
        change(&at(&directory, "key"));
        let found = validation(directory.path(), "bank");
        assert!(why(&found).contains(expected), "{name}: {found}");
        Keeper::open(directory.path()).unwrap().keep(&record("bank")).unwrap();
        assert!(validation(directory.path(), "bank").is_valid(), "{name}");
        // With a new key, what the old one sealed stays nothing.
        assert!(!validation(directory.path(), "other").is_valid(), "{name}");
    }
}

#[test]
fn a_link_in_the_place_of_the_directory_is_not_followed() {
    let directory = tempfile::tempdir().unwrap();
    let elsewhere = kept();
    symlink(elsewhere.path().join("validation"), directory.path().join("validation")).unwrap();
    assert!(why(&validation(directory.path(), "bank")).starts_with("the state directory cannot be read: "));
    assert!(Keeper::open(directory.path()).is_err());
    // The state directory itself may be one, as systemd makes it.
    let link = directory.path().join("state");
    symlink(elsewhere.path(), &link).unwrap();
    assert!(validation(&link, "bank").is_valid());
}

#[test]
fn what_root_keeps_belongs_to_the_owner_of_the_state_directory() {
    const DAEMON: u32 = 65534;
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    chown(directory.path(), Some(DAEMON), Some(DAEMON)).unwrap();
    Keeper::open(directory.path()).unwrap().keep(&record("bank")).unwrap();
    for name in ["", "key", "bank.json"] {
        let metadata = fs::metadata(at(&directory, name)).unwrap();
        assert_eq!((metadata.uid(), metadata.gid()), (DAEMON, DAEMON), "{name}");
    }
    // A key that a third user put there is not ours.
    chown(at(&directory, "key"), Some(4711), None).unwrap();
    assert!(why(&validation(directory.path(), "bank")).contains("not secret"));
}

#[test]
fn runs_at_the_same_time_leave_whole_files() {
    let directory = tempfile::tempdir().unwrap();
    let run = |_| {
        let path = directory.path().to_owned();
        std::thread::spawn(move || {
            for _ in 0..20 {
                Keeper::open(&path).unwrap().keep(&record("bank")).unwrap();
                // Whoever wrote it, it is whole, and sealed with the one key.
                let found = validation(&path, "bank");
                assert!(found.is_valid(), "{found}");
            }
        })
    };
    let runs: Vec<_> = (0..8).map(run).collect();
    for run in runs {
        run.join().unwrap();
    }
    assert_eq!(fs::read_dir(directory.path().join("validation")).unwrap().count(), 2);
}
