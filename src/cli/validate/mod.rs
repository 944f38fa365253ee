//! `connectord validate`: what would happen to mail for a partner, before it happens.
//!
//! It looks at every place that mail of a connector could go to, and says for each whether it would
//! be delivered. What is found is kept under the state directory, so that `list`, `status` and
//! `explain` can say whether a connector is validated, and the next run what has changed. A result
//! that cannot be kept is a result all the same: it is told on stderr, and the exit code is that of
//! the verdict. It is printed before it is kept: changes that nobody read are told again.
//!
//! A run that only ran out of time has found out nothing: the earlier result stays. A connector that
//! was named and could not be tested is not good (exit code 1), though nothing fails.
//!
//! Without `--recipient` or `--test-mail` no mail is ever sent.

mod file;
mod kept;
mod partners;
mod selection;

use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _, Write};
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args};
use jiff::Timestamp;
use serde::Serialize;

use super::check::whole;
use super::output::talk;
use super::{Exit, Failure, Output, Settings};
use crate::validate::changes::{self, Change};
use crate::validate::options;
use crate::validate::report::{ConnectorReport, Report, Verdict};
use crate::validate::run::Error as GroundError;
use crate::validate::{authorities, bounded, sight, words};
use selection::Selection;

/// The longest time that a run may be given, in seconds.
const MAX_TIMEOUT: u64 = 3600;

/// The options of `validate`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").required(true).multiple(false))]
#[command(group = ArgGroup::new("mail").multiple(true))]
pub struct Options {
    /// The connectors to test, of either direction and in any mode
    #[arg(value_name = "NAME", group = "which", allow_hyphen_values = false)]
    names: Vec<String>,
    /// Test every outbound connector, and every inbound one that registers certificate files
    #[arg(long, group = "which")]
    all: bool,
    /// Send a test mail to this address, over the session that was judged; may be given several
    /// times. Each goes to those of the connectors whose domains it is in, and the hosts of its own
    /// domain are tested too [default: no mail is sent]
    #[arg(long = "recipient", value_name = "ADDRESS", group = "mail")]
    recipients: Vec<String>,
    /// Send a test mail to the addresses that each connector has in `validate.recipients`
    #[arg(long, group = "mail")]
    test_mail: bool,
    /// Ask the partner whether it takes the recipients of the test mail, and send none
    #[arg(long, requires = "mail")]
    no_data: bool,
    /// The envelope sender of the test mail; '' is the null sender of a bounce [default: '']
    #[arg(long, value_name = "ADDRESS", default_value = "", hide_default_value = true, requires = "mail")]
    sender: String,
    /// The name for EHLO, as in Postfix's smtp_helo_name [default: the name of this machine]
    #[arg(long, value_name = "NAME")]
    helo: Option<String>,
    /// Trust the authorities in this PEM file, as in Postfix's smtp_tls_CAfile, where a connector has
    /// no ca_file of its own [default: those of the system]
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Look for the partner's certificates in this revocation list, PEM or DER; may be given several
    /// times. Postfix does not look [default: only what the partner staples]
    #[arg(long = "crl", value_name = "FILE")]
    crls: Vec<PathBuf>,
    /// Seconds that all of it may take; what has not answered by then counts as unreachable
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..=MAX_TIMEOUT))]
    timeout: u64,
    /// Print only what has changed since the last run, and nothing when nothing has: for a timer and
    /// its mail. The exit code is the same as without
    #[arg(long)]
    changes: bool,
}

/// What `validate --changes --json` prints.
#[derive(Serialize)]
struct Changed<'r> {
    verdict: Verdict,
    changes: &'r [Change],
}

/// Tests, prints and keeps what came of it.
///
/// # Errors
/// What kept it from testing at all.
pub fn run(options: &Options, settings: &Settings, out: &mut Output) -> Result<Exit, Failure> {
    let wanted = options.wanted()?;
    let (snapshot, agreements) = whole(settings)?;
    let selection = Selection::of(options, &agreements, &snapshot)?;
    let talks = io::stderr().is_terminal();
    let told = |connector: &str, address: &_| {
        if talks {
            talk(format_args!("{}", words::progress(connector, address)));
        }
    };
    let mut blind = false;
    let tested = match partners::test(&selection.outbound, wanted, &snapshot, &told) {
        // About us and not about any partner; files can be judged all the same.
        Err(partners::Error::Ground(GroundError::Silent)) => {
            talk(format_args!("connectord: {}", GroundError::Silent));
            blind = true;
            Vec::new()
        }
        tested => tested?,
    };
    if talks && !selection.outbound.is_empty() {
        talk(format_args!(""));
    }
    let of_files = selection.judge_files(Timestamp::now());
    let connectors: Vec<ConnectorReport> = tested.into_iter().chain(of_files).collect();
    // A host without partners has none that fails; a timer runs there too.
    let none = if selection.is_empty() { Verdict::Pass } else { Verdict::Fail };
    let verdict = connectors.iter().map(|connector| connector.verdict).max().unwrap_or(none);
    if selection.is_empty() && talks {
        talk(format_args!("connectord: the configuration has no connector that could be validated"));
    }
    let trust = options.trust(&selection);
    let report = bounded::report(Report { verdict, connectors, trust });

    let last = kept::last(&settings.state_dir(), &report);
    let compared = last.iter().zip(&report.connectors);
    let changes: Vec<Change> =
        compared.flat_map(|(last, now)| changes::between(last.as_ref(), now)).collect();
    print(options, settings, &selection, &report, &changes, out)?;
    out.finish()?;
    if options.changes && out.is_closed() {
        talk(format_args!(
            "connectord: nobody read the changes: they are not kept, and the next run tells them"
        ));
    } else {
        kept::keep(&settings.state_dir(), &report, &last, |name| selection.settings(name));
    }
    let untested = blind || !options.all && report.connectors.iter().any(sight::met_nobody);
    Ok(if report.verdict == Verdict::Fail || untested { Exit::NotGood } else { Exit::Good })
}

impl Options {
    /// Whom each connector's partner had to be vouched for by.
    fn trust(&self, selection: &Selection<'_>) -> BTreeMap<String, String> {
        let each = selection.outbound.iter().map(|test| {
            let trust = authorities::of(&test.connector.requirement, self.ca_file.as_deref());
            (test.connector.name.to_string(), trust)
        });
        each.collect()
    }

    fn wanted(&self) -> Result<options::Options, Failure> {
        let sender = match self.sender.as_str() {
            "" => String::new(),
            sender => selection::address(sender)
                .map_err(|problem| Failure::Argument(format!("--sender {problem}")))?
                .to_string(),
        };
        if let Some(name) = &self.helo {
            selection::host(name).map_err(|problem| Failure::Argument(format!("--helo {problem}")))?;
        }
        let crls = self.crls.iter().map(|path| file::read("--crl", path)).collect::<Result<Vec<_>, _>>()?;
        Ok(options::Options {
            ca_file: self.ca_file.as_deref().map(|path| file::read("--ca-file", path)).transpose()?,
            crls,
            sender,
            helo: self.helo.clone(),
            no_data: self.no_data,
            timeout: Duration::from_secs(self.timeout),
        })
    }
}

fn print(
    options: &Options,
    settings: &Settings,
    selection: &Selection<'_>,
    report: &Report,
    changes: &[Change],
    out: &mut Output,
) -> io::Result<()> {
    match (options.changes, settings.json) {
        (true, true) => out.json(&Changed { verdict: report.verdict, changes }),
        (true, false) => changes.iter().try_for_each(|change| writeln!(out, "{change}")),
        (false, true) => out.json(report),
        (false, false) => write!(out, "{}", words::report(report, &selection.domains())),
    }
}
