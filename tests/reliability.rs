//! `tests/reliability.md` says of each id of the reliability list which tests hold it, and
//! `SECURITY.md` of each lesson from other people's holes; this holds the tables.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every id of the list. Those of N and P are rules without a number of their own.
fn ids() -> Vec<String> {
    let numbered = [('S', 15), ('T', 4), ('C', 12), ('L', 11), ('F', 18), ('R', 10), ('X', 6), ('Z', 7)];
    let all = numbered.into_iter().flat_map(|(letter, last)| (1..=last).map(move |n| format!("{letter}{n}")));
    ["N", "P", "D"].map(str::to_owned).into_iter().chain(all).collect()
}

/// The rows of all tables of a file with so many columns, without heads and rules.
fn table<const COLUMNS: usize>(path: &str) -> Vec<[String; COLUMNS]> {
    let text = read(path);
    let mut rows = Vec::new();
    let mut within = false;
    for line in text.lines() {
        let cells = line.strip_prefix('|').and_then(|line| line.strip_suffix('|'));
        let cells: Vec<String> =
            cells.into_iter().flat_map(|line| line.split('|')).map(|cell| cell.trim().to_owned()).collect();
        // The first line of a table is its head.
        let is_rule = cells.iter().all(|cell| cell.bytes().all(|byte| byte == b'-'));
        match cells.try_into() {
            Ok(row) if within && !is_rule => rows.push(row),
            Ok(_) => within = true,
            Err(_) => within = false,
        }
    }
    rows
}

/// The rows of the reliability list: an id, and what stands beside it.
fn rows() -> BTreeMap<String, String> {
    let mut rows = BTreeMap::new();
    for [id, text] in table("tests/reliability.md") {
        assert_eq!(rows.insert(id.clone(), text), None, "{id} twice");
    }
    rows
}

/// What stands between backquotes.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// Whether a name has an id, alone (`s3_…`), among others (`s3_s4_…`), or in a range (`s1_to_s9_…`).
fn has(name: &str, id: &str) -> bool {
    let id = id.to_lowercase();
    let (letter, number) = id.split_at(1);
    let of = |word: &str| word.strip_prefix(letter).map(str::to_owned);
    let words: Vec<&str> = name.split('_').collect();
    let alone = words.iter().any(|word| match number {
        // A rule: its letter, or a number that it once had.
        "" => of(word).is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit())),
        _ => *word == id,
    });
    let within = words.windows(3).any(|three| match three {
        [first, "to", last] => {
            let [first, last, number] = [of(first), of(last), Some(number.to_owned())]
                .map(|text| text.and_then(|text| text.parse::<u32>().ok()));
            number.is_some() && first <= number && number <= last && first.is_some()
        }
        _ => false,
    });
    alone || within
}

#[test]
fn every_id_has_a_row_and_every_row_its_tests_or_a_reason() {
    let rows = rows();
    let mut expected = ids();
    expected.sort();
    assert_eq!(rows.keys().cloned().collect::<Vec<_>>(), expected);
    for (id, text) in &rows {
        let tests = quoted(text).into_iter().filter(|word| word.contains("::"));
        let named = tests.filter(|word| has(word.rsplit("::").next().unwrap(), id)).count();
        assert!(
            named > 0 || text.starts_with("Not "),
            "{id}: no test with the id in its name, and no reason"
        );
    }
}

/// How many tests a text names; each of them exists, and each file.
fn existing(row: &str, text: &str) -> usize {
    let mut tests = 0;
    for word in quoted(text) {
        if let Some((path, name)) = word.split_once("::") {
            assert!(read(path).contains(&format!("fn {name}(")), "{row}: no test {name} in {path}");
            tests += 1;
        } else if word.starts_with("tests/") || word.starts_with("src/") {
            assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(word).exists(), "{row}: no {word}");
        }
    }
    tests
}

#[test]
fn every_test_and_file_of_the_table_exists() {
    let tests: usize = rows().iter().map(|(id, text)| existing(id, text)).sum();
    assert!(tests > 150, "{tests}");
}

#[test]
fn every_lesson_in_security_md_has_its_tests() {
    let lessons = table::<4>("SECURITY.md");
    assert!(lessons.len() > 20, "{}", lessons.len());
    for [lesson, _, _, tests] in &lessons {
        assert!(existing(lesson, tests) > 0, "{lesson}: no test");
    }
    // Named elsewhere in it.
    existing("SECURITY.md", &read("SECURITY.md"));
}

#[test]
fn names_have_their_ids() {
    for (name, id) in [
        ("s3_x", "S3"),
        ("s3_s4_x", "S4"),
        ("s1_to_s9_x", "S5"),
        ("n_x", "N"),
        ("n11_x", "N"),
        ("n_p_x", "P"),
    ] {
        assert!(has(name, id), "{name} {id}");
    }
    for (name, id) in [("s3_x", "S33"), ("s33_x", "S3"), ("s1_to_s9_x", "S10"), ("no_x", "N"), ("x", "S1")] {
        assert!(!has(name, id), "{name} {id}");
    }
}

/// A match over requirements or answers names every variant, and arithmetic that wraps panics.
#[test]
fn z6_z7_what_the_compiler_watches_is_switched_on() {
    let manifest = read("Cargo.toml");
    for line in ["wildcard_enum_match_arm = \"warn\"", "overflow-checks = true", "unsafe_code = \"forbid\""] {
        assert!(manifest.lines().any(|there| there.starts_with(line)), "{line}");
    }
    // Warnings of lints are errors where a change is accepted.
    assert!(read("tests/run").contains("clippy --locked --all-targets -- -D warnings"));
}
