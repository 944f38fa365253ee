//! `include`: which further files there are.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use glob::{MatchOptions, Pattern};

use super::problem::shown;
use super::reading::Reading;
use super::source::{Place, Source};
use super::table::Item;

/// Files that may be included; further ones are not read, and that is a problem.
const MAX_FILES: usize = 20_000;

/// Hidden files are left alone: editors and configuration management put theirs beside ours.
const OPTIONS: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };

/// The files that the patterns mean, each once, in the order of the patterns and within one by
/// name, with the place of the pattern. One without a star that means nothing is a problem: the
/// file was there when it was written.
pub(super) fn files(reading: &mut Reading, item: Item<'_>, source: &Source) -> Vec<(PathBuf, Place)> {
    let mut files = Vec::new();
    let identity = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let main = identity(&source.path);
    let mut seen = BTreeSet::new();
    for text in item.texts(reading) {
        for path in matching(reading, text.text, text.place, source) {
            if identity(&path) == main {
                reading.problem(
                    text.place,
                    "the main file would include itself",
                    "give the connectors a directory of their own",
                );
            } else if files.len() == MAX_FILES {
                reading.problem(
                    text.place,
                    format!("more than {MAX_FILES} files"),
                    "put several connectors into one file",
                );
                return files;
            } else if seen.insert(identity(&path)) {
                files.push((path, text.place));
            }
        }
    }
    files
}

fn matching(reading: &mut Reading, written: &str, place: Place, source: &Source) -> Vec<PathBuf> {
    if written.is_empty() {
        reading.problem(place, "an empty pattern", "write a path, such as \"connectors.d/*.toml\"");
        return Vec::new();
    }
    if !written.contains(['*', '?', '[']) {
        return vec![source.resolve(written)];
    }
    // Only what is written is a pattern; the directory it is relative to may hold any character.
    let pattern = if Path::new(written).is_absolute() {
        written.to_owned()
    } else {
        match source.path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            Some(parent) => format!("{}/{written}", Pattern::escape(&parent.display().to_string())),
            None => written.to_owned(),
        }
    };
    let found = match glob::glob_with(&pattern, OPTIONS) {
        Ok(found) => found,
        Err(error) => {
            let help = "`*` and `?` stand for any characters but `/`, `[ab]` for one of these";
            reading.problem(place, format!("{} is no pattern: {}", shown(written), error.msg), help);
            return Vec::new();
        }
    };
    let mut paths = Vec::new();
    for entry in found {
        match entry {
            Ok(path) => paths.push(path),
            Err(error) => {
                let message = format!("{}: {}", shown(&error.path().display().to_string()), error.error());
                reading.problem(place, message, "let the user that connectord runs as read the directory");
            }
        }
    }
    paths.sort();
    paths
}
