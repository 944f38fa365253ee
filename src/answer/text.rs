//! The words that a refused client gets to see: a closed list.
//!
//! They go into an SMTP reply, so they are printable ASCII, at most [`MAX_TEXT`] bytes, and hold
//! nothing of the peer but names that were parsed and written out again. `\n`, NUL or an empty
//! text would make Postfix accept the mail (smtpd_check.c:check_table_result).

use std::borrow::Cow;
use std::fmt;

use super::mail::Mail;
use crate::model::ConnectorName;
use crate::model::inbound::Require;
use crate::model::requirement::TlsVersion;

/// Longest text of a reply in bytes; what is over is cut.
pub const MAX_TEXT: usize = 200;

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

    /// What the mail had to show, for `explain`. `require` is what the violation was found in.
    pub fn expected(&self, require: &Require) -> String {
        let certificate = require.certificate.as_ref();
        match self {
            Violation::NoTls => "TLS".to_owned(),
            Violation::OldTls { wanted, .. } => format!("{wanted} or newer"),
            Violation::NoCertificate => "a client certificate".to_owned(),
            Violation::Untrusted { registered: false } => "a client certificate that is trusted".to_owned(),
            Violation::Untrusted { registered: true } => "a client certificate that is registered".to_owned(),
            Violation::OtherDigest => "a client certificate known by its SHA-256 digest".to_owned(),
            Violation::RegisteredDates => "a registered client certificate within its dates".to_owned(),
            Violation::OtherIssuer => {
                let issuers = certificate.and_then(|wanted| wanted.issuers.as_ref()).into_iter().flatten();
                format!("issuer {}", issuers.cloned().collect::<Vec<_>>().join(" or "))
            }
            Violation::NoName { wanted } | Violation::OtherName { wanted, .. } => wanted.clone(),
            Violation::OtherAddress => {
                let ranges = require.addresses.iter().flatten();
                ranges.map(ToString::to_string).collect::<Vec<_>>().join(" or ")
            }
        }
    }

    /// What it showed instead, for `explain`. Issuer and address are those of `mail` as they were
    /// sent: they are for a person who asks, and not for a reply.
    pub fn presented<'v>(&'v self, mail: &Mail<'v>) -> Cow<'v, str> {
        Cow::Borrowed(match self {
            Violation::NoTls => "plaintext",
            Violation::OldTls { presented: Some(version), .. } => version.word(),
            Violation::OldTls { presented: None, .. } => "an unknown version",
            Violation::NoCertificate => "none",
            Violation::Untrusted { registered: false } => "one that is not trusted",
            Violation::Untrusted { registered: true } => "one that is not registered",
            Violation::OtherDigest => "a digest that is not SHA-256",
            Violation::RegisteredDates => "one that is not valid at this time",
            Violation::OtherIssuer => {
                let issuer = String::from_utf8_lossy(mail.certificate.issuer);
                return Cow::Owned(format!("issuer {issuer}"));
            }
            Violation::NoName { .. } => "no name",
            Violation::OtherName { presented, .. } => presented,
            Violation::OtherAddress => return String::from_utf8_lossy(mail.client_address),
        })
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

/// Puts a reply together: `CODE X.Y.Z connector NAME: TEXT`, the text cut to [`MAX_TEXT`].
pub fn reply(code: &str, connector: &ConnectorName, violation: &Violation) -> String {
    let text = violation.to_string();
    debug_assert!(text.bytes().all(|b| (0x20..0x7f).contains(&b)), "{text:?}");
    format!("{code} connector {connector}: {}", text.get(..MAX_TEXT).unwrap_or(&text))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::answer::ClientCertificate;
    use crate::model::inbound::CertificateRequirement;

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
    fn what_was_expected_and_what_was_shown_are_told_apart() {
        let require = Require {
            certificate: Some(CertificateRequirement {
                issuers: Some(["Contoso CA".to_owned(), "Other CA".to_owned()].into()),
                ..CertificateRequirement::default()
            }),
            addresses: Some(vec!["192.0.2.0/24".parse().unwrap(), "2001:db8::/32".parse().unwrap()]),
            ..Require::default()
        };
        let certificate = ClientCertificate { issuer: b"Evil CA", ..ClientCertificate::default() };
        let mail = Mail { client_address: b"198.51.100.1", certificate, ..Mail::default() };
        let wanted = TlsVersion::Tls12;
        let (presented, names) = ("a.example".to_owned(), "*.contoso.com".to_owned());
        let table = [
            (Violation::NoTls, "TLS", "plaintext"),
            (Violation::OldTls { wanted, presented: Some(TlsVersion::Tls11) }, "TLSv1.2 or newer", "TLSv1.1"),
            (Violation::OldTls { wanted, presented: None }, "TLSv1.2 or newer", "an unknown version"),
            (Violation::NoCertificate, "a client certificate", "none"),
            (Violation::OtherName { presented, wanted: names.clone() }, "*.contoso.com", "a.example"),
            (Violation::NoName { wanted: names }, "*.contoso.com", "no name"),
            (Violation::OtherIssuer, "issuer Contoso CA or Other CA", "issuer Evil CA"),
            (Violation::OtherAddress, "192.0.2.0/24 or 2001:db8::/32", "198.51.100.1"),
        ];
        for (violation, expected, presented) in table {
            assert_eq!(violation.expected(&require), expected);
            assert_eq!(violation.presented(&mail), presented);
        }
    }

    #[test]
    fn i3_a_text_is_never_longer_than_agreed() {
        let violation = Violation::NoName { wanted: "x".repeat(300) };
        let connector = ConnectorName::parse(&"n".repeat(64)).unwrap();
        let reply = reply("550 5.7.1", &connector, &violation);
        assert_eq!(reply.len(), "550 5.7.1 connector : ".len() + 64 + MAX_TEXT);
    }
}
