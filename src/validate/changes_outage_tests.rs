//! Two runs with an outage between them, or one that is an outage.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;
use crate::validate::changes::between as between_records;

fn finding(code: &str, reason: &str) -> Finding {
    Finding {
        verdict: Verdict::Fail,
        code: code.to_owned(),
        reason: reason.to_owned(),
        detail: String::new(),
    }
}

/// What a run could not see did not go, and does not come back.
#[test]
fn an_outage_moves_no_host() {
    type Outage = fn(&mut ConnectorReport);
    fn dark(now: &mut ConnectorReport, code: &str) {
        now.addresses.clear();
        now.findings.push(finding(code, "Nobody knows."));
    }
    let table: [(&str, Outage, &str); 7] = [
        ("servfail", |now| dark(now, "dns-failure"), "bank: Nobody knows."),
        ("no answer", |now| dark(now, "dns-timeout"), "bank: Nobody knows."),
        ("nxdomain", |now| dark(now, "no-such-domain"), "bank: Nobody knows."),
        ("no time for the DNS", |now| dark(now, "out-of-time"), "bank: Nobody knows."),
        (
            "no time for a host",
            |now| {
                now.addresses.truncate(1);
                now.addresses[0] = address("mx1.b.com", "192.0.2.1", Verdict::Fail);
                now.addresses[0].code = "out-of-time".to_owned();
            },
            "bank: mx1.b.com 192.0.2.1: it fails",
        ),
        (
            "no address of a host",
            |now| {
                now.addresses.truncate(2);
                let mut nowhere = address("mx2.b.com", "192.0.2.2", Verdict::Fail);
                (nowhere.address, nowhere.code) = (None, "dns-timeout".to_owned());
                now.addresses.push(nowhere);
            },
            "bank: mx2.b.com: it fails",
        ),
        (
            "no AAAA",
            |now| {
                now.addresses.remove(1);
                now.findings.push(finding("addresses-incomplete", "Not all were found."));
            },
            "bank: Not all were found.",
        ),
    ];
    for (name, outage, reason) in table {
        let mut now = good(NOW);
        now.verdict = Verdict::Fail;
        outage(&mut now);
        assert_eq!(lines(Some(&good(BEFORE)), &now), ["bank: fails; it was: passes", reason], "{name}");
        // The light is on again.
        let last = record(&now, Some(&record(&good(BEFORE), None)));
        let mut next = good(NOW);
        next.at = "2026-11-26T12:00:00Z".parse().unwrap();
        let told: Vec<String> = between_records(Some(&last), &next).iter().map(ToString::to_string).collect();
        let expected: &[&str] = match name {
            // It is at the same place, and was judged.
            "no time for a host" => {
                &["bank: passes; it was: fails", "bank: mx1.b.com 192.0.2.1: passes; it was: fails"]
            }
            _ => &["bank: passes; it was: fails"],
        };
        assert_eq!(told, expected, "{name}");
    }
    // A host that is really gone is told, however much else fails.
    let mut now = good(NOW);
    now.addresses.truncate(2);
    now.findings.push(finding("null-mx", "No mail."));
    assert!(lines(Some(&good(BEFORE)), &now).iter().any(|line| line.contains("no longer a host")));
}

/// Monday another certificate than on Wednesday, and on Tuesday nobody was there.
#[test]
fn a_certificate_exchanged_across_an_outage_is_told() {
    type Outage = fn(&mut ConnectorReport);
    let outages: [(&str, Outage); 2] = [
        ("away", |now| {
            for place in &mut now.addresses {
                (place.tls, place.certificate, place.not_after) = (None, None, None);
            }
        }),
        ("dark", |now| {
            now.addresses.clear();
            now.findings.push(finding("dns-failure", "Nobody knows."));
        }),
    ];
    for (name, outage) in outages {
        let monday = record(&good("2026-11-23T12:00:00Z"), None);
        let mut away = good("2026-11-24T12:00:00Z");
        outage(&mut away);
        let mut last = record(&away, Some(&monday));
        // A second day of it.
        away.at = "2026-11-24T13:00:00Z".parse().unwrap();
        last = record(&away, Some(&last));
        assert_eq!(between_records(Some(&last), &good(NOW)), [], "{name}, the same certificates");
        let mut now = good(NOW);
        now.addresses[2].certificate.as_mut().unwrap().sha256 = "x".to_owned();
        let told: Vec<String> = between_records(Some(&last), &now).iter().map(ToString::to_string).collect();
        let expected = "bank: mx2.b.com 192.0.2.2: certificate renewed, with the same key, until 2027-06-01";
        assert_eq!(told, [expected], "{name}");
    }
}

/// The date that was told before the outage is not told again after it.
#[test]
fn a_threshold_is_told_once_across_an_outage() {
    let ending = |at: &str| {
        let mut report = good(at);
        for place in &mut report.addresses {
            place.not_after = Some("2026-12-05T12:00:00Z".parse().unwrap());
        }
        report
    };
    let monday = record(&ending("2026-11-23T12:00:00Z"), None);
    let mut dark = connector("bank", Verdict::Pass, BEFORE);
    dark.findings.push(finding("dns-failure", "Nobody knows."));
    let last = record(&dark, Some(&monday));
    assert_eq!(between_records(Some(&last), &ending(NOW)), []);
}
