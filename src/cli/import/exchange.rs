//! `connectord import exchange`: connectors of Exchange, from files that PowerShell wrote.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;

use super::summary;
use crate::cli::output::talk;
use crate::cli::{Exit, Failure, Output};
use crate::migrate::exchange::{Exports, Imported, MAX_FILE};

/// The options of `import exchange`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Options {
    /// Files with what Get-OutboundConnector, Get-InboundConnector, Get-SendConnector or Get-ReceiveConnector show, as
    /// ConvertTo-Json or Export-Clixml write it: UTF-8 or UTF-16, at most 64 MiB each, 10 000 connectors in all
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

pub(super) fn run(options: &Options, out: &mut Output) -> Result<Exit, Failure> {
    let mut exports = Exports::default();
    let mut names = Vec::with_capacity(options.files.len());
    for path in &options.files {
        let name = path.display().to_string();
        let bytes = bytes(path).map_err(|error| Failure::File { path: path.clone(), error })?;
        exports.read(&name, bytes);
        names.push(name);
    }
    let Imported { drafts, refused, remarks } = exports.finish();
    let head = format!(
        "Imported from Exchange: {}. Read each comment before `mode` becomes \"enforce\".",
        names.join(", ")
    );
    let exit = summary::write(&[head], &drafts, &refused, out)?;
    for remark in remarks {
        talk(format_args!("note: {remark}"));
    }
    Ok(exit)
}

/// What is in a file, and of one that is too large as much as shows that.
fn bytes(path: &Path) -> std::io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let most = u64::try_from(MAX_FILE).unwrap_or(u64::MAX).saturating_add(1);
    let length = file.metadata()?.len().min(most);
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
    file.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}
