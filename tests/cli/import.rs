//! `import`: what is to be imported may be anything, and what comes of it is a configuration.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::bench::{BINARY, Bench, Ended, ended};

/// KiB that may be written to, used or not (RLIMIT_DATA).
const MEMORY: u32 = 1 << 20;

/// Runs an import with so much memory and no more.
fn import(format: &str, file: &Path) -> Ended {
    let limited = format!("ulimit -d {MEMORY}; exec \"$0\" import {format} \"$1\"");
    ended(Command::new("sh").args(["-c", &limited, BINARY]).arg(file))
}

/// One entry, in front of what is wrong and behind it.
fn around(format: &str, middle: &[u8]) -> Vec<u8> {
    let (first, last): (&[u8], &[u8]) = match format {
        "csv" => (b"domain,level\na.example,encrypt\n", b"\nb.example,encrypt\n"),
        _ => (b"# policies\na.example encrypt\n", b"\nb.example encrypt\n"),
    };
    [first, middle, last].concat()
}

#[test]
fn what_is_wrong_is_told_with_its_place_and_the_rest_is_imported() {
    let bench = Bench::new("version = 1\n");
    let long = [b"c.example".as_slice(), &vec![b'x'; 10 << 20]].concat();
    let invisible = "c\u{1b}[2J\u{202e}.example,secure".as_bytes();
    for (what, middle, postfix, csv) in [
        ("10 MiB", long.as_slice(), "longer than 65536 octets", "longer than 65536 octets"),
        ("NUL", b"c.example,\0 may", "a NUL octet", "a NUL octet"),
        ("Latin-1", b"c\xe4.example,may may", "not UTF-8", "not UTF-8"),
        ("escapes", invisible, "a key alone", "invalid"),
    ] {
        for (format, expected) in [("postfix", postfix), ("csv", csv)] {
            let file = bench.path("input");
            fs::write(&file, around(format, middle)).unwrap();
            let ended = import(format, &file).expect(1);
            let place = format!("not imported: {}:3: ", file.display());
            let told: Vec<&str> =
                ended.stderr.lines().filter(|line| line.starts_with("not imported")).collect();
            assert!(
                matches!(told.as_slice(), [line] if line.starts_with(&place) && line.contains(expected)),
                "{what}, {format}: {told:?}"
            );
            assert!(!ended.stderr.contains(['\u{1b}', '\u{202e}', '\0']), "{what}, {format}");
            assert!(
                ended.stdout.contains("\"a.example\", \"b.example\""),
                "{what}, {format}: {}",
                ended.stdout
            );
        }
    }
}

#[test]
fn what_is_cut_short_is_told_as_that() {
    let bench = Bench::new("version = 1\n");
    for (format, text) in
        [("postfix", "a.example encrypt\nb.example secure match=mx"), ("csv", "domain,level\nb.example,may")]
    {
        let file = bench.write("input", text);
        let ended = import(format, &file).expect(1);
        assert!(ended.stderr.contains("input:2: no line feed ends it"), "{format}: {}", ended.stderr);
        assert!(!ended.stdout.contains("b.example"), "{format}");
    }
}

#[test]
fn what_is_too_large_takes_no_memory() {
    let bench = Bench::new("version = 1\n");
    // 100 MiB of lines, and a file without an end.
    let file = bench.path("input");
    fs::write(&file, b"a.example encrypt\n".repeat((100 << 20) / 18)).unwrap();
    for (format, file) in [("postfix", file.as_path()), ("csv", &file), ("csv", Path::new("/dev/zero"))] {
        let ended = import(format, file).expect(1);
        assert!(ended.stderr.contains(": larger than 64 MiB"), "{format}: {}", ended.stderr);
        assert!(!ended.stdout.contains("[["), "{format}");
    }
}

#[test]
fn as_much_as_is_read_is_read_within_bounds() {
    let bench = Bench::new("version = 1\n");
    let file = bench.path("input");
    // As many lines as there may be, and one more.
    for (format, text, expected) in [
        ("postfix", "a.example encrypt\n".repeat(250_001), "input:250001: more than 250000 entries"),
        ("csv", "domain,level\n".to_owned() + &",\n".repeat(250_000), "input:250001: more than 250000 rows"),
    ] {
        fs::write(&file, text).unwrap();
        let ended = import(format, &file).expect(1);
        assert!(ended.stderr.contains(expected), "{format}");
    }
}

#[test]
fn what_is_imported_is_a_configuration_in_the_mode_that_was_asked_for() {
    let bench = Bench::new("version = 1\ninclude = [\"imported.toml\"]\n");
    let table = bench.write("policies", "a.example secure match=.a.example\n.a.example encrypt\n");
    let list = bench
        .write("list.csv", "domain;level;names;contact\r\n*.b.example;secure;mx.b.example;x@b.example\r\n");
    for (format, file, connectors) in [("postfix", &table, 2), ("csv", &list, 1)] {
        for mode in [None, Some("report"), Some("enforce"), Some("off")] {
            let mut arguments = vec!["import", format, file.to_str().unwrap()];
            arguments.extend(mode.iter().flat_map(|mode| ["--mode", mode]));
            let ended = bench.run(&arguments).expect(0);
            assert!(ended.stderr.contains(" imported, "), "{}", ended.stderr);
            bench.write("imported.toml", &ended.stdout);
            let list = bench.run(&["list", "--json"]).expect(0).json();
            let modes: Vec<&str> = list
                .as_array()
                .unwrap()
                .iter()
                .map(|connector| connector["mode"].as_str().unwrap())
                .collect();
            assert_eq!(modes, vec![mode.unwrap_or("report"); connectors]);
        }
    }
    bench.run(&["import", "csv", list.to_str().unwrap(), "--json"]).expect(64);
    bench.run(&["import", "csv", "/no/such/file"]).expect(66);
    bench.run(&["import", "postfix", "/no/such/file"]).expect(66);
}

/// A column of their own is no reason to fail, and may be a demand in words that nobody knows here.
#[test]
fn a_column_that_nobody_knows_is_told() {
    let bench = Bench::new("");
    let list = bench.write("list.csv", "domain;level;Kunde\u{1b}\r\na.example;encrypt;1\r\n");
    let ended = bench.run(&["import", "csv", list.to_str().unwrap()]).expect(0);
    let told = "Columns of the list that no connector has anything of: Kunde\\u{1b}.";
    assert!(ended.stderr.contains(&format!("note: {told}")), "{ended:?}");
    assert!(ended.stdout.contains(&format!("# {told}")), "{ended:?}");
    assert!(
        ended.stdout.contains("rows: 1, not imported: 0") && ended.stdout.contains("\"a.example\""),
        "{ended:?}"
    );
}
