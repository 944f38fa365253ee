//! `[server]` and `[organisation]`: the daemon's own settings, and who we are.

use super::addresses::{self, Use};
use super::keys;
use super::patterns;
use super::reading::Reading;
use super::table::{Item, Legal, Table};
use crate::model::{Organisation, Pattern};

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

impl WeakerReload {
    const ALL: [WeakerReload; 2] = [WeakerReload::Apply, WeakerReload::Refuse];

    /// The word in the configuration.
    pub fn word(self) -> &'static str {
        match self {
            WeakerReload::Apply => "apply",
            WeakerReload::Refuse => "refuse",
        }
    }

    /// What a word stands for.
    pub(super) fn of_word(word: &str) -> Option<WeakerReload> {
        WeakerReload::ALL.into_iter().find(|value| value.word() == word)
    }
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

impl LogLevel {
    /// The word in the configuration, as tracing reads it.
    pub fn word(self) -> &'static str {
        match self {
            LogLevel::Error => "error",
            LogLevel::Warn => "warn",
            LogLevel::Info => "info",
            LogLevel::Debug => "debug",
            LogLevel::Trace => "trace",
        }
    }
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

impl Decisions {
    /// The word in the configuration.
    pub fn word(self) -> &'static str {
        match self {
            Decisions::Connector => "connector",
            Decisions::All => "all",
            Decisions::None => "none",
        }
    }
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

/// Connections that may be configured: as many as the kernel gives descriptors to a process that
/// asks for a lot (`fs.nr_open` is larger by default, systemd's `LimitNOFILE` is not).
const MAX_CONNECTIONS: usize = 500_000;

pub(super) const SERVER: Legal =
    Legal { title: "[server]", prefix: "server.", keys: keys::SERVER, notes: false, main_only: &[] };

pub(super) const ORGANISATION: Legal = Legal {
    title: "[organisation]",
    prefix: "organisation.",
    keys: keys::ORGANISATION,
    notes: false,
    main_only: &[],
};

/// Reads `[server]`; what is not there, or wrong, keeps its default.
pub(super) fn read(reading: &mut Reading, item: Item<'_>) -> ServerSettings {
    use LogLevel::{Debug, Error, Info, Trace, Warn};
    let mut settings = ServerSettings::default();
    let Some(table) = item.table(reading, SERVER) else {
        return settings;
    };
    let words = WeakerReload::ALL.map(|value| (value.word(), value));
    if let Some(value) = table.find("weaker_reload").and_then(|item| item.word(reading, &words)) {
        settings.weaker_reload = value;
    }
    if let Some(value) =
        table.find("max_connections").and_then(|item| item.number(reading, 1..=MAX_CONNECTIONS))
    {
        settings.max_connections = value;
    }
    let levels = [Error, Warn, Info, Debug, Trace].map(|level| (level.word(), level));
    if let Some(value) = table.find("log").and_then(|item| item.word(reading, &levels)) {
        settings.log = value;
    }
    let formats = [("text", LogFormat::Text), ("json", LogFormat::Json)];
    if let Some(value) = table.find("log_format").and_then(|item| item.word(reading, &formats)) {
        settings.log_format = value;
    }
    let decisions =
        [Decisions::Connector, Decisions::All, Decisions::None].map(|value| (value.word(), value));
    if let Some(value) = table.find("decisions").and_then(|item| item.word(reading, &decisions)) {
        settings.decisions = value;
    }
    settings
}

/// Reads `[organisation]`.
pub(super) fn organisation(reading: &mut Reading, item: Item<'_>) -> Organisation {
    let Some(table) = item.table(reading, ORGANISATION) else {
        return Organisation::default();
    };
    let text = |reading: &mut Reading, key| {
        table.find(key).and_then(|item| item.text(reading)).map(|text| text.text.to_owned())
    };
    Organisation {
        name: text(reading, "name"),
        contact: text(reading, "contact"),
        domains: names(reading, &table, "domains"),
        certificate_names: names(reading, &table, "certificate_names"),
        addresses: table
            .find("addresses")
            .map_or_else(Vec::new, |item| addresses::ranges(reading, item, Use::Note)),
    }
}

fn names(reading: &mut Reading, table: &Table<'_>, key: &'static str) -> Vec<Pattern> {
    let Some(item) = table.find(key) else {
        return Vec::new();
    };
    let texts = item.texts(reading);
    patterns::each(reading, &texts, patterns::own_domain)
}
