//! `[mta]`: what the administrator tells of the MTA that asks.

use std::path::PathBuf;

use super::keys;
use super::patterns;
use super::problem::shown;
use super::reading::Reading;
use super::table::{Item, Legal};
use crate::model::mta::{Mta, PostfixVersion, TransportName};
use crate::model::{Level, PatternSet};

pub(super) const LEGAL: Legal =
    Legal { title: "[mta]", prefix: "mta.", keys: keys::MTA, notes: false, main_only: &[] };

/// The TLS levels with their words.
pub(super) const LEVELS: [(&str, Level); 7] = [
    ("may", Level::May),
    ("encrypt", Level::Encrypt),
    ("verify", Level::Verify),
    ("secure", Level::Secure),
    ("fingerprint", Level::Fingerprint),
    ("dane", Level::Dane),
    ("dane-only", Level::DaneOnly),
];

/// Reads the table; what is not there, or wrong, keeps its default.
pub(super) fn read(reading: &mut Reading, item: Item<'_>) -> Mta {
    let mut mta = Mta::default();
    let Some(table) = item.table(reading, LEGAL) else {
        return mta;
    };
    if let Some(version) = table.find("postfix").and_then(|item| version(reading, item)) {
        mta.postfix = version;
    }
    if let Some(level) = table.find("level").and_then(|item| item.word(reading, &LEVELS)) {
        mta.level = level;
    }
    mta.queue_directory = table.find("queue_directory").and_then(|item| directory(reading, item));
    if let Some(name) = table.find("transport").and_then(|item| transport(reading, item)) {
        mta.transport = name;
    }
    if let Some(item) = table.find("own_domains") {
        let texts = item.texts(reading);
        mta.own_domains = PatternSet::new(patterns::each(reading, &texts, patterns::own_domain));
    }
    mta
}

fn version(reading: &mut Reading, item: Item<'_>) -> Option<PostfixVersion> {
    const HELP: &str = "write the first two numbers of `postconf mail_version`, such as \"3.7\"";
    let text = item.text(reading)?;
    match PostfixVersion::parse(text.text) {
        Some(version) if version >= PostfixVersion::OLDEST => Some(version),
        Some(version) => {
            let message = format!(
                "Postfix {version} is too old; {} is the oldest that is answered",
                PostfixVersion::OLDEST
            );
            reading.problem(text.place, message, "upgrade Postfix");
            None
        }
        None => {
            reading.problem(text.place, format!("{} is no version of Postfix", shown(text.text)), HELP);
            None
        }
    }
}

fn directory(reading: &mut Reading, item: Item<'_>) -> Option<PathBuf> {
    let text = item.text(reading)?;
    let path = PathBuf::from(text.text);
    if !path.is_absolute() || text.text.contains('\0') {
        reading.problem(
            text.place,
            "the queue directory needs an absolute path",
            "write what `postconf -h queue_directory` says",
        );
        return None;
    }
    Some(path)
}

/// The name of a master.cf service, here and in a connector.
pub(super) fn transport(reading: &mut Reading, item: Item<'_>) -> Option<TransportName> {
    let text = item.text(reading)?;
    let name = TransportName::parse(text.text);
    if name.is_none() {
        let message = format!("{} is no name of a master.cf service", shown(text.text));
        reading.problem(
            text.place,
            message,
            "write the first word of the service's line in master.cf, such as \"smtp\"",
        );
    }
    name
}
