//! Reports for tests, in few words.

use super::report::{AddressReport, CertificateReport, ConnectorReport, Verdict};

/// A connector at the level `secure` without addresses.
pub fn connector(name: &str, verdict: Verdict, at: &str) -> ConnectorReport {
    ConnectorReport {
        connector: name.to_owned(),
        verdict,
        level: "secure".to_owned(),
        at: at.parse().expect("a time of a test"),
        strictest: None,
        findings: Vec::new(),
        addresses: Vec::new(),
    }
}

/// An address that TLSv1.3 was spoken at; without certificate.
pub fn address(host: &str, address: &str, verdict: Verdict) -> AddressReport {
    let (code, reason) = match verdict {
        Verdict::Pass => ("ok", ""),
        Verdict::Warn => ("warns", "it warns"),
        Verdict::Fail => ("fails", "it fails"),
    };
    AddressReport {
        host: host.to_owned(),
        address: Some(address.parse().expect("an address of a test")),
        port: 25,
        verdict,
        code: code.to_owned(),
        reason: reason.to_owned(),
        expected: String::new(),
        presented: String::new(),
        detail: String::new(),
        warnings: Vec::new(),
        tls: Some("TLSv1.3".to_owned()),
        cipher: Some("TLS_AES_256_GCM_SHA384".to_owned()),
        handshake_ms: Some(12),
        certificate: None,
        chain: Vec::new(),
        not_after: None,
        revocation: "not checked".to_owned(),
        dane: None,
        mta_sts: None,
        test_mail: None,
    }
}

/// A certificate that is told from others by `serial`.
pub fn certificate(names: &[&str], serial: &str, not_after: &str) -> CertificateReport {
    CertificateReport {
        subject: format!("CN={}", names.first().copied().unwrap_or_default()),
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        issuer: "CN=Contoso CA".to_owned(),
        serial: serial.to_owned(),
        sha256: format!("AA:{serial}"),
        key_sha256: format!("BB:{serial}"),
        key: "RSA 2048".to_owned(),
        not_before: "2026-01-01T00:00:00Z".parse().expect("a time of a test"),
        not_after: not_after.parse().expect("a time of a test"),
    }
}
