#![allow(clippy::unwrap_used)]
use super::*;
use crate::validate::report::Finding;
use crate::validate::sample;

const NOW: &str = "2026-11-25T12:00:00Z";

fn validation(verdict: Verdict, at: &str, not_after: Option<&str>, settings: &str) -> Validation {
    let mut report = sample::connector("bank", verdict, at);
    let mut address = sample::address("mx1.contoso.com", "192.0.2.1", verdict);
    address.not_after =
        not_after.map(|time| if time == "never" { Timestamp::MAX } else { time.parse().unwrap() });
    report.addresses.push(address);
    let record = Record::new("abc".to_owned(), String::new(), report, None);
    Validation::of(&record, settings, NOW.parse().unwrap())
}

#[test]
fn what_a_result_says_today() {
    use Verdict::{Fail, Pass, Warn};
    const YESTERDAY: &str = "2026-11-24T12:00:00Z";
    const LATER: Option<&str> = Some("2027-02-14T11:00:00Z");
    const OVER: &str = "not validated: tested on 2026-11-24, a certificate seen then has expired";
    const OTHER: &str = "not validated: tested on 2026-11-24, settings changed since";
    const WARNED: &str =
        "passed with warnings on 2026-11-24, certificate expires in 80 days: mx1.contoso.com: it warns";
    type Row<'a> = (Verdict, &'a str, Option<&'a str>, &'a str, &'a str);
    // The settings tested were `abc`.
    let table: [(Row<'_>, &str); 17] = [
        (
            (Pass, YESTERDAY, LATER, "abc", "validated"),
            "passed on 2026-11-24, certificate expires in 80 days",
        ),
        ((Pass, YESTERDAY, None, "abc", "validated"), "passed on 2026-11-24"),
        ((Pass, YESTERDAY, Some("never"), "abc", "validated"), "passed on 2026-11-24"),
        (
            (Pass, NOW, Some("2026-11-25T12:00:01Z"), "abc", "validated"),
            "passed on 2026-11-25, certificate expires in less than a day",
        ),
        (
            (Pass, NOW, Some("2026-11-26T12:00:00Z"), "abc", "validated"),
            "passed on 2026-11-25, certificate expires in 1 day",
        ),
        // It was over, and mail went through.
        ((Pass, YESTERDAY, Some("2026-11-01T12:00:00Z"), "abc", "validated"), "passed on 2026-11-24"),
        ((Pass, YESTERDAY, Some(NOW), "abc", "stale"), OVER),
        ((Warn, YESTERDAY, LATER, "abc", "warned"), WARNED),
        ((Warn, YESTERDAY, Some(NOW), "abc", "stale"), OVER),
        ((Fail, YESTERDAY, LATER, "abc", "failed"), "failed on 2026-11-24: mx1.contoso.com: it fails"),
        (
            (Fail, "2026-01-01T00:00:00Z", LATER, "abc", "failed"),
            "failed on 2026-01-01: mx1.contoso.com: it fails",
        ),
        ((Pass, YESTERDAY, LATER, "abd", "stale"), OTHER),
        ((Fail, YESTERDAY, LATER, "", "stale"), OTHER),
        (
            (Pass, "2026-10-26T12:00:00Z", LATER, "abc", "validated"),
            "passed on 2026-10-26, certificate expires in 80 days",
        ),
        (
            (Pass, "2026-10-26T11:59:59Z", LATER, "abc", "stale"),
            "not validated: tested on 2026-10-26, older than 30 days",
        ),
        (
            (Pass, "2026-11-26T12:00:00Z", LATER, "abc", "validated"),
            "passed on 2026-11-26, certificate expires in 80 days",
        ),
        (
            (Pass, "2026-11-26T12:00:01Z", LATER, "abc", "stale"),
            "not validated: tested on 2026-11-26, its date is in the future",
        ),
    ];
    for ((verdict, at, not_after, settings, word), words) in table {
        let validation = validation(verdict, at, not_after, settings);
        let case = format!("{verdict:?} {at} {not_after:?} {settings}");
        assert_eq!((validation.word(), validation.to_string().as_str()), (word, words), "{case}");
        assert_eq!(validation.is_valid(), matches!(word, "validated" | "warned"), "{case}");
        assert_eq!(validation.expires().is_some(), words.contains("expires"), "{case}");
    }
}

/// The certificate of an address that fails says nothing of how long the others are good.
#[test]
fn only_what_carries_mail_counts() {
    let mut report = sample::connector("bank", Verdict::Warn, "2026-11-24T12:00:00Z");
    for (verdict, not_after) in
        [(Verdict::Fail, "2026-11-25T00:00:00Z"), (Verdict::Pass, "2026-12-05T12:00:00Z")]
    {
        let mut address = sample::address("mx1.contoso.com", "192.0.2.1", verdict);
        address.not_after = Some(not_after.parse().unwrap());
        report.addresses.push(address);
    }
    let record = Record::new("abc".to_owned(), String::new(), report, None);
    let validation = Validation::of(&record, "abc", NOW.parse().unwrap());
    assert_eq!((validation.word(), validation.expires().map(|(_, days)| days)), ("warned", Some(10)));
}

/// A file that was named for the run alone is always told; what the MTA and the connector have is not.
#[test]
fn whom_a_result_trusts() {
    use Verdict::{Fail, Pass, Warn};
    const SYSTEM: &str = "the system's authorities";
    const FILE: &str = "/root/my.pem";
    let long = format!("/{}", "x".repeat(1000));
    let cut = format!("passed on 2026-11-25 with the authorities in /{}…, certificate", "x".repeat(119));
    let table = [
        (Pass, "", "passed on 2026-11-25, certificate"),
        (Pass, SYSTEM, "passed on 2026-11-25, certificate"),
        (Pass, "its own ca_file", "passed on 2026-11-25, certificate"),
        (Pass, FILE, "passed on 2026-11-25 with the authorities in /root/my.pem, certificate expires in"),
        (Pass, "/a\n\u{1b}[2J", "passed on 2026-11-25 with the authorities in /a\\n\\u{1b}[2J, certificate"),
        (Pass, &long, &cut),
        (Warn, FILE, "passed with warnings on 2026-11-25 with the authorities in /root/my.pem, certificate"),
        (Fail, FILE, "failed on 2026-11-25 with the authorities in /root/my.pem: mx1"),
        (Fail, SYSTEM, "failed on 2026-11-25: mx1"),
    ];
    for (verdict, trust, words) in table {
        let mut report = sample::connector("bank", verdict, NOW);
        let mut address = sample::address("mx1", "192.0.2.1", verdict);
        address.not_after = Some("2027-02-14T11:00:00Z".parse().unwrap());
        report.addresses.push(address);
        let record = Record::new("abc".to_owned(), trust.to_owned(), report, None);
        let told = Validation::of(&record, "abc", NOW.parse().unwrap()).to_string();
        assert!(told.starts_with(words), "{trust}: {told}");
        // Whom a result that says nothing trusted does not matter.
        assert!(!Validation::of(&record, "abd", NOW.parse().unwrap()).to_string().contains("authorities"));
    }
}

#[test]
fn nothing_kept_and_something_unusable() {
    assert_eq!(Validation::Never.to_string(), "never tested");
    let unusable = Validation::Unusable { why: "it is a symbolic link".to_owned() };
    assert_eq!(unusable.to_string(), "not validated: the kept result cannot be used: it is a symbolic link");
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

/// A pattern like `.contoso.com` names no domain to test: a warning about that is no validation.
#[test]
fn who_met_nobody_has_validated_nothing() {
    for verdict in [Verdict::Pass, Verdict::Warn] {
        let report = sample::connector("bank", verdict, NOW);
        let record = Record::new("abc".to_owned(), String::new(), report, None);
        assert_eq!(Validation::of(&record, "abc", NOW.parse().unwrap()), Validation::Never);
    }
}

/// What is only a warning, of another address or of the whole, is not why mail fails.
#[test]
fn the_reason_of_a_failure_is_a_failure() {
    use Verdict::{Fail, Pass, Warn};
    let finding = |verdict, reason: &str| Finding {
        verdict,
        code: "a-word".to_owned(),
        reason: reason.to_owned(),
        detail: String::new(),
    };
    let reason_of = |findings: Vec<Finding>, addresses: &[(&str, Verdict, bool)]| {
        let worst = addresses.iter().map(|(_, verdict, _)| *verdict);
        let worst = worst.chain(findings.iter().map(|finding| finding.verdict)).max().unwrap();
        let mut report = sample::connector("bank", worst, NOW);
        report.findings = findings;
        for &(host, verdict, warned) in addresses {
            let mut address = sample::address(host, "192.0.2.1", verdict);
            address.warnings.extend(warned.then(|| finding(Warn, "it is warned of")));
            report.addresses.push(address);
        }
        let record = Record::new("abc".to_owned(), String::new(), report, None);
        Validation::of(&record, "abc", NOW.parse().unwrap()).reason()
    };
    let table = [
        (vec![], vec![("a", Warn, true), ("b", Fail, false)], "b: it fails"),
        (vec![], vec![("a", Pass, true), ("b", Fail, true)], "b: it fails"),
        (vec![], vec![("a", Warn, false), ("b", Warn, false)], "a: it warns"),
        (vec![], vec![("a", Pass, true), ("b", Warn, false)], "a: it is warned of"),
        (vec![finding(Warn, "the whole warns")], vec![("a", Warn, true), ("b", Fail, false)], "b: it fails"),
        (
            vec![finding(Warn, "the whole warns"), finding(Fail, "the whole fails")],
            vec![("a", Warn, true)],
            "the whole fails",
        ),
    ];
    for (findings, addresses, reason) in table {
        assert_eq!(reason_of(findings, &addresses).as_deref(), Some(reason), "{addresses:?}");
    }
}
