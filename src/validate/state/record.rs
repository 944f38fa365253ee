//! A kept result as bytes.
//!
//! The seal is over the very bytes of the record, so that it is checked before anything of it is
//! looked at. What does not fit is told and never repaired.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::key::{Key, NoKey};
use crate::state_directory::Unreadable;
use crate::validate::report::ConnectorReport;
use crate::validate::seen::{self, Seen};

/// The form of the file. Another one is not read.
const FORMAT: u32 = 1;

/// Bytes of a file; a longer one is neither written nor read. A certificate with many names makes
/// two or three KiB, and a partner has a handful of hosts.
pub(super) const LIMIT: u64 = 16 << 20;

/// One connector's last result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The connector's name.
    pub connector: String,
    /// The digest of the settings that were tested, by [`crate::validate::settings`].
    pub settings: String,
    /// Whom the run trusted ([`crate::validate::authorities::of`]); empty where no chain is judged,
    /// and in results of before this was kept.
    #[serde(default)]
    pub trust: String,
    /// What was found.
    pub report: ConnectorReport,
    /// The last certificates of places that showed none this time.
    #[serde(default)]
    pub seen: Vec<Seen>,
}

/// Why what is kept is no result. The words follow "not validated: the kept result cannot be used: ".
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// The file cannot be read, or should not be.
    #[error("{0}")]
    Unreadable(#[from] Unreadable),
    /// The seal cannot be checked.
    #[error("{0}")]
    NoKey(String),
    /// The directory cannot be looked into.
    #[error("the state directory cannot be read: {0}")]
    Closed(String),
    /// It is not in the form that we write.
    #[error("it is damaged, or was cut short")]
    Damaged,
    /// It is in a form of another version.
    #[error("it was written by another version of connectord (format {0})")]
    OtherFormat(u32),
    /// The seal does not fit.
    #[error("it was changed by hand, or comes from another machine")]
    Forged,
    /// It is another connector's.
    #[error("it is the result of another connector")]
    OtherConnector,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File<'f> {
    format: u32,
    mac: String,
    #[serde(borrow)]
    record: &'f RawValue,
}

/// What every form of the file has.
#[derive(Deserialize)]
struct AnyFile {
    format: u32,
}

impl Record {
    /// A new result, which goes on from the last one.
    pub fn new(settings: String, trust: String, report: ConnectorReport, last: Option<&Record>) -> Record {
        let seen = last.map(|last| seen::carried(last, &report)).unwrap_or_default();
        Record { connector: report.connector.clone(), settings, trust, report, seen }
    }

    /// The bytes of the file.
    pub(super) fn encode(&self, key: &Key) -> Result<Vec<u8>, EncodeError> {
        let record = serde_json::value::to_raw_value(self)?;
        let mac = key.seal(record.get().as_bytes());
        let mut bytes = serde_json::to_vec(&File { format: FORMAT, mac, record: &record })?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Reads the file of a connector.
    pub(super) fn decode(bytes: &[u8], connector: &str, key: &Key) -> Result<Record, Unusable> {
        let AnyFile { format } = serde_json::from_slice(bytes).map_err(|_| Unusable::Damaged)?;
        if format != FORMAT {
            return Err(Unusable::OtherFormat(format));
        }
        let File { mac, record, .. } = serde_json::from_slice(bytes).map_err(|_| Unusable::Damaged)?;
        if !key.sealed(record.get().as_bytes(), &mac) {
            return Err(Unusable::Forged);
        }
        let record: Record = serde_json::from_str(record.get()).map_err(|_| Unusable::Damaged)?;
        if record.connector != connector || record.report.connector != connector {
            return Err(Unusable::OtherConnector);
        }
        Ok(record)
    }
}

/// Why a result has no bytes.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// It cannot be written as JSON.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    /// It cannot be sealed.
    #[error("{0}")]
    NoKey(#[from] NoKey),
}

/// The file of a connector. Names hold a few characters that no file name should (`/`), or that a
/// shell would take apart; they are written as `%2F`. The longest name makes 192 bytes.
pub(super) fn file_name(connector: &str) -> String {
    let mut name = String::new();
    for byte in connector.bytes() {
        if byte.is_ascii_alphanumeric() || b"._-+@".contains(&byte) {
            name.push(char::from(byte));
        } else {
            name.push_str(&format!("%{byte:02X}"));
        }
    }
    name.push_str(".json");
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::name::{ConnectorName, MAX_LENGTH};

    #[test]
    fn file_names_are_safe_and_differ() {
        let longest = format!("a{}", "/".repeat(MAX_LENGTH - 1));
        let table = [
            ("contoso-bank", "contoso-bank.json".to_owned()),
            ("a/../../key", "a%2F..%2F..%2Fkey.json".to_owned()),
            ("R&D (test)", "R%26D%20%28test%29.json".to_owned()),
            ("key", "key.json".to_owned()),
            ("a.json", "a.json.json".to_owned()),
            (&longest, format!("a{}.json", "%2F".repeat(MAX_LENGTH - 1))),
        ];
        for (name, expected) in table {
            assert!(ConnectorName::parse(name).is_ok(), "{name}");
            assert_eq!(file_name(name), expected);
            // NAME_MAX, with what a temporary file has around it.
            assert!(file_name(name).len() + ".".len() + ".4194304.4294967295".len() <= 255, "{name}");
        }
    }
}
