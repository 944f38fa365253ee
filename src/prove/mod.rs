//! Showing by experiment that connectors fail closed.
//!
//! Promises: a copy of this machine's MTA, with the settings that it has, and a daemon of the configuration as it is in
//! the files, send mail of each connector to servers that do everything wrong; what came is judged by
//! what the connector demands ([`judge`]), and never by what was answered. The MTA that runs, its queue, its log and the
//! network are not touched: everything is in namespaces that nobody else sees ([`enclosure`], [`network`]), and ends with
//! this process, however that ends.
//!
//! What it cannot show: what only a running MTA has (open connections, sessions that are resumed), what a message to
//! several domains at once is sent by (Exim: `multi_domain`), tables that are asked for over the network, what milters and
//! content filters do, whether the real resolver validates, demands on ciphers and on the name that is sent (SNI), and with
//! Exim what differs between a program of this machine that sends and a client that submits. `doctor` reads what it can of
//! that.
//!
//! It takes root, ip(8), and the file system for processes at /proc.

mod advice;
mod atlas;
mod authority;
mod closing;
mod conversation;
mod daemon;
mod dns;
mod enclosure;
mod judge;
mod log;
mod mounts;
pub mod mta;
mod network;
mod partner;
mod place;
mod plan;
pub mod program;
pub mod proof;
mod round;
pub mod server;
mod sockets;
mod subject;
mod tree;
mod verdict;

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::process::Output;
use std::sync::Arc;

use jiff::Timestamp;
use openssl::error::ErrorStack;
use sha2::{Digest as _, Sha256};

pub use plan::{Plan, Wanted};
pub use round::Round;

use crate::protocol::escape::printable;
use authority::Credentials;
use partner::Authorities;
use proof::{ConnectorProof, Described, Proof, Try, Verdict};
use server::Server;

/// What a program said, in an error.
const WORDS: usize = 600;

/// Why there is no proof.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The system refuses something.
    #[error("cannot {what}: {error}{}", advice::of(error))]
    System {
        /// What was wanted.
        what: String,
        /// What it says.
        error: std::io::Error,
    },
    /// The network of the proof.
    #[error(transparent)]
    Network(#[from] network::Trouble),
    /// A certificate.
    #[error("cannot make the certificates of the proof: {0}")]
    Certificates(#[from] ErrorStack),
    /// A program failed.
    #[error("{program}: {}", said.escape_debug())]
    Program {
        /// Its name.
        program: &'static str,
        /// What it said.
        said: String,
    },
    /// The daemon of the proof does not answer.
    #[error("the daemon of the proof {}; see what `connectord check` says", printable(said, WORDS))]
    Daemon {
        /// In words.
        said: String,
    },
    /// Too many mails.
    #[error("{count} mails for each of the servers are more than can be tried at once: name connectors")]
    Large {
        /// How many.
        count: usize,
    },
    /// A mistake of ours.
    #[error("a thread of the proof has failed")]
    Panicked,
}

impl Error {
    fn system(what: impl Into<String>, error: impl Into<std::io::Error>) -> Error {
        Error::System { what: what.into(), error: error.into() }
    }

    fn place(what: &str, path: &Path, error: impl Into<std::io::Error>) -> Error {
        Error::system(format!("{what} {}", printable(&path.to_string_lossy(), WORDS)), error)
    }

    /// The same with the last lines of the log.
    fn beside(self, log: &str) -> Error {
        match self {
            Error::Program { program, said } => Error::Program {
                program,
                said: format!("{said} {}", log.lines().collect::<Vec<_>>().join(" ")),
            },
            Error::System { .. }
            | Error::Network(_)
            | Error::Certificates(_)
            | Error::Daemon { .. }
            | Error::Large { .. }
            | Error::Panicked => self,
        }
    }
}

/// The first words of what a program said.
fn said(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    text.lines().take(5).collect::<Vec<_>>().join(" ").chars().take(600).collect()
}

/// Servers that are tried with the daemon stopped too: who takes plaintext, and who would be taken for the partner.
const STOPPED: [Server; 2] = [Server::NoStarttls, Server::WrongName];

/// Rounds of a proof, in their order.
fn rounds() -> impl Iterator<Item = Round> {
    let answered = Server::ALL.into_iter().map(|server| Round { server, daemon: true });
    answered.chain(STOPPED.into_iter().map(|server| Round { server, daemon: false }))
}

/// What is told of a proof beside its rounds.
pub struct Around {
    /// When it began.
    pub at: Timestamp,
    /// The name of this machine.
    pub machine: String,
    /// The files.
    pub files: Vec<proof::File>,
}

/// Runs all rounds. `told` hears what is tried next.
///
/// # Errors
/// A round could not be run: there is no proof then.
pub fn prove(plan: &Plan, around: Around, told: &dyn Fn(Round)) -> Result<Proof, Error> {
    let right = authority::key()?;
    let key: [u8; 32] = Sha256::digest(right.public_key_to_der()?).into();
    let authorities = Arc::new(Authorities {
        system: Credentials::authority("connectord prove")?,
        own: Credentials::authority("connectord prove, of connectors")?,
        unknown: Credentials::authority("connectord prove, unknown")?,
        right,
    });
    let mut ports = plan.ports.clone();
    let mut tries: HashMap<usize, Vec<Try>> = HashMap::new();
    for round in rounds() {
        told(round);
        for (subject, tried) in run(plan, round, &mut ports, &authorities, key)? {
            tries.entry(subject).or_default().push(tried);
        }
    }
    let connectors: Vec<ConnectorProof> = plan
        .subjects
        .iter()
        .enumerate()
        .map(|(number, subject)| verdict::verdict(subject, tries.remove(&number).unwrap_or_default()))
        .collect();
    let seconds = Timestamp::now().duration_since(around.at).as_secs();
    Ok(Proof {
        verdict: connectors.iter().map(|connector| connector.verdict).max().unwrap_or(Verdict::NotShown),
        at: around.at,
        seconds: u64::try_from(seconds).unwrap_or_default(),
        machine: around.machine,
        connectord: env!("CARGO_PKG_VERSION"),
        mta: plan.mta.id(),
        mta_name: plan.mta.name(),
        mta_version: plan.mta.version().to_owned(),
        files: around.files,
        differences: differences(plan),
        servers: Server::ALL.map(|server| Described { server: server.id(), about: server.about() }).to_vec(),
        connectors,
    })
}

/// Runs a round. Mail that goes to a port where nobody is shows nothing: the round is run again with a server there. If
/// none of its tries says the port, that is told of them ([`Try::doubts`]).
fn run(
    plan: &Plan,
    round: Round,
    ports: &mut BTreeSet<u16>,
    authorities: &Arc<Authorities>,
    key: [u8; 32],
) -> Result<Vec<(usize, Try)>, Error> {
    loop {
        let ran = round::run(plan, round, ports, authorities, key)?;
        let known = ports.len();
        ports.extend(ran.unserved.into_iter().take(MORE_PORTS));
        if ports.len() == known || known > plan.ports.len() + MORE_PORTS {
            return Ok(ran.tries);
        }
    }
}

/// Ports that settings of the MTA lead to and nobody foresaw; more than anybody has.
const MORE_PORTS: usize = 16;

fn differences(plan: &Plan) -> Vec<String> {
    let settings = plan.mta.differences().into_iter();
    // The units that make these sockets say who may ask; the daemon of the proof has none.
    let sockets = plan.asked().map(|socket| format!("chmod 666 {}", socket.display()));
    settings.chain(sockets).collect()
}
