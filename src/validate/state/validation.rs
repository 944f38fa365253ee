//! What a kept result says today.

use std::fmt;

use jiff::{SignedDuration, Timestamp};

use super::record::Record;
use crate::protocol::escape::printable;
use crate::validate::authorities;
use crate::validate::report::{ConnectorReport, Verdict};
use crate::validate::sight;

/// A result older than this says nothing any more. Ours: partners change servers and certificates
/// without a word, and a certificate of 90 days is renewed after 60.
pub const MAX_AGE: SignedDuration = SignedDuration::from_hours(30 * 24);

/// A result from later than this is from a clock that was wrong, then or now.
const MAX_AHEAD: SignedDuration = SignedDuration::from_hours(24);

/// Characters of the path of a file of authorities before it is cut.
const PATH: usize = 120;

/// Whether a connector is validated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Validation {
    /// It was never tested.
    Never,
    /// It was, and passed.
    Validated {
        /// When it was tested.
        at: Timestamp,
        /// When the first certificate that was seen expires.
        expires: Option<Timestamp>,
        /// Whole days until then.
        days: Option<i64>,
        /// The file of authorities that was named for that run alone.
        given: Option<String>,
    },
    /// It passed, and something should be looked at.
    Warned {
        /// When it was tested.
        at: Timestamp,
        /// When the first certificate that was seen expires.
        expires: Option<Timestamp>,
        /// Whole days until then.
        days: Option<i64>,
        /// The file of authorities that was named for that run alone.
        given: Option<String>,
        /// What should be looked at.
        reason: String,
    },
    /// It was tested, and that says nothing about today.
    Stale {
        /// When it was tested.
        at: Timestamp,
        /// Why it says nothing.
        why: Stale,
    },
    /// It was tested, and failed.
    Failed {
        /// When it was tested.
        at: Timestamp,
        /// The file of authorities that was named for that run alone.
        given: Option<String>,
        /// The first reason.
        reason: String,
    },
    /// Something is kept that counts for nothing.
    Unusable {
        /// Why.
        why: String,
    },
}

/// Why a result says nothing about today.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stale {
    /// Other settings were tested.
    #[error("settings changed since")]
    SettingsChanged,
    /// It is older than [`MAX_AGE`].
    #[error("older than {} days", MAX_AGE.as_hours() / 24)]
    Old,
    /// A certificate that was seen has expired since.
    #[error("a certificate seen then has expired")]
    Expired,
    /// It claims to be from a time to come.
    #[error("its date is in the future")]
    Ahead,
}

impl Validation {
    /// Judges a result for a connector that has these settings now.
    pub fn of(record: &Record, settings: &str, now: Timestamp) -> Validation {
        let report = &record.report;
        let at = report.at;
        let age = now.duration_since(at);
        // Where mail fails no certificate matters, and one that was over already did not then.
        let carries = report.addresses.iter().filter(|address| address.verdict != Verdict::Fail);
        let ends = carries.filter_map(|address| address.not_after);
        // RFC 5280 section 4.1.2.5: one that never expires.
        let expires = ends.filter(|&end| end != Timestamp::MAX && end > at).min();
        let given = authorities::given(&record.trust).map(|path| printable(path, PATH));
        let stale = |why| Validation::Stale { at, why };
        if record.settings != settings {
            return stale(Stale::SettingsChanged);
        }
        // A failure says more than its age, and nobody takes it for a pass.
        if report.verdict == Verdict::Fail {
            return Validation::Failed { at, given, reason: reason(report, Verdict::Fail) };
        }
        // A connector whose patterns name no domain of their own: nobody was met, so nothing is known.
        if sight::met_nobody(report) {
            return Validation::Never;
        }
        if age < -MAX_AHEAD {
            return stale(Stale::Ahead);
        }
        if age > MAX_AGE {
            return stale(Stale::Old);
        }
        if expires.is_some_and(|expires| expires <= now) {
            return stale(Stale::Expired);
        }
        let days = expires.map(|expires| days_until(expires, now));
        if report.verdict == Verdict::Warn {
            Validation::Warned { at, expires, days, given, reason: reason(report, Verdict::Warn) }
        } else {
            Validation::Validated { at, expires, days, given }
        }
    }

    /// A stable word for it.
    pub fn word(&self) -> &'static str {
        match self {
            Validation::Never => "never",
            Validation::Validated { .. } => "validated",
            Validation::Warned { .. } => "warned",
            Validation::Stale { .. } => "stale",
            Validation::Failed { .. } => "failed",
            Validation::Unusable { .. } => "unusable",
        }
    }

    /// When it was tested; none when that is not known.
    pub fn at(&self) -> Option<Timestamp> {
        match self {
            Validation::Validated { at, .. }
            | Validation::Warned { at, .. }
            | Validation::Stale { at, .. }
            | Validation::Failed { at, .. } => Some(*at),
            Validation::Never | Validation::Unusable { .. } => None,
        }
    }

    /// Whether it counts as validated today.
    pub fn is_valid(&self) -> bool {
        matches!(self, Validation::Validated { .. } | Validation::Warned { .. })
    }

    /// When the first certificate expires, and in how many days; none unless it counts.
    pub fn expires(&self) -> Option<(Timestamp, i64)> {
        match self {
            Validation::Validated { expires, days, .. } | Validation::Warned { expires, days, .. } => {
                expires.zip(*days)
            }
            Validation::Never
            | Validation::Stale { .. }
            | Validation::Failed { .. }
            | Validation::Unusable { .. } => None,
        }
    }

    /// The file of authorities that the result rests on, where it was named for that run alone: the
    /// MTA and the connector need not know of it. It is printable.
    pub fn given(&self) -> Option<&str> {
        match self {
            Validation::Validated { given, .. }
            | Validation::Warned { given, .. }
            | Validation::Failed { given, .. } => given.as_deref(),
            Validation::Never | Validation::Stale { .. } | Validation::Unusable { .. } => None,
        }
    }

    /// Why it does not count, or what should be looked at; none where there is nothing to say.
    pub fn reason(&self) -> Option<String> {
        match self {
            Validation::Never | Validation::Validated { .. } => None,
            Validation::Warned { reason, .. } | Validation::Failed { reason, .. } => Some(reason.clone()),
            Validation::Stale { why, .. } => Some(why.to_string()),
            Validation::Unusable { why } => Some(format!("the kept result cannot be used: {why}")),
        }
    }
}

impl fmt::Display for Validation {
    /// On one line: `passed on 2026-11-25, certificate expires in 80 days`. What a partner had a
    /// part in is the reason; whoever shows it escapes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Validation::Never => f.write_str("never tested")?,
            Validation::Validated { at, .. } => write!(f, "passed on {}", date(*at))?,
            Validation::Warned { at, .. } => write!(f, "passed with warnings on {}", date(*at))?,
            Validation::Stale { at, .. } => write!(f, "not validated: tested on {}", date(*at))?,
            Validation::Failed { at, .. } => write!(f, "failed on {}", date(*at))?,
            Validation::Unusable { .. } => f.write_str("not validated")?,
        }
        if let Some(path) = self.given() {
            write!(f, " with the authorities in {path}")?;
        }
        if let Some((_, days)) = self.expires() {
            write!(f, ", certificate expires {}", in_days(days))?;
        }
        match self.reason() {
            Some(reason) if matches!(self, Validation::Stale { .. }) => write!(f, ", {reason}"),
            Some(reason) => write!(f, ": {reason}"),
            None => Ok(()),
        }
    }
}

/// Whole days until a time; negative when it is past, `-1` within the first day.
pub(in crate::validate) fn days_until(then: Timestamp, now: Timestamp) -> i64 {
    then.duration_since(now).as_secs().div_euclid(24 * 60 * 60)
}

/// Days in words, after `expires`.
pub(in crate::validate) fn in_days(days: i64) -> String {
    match days {
        0 => "in less than a day".to_owned(),
        1 => "in 1 day".to_owned(),
        days => format!("in {days} days"),
    }
}

/// The day of a time, in UTC.
pub(in crate::validate) fn date(at: Timestamp) -> String {
    let text = at.to_string();
    text.split_once('T').map_or(text.clone(), |(day, _)| day.to_owned())
}

/// The first thing that is as bad as this, with the host it is about. A warning of one address is never
/// the reason why another fails.
fn reason(report: &ConnectorReport, verdict: Verdict) -> String {
    let of_whole = report.findings.iter().find(|finding| finding.verdict >= verdict);
    let of_whole = of_whole.map(|finding| finding.reason.clone());
    let of_address = || {
        report.addresses.iter().find_map(|address| {
            let own = (address.verdict >= verdict && !address.reason.is_empty()).then_some(&address.reason);
            let warned = || address.warnings.iter().find(|finding| finding.verdict >= verdict);
            own.or_else(|| warned().map(|finding| &finding.reason))
                .map(|reason| format!("{}: {reason}", address.host))
        })
    };
    of_whole.or_else(of_address).unwrap_or_default()
}

#[cfg(test)]
#[path = "validation_tests.rs"]
mod tests;
