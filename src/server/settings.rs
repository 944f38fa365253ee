//! The daemon's own settings, as a load gives them.
//!
//! No answer depends on any of them. What can change only with a restart is said by
//! [`ServerSettings::needing_restart`].

use std::path::PathBuf;

/// How the daemon itself behaves; no answer depends on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerSettings {
    /// What a reload that weakens something does.
    pub weaker_reload: WeakerReload,
    /// Connections over all listeners together; beyond, the oldest idle one is closed.
    pub max_connections: usize,
    /// The least level that is logged.
    pub log: LogLevel,
    /// The form of log lines.
    pub log_format: LogFormat,
    /// Which decisions are logged at info.
    pub decisions: Decisions,
}

/// What a reload that removes or weakens an enforced requirement does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WeakerReload {
    /// It takes effect, with a warning for each.
    Apply,
    /// It is refused, unless it was asked for with `--accept-weaker`.
    Refuse,
}

/// The least level that is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    /// What keeps us from our work.
    Error,
    /// What the operator must change.
    Warn,
    /// Start, reload, stop, decisions.
    Info,
    /// What a peer can cause at will.
    Debug,
    /// Everything.
    Trace,
}

/// The form of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// `key=value`.
    Text,
    /// One JSON object a line.
    Json,
}

/// Which decisions are logged at info.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decisions {
    /// Those in which a connector took part, enforcing or reporting.
    Connector,
    /// Every one.
    All,
    /// None.
    None,
}

impl Default for ServerSettings {
    fn default() -> Self {
        ServerSettings {
            weaker_reload: WeakerReload::Apply,
            max_connections: 1024,
            log: LogLevel::Info,
            log_format: LogFormat::Text,
            decisions: Decisions::Connector,
        }
    }
}

/// A socket to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// What is spoken on it.
    pub protocol: ListenProtocol,
    /// Its path; a relative one is relative to the runtime directory.
    pub path: PathBuf,
    /// Name or number of the group it is given to; `None`: the daemon's own.
    pub group: Option<String>,
    /// Its permissions.
    pub mode: u32,
}

/// What is spoken on a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ListenProtocol {
    /// socketmap_table(5): TLS policy and transport.
    Socketmap,
    /// SMTPD_POLICY_README: inbound mail.
    Policy,
    /// `connectord status` and `connectord reload`.
    Control,
}

impl ListenProtocol {
    /// The word in the configuration, in logs and in JSON.
    pub fn word(self) -> &'static str {
        match self {
            ListenProtocol::Socketmap => "socketmap",
            ListenProtocol::Policy => "policy",
            ListenProtocol::Control => "control",
        }
    }
}
