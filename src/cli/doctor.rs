//! `connectord doctor`: what in the settings of an MTA goes round the connectors, or keeps their mail.
//!
//! It reads, and changes nothing. The connectors are those of the files as they are now.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde::Serialize;

use super::check::OFF_LINE;
use super::{Exit, Failure, Output, Settings, doctor_metrics, status};
use crate::config::{self, Listen, ListenProtocol};
use crate::load::{self, Checked, Ready};
use crate::mta::finding::{Finding, Severity};
use crate::mta::postfix::doctor::{Patient, examine};
use crate::mta::postfix::postconf;
use crate::protocol::escape::printable;

/// The MTA that is examined.
#[derive(Debug, Subcommand)]
pub(super) enum Mta {
    /// Postfix, by what postconf(1) says of main.cf and master.cf
    ///
    /// It looks at what mail goes through in both directions. Every finding has a name, the place where it is set, the
    /// connectors that it is about, and the commands that mend it. It ends with 0 when nothing is worse than advice,
    /// and with 1 otherwise.
    Postfix(Options),
}

/// The options of `doctor postfix`.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// The directory of main.cf and master.cf [default: the one that Postfix was built with]
    #[arg(long, value_name = "DIR")]
    config_dir: Option<PathBuf>,
    /// Write how many findings there are of each severity, as Prometheus reads it
    ///
    /// The exit status is the same; connectord-monitoring(7).
    #[arg(long)]
    prometheus: bool,
}

/// Where the units have the sockets of Postfix.
const SOCKETS: &str = "/var/spool/postfix/connectord";

/// Where systems have their file of authorities: Debian, Fedora, openSUSE.
const AUTHORITIES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem"];

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
    let Mta::Postfix(Options { config_dir, prometheus }) = mta;
    if *prometheus && settings.json {
        return Err(Failure::Argument(status::TWO_FORMATS.to_owned()));
    }
    let Checked { result, agreements, .. } = load::check(&settings.config, OFF_LINE, Timestamp::now());
    let Ready { listen, .. } = result.map_err(Failure::Configuration)?;
    // The commands may be run elsewhere.
    let config_directory = config_dir.as_deref().map(config::absolute);
    let postfix = postconf::settings(config_directory.as_deref())?;
    let version = postfix.version().map_err(postconf::Error::from)?;
    let [socketmap, policy] = [ListenProtocol::Socketmap, ListenProtocol::Policy]
        .map(|protocol| sockets(&listen, protocol, settings));
    let patient = Patient {
        settings: &postfix,
        agreements: &agreements,
        socketmap: &socketmap,
        policy: &policy,
        authorities: AUTHORITIES.map(Path::new).into_iter().find(|file| file.exists()),
        config_directory: config_directory.as_deref(),
    };
    let findings = examine(&patient);
    if *prometheus {
        out.write_all(doctor_metrics::of("postfix", &findings, Timestamp::now()).as_bytes())?;
    } else if settings.json {
        let findings = findings.iter().map(Told::of).collect();
        out.json(&Report { mta: "postfix", version, findings })?;
    } else {
        write!(out, "Postfix {}: ", printable(version, WORDS))?;
        match findings.len() {
            0 => writeln!(out, "none of the findings of connectord-doctor-postfix(8)")?,
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

/// Enough of a value to know it again. Commands are whole.
const WORDS: usize = 300;

/// The connectors that are named; how many more there are is said.
const NAMED: usize = 8;

fn show(finding: &Finding, out: &mut Output) -> Result<(), Failure> {
    let Finding { kind, message, connectors, place, mend } = finding;
    writeln!(out, "\n{}  {}  {}", kind.severity.word(), kind.id, printable(place, WORDS))?;
    writeln!(out, "    {message}")?;
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

/// Where the daemon answers this protocol: as it is written, or else where it may be without, first where it is.
fn sockets(listen: &[Listen], protocol: ListenProtocol, settings: &Settings) -> Vec<PathBuf> {
    let (runtime, of) = (settings.runtime_dir(), |one: &&Listen| one.protocol == protocol);
    let written: Vec<PathBuf> = listen
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
    let mut paths = [Path::new(SOCKETS), &runtime].map(|directory| directory.join(name)).to_vec();
    paths.sort_by_key(|path| !path.exists());
    paths
}
