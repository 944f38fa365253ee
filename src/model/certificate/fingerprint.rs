//! SHA-256 digests of certificates and public keys, as operators write them and Postfix sends them.
//!
//! The operator writes `sha256:` and 64 hexadecimal digits. The prefix is mandatory, because a
//! digest without its algorithm is how MD5 digests end up compared with SHA-256 ones: Postfix
//! itself computes MD5 as long as `compatibility_level` is below 3.6. What Postfix sends carries
//! no algorithm either, only its length tells, and [`Presented`] keeps the difference between "no
//! certificate" and "a digest that cannot be compared", so that a reply can say which it was.

use std::fmt;

use sha2::{Digest, Sha256};

/// What an operator writes before the digits.
const PREFIX: &str = "sha256:";

/// Bytes of a SHA-256 digest.
const LENGTH: usize = 32;

/// Bytes of the longest digest that OpenSSL computes (SHA-512); Postfix sends no longer one.
const LONGEST: usize = 64;

/// A SHA-256 digest, of a certificate (its DER) or of a public key (its SubjectPublicKeyInfo).
///
/// Displayed as Postfix displays it (tls_fprint.c:tls_digest_encode): upper-case pairs with
/// colons, no prefix.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; LENGTH]);

/// Why a text is no fingerprint. Each says what to write instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FingerprintError {
    /// The right digits without the algorithm.
    #[error("write the algorithm before the digits: `sha256:AB:CD:..`")]
    NoAlgorithm,
    /// As many digits as MD5 or SHA-1 have, or another algorithm named.
    #[error(
        "this is {0}; write the SHA-256 digest as `sha256:AB:CD:..` \
         (`openssl x509 -in FILE -noout -fingerprint -sha256` shows it)"
    )]
    OtherAlgorithm(&'static str),
    /// A wrong number of digits.
    #[error("a SHA-256 digest has 64 hexadecimal digits, this has {0}; write `sha256:AB:CD:..`")]
    Length(usize),
    /// Something that is no digit, or a colon in the wrong place.
    #[error("write `sha256:` and 64 hexadecimal digits, with a colon between all pairs or none")]
    Digits,
}

/// What Postfix says in `ccert_fingerprint` or `ccert_pubkey_fingerprint`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presented {
    /// Nothing: the client showed no certificate, or Postfix did not ask for one.
    None,
    /// A digest that can be compared.
    Sha256(Fingerprint),
    /// A digest of another length: 16 bytes are MD5 (`smtpd_tls_fingerprint_digest` with
    /// `compatibility_level` below 3.6), 20 are SHA-1. It matches nothing.
    OtherDigest {
        /// Its length.
        bytes: usize,
    },
    /// Nothing that Postfix writes.
    Malformed,
}

impl Fingerprint {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Fingerprint {
        Fingerprint(Sha256::digest(bytes).into())
    }

    /// Accepts a fingerprint as the operator wrote it: `sha256:` and 64 hexadecimal digits of
    /// either case, with a colon between all pairs or none.
    ///
    /// # Errors
    /// [`FingerprintError`] says what to write.
    pub fn parse(text: &str) -> Result<Fingerprint, FingerprintError> {
        let lower = text.to_ascii_lowercase();
        let Some(digits) = lower.strip_prefix(PREFIX) else {
            return Err(without_prefix(&lower));
        };
        match decode(digits) {
            Some(bytes) => {
                let length = bytes.len();
                let digest = bytes.try_into().map_err(|_| wrong_length(length))?;
                Ok(Fingerprint(digest))
            }
            None => {
                let count = digits.bytes().filter(u8::is_ascii_hexdigit).count();
                let alien = digits.bytes().any(|b| !b.is_ascii_hexdigit() && b != b':');
                Err(if alien || count == 2 * LENGTH {
                    FingerprintError::Digits
                } else {
                    FingerprintError::Length(count)
                })
            }
        }
    }

    /// Reads the value of `ccert_fingerprint` or `ccert_pubkey_fingerprint` in a policy request:
    /// empty, or upper-case pairs with colons (tls_fprint.c:tls_digest_encode).
    pub fn from_postfix(value: &[u8]) -> Presented {
        if value.is_empty() {
            return Presented::None;
        }
        let as_postfix_writes = value.iter().all(|b| matches!(b, b'0'..=b'9' | b'A'..=b'F' | b':'));
        let pairs = || std::str::from_utf8(value).ok().filter(|text| text.len() == 2 || text.contains(':'));
        let Some(bytes) = pairs().filter(|_| as_postfix_writes).and_then(decode) else {
            return Presented::Malformed;
        };
        match (bytes.len(), <[u8; LENGTH]>::try_from(bytes)) {
            (_, Ok(digest)) => Presented::Sha256(Fingerprint(digest)),
            (bytes, Err(_)) if bytes <= LONGEST => Presented::OtherDigest { bytes },
            (_, Err(_)) => Presented::Malformed,
        }
    }

    /// The digest itself.
    pub fn as_bytes(&self) -> &[u8; LENGTH] {
        &self.0
    }
}

impl Presented {
    /// The digest, when there is one that can be compared.
    pub fn sha256(self) -> Option<Fingerprint> {
        match self {
            Presented::Sha256(fingerprint) => Some(fingerprint),
            Presented::None | Presented::OtherDigest { .. } | Presented::Malformed => None,
        }
    }
}

/// The bytes of hexadecimal pairs, with a colon between all of them or none.
fn decode(text: &str) -> Option<Vec<u8>> {
    fn pair(text: &[u8]) -> Option<u8> {
        let digit = |b: u8| char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok());
        match text {
            [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
            _ => None,
        }
    }
    let text = text.as_bytes();
    if text.contains(&b':') {
        text.split(|&b| b == b':').map(pair).collect()
    } else if text.is_empty() {
        None
    } else {
        text.chunks(2).map(pair).collect()
    }
}

fn wrong_length(bytes: usize) -> FingerprintError {
    match bytes {
        16 => FingerprintError::OtherAlgorithm("as long as an MD5 digest"),
        20 => FingerprintError::OtherAlgorithm("as long as a SHA-1 digest"),
        64 => FingerprintError::OtherAlgorithm("as long as a SHA-512 digest"),
        _ => FingerprintError::Length(2 * bytes),
    }
}

/// `lower` does not begin with the prefix; tells what it may have been meant to be.
fn without_prefix(lower: &str) -> FingerprintError {
    match lower.split_once(':') {
        Some(("md5", _)) => FingerprintError::OtherAlgorithm("an MD5 digest"),
        Some(("sha1", _)) => FingerprintError::OtherAlgorithm("a SHA-1 digest"),
        Some(("sha384", _)) => FingerprintError::OtherAlgorithm("a SHA-384 digest"),
        Some(("sha512", _)) => FingerprintError::OtherAlgorithm("a SHA-512 digest"),
        _ => match decode(lower) {
            Some(bytes) if bytes.len() == LENGTH => FingerprintError::NoAlgorithm,
            Some(bytes) => wrong_length(bytes.len()),
            None => FingerprintError::Digits,
        },
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, byte) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str(":")?;
            }
            write!(f, "{byte:02X}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const PLAIN: &str = "b193cf384671289138f5a08a6d2f6a635b8e6acafd2ca279d581b4eaef095d10";
    const COLONS: &str =
        "B1:93:CF:38:46:71:28:91:38:F5:A0:8A:6D:2F:6A:63:5B:8E:6A:CA:FD:2C:A2:79:D5:81:B4:EA:EF:09:5D:10";

    #[test]
    fn every_way_to_write_it_is_the_same_digest() {
        for text in [
            format!("sha256:{PLAIN}"),
            format!("sha256:{COLONS}"),
            format!("SHA256:{}", PLAIN.to_uppercase()),
            format!("sha256:{}", COLONS.to_lowercase()),
        ] {
            let fingerprint = Fingerprint::parse(&text).unwrap();
            assert_eq!(fingerprint.to_string(), COLONS, "{text}");
            assert_eq!(format!("{fingerprint:?}"), format!("Fingerprint({COLONS})"));
        }
    }

    #[test]
    fn what_is_no_sha256_digest_is_told_what_it_is() {
        use FingerprintError::{Digits, Length, NoAlgorithm, OtherAlgorithm};
        let cases = [
            (PLAIN.to_owned(), NoAlgorithm),
            (COLONS.to_owned(), NoAlgorithm),
            (format!("sha256:{}", &PLAIN[..32]), OtherAlgorithm("as long as an MD5 digest")),
            (format!("sha256:{}", &COLONS[..59]), OtherAlgorithm("as long as a SHA-1 digest")),
            (PLAIN[..40].to_owned(), OtherAlgorithm("as long as a SHA-1 digest")),
            (COLONS[..47].to_owned(), OtherAlgorithm("as long as an MD5 digest")),
            (format!("sha1:{}", &PLAIN[..40]), OtherAlgorithm("a SHA-1 digest")),
            (format!("md5:{}", &PLAIN[..32]), OtherAlgorithm("an MD5 digest")),
            (format!("sha384:{}", PLAIN.repeat(2)), OtherAlgorithm("a SHA-384 digest")),
            (format!("SHA512:{}", PLAIN.repeat(2)), OtherAlgorithm("a SHA-512 digest")),
            (format!("sha256:{}", PLAIN.repeat(2)), OtherAlgorithm("as long as a SHA-512 digest")),
            (format!("sha256:{}", &PLAIN[..63]), Length(63)),
            (format!("sha256:{PLAIN}00"), Length(66)),
            ("sha256:".to_owned(), Length(0)),
            (format!("sha256:{}g", &PLAIN[..63]), Digits),
            (format!("sha256: {PLAIN}"), Digits),
            (format!("sha256:{COLONS}:"), Digits),
            (format!("sha256::{COLONS}"), Digits),
            (format!("sha256:{}", COLONS.replacen(':', "", 1)), Digits),
            (format!("sha256 fingerprint={COLONS}"), Digits),
            ("".to_owned(), Digits),
            ("sha256:é".to_owned(), Digits),
        ];
        for (text, expected) in cases {
            assert_eq!(Fingerprint::parse(&text), Err(expected), "{text}");
        }
    }

    #[test]
    fn what_postfix_sends() {
        let sha256 = Presented::Sha256(Fingerprint::parse(&format!("sha256:{PLAIN}")).unwrap());
        let cases = [
            ("", Presented::None),
            (COLONS, sha256),
            (&COLONS[..47], Presented::OtherDigest { bytes: 16 }),
            (&COLONS[..59], Presented::OtherDigest { bytes: 20 }),
            (&COLONS[..2], Presented::OtherDigest { bytes: 1 }),
            (&COLONS[..46], Presented::Malformed),
            (&COLONS[..48], Presented::Malformed),
            (PLAIN, Presented::Malformed),
            (&COLONS.to_lowercase(), Presented::Malformed),
            (&PLAIN.to_uppercase(), Presented::Malformed),
            (&format!("{COLONS}:{COLONS}:00"), Presented::Malformed),
            (&format!("{COLONS} "), Presented::Malformed),
            ("\u{00e9}", Presented::Malformed),
        ];
        for (value, expected) in cases {
            assert_eq!(Fingerprint::from_postfix(value.as_bytes()), expected, "{value}");
        }
        assert_eq!(Fingerprint::from_postfix(&[0xff, b':']), Presented::Malformed);
        assert_eq!(sha256.sha256().unwrap().to_string(), COLONS);
        assert_eq!(Presented::OtherDigest { bytes: 16 }.sha256(), None);
    }

    #[test]
    fn the_digest_of_nothing_is_the_well_known_one() {
        let digest =
            "E3:B0:C4:42:98:FC:1C:14:9A:FB:F4:C8:99:6F:B9:24:27:AE:41:E4:64:9B:93:4C:A4:95:99:1B:78:52:B8:55";
        assert_eq!(Fingerprint::of(b"").to_string(), digest);
        let bytes: Vec<String> = Fingerprint::of(b"").as_bytes().iter().map(|b| format!("{b:02X}")).collect();
        assert_eq!(bytes.join(":"), digest);
    }
}
