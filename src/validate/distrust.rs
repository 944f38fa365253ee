//! Why a chain is not trusted, apart by what somebody has to do about it.
//!
//! OpenSSL's numbers (x509_vfy.h) are told apart here once. The words are for the partner's
//! administrator; names in them come out of [`Certificate`], which escapes them.

use std::fmt;

use openssl::nid::Nid;
use openssl::x509::{X509, X509Ref};

use crate::model::certificate::Certificate;

/// Why a chain is not trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Distrust {
    /// What is wrong.
    pub fault: Fault,
    /// Which certificate, counted from the leaf at 0.
    pub depth: usize,
    /// Its subject or, without one, its first names; empty when it cannot be told.
    pub subject: String,
    /// OpenSSL's own words.
    pub openssl: String,
}

/// What is wrong with a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// No certificate was presented.
    Nothing,
    /// The leaf is its own issuer, and no anchor.
    SelfSigned,
    /// The chain ends at an authority that is not trusted here.
    UnknownAuthority {
        /// Its name.
        issuer: String,
        /// Whether its own certificate was presented.
        presented: bool,
    },
    /// A certificate between the presented ones and every trusted authority is missing.
    Incomplete {
        /// Its subject.
        missing: String,
        /// Where it can be fetched, if the certificate below it says so.
        location: Option<String>,
    },
    /// Its time is over.
    Expired,
    /// Its time has not come.
    NotYetValid,
    /// Its extended key usage, or key usage, is not for this place in a server's chain.
    Purpose,
    /// It signs, and is no authority.
    NotAnAuthority,
    /// More authorities below one than that allows.
    PathLength,
    /// Names that an authority above it may not certify.
    NameConstraints,
    /// Its key is too small for security level 1.
    WeakKey,
    /// Its signature rests on a digest that is too weak for security level 1.
    WeakDigest,
    /// More certificates than `smtp_tls_scert_verifydepth` allows.
    TooLong,
    /// Its signature is wrong.
    Signature,
    /// Something else; OpenSSL's words say what.
    Other,
}

impl Distrust {
    /// From an error number of OpenSSL, for a certificate at a depth of a chain as far as it was
    /// built.
    pub(super) fn of(
        number: i32,
        openssl: &str,
        depth: usize,
        certificate: Option<&X509Ref>,
        top: Option<&X509Ref>,
    ) -> Self {
        let fault = match number {
            2 | 20 | 21 => top.map_or(Fault::Other, beyond),
            7 => Fault::Signature,
            9 | 13 => Fault::NotYetValid,
            10 | 14 => Fault::Expired,
            18 => Fault::SelfSigned,
            19 => Fault::UnknownAuthority { issuer: top.map(subject).unwrap_or_default(), presented: true },
            22 => Fault::TooLong,
            25 => Fault::PathLength,
            26 => Fault::Purpose,
            32 | 79 => Fault::NotAnAuthority,
            47..=49 | 51..=53 => Fault::NameConstraints,
            66 | 67 => Fault::WeakKey,
            68 => Fault::WeakDigest,
            _ => Fault::Other,
        };
        let subject = certificate.map(subject).unwrap_or_default();
        Distrust { fault, depth, subject, openssl: format!("{number}: {openssl}") }
    }

    /// Something that has no number.
    pub(super) fn without_number(fault: Fault, words: &str) -> Self {
        Distrust { fault, depth: 0, subject: String::new(), openssl: words.to_owned() }
    }

    /// A stable word.
    pub fn code(&self) -> &'static str {
        match (&self.fault, self.depth) {
            (Fault::Nothing, _) => "no-certificate",
            (Fault::SelfSigned, _) => "self-signed",
            (Fault::UnknownAuthority { .. }, _) => "unknown-ca",
            (Fault::Incomplete { .. }, _) => "chain-incomplete",
            (Fault::Expired, 0) => "expired",
            (Fault::Expired, _) => "ca-expired",
            (Fault::NotYetValid, 0) => "not-yet-valid",
            (Fault::NotYetValid, _) => "ca-not-yet-valid",
            (Fault::Purpose, _) => "wrong-purpose",
            (Fault::NotAnAuthority, _) => "not-a-ca",
            (Fault::PathLength, _) => "path-length",
            (Fault::NameConstraints, _) => "name-constraints",
            (Fault::WeakKey, _) => "weak-key",
            (Fault::WeakDigest, _) => "weak-signature",
            (Fault::TooLong, _) => "chain-too-long",
            (Fault::Signature, _) => "bad-signature",
            (Fault::Other, _) => "not-trusted",
        }
    }
}

/// What is above the topmost certificate that was found. A root is never sent by some, an
/// intermediate is forgotten by others; only authorities that are not their own root write down
/// where their issuer can be fetched.
fn beyond(top: &X509Ref) -> Fault {
    let missing = issuer(top);
    match location(top) {
        Some(location) => Fault::Incomplete { missing, location: Some(location) },
        None => Fault::UnknownAuthority { issuer: missing, presented: false },
    }
}

/// The first `caIssuers` that is a URL of printable ASCII, cut at 200 characters.
fn location(certificate: &X509Ref) -> Option<String> {
    let access = certificate.authority_info()?;
    access
        .iter()
        .filter(|entry| entry.method().nid() == Nid::AD_CA_ISSUERS)
        .filter_map(|entry| entry.location().uri())
        .find(|uri| uri.bytes().all(|byte| byte.is_ascii_graphic()))
        .map(|uri| uri.chars().take(200).collect())
}

fn facts(certificate: &X509Ref) -> Option<Certificate> {
    Certificate::from_der(&certificate.to_der().ok()?).ok()
}

/// The subject, or the first names of one that has none.
pub(super) fn subject(certificate: &X509Ref) -> String {
    let Some(facts) = facts(certificate) else { return String::new() };
    if !facts.subject().is_empty() {
        return facts.subject().to_owned();
    }
    facts.identities().iter().take(2).map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn issuer(certificate: &X509Ref) -> String {
    facts(certificate).map(|facts| facts.issuer_name().to_owned()).unwrap_or_default()
}

/// Which certificates of a presented chain are in no built one, and whether the order is that of
/// RFC 8446 section 4.4.2: each certifies the one before it. `built` is the chain as OpenSSL built it.
pub(super) fn disorder(presented: &[X509], built: &[Vec<u8>]) -> Disorder {
    let ders: Vec<Vec<u8>> = presented.iter().filter_map(|one| one.to_der().ok()).collect();
    let places: Vec<usize> =
        ders.iter().filter_map(|der| built.iter().position(|certificate| certificate == der)).collect();
    Disorder { extra: ders.iter().filter(|der| !built.contains(der)).count(), unordered: !places.is_sorted() }
}

/// What was found beside a chain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Disorder {
    /// How many presented certificates nobody needs.
    pub extra: usize,
    /// Whether the needed ones are not in order.
    pub unordered: bool,
}

impl fmt::Display for Distrust {
    /// What is wrong and what to do, for the partner's administrator.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whose = match (self.depth, self.subject.as_str()) {
            (0, "") => "the server's certificate".to_owned(),
            (0, subject) => format!("the server's certificate ({subject})"),
            (_, "") => "a certificate of its authority".to_owned(),
            (_, subject) => format!("the certificate of its authority ({subject})"),
        };
        match &self.fault {
            Fault::Nothing => f.write_str("the server presents no certificate"),
            Fault::SelfSigned => write!(
                f,
                "{whose} is self-signed; nobody else vouches for it. Install one from a recognised authority, \
                 or agree on its fingerprint"
            ),
            Fault::UnknownAuthority { issuer, presented: true } => write!(
                f,
                "the chain of the server's certificate ends at \"{issuer}\", which is not among the trusted \
                 authorities"
            ),
            Fault::UnknownAuthority { issuer, presented: false } => write!(
                f,
                "the server's certificate chain ends at the issuer \"{issuer}\", which is not among the trusted \
                 authorities. If that is an intermediate authority, the server has to send its certificate too"
            ),
            Fault::Incomplete { missing, location } => {
                write!(
                    f,
                    "the server does not send its whole chain: the certificate of \"{missing}\" is missing. \
                     Install it on the server behind the server's own"
                )?;
                match location {
                    Some(location) => write!(f, "; it can be fetched from {location}"),
                    None => Ok(()),
                }
            }
            Fault::Expired => write!(f, "{whose} has expired; it has to be renewed"),
            Fault::NotYetValid => {
                write!(f, "{whose} is not valid yet; its date, or somebody's clock, is wrong")
            }
            Fault::Purpose => write!(
                f,
                "{whose} is not made for this use: its (extended) key usage does not allow a TLS server here"
            ),
            Fault::NotAnAuthority => {
                write!(f, "{whose} signs another one, and is not made for that: it is no CA")
            }
            Fault::PathLength => {
                write!(f, "there are more authorities below {whose} than its path length allows")
            }
            Fault::NameConstraints => {
                write!(f, "{whose} has names that an authority above it may not certify (name constraints)")
            }
            Fault::WeakKey => write!(f, "{whose} has too small a key; a new one with a larger key is needed"),
            Fault::WeakDigest => {
                write!(f, "{whose} is signed with a broken digest such as SHA-1; it has to be issued anew")
            }
            Fault::TooLong => {
                f.write_str("the certificate chain is longer than the limit of ten authorities")
            }
            Fault::Signature => write!(f, "the signature of {whose} is wrong"),
            Fault::Other => write!(f, "{whose} is not trusted"),
        }
    }
}
