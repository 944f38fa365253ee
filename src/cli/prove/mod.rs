//! `connectord prove`: showing by experiment that connectors fail closed.

mod html;
mod text;

use std::collections::BTreeSet;
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
use crate::config::{self, Listen, ListenProtocol};
use crate::load::{self, Checked, Ready};
use crate::model::requirement::Anchors;
use crate::model::{Agreements, Mode, Outbound, Pattern};
use crate::mta::postfix::postconf;
use crate::mta::postfix::settings::Settings as PostfixSettings;
use crate::prove::proof::{File, Verdict};
use crate::prove::{self, Around, Error, Original, Plan, Subject};

/// The options of `prove`.
#[derive(Debug, Args)]
pub struct Options {
    /// The outbound connectors to try, in any mode [default: all that are not `off`]
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// The directory of main.cf and master.cf [default: the one that Postfix was built with]
    #[arg(long, value_name = "DIR")]
    config_dir: Option<PathBuf>,
    /// Write a report for auditors too, an HTML page
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

/// The daemon's program, beside this one.
const PROGRAM: &str = "connectord";

/// Ports that mail servers are at (RFC 5321, RFC 6409, RFC 8314).
const PORTS: [u16; 3] = [25, 465, 587];

/// Services of services(5) that a route may name instead of a port.
const SERVICES: [(&str, u16); 4] = [("smtp", 25), ("submission", 587), ("submissions", 465), ("smtps", 465)];

/// Tries, and says what came of it.
///
/// # Errors
/// What kept it from trying at all.
pub fn run(options: &Options, settings: &Settings, out: &mut Output) -> Result<Exit, Failure> {
    if !geteuid().is_root() {
        let message = "prove makes namespaces, and a Postfix in them: run it as root".to_owned();
        return Err(Failure::Proof { message, is_forbidden: true });
    }
    let Checked { result, agreements, .. } = load::check(&settings.config, OFF_LINE, Timestamp::now());
    let Ready { listen, snapshot, .. } = result.map_err(Failure::Configuration)?;
    let chosen = chosen(options, &agreements)?;
    let config_directory = options.config_dir.as_deref().map(config::absolute);
    let postfix = postconf::settings(config_directory.as_deref())?;
    let mta_version = postfix.version().map_err(postconf::Error::from)?.to_owned();
    let original = Original {
        config_directory: config_directory.unwrap_or_else(|| PathBuf::from(postfix.main("config_directory"))),
        settings: postfix,
    };
    let around = Around {
        at: Timestamp::now(),
        machine: gethostname().ok().and_then(|name| name.into_string().ok()).unwrap_or_default(),
        mta_version,
        files: files(&original, settings, snapshot.sha256()),
    };
    let plan = plan(settings, &agreements, &chosen, &listen, original)?;
    let talks = io::stderr().is_terminal();
    let told = |server: &str, is_answered: bool| {
        if talks {
            let stopped = if is_answered { "" } else { ", and the daemon stopped" };
            talk(format_args!("trying {} connectors with server {server}{stopped}", chosen.len()));
        }
    };
    let proof = prove::prove(&plan, around, &told).map_err(failure)?;
    if let Some(path) = &options.report {
        fs::write(path, html::page(&proof)).map_err(|error| Failure::OptionFile {
            option: "--report",
            path: path.clone(),
            error,
        })?;
    }
    if settings.json {
        out.json(&proof)?;
    } else {
        text::write(&proof, out)?;
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

fn plan(
    settings: &Settings,
    agreements: &Agreements,
    chosen: &[&Outbound],
    listen: &[Listen],
    original: Original,
) -> Result<Plan, Failure> {
    let subjects: Vec<Subject> = chosen.iter().map(|connector| Subject::of(connector, agreements)).collect();
    let asked = |listen: &&Listen| listen.protocol == ListenProtocol::Socketmap;
    let is_written = listen.iter().any(|listen| listen.is_written);
    let runtime = if is_written { settings.runtime_dir() } else { unwritten(settings, &original) };
    let runtime = config::absolute(&runtime);
    let directories =
        listen.iter().filter_map(|listen| Some(runtime.join(&listen.path).parent()?.to_owned()));
    let sockets: BTreeSet<PathBuf> = directories.chain([runtime.clone()]).collect();
    let ports = subjects.iter().flat_map(|subject| &subject.ports).filter_map(|port| number(port));
    let ports: BTreeSet<u16> = ports.chain(PORTS).collect();
    let anchors = agreements.outbound.iter().filter_map(|connector| match connector.requirement.anchors() {
        Anchors::File(file) => Some(file.path.clone()),
        Anchors::Any | Anchors::System => None,
    });
    let program = std::env::current_exe().map_err(|error| Failure::File { path: PROGRAM.into(), error })?;
    Ok(Plan {
        sender: format!("connectord-prove@{}", own_domain(agreements, &original.settings)),
        anchors: anchors.collect(),
        program: program.with_file_name(PROGRAM),
        config: config::absolute(&settings.config),
        listen: listen.iter().filter(asked).map(|listen| listen.path.clone()).collect(),
        own: prove::own_addresses().map_err(failure)?,
        ports,
        runtime,
        sockets,
        subjects,
        original,
    })
}

/// Where the sockets are that nobody has written: where Postfix looks for them.
fn unwritten(settings: &Settings, original: &Original) -> PathBuf {
    let runtime = settings.runtime_dir();
    let asked = original.settings.main("smtp_tls_policy_maps");
    if asked.contains(&*runtime.to_string_lossy()) {
        return runtime;
    }
    original.queue_directory().join("connectord")
}

/// The port of a number or a service's name.
fn number(port: &str) -> Option<u16> {
    let named = || SERVICES.iter().find(|(name, _)| *name == port).map(|(_, number)| *number);
    port.parse().ok().or_else(named)
}

/// A domain that mail of ours comes from.
fn own_domain(agreements: &Agreements, postfix: &PostfixSettings) -> String {
    let own = agreements.mta.own_domains.iter().find_map(|pattern| match pattern {
        Pattern::Exact(domain) | Pattern::Tree(domain) => Some(domain.to_string()),
        Pattern::Below(_) | Pattern::Any => None,
    });
    own.unwrap_or_else(|| postfix.main("myhostname").to_owned())
}

fn files(original: &Original, settings: &Settings, sha256: &str) -> Vec<File> {
    let own = File { path: settings.config.display().to_string(), sha256: sha256.to_owned() };
    let of_postfix = ["main.cf", "master.cf"].into_iter().filter_map(|name| {
        let path: PathBuf = original.config_directory.join(name);
        Some(File { sha256: digest(&path)?, path: path.display().to_string() })
    });
    std::iter::once(own).chain(of_postfix).collect()
}

fn digest(path: &Path) -> Option<String> {
    let hash = Sha256::digest(fs::read(path).ok()?);
    Some(hash.iter().map(|octet| format!("{octet:02x}")).collect())
}
