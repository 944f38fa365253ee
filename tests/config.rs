//! The configuration as an operator meets it: what is said about bad ones, and what is made of
//! good ones.
//!
//! Every directory of `tests/config/bad` is a configuration with a mistake and the exact text
//! that is shown for it. `UPDATE_EXPECTED=1 cargo test --test config` writes the texts anew;
//! read the difference before committing it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use connectord::config::{self, Cause};
use connectord::load;
use jiff::Timestamp;
use tempfile::TempDir;

/// The certificates among the files were made for this time: one expired the day before, one is
/// valid three days later, the others for 31 days.
fn now() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config")
}

/// A copy of a directory whose permissions do not depend on the umask of a checkout.
fn copy(from: &Path) -> TempDir {
    fn into(from: &Path, to: &Path) {
        fs::set_permissions(to, fs::Permissions::from_mode(0o755)).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            let target = to.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                fs::create_dir(&target).unwrap();
                into(&entry.path(), &target);
            } else {
                fs::write(&target, fs::read(entry.path()).unwrap()).unwrap();
                fs::set_permissions(&target, fs::Permissions::from_mode(0o644)).unwrap();
            }
        }
    }
    let directory = tempfile::tempdir().unwrap();
    into(from, directory.path());
    directory
}

/// A directory with these files.
fn directory(files: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    for (name, text) in files {
        let path = directory.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::set_permissions(path.parent().unwrap(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    }
    directory
}

/// All that is said about the configuration in a directory, with paths relative to it.
fn said(directory: &Path) -> String {
    let checked = load::check(&directory.join("connectord.toml"), 1, now());
    let problems = checked.result.err().map_or_else(String::new, |problems| format!("{problems}\n"));
    let warnings = if checked.warnings.is_empty() {
        String::new()
    } else {
        format!("warnings:\n{}\n", checked.warnings)
    };
    format!("{problems}{warnings}")
        .replace(&format!("{}/", directory.display()), "")
        .replace(&directory.display().to_string(), ".")
}

/// The lines of two texts, those that differ marked.
fn difference(expected: &str, found: &str) -> String {
    let (expected, found): (Vec<_>, Vec<_>) = (expected.lines().collect(), found.lines().collect());
    let mut text = String::new();
    for i in 0..expected.len().max(found.len()) {
        match (expected.get(i), found.get(i)) {
            (Some(a), Some(b)) if a == b => text.push_str(&format!("    {a}\n")),
            (a, b) => {
                text.extend(a.map(|line| format!("  - {line}\n")));
                text.extend(b.map(|line| format!("  + {line}\n")));
            }
        }
    }
    text
}

#[test]
fn every_bad_configuration_is_explained() {
    let mut cases: Vec<PathBuf> =
        fs::read_dir(root().join("bad")).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    assert!(cases.len() >= 45, "{} cases", cases.len());
    let mut failures = String::new();
    for case in cases {
        let copied = copy(&case);
        let expected_path = case.join("expected");
        let found = said(copied.path());
        if std::env::var_os("UPDATE_EXPECTED").is_some() {
            fs::write(&expected_path, &found).unwrap();
        }
        let expected = fs::read_to_string(&expected_path).unwrap_or_default();
        let name = case.file_name().unwrap().to_string_lossy().into_owned();
        if found != expected {
            failures.push_str(&format!("{name}:\n{}\n", difference(&expected, &found)));
        }
        let refused = config::load(&copied.path().join("connectord.toml"), now()).is_err()
            || load::load(&copied.path().join("connectord.toml"), 1, now()).is_err();
        assert!(refused, "{name} is accepted");
    }
    assert!(failures.is_empty(), "\n{failures}");
}

#[test]
fn a_missing_main_file_is_told_apart() {
    let empty = directory(&[]);
    let problems = load::load(&empty.path().join("connectord.toml"), 1, now()).unwrap_err();
    assert_eq!(problems.cause(), Cause::MissingFile);
    assert_eq!(problems.len(), 1);

    let including = directory(&[("connectord.toml", "version = 1\ninclude = [\"missing.toml\"]\n")]);
    let problems = load::load(&including.path().join("connectord.toml"), 1, now()).unwrap_err();
    assert_eq!(problems.cause(), Cause::Configuration);
}
