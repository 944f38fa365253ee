//! The key that seals results: made once on this machine, never shown, never copied.

use std::fmt;

use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::memcmp;
use openssl::pkey::PKey;
use openssl::rand::rand_priv_bytes;
use openssl::sign::Signer;

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
    /// OpenSSL has no random numbers.
    #[error("no key can be made to seal results with: {0}")]
    Random(#[from] ErrorStack),
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

    /// From OpenSSL's generator, which the system's random source seeds.
    fn random() -> Result<Key, ErrorStack> {
        let mut bytes = [0; LENGTH];
        rand_priv_bytes(&mut bytes)?;
        Ok(Key(bytes))
    }

    /// Lower-case hex of the HMAC-SHA256 of a record's bytes.
    pub(super) fn seal(&self, record: &[u8]) -> Result<String, ErrorStack> {
        let key = PKey::hmac(&self.0)?;
        let mut signer = Signer::new(MessageDigest::sha256(), &key)?;
        signer.update(b"connectord validation 1\n")?;
        signer.update(record)?;
        Ok(signer.sign_to_vec()?.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// Whether a record was sealed with this key. It takes as long wherever the two differ.
    pub(super) fn sealed(&self, record: &[u8], seal: &str) -> Result<bool, ErrorStack> {
        let expected = self.seal(record)?;
        // memcmp::eq panics at different lengths.
        Ok(seal.len() == expected.len() && memcmp::eq(seal.as_bytes(), expected.as_bytes()))
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
        let seal = key.seal(b"record").unwrap();
        // python3: hmac.new(bytes([7])*32, b"connectord validation 1\nrecord", "sha256").hexdigest()
        assert_eq!(seal, "06f26bf98e10d11cba395b19f67b61c6c984f2ab3c98fd05134b57626a7c164d");
        let table: [(&Key, &[u8], &str, bool); 6] = [
            (&key, b"record", &seal, true),
            (&key, b"Record", &seal, false),
            (&key, b"record ", &seal, false),
            (&Key([8; LENGTH]), b"record", &seal, false),
            (&key, b"record", &seal[1..], false),
            (&key, b"record", "", false),
        ];
        for (key, record, seal, expected) in table {
            assert_eq!(key.sealed(record, seal).unwrap(), expected, "{record:?} {seal}");
        }
        assert_eq!(format!("{key:?}"), "Key(..)");
    }
}
