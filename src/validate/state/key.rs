//! The key that seals results: made once on this machine, never shown, never copied.

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::state_directory::{Directory, Found, Unreadable};

/// Its file, beside those of the connectors, which all end in `.json`.
const NAME: &str = "key";

/// Bytes of a key: as many as the digest has (RFC 2104 section 3).
const LENGTH: usize = 32;

/// A key.
pub(super) struct Key([u8; LENGTH]);

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum NoKey {
    /// It was never made, or somebody removed it.
    #[error("the key that results are sealed with is missing")]
    Absent,
    /// It cannot be read, perhaps only by us.
    #[error("the key that results are sealed with cannot be read: {0}")]
    Unreadable(#[from] Unreadable),
    /// It has another length.
    #[error("the key that results are sealed with is damaged")]
    Damaged,
    /// Others than its owner can read it, or made it.
    #[error("the key that results are sealed with is not secret: others can read it, or made it")]
    Exposed,
    /// The system has no random numbers.
    #[error("no key can be made to seal results with: {0}")]
    Random(#[from] getrandom::Error),
}

impl Key {
    /// The key in this directory.
    pub(super) fn read(directory: &Directory) -> Result<Key, NoKey> {
        // One byte more than a key shows that it is none.
        let Some(Found { bytes, mode, user }) = directory.read(NAME, 4096)? else {
            return Err(NoKey::Absent);
        };
        if mode & 0o077 != 0 || (user != 0 && user != directory.user()) {
            return Err(NoKey::Exposed);
        }
        bytes.try_into().map(Key).map_err(|_| NoKey::Damaged)
    }

    /// The key in this directory, made where there is none that can be used: what it would seal is
    /// lost, and a new one is as good. One that only we may not read stays.
    pub(super) fn read_or_make(directory: &Directory) -> Result<Key, NoKey> {
        match Key::read(directory) {
            Ok(key) => return Ok(key),
            Err(NoKey::Absent) => directory.make(NAME, &Key::random()?.0).map_err(Unreadable::System)?,
            Err(error @ (NoKey::Unreadable(Unreadable::System(_)) | NoKey::Random(_))) => return Err(error),
            Err(NoKey::Damaged | NoKey::Exposed | NoKey::Unreadable(_)) => {
                directory.replace(NAME, &Key::random()?.0).map_err(Unreadable::System)?;
            }
        }
        // Another run may have been faster; its key counts.
        Key::read(directory)
    }

    /// From the system's random source.
    fn random() -> Result<Key, getrandom::Error> {
        let mut bytes = [0; LENGTH];
        getrandom::fill(&mut bytes)?;
        Ok(Key(bytes))
    }

    /// Lower-case hex of the HMAC-SHA256 of a record's bytes.
    pub(super) fn seal(&self, record: &[u8]) -> String {
        self.mac(record).finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Whether a record was sealed with this key. It takes as long wherever the two differ.
    pub(super) fn sealed(&self, record: &[u8], seal: &str) -> bool {
        if seal.len() != 2 * LENGTH || !seal.bytes().all(|octet| octet.is_ascii_hexdigit()) {
            return false;
        }
        let octet = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok();
        let seal: Option<Vec<u8>> = seal.as_bytes().chunks_exact(2).map(octet).collect();
        seal.is_some_and(|seal| self.mac(record).verify_slice(&seal).is_ok())
    }

    fn mac(&self, record: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::new_from_slice(&self.0).expect("a key of any length is one");
        mac.update(b"connectord validation 1\n");
        mac.update(record);
        mac
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_seal_is_of_every_byte_and_of_the_key() {
        let key = Key([7; LENGTH]);
        let seal = key.seal(b"record");
        // python3: hmac.new(bytes([7])*32, b"connectord validation 1\nrecord", "sha256").hexdigest()
        assert_eq!(seal, "06f26bf98e10d11cba395b19f67b61c6c984f2ab3c98fd05134b57626a7c164d");
        let table: [(&Key, &[u8], &str, bool); 8] = [
            (&key, b"record", &seal, true),
            (&key, b"Record", &seal, false),
            (&key, b"record ", &seal, false),
            (&Key([8; LENGTH]), b"record", &seal, false),
            (&key, b"record", &seal[1..], false),
            (&key, b"record", "", false),
            (&key, b"record", &seal.replacen("06", "+6", 1), false),
            (&key, b"record", &seal.replacen("06", "\u{e9}", 1), false),
        ];
        for (key, record, seal, expected) in table {
            assert_eq!(key.sealed(record, seal), expected, "{record:?} {seal}");
        }
        assert_eq!(format!("{key:?}"), "Key(..)");
    }
}
