//! `connectord doctor`: what in the settings of an MTA goes round the connectors, or keeps their mail.
//!
//! It reads, and changes nothing. The connectors are those of the files as they are now.

mod exim;
mod postfix;

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use jiff::Timestamp;
use serde::Serialize;

use super::check::OFF_LINE;
use super::{Exit, Failure, Output, Settings, doctor_metrics, status};
use crate::config::{Files, Listen, ListenProtocol, ServerSettings};
use crate::load::{self, Checked, Ready};
use crate::model::Agreements;
use crate::mta::finding::{Finding, Severity};
use crate::mta::unit;
use crate::protocol::escape::printable;
use crate::snapshot::Snapshot;

/// The MTA that is examined.
#[derive(Debug, Subcommand)]
pub(super) enum Mta {
    /// Postfix, by what postconf(1) says of main.cf and master.cf
    ///
    /// It looks at what mail goes through in both directions. Every finding has a name, the place where it is set, the
    /// connectors that it is about, and the commands that mend it. It ends with 0 when nothing is worse than advice,
    /// and with 1 otherwise.
    ///
    /// It sees the files of one instance as postconf(1) does: not what Postfix still does because it was not told to reload
    /// them, nor what `$process_name` and `$service_name` stand for in its daemons.
    Postfix(postfix::Options),
    /// Exim, by what `exim -bP` says of its configuration
    ///
    /// It looks at what mail goes through in both directions: routers, transports, ACLs, the socket. Every finding has a
    /// name, the place where it is set, the connectors that it is about, and the commands that mend it, where there are
    /// such. It ends with 0 when nothing is worse than advice, and with 1 otherwise.
    ///
    /// It sees the files as they are now, which a running daemon obeys for mail that comes in when it was told to reload
    /// them.
    Exim(exim::Options),
}

impl Mta {
    fn prometheus(&self) -> bool {
        match self {
            Mta::Postfix(options) => options.prometheus,
            Mta::Exim(options) => options.prometheus,
        }
    }
}

/// What `doctor --json` prints.
#[derive(Serialize)]
struct Report<'f> {
    mta: &'static str,
    version: &'f str,
    findings: Vec<Told<'f>>,
}

#[derive(Serialize)]
struct Told<'f> {
    id: &'static str,
    severity: &'static str,
    message: &'f str,
    connectors: &'f [String],
    r#where: &'f str,
    mend: &'f [String],
}

impl<'f> Told<'f> {
    fn of(finding: &'f Finding) -> Told<'f> {
        let Finding { kind, message, connectors, place, mend } = finding;
        Told { id: kind.id, severity: kind.severity.word(), message, connectors, r#where: place, mend }
    }
}

pub(super) fn run(mta: &Mta, settings: &Settings, out: &mut Output) -> Result<Exit, Failure> {
    let is_for_prometheus = mta.prometheus();
    if is_for_prometheus && settings.json {
        return Err(Failure::Argument(status::TWO_FORMATS.to_owned()));
    }
    let Checked { result, agreements, .. } = load::check(&settings.config, OFF_LINE, Timestamp::now());
    let Ready { listen, snapshot, files, server, .. } = result.map_err(Failure::Configuration)?;
    let agreed = Agreed {
        listen: &listen,
        agreements: &agreements,
        snapshot: &snapshot,
        files: &files,
        server: &server,
        settings,
    };
    let Examined { mta, name, version, findings } = match mta {
        Mta::Postfix(options) => postfix::examined(options, &agreed)?,
        Mta::Exim(options) => exim::examined(options, &agreed)?,
    };
    if is_for_prometheus {
        out.write_all(doctor_metrics::of(mta, &findings, Timestamp::now()).as_bytes())?;
    } else if settings.json {
        let findings = findings.iter().map(Told::of).collect();
        out.json(&Report { mta, version: &version, findings })?;
    } else {
        write!(out, "{name} {}: ", printable(&version, WORDS))?;
        match findings.len() {
            0 => writeln!(out, "none of the findings of connectord-doctor-{mta}(8)")?,
            1 => writeln!(out, "1 finding")?,
            count => writeln!(out, "{count} findings")?,
        }
        for finding in &findings {
            show(finding, out)?;
        }
    }
    let is_good = findings.iter().all(|finding| finding.kind.severity == Severity::Advice);
    Ok(if is_good { Exit::Good } else { Exit::NotGood })
}

/// What was agreed, and where the daemon answers.
struct Agreed<'a> {
    listen: &'a [Listen],
    agreements: &'a Agreements,
    snapshot: &'a Snapshot,
    files: &'a Files,
    server: &'a ServerSettings,
    settings: &'a Settings,
}

/// What was found.
struct Examined {
    mta: &'static str,
    name: &'static str,
    version: String,
    findings: Vec<Finding>,
}

/// Enough of a value to know it again. Commands are whole.
const WORDS: usize = 300;

/// The connectors that are named; how many more there are is said.
const NAMED: usize = 8;

fn show(finding: &Finding, out: &mut Output) -> Result<(), Failure> {
    let Finding { kind, message, connectors, place, mend } = finding;
    writeln!(out, "\n{}  {}  {}", kind.severity.word(), kind.id, printable(place, WORDS))?;
    writeln!(out, "    {}", printable(message, usize::MAX))?;
    let named = connectors.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = connectors.len().saturating_sub(NAMED);
    write!(out, "    connectors: {named}")?;
    if more > 0 {
        write!(out, " and {more} more")?;
    }
    writeln!(out)?;
    for command in mend {
        writeln!(out, "    # {}", printable(command, usize::MAX))?;
    }
    Ok(())
}

impl Agreed<'_> {
    /// The command that starts the daemon, if it does not run. Which unit serves other files, or in another directory, is
    /// not known from here: the usual one would answer by its own, and for many partners not at all.
    fn start(&self) -> Vec<String> {
        if self.settings.are_usual() { unit::start() } else { Vec::new() }
    }

    /// Where the daemon answers this protocol: as it is written, or else where it may be without, first where it is.
    /// `usual` is where the units have it.
    fn sockets(&self, protocol: ListenProtocol, usual: &str) -> Vec<PathBuf> {
        let (runtime, of) = (self.settings.runtime_dir(), |one: &&Listen| one.protocol == protocol);
        let written: Vec<PathBuf> = self
            .listen
            .iter()
            .filter(|one| one.is_written)
            .filter(of)
            .filter_map(|one| Some(runtime.join(one.path()?)))
            .collect();
        if !written.is_empty() {
            return written;
        }
        let defaults = Listen::defaults();
        let name = defaults.iter().find(of).and_then(Listen::path).unwrap_or(Path::new(""));
        let mut paths = [Path::new(usual), &runtime].map(|directory| directory.join(name)).to_vec();
        paths.sort_by_key(|path| !path.exists());
        paths.dedup();
        paths
    }
}
