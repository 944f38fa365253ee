//! Files that cannot be read, that others can write, and what is no file at all.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use connectord::config::{self, Cause};
use connectord::load;

use super::fixture::{directory, now, root};

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
fn c8_c9_what_may_not_be_read_is_said() {
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

/// Certificates and lists that root can read, and the service cannot.
#[test]
fn c8_what_the_service_may_not_read_of_certificates_and_lists_is_said() {
    let connector = "version = 1\n[[outbound]]\nname = \"a\"\nmode = \"enforce\"\ntls = \"fingerprint\"\n";
    let files = [("list", "domains_file = \"list\"\n"), ("a.pem", "certificates = [\"a.pem\"]\n")];
    let pem = fs::read_to_string(root().join("../captures/certificates/cn-only.pem")).unwrap();
    for closed in ["list", "a.pem"] {
        let text: String = [connector, files[0].1, files[1].1].concat();
        let directory = directory(&[("connectord.toml", &text), ("list", "a.example\n"), ("a.pem", &pem)]);
        let main = directory.path().join("connectord.toml");
        config::load(&main, now()).unwrap();
        fs::set_permissions(directory.path().join(closed), fs::Permissions::from_mode(0o000)).unwrap();
        let problems = as_nobody(|| config::load(&main, now())).unwrap_err().to_string();
        assert!(problems.contains(&format!("{closed}`: permission denied")), "{problems}");
    }
}

/// A directory that cannot be looked into may hold connectors: it is not the same as an empty one.
#[test]
fn c9_a_closed_directory_is_no_empty_one() {
    let cases = [
        ("closed/*.toml", "closed`: "),
        ("closed/d/*.toml", "closed/d`: "),
        ("closed/d/a.toml", "closed/d/a.toml`: permission denied"),
        ("*/d/a.toml", "closed/d/a.toml`: "),
        ("c*d/*/a.toml", "closed`: "),
    ];
    for (pattern, words) in cases {
        let main = format!("version = 1\ninclude = [{pattern:?}]\n");
        let directory = directory(&[("connectord.toml", &main), ("closed/d/a.toml", "version = 1\n")]);
        let path = directory.path().join("connectord.toml");
        config::load(&path, now()).unwrap();
        fs::set_permissions(directory.path().join("closed"), fs::Permissions::from_mode(0o000)).unwrap();
        let result = as_nobody(|| config::load(&path, now()));
        fs::set_permissions(directory.path().join("closed"), fs::Permissions::from_mode(0o755)).unwrap();
        let text = result.unwrap_err().to_string();
        assert!(text.contains(":2:12: `") && text.contains(words), "{pattern}: {text}");
    }
}

#[test]
fn c9_what_everybody_can_write_is_refused_and_the_group_is_told() {
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
fn c9_what_is_no_file_blocks_nothing() {
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
