//! The configuration as an operator meets it: what is said about bad ones, and what is made of
//! good ones.
//!
//! Every directory of `tests/config/bad` is a configuration with a mistake and the exact text
//! that is shown for it. `UPDATE_EXPECTED=1 cargo test --test config` writes the texts anew;
//! read the difference before committing it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::fs;
use std::path::{Path, PathBuf};

use connectord::config::{self, Cause};
use connectord::load;

#[path = "config/fixture.rs"]
#[allow(dead_code)] // each test file uses its part
mod fixture;
use fixture::{copy, directory, now, root};

#[path = "config/reach.rs"]
mod reach;

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
fn c1_c3_c5_c6_c7_c8_c10_every_bad_configuration_is_explained() {
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

/// A directory that is gone takes every connector in it along, an empty one may wait for its first.
#[test]
fn a_pattern_without_files_is_told() {
    const CONNECTOR: &str =
        "[[outbound]]\nname = \"a\"\nmode = \"enforce\"\ndomains = [\"a.example\"]\ntls = \"encrypt\"\n";
    let cases = [
        ("gone.d/*.toml", Some("gone.d`: no such directory\n"), None),
        ("gone/deep/*/a.toml", Some("gone/deep`: no such directory\n"), None),
        ("d/a.toml/*", Some("d/a.toml`: this is no directory\n"), None),
        ("d/a.toml/b/*", Some("d/a.toml/b`: this is no directory\n"), None),
        ("/nonexistent/*.toml", Some("`/nonexistent`: no such directory\n"), None),
        ("d/*.conf", None, Some("`d/*.conf` matches no file\n")),
        ("d/*/a.toml", None, Some("`d/*/a.toml` matches no file\n")),
        ("*/b.toml", None, Some("`*/b.toml` matches no file\n")),
        ("d/*.toml", None, None),
        ("*/a.toml", None, None),
    ];
    for (pattern, problem, warning) in cases {
        let main = format!("version = 1\ninclude = [{pattern:?}]\n{CONNECTOR}");
        let directory = directory(&[("connectord.toml", &main), ("d/a.toml", "version = 1\n")]);
        let checked = load::check(&directory.path().join("connectord.toml"), 1, now());
        let problems = checked.result.err().map_or_else(String::new, |problems| problems.to_string());
        for (text, expected) in [(problems, problem), (checked.warnings.to_string(), warning)] {
            match expected {
                Some(words) => assert!(text.contains(":2:12: ") && text.contains(words), "{pattern}: {text}"),
                None => assert_eq!(text, "", "{pattern}"),
            }
        }
    }
}

#[test]
fn a_configuration_without_connectors_is_told() {
    let cases = [
        (&[("connectord.toml", "version = 1\n")][..], 1),
        (&[("connectord.toml", "version = 1\ninclude = [\"a.toml\"]\n"), ("a.toml", "version = 1\n")], 1),
        (&[("connectord.toml", "version = 2\n")], 0),
        (&[("connectord.toml", "version = 1\n[[outbound]]\n")], 0),
    ];
    for (files, expected) in cases {
        let directory = directory(files);
        let path = directory.path().join("connectord.toml");
        let warnings = load::check(&path, 1, now()).warnings;
        assert_eq!(warnings.len(), expected, "{files:?}: {warnings}");
        for warning in &warnings {
            assert_eq!(warning.message, "no connector: nothing is enforced");
            assert_eq!((warning.file.as_ref(), warning.line), (path.to_str().unwrap(), 0));
        }
    }
}

/// What Exim cannot be told, and what it is told besides: of enforcing connectors, where Exim asks.
#[test]
fn what_is_different_with_exim_is_told() {
    let every = "[[outbound]]\nname = \"every\"\nmode = \"enforce\"\ndomains = [\"*\"]\ntls = \"encrypt\"\n";
    let graded = "[[outbound]]\nname = \"graded\"\nmode = \"enforce\"\ndomains = [\"a.example\"]\n\
                  tls = \"encrypt\"\nciphers = \"high\"\n";
    let (way, gap) =
        ("with Exim `every` sends all mail by MX records", "Exim would defer all mail of `graded`");
    let table: [(&[&str], &str, &[&str]); 6] = [
        (&["exim"], every, &[way]),
        (&["exim"], graded, &[gap]),
        // Both MTAs may ask where no socket is written.
        (&[], every, &[]),
        (&[], graded, &[gap]),
        (&["socketmap"], every, &[]),
        (&["socketmap"], graded, &[]),
    ];
    for (listeners, connector, expected) in table {
        let listen: String = listeners
            .iter()
            .map(|word| format!("[[listen]]\nprotocol = {word:?}\npath = \"{word}.sock\"\n"))
            .collect();
        let directory = directory(&[("connectord.toml", &format!("version = 1\n{listen}{connector}"))]);
        let warnings = load::load(&directory.path().join("connectord.toml"), 1, now()).unwrap().warnings;
        assert_eq!(warnings.len(), expected.len(), "{listeners:?}: {warnings}");
        for text in expected {
            assert!(warnings.to_string().contains(text), "{listeners:?}: {warnings}");
        }
    }
}

#[test]
fn an_enforcing_connector_that_nobody_can_ask_about_is_told() {
    let outbound = |mode| {
        format!(
            "[[outbound]]\nname = \"out\"\nmode = {mode:?}\ndomains = [\"a.example\"]\ntls = \"encrypt\"\n"
        )
    };
    let inbound = |mode| {
        format!(
            "[[inbound]]\nname = \"in\"\nmode = {mode:?}\nidentify.domains = [\"a.example\"]\nrequire.tls = true\non_violation = \"reject\"\n"
        )
    };
    let both = format!("{}{}", outbound("enforce"), inbound("enforce"));
    let neither = format!("{}{}", outbound("report"), inbound("off"));
    let cases = [
        (&[][..], &both, &[][..]),
        (&["control"], &both, &["socketmap", "policy"]),
        (&["policy"], &both, &["socketmap"]),
        (&["socketmap", "control"], &both, &["policy"]),
        (&["socketmap", "policy"], &both, &[]),
        (&["exim"], &both, &[]),
        (&["policy"], &inbound("enforce"), &[]),
        (&["control"], &outbound("enforce"), &["socketmap"]),
        (&["control"], &neither, &[]),
        (&["metrics"], &both, &[]),
        (&["metrics", "control"], &both, &["socketmap", "policy"]),
        (&["metrics", "policy"], &both, &["socketmap"]),
    ];
    for (listeners, connectors, expected) in cases {
        let listen: String = listeners
            .iter()
            .map(|word| format!("[[listen]]\nprotocol = {word:?}\npath = \"{word}.sock\"\n"))
            .collect();
        let included = format!("version = 1\n{connectors}");
        let main = format!("version = 1\ninclude = [\"a.toml\"]\n{listen}");
        let directory = directory(&[("connectord.toml", &main), ("a.toml", &included)]);
        let checked = load::check(&directory.path().join("connectord.toml"), 1, now());
        assert!(checked.result.is_ok(), "{:?}", checked.result);
        let warnings: Vec<(usize, &str)> =
            checked.warnings.iter().map(|warning| (warning.line, warning.message.as_str())).collect();
        assert_eq!(warnings.len(), expected.len(), "{listeners:?}: {warnings:?}");
        for ((line, message), word) in warnings.iter().zip(expected) {
            assert_eq!(*line, 3, "{listeners:?}");
            let told = format!("no [[listen]] with protocol = \"{word}\" or \"exim\": ");
            assert!(message.contains(&told), "{message}");
        }
    }
}

/// A long list is read from two places at once.
#[test]
fn c8_the_faults_of_a_long_list_are_told_in_their_order() {
    let main = "version = 1\n[[outbound]]\nname = \"a\"\nmode = \"enforce\"\ndomains_file = \"list\"\ntls = \"encrypt\"\n";
    let lines = 60_000;
    for faults in [vec![], vec![1], vec![lines], vec![2, lines / 2, lines / 2 + 1, lines - 1]] {
        let line = |number| match faults.contains(&number) {
            true => "a..b\n".to_owned(),
            false => format!("n{number}.example\n"),
        };
        let list: String = (1..=lines).map(line).collect();
        let directory = directory(&[("connectord.toml", main), ("list", &list)]);
        let loaded = config::load(&directory.path().join("connectord.toml"), now());
        match loaded {
            Ok(loaded) => {
                let domains = &loaded.agreements.outbound[0].domains;
                assert!(faults.is_empty() && domains.size() == lines && domains.covers("n59999.example"));
            }
            Err(problems) => {
                let told: Vec<usize> = problems.iter().map(|problem| problem.line).collect();
                assert_eq!(told, faults, "{problems}");
            }
        }
    }
}

#[test]
fn c1_a_file_over_the_limit_is_refused() {
    let directory = directory(&[("connectord.toml", "version = 1\n")]);
    let main = directory.path().join("connectord.toml");
    let comment = format!("version = 1\n#{}", "x".repeat((16 << 20) - 13));
    fs::write(&main, &comment).unwrap();
    assert!(config::load(&main, now()).is_ok(), "{} bytes", comment.len());
    fs::write(&main, format!("{comment}x")).unwrap();
    let problems = config::load(&main, now()).unwrap_err();
    assert!(problems.to_string().contains("the file has more than 16 MiB"), "{problems}");
}

/// The digest is that of everything that was read, and of nothing else.
#[test]
fn the_digest_covers_every_file() {
    let files = [
        ("connectord.toml", "version = 1\ninclude = [\"d/*.toml\"]\n"),
        (
            "d/a.toml",
            "version = 1\n[[outbound]]\nname = \"a\"\nmode = \"enforce\"\ndomains_file = \"../list\"\ntls = \"verify\"\nca_file = \"../ca.pem\"\n",
        ),
        ("list", "a.example\n"),
        ("unread", "x"),
    ];
    let directory = directory(&files);
    let captures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures/certificates");
    let put = |name: &str, bytes: &[u8]| fs::write(directory.path().join(name), bytes).unwrap();
    put("ca.pem", &fs::read(captures.join("ca.pem")).unwrap());
    let digest = || config::load(&directory.path().join("connectord.toml"), now()).unwrap().sha256;
    let first = digest();
    assert_eq!(first.len(), 64);
    assert_eq!(digest(), first);
    put("unread", b"y");
    assert_eq!(digest(), first);
    for (name, text) in &files[..3] {
        put(name, format!("{text}\n").as_bytes());
        assert_ne!(digest(), first, "{name}");
        put(name, text.as_bytes());
        assert_eq!(digest(), first, "{name}");
    }
    put("ca.pem", &fs::read(captures.join("otherca.pem")).unwrap());
    assert_ne!(digest(), first);
}
