//! `connectord import csv`.

use std::path::PathBuf;

use clap::Args;

use super::mode::Imported;
use super::{input, summary};
use crate::cli::output::talk;
use crate::cli::{Exit, Failure, Output};
use crate::migrate::csv::{self, Import};
use crate::migrate::{NOTE, Unique};
use crate::protocol::escape::printable;

/// The options of `import csv`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Options {
    /// The list: CSV in UTF-8, with commas, semicolons or tabs between the fields
    file: PathBuf,
    /// The mode of the connectors
    #[arg(long, value_enum, default_value = "report")]
    mode: Imported,
}

pub(super) fn run(options: &Options, out: &mut Output) -> Result<Exit, Failure> {
    let Options { file, mode } = options;
    let text = match input::read(file)? {
        Ok(text) => text,
        Err(refused) => return summary::write(&[], &[], &[refused], out),
    };
    let name = file.display().to_string();
    let Import { drafts, refused, unknown, rows } =
        csv::outbound(&name, &text, (*mode).into(), &mut Unique::default());
    let mut head = vec![format!("Imported from {name}: rows: {rows}, not imported: {}.", refused.len())];
    if !unknown.is_empty() {
        let columns = unknown.join(", ");
        let note = format!(
            "Columns of the list that no connector has anything of: {columns}. If one is a demand, it is not here."
        );
        talk(format_args!("note: {}", printable(&note, NOTE)));
        head.push(note);
    }
    summary::write(&head, &drafts, &refused, out)
}
