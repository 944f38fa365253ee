//! `connectord reload`: the daemon loads its files, and what comes of it is shown here.
//!
//! It waits until the new generation answers, or is refused. Changes go to stdout, one a line;
//! problems go to stderr with their places. A refusal for weakening
//! has an exit code of its own, because there is nothing to mend but something to decide.

use std::io::Write;

use clap::Args;
use serde::Deserialize;

use super::output::talk;
use super::{Exit, Failure, Output, Settings, control};
use crate::server::control::Command;

/// The options of `reload`.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// Take the new configuration although it removes or weakens what connectors demand, which
    /// `weaker_reload = "refuse"` would refuse [default: refuse it then]
    #[arg(long)]
    accept_weaker: bool,
}

/// A reload that weakens nothing more than the configuration allows.
pub(super) fn now(settings: &Settings, out: &mut Output) -> Result<Exit, Failure> {
    run(&Options { accept_weaker: false }, settings, out)
}

/// The daemon's answer, as far as it is shown.
#[derive(Deserialize)]
struct Reloaded {
    ok: bool,
    /// It could have been served, but weakens something.
    #[serde(default)]
    refused: bool,
    /// The files are good, and something else failed.
    #[serde(default)]
    internal: bool,
    generation: u64,
    changes: Vec<Change>,
    problems: Vec<Problem>,
}

#[derive(Deserialize)]
struct Change {
    connector: String,
    change: String,
    old: String,
    new: String,
}

#[derive(Deserialize)]
struct Problem {
    file: String,
    line: usize,
    column: usize,
    message: String,
    help: String,
}

pub(super) fn run(options: &Options, settings: &Settings, out: &mut Output) -> Result<Exit, Failure> {
    let command = Command::Reload { accept_weaker: options.accept_weaker };
    let answer = control::ask::<Reloaded>(settings, command)?;
    let Reloaded { ok, refused, internal, generation, changes, problems } = &answer.value;
    if settings.json {
        writeln!(out, "{}", answer.line)?;
    } else {
        for Change { connector, change, old, new } in changes {
            writeln!(out, "{change:<8} {connector}: {old} -> {new}")?;
        }
        for problem in problems {
            problem.tell();
        }
        match (ok, changes.is_empty()) {
            // Connectors in `report` and `off` may have: what they would demand is in no change.
            (true, true) => {
                writeln!(out, "reloaded as generation {generation}, nothing that is enforced changed")?;
            }
            (true, false) => writeln!(out, "reloaded as generation {generation}")?,
            (false, _) => writeln!(out, "not reloaded; generation {generation} stays in force")?,
        }
    }
    Ok(match (ok, refused, internal) {
        (true, _, _) => Exit::Good,
        (false, true, _) => Exit::NotGood,
        (false, false, true) => Exit::Internal,
        (false, false, false) => Exit::Configuration,
    })
}

impl Problem {
    /// The daemon sends no lines of files; `connectord check` shows them with a caret.
    fn tell(&self) {
        let Problem { file, line, column, message, help } = self;
        if file.is_empty() {
            talk(format_args!("connectord: {message}"));
        } else if *line > 0 {
            talk(format_args!("{file}:{line}:{column}: {message}"));
        } else {
            talk(format_args!("{file}: {message}"));
        }
        if !help.is_empty() {
            talk(format_args!("    help: {help}"));
        }
    }
}
