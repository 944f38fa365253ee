//! Whole reports, to the letter.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::validate::report::{DaneReport, MtaStsReport};
use crate::validate::sample::{address, certificate, connector};

const NOW: &str = "2026-11-25T12:00:00Z";

fn shown(connectors: Vec<ConnectorReport>) -> String {
    trusting(connectors, "")
}

/// With the same trust for each connector.
fn trusting(connectors: Vec<ConnectorReport>, trust: &str) -> String {
    let each = connectors.iter().map(|connector| (connector.connector.clone(), trust.to_owned()));
    let trust = each.collect();
    let verdict = connectors.iter().map(|connector| connector.verdict).max().unwrap_or(Verdict::Pass);
    let domains = Domains::from([("contoso-bank", "*.contoso.com, contoso.net".to_owned())]);
    report(&Report { verdict, connectors, trust }, &domains)
}

fn with_certificate(mut address: AddressReport, not_after: &str) -> AddressReport {
    address.certificate = Some(certificate(&["mx.contoso.com"], "0A:1B", not_after));
    address.not_after = Some(not_after.parse().unwrap());
    address
}

#[test]
fn one_good_one_bad() {
    let mut bank = connector("contoso-bank", Verdict::Fail, NOW);
    bank.strictest = Some("encrypt".to_owned());
    let mut first =
        with_certificate(address("mx1.contoso.com", "192.0.2.1", Verdict::Pass), "2027-02-14T11:00:00Z");
    first.dane =
        Some(DaneReport { present: true, authenticated: true, matches: Some(true), detail: String::new() });
    first.mta_sts = Some(MtaStsReport {
        found: true,
        mode: Some("enforce".to_owned()),
        covers: Some(true),
        detail: String::new(),
    });
    first.test_mail = Some("taken by the partner: 250 2.0.0 Ok: queued as 4F1A".to_owned());
    let mut second =
        with_certificate(address("mx2.contoso.com", "2001:db8::2", Verdict::Fail), "2027-02-14T11:00:00Z");
    second.reason = "The certificate does not carry a name that was agreed. Mail for the partner waits \
                     whenever this server is asked."
        .to_owned();
    second.expected = "*.contoso.com".to_owned();
    second.presented = "mx.filter.example".to_owned();
    second.detail = "220 mx2 ESMTP\n250-STARTTLS\r\n250 8BITMIME".to_owned();
    second.dane =
        Some(DaneReport { present: false, authenticated: true, matches: None, detail: String::new() });
    second.mta_sts = first.mta_sts.clone();
    bank.addresses = vec![first, second];
    let expected = "\
contoso-bank: fails (secure; *.contoso.com, contoso.net)
  passes   mx1.contoso.com  192.0.2.1    TLSv1.3  expires in 80 days
           test mail    taken by the partner: 250 2.0.0 Ok: queued as 4F1A
  fails    mx2.contoso.com  2001:db8::2  TLSv1.3  expires in 80 days
           The certificate does not carry a name that was agreed. Mail for the partner waits
           whenever this server is asked.
           expected     *.contoso.com
           presented    mx.filter.example
           certificate  CN=mx.contoso.com, issued by CN=Contoso CA, until 2027-02-14, serial 0A:1B
           detail       220 mx2 ESMTP
                        250-STARTTLS
                        250 8BITMIME
  DANE         TLSA records match (mx1.contoso.com); no TLSA records (mx2.contoso.com)
  MTA-STS      mode enforce, covers the host
  revocation   not checked
  strictest    encrypt, of what every address would pass today

1 connector: 1 failing.
2 addresses: 1 good, 1 failing.
Next: send the partner what is said above, and run validate again when it is mended. In mode =
\"enforce\" mail of contoso-bank waits, or is refused, at what fails until then.
";
    assert_eq!(shown(vec![bank]), expected);
}

#[test]
fn warnings_findings_and_files() {
    let mut soon = connector("contoso-bank", Verdict::Warn, NOW);
    let mut first =
        with_certificate(address("mail.contoso.com", "192.0.2.1", Verdict::Warn), "2026-12-01T12:00:00Z");
    first.port = 587;
    first.reason = "the certificate expires on 2026-12-01, in 6 days; renew it".to_owned();
    let warning = |code: &str, reason: &str| Finding {
        verdict: Verdict::Warn,
        code: code.to_owned(),
        reason: reason.to_owned(),
        detail: String::new(),
    };
    first.warnings.push(warning("expires-soon", &first.reason));
    first.warnings.push(warning("weak-key", "the key is RSA 1024"));
    let mut second = address("mail.contoso.com", "192.0.2.2", Verdict::Fail);
    second.port = 587;
    second.tls = None;
    second.reason = "Nothing listens here.".to_owned();
    second.detail = "connect: Connection refused".to_owned();
    soon.addresses = vec![first, second];
    let mut null = connector("fabrikam", Verdict::Fail, NOW);
    null.level = "encrypt".to_owned();
    null.findings.push(Finding {
        verdict: Verdict::Fail,
        code: "null-mx".to_owned(),
        reason: "The domain fabrikam.com says that it takes no mail at all.".to_owned(),
        detail: "fabrikam.com. MX 0 .".to_owned(),
    });
    let mut inbound = connector("contoso-in", Verdict::Pass, NOW);
    inbound.level = "inbound".to_owned();
    let mut file =
        with_certificate(address("certs/contoso.pem", "192.0.2.1", Verdict::Pass), "2027-02-14T11:00:00Z");
    (file.address, file.port, file.tls) = (None, 0, None);
    inbound.addresses = vec![file];
    let expected = "\
contoso-bank: passes with warnings (secure; *.contoso.com, contoso.net)
  warning  mail.contoso.com:587  192.0.2.1  TLSv1.3  expires in 6 days
           the certificate expires on 2026-12-01, in 6 days; renew it
           warning      the key is RSA 1024
  fails    mail.contoso.com:587  192.0.2.2  no TLS
           Nothing listens here.
           detail       connect: Connection refused
  revocation   not checked

fabrikam: fails (encrypt)
  fails    The domain fabrikam.com says that it takes no mail at all.
           detail       fabrikam.com. MX 0 .

contoso-in: passes (inbound)
  passes   certs/contoso.pem  expires in 80 days

3 connectors: 1 good, 1 with warnings, 1 failing.
2 addresses: 1 with warnings, 1 failing.
1 file: 1 good.
Next: send the partner what is said above, and run validate again when it is mended. In mode =
\"enforce\" mail of fabrikam waits, or is refused, at what fails until then.
";
    assert_eq!(shown(vec![soon, null, inbound]), expected);
}

#[test]
fn what_is_the_same_at_a_host_is_said_once() {
    let mut bank = connector("contoso-bank", Verdict::Fail, NOW);
    let place = |host: &str, address_: &str, verdict: Verdict, reason: &str| {
        let mut place = address(host, address_, verdict);
        place.reason = reason.to_owned();
        place
    };
    bank.addresses = vec![
        place("mx1.contoso.com", "192.0.2.1", Verdict::Fail, "Too old."),
        place("mx1.contoso.com", "192.0.2.2", Verdict::Fail, "Too old."),
        place("mx1.contoso.com", "192.0.2.3", Verdict::Warn, "Too old."),
        place("mx1.contoso.com", "192.0.2.4", Verdict::Warn, "Too new."),
        place("mx2.contoso.com", "192.0.2.5", Verdict::Warn, "Too new."),
    ];
    let expected = "\
contoso-bank: fails (secure; *.contoso.com, contoso.net)
  fails    mx1.contoso.com  192.0.2.1  TLSv1.3
  fails    mx1.contoso.com  192.0.2.2  TLSv1.3
           Too old.
  warning  mx1.contoso.com  192.0.2.3  TLSv1.3
           Too old.
  warning  mx1.contoso.com  192.0.2.4  TLSv1.3
           Too new.
  warning  mx2.contoso.com  192.0.2.5  TLSv1.3
           Too new.
";
    let text = shown(vec![bank]);
    assert!(text.starts_with(expected), "{text}");
}

#[test]
fn what_to_do_next() {
    let table = [
        (vec![], "Next: name a connector; nothing was tested.\n"),
        (vec![Verdict::Pass], "Next: nothing stands in the way of mode = \"enforce\".\n"),
        (
            vec![Verdict::Pass, Verdict::Warn],
            "Next: mail is delivered as agreed today; see to the warnings of contoso-bank.\n",
        ),
    ];
    for (verdicts, expected) in table {
        let tested = |verdict| {
            let mut connector = connector("contoso-bank", verdict, NOW);
            connector.addresses.push(address("mx1.contoso.com", "192.0.2.1", verdict));
            connector
        };
        let connectors = verdicts.into_iter().map(tested).collect();
        let text = shown(connectors);
        assert!(text.ends_with(expected), "{text}");
    }
}

/// Whatever a partner sends, it makes no line of its own and moves no cursor.
#[test]
fn a_partner_cannot_forge_a_line() {
    let evil = "ok\r\n  passes   mx9.contoso.com\u{1b}[2J\u{9b}31m\u{202e}\0 end";
    let text = || evil.to_owned();
    let finding = || Finding { verdict: Verdict::Warn, code: text(), reason: text(), detail: text() };
    let mut bad = connector("contoso-bank", Verdict::Fail, NOW);
    let mut place =
        with_certificate(address("mx1.contoso.com", "192.0.2.1", Verdict::Fail), "2027-02-14T11:00:00Z");
    place.host = text();
    (place.code, place.reason, place.detail, place.revocation) = (text(), text(), text(), text());
    (place.expected, place.presented, place.tls, place.test_mail) =
        (text(), text(), Some(text()), Some(text()));
    place.warnings.push(finding());
    place.dane = Some(DaneReport { present: true, authenticated: true, matches: None, detail: text() });
    place.mta_sts = Some(MtaStsReport { found: true, mode: Some(text()), covers: None, detail: text() });
    let mut seen = certificate(&[evil], evil, "2027-02-14T11:00:00Z");
    (seen.subject, seen.issuer) = (text(), text());
    place.certificate = Some(seen);
    bad.strictest = Some(text());
    bad.level = text();
    bad.findings.push(finding());
    bad.addresses.push(place.clone());
    let shown = shown(vec![bad]) + &progress(evil, &place);
    assert!(shown.chars().all(|c| c == '\n' || matches!(c, ' '..='~' | '…')), "{shown}");
    // A detail has lines; they stand below their label, where no verdict stands.
    let forged: Vec<&str> = shown.lines().filter(|line| line.starts_with("  passes")).collect();
    assert!(forged.is_empty(), "{forged:?}");
}

#[test]
fn long_texts_are_broken_and_cut() {
    let mut bank = connector("contoso-bank", Verdict::Fail, NOW);
    let mut place = address(&format!("{}.example", "a".repeat(60)), "192.0.2.1", Verdict::Fail);
    place.reason = "word ".repeat(1000);
    place.detail = "line\n".repeat(30);
    place.presented = "x".repeat(5000);
    place.expected = "y".to_owned();
    bank.addresses = vec![place];
    let text = shown(vec![bank]);
    let over: Vec<&str> = text.lines().filter(|line| line.chars().count() > 100).collect();
    // The host and what has no space in it.
    assert_eq!(over.len(), 1, "{over:?}");
    assert!(text.contains("and 10 lines more") && text.len() < 5000, "{text}");
}

#[test]
fn progress_is_one_line() {
    let good = address("mx1.contoso.com", "192.0.2.1", Verdict::Pass);
    assert_eq!(progress("bank", &good), "bank: mx1.contoso.com 192.0.2.1: passes");
    let mut bad = address("mx1.contoso.com", "2001:db8::1", Verdict::Fail);
    bad.port = 587;
    assert_eq!(progress("bank", &bad), "bank: mx1.contoso.com:587 2001:db8::1: fails (fails)");
}

#[test]
fn days_in_words() {
    let now = NOW.parse().unwrap();
    for (not_after, expected) in [
        ("2026-11-27T12:00:00Z", "expires in 2 days"),
        ("2026-11-26T12:00:00Z", "expires in 1 day"),
        ("2026-11-25T12:00:01Z", "expires in less than a day"),
        ("2026-11-25T11:59:59Z", "expired within the last day"),
        ("2026-11-24T11:00:00Z", "expired 1 day ago"),
        ("2026-11-22T11:00:00Z", "expired 3 days ago"),
    ] {
        assert_eq!(address::lasting(not_after.parse().unwrap(), now), expected, "{not_after}");
    }
    assert_eq!(address::lasting(jiff::Timestamp::MAX, now), "never expires");
}

/// A pattern like `.contoso.com` names nobody who could be asked: that is no delivered mail.
#[test]
fn who_met_nobody_is_none_of_the_good() {
    use Verdict::{Fail, Pass, Warn};
    let nobody = |verdict| {
        let mut below = connector("below", verdict, NOW);
        below.findings.push(Finding {
            verdict,
            code: "no-domain-to-test".to_owned(),
            reason: "The pattern names no domain.".to_owned(),
            detail: String::new(),
        });
        below
    };
    let tested = |name: &str, verdict| {
        let mut tested = connector(name, verdict, NOW);
        tested.addresses.push(address("mx1.contoso.com", "192.0.2.1", verdict));
        tested
    };
    let table = [
        (
            vec![nobody(Warn)],
            "1 connector: 1 not tested.\nNext: see above why nothing was tested. Nothing is known of below, \
             which met nobody.\n",
        ),
        (
            vec![nobody(Pass), tested("bank", Pass)],
            "2 connectors: 1 good, 1 not tested.\n1 address: 1 good.\nNext: nothing stands in the way of mode = \
             \"enforce\". Nothing is known of below, which met nobody.\n",
        ),
        (
            vec![tested("bank", Warn), nobody(Warn)],
            "2 connectors: 1 with warnings, 1 not tested.\n1 address: 1 with warnings.\nNext: mail is delivered as \
             agreed today; see to the warnings of bank. Nothing is known of below,\nwhich met nobody.\n",
        ),
    ];
    for (connectors, end) in table {
        let text = shown(connectors);
        assert!(text.contains("below: not tested (secure)\n"), "{text}");
        assert!(text.ends_with(end), "{text}");
    }
    // A failure stays one.
    assert!(shown(vec![nobody(Fail)]).contains("below: fails (secure)\n"));
}

#[test]
fn whom_a_result_trusts_is_one_line() {
    let system =
        "  trust        the system's authorities; the MTA's own (smtp_tls_CAfile) must be the same\n";
    let table = [
        ("", None),
        ("the system's authorities", Some(system)),
        ("its own ca_file", Some("  trust        its own ca_file\n")),
        ("/root/my.pem", Some("  trust        /root/my.pem\n")),
        ("/a\n  passes   b", Some("  trust        /a\\n  passes   b\n")),
    ];
    for (trust, line) in table {
        let mut bank = connector("contoso-bank", Verdict::Pass, NOW);
        bank.addresses.push(address("mx1.contoso.com", "192.0.2.1", Verdict::Pass));
        let text = trusting(vec![bank], trust);
        assert_eq!(text.matches("  trust ").count(), usize::from(line.is_some()), "{text}");
        assert!(line.is_none_or(|line| text.contains(line)), "{text}");
    }
}
