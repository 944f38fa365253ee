//! A report that can be printed and kept: every text escaped and cut.
//!
//! Whatever the probe and the judge took from a partner passes here once, before it reaches a
//! terminal, JSON or a file. Numbers of addresses are bounded by whoever looked; here are the
//! texts, and the lists that come with each address.

use super::report::{AddressReport, CertificateReport, ConnectorReport, Finding, Report};
use crate::protocol::escape::printable;

/// Characters of a text.
const TEXT: usize = 1000;

/// Lines of a detail.
const LINES: usize = 50;

/// Names of a certificate: more than any public authority puts into one.
const NAMES: usize = 250;

/// Names of a certificate above the leaf.
const NAMES_ABOVE: usize = 5;

/// Findings about the whole, and warnings about an address.
const FINDINGS: usize = 100;

/// The same report, bounded.
pub fn report(mut report: Report) -> Report {
    for connector in &mut report.connectors {
        self::connector(connector);
    }
    all(report.trust.values_mut());
    report
}

fn connector(report: &mut ConnectorReport) {
    let ConnectorReport { connector, verdict: _, level, at: _, strictest, findings, addresses } = report;
    all([connector, level]);
    all(strictest);
    self::findings(findings);
    addresses.iter_mut().for_each(address);
}

fn address(report: &mut AddressReport) {
    let AddressReport {
        host,
        address: _,
        port: _,
        verdict: _,
        code,
        reason,
        expected,
        presented,
        detail,
        warnings,
        tls,
        cipher,
        handshake_ms: _,
        certificate,
        chain,
        not_after: _,
        revocation,
        dane,
        mta_sts,
        test_mail,
    } = report;
    all([host, code, reason, expected, presented, revocation]);
    all([tls, cipher, test_mail].into_iter().flatten());
    lines(detail);
    findings(warnings);
    // An authority has hardly a name of that kind.
    chain.iter_mut().for_each(|authority| authority.names.truncate(NAMES_ABOVE));
    for one in certificate.iter_mut().chain(chain) {
        let CertificateReport { subject, names, issuer, serial, sha256, key_sha256, key, .. } = one;
        all([subject, issuer, serial, sha256, key_sha256, key]);
        names.truncate(NAMES);
        all(names);
    }
    if let Some(dane) = dane {
        lines(&mut dane.detail);
    }
    if let Some(mta_sts) = mta_sts {
        all(&mut mta_sts.mode);
        lines(&mut mta_sts.detail);
    }
}

fn findings(findings: &mut Vec<Finding>) {
    findings.truncate(FINDINGS);
    for Finding { verdict: _, code, reason, detail } in findings {
        all([code, reason]);
        lines(detail);
    }
}

fn all<'t>(texts: impl IntoIterator<Item = &'t mut String>) {
    for text in texts {
        *text = printable(text, TEXT);
    }
}

/// A detail keeps its lines.
fn lines(text: &mut String) {
    let kept: Vec<String> = text.lines().take(LINES).map(|line| printable(line, TEXT)).collect();
    *text = kept.join("\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::report::{DaneReport, MtaStsReport, Verdict};
    use crate::validate::sample;

    #[test]
    fn nothing_of_a_partner_passes_as_it_came() {
        let evil = || format!("a\u{1b}[2J\u{9b}\u{202e}\0b{}", "x".repeat(5000));
        let finding = || Finding { verdict: Verdict::Warn, code: evil(), reason: evil(), detail: evil() };
        let mut connector = sample::connector("bank", Verdict::Fail, "2026-11-25T12:00:00Z");
        (connector.connector, connector.level, connector.strictest) = (evil(), evil(), Some(evil()));
        connector.findings = vec![finding(); 500];
        let mut address = sample::address("mx", "192.0.2.1", Verdict::Fail);
        (address.host, address.code, address.reason) = (evil(), evil(), evil());
        (address.expected, address.presented, address.revocation) = (evil(), evil(), evil());
        (address.tls, address.cipher, address.test_mail) = (Some(evil()), Some(evil()), Some(evil()));
        address.detail = format!("{}\n", evil()).repeat(200);
        address.warnings = vec![finding(); 500];
        let mut certificate = sample::certificate(&["x"], "01", "2027-01-01T00:00:00Z");
        (certificate.subject, certificate.issuer, certificate.serial) = (evil(), evil(), evil());
        (certificate.sha256, certificate.key_sha256, certificate.key) = (evil(), evil(), evil());
        certificate.names = vec![evil(); 5000];
        address.chain = vec![certificate.clone()];
        address.certificate = Some(certificate);
        address.dane = Some(DaneReport { present: true, authenticated: true, matches: None, detail: evil() });
        address.mta_sts =
            Some(MtaStsReport { found: true, mode: Some(evil()), covers: None, detail: evil() });
        connector.addresses.push(address);
        let bounded = report(Report {
            verdict: Verdict::Fail,
            trust: [(connector.connector.clone(), evil())].into(),
            connectors: vec![connector],
        });
        let (_, trust) = bounded.trust.first_key_value().expect("trust of a test");
        assert!(trust.chars().all(|c| matches!(c, ' '..='~' | '…')) && trust.len() < 2000, "{trust}");
        let json = serde_json::to_string(&bounded).expect("JSON of a test");
        assert!(json.chars().all(|c| matches!(c, ' '..='~' | '…')), "{json:.500}");
        assert!(!json.contains("\\u00") && json.len() < 1_000_000, "{}", json.len());
        assert_eq!(report(bounded.clone()), bounded);
    }
}
