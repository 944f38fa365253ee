//! `connectord prove`: showing by experiment that connectors fail closed.

mod html;
mod mta;
mod text;

use std::fs;
use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};

use clap::Args;
use jiff::Timestamp;
use nix::unistd::{geteuid, gethostname};
use sha2::{Digest as _, Sha256};

use super::check::OFF_LINE;
use super::output::talk;
use super::{Exit, Failure, Output, Settings};
use crate::config;
use crate::load::{self, Checked, Ready};
use crate::model::{Agreements, Domain, Mode, Outbound};
use crate::prove::mta::Mta;
use crate::prove::proof::{File, Verdict};
use crate::prove::{self, Around, Error, Plan, Round, Wanted};

/// The options of `prove`.
#[derive(Debug, Args)]
pub struct Options {
    /// The outbound connectors to try, in any mode [default: all that are not `off`]
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// A domain to send to, of those of the connectors; may be given several times [default: the first three of each
    /// connector]
    #[arg(long = "domain", value_name = "DOMAIN")]
    domains: Vec<String>,
    /// The MTA to try [default: the one that is installed]
    #[arg(long, value_name = "MTA", value_enum)]
    mta: Option<mta::Kind>,
    /// The directory of main.cf and master.cf, for Postfix [default: the one that it was built with]
    #[arg(long, value_name = "DIR")]
    config_dir: Option<PathBuf>,
    /// Write a report for auditors too, an HTML page
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

/// The daemon's program, beside this one.
const PROGRAM: &str = "connectord";

/// Tries, and says what came of it.
///
/// # Errors
/// What kept it from trying at all.
pub fn run(options: &Options, settings: &Settings, out: &mut Output) -> Result<Exit, Failure> {
    if !geteuid().is_root() {
        let message = "prove makes namespaces, and a copy of the MTA in them: run it as root".to_owned();
        return Err(Failure::Proof { message, is_forbidden: true });
    }
    let Checked { result, agreements, .. } = load::check(&settings.config, OFF_LINE, Timestamp::now());
    let Ready { listen, snapshot, .. } = result.map_err(Failure::Configuration)?;
    let chosen = chosen(options, &agreements)?;
    let domains = domains(options, &chosen)?;
    let mta = mta::asked(options)?;
    let around = Around {
        at: Timestamp::now(),
        machine: gethostname().ok().and_then(|name| name.into_string().ok()).unwrap_or_default(),
        files: files(&*mta, settings, snapshot.sha256()),
    };
    let program = std::env::current_exe().map_err(|error| Failure::File { path: PROGRAM.into(), error })?;
    let wanted = Wanted {
        agreements: &agreements,
        chosen: &chosen,
        domains: &domains,
        listen: &listen,
        runtime: &config::absolute(&settings.runtime_dir()),
        config: &config::absolute(&settings.config),
        program: &program.with_file_name(PROGRAM),
    };
    let plan = Plan::of(&wanted, mta).map_err(failure)?;
    let mails = plan.mails().len();
    let talks = io::stderr().is_terminal();
    let told = |Round { server, daemon }| {
        if talks {
            let stopped = if daemon { "" } else { ", and the daemon stopped" };
            talk(format_args!("{mails} mails to the server {}{stopped}", server.id()));
        }
    };
    let proof = prove::prove(&plan, around, &told).map_err(failure)?;
    if settings.json {
        out.json(&proof)?;
    } else {
        text::write(&proof, out)?;
    }
    // What came of it is said in any case.
    out.finish()?;
    if let Some(path) = &options.report {
        fs::write(path, html::page(&proof)).map_err(|error| Failure::OptionFile {
            option: "--report",
            path: path.clone(),
            error,
        })?;
    }
    Ok(if proof.verdict == Verdict::Holds { Exit::Good } else { Exit::NotGood })
}

fn failure(error: Error) -> Failure {
    Failure::Proof { message: format!("no proof: {error}"), is_forbidden: false }
}

fn chosen<'a>(options: &Options, agreements: &'a Agreements) -> Result<Vec<&'a Outbound>, Failure> {
    let all = || agreements.outbound.iter();
    for name in &options.names {
        if !all().any(|connector| connector.name.as_str() == name) {
            return Err(Failure::Argument(format!(
                "no outbound connector is called {}; `connectord list` shows all",
                name.escape_debug()
            )));
        }
    }
    let is_chosen = |connector: &&Outbound| match options.names.as_slice() {
        [] => connector.mode != Mode::Off,
        names => names.iter().any(|name| name == connector.name.as_str()),
    };
    let chosen: Vec<&Outbound> = all().filter(is_chosen).collect();
    if chosen.is_empty() {
        return Err(Failure::Argument("there is no outbound connector to try".to_owned()));
    }
    Ok(chosen)
}

/// The domains that are named; each is a connector's.
fn domains(options: &Options, chosen: &[&Outbound]) -> Result<Vec<Domain>, Failure> {
    let each = options.domains.iter().map(|text| {
        let shown = text.escape_debug();
        let domain = Domain::parse(text)
            .map_err(|problem| Failure::Argument(format!("--domain {shown}: {problem}")))?;
        if chosen.iter().any(|connector| connector.domains.covers(domain.as_str())) {
            return Ok(domain);
        }
        Err(Failure::Argument(format!("--domain {shown}: no connector that is tried has this domain")))
    });
    each.collect()
}

fn files(mta: &dyn Mta, settings: &Settings, sha256: &str) -> Vec<File> {
    let own = File { path: settings.config.display().to_string(), sha256: sha256.to_owned() };
    let of_mta = mta.files().into_iter();
    let of_mta =
        of_mta.filter_map(|path| Some(File { sha256: digest(&path)?, path: path.display().to_string() }));
    std::iter::once(own).chain(of_mta).collect()
}

fn digest(path: &Path) -> Option<String> {
    Some(config::hex(&Sha256::digest(fs::read(path).ok()?)))
}
