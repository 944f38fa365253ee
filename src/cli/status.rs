//! `connectord status`: how the running daemon is.
//!
//! With `--json` the daemon's object is passed on as it came, keys that this version does not
//! know included, and with the key `validation`, which is not the daemon's: it has no part in that.
//! A daemon that serves although its last load failed is no failure of this command: it says so and
//! what to do, and ends with 0. A connector that only reports is counted with what it would have decided, and
//! that is said of it (`would have`), because the MTA was told nothing of it.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::validated::{Shown, UNKNOWN, Validated};
use super::{Exit, Failure, Output, Settings, control, moment};
use crate::config::{self, Problems};
use crate::server::control::Command;

/// Connectors that are shown one a line; `list` shows all.
const SHOWN: usize = 20;

/// Problems that are shown; `check` shows all, with the lines that they are in.
const PROBLEMS: usize = 3;

/// The daemon's answer, as far as it is shown.
#[derive(Deserialize)]
struct Status {
    version: String,
    pid: u32,
    generation: u64,
    sha256: String,
    loaded_at: String,
    degraded: bool,
    connectors: serde_json::Value,
    last_reload: Option<LastReload>,
    /// Older daemons keep none.
    #[serde(default)]
    last_good: LastGood,
    listeners: Vec<Listener>,
    connections: u64,
    decisions: Vec<Decisions>,
    log_lost: u64,
}

#[derive(Deserialize)]
struct LastReload {
    at: String,
    ok: bool,
    problems: serde_json::Value,
}

/// A problem of the last load.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Problem {
    file: String,
    line: usize,
    column: usize,
    message: String,
    help: String,
}

/// What the daemon has for its next start.
#[derive(Default, Deserialize)]
#[serde(default)]
struct LastGood {
    served: bool,
    unaccepted: bool,
    kept: bool,
    at: String,
    problem: String,
}

#[derive(Deserialize)]
struct Listener {
    protocol: String,
    path: PathBuf,
}

#[derive(Deserialize)]
struct Decisions {
    connector: String,
    verdict: String,
    /// The connector is in `report`; older daemons do not tell.
    #[serde(default)]
    reporting: bool,
    count: u64,
}

/// Of a command that can write both, and neither beside the other.
pub(super) const TWO_FORMATS: &str = "--json and --prometheus are two formats; give one";

/// The options of `status`.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// Write the metrics of the daemon, as Prometheus reads them
    ///
    /// It is what a [[listen]] for metrics serves, for a file that another program collects. When the daemon does not
    /// answer nothing is written.
    #[arg(long)]
    prometheus: bool,
}

pub(super) fn run(options: &Options, settings: &Settings, out: &mut Output) -> Result<Exit, Failure> {
    if options.prometheus {
        if settings.json {
            return Err(Failure::Argument(TWO_FORMATS.to_owned()));
        }
        out.write_all(control::metrics(settings)?.as_bytes())?;
        return Ok(Exit::Good);
    }
    let answer = control::ask::<Status>(settings, Command::Status)?;
    let validation = validation(settings);
    if settings.json {
        writeln!(out, "{}", with_validation(&answer.line, validation.ok().as_deref()))?
    } else {
        write!(out, "{}", answer.value)?;
        tell(&validation, out)?
    }
    Ok(Exit::Good)
}

/// Whether the connectors are validated: the daemon does not know, so the files are asked, and the
/// kept results. Files with problems are no failure of this command.
fn validation(settings: &Settings) -> Result<Vec<Shown>, Problems> {
    let now = Timestamp::now();
    let loaded = config::load(&settings.config, now)?;
    Ok(Validated::open(&settings.state_dir(), now, &loaded.agreements).all(&loaded.agreements))
}

/// The daemon's object with the key `validation`; null when the files have problems. Otherwise the
/// object stays as it came, byte for byte.
fn with_validation(line: &str, validation: Option<&[Shown]>) -> String {
    let has_one = |line: &str| {
        let keys: Result<BTreeMap<String, IgnoredAny>, _> = serde_json::from_str(line);
        keys.is_ok_and(|keys| keys.contains_key("validation"))
    };
    if has_one(line) {
        return line.to_owned();
    }
    let text = serde_json::to_string(&validation).unwrap_or_else(|_| "null".to_owned());
    match line.trim_end().strip_suffix('}') {
        Some(open) => format!("{open},\"validation\":{text}}}"),
        None => line.to_owned(),
    }
}

/// How many are validated; of the others, those that were once tested, one a line, and so those
/// that only count with authorities that were named by hand.
fn tell(validation: &Result<Vec<Shown>, Problems>, out: &mut Output) -> io::Result<()> {
    let Ok(all) = validation else {
        return writeln!(out, "validated    not known: the configuration has problems");
    };
    if all.iter().any(|shown| shown.unknown) {
        return writeln!(out, "validated    {UNKNOWN}");
    }
    let valid = all.iter().filter(|shown| shown.valid).count();
    writeln!(out, "validated    {valid} of {}", all.len())?;
    let told = |shown: &&Shown| shown.authorities.is_some() || !matches!(shown.state, "validated" | "never");
    let mut rest = all.iter().filter(told);
    for Shown { connector, words, .. } in rest.by_ref().take(SHOWN) {
        writeln!(out, "  {connector}: {words}")?;
    }
    match rest.count() {
        0 => Ok(()),
        more => writeln!(out, "  and {more} more; `connectord list` shows all"),
    }
}

/// A number, or how many there are of a list.
fn count(value: &serde_json::Value) -> String {
    value.as_array().map_or_else(|| value.to_string(), |items| items.len().to_string())
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Problem { file, line, column, message, help } = self;
        match (file.is_empty(), line) {
            (true, _) => writeln!(f, "  {message}")?,
            (false, 0) => writeln!(f, "  {file}: {message}")?,
            (false, _) => writeln!(f, "  {file}:{line}:{column}: {message}")?,
        }
        if help.is_empty() { Ok(()) } else { writeln!(f, "    help: {help}") }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "connectord {}, process {}", self.version, self.pid)?;
        writeln!(f, "generation   {}, loaded at {}", self.generation, moment::of_text(&self.loaded_at))?;
        writeln!(f, "sha256       {}", self.sha256)?;
        writeln!(f, "connectors   {}", count(&self.connectors))?;
        if self.degraded {
            let what = if self.last_good.unaccepted {
                "the files are served, and somebody has yet to accept them"
            } else {
                "what is served is not what the files say"
            };
            writeln!(f, "degraded     yes: {what}")?;
            if self.last_good.served {
                let at = moment::of_text(&self.last_good.at);
                writeln!(f, "             it is the last good configuration, of {at}")?;
            }
            if !self.last_good.unaccepted {
                writeln!(
                    f,
                    "             mend what is told below (connectord check tells all), then: connectord reload"
                )?;
            }
        }
        match &self.last_reload {
            // The first generation is that of the start.
            Some(LastReload { ok: true, .. }) if self.generation == 1 => {
                writeln!(f, "last reload  none since the start")?;
            }
            None => {}
            Some(LastReload { at, ok: true, .. }) => {
                writeln!(f, "last reload  good, at {}", moment::of_text(at))?;
            }
            Some(LastReload { at, ok: false, problems }) => {
                let at = moment::of_text(at);
                let is_of_the_start = self.last_good.served || self.last_good.unaccepted;
                let what =
                    if is_of_the_start && self.generation == 1 { "last load  " } else { "last reload" };
                writeln!(f, "{what}  FAILED at {at}, problems: {}", count(problems))?;
                for problem in problems.as_array().into_iter().flatten().take(PROBLEMS) {
                    write!(f, "{}", Problem::deserialize(problem).unwrap_or_default())?;
                }
            }
        }
        match &self.last_good {
            LastGood { problem, .. } if !problem.is_empty() => {
                writeln!(f, "last good    NOT KEPT for the next start: {problem}")?;
            }
            LastGood { kept: true, served: false, at, .. } => {
                writeln!(f, "last good    kept, of {}", moment::of_text(at))?;
            }
            LastGood { .. } => {}
        }
        for Listener { protocol, path } in &self.listeners {
            writeln!(f, "listens      {protocol} on {}", path.display())?;
        }
        writeln!(f, "connections  {}", self.connections)?;
        for Decisions { connector, verdict, reporting, count } in &self.decisions {
            let connector = if connector.is_empty() { "(no enforcing connector)" } else { connector };
            if *reporting {
                writeln!(
                    f,
                    "would have   {connector}: {verdict} {count} (in report: not what was answered)"
                )?;
            } else {
                writeln!(f, "decided      {connector}: {verdict} {count}")?;
            }
        }
        if self.log_lost > 0 {
            writeln!(f, "log lost     {} lines", self.log_lost)?;
        }
        Ok(())
    }
}
