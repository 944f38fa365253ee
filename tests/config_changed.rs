//! The examples with one mistake: a key that does not exist, a value of another type, a word in
//! another case, a file cut short.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::fs;
use std::path::Path;

use connectord::config;

#[path = "config/fixture.rs"]
#[allow(dead_code)] // each test file uses its part
mod fixture;
use fixture::{examples, now};

#[test]
fn c2_an_unknown_key_is_refused_in_every_table() {
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

/// Lines of an example that give one key its value, and the two.
fn assignments(text: &str) -> Vec<(usize, String, String)> {
    let whole = |value: &str| {
        let brackets = |open: char, close: char| value.matches(open).count() == value.matches(close).count();
        brackets('[', ']') && brackets('{', '}') && !value.contains(" #")
    };
    let lines = text.lines().enumerate().filter(|(_, line)| !line.starts_with(['#', '[', ' ']));
    lines
        .filter_map(|(at, line)| {
            let (key, value) = line.split_once(" = ").map(|(key, value)| (key.trim(), value.trim()))?;
            whole(value).then(|| (at, key.to_owned(), value.to_owned()))
        })
        .collect()
}

/// Whether a configuration is refused with a problem at this line once the line is another one.
fn refused_at(main: &Path, file: &Path, text: &str, at: usize, line: &str) -> Result<(), String> {
    let mut changed: Vec<&str> = text.lines().collect();
    changed[at] = line;
    fs::write(file, changed.join("\n")).unwrap();
    let result = config::load(main, now());
    fs::write(file, text).unwrap();
    match result {
        Ok(_) => Err(format!("{}: accepted: {line}", file.display())),
        Err(problems) if problems.iter().any(|problem| problem.line == at + 1) => Ok(()),
        Err(problems) => Err(format!("{}: another place for {line}:\n{problems}", file.display())),
    }
}

/// A value of a type that the key does not take, a key in another case, and a word in another case:
/// each is refused where it stands.
#[test]
fn c3_a_wrong_type_or_case_is_refused_at_each_key() {
    const WORDS: [&str; 12] = [
        "protocol",
        "mode",
        "level",
        "tls",
        "require.tls",
        "protocols",
        "ciphers",
        "route",
        "on_violation",
        "log",
        "log_format",
        "decisions",
    ];
    let (mut types, mut cases, mut words) = (0, 0, 0);
    for example in examples() {
        for file in &example.files {
            let text = fs::read_to_string(file).unwrap();
            for (at, key, value) in assignments(&text) {
                let refused = |line: String| refused_at(&example.main, file, &text, at, &line).unwrap();
                let free = key.starts_with("x-");
                if !free {
                    // No key is such a table.
                    refused(format!("{key} = {{ wrong = true }}"));
                    types += 1;
                }
                let upper = key.to_uppercase();
                if !free && upper != key {
                    refused(format!("{upper} = {value}"));
                    cases += 1;
                }
                let loud = value.to_uppercase();
                // A name in capitals is the same name; a word of ours is none.
                let is_word = WORDS.contains(&key.as_str()) && value.starts_with('"') && loud != value;
                if is_word {
                    refused(format!("{key} = {loud}"));
                    words += 1;
                }
            }
        }
    }
    assert!(types > 150 && cases > 150 && words > 30, "{types} {cases} {words}");
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

/// A file that is being written, or that a full disk cut short, is valid TOML at many lengths.
/// Every connector that is left must demand what it demands in the whole file. For that the examples
/// write mandatory keys behind the optional ones that strengthen.
#[test]
fn c4_a_file_cut_anywhere_is_refused_or_means_the_same() {
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
        let other = left.iter().find(|connector| !whole.contains(connector));
        assert_eq!(other, None, "{} cut at {length}", file.display());
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
