#![allow(clippy::unwrap_used, clippy::indexing_slicing)]
use super::*;
use crate::validate::report::Finding;
use crate::validate::sample::{address, certificate, connector};

#[path = "changes_outage_tests.rs"]
mod outage;

const BEFORE: &str = "2026-11-24T12:00:00Z";
const NOW: &str = "2026-11-25T12:00:00Z";
const END: &str = "2027-06-01T12:00:00Z";

/// Two hosts, the first one with two addresses; all good.
fn good(at: &str) -> ConnectorReport {
    let mut report = connector("bank", Verdict::Pass, at);
    for (host, ip) in [("mx1.b.com", "192.0.2.1"), ("mx1.b.com", "2001:db8::1"), ("mx2.b.com", "192.0.2.2")] {
        let mut place = address(host, ip, Verdict::Pass);
        place.certificate = Some(certificate(&[host], "01", END));
        place.not_after = Some(END.parse().unwrap());
        place.dane =
            Some(DaneReport { present: false, authenticated: true, matches: None, detail: String::new() });
        place.mta_sts = Some(MtaStsReport { found: false, mode: None, covers: None, detail: String::new() });
        report.addresses.push(place);
    }
    report
}

fn record(report: &ConnectorReport, last: Option<&Record>) -> Record {
    Record::new("abc".to_owned(), String::new(), report.clone(), last)
}

fn between(before: Option<&ConnectorReport>, now: &ConnectorReport) -> Vec<Change> {
    super::between(before.map(|before| record(before, None)).as_ref(), now)
}

fn lines(before: Option<&ConnectorReport>, now: &ConnectorReport) -> Vec<String> {
    between(before, now).iter().map(ToString::to_string).collect()
}

#[test]
fn a_quiet_day_makes_no_line() {
    assert_eq!(between(Some(&good(BEFORE)), &good(NOW)), []);
    // A slower handshake, another order and another time are no change.
    let mut now = good(NOW);
    now.addresses.reverse();
    now.addresses[0].handshake_ms = Some(99);
    assert_eq!(between(Some(&good(BEFORE)), &now), []);
}

#[test]
fn what_is_told() {
    type Change = fn(&mut ConnectorReport);
    let renew: Change = |now| {
        for place in &mut now.addresses {
            let mut renewed = certificate(&["x"], "02", "2027-12-01T00:00:00Z");
            renewed.key_sha256 = "BB:01".to_owned();
            place.certificate = Some(renewed);
        }
    };
    let mismatch: Change = |now| {
        now.verdict = Verdict::Fail;
        let place = &mut now.addresses[2];
        (place.verdict, place.code) = (Verdict::Fail, "name-mismatch".to_owned());
        place.reason = "The names differ.".to_owned();
        (place.expected, place.presented) = ("*.b.com".to_owned(), "mx.filter.example".to_owned());
    };
    let table: [(&str, Change, &[&str]); 17] = [
        (
            "renewed",
            renew,
            &[
                "bank: mx1.b.com 192.0.2.1 +1: certificate renewed, with the same key, until 2027-12-01",
                "bank: mx2.b.com 192.0.2.2: certificate renewed, with the same key, until 2027-12-01",
            ],
        ),
        (
            "another issuer",
            |now| {
                let seen = now.addresses[2].certificate.as_mut().unwrap();
                seen.issuer = "CN=Other CA".to_owned();
                (seen.sha256, seen.key_sha256) = ("x".to_owned(), "y".to_owned());
            },
            &[
                "bank: mx2.b.com 192.0.2.2: certificate renewed, with another key, until 2027-06-01",
                "bank: mx2.b.com 192.0.2.2: certificate issued by CN=Other CA; it was CN=Contoso CA",
            ],
        ),
        (
            "MX added",
            |now| now.addresses.push(address("mx3.b.com", "192.0.2.3", Verdict::Pass)),
            &["bank: mx3.b.com 192.0.2.3: is a new host that mail goes to"],
        ),
        (
            "MX removed",
            |now| drop(now.addresses.remove(2)),
            &["bank: mx2.b.com 192.0.2.2: is no longer a host that mail goes to"],
        ),
        (
            "address added",
            |now| now.addresses.push(address("mx2.b.com", "2001:db8::2", Verdict::Pass)),
            &["bank: mx2.b.com 2001:db8::2: has a new address"],
        ),
        (
            "address removed",
            |now| drop(now.addresses.remove(1)),
            &["bank: mx1.b.com 2001:db8::1: has lost an address"],
        ),
        (
            "name mismatch",
            mismatch,
            &[
                "bank: fails; it was: passes",
                "bank: mx2.b.com 192.0.2.2: The names differ. (expected *.b.com, presented mx.filter.example)",
            ],
        ),
        (
            "another verdict without a word",
            |now| {
                now.verdict = Verdict::Warn;
                now.addresses[2].verdict = Verdict::Warn;
            },
            &[
                "bank: passes with warnings; it was: passes",
                "bank: mx2.b.com 192.0.2.2: passes with warnings; it was: passes",
            ],
        ),
        (
            "a finding",
            |now| {
                now.findings.push(Finding {
                    verdict: Verdict::Warn,
                    code: "few".to_owned(),
                    reason: "Only one host.".to_owned(),
                    detail: String::new(),
                });
            },
            &["bank: Only one host."],
        ),
        (
            "a warning",
            |now| {
                now.addresses[2].warnings.push(Finding {
                    verdict: Verdict::Warn,
                    code: "weak-key".to_owned(),
                    reason: "The key is weak.".to_owned(),
                    detail: String::new(),
                });
            },
            &["bank: mx2.b.com 192.0.2.2: The key is weak."],
        ),
        (
            "TLS version",
            |now| now.addresses[2].tls = Some("TLSv1.2".to_owned()),
            &["bank: mx2.b.com 192.0.2.2: speaks TLSv1.2; it was TLSv1.3"],
        ),
        (
            "no TLS is a verdict",
            |now| {
                let place = &mut now.addresses[2];
                (place.tls, place.certificate, place.not_after) = (None, None, None);
                (place.verdict, place.code, place.reason) =
                    (Verdict::Fail, "refused".to_owned(), "Nobody there.".to_owned());
            },
            &["bank: mx2.b.com 192.0.2.2: Nobody there."],
        ),
        (
            "TLSA",
            |now| now.addresses[2].dane.as_mut().unwrap().present = true,
            &["bank: mx2.b.com 192.0.2.2: TLSA: records of which none is usable; it was: no records"],
        ),
        (
            "MTA-STS",
            |now| {
                now.addresses[2].mta_sts = Some(MtaStsReport {
                    found: true,
                    mode: Some("enforce".to_owned()),
                    covers: Some(false),
                    detail: String::new(),
                });
            },
            &["bank: mx2.b.com 192.0.2.2: MTA-STS: mode enforce, does not cover the host; it was: no policy"],
        ),
        (
            "a new certificate that ends soon",
            |now| now.addresses[2].not_after = Some("2026-11-30T12:00:00Z".parse().unwrap()),
            &["bank: mx2.b.com 192.0.2.2: certificate expires in 5 days, on 2026-11-30"],
        ),
        (
            "its warning is the same",
            |now| {
                let place = &mut now.addresses[2];
                place.not_after = Some("2026-11-30T12:00:00Z".parse().unwrap());
                place.verdict = Verdict::Warn;
                (place.code, place.reason) = ("expires-soon".to_owned(), "It expires soon.".to_owned());
                place.warnings.push(Finding {
                    verdict: Verdict::Warn,
                    code: "expires-soon".to_owned(),
                    reason: "It expires soon.".to_owned(),
                    detail: String::new(),
                });
            },
            &["bank: mx2.b.com 192.0.2.2: certificate expires in 5 days, on 2026-11-30"],
        ),
        (
            "peer text",
            |now| now.addresses[2].tls = Some("TLS\nbank: passes\u{1b}[2J".to_owned()),
            &["bank: mx2.b.com 192.0.2.2: speaks TLS\\nbank: passes\\u{1b}[2J; it was TLSv1.3"],
        ),
    ];
    for (name, change, expected) in table {
        let mut now = good(NOW);
        change(&mut now);
        assert_eq!(lines(Some(&good(BEFORE)), &now), expected, "{name}");
        // The next day it is known.
        let mut next = now.clone();
        next.at = "2026-11-25T13:00:00Z".parse().unwrap();
        assert_eq!(lines(Some(&now), &next), [""; 0], "{name}, told twice");
    }
}

#[test]
fn what_was_wrong_and_no_longer_is() {
    let mut before = good(BEFORE);
    before.verdict = Verdict::Fail;
    let place = &mut before.addresses[2];
    (place.verdict, place.code) = (Verdict::Fail, "refused".to_owned());
    place.certificate = None;
    assert_eq!(
        lines(Some(&before), &good(NOW)),
        ["bank: passes; it was: fails", "bank: mx2.b.com 192.0.2.2: passes; it was: fails"]
    );
}

#[test]
fn the_first_result_is_told_with_what_is_wrong() {
    assert_eq!(lines(None, &good(NOW)), ["bank: tested for the first time: passes"]);
    let mut now = good(NOW);
    now.verdict = Verdict::Fail;
    now.addresses[0] = address("mx1.b.com", "192.0.2.1", Verdict::Fail);
    assert_eq!(
        lines(None, &now),
        ["bank: tested for the first time: fails", "bank: mx1.b.com 192.0.2.1: it fails"]
    );
}

/// A run every six hours for forty days: each threshold is told once, and nothing else.
#[test]
fn each_threshold_is_told_once() {
    let end: Timestamp = "2027-01-04T09:00:00Z".parse().unwrap();
    let mut told = Vec::new();
    let mut before: Option<ConnectorReport> = None;
    for run in (1..=160).rev() {
        let mut now = connector("bank", Verdict::Pass, NOW);
        now.at = end - SignedDuration::from_hours(6 * run);
        let mut place = address("mx1.b.com", "192.0.2.1", Verdict::Pass);
        place.not_after = Some(end);
        now.addresses.push(place);
        if let Some(before) = &before {
            let changes = between(Some(before), &now);
            assert!(
                changes
                    .iter()
                    .all(|change| change.change == Kind::Expires && change.verdict == Verdict::Warn)
            );
            told.extend(changes.iter().map(|change| change.text.clone()));
        }
        before = Some(now);
    }
    let day = "on 2027-01-04";
    let expected: Vec<String> = ["in 30 days", "in 14 days", "in 7 days", "in 3 days", "in 1 day"]
        .map(|left| format!("certificate expires {left}, {day}"))
        .into();
    assert_eq!(told, expected);
}

#[test]
fn a_machine_that_slept_tells_the_nearest_threshold_alone() {
    let table = [
        ("2026-12-26T12:00:00Z", "2027-01-20T12:00:00Z", Some("in 5 days")),
        ("2026-11-01T12:00:00Z", "2027-01-25T11:59:59Z", Some("in less than a day")),
        ("2027-01-19T12:00:00Z", "2027-01-20T12:00:00Z", None),
        ("2027-01-20T12:00:00Z", "2027-01-25T12:00:00Z", None),
        ("2027-01-20T12:00:00Z", "2027-02-25T12:00:00Z", None),
    ];
    for (before, now, expected) in table {
        let report = |at: &str| {
            let mut report = connector("bank", Verdict::Pass, at);
            let mut place = address("mx1.b.com", "192.0.2.1", Verdict::Pass);
            place.not_after = Some("2027-01-25T12:00:00Z".parse().unwrap());
            report.addresses.push(place);
            report
        };
        let changes = between(Some(&report(before)), &report(now));
        let told: Vec<&str> = changes.iter().map(|change| change.text.as_str()).collect();
        match expected {
            Some(words) => assert_eq!(told, [format!("certificate expires {words}, on 2027-01-25")]),
            None => assert_eq!(told, [""; 0]),
        }
    }
}
