//! What a kept result says today.

use std::fmt;

use jiff::{SignedDuration, Timestamp};

use super::record::Record;
use crate::validate::report::{ConnectorReport, Verdict};

/// A result older than this says nothing any more. Ours: partners change servers and certificates
/// without a word, and a certificate of 90 days is renewed after 60.
pub const MAX_AGE: SignedDuration = SignedDuration::from_hours(30 * 24);

/// A result from later than this is from a clock that was wrong, then or now.
const MAX_AHEAD: SignedDuration = SignedDuration::from_hours(24);

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
    },
    /// It passed, and something should be looked at.
    Warned {
        /// When it was tested.
        at: Timestamp,
        /// When the first certificate that was seen expires.
        expires: Option<Timestamp>,
        /// Whole days until then.
        days: Option<i64>,
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
        let expires = report.addresses.iter().filter_map(|address| address.not_after).min();
        let stale = |why| Validation::Stale { at, why };
        if record.settings != settings {
            return stale(Stale::SettingsChanged);
        }
        // A failure says more than its age, and nobody takes it for a pass.
        if report.verdict == Verdict::Fail {
            return Validation::Failed { at, reason: reason(report, Verdict::Fail) };
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
            Validation::Warned { at, expires, days, reason: reason(report, Verdict::Warn) }
        } else {
            Validation::Validated { at, expires, days }
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

/// The first thing that is as bad as this, with the host it is about.
fn reason(report: &ConnectorReport, verdict: Verdict) -> String {
    let of_whole = report.findings.iter().find(|finding| finding.verdict >= verdict);
    let of_whole = of_whole.map(|finding| finding.reason.clone());
    let of_address = || {
        report.addresses.iter().find_map(|address| {
            let own = (address.verdict >= verdict && !address.reason.is_empty()).then_some(&address.reason);
            let warned = || address.warnings.iter().map(|finding| &finding.reason).next();
            own.or_else(warned).map(|reason| format!("{}: {reason}", address.host))
        })
    };
    of_whole.or_else(of_address).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::validate::sample;

    const NOW: &str = "2026-11-25T12:00:00Z";

    fn validation(verdict: Verdict, at: &str, not_after: Option<&str>, settings: &str) -> Validation {
        let mut report = sample::connector("bank", verdict, at);
        let mut address = sample::address("mx1.contoso.com", "192.0.2.1", verdict);
        address.not_after = not_after.map(|time| time.parse().unwrap());
        report.addresses.push(address);
        let record = Record { connector: "bank".to_owned(), settings: "abc".to_owned(), report };
        Validation::of(&record, settings, NOW.parse().unwrap())
    }

    #[test]
    fn what_a_result_says_today() {
        use Verdict::{Fail, Pass, Warn};
        let yesterday = "2026-11-24T12:00:00Z";
        let later = Some("2027-02-14T11:00:00Z");
        type Row<'a> = (Verdict, &'a str, Option<&'a str>, &'a str, &'a str, &'a str);
        let table: [Row<'_>; 15] = [
            (
                Pass,
                yesterday,
                later,
                "abc",
                "validated",
                "passed on 2026-11-24, certificate expires in 80 days",
            ),
            (Pass, yesterday, None, "abc", "validated", "passed on 2026-11-24"),
            (
                Pass,
                NOW,
                Some("2026-11-25T12:00:01Z"),
                "abc",
                "validated",
                "passed on 2026-11-25, certificate expires in less than a day",
            ),
            (
                Pass,
                NOW,
                Some("2026-11-26T12:00:00Z"),
                "abc",
                "validated",
                "passed on 2026-11-25, certificate expires in 1 day",
            ),
            (
                Pass,
                yesterday,
                Some(NOW),
                "abc",
                "stale",
                "not validated: tested on 2026-11-24, a certificate seen then has expired",
            ),
            (
                Warn,
                yesterday,
                later,
                "abc",
                "warned",
                "passed with warnings on 2026-11-24, certificate expires in 80 days: mx1.contoso.com: it warns",
            ),
            (
                Warn,
                yesterday,
                Some(NOW),
                "abc",
                "stale",
                "not validated: tested on 2026-11-24, a certificate seen then has expired",
            ),
            (Fail, yesterday, later, "abc", "failed", "failed on 2026-11-24: mx1.contoso.com: it fails"),
            (
                Fail,
                "2026-01-01T00:00:00Z",
                later,
                "abc",
                "failed",
                "failed on 2026-01-01: mx1.contoso.com: it fails",
            ),
            (
                Pass,
                yesterday,
                later,
                "abd",
                "stale",
                "not validated: tested on 2026-11-24, settings changed since",
            ),
            (
                Fail,
                yesterday,
                later,
                "",
                "stale",
                "not validated: tested on 2026-11-24, settings changed since",
            ),
            (
                Pass,
                "2026-10-26T12:00:00Z",
                later,
                "abc",
                "validated",
                "passed on 2026-10-26, certificate expires in 80 days",
            ),
            (
                Pass,
                "2026-10-26T11:59:59Z",
                later,
                "abc",
                "stale",
                "not validated: tested on 2026-10-26, older than 30 days",
            ),
            (
                Pass,
                "2026-11-26T12:00:00Z",
                later,
                "abc",
                "validated",
                "passed on 2026-11-26, certificate expires in 80 days",
            ),
            (
                Pass,
                "2026-11-26T12:00:01Z",
                later,
                "abc",
                "stale",
                "not validated: tested on 2026-11-26, its date is in the future",
            ),
        ];
        for (verdict, at, not_after, settings, word, words) in table {
            let validation = validation(verdict, at, not_after, settings);
            assert_eq!(
                (validation.word(), validation.to_string().as_str()),
                (word, words),
                "{verdict:?} {at} {not_after:?}"
            );
            assert_eq!(validation.is_valid(), matches!(word, "validated" | "warned"), "{words}");
            assert_eq!(validation.expires().is_some(), words.contains("expires"), "{words}");
        }
    }

    #[test]
    fn nothing_kept_and_something_unusable() {
        assert_eq!(Validation::Never.to_string(), "never tested");
        let unusable = Validation::Unusable { why: "it is a symbolic link".to_owned() };
        assert_eq!(
            unusable.to_string(),
            "not validated: the kept result cannot be used: it is a symbolic link"
        );
        for validation in [Validation::Never, unusable] {
            assert!(!validation.is_valid() && validation.at().is_none(), "{validation}");
        }
    }

    #[test]
    fn days_are_whole() {
        for (then, days) in [
            ("2026-11-26T12:00:00Z", 1),
            ("2026-11-26T11:59:59Z", 0),
            (NOW, 0),
            ("2026-11-25T11:59:59Z", -1),
            ("2026-11-23T12:00:00Z", -2),
        ] {
            assert_eq!(days_until(then.parse().unwrap(), NOW.parse().unwrap()), days, "{then}");
        }
    }
}
