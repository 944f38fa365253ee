//! `connectord check`: every problem and every warning of the configuration.
//!
//! It is the same load as that of `serve` and of every reload, with the same words.

use std::io::Write;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use super::output::talk;
use super::validated::Validated;
use super::{Exit, Failure, Output, Settings};
use crate::config::{MAX_PRINTED, Problem, Problems};
use crate::load::{self, Checked};
use crate::model::{Agreements, Mode};
use crate::snapshot::Snapshot;
use crate::validate::state::Store;

/// The generation of a snapshot that no daemon serves.
pub(super) const OFF_LINE: u64 = 0;

/// The configuration as a snapshot, for commands that answer from it.
pub(super) fn snapshot(settings: &Settings) -> Result<Arc<Snapshot>, Failure> {
    let ready = load::load(&settings.config, OFF_LINE, Timestamp::now());
    Ok(ready.map_err(Failure::Configuration)?.snapshot)
}

/// The same with the connectors as written, of which a snapshot does not keep everything.
pub(super) fn whole(settings: &Settings) -> Result<(Arc<Snapshot>, Agreements), Failure> {
    let Checked { result, agreements, .. } = load::check(&settings.config, OFF_LINE, Timestamp::now());
    Ok((result.map_err(Failure::Configuration)?.snapshot, agreements))
}

/// What `check --json` prints.
#[derive(Serialize)]
struct Report<'c> {
    ok: bool,
    problems: Vec<Finding<'c>>,
    warnings: Vec<Finding<'c>>,
}

#[derive(Serialize)]
struct Finding<'c> {
    file: &'c str,
    line: usize,
    column: usize,
    message: &'c str,
    help: &'c str,
}

impl<'c> Finding<'c> {
    fn of(problem: &'c Problem) -> Self {
        let Problem { file, line, column, message, help, .. } = problem;
        Finding { file, line: *line, column: *column, message, help }
    }
}

pub(super) fn run(settings: &Settings, out: &mut Output) -> Result<Exit, Failure> {
    let now = Timestamp::now();
    let Checked { result, warnings, agreements } = load::check(&settings.config, OFF_LINE, now);
    let none = Problems::default();
    let (problems, exit) = match &result {
        Ok(_) => (&none, Exit::Good),
        Err(problems) => (problems, Exit::of_problems(problems)),
    };
    if settings.json {
        let report = Report {
            ok: result.is_ok(),
            problems: problems.iter().map(Finding::of).collect(),
            warnings: warnings.iter().map(Finding::of).collect(),
        };
        out.json(&report)?;
        return Ok(exit);
    }
    if !problems.is_empty() {
        talk(format_args!("{problems}"));
    }
    for warning in warnings.iter().take(MAX_PRINTED) {
        talk(format_args!("warning: {warning}"));
    }
    if let Some(more) = warnings.len().checked_sub(MAX_PRINTED).filter(|&more| more > 0) {
        talk(format_args!("and {} more", counted(more, "warning")));
    }
    if let Ok(ready) = &result {
        switched_on(settings, &agreements, &ready.snapshot, now);
    }
    let file = settings.config.display();
    let warned = counted(warnings.len(), "warning");
    match result {
        Ok(ready) => writeln!(out, "{file}: good, {}, {warned}", connectors(&ready.snapshot))?,
        Err(problems) => writeln!(out, "{file}: {}, {warned}", counted(problems.len(), "problem"))?,
    }
    Ok(exit)
}

/// Says of connectors in force that their partner failed when it was tested last: the time to know
/// that is before the reload. It is about the partner, and no warning about the files.
fn switched_on(settings: &Settings, agreements: &Agreements, snapshot: &Arc<Snapshot>, now: Timestamp) {
    let enforced = || agreements.outbound.iter().filter(|connector| connector.mode == Mode::Enforce);
    // Whoever may not read the results is not told of that by a check of the files.
    if enforced().next().is_none() || Store::open(&settings.state_dir()).is_forbidden() {
        return;
    }
    let validated = Validated::with(&settings.state_dir(), now, Some(snapshot.clone()));
    for shown in
        enforced().map(|connector| validated.outbound(connector)).filter(|shown| shown.state == "failed")
    {
        talk(format_args!("note: {} is enforced, and its partner {}", shown.connector, shown.words));
    }
}

fn connectors(snapshot: &Snapshot) -> String {
    let outbound = snapshot.outbound().iter().map(|connector| connector.agreement.mode);
    let modes: Vec<Mode> =
        outbound.chain(snapshot.inbound().iter().map(|connector| connector.mode)).collect();
    let enforcing = modes.iter().filter(|&&mode| mode == Mode::Enforce).count();
    format!("{}, {enforcing} enforced", counted(modes.len(), "connector"))
}

fn counted(number: usize, noun: &str) -> String {
    match number {
        0 => format!("no {noun}s"),
        1 => format!("1 {noun}"),
        number => format!("{number} {noun}s"),
    }
}
