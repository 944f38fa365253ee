//! The configuration as it is written, turned into the model.
//!
//! [`load`] reads `connectord.toml` and everything it names, and returns agreements that are
//! complete and valid, or [`Problems`]: all of them, of all files, each with its file, line and
//! column, the line with a caret, and what to do. What does not stand in the way is a warning.
//!
//! It refuses whatever it does not know. No key that decides strength has a default, so that a
//! connector whose file was cut short is a problem and not a weaker connector. It reads regular
//! files only, within limits, and never waits for one, except that a reload waits a second at most
//! for files written just now, to find out whether they are written whole; it opens no socket, asks no DNS and logs
//! nothing. Contradictions between connectors are found by the snapshot; [`Loaded::locate`] says
//! where they are written.
//!
//! The same function serves `check`, the start and every reload, so they say the same.

mod addresses;
mod archive;
mod certificates;
mod document;
mod file;
mod files;
mod inbound;
mod include;
mod keys;
mod listen;
mod locate;
mod loopback;
mod mta;
mod notes;
mod origin;
mod outbound;
mod patterns;
mod planned;
mod problem;
mod reading;
mod records;
mod references;
mod requirement;
mod role;
mod server;
mod source;
mod suggestion;
mod table;
pub(crate) mod value;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use toml::de::DeValue;

use crate::model::{Agreements, Inbound, Mode, Mta, Organisation, Outbound};
use crate::snapshot::Direction;
use addresses::Use;
use locate::ConnectorPlace;
use origin::Origin;
use reading::Reading;
use references::Mention;
use role::Role;
use source::{Place, Source};
use table::{Item, Legal, Table};

pub use archive::{Archive, Head, Unusable};
pub use files::Files;
pub use keys::Key;
pub use listen::{At, Listen, ListenProtocol};
pub use planned::{DropIn, Planned};
pub use problem::{Cause, MAX_KEPT, MAX_PRINTED, Problem, Problems, SourceLine};
pub use server::{Decisions, LogFormat, LogLevel, ServerSettings, WeakerReload};
pub(crate) use suggestion::nearest;

/// A configuration without problems of its own.
#[derive(Debug)]
pub struct Loaded {
    /// What answers are made from.
    pub agreements: Agreements,
    /// How the daemon behaves.
    pub server: ServerSettings,
    /// The sockets; a control socket is always among them.
    pub listen: Vec<Listen>,
    /// Who we are.
    pub organisation: Organisation,
    /// What the operator should know.
    pub warnings: Problems,
    /// Lower-case hex of the SHA-256 of every file read, each with its role and length.
    pub sha256: String,
    /// The same files, for an archive.
    pub files: Files,
    sources: Vec<Arc<Source>>,
    outbound: Vec<ConnectorPlace>,
    inbound: Vec<ConnectorPlace>,
}

/// Reads a configuration. `now` is what certificates are judged by.
///
/// # Errors
/// Every problem of every file.
pub fn load(path: &Path, now: Timestamp) -> Result<Loaded, Problems> {
    let (loaded, problems) = read(path, now, None);
    if problems.is_empty() { Ok(loaded) } else { Err(problems) }
}

/// Reads a configuration as far as possible: the connectors with which nothing is wrong, and the
/// problems. It lets [`crate::load`] look for contradictions among the former too.
///
/// With `pause`, which is to wait so long, what could be served is read again if it was written
/// less than a second ago; a file that is another one then is a problem.
pub(crate) fn read(
    path: &Path,
    now: Timestamp,
    pause: Option<&mut dyn FnMut(Duration)>,
) -> (Loaded, Problems) {
    finish(Reading::new(now, Origin::Disk), path, pause)
}

/// As [`read`], with a file that is not there yet.
pub(crate) fn read_planned(path: &Path, now: Timestamp, planned: Planned) -> (Loaded, Problems) {
    finish(Reading::new(now, Origin::Planned(Box::new(planned))), path, None)
}

/// As [`read`], of an archive: as its files were read then, at that time.
pub(crate) fn read_archive(archive: Archive) -> (Loaded, Problems) {
    let (now, main) = (archive.head().at(), archive.main());
    finish(Reading::new(now, Origin::Archive(Box::new(archive))), &main, None)
}

/// The main file as an absolute path, by which an archive is known.
pub fn absolute(path: &Path) -> PathBuf {
    origin::absolute(path)
}

fn finish(mut reading: Reading, path: &Path, pause: Option<&mut dyn FnMut(Duration)>) -> (Loaded, Problems) {
    let mut collected = Collected::default();
    collected.read_main(&mut reading, path);
    references::check(&mut reading, &collected.mentions);
    // Beside a problem it may only seem so.
    if reading.problems.is_empty() && collected.mentions.is_empty() {
        reading.warn_of_file(
            path,
            "no connector: nothing is enforced",
            "write an [[outbound]] or [[inbound]]",
        );
    }
    if let Some(place) = collected.listen_place {
        listen::check(&mut reading, place, &collected.listen, &collected.enforcing());
    }
    let Collected { mta, exempt, server, listen, organisation, outbound, inbound, places, .. } = collected;
    if let Some(pause) = pause.filter(|_| reading.problems.is_empty()) {
        reading.settle(pause);
    }
    let mut problems = std::mem::take(&mut reading.problems);
    problems.sort();
    reading.warnings.sort();
    let (sha256, files) = reading.files(server.weaker_reload);
    let agreements = Agreements { mta, inbound_exempt: exempt, outbound, inbound };
    let [outbound, inbound] = places;
    let loaded = Loaded {
        agreements,
        server,
        listen,
        organisation,
        warnings: reading.warnings,
        sha256,
        files,
        sources: reading.sources,
        outbound,
        inbound,
    };
    (loaded, problems)
}

/// Every key of the configuration with the table it stands in and its whole name, in the order of the manual:
/// `[mta]` and `postfix`, `[[inbound]]` and `identify.domains`.
pub fn keys() -> impl Iterator<Item = (&'static str, String, Key)> {
    let tables = [
        ("", MAIN),
        ("", listen::LEGAL),
        ("", mta::LEGAL),
        ("", EXEMPT),
        ("", server::SERVER),
        ("", server::ORGANISATION),
        ("", outbound::LEGAL),
        ("[[outbound]]", outbound::VALIDATE),
        ("", inbound::LEGAL),
        ("[[inbound]]", inbound::IDENTIFY),
        ("[[inbound]]", inbound::REQUIRE),
        ("[[inbound]]", inbound::CERTIFICATE),
    ];
    let keys = tables.into_iter().flat_map(|(within, legal)| {
        let (title, prefix) = if within.is_empty() { (legal.title, "") } else { (within, legal.prefix) };
        legal.keys.iter().map(move |key| (title, format!("{prefix}{}", key.name), *key))
    });
    // `identify` and its like are tables; what counts is what stands in them.
    keys.filter(move |(_, name, _)| {
        tables.iter().all(|(within, legal)| within.is_empty() || legal.title != name)
    })
}

const MAIN: Legal =
    Legal { title: "the main file", prefix: "", keys: keys::MAIN, notes: false, main_only: &[] };

const INCLUDED: Legal = Legal {
    title: "an included file",
    prefix: "",
    keys: keys::INCLUDED,
    notes: false,
    main_only: &["include", "listen", "mta", "inbound_exempt", "server", "organisation"],
};

const EXEMPT: Legal = Legal {
    title: "[inbound_exempt]",
    prefix: "inbound_exempt.",
    keys: keys::EXEMPT,
    notes: false,
    main_only: &[],
};

/// Our own re-injection: what a content filter gives back comes from here.
const LOOPBACK: [&str; 2] = ["127.0.0.0/8", "::1/128"];

/// What the files have given so far.
#[derive(Default)]
struct Collected {
    mta: Mta,
    exempt: Vec<ipnet::IpNet>,
    server: ServerSettings,
    listen: Vec<Listen>,
    /// Where the sockets are written, if they are.
    listen_place: Option<Place>,
    organisation: Organisation,
    outbound: Vec<Outbound>,
    inbound: Vec<Inbound>,
    /// Of the connectors of both directions, in the order of their lists.
    places: [Vec<ConnectorPlace>; 2],
    mentions: Vec<Mention>,
}

impl Collected {
    /// The directions in which a connector is enforced.
    fn enforcing(&self) -> Vec<Direction> {
        let outbound = self.outbound.iter().map(|connector| (Direction::Outbound, connector.mode));
        let inbound = self.inbound.iter().map(|connector| (Direction::Inbound, connector.mode));
        let enforcing = outbound.chain(inbound).filter(|(_, mode)| *mode == Mode::Enforce);
        enforcing.map(|(direction, _)| direction).collect()
    }

    fn read_main(&mut self, reading: &mut Reading, path: &Path) {
        let Some((rank, source)) = reading.text(path, Role::Main, None) else {
            return;
        };
        let Some(tree) = document::parse(reading, rank, &source) else {
            return;
        };
        let table = Table::open(reading, rank, tree.get_ref(), Place::new(rank, 0..0), MAIN);
        version(reading, &table);
        if let Some(item) = table.find("mta") {
            self.mta = mta::read(reading, item);
        }
        self.exempt = exempt(reading, table.find("inbound_exempt"));
        if let Some(item) = table.find("server") {
            self.server = server::read(reading, item);
        }
        if let Some(item) = table.find("organisation") {
            self.organisation = server::organisation(reading, item);
        }
        let item = table.find("listen");
        self.listen_place = item.map(|item| item.place);
        self.listen = listen::read(reading, item);
        reading.postfix_asks =
            self.listen.iter().any(|listener| listener.protocol == ListenProtocol::Socketmap);
        self.read_connectors(reading, &table, &source);
        if let Some(item) = table.find("include") {
            for (path, named) in include::files(reading, item, &source) {
                self.read_included(reading, &path, named);
            }
        }
    }

    fn read_included(&mut self, reading: &mut Reading, path: &Path, named: Place) {
        let Some((rank, source)) = reading.text(path, Role::Included, Some(named)) else {
            return;
        };
        let Some(tree) = document::parse(reading, rank, &source) else {
            return;
        };
        let table = Table::open(reading, rank, tree.get_ref(), Place::new(rank, 0..0), INCLUDED);
        version(reading, &table);
        self.read_connectors(reading, &table, &source);
    }

    fn read_connectors(&mut self, reading: &mut Reading, table: &Table<'_>, source: &Source) {
        let [outbound_places, inbound_places] = &mut self.places;
        if let Some(item) = table.find("outbound") {
            for table in item.tables(reading, outbound::LEGAL) {
                let (mention, connector) = outbound::read(reading, &table, source, &self.mta);
                if let Some(connector) = connector {
                    self.outbound.push(connector);
                    outbound_places.push(ConnectorPlace { header: mention.header, list: mention.list });
                }
                self.mentions.push(mention);
            }
        }
        if let Some(item) = table.find("inbound") {
            for table in item.tables(reading, inbound::LEGAL) {
                let (mention, connector) = inbound::read(reading, &table, source);
                if let Some(connector) = connector {
                    self.inbound.push(connector);
                    inbound_places.push(ConnectorPlace { header: mention.header, list: None });
                }
                self.mentions.push(mention);
            }
        }
    }
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn version(reading: &mut Reading, table: &Table<'_>) {
    let Some(item) = table.demand(reading, "version", "write `version = 1` as the first line of each file")
    else {
        return;
    };
    let DeValue::Integer(number) = item.value() else {
        item.wrong_type(reading, "the number 1, without quotation marks");
        return;
    };
    if number.as_str() != "1" {
        let message =
            format!("this connectord knows version 1 of the configuration, not {}", number.as_str());
        reading.problem(
            item.place,
            message,
            "write `version = 1`, or install the connectord that this file was written for",
        );
    }
}

fn exempt(reading: &mut Reading, item: Option<Item<'_>>) -> Vec<ipnet::IpNet> {
    let default = || LOOPBACK.iter().filter_map(|range| range.parse().ok()).collect();
    let Some(item) = item else {
        return default();
    };
    let Some(table) = item.table(reading, EXEMPT) else {
        return Vec::new();
    };
    match table.find("addresses") {
        Some(item) => addresses::ranges(reading, item, Use::Exempt),
        None => default(),
    }
}
