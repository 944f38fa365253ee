//! What an outbound connector demands, as one value with one order of strength.
//!
//! "Weaker" means `<` on [`Requirement`], everywhere. The order is by component: a requirement is
//! at least as strong as another when each of its components is: level, names, trust anchors,
//! pins, minimum version, cipher grade. Two requirements of which each is stronger in something
//! are not comparable, and then neither may silently take the place of the other.
//!
//! [`join`] is the weakest requirement that is at least as strong as several, when one answer of an
//! MTA can express it; when none can, it says why.

mod join;

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use super::anchors::fewer;
pub use super::anchors::{Anchors, CaFile};
use super::certificate::Fingerprint;
use super::domain::Domain;
use super::level::Level;
use super::names::Names;
use super::pattern::{Entry, Pattern, PatternSet};
pub use super::tls::{CipherGrade, ServerName, TlsVersion};
pub use join::{Unjoinable, join};

/// The components, before they are known to fit together.
#[derive(Clone, Debug)]
pub struct Parts {
    /// The TLS level.
    pub level: Level,
    /// The names written, if any.
    pub names: Option<Names>,
    /// The trust anchors written, if any.
    pub ca_file: Option<Arc<CaFile>>,
    /// The digests written and those of the certificates named; empty when there are none.
    pub pins: BTreeSet<Fingerprint>,
    /// The minimum TLS version written, if any.
    pub min_version: Option<TlsVersion>,
    /// The cipher grade written, if any.
    pub ciphers: Option<CipherGrade>,
    /// The SNI written, if any.
    pub servername: Option<ServerName>,
}

impl Parts {
    /// A level and nothing else.
    pub fn of_level(level: Level) -> Self {
        Parts {
            level,
            names: None,
            ca_file: None,
            pins: BTreeSet::new(),
            min_version: None,
            ciphers: None,
            servername: None,
        }
    }
}

/// What an outbound connector demands. Its parts fit together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    level: Level,
    names: Names,
    anchors: Anchors,
    pins: Option<BTreeSet<Fingerprint>>,
    min_version: Option<TlsVersion>,
    ciphers: Option<CipherGrade>,
    servername: Option<ServerName>,
}

/// Why parts do not fit together. [`Error::key`] names the configuration key to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// `secure` without names.
    #[error("`secure` needs `match`: the names that the partner's certificate may show, or \"domain\"")]
    NamesMissing,
    /// Names at a level that checks none.
    #[error("`match` has no meaning at this level; use it with `secure` or `verify`")]
    NamesIdle,
    /// Anchors at a level that checks no chain.
    #[error("`ca_file` has no meaning at this level; use it with `secure` or `verify`")]
    AnchorsIdle,
    /// `fingerprint` without digests.
    #[error("`fingerprint` needs `certificates` or `fingerprints`")]
    PinsMissing,
    /// Digests at another level.
    #[error("`certificates` and `fingerprints` have no meaning at this level; use them with `fingerprint`")]
    PinsIdle,
    /// A minimum version where a partner that cannot meet it gets the mail in plaintext.
    #[error(
        "at this level a partner without such a version would get the mail in plaintext; leave `protocols` out, or use `encrypt`"
    )]
    VersionWeakens,
    /// A cipher grade where a partner that cannot meet it gets the mail in plaintext.
    #[error(
        "at this level a partner without such ciphers would get the mail in plaintext; leave `ciphers` out, or use `encrypt`"
    )]
    CiphersWeaken,
    /// SNI at a DANE level.
    #[error("`servername` is ignored by Postfix at the DANE levels; leave it out")]
    ServerNameIdle,
}

impl Error {
    /// The key that is missing or too much.
    pub fn key(self) -> &'static str {
        match self {
            Error::NamesMissing => "tls",
            Error::NamesIdle => "match",
            Error::AnchorsIdle => "ca_file",
            Error::PinsMissing => "tls",
            Error::PinsIdle => "certificates",
            Error::VersionWeakens => "protocols",
            Error::CiphersWeaken => "ciphers",
            Error::ServerNameIdle => "servername",
        }
    }
}

impl Requirement {
    /// Puts parts together.
    ///
    /// # Errors
    /// Every [`Error`] there is, so that the operator sees all of them at once.
    pub fn new(parts: Parts) -> Result<Self, Vec<Error>> {
        let Parts { level, names, ca_file, pins, min_version, ciphers, servername } = parts;
        let mut errors = Vec::new();
        let mut refuse = |condition: bool, error: Error| {
            if condition {
                errors.push(error);
            }
        };
        refuse(level == Level::Secure && names.is_none(), Error::NamesMissing);
        refuse(!level.judges_chain() && names.is_some(), Error::NamesIdle);
        refuse(!level.judges_chain() && ca_file.is_some(), Error::AnchorsIdle);
        refuse(level == Level::Fingerprint && pins.is_empty(), Error::PinsMissing);
        refuse(level != Level::Fingerprint && !pins.is_empty(), Error::PinsIdle);
        // After a failed handshake Postfix sends in plaintext at such levels (smtp.h,
        // PLAINTEXT_FALLBACK_OK_AFTER_STARTTLS_FAILURE).
        refuse(level.allows_plaintext() && min_version.is_some(), Error::VersionWeakens);
        refuse(level.allows_plaintext() && ciphers.is_some(), Error::CiphersWeaken);
        refuse(matches!(level, Level::Dane | Level::DaneOnly) && servername.is_some(), Error::ServerNameIdle);
        if !errors.is_empty() {
            return Err(errors);
        }
        let (names, anchors) = if level.judges_chain() {
            (names.unwrap_or(Names::MxHost), ca_file.map_or(Anchors::System, Anchors::File))
        } else {
            (Names::Any, Anchors::Any)
        };
        let pins = (level == Level::Fingerprint).then_some(pins);
        Ok(Requirement { level, names, anchors, pins, min_version, ciphers, servername })
    }

    /// What main.cf gives at a level. Nothing is known of its names and digests but Postfix's
    /// defaults; at `fingerprint` the empty set of digests makes it weaker than nothing.
    pub fn of_main_cf(level: Level) -> Self {
        let (names, anchors) = match level {
            Level::Verify => (Names::MxHost, Anchors::System),
            Level::Secure => (Names::Domain, Anchors::System),
            Level::May | Level::Encrypt | Level::Fingerprint | Level::Dane | Level::DaneOnly => {
                (Names::Any, Anchors::Any)
            }
        };
        let pins = (level == Level::Fingerprint).then(BTreeSet::new);
        Requirement { level, names, anchors, pins, min_version: None, ciphers: None, servername: None }
    }

    /// The TLS level.
    pub fn level(&self) -> Level {
        self.level
    }
    /// The names the certificate may show.
    pub fn names(&self) -> &Names {
        &self.names
    }
    /// The trust anchors.
    pub fn anchors(&self) -> &Anchors {
        &self.anchors
    }
    /// The digests the certificate or its key may have; `None` below `fingerprint`.
    pub fn pins(&self) -> Option<&BTreeSet<Fingerprint>> {
        self.pins.as_ref()
    }
    /// The minimum TLS version, where it is not left to main.cf.
    pub fn min_version(&self) -> Option<TlsVersion> {
        self.min_version
    }
    /// The cipher grade, where it is not left to main.cf.
    pub fn ciphers(&self) -> Option<CipherGrade> {
        self.ciphers
    }
    /// The SNI, where it is not left to main.cf.
    pub fn servername(&self) -> Option<&ServerName> {
        self.servername.as_ref()
    }

    /// Whether it is at least as strong as `wide` for all that `entry` stands for.
    ///
    /// `match = "domain"` means other names for every domain, so it can be compared with a list
    /// of names only where the domain is known.
    pub fn holds_against(&self, wide: &Requirement, entry: Entry<'_>) -> bool {
        match entry {
            Entry::Name(name) => match Domain::parse(name) {
                Ok(domain) => self.resolved(&domain) >= wide.resolved(&domain),
                Err(_) => self >= wide,
            },
            Entry::Suffix(name) => match (&self.names, &wide.names, Domain::parse(name)) {
                // Whatever is asked, its names lie below the suffix.
                (Names::Domain, Names::Set(_), Ok(domain)) => {
                    let below = Names::Set(PatternSet::new(vec![Pattern::Below(domain)]));
                    Requirement { names: below, ..self.clone() } >= *wide
                }
                _ => self >= wide,
            },
            Entry::Any => self >= wide,
        }
    }

    /// Whether mail that goes to another host by this requirement is as safe on the way as `wanted` has it at the
    /// partner's: the level, the version and the ciphers count. Which certificate, and whose word on it, is about who is
    /// there; it is enough that somebody is known by one.
    pub fn is_as_strong_elsewhere(&self, wanted: &Requirement) -> bool {
        let is_known = |level: Level| matches!(level, Level::Secure | Level::Fingerprint | Level::DaneOnly);
        // What DANE demands is in the partner's zone: where there is something, somebody is known there.
        let is_level =
            if wanted.level == Level::Dane { self.level.judges_chain() } else { self.level >= wanted.level };
        let anonymous = |requirement: &Requirement| {
            let level = if requirement.level.allows_plaintext() { Level::May } else { Level::Encrypt };
            Requirement {
                min_version: requirement.min_version,
                ciphers: requirement.ciphers,
                ..Requirement::of_main_cf(level)
            }
        };
        (is_level || is_known(self.level)) && anonymous(self) >= anonymous(wanted)
    }

    /// Whether a bound is what main.cf has. Where plaintext is allowed there is none at all.
    fn leaves_open<T>(&self, bound: Option<T>) -> bool {
        bound.is_none() && !self.level.allows_plaintext()
    }

    /// The same with `match = "domain"` spelt out for one domain.
    #[must_use]
    pub fn resolved(&self, domain: &Domain) -> Requirement {
        Requirement { names: self.names.resolved(domain), ..self.clone() }
    }
}

/// Minimum versions. What main.cf has is unknown here: `TLSv1` or `TLSv1.1` could be less than
/// that, so they cannot be compared with it.
fn bound_order(a: &Requirement, b: &Requirement) -> Option<Ordering> {
    let modest = |version: Option<TlsVersion>| version.is_some_and(|version| version < TlsVersion::Tls12);
    if (a.leaves_open(a.min_version) && modest(b.min_version))
        || (b.leaves_open(b.min_version) && modest(a.min_version))
    {
        return None;
    }
    Some(a.min_version.cmp(&b.min_version))
}

/// Cipher grades. `medium` could be less than what main.cf has.
fn grade_order(a: &Requirement, b: &Requirement) -> Option<Ordering> {
    let modest = |grade| grade == Some(CipherGrade::Medium);
    if (a.leaves_open(a.ciphers) && modest(b.ciphers)) || (b.leaves_open(b.ciphers) && modest(a.ciphers)) {
        return None;
    }
    Some(a.ciphers.cmp(&b.ciphers))
}

fn pins_order(a: Option<&BTreeSet<Fingerprint>>, b: Option<&BTreeSet<Fingerprint>>) -> Option<Ordering> {
    match (a, b) {
        (None, None) => Some(Ordering::Equal),
        (None, Some(_)) => Some(Ordering::Less),
        (Some(_), None) => Some(Ordering::Greater),
        // The digests of main.cf are unknown; no set of ours can be held against them.
        (Some(a), Some(b)) if a.is_empty() != b.is_empty() => None,
        (Some(a), Some(b)) => fewer(a, b),
    }
}

impl PartialOrd for Requirement {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        let components = [
            self.level.partial_cmp(&other.level),
            self.names.partial_cmp(&other.names),
            self.anchors.partial_cmp(&other.anchors),
            pins_order(self.pins.as_ref(), other.pins.as_ref()),
            bound_order(self, other),
            grade_order(self, other),
        ];
        components.into_iter().try_fold(Ordering::Equal, |so_far, component| match (so_far, component?) {
            (Ordering::Equal, next) => Some(next),
            (so_far, Ordering::Equal) => Some(so_far),
            (so_far, next) if so_far == next => Some(so_far),
            _ => None,
        })
    }
}

impl fmt::Display for Requirement {
    /// In words for a diff: `secure, names *.contoso.com, TLSv1.2 or newer`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.level)?;
        if self.level.judges_chain() {
            write!(f, ", {}", self.names)?;
        }
        if let Anchors::File(file) = &self.anchors {
            write!(f, ", authorities of {}", file.path.display())?;
        }
        if let Some(pins) = self.pins.as_ref().filter(|pins| !pins.is_empty()) {
            let known: Vec<String> = pins.iter().map(Fingerprint::to_string).collect();
            write!(f, ", {}", known.join(" or "))?;
        }
        if let Some(version) = self.min_version {
            write!(f, ", {version} or newer")?;
        }
        if let Some(grade) = self.ciphers {
            write!(f, ", ciphers {}", grade.word())?;
        }
        if let Some(name) = &self.servername {
            write!(f, ", servername {name}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "requirement_tests.rs"]
mod tests;
