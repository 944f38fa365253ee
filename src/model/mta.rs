//! What the administrator told us of the MTA that asks.
//!
//! The socketmap protocol carries no version, and an attribute that a Postfix does not know
//! defers all mail (smtp_tls_policy.c:tls_policy_lookup_one), so the version is configuration.

use std::fmt;
use std::path::PathBuf;

use super::level::Level;
use super::pattern::PatternSet;

/// The facts of `[mta]`.
#[derive(Clone, Debug)]
pub struct Mta {
    /// The oldest Postfix that asks: no attribute newer than this is ever sent.
    pub postfix: PostfixVersion,
    /// What main.cf and other policy tables give without us; the widest connector of all.
    pub level: Level,
    /// Where trust anchors are copied to, so that a chrooted smtp(8) can open them.
    pub queue_directory: Option<PathBuf>,
    /// The master.cf service that the transport map names.
    pub transport: TransportName,
    /// Domains that the transport map never sends out.
    pub own_domains: PatternSet,
}

impl Default for Mta {
    fn default() -> Self {
        Mta {
            postfix: PostfixVersion { major: 3, minor: 6 },
            level: Level::May,
            queue_directory: None,
            transport: TransportName("smtp".to_owned()),
            own_domains: PatternSet::default(),
        }
    }
}

/// A Postfix release line, such as 3.7.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PostfixVersion {
    major: u8,
    minor: u8,
}

impl PostfixVersion {
    /// `protocols=>=TLSv1.2` is understood (postconf(5), `smtp_tls_mandatory_protocols`).
    pub const PROTOCOL_BOUND: PostfixVersion = PostfixVersion { major: 3, minor: 6 };
    /// Several next-hops in one transport entry (transport(5)).
    pub const NEXT_HOP_LIST: PostfixVersion = PostfixVersion { major: 3, minor: 5 };
    /// `servername=` (smtp_tls_policy_maps).
    pub const SERVERNAME: PostfixVersion = PostfixVersion { major: 3, minor: 4 };
    /// The oldest that is answered: everything we always send is known to it.
    pub const OLDEST: PostfixVersion = PostfixVersion { major: 3, minor: 0 };

    /// Reads `3.7`, or `3.7.11` of which the patch level does not matter.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let mut number = || -> Option<u8> {
            let part = parts.next()?;
            if part.is_empty() || !part.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            part.parse().ok()
        };
        let version = PostfixVersion { major: number()?, minor: number()? };
        if parts.next().is_some_and(|patch| patch.parse::<u32>().is_err()) || parts.next().is_some() {
            return None;
        }
        Some(version)
    }
}

impl fmt::Display for PostfixVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// The name of a master.cf service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransportName(String);

impl TransportName {
    /// Longest name that is accepted; master.cf has no limit of its own worth reaching.
    const MAX: usize = 64;

    /// Accepts letters, digits, `-`, `_` and `.`: a colon or a space would change the meaning of
    /// the transport entry it is put into (transport(5)).
    pub fn parse(text: &str) -> Option<Self> {
        let valid = (1..=Self::MAX).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
        valid.then(|| TransportName(text.to_owned()))
    }
}

impl TransportName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TransportName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_as_numbers() {
        let version = PostfixVersion::parse;
        assert!(version("3.10") > version("3.9"));
        assert_eq!(version("3.7.11"), version("3.7"));
        assert_eq!(version("3.10.1").map(|version| version.to_string()).as_deref(), Some("3.10"));
        for text in ["", "3", "3.", ".7", "3.x", "3.7.x", "3.7.1.1", "+3.7", "3.300", " 3.7"] {
            assert_eq!(version(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_transport_name_cannot_change_the_entry() {
        let longest = "x".repeat(64);
        for text in ["connectord-smtp", "smtp_tls.2", "a", &longest] {
            assert_eq!(TransportName::parse(text).map(|name| name.to_string()).as_deref(), Some(text));
        }
        assert!(TransportName::parse(&"x".repeat(65)).is_none());
        for text in ["", "smtp:", "a b", "a\n", "[x]"] {
            assert!(TransportName::parse(text).is_none(), "{text:?}");
        }
    }
}
