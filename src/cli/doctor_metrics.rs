//! What `doctor` has found, for Prometheus: how many findings there are of each severity, and when that was so.
//!
//! Which they are, where, and what mends them is for people. Every severity has its number, so that none is also told.

use jiff::Timestamp;

use crate::mta::finding::{Finding, Severity};
use crate::protocol::exposition::{Exposition, Kind};

/// The whole text, of the findings in the settings of an MTA.
pub(super) fn of(mta: &str, findings: &[Finding], now: Timestamp) -> String {
    let mut text = Exposition::default();
    let help = "Findings of connectord doctor in the settings of an MTA.";
    let mut family = text.family("connectord_doctor_findings", Kind::Gauge, help);
    for severity in [Severity::Bypass, Severity::Outage, Severity::Evidence, Severity::Advice] {
        let count = findings.iter().filter(|finding| finding.kind.severity == severity).count();
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        family.sample(&[("mta", mta), ("severity", severity.word())], count);
    }
    let mut family =
        text.family("connectord_doctor_timestamp_seconds", Kind::Gauge, "When connectord doctor looked.");
    family.sample(&[("mta", mta)], now.as_second());
    text.finish()
}
