//! What came of an import: the file to stdout, and what is to be said about it to stderr.

use std::io::Write;

use crate::cli::output::talk;
use crate::cli::{Exit, Failure, Output};
use crate::migrate::{Draft, NOTE, Refused, file};
use crate::protocol::escape::printable;

/// Octets of a file of the configuration (`config::Role`).
const TOML: usize = 16 << 20;

/// Writes the connectors below these lines and tells what there is to tell.
pub(super) fn write(
    head: &[String],
    drafts: &[Draft],
    refused: &[Refused],
    out: &mut Output,
) -> Result<Exit, Failure> {
    let text = file(head, drafts);
    write!(out, "{text}")?;
    if text.len() > TOML {
        talk(format_args!(
            "warning: this has more than the {} MiB that a file of the configuration may have: spread it over several",
            TOML >> 20
        ));
    }
    for draft in drafts {
        for note in &draft.notes {
            talk(format_args!("note: {}: {}", draft.name, printable(note, NOTE)));
        }
    }
    for refused in refused {
        talk(format_args!("not imported: {refused}"));
    }
    let notes: usize = drafts.iter().map(|draft| draft.notes.len()).sum();
    talk(format_args!(
        "{} imported, {notes} to look at, {} not imported",
        counted(drafts.len()),
        refused.len()
    ));
    Ok(if refused.is_empty() { Exit::Good } else { Exit::NotGood })
}

fn counted(connectors: usize) -> String {
    if connectors == 1 { "1 connector".to_owned() } else { format!("{connectors} connectors") }
}
