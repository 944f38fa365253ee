//! What came of a proof: for each connector every probe, how it ended, and what that means.

use jiff::Timestamp;
use serde::Serialize;

/// What is to be said of a connector, worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Nothing came weaker than it demands, and what was right came.
    Holds,
    /// Nothing came weaker, and something could not be tried, or did not come although all was right.
    NotShown,
    /// Mail came weaker than it demands.
    Fails,
}

/// A whole proof.
#[derive(Clone, Debug, Serialize)]
pub struct Proof {
    /// The worst of all connectors.
    pub verdict: Verdict,
    /// When it began.
    pub at: Timestamp,
    /// How long it took.
    pub seconds: u64,
    /// The name of this machine.
    pub machine: String,
    /// The version of connectord.
    pub connectord: &'static str,
    /// `postfix`, `exim`
    pub mta: &'static str,
    /// The same in a sentence.
    #[serde(skip)]
    pub mta_name: &'static str,
    /// Its version.
    pub mta_version: String,
    /// What was tried: files by their digests.
    pub files: Vec<File>,
    /// In what the copy differs from this machine.
    pub differences: Vec<String>,
    /// What the servers did.
    pub servers: Vec<Described>,
    /// Each connector, in the order of the configuration.
    pub connectors: Vec<ConnectorProof>,
}

/// A file, as it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct File {
    /// Its path.
    pub path: String,
    /// The SHA-256 of what was in it; for connectord.toml of all that it includes.
    pub sha256: String,
}

/// A server, in words.
#[derive(Clone, Debug, Serialize)]
pub struct Described {
    /// Its name.
    pub server: &'static str,
    /// What it does.
    pub about: &'static str,
}

/// What came of a connector.
#[derive(Clone, Debug, Serialize)]
pub struct ConnectorProof {
    /// Its name.
    pub connector: String,
    /// Its mode.
    pub mode: &'static str,
    /// What it demands, in words.
    pub demands: String,
    /// What is to be said of it.
    pub verdict: Verdict,
    /// How many of its domains were tried, and of how many.
    pub domains_tried: usize,
    /// Those that it has, where its patterns name one each.
    pub domains_known: usize,
    /// Why it is not that it holds, in words; empty otherwise.
    pub reasons: Vec<String>,
    /// Each probe.
    pub tries: Vec<Try>,
}

/// How a probe ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// It arrived at a server.
    Arrived,
    /// It waits in the queue.
    Waits,
    /// It went back to its sender.
    Returned,
    /// It was delivered, and not to any server of the proof.
    Elsewhere,
    /// The MTA did not take it in.
    Refused,
    /// Nothing was heard of it.
    Unknown,
}

/// A probe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Try {
    /// What the servers did.
    pub server: &'static str,
    /// Whether the daemon answered, or was stopped.
    pub daemon: bool,
    /// Whether the message had the header `TLS-Required: no` (RFC 8689).
    pub header: bool,
    /// From whom; empty: the null sender of a bounce.
    pub sender: String,
    /// To whom.
    pub recipient: String,
    /// How it ended.
    pub end: End,
    /// The host that it arrived at.
    pub host: Option<String>,
    /// The version of TLS that it came over.
    pub tls: Option<String>,
    /// What the MTA said.
    pub reason: String,
    /// Whether a server of the partner was spoken to in this round.
    pub asked: bool,
    /// In what it came weaker than demanded.
    pub weaker: Option<String>,
    /// Why nothing is shown even so: mail that went elsewhere beside, a server that was not there. The reasons of the
    /// connector tell it.
    #[serde(skip)]
    pub doubts: Vec<String>,
}
