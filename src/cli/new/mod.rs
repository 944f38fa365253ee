//! `connectord new`: a connector by question and answer, as Exchange's wizard makes one.
//!
//! The answers become one file in the directory that the main file includes. Before it is there, the whole configuration
//! is loaded as it would be with it: a problem, of the file itself or with another connector, leaves everything as it was, and
//! so does whoever stops before the end. What it would change is shown, and nothing is loaded by the daemon without a yes.

mod ask;
mod belongs;
mod doubt;
mod inbound;
mod options;
mod outbound;
mod place;
mod trial;
mod wizard;

use std::collections::HashSet;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use jiff::Timestamp;

use super::check::OFF_LINE;
use super::output::talk;
use super::{Exit, Failure, Output, Settings, reload};
use crate::config::{DropIn, Planned};
use crate::load::{self, Ready};
use crate::migrate::file;
use crate::protocol::escape::printable;
use crate::snapshot::diff::diff;
use ask::{Asker, TRIES};
use place::Calm;
use wizard::{Plan, Wizard};

pub(super) use options::Options;

/// Characters of a path, or of a line of the new file, that are shown.
const LINE: usize = 4096;

pub(super) fn run(options: &Options, settings: &Settings, out: &mut Output) -> Result<Exit, Failure> {
    if settings.json {
        return Err(Failure::Argument("there is no JSON here; leave --json out".to_owned()));
    }
    let checked = load::check(&settings.config, OFF_LINE, Timestamp::now());
    let now = checked.result.map_err(Failure::Configuration)?;
    let Some(drop_in) = DropIn::of(&settings.config, &now.files) else {
        return Err(Failure::NoDropIn(settings.config.clone()));
    };
    let calm = Calm::new().map_err(Failure::Runtime)?;
    let (outbound, inbound) = (&checked.agreements.outbound, &checked.agreements.inbound);
    let names = outbound.iter().map(|own| &own.name).chain(inbound.iter().map(|own| &own.name));
    let taken: HashSet<&str> = names.map(|name| name.as_str()).collect();
    let asker = Asker::new(io::stdin().lock(), options.yes);
    let mut wizard = Wizard::new(asker, options, &drop_in, taken, &checked.agreements);
    wizard.asker.tell(&format!(
        "A connector with a partner, as a file in {}. Nothing is written before the end.\nEnter takes the \
         answer in brackets.\n",
        printable(&drop_in.directory.display().to_string(), LINE)
    ));
    let planned = |plan: &Plan, text: &str| {
        let planned = Planned { path: plan.path.clone(), text: text.to_owned() };
        load::check_planned(&settings.config, OFF_LINE, Timestamp::now(), planned).result
    };
    let mut rounds = 1..=TRIES;
    let (plan, text) = loop {
        let answers = wizard.asker.answers();
        let plan = wizard.ask()?;
        let text = file(&[], std::slice::from_ref(&plan.draft));
        match planned(&plan, &text) {
            Ok(then) => {
                review(&plan, &text, &now, &then);
                break (plan, text);
            }
            // Nobody would answer anything else in another round.
            Err(problems) if wizard.asker.answers() == answers => {
                return Err(Failure::Configuration(problems));
            }
            Err(problems) => {
                talk(format_args!("\nIt cannot be written like that:\n\n{problems}\n"));
                let again = "Go through the questions again, with these answers?";
                if rounds.next().is_none() || !wizard.asker.agree(again, true)? {
                    return Ok(Exit::of_problems(&problems));
                }
            }
        }
    };
    let shown = printable(&plan.path.display().to_string(), LINE);
    if !wizard.asker.is_silent() && !wizard.asker.agree(&format!("Write {shown}?"), true)? {
        talk(format_args!("Nothing was written."));
        return Ok(Exit::Good);
    }
    // Somebody may have changed something while the question stood there.
    planned(&plan, &text).map_err(Failure::Configuration)?;
    let neighbour = neighbour(&drop_in, &settings.config);
    place::put(&plan.path, &text, &neighbour, &calm)
        .map_err(|error| Failure::File { path: plan.path.clone(), error })?;
    writeln!(out, "{shown}")?;
    out.finish()?;
    calm.end();
    afterwards(options, settings, &plan, &mut wizard, out)
}

/// What there is to do with a connector that is written: test it, and let the daemon load it.
fn afterwards<R: io::BufRead>(
    options: &Options,
    settings: &Settings,
    plan: &Plan,
    wizard: &mut Wizard<'_, R>,
    out: &mut Output,
) -> Result<Exit, Failure> {
    let name = &plan.draft.name;
    if !options.yes {
        talk(format_args!("It is written, and stays if you stop here."));
    }
    // Whoever stops answering here has made a connector, and wants no more.
    let mut offer = |text, default| !options.yes && wizard.asker.agree(text, default).unwrap_or(false);
    let test = plan.is_tested()
        && (options.validate || offer("Test the partner's mail servers now? No mail is sent", true));
    let mut exit = Exit::Good;
    if test {
        exit = validate(settings, name)?;
    }
    if options.reload && exit != Exit::Good {
        talk(format_args!("It is not loaded, because the test is not good."));
    }
    let load =
        if options.reload { exit == Exit::Good } else { offer("Let the running daemon load it now?", false) };
    let command = settings.command(&["reload"]).join(" ");
    if !load {
        talk(format_args!("The daemon knows it after `{command}`."));
        return Ok(exit);
    }
    match reload::now(settings, out) {
        Ok(Exit::Good) => {}
        Ok(other) => exit = other,
        Err(failure) => {
            talk(format_args!("It is written, and not loaded. When the daemon can be asked: {command}"));
            return Err(failure);
        }
    }
    Ok(exit)
}

/// Runs `connectord validate` for it, which says what it finds.
fn validate(settings: &Settings, name: &str) -> Result<Exit, Failure> {
    let own = std::env::current_exe().map_err(Failure::Runtime)?;
    let state = settings.state_dir();
    let mut command = Command::new(&own);
    command
        .args(settings.command(&["validate"]).iter().skip(1))
        .arg("--state-dir")
        .arg(state)
        .args(["--", name]);
    let status = command.status().map_err(|error| Failure::HandOver { path: own, error })?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(Exit::Internal, Exit::with_code))
}

/// Shows the file as it would be added, what there is to know about it, and what it would change of what is enforced.
fn review(plan: &Plan, text: &str, now: &Ready, then: &Ready) {
    let place = plan.path.display().to_string();
    talk(format_args!("\n{}:", printable(&place, LINE)));
    for line in text.lines() {
        talk(format_args!("{}", format!("+ {}", printable(line, LINE)).trim_end()));
    }
    // Its own, and those that it causes elsewhere.
    let known: HashSet<String> = now.warnings.iter().map(ToString::to_string).collect();
    for warning in then.warnings.iter().filter(|warning| !known.contains(&warning.to_string())) {
        talk(format_args!("\nwarning: {warning}"));
    }
    let changes = diff(&now.snapshot, &then.snapshot);
    talk(format_args!(""));
    for change in &changes {
        let (kind, connector) = (change.kind.word(), &change.connector);
        talk(format_args!("{kind:<8} {connector}: {} -> {}", change.old, change.new));
    }
    if changes.is_empty() {
        talk(format_args!("Nothing that is enforced changes."));
    }
}

/// Whose group and permissions the file has: another one that is included from there, and no link to elsewhere; else the
/// main file.
fn neighbour(drop_in: &DropIn, main: &Path) -> PathBuf {
    let entries = std::fs::read_dir(&drop_in.directory).into_iter().flatten().filter_map(Result::ok);
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut paths: Vec<PathBuf> = names.filter_map(|name| drop_in.path(&name)).collect();
    paths.retain(|path| std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file()));
    paths.sort();
    let main = || std::fs::canonicalize(main).unwrap_or_else(|_| main.to_owned());
    paths.into_iter().next().unwrap_or_else(main)
}
