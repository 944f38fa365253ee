//! The words that a refused client gets to see: a closed list.
//!
//! They go into an SMTP reply, so they are printable ASCII, at most [`MAX_TEXT`] bytes, and hold
//! nothing of the peer but names that were parsed and written out again. `\n`, NUL or an empty
//! text would make Postfix accept the mail (smtpd_check.c:check_table_result).

use std::fmt;

use crate::model::PatternSet;
use crate::model::requirement::TlsVersion;

/// Longest text of a reply in bytes; what is over is cut.
pub const MAX_TEXT: usize = 200;

/// How many names or ranges are listed before the rest is counted.
const LISTED: usize = 2;

/// What a mail does not show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Violation {
    /// Plaintext.
    NoTls,
    /// TLS, but too old; `presented` is none when the MTA named a version that does not exist.
    OldTls {
        /// The minimum.
        wanted: TlsVersion,
        /// What was used.
        presented: Option<TlsVersion>,
    },
    /// No client certificate.
    NoCertificate,
    /// One that nobody vouches for and that is not registered.
    Untrusted {
        /// Certificates are registered for this connector, and it is none of them.
        registered: bool,
    },
    /// Digests in another algorithm than SHA-256: nothing can be compared with them.
    OtherDigest,
    /// A registered certificate that is not valid now.
    RegisteredDates,
    /// A trusted certificate from another issuer.
    OtherIssuer,
    /// A trusted certificate without a common name, or with one that is no domain name.
    NoName {
        /// What was wanted.
        wanted: String,
    },
    /// A certificate with another name.
    OtherName {
        /// The name, parsed and written out again.
        presented: String,
        /// What was wanted.
        wanted: String,
    },
    /// A client outside the agreed ranges.
    OtherAddress,
}

/// The three parts of a requirement, in the order in which they are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// TLS itself.
    Tls,
    /// The client certificate.
    Certificate,
    /// The client's address.
    Addresses,
}

impl Part {
    /// The word in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Part::Tls => "tls",
            Part::Certificate => "certificate",
            Part::Addresses => "addresses",
        }
    }
}

impl Violation {
    /// Which part of the requirement is not met.
    pub fn part(&self) -> Part {
        match self {
            Violation::NoTls | Violation::OldTls { .. } => Part::Tls,
            Violation::NoCertificate
            | Violation::Untrusted { .. }
            | Violation::OtherDigest
            | Violation::RegisteredDates
            | Violation::OtherIssuer
            | Violation::NoName { .. }
            | Violation::OtherName { .. } => Part::Certificate,
            Violation::OtherAddress => Part::Addresses,
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Violation::NoTls => f.write_str("TLS is required"),
            Violation::OldTls { wanted, presented: Some(version) } => {
                write!(f, "{wanted} or newer is required, {version} was used")
            }
            Violation::OldTls { wanted, presented: None } => {
                write!(f, "{wanted} or newer is required, an unknown version was used")
            }
            Violation::NoCertificate => f.write_str("no client certificate was presented"),
            Violation::Untrusted { registered: false } => f.write_str("client certificate is not trusted"),
            Violation::Untrusted { registered: true } => f.write_str("client certificate is not registered"),
            Violation::OtherDigest => {
                f.write_str("client certificate cannot be recognised, its digest is not SHA-256")
            }
            Violation::RegisteredDates => {
                f.write_str("registered client certificate is not valid at this time")
            }
            Violation::OtherIssuer => f.write_str("client certificate is from another issuer"),
            Violation::NoName { wanted } => {
                write!(f, "client certificate shows no name, {wanted} is required")
            }
            Violation::OtherName { presented, wanted } => {
                write!(f, "certificate name {presented} does not match {wanted}")
            }
            Violation::OtherAddress => f.write_str("client address is not in the agreed ranges"),
        }
    }
}

/// Names for a text: the first ones, the rest counted.
pub fn listed(patterns: &PatternSet) -> String {
    let names: Vec<String> = patterns.iter().map(ToString::to_string).collect();
    let (shown, rest) = names.split_at(names.len().min(LISTED));
    let shown = shown.join(" or ");
    if rest.is_empty() { shown } else { format!("{shown} or {} more", rest.len()) }
}

/// Puts a reply together: `CODE X.Y.Z TEXT`, the text cut to [`MAX_TEXT`].
pub fn reply(code: &str, text: &str) -> String {
    debug_assert!(text.bytes().all(|b| (0x20..0x7f).contains(&b)), "{text:?}");
    format!("{code} {}", text.get(..MAX_TEXT).unwrap_or(text))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::model::Pattern;

    #[test]
    fn the_words_are_those_of_the_manual() {
        let table = [
            (Violation::NoTls, "TLS is required"),
            (
                Violation::OldTls { wanted: TlsVersion::Tls12, presented: Some(TlsVersion::Tls11) },
                "TLSv1.2 or newer is required, TLSv1.1 was used",
            ),
            (Violation::NoCertificate, "no client certificate was presented"),
            (Violation::Untrusted { registered: false }, "client certificate is not trusted"),
            (
                Violation::OtherName { presented: "a.example".into(), wanted: "*.contoso.com".into() },
                "certificate name a.example does not match *.contoso.com",
            ),
            (Violation::OtherAddress, "client address is not in the agreed ranges"),
        ];
        for (violation, text) in table {
            assert_eq!(violation.to_string(), text);
        }
    }

    #[test]
    fn a_text_is_never_longer_than_agreed() {
        let long = "x".repeat(300);
        assert_eq!(reply("550 5.7.1", &long).len(), "550 5.7.1 ".len() + MAX_TEXT);
    }

    #[test]
    fn long_lists_are_counted() {
        let set: PatternSet =
            ["a.b", "c.d", "e.f", "g.h"].iter().map(|text| Pattern::parse(text).unwrap()).collect();
        assert_eq!(listed(&set), "a.b or c.d or 2 more");
    }
}
