#![allow(clippy::unwrap_used, clippy::indexing_slicing)]
//! Archives that are whole come to what they were made of; all others come to nothing.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::super::hex;
use super::super::records::{EVERY_MAGIC, MAGIC};
use super::*;
use crate::load::{self, NotAsKept, Ready};
use crate::mta::postfix::tables;

const CONNECTOR: &str = "version = 1\n[[outbound]]\nname = \"NAME\"\nmode = \"enforce\"\n\
                         domains_file = \"../list\"\ntls = \"verify\"\nca_file = \"../ca.pem\"\n";

/// A directory that nobody else can write to, whatever the umask.
fn directory() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    directory
}

fn write(directory: &TempDir, name: &str, bytes: impl AsRef<[u8]>) {
    let path = directory.path().join(name);
    let parent = path.parent().unwrap();
    fs::create_dir_all(parent).unwrap();
    fs::set_permissions(parent, fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(&path, bytes).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
}

fn loaded(directory: &TempDir) -> Ready {
    load::load(&directory.path().join("connectord.toml"), 1, Timestamp::now())
        .unwrap_or_else(|problems| panic!("{problems}"))
}

fn archived(ready: &Ready) -> Vec<u8> {
    let mut bytes = Vec::new();
    ready.files.write(&mut bytes).unwrap();
    bytes
}

fn file(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    io::Write::write_all(&mut file, bytes).unwrap();
    file
}

fn open(bytes: &[u8]) -> Result<Archive, Unusable> {
    Archive::open(file(bytes))
}

/// An archive of records, with a digest that fits.
fn sealed(records: &[u8]) -> Vec<u8> {
    let mut bytes = records.to_vec();
    bytes.extend(format!("end {}\n", hex(&Sha256::digest(records))).into_bytes());
    bytes
}

fn record(word: &str, name: &str, content: &str) -> String {
    format!("{word} {} {}\n{name}{content}\n", name.len(), content.len())
}

fn head(entries: u64, sha256: &str) -> String {
    let at = "2026-11-25T12:00:00Z";
    let values = [
        ("by", "0.1.0"),
        ("at", at),
        ("sha256", sha256),
        ("names", ""),
        ("of", "/m"),
        ("in", "/"),
        ("weaker", "apply"),
    ];
    let values: String = values.iter().map(|(word, value)| record(word, "", value)).collect();
    format!("{MAGIC}{values}{}", record("entries", "", &entries.to_string()))
}

#[test]
fn an_archive_comes_to_what_its_files_came_to() {
    let directory = directory();
    let certificate = rcgen::generate_simple_self_signed(vec!["ca.example".to_owned()]).unwrap().cert.pem();
    write(&directory, "connectord.toml", "version = 1\ninclude = [\"d/*.toml\", \"d/a.toml\", \"none/*\"]\n");
    fs::create_dir(directory.path().join("none")).unwrap();
    fs::set_permissions(directory.path().join("none"), fs::Permissions::from_mode(0o755)).unwrap();
    write(&directory, "d/a.toml", CONNECTOR.replace("NAME", "a"));
    // A mark, which is no part of the text; a comment, which no answer shows.
    write(&directory, "list", "\u{feff}a.example # a\nb.example\n");
    write(&directory, "ca.pem", &certificate);
    // The same file by two more names, of which one is read.
    write(
        &directory,
        "d/b.toml",
        CONNECTOR.replace("NAME", "b").replace("../list", "other").replace("../ca", "ca"),
    );
    write(&directory, "d/other", "c.example\n");
    symlink("../ca.pem", directory.path().join("d/ca.pem")).unwrap();
    symlink("a.toml", directory.path().join("d/c.toml")).unwrap();
    let ready = loaded(&directory);
    let bytes = archived(&ready);
    let [tls, transport] =
        [tables::tls(&ready.snapshot).to_string(), tables::transport(&ready.snapshot).to_string()];
    assert!(tls.contains("a.example") && tls.contains("c.example") && tls.contains("tafile="), "{tls}");
    drop(directory);

    let again = load::load_archive(open(&bytes).unwrap(), 1).unwrap();
    assert_eq!(again.snapshot.sha256(), ready.snapshot.sha256());
    assert_eq!(tables::tls(&again.snapshot).to_string(), tls);
    assert_eq!(tables::transport(&again.snapshot).to_string(), transport);
    assert_eq!(again.warnings, ready.warnings);
    assert_eq!((again.server, again.listen), (ready.server, ready.listen));
    assert_eq!(archived(&load::load_archive(open(&bytes).unwrap(), 1).unwrap()), bytes);
}

#[test]
fn f9_what_was_cut_or_changed_in_a_bit_is_nothing() {
    let directory = directory();
    write(&directory, "connectord.toml", "version = 1\ninclude = [\"d/*.toml\"]\n");
    write(&directory, "d/a.toml", "version = 1\n");
    let bytes = archived(&loaded(&directory));
    assert!(open(&bytes).is_ok());
    for length in 0..bytes.len() {
        let error = open(&bytes[..length]).unwrap_err();
        assert!(matches!(error, Unusable::Damaged), "cut at {length}: {error}");
    }
    let changed = file(&bytes);
    for (at, byte) in bytes.iter().enumerate() {
        for bit in 0..8 {
            changed.write_all_at(&[byte ^ (1 << bit)], at.try_into().unwrap()).unwrap();
            let error = Archive::open(changed.try_clone().unwrap()).unwrap_err();
            let is_its_number = matches!(error, Unusable::OtherFormat(_)) && at == EVERY_MAGIC.len();
            assert!(
                is_its_number || matches!(error, Unusable::Damaged | Unusable::TooLarge),
                "{bit} of {at}: {error}"
            );
        }
        changed.write_all_at(&[*byte], at.try_into().unwrap()).unwrap();
    }
    assert!(Archive::open(changed).is_ok());
    assert!(matches!(open(&[&bytes[..], b"\n"].concat()), Err(Unusable::Damaged)));
}

#[test]
fn what_no_connectord_writes_is_refused_in_little_memory() {
    let good = format!("{}{}", head(1, ""), record("main", "/m", "version = 1\n"));
    assert!(open(&sealed(good.as_bytes())).is_ok());
    let huge = u64::MAX;
    let damaged = [
        ("nothing", String::new()),
        ("no head", MAGIC.to_owned()),
        ("a line without end", format!("{MAGIC}{}", "b".repeat(1 << 20))),
        ("a long value", format!("{MAGIC}{}", record("by", "", &"x".repeat(10_000)))),
        ("another order", good.replacen("by", "at", 1)),
        ("a name where none is", good.replacen("by 0 5\n0.1.0", "by 1 4\n0.1.0", 1)),
        ("no time", good.replace("2026-11-25T12:00:00Z", "2026-13-25T12:00:00Z")),
        ("an unknown setting", good.replace("apply", "ample")),
        ("an unknown word", good.replace("main 2", "pain 2")),
        ("fewer entries than are there", good.replace("entries 0 1\n1", "entries 0 1\n0")),
        ("more entries than are there", good.replace("entries 0 1\n1", "entries 0 1\n2")),
        ("no number", good.replace("main 2 12", "main 2 -1")),
        ("no number of the content", good.replace("main 2 12", "main 2")),
        ("more content than is there", good.replace("main 2 12", &format!("main 2 {huge}"))),
        ("content past the end of numbers", good.replace("main 2 12", &format!("main 2 {huge}0"))),
        ("less content than is there", good.replace("main 2 12", "main 2 11")),
        ("a name longer than the file", good.replace("main 2 12", "main 60000000 12")),
    ];
    for (name, bytes) in damaged {
        let error = open(&sealed(bytes.as_bytes())).unwrap_err();
        assert!(matches!(error, Unusable::Damaged), "{name}: {error}");
    }
    let too_large = [
        ("entries", head(huge, "")),
        ("a name", good.replace("main 2 12", &format!("main {huge} 12"))),
        ("a pattern", format!("{}match 0 {}\n", head(1, ""), MAX_NAMES + 1)),
        (
            "a pattern beside another",
            format!("{}{}match 0 {MAX_NAMES}\n", head(2, ""), record("match", "x", "y")),
        ),
        ("a path that leads elsewhere", format!("{}same 1 {huge}\n", head(1, ""))),
    ];
    for (name, bytes) in too_large {
        let error = open(&sealed(bytes.as_bytes())).unwrap_err();
        assert!(matches!(error, Unusable::TooLarge), "{name}: {error}");
    }
    let large = tempfile::tempfile().unwrap();
    large.set_len(LIMIT + 1).unwrap();
    assert!(matches!(Archive::open(large), Err(Unusable::TooLarge)));
}

#[test]
fn another_version_is_told_by_its_number() {
    let later = sealed(head(0, "").replacen("good 1", "good 12", 1).as_bytes());
    let error = open(&later).unwrap_err();
    assert_eq!(error.to_string(), "it was kept by another version of connectord (format 12)");
    assert!(matches!(Head::read(&file(&later)), Err(Unusable::OtherFormat(_))));
    for first in ["connectord last good", "connectord last good one\n", "connectord last good  1\n", "\n"] {
        assert!(matches!(open(first.as_bytes()), Err(Unusable::Damaged)), "{first:?}");
    }
}

#[test]
fn an_archive_that_comes_to_something_else_is_not_loaded() {
    let load = |records: &str| load::load_archive(open(&sealed(records.as_bytes())).unwrap(), 1);
    let main = |text: &str| record("main", "/m", text);
    // Made by hand, with a digest that fits the bytes but not the configuration.
    let error = load(&format!("{}{}", head(1, "5ha"), main("version = 1\n"))).unwrap_err();
    assert!(matches!(error, NotAsKept::Other), "{error}");
    for text in ["version = 1\nbogus = 1\n", "version = 1\ninclude = [\"x\"]\n", ""] {
        let error = load(&format!("{}{}", head(1, ""), main(text))).unwrap_err();
        assert!(matches!(error, NotAsKept::Problems(_)), "{text}: {error}");
    }
    assert!(matches!(load(&head(0, "")), Err(NotAsKept::Problems(_))), "no main file");
    let mut archive = open(&sealed(format!("{}{}", head(1, ""), main("version = 1\n")).as_bytes())).unwrap();
    archive.files.insert((Role::List, "/l".into()), Extent { offset: 0, length: Role::List.limit() + 1 });
    assert!(matches!(archive.file(Role::List, Path::new("/l")), Err(Unreadable::TooLarge(_))));
    assert!(matches!(archive.file(Role::Main, Path::new("/l")), Err(Unreadable::Missing)), "in another role");
}
