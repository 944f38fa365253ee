//! The last certificate of each place, over runs that saw none there.
//!
//! A run in which a server was away, or the DNS, replaces the kept result and knows no certificate.
//! What was seen before is carried on beside it: for the inventory, and so that a certificate
//! exchanged meanwhile is told. It is dropped when the place shows another one, or is no longer a
//! place that mail goes to.

use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::report::{AddressReport, CertificateReport, ConnectorReport};
use super::sight;
use super::state::Record;

/// Certificates that are carried on, the ones seen last first. As many as one run visits addresses.
pub const MAX_CARRIED: usize = 1000;

/// A certificate that was seen in an earlier run than the last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// The host.
    pub host: String,
    /// Its address.
    pub address: Option<IpAddr>,
    /// The port.
    pub port: u16,
    /// When it was seen.
    pub at: Timestamp,
    /// The leaf certificate.
    pub certificate: CertificateReport,
    /// When the first certificate of its chain expires.
    pub not_after: Option<Timestamp>,
}

/// What was last known of a place.
#[derive(Clone, Copy, Debug)]
pub struct Last<'r> {
    /// Since when.
    pub at: Timestamp,
    /// The leaf certificate.
    pub certificate: Option<&'r CertificateReport>,
    /// When the first certificate of its chain expires.
    pub not_after: Option<Timestamp>,
}

impl Seen {
    fn of(address: &AddressReport, at: Timestamp) -> Option<Seen> {
        let AddressReport { host, address, port, certificate, not_after, .. } = address;
        let (host, certificate) = (host.clone(), certificate.clone()?);
        Some(Seen { host, address: *address, port: *port, at, certificate, not_after: *not_after })
    }

    fn is_at(&self, place: &AddressReport) -> bool {
        (self.host.as_str(), self.address, self.port) == place.place()
    }
}

/// What is carried on from the last result when `now` takes its place.
pub fn carried(before: &Record, now: &ConnectorReport) -> Vec<Seen> {
    let shown = before.report.addresses.iter().filter(|address| !address.is_file());
    let shown = shown.filter_map(|address| Seen::of(address, before.report.at));
    let goes_on = |seen: &Seen| match now.addresses.iter().find(|place| seen.is_at(place)) {
        Some(place) => place.certificate.is_none(),
        None => sight::hides_addresses(now, &seen.host),
    };
    shown.chain(before.seen.iter().cloned()).filter(goes_on).take(MAX_CARRIED).collect()
}

/// What is known of a place from the last result, or from before.
pub fn last<'r>(record: &'r Record, place: &AddressReport) -> Option<Last<'r>> {
    let of_report = record.report.addresses.iter().find(|old| old.place() == place.place());
    let of_report = of_report.map(|old| Last {
        at: record.report.at,
        certificate: old.certificate.as_ref(),
        not_after: old.not_after,
    });
    let of_report = of_report.filter(|last| last.certificate.is_some() || last.not_after.is_some());
    of_report.or_else(|| {
        let seen = record.seen.iter().find(|seen| seen.is_at(place))?;
        Some(Last { at: seen.at, certificate: Some(&seen.certificate), not_after: seen.not_after })
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use crate::validate::report::{Finding, Verdict};
    use crate::validate::sample::{address, certificate, connector};

    const MONDAY: &str = "2026-11-23T12:00:00Z";
    const TUESDAY: &str = "2026-11-24T12:00:00Z";
    const WEDNESDAY: &str = "2026-11-25T12:00:00Z";

    fn record(report: ConnectorReport, before: Option<&Record>) -> Record {
        Record::new("abc".to_owned(), String::new(), report, before)
    }

    fn report(at: &str, serials: [Option<&str>; 2]) -> ConnectorReport {
        let mut report = connector("bank", Verdict::Pass, at);
        for ((host, ip), serial) in [("mx1", "192.0.2.1"), ("mx2", "192.0.2.2")].into_iter().zip(serials) {
            let mut place = address(host, ip, Verdict::Pass);
            place.certificate = serial.map(|serial| certificate(&[host], serial, "2027-06-01T12:00:00Z"));
            report.addresses.push(place);
        }
        report
    }

    fn kept(record: &Record) -> Vec<String> {
        let words = |seen: &Seen| format!("{} {} {}", seen.host, seen.certificate.serial, seen.at);
        record.seen.iter().map(words).collect()
    }

    #[test]
    fn it_is_carried_over_an_outage() {
        let monday = record(report(MONDAY, [Some("01"), Some("02")]), None);
        assert_eq!(kept(&monday), [""; 0]);
        let tuesday = record(report(TUESDAY, [Some("01"), None]), Some(&monday));
        assert_eq!(kept(&tuesday), [format!("mx2 02 {MONDAY}")]);

        let mut dark = connector("bank", Verdict::Fail, WEDNESDAY);
        dark.findings.push(Finding {
            verdict: Verdict::Fail,
            code: "dns-timeout".to_owned(),
            reason: String::new(),
            detail: String::new(),
        });
        let dark = record(dark, Some(&tuesday));
        assert_eq!(kept(&dark), [format!("mx1 01 {TUESDAY}"), format!("mx2 02 {MONDAY}")]);
        let place = address("mx2", "192.0.2.2", Verdict::Pass);
        let known = last(&dark, &place).unwrap();
        assert_eq!((known.at, known.certificate.unwrap().serial.as_str()), (MONDAY.parse().unwrap(), "02"));
        assert!(last(&dark, &address("mx2", "192.0.2.3", Verdict::Pass)).is_none());

        // Seen again, it is in the report; a host that is gone is forgotten.
        let light = record(report(WEDNESDAY, [Some("01"), Some("03")]), Some(&dark));
        assert_eq!(kept(&light), [""; 0]);
        let mut moved = report(WEDNESDAY, [None, None]);
        moved.addresses.truncate(1);
        assert_eq!(kept(&record(moved, Some(&dark))), [format!("mx1 01 {TUESDAY}")]);
    }

    #[test]
    fn its_number_is_bounded() {
        let mut before = record(report(MONDAY, [Some("01"), Some("02")]), None);
        let one = Seen::of(&before.report.addresses[0], MONDAY.parse().unwrap()).unwrap();
        for number in 0..2000 {
            before.seen.push(Seen { port: 1000 + number, ..one.clone() });
        }
        let mut dark = connector("bank", Verdict::Fail, TUESDAY);
        dark.findings.push(Finding {
            verdict: Verdict::Fail,
            code: "out-of-time".to_owned(),
            reason: String::new(),
            detail: String::new(),
        });
        let after = record(dark, Some(&before));
        assert_eq!(after.seen.len(), MAX_CARRIED);
        assert_eq!((after.seen[0].port, after.seen[2].port), (25, 1000));
    }
}
