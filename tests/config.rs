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

/// A main file of an example, and the files that it consists of.
struct Example {
    directory: TempDir,
    main: PathBuf,
    files: Vec<PathBuf>,
}

/// Every example there is, each in a directory of its own.
fn examples() -> Vec<Example> {
    fn toml_files(directory: &Path, files: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                toml_files(&path, files);
            } else if path.extension().is_some_and(|extension| extension == "toml") {
                files.push(path);
            }
        }
    }
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut examples = Vec::new();
    for from in [root().join("good"), manifest.join("contrib/examples")] {
        let mains = fs::read_dir(&from).unwrap().map(|entry| entry.unwrap().path());
        for main in mains.filter(|path| path.extension().is_some_and(|extension| extension == "toml")) {
            let directory = copy(&from);
            let main = directory.path().join(main.file_name().unwrap());
            let mut files = Vec::new();
            toml_files(directory.path(), &mut files);
            let includes = fs::read_to_string(&main).unwrap().contains("\ninclude");
            files.retain(|path| *path == main || (includes && path.parent() != main.parent()));
            files.sort();
            examples.push(Example { directory, main, files });
        }
    }
    assert!(examples.len() >= 4, "{} examples", examples.len());
    examples
}

/// What a connector demands, without what is for people and where it stands.
fn demands(loaded: &config::Loaded) -> Vec<(String, String, usize, String)> {
    let outbound = loaded.agreements.outbound.iter().map(|connector| {
        let demand = format!(
            "{:?}",
            (
                connector.mode,
                &connector.domains,
                &connector.except,
                &connector.overrides,
                &connector.requirement,
                &connector.route,
                &connector.transport
            )
        );
        (connector.name.to_string(), connector.place.file.to_string(), connector.place.line, demand)
    });
    let inbound = loaded.agreements.inbound.iter().map(|connector| {
        let demand = format!(
            "{:?}",
            (
                connector.mode,
                &connector.identify,
                &connector.recipients,
                &connector.require,
                connector.on_violation,
                &connector.overrides
            )
        );
        (connector.name.to_string(), connector.place.file.to_string(), connector.place.line, demand)
    });
    outbound.chain(inbound).collect()
}

#[test]
fn every_example_loads() {
    for example in examples() {
        let checked = load::check(&example.main, 1, now());
        if let Err(problems) = checked.result {
            panic!("{problems}");
        }
    }
}

#[test]
fn an_unknown_key_is_refused_in_every_table() {
    let mut tables = 0;
    for example in examples() {
        for file in &example.files {
            let text = fs::read_to_string(file).unwrap();
            let lines: Vec<&str> = text.lines().collect();
            for (i, line) in lines.iter().enumerate() {
                let bogus = if line.starts_with('[') || line.starts_with("version") {
                    "bogus_key = 1".to_owned()
                } else {
                    // A table that is written as part of a key.
                    let key = line.split('=').next().unwrap_or_default().trim();
                    match key.rsplit_once('.') {
                        Some((table, _)) if !key.starts_with('#') => format!("{table}.bogus_key = 1"),
                        _ => continue,
                    }
                };
                tables += 1;
                let mut changed = lines.clone();
                changed.insert(i + 1, &bogus);
                fs::write(file, changed.join("\n")).unwrap();
                let problems = config::load(&example.main, now()).unwrap_err();
                let found = problems
                    .iter()
                    .any(|problem| problem.message == "unknown key `bogus_key`" && problem.line == i + 2);
                assert!(found, "after line {} of {}:\n{problems}", i + 1, file.display());
            }
            fs::write(file, &text).unwrap();
        }
        drop(example.directory);
    }
    assert!(tables > 60, "{tables} tables");
}

/// A file that is being written, or that a full disk cut short, is valid TOML at many lengths.
/// Whatever is left of it must mean what the whole file means; only the last connector may lack
/// the optional lines that were cut off as a whole, never a part of one.
#[test]
fn a_file_cut_anywhere_is_refused_or_means_the_same() {
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for worker in 0..workers {
            scope.spawn(move || {
                // Each with copies of its own, of which it takes its share.
                let examples = examples();
                let all =
                    examples.iter().flat_map(|example| example.files.iter().map(move |file| (example, file)));
                for (example, file) in all.skip(worker).step_by(workers) {
                    cut_everywhere(&example.main, file);
                }
            });
        }
    });
}

fn cut_everywhere(main: &Path, file: &Path) {
    let whole = demands(&config::load(main, now()).unwrap());
    let text = fs::read(file).unwrap();
    let mandatory_last = file.ends_with("every-key.toml");
    let cut = |length: usize| {
        fs::write(file, &text[..length]).unwrap();
        config::load(main, now()).ok().map(|loaded| demands(&loaded))
    };
    let mut refused = 0;
    for length in (0..text.len()).filter(|&length| !is_inside_comment(&text[..length])) {
        let Some(left) = cut(length) else {
            refused += 1;
            continue;
        };
        let in_file = |name: &String| Path::new(name) == file;
        let last = left.iter().filter(|(_, place, ..)| in_file(place)).map(|&(_, _, line, _)| line).max();
        for connector in left.iter().filter(|connector| !whole.contains(connector)) {
            let place = format!("{} cut at {length}: {connector:?}", file.display());
            assert!(!mandatory_last, "{place}");
            assert!(in_file(&connector.1) && Some(connector.2) == last, "{place}");
            let before = text[..length].iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
            let behind =
                text[length..].iter().position(|&byte| byte == b'\n').map_or(text.len(), |at| length + at);
            let neighbours = [cut(before), cut(behind)];
            let same = neighbours.iter().flatten().any(|neighbour| neighbour.contains(connector));
            assert!(same, "half a line counts: {place}");
        }
    }
    assert!(refused > 10, "{}", file.display());
    fs::write(file, &text).unwrap();
}

/// Whether the second or a later byte of a comment comes next: there a cut changes nothing.
fn is_inside_comment(text: &[u8]) -> bool {
    let line = text.rsplit(|&byte| byte == b'\n').next().unwrap_or_default();
    let mut quoted = false;
    line.iter().any(|&byte| {
        quoted ^= byte == b'"';
        byte == b'#' && !quoted
    })
}

/// Runs something with the file permissions of another user: on Linux they are a property of the
/// thread.
fn as_nobody<T>(run: impl FnOnce() -> T) -> T {
    use nix::unistd::{Uid, setfsuid};
    let own = setfsuid(Uid::from_raw(65534));
    let result = run();
    setfsuid(own);
    result
}

#[test]
fn what_may_not_be_read_is_said() {
    let files = [
        ("connectord.toml", "version = 1\ninclude = [\"closed.toml\", \"open.toml\"]\n"),
        ("closed.toml", "version = 1\n"),
        ("open.toml", "version = 2\n"),
    ];
    let directory = directory(&files);
    let main = directory.path().join("connectord.toml");
    fs::set_permissions(directory.path().join("closed.toml"), fs::Permissions::from_mode(0o000)).unwrap();
    let text = as_nobody(|| config::load(&main, now())).unwrap_err().to_string();
    assert!(text.contains(":2:12: `") && text.contains("closed.toml`: permission denied\n"), "{text}");
    assert!(text.contains("open.toml:1:11: "), "the others are read: {text}");

    fs::set_permissions(&main, fs::Permissions::from_mode(0o000)).unwrap();
    let problems = as_nobody(|| config::load(&main, now())).unwrap_err();
    assert_eq!(problems.cause(), Cause::Permission, "{problems}");
}

#[test]
fn what_everybody_can_write_is_refused_and_the_group_is_told() {
    let main = "version = 1\ninclude = [\"sub/a.toml\"]\n";
    let cases = [
        ("connectord.toml", 0o646, "problem", "everybody can write this file"),
        ("sub/a.toml", 0o602, "problem", "everybody can write this file"),
        ("sub", 0o757, "problem", "everybody can write this directory"),
        ("connectord.toml", 0o664, "warning", "its group can write this file"),
        ("sub/list", 0o660, "warning", "its group can write this file"),
        ("sub", 0o775, "warning", "its group can write this directory"),
        ("sub", 0o1777, "neither", ""),
    ];
    let connector = "version = 1\n[[outbound]]\nname = \"a\"\nmode = \"enforce\"\ndomains_file = \"list\"\ntls = \"encrypt\"\n";
    for (name, mode, expected, words) in cases {
        let directory =
            directory(&[("connectord.toml", main), ("sub/a.toml", connector), ("sub/list", "a.example\n")]);
        fs::set_permissions(directory.path().join(name), fs::Permissions::from_mode(mode)).unwrap();
        let checked = load::check(&directory.path().join("connectord.toml"), 1, now());
        let problems = checked.result.err().map_or_else(String::new, |problems| problems.to_string());
        let warnings = checked.warnings.to_string();
        let said = |text: &str| {
            !words.is_empty()
                && text.contains(words)
                && text.contains(&format!("-w {}", directory.path().join(name).display()))
        };
        assert_eq!(said(&problems), expected == "problem", "{name} {mode:o}: {problems}");
        assert_eq!(said(&warnings), expected == "warning", "{name} {mode:o}: {warnings}");
        assert_eq!(problems.is_empty(), expected != "problem", "{name} {mode:o}: {problems}");
    }
}

/// A FIFO without a writer, a device without an end: nothing waits and nothing is read.
#[test]
fn what_is_no_file_blocks_nothing() {
    let text = "version = 1\ninclude = [\"fifo\", \"/dev/zero\", \"loop\", \"dangling\", \"good.toml\"]\n";
    let directory = directory(&[("connectord.toml", text), ("good.toml", "version = 3\n")]);
    let path = directory.path();
    nix::unistd::mkfifo(&path.join("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    std::os::unix::fs::symlink("loop", path.join("loop")).unwrap();
    std::os::unix::fs::symlink("nowhere", path.join("dangling")).unwrap();
    let text = config::load(&path.join("connectord.toml"), now()).unwrap_err().to_string();
    for words in [
        "fifo`: this is a FIFO, not a file",
        "`/dev/zero`: this is a device, not a file",
        "loop`: Too many levels of symbolic links",
        "dangling`: no such file",
        "good.toml:1:11: this connectord knows version 1",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }

    fs::remove_file(path.join("connectord.toml")).unwrap();
    nix::unistd::mkfifo(&path.join("connectord.toml"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let problems = config::load(&path.join("connectord.toml"), now()).unwrap_err();
    assert!(problems.to_string().contains("connectord.toml: this is a FIFO"), "{problems}");
    assert_eq!(problems.cause(), Cause::Configuration);
}

#[test]
fn a_file_over_the_limit_is_refused() {
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
