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
    if let Err(error) = Pattern::new(written) {
        let message = format!("{} is no pattern: {}", shown(written), error.msg);
        reading.problem(place, message, PATTERN_HELP);
        return Vec::new();
    }
    if written.split('/').any(|part| part == "**") {
        reading.problem(
            place,
            "`**` is not supported",
            "name the directories, or write one `*` for each level",
        );
        return Vec::new();
    }
    let start = if Path::new(written).is_absolute() { PathBuf::from("/") } else { source.resolve("") };
    let mut paths = vec![start];
    for part in written.split('/').filter(|part| !part.is_empty()) {
        paths = match Pattern::new(part) {
            Ok(pattern) if part.contains(['*', '?', '[']) => entries(reading, place, &paths, &pattern),
            _ => paths.into_iter().map(|path| path.join(part)).collect(),
        };
    }
    paths.retain(|path| match std::fs::symlink_metadata(path) {
        Ok(_) => true,
        Err(error) => {
            unreadable(reading, place, path, &error);
            false
        }
    });
    paths.sort();
    paths
}

const PATTERN_HELP: &str = "`*` and `?` stand for any characters but `/`, `[ab]` for one of these";

/// What is in these directories under a name of this pattern. The walk is ours because a
/// directory that cannot be looked into must be a problem: passed over, its connectors would be
/// gone without a word.
fn entries(reading: &mut Reading, place: Place, directories: &[PathBuf], pattern: &Pattern) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for directory in directories {
        let here = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
        let names = std::fs::read_dir(here).and_then(|entries| {
            entries.map(|entry| entry.map(|entry| entry.file_name())).collect::<std::io::Result<Vec<_>>>()
        });
        match names {
            Ok(names) => found.extend(
                names
                    .iter()
                    .filter(|name| pattern.matches_path_with(Path::new(name), OPTIONS))
                    .map(|name| directory.join(name)),
            ),
            Err(error) => unreadable(reading, place, directory, &error),
        }
    }
    found
}

/// Tells why there may be more than was found; that there is nothing is fine.
fn unreadable(reading: &mut Reading, place: Place, path: &Path, error: &std::io::Error) {
    use std::io::ErrorKind::{NotADirectory, NotFound};
    if ![NotFound, NotADirectory].contains(&error.kind()) {
        let message = format!("{}: {error}", shown(&path.display().to_string()));
        reading.problem(
            place,
            message,
            "let the user that connectord runs as read and enter the directories",
        );
    }
}
