//! The last results, and keeping these in their place.
//!
//! Nothing here can fail: what cannot be used or kept is told on stderr.

use std::path::Path;

use crate::cli::output::talk;
use crate::validate::report::Report;
use crate::validate::sight;
use crate::validate::state::{Keeper, Record, Store};

/// The last result of each connector, in the order of the report. One that cannot be used is none.
pub(super) fn last(state_directory: &Path, report: &Report) -> Vec<Option<Record>> {
    let store = Store::open(state_directory);
    let each = report.connectors.iter().map(|now| {
        store.kept(&now.connector).unwrap_or_else(|unusable| {
            talk(format_args!("connectord: the last result of {} cannot be used: {unusable}", now.connector));
            None
        })
    });
    each.collect()
}

/// Keeps what was found, with the digests of the settings that were tested. A run that only ran out
/// of time has found nothing: what was known stays known.
pub(super) fn keep(
    state_directory: &Path,
    report: &Report,
    last: &[Option<Record>],
    settings: impl Fn(&str) -> Option<String>,
) {
    if report.connectors.is_empty() {
        return;
    }
    let keeper = match Keeper::open(state_directory) {
        Ok(keeper) => keeper,
        Err(error) => return talk(format_args!("connectord: {error}")),
    };
    for (now, last) in report.connectors.iter().zip(last) {
        let name = &now.connector;
        if sight::only_ran_out_of_time(now) {
            let stays = if last.is_some() { "the earlier one stays" } else { "there is no earlier one" };
            talk(format_args!("connectord: the result of {name} is not kept: time ran out; {stays}"));
            continue;
        }
        if sight::looked_further(now) {
            talk(format_args!(
                "connectord: the result of {name} is not kept: it is about a recipient's domain besides its own"
            ));
            continue;
        }
        let Some(settings) = settings(name) else {
            continue;
        };
        let record = Record::new(settings, report.trust(name).to_owned(), now.clone(), last.as_ref());
        if let Err(error) = keeper.keep(&record) {
            talk(format_args!("connectord: {error}"));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use crate::validate::authorities;
    use crate::validate::report::{ConnectorReport, Verdict};
    use crate::validate::sample::{address, certificate, connector};

    fn tested(verdict: Verdict, at: &str, code: &str) -> Report {
        let mut bank: ConnectorReport = connector("bank", verdict, at);
        let mut place = address("mx1", "192.0.2.1", verdict);
        place.code = code.to_owned();
        if verdict != Verdict::Fail {
            place.certificate = Some(certificate(&["mx1"], "01", "2027-06-01T12:00:00Z"));
        }
        bank.addresses.push(place);
        let trust = [("bank".to_owned(), authorities::SYSTEM.to_owned())].into();
        Report { verdict, connectors: vec![bank], trust }
    }

    #[test]
    fn what_only_the_time_failed_takes_no_place() {
        let directory = tempfile::tempdir().unwrap();
        let run = |report: &Report| {
            let before = last(directory.path(), report);
            keep(directory.path(), report, &before, |_| Some("abc".to_owned()));
            last(directory.path(), report).remove(0)
        };
        let late = |at: &str| tested(Verdict::Fail, at, "out-of-time");
        assert_eq!(run(&late("2026-11-22T12:00:00Z")), None);
        let good = tested(Verdict::Pass, "2026-11-23T12:00:00Z", "ok");
        let kept = run(&good).unwrap();
        assert_eq!((&kept.report, kept.trust.as_str()), (&good.connectors[0], authorities::SYSTEM));
        assert_eq!(run(&late("2026-11-24T12:00:00Z")), Some(kept));
        // Any other failure does, and the certificate is still known.
        let bad = tested(Verdict::Fail, "2026-11-25T12:00:00Z", "timeout");
        let kept = run(&bad).unwrap();
        assert_eq!((&kept.report, kept.seen.len()), (&bad.connectors[0], 1));
    }
}
