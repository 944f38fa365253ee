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
pub(super) const OPTIONS: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };

/// The files that the patterns mean, each once, in the order of the patterns and within one by
/// name, with the place of the pattern.
///
/// A path without a star that means nothing is a problem, and so is a pattern in a directory
/// that does not exist: misspelt or not mounted, it would take every connector away without a
/// word. A pattern that no file in its directory matches is a warning, for a directory may be
/// waiting for its first connector.
pub(super) fn files(reading: &mut Reading, item: Item<'_>, source: &Source) -> Vec<(PathBuf, Place)> {
    let mut files = Vec::new();
    let main = reading.identity(&source.path);
    let mut seen = BTreeSet::new();
    for text in item.texts(reading) {
        for path in matching(reading, text.text, text.place, source) {
            let identity = reading.identity(&path);
            if identity == main {
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
            } else if seen.insert(identity) {
                files.push((path, text.place));
            }
        }
    }
    // Of two that contradict each other the later one is told of: that is never what is there already.
    files.sort_by_key(|(path, _)| reading.planned() == Some(path));
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
    let before = reading.problems.len();
    let paths = reading.matching(written, |reading| look(reading, written, place, source));
    if paths.is_empty() && reading.problems.len() == before {
        reading.warn(
            place,
            format!("{} matches no file", shown(written)),
            "capitals count, and a name that begins with a dot is passed over; if none is there yet, this is fine",
        );
    }
    paths
}

/// The files that a pattern means now, by name.
fn look(reading: &mut Reading, written: &str, place: Place, source: &Source) -> Vec<PathBuf> {
    let start = if Path::new(written).is_absolute() { PathBuf::from("/") } else { source.resolve("") };
    let mut paths = vec![start];
    let mut fixed = true;
    for part in written.split('/').filter(|part| !part.is_empty()) {
        paths = match Pattern::new(part) {
            Ok(pattern) if part.contains(['*', '?', '[']) => {
                if std::mem::take(&mut fixed) && paths.iter().any(|path| no_directory(reading, place, path)) {
                    return Vec::new();
                }
                entries(reading, place, &paths, &pattern)
            }
            _ => paths.into_iter().map(|path| path.join(part)).collect(),
        };
    }
    let planned = reading.planned().map(Path::to_owned);
    paths.retain(|path| match std::fs::symlink_metadata(path) {
        Ok(_) => true,
        Err(_) if planned.as_ref() == Some(path) => true,
        Err(error) => {
            unreadable(reading, place, path, &error);
            false
        }
    });
    paths.sort();
    paths
}

/// Tells when the directory that a pattern begins with does not exist. That it cannot be looked
/// into is told by whoever looks.
fn no_directory(reading: &mut Reading, place: Place, path: &Path) -> bool {
    use std::io::ErrorKind::{NotADirectory, NotFound};
    let why = match std::fs::metadata(or_here(path)) {
        Ok(metadata) if metadata.is_dir() => return false,
        Ok(_) => "this is no directory",
        Err(error) if error.kind() == NotFound => "no such directory",
        Err(error) if error.kind() == NotADirectory => "this is no directory",
        Err(_) => return false,
    };
    let message = format!("{}: {why}", shown(&path.display().to_string()));
    reading.problem(place, message, "create the directory, or take the pattern out");
    true
}

/// The path, or for none at all the working directory.
fn or_here(path: &Path) -> &Path {
    if path.as_os_str().is_empty() { Path::new(".") } else { path }
}

const PATTERN_HELP: &str = "`*` and `?` stand for any characters but `/`, `[ab]` for one of these";

/// What is in these directories under a name of this pattern. The walk is ours because a
/// directory that cannot be looked into must be a problem: passed over, its connectors would be
/// gone without a word.
fn entries(reading: &mut Reading, place: Place, directories: &[PathBuf], pattern: &Pattern) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for directory in directories {
        let names = std::fs::read_dir(or_here(directory)).and_then(|entries| {
            entries.map(|entry| entry.map(|entry| entry.file_name())).collect::<std::io::Result<Vec<_>>>()
        });
        match names {
            Ok(mut names) => {
                let planned = reading.planned().filter(|planned| planned.parent() == Some(directory));
                let planned = planned.and_then(Path::file_name).map(ToOwned::to_owned);
                names.extend(planned.filter(|name| !names.contains(name)));
                found.extend(
                    names
                        .iter()
                        .filter(|name| pattern.matches_path_with(Path::new(name), OPTIONS))
                        .map(|name| directory.join(name)),
                );
            }
            Err(error) => unreadable(reading, place, directory, &error),
        }
    }
    found
}

/// Tells why there may be more than was found; that there is nothing below a star is fine.
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
