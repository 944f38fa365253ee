//! `[[listen]]`: the sockets.
//!
//! Those that are written replace the ones that there are without; `control` is there in any case. Metrics are served
//! only where that is written, at a path or at an address of this host alone, and replace none.
//!
//! The group is a name that only the system can resolve, and a relative path is relative to the
//! runtime directory of the daemon: both are kept as written for the server.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Component, Path, PathBuf};

use toml::de::DeValue;

use super::problem::shown;
use super::reading::Reading;
use super::source::Place;
use super::table::{Item, Legal, Table};
use super::{keys, loopback};
use crate::snapshot::Direction;

/// A socket to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// What is spoken on it.
    pub protocol: ListenProtocol,
    /// Where it is.
    pub at: At,
    /// Name or number of the group it is given to; `None`: the daemon's own.
    pub group: Option<String>,
    /// Its permissions.
    pub mode: u32,
    /// Whether it stands in the configuration; otherwise it is one of those that there are without.
    pub is_written: bool,
}

/// Where a socket is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum At {
    /// A Unix socket; a relative path is relative to the runtime directory.
    Path(PathBuf),
    /// A port of the loopback interface.
    Address(SocketAddr),
}

/// What is spoken on a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ListenProtocol {
    /// socketmap_table(5): TLS policy and transport.
    Socketmap,
    /// SMTPD_POLICY_README: inbound mail.
    Policy,
    /// What contrib/exim asks, about mail in both directions.
    Exim,
    /// `connectord status` and `connectord reload`.
    Control,
    /// HTTP/1 for Prometheus.
    Metrics,
}

impl Listen {
    /// The sockets of a configuration without any `[[listen]]`.
    pub fn defaults() -> Vec<Listen> {
        let there = ListenProtocol::ALL.into_iter().filter(|protocol| *protocol != ListenProtocol::Metrics);
        there.map(ListenProtocol::default_listener).collect()
    }

    /// Its path, if it has one.
    pub fn path(&self) -> Option<&Path> {
        match &self.at {
            At::Path(path) => Some(path),
            At::Address(_) => None,
        }
    }
}

impl ListenProtocol {
    /// Every protocol of this version.
    pub const ALL: [ListenProtocol; 5] = [
        ListenProtocol::Socketmap,
        ListenProtocol::Policy,
        ListenProtocol::Exim,
        ListenProtocol::Control,
        ListenProtocol::Metrics,
    ];

    /// The word in the configuration, in logs and in JSON.
    pub fn word(self) -> &'static str {
        match self {
            ListenProtocol::Socketmap => "socketmap",
            ListenProtocol::Policy => "policy",
            ListenProtocol::Exim => "exim",
            ListenProtocol::Control => "control",
            ListenProtocol::Metrics => "metrics",
        }
    }

    /// Whether it is an MTA that asks there, so that mail waits where it is missing.
    pub fn is_for_mta(self) -> bool {
        match self {
            ListenProtocol::Socketmap | ListenProtocol::Policy | ListenProtocol::Exim => true,
            ListenProtocol::Control | ListenProtocol::Metrics => false,
        }
    }

    /// Whether an MTA asks there about connectors of this direction.
    pub fn is_about(self, direction: Direction) -> bool {
        match self {
            ListenProtocol::Socketmap => direction == Direction::Outbound,
            ListenProtocol::Policy => direction == Direction::Inbound,
            ListenProtocol::Exim => true,
            ListenProtocol::Control | ListenProtocol::Metrics => false,
        }
    }

    /// The permissions of a socket when none are written.
    pub fn default_mode(self) -> u32 {
        match self {
            ListenProtocol::Socketmap
            | ListenProtocol::Policy
            | ListenProtocol::Exim
            | ListenProtocol::Metrics => 0o660,
            ListenProtocol::Control => 0o600,
        }
    }

    /// The socket in the runtime directory when none is written.
    pub fn default_listener(self) -> Listen {
        let at = At::Path(PathBuf::from(format!("{}.sock", self.word())));
        Listen { protocol: self, at, group: None, mode: self.default_mode(), is_written: false }
    }
}

pub(super) const LEGAL: Legal =
    Legal { title: "[[listen]]", prefix: "", keys: keys::LISTEN, notes: false, main_only: &[] };

/// Bytes of a socket's path: one less than `sun_path` has (unix(7)), for its final zero. A longer
/// one cannot be bound.
const MAX_PATH: usize = 107;

/// Tells of enforcing connectors that nobody can ask about, when sockets are written. Not beside
/// a problem: a socket that is refused is not among the listeners.
pub(super) fn check(reading: &mut Reading, item: Place, listeners: &[Listen], enforcing: &[Direction]) {
    if !reading.problems.is_empty() {
        return;
    }
    for (direction, protocol) in
        [(Direction::Outbound, ListenProtocol::Socketmap), (Direction::Inbound, ListenProtocol::Policy)]
    {
        let asks = |listener: &Listen| listener.protocol.is_about(direction);
        if !enforcing.contains(&direction) || listeners.iter().any(asks) {
            continue;
        }
        let word = protocol.word();
        reading.warn(
            item,
            format!(
                "no [[listen]] with protocol = \"{word}\" or \"exim\": no MTA can ask about {direction} connectors"
            ),
            format!("write one, or remove every [[listen]] to have {word}.sock in the runtime directory"),
        );
    }
}

/// Reads the sockets, or takes those that are there without any.
pub(super) fn read(reading: &mut Reading, item: Option<Item<'_>>) -> Vec<Listen> {
    let Some(item) = item else {
        return Listen::defaults();
    };
    let mut listeners = Vec::new();
    let mut lines = BTreeMap::new();
    for table in item.tables(reading, LEGAL) {
        let protocol = table
            .demand(reading, "protocol", "write socketmap, policy, exim, control or metrics")
            .and_then(|item| protocol(reading, item));
        let at = match table.find("address") {
            Some(item) => loopback::read(reading, &table, item, protocol),
            None => table
                .demand(reading, "path", "write the path of the socket")
                .and_then(|item| path(reading, item))
                .map(|(path, place)| (At::Path(path), place)),
        };
        let at = at.and_then(|(at, place)| only_once(reading, at, place, &mut lines));
        let group = table.find("group").and_then(|item| group(reading, item));
        let mode = mode(reading, &table, protocol);
        if let (Some(protocol), Some(at), Some(mode)) = (protocol, at, mode) {
            listeners.push(Listen { protocol, at, group, mode, is_written: true });
        }
    }
    // Whoever wants metrics still wants to be asked.
    let mut missing: Vec<ListenProtocol> = Vec::new();
    if listeners.iter().all(|listener| listener.protocol == ListenProtocol::Metrics) {
        missing.extend(ListenProtocol::ALL.into_iter().filter(|protocol| protocol.is_for_mta()));
    }
    // Without it nobody could ask how the daemon is.
    if listeners.iter().all(|listener| listener.protocol != ListenProtocol::Control) {
        missing.push(ListenProtocol::Control);
    }
    for protocol in missing {
        let listener = protocol.default_listener();
        match lines.get(&listener.at) {
            Some(&taken) => reading.problem(
                taken,
                format!(
                    "this is the path of the {} socket, which is there without being written",
                    protocol.word()
                ),
                format!(
                    "choose another path, or write a [[listen]] with protocol = \"{}\" and a path of its own",
                    protocol.word()
                ),
            ),
            None => listeners.push(listener),
        }
    }
    listeners
}

/// What has no other socket yet; [`At`] is compared as the path that it comes to.
fn only_once(reading: &mut Reading, at: At, place: Place, lines: &mut BTreeMap<At, Place>) -> Option<At> {
    let plain = match &at {
        At::Path(path) => At::Path(path.components().filter(|part| *part != Component::CurDir).collect()),
        At::Address(address) => At::Address(*address),
    };
    if let Some(first) = lines.get(&plain) {
        let line = reading.sources.get(first.source).map_or(0, |source| source.position(first.start).0);
        let (shown, help) = match &at {
            At::Path(path) => (shown(&path.to_string_lossy()), "give each protocol a path of its own"),
            At::Address(address) => (shown(&address.to_string()), "once is enough"),
        };
        reading.problem(place, format!("{shown} is the socket of line {line} already"), help);
        return None;
    }
    lines.insert(plain, place);
    Some(at)
}

fn protocol(reading: &mut Reading, item: Item<'_>) -> Option<ListenProtocol> {
    item.word(reading, &ListenProtocol::ALL.map(|protocol| (protocol.word(), protocol)))
}

fn path(reading: &mut Reading, item: Item<'_>) -> Option<(PathBuf, Place)> {
    let text = item.text(reading)?;
    let path = PathBuf::from(text.text);
    let refusal = if text.text.len() > MAX_PATH {
        Some((
            format!("the path has {} bytes; a socket's path has at most {MAX_PATH}", text.text.len()),
            "choose a shorter one",
        ))
    } else if text.text.contains('\0') || text.text.ends_with('/') || path.file_name().is_none() {
        Some((
            format!("{} is no path of a socket", shown(text.text)),
            "write the path of a file, such as policy.sock",
        ))
    } else {
        None
    };
    if let Some((message, help)) = refusal {
        reading.problem(text.place, message, help);
        return None;
    }
    Some((path, text.place))
}

fn group(reading: &mut Reading, item: Item<'_>) -> Option<String> {
    if let DeValue::Integer(_) = item.value() {
        return item
            .number(reading, 0..=usize::try_from(u32::MAX - 1).unwrap_or(usize::MAX))
            .map(|number| number.to_string());
    }
    let text = item.text(reading)?;
    let valid =
        !text.text.is_empty() && !text.text.chars().any(|c| c.is_control() || c.is_whitespace() || c == ':');
    if !valid {
        reading.problem(
            text.place,
            format!("{} is no name of a group", shown(text.text)),
            "write a group's name or number",
        );
    }
    valid.then(|| text.text.to_owned())
}

/// The permissions: those written, or the default of the protocol. Whoever may write may ask.
fn mode(reading: &mut Reading, table: &Table<'_>, protocol: Option<ListenProtocol>) -> Option<u32> {
    const OCTAL: &str = "octal digits in quotation marks, such as \"0660\"";
    let Some(item) = table.find("mode") else {
        return Some(protocol.unwrap_or(ListenProtocol::Control).default_mode());
    };
    let DeValue::String(text) = item.value() else {
        item.wrong_type(reading, OCTAL);
        return None;
    };
    let digits = (3..=4).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    let Some(mode) = u32::from_str_radix(text, 8).ok().filter(|mode| digits && mode & !0o666 == 0) else {
        reading.problem(
            item.place,
            format!("{} is no mode of a socket", shown(text)),
            format!("write {OCTAL}; nothing but read and write has a meaning"),
        );
        return None;
    };
    if mode & 0o002 != 0 {
        if protocol == Some(ListenProtocol::Control) {
            reading.problem(
                item.place,
                "everybody on this host could reload with --accept-weaker",
                "write \"0600\", or \"0660\" and a group",
            );
            return None;
        }
        reading.warn(
            item.place,
            "everybody on this host can ask, and learn the agreements",
            "write \"0660\" and the group of the MTA",
        );
    }
    Some(mode)
}
