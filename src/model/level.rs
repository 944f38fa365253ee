//! Postfix's TLS security levels and the order of their strength.
//!
//! The order is partial. `may` is below everything; `encrypt` < `verify` < `secure`;
//! `encrypt` < `fingerprint`; `encrypt` and `dane` are below `dane-only`. All other pairs are not
//! comparable: with usable TLSA records `dane` stops what `encrypt` lets through, without them it
//! is the other way round.

use std::cmp::Ordering;
use std::fmt;

/// A TLS level, in Postfix's words (postconf(5), `smtp_tls_security_level`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Level {
    /// TLS when it is offered; plaintext otherwise.
    May,
    /// TLS with any certificate.
    Encrypt,
    /// TLS, a trusted chain and a name, by default that of the MX host.
    Verify,
    /// TLS, a trusted chain and a name from configuration.
    Secure,
    /// TLS and a certificate or key with a known digest.
    Fingerprint,
    /// What usable TLSA records demand; `may` without them.
    Dane,
    /// What usable TLSA records demand; no delivery without them.
    DaneOnly,
}

impl Level {
    /// Every level, weakest first where they are comparable.
    pub const ALL: [Level; 7] = [
        Level::May,
        Level::Encrypt,
        Level::Verify,
        Level::Secure,
        Level::Fingerprint,
        Level::Dane,
        Level::DaneOnly,
    ];

    /// Postfix's word for it.
    pub fn word(self) -> &'static str {
        match self {
            Level::May => "may",
            Level::Encrypt => "encrypt",
            Level::Verify => "verify",
            Level::Secure => "secure",
            Level::Fingerprint => "fingerprint",
            Level::Dane => "dane",
            Level::DaneOnly => "dane-only",
        }
    }

    /// The level of that word, in lower case as Postfix documents it.
    pub fn from_word(word: &str) -> Option<Level> {
        Level::ALL.into_iter().find(|level| level.word() == word)
    }

    /// Whether the chain of the partner's certificate is judged by trusted authorities.
    pub fn judges_chain(self) -> bool {
        matches!(self, Level::Verify | Level::Secure)
    }

    /// Whether mail can leave in plaintext at this level.
    pub fn allows_plaintext(self) -> bool {
        matches!(self, Level::May | Level::Dane)
    }
}

impl PartialOrd for Level {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        use Level::{Dane, DaneOnly, Encrypt, Fingerprint, May, Secure, Verify};
        if self == other {
            return Some(Ordering::Equal);
        }
        match (self, other) {
            (May, _)
            | (Encrypt, Verify | Secure | Fingerprint | DaneOnly)
            | (Verify, Secure)
            | (Dane, DaneOnly) => Some(Ordering::Less),
            (_, May)
            | (Verify | Secure | Fingerprint | DaneOnly, Encrypt)
            | (Secure, Verify)
            | (DaneOnly, Dane) => Some(Ordering::Greater),
            (Encrypt | Verify | Secure | Fingerprint | Dane | DaneOnly, _) => None,
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i1_the_order_is_the_one_written_down() {
        // Row < column: `<`, row > column: `>`, equal: `=`, not comparable: `.`
        let table = [
            "=<<<<<<", // may
            ">=<<<.<", // encrypt
            ">>=<...", // verify
            ">>>=...", // secure
            ">>..=..", // fingerprint
            ">....=<", // dane
            ">>...>=", // dane-only
        ];
        for (row, line) in Level::ALL.iter().zip(table) {
            for (column, expected) in Level::ALL.iter().zip(line.chars()) {
                let found = match row.partial_cmp(column) {
                    Some(Ordering::Less) => '<',
                    Some(Ordering::Equal) => '=',
                    Some(Ordering::Greater) => '>',
                    None => '.',
                };
                assert_eq!(found, expected, "{row} against {column}");
            }
        }
    }

    #[test]
    fn words_are_read_back() {
        for level in Level::ALL {
            assert_eq!(Level::from_word(level.word()), Some(level));
            assert_eq!(level.to_string(), level.word());
        }
        assert_eq!(Level::from_word("Secure"), None);
        assert_eq!(Level::from_word("none"), None);
    }
    #[test]
    fn what_a_level_judges_and_what_it_lets_through() {
        // chain, plaintext
        for (word, judges_chain, allows_plaintext) in [
            ("may", false, true),
            ("encrypt", false, false),
            ("verify", true, false),
            ("secure", true, false),
            ("fingerprint", false, false),
            ("dane", false, true),
            ("dane-only", false, false),
        ] {
            let found = Level::from_word(word).map(|level| (level.judges_chain(), level.allows_plaintext()));
            assert_eq!(found, Some((judges_chain, allows_plaintext)), "{word}");
        }
    }
}
