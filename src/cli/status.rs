//! `connectord status`: how the running daemon is.
//!
//! With `--json` the daemon's object is passed on as it came, keys that this version does not
//! know included. A daemon that serves although its last reload failed is no failure of this
//! command: it says so, and ends with 0.

use std::fmt;
use std::io::Write;
use std::path::PathBuf;

use serde::Deserialize;

use super::{Exit, Failure, Output, Settings, control};
use crate::server::control::Command;

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

#[derive(Deserialize)]
struct Listener {
    protocol: String,
    path: PathBuf,
}

#[derive(Deserialize)]
struct Decisions {
    connector: String,
    verdict: String,
    count: u64,
}

pub(super) fn run(settings: &Settings, out: &mut Output) -> Result<Exit, Failure> {
    let answer = control::ask::<Status>(settings, Command::Status)?;
    if settings.json {
        writeln!(out, "{}", answer.line)?
    } else {
        write!(out, "{}", answer.value)?
    }
    Ok(Exit::Good)
}

/// A number, or how many there are of a list.
fn count(value: &serde_json::Value) -> String {
    value.as_array().map_or_else(|| value.to_string(), |items| items.len().to_string())
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "connectord {}, process {}", self.version, self.pid)?;
        writeln!(f, "generation   {}, loaded at {}", self.generation, self.loaded_at)?;
        writeln!(f, "sha256       {}", self.sha256)?;
        writeln!(f, "connectors   {}", count(&self.connectors))?;
        if self.degraded {
            writeln!(f, "degraded     yes: what is served is not what the files say")?;
        }
        match &self.last_reload {
            // The first generation is that of the start.
            Some(LastReload { ok: true, .. }) if self.generation == 1 => {
                writeln!(f, "last reload  none since the start")?;
            }
            None => {}
            Some(LastReload { at, ok: true, .. }) => writeln!(f, "last reload  good, at {at}")?,
            Some(LastReload { at, ok: false, problems }) => {
                writeln!(f, "last reload  FAILED at {at}, problems: {}", count(problems))?;
            }
        }
        for Listener { protocol, path } in &self.listeners {
            writeln!(f, "listens      {protocol} on {}", path.display())?;
        }
        writeln!(f, "connections  {}", self.connections)?;
        for Decisions { connector, verdict, count } in &self.decisions {
            let connector = if connector.is_empty() { "(no connector)" } else { connector };
            writeln!(f, "decided      {connector}: {verdict} {count}")?;
        }
        if self.log_lost > 0 {
            writeln!(f, "log lost     {} lines", self.log_lost)?;
        }
        Ok(())
    }
}
