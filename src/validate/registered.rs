//! The certificate files that an inbound connector registers, judged as its answers judge them.
//!
//! A file is good when it is within its dates and, where the connector has names, shows one of
//! them (answer/inbound.rs:certificate_violation). Its chain and purposes do not matter: that it is
//! registered is the trust. One good file is enough for mail to come in, so the others are warnings
//! for the whole: the old certificate may stay beside the new one until the partner has changed.
//! A connector that registers no file has nothing to judge here.

use jiff::{SignedDuration, Timestamp};

use super::report::{AddressReport, CertificateReport, ConnectorReport, Finding, Verdict};
use super::state::date;
use crate::model::Inbound;
use crate::model::certificate::{Certificate, DateProblem, KeyAlgorithm};
use crate::model::inbound::{CertificateRequirement, Registered};

/// What stands for a TLS level.
pub const LEVEL: &str = "inbound";

/// A certificate that expires within this time is a warning; the same for a partner's server.
const SOON: SignedDuration = SignedDuration::from_hours(14 * 24);

/// Bits of an RSA key below which OpenSSL's default security level, 2, ends the handshake
/// (SSL_CTX_set_security_level(3)).
const RSA_BITS: usize = 2048;

/// Judges the files of a connector; `None` when there are none.
pub fn judge(connector: &Inbound, now: Timestamp) -> Option<ConnectorReport> {
    let wanted = connector.require.certificate.as_ref().filter(|wanted| !wanted.registered.is_empty())?;
    let addresses: Vec<AddressReport> =
        wanted.registered.iter().map(|registered| file(registered, wanted, now)).collect();
    let of_files = || addresses.iter().map(|file| file.verdict);
    let best = of_files().min().unwrap_or(Verdict::Fail);
    let worst = of_files().max().unwrap_or(Verdict::Fail);
    let verdict = if best == Verdict::Fail { Verdict::Fail } else { worst.min(Verdict::Warn) };
    Some(ConnectorReport {
        connector: connector.name.as_str().to_owned(),
        verdict,
        level: LEVEL.to_owned(),
        at: now,
        strictest: None,
        findings: Vec::new(),
        addresses,
    })
}

fn file(registered: &Registered, wanted: &CertificateRequirement, now: Timestamp) -> AddressReport {
    let certificate = &registered.certificate;
    let (code, reason) = objection(certificate, wanted, now).unwrap_or(("ok", String::new()));
    let warnings = warnings(certificate, now);
    let verdict = match (code, warnings.is_empty()) {
        ("ok", true) => Verdict::Pass,
        ("ok", false) => Verdict::Warn,
        _ => Verdict::Fail,
    };
    let (expected, presented) = if code == "name-mismatch" {
        let names = certificate.registered_identities().iter().map(ToString::to_string);
        let expected = wanted.names.iter().flat_map(|names| names.iter()).map(ToString::to_string);
        (expected.collect::<Vec<_>>().join(", "), names.collect::<Vec<_>>().join(", "))
    } else {
        (String::new(), String::new())
    };
    AddressReport {
        host: registered.file.clone(),
        address: None,
        port: 0,
        verdict,
        code: code.to_owned(),
        reason,
        expected,
        presented,
        detail: String::new(),
        warnings,
        tls: None,
        cipher: None,
        handshake_ms: None,
        not_after: Some(certificate.not_after()),
        certificate: Some(CertificateReport::of(certificate)),
        chain: Vec::new(),
        revocation: "not checked".to_owned(),
        dane: None,
        mta_sts: None,
        test_mail: None,
    }
}

fn objection(
    certificate: &Certificate,
    wanted: &CertificateRequirement,
    now: Timestamp,
) -> Option<(&'static str, String)> {
    match certificate.valid_at(now) {
        Err(DateProblem::Expired { not_after }) => {
            let reason = format!(
                "the certificate expired on {}, so mail sent with it is not accepted; get the partner's new one",
                date(not_after)
            );
            return Some(("expired", reason));
        }
        Err(DateProblem::NotYetValid { not_before }) => {
            let reason = format!(
                "the certificate is not valid before {}, so mail sent with it until then is not accepted",
                date(not_before)
            );
            return Some(("not-yet-valid", reason));
        }
        Ok(()) => {}
    }
    let named = certificate.registered_identities().iter().any(|name| wanted.accepts_name(name));
    (wanted.names.is_some() && !named).then(|| {
        let reason = "the certificate shows none of the names that this connector accepts, so mail sent with it \
                      is not accepted";
        ("name-mismatch", reason.to_owned())
    })
}

fn warnings(certificate: &Certificate, now: Timestamp) -> Vec<Finding> {
    let mut warnings = Vec::new();
    let mut warn = |code: &str, reason: String| {
        warnings.push(Finding::new(Verdict::Warn, code, reason, ""));
    };
    let left = certificate.not_after().duration_since(now);
    if certificate.valid_at(now).is_ok() && left <= SOON {
        let reason = format!(
            "the certificate expires on {}; get the partner's new one, and register both until the change",
            date(certificate.not_after())
        );
        warn("expires-soon", reason);
    }
    let key = certificate.key();
    let rsa = matches!(key.algorithm, KeyAlgorithm::Rsa | KeyAlgorithm::RsaPss);
    if rsa && key.bits.is_some_and(|bits| bits < RSA_BITS) {
        warn("weak-key", format!("the key is {key}, and servers that want {RSA_BITS} bits refuse it"));
    }
    warnings
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::model::PatternSet;
    use crate::model::certificate::pem;
    use crate::model::inbound::Require;
    use crate::model::sample::{inbound, patterns};

    /// A recorded certificate by its file under tests/.
    fn registered(file: &str) -> Registered {
        let path = format!("{}/tests/{file}.pem", env!("CARGO_MANIFEST_DIR"));
        let certificate = pem::certificates(&std::fs::read(path).unwrap()).unwrap().remove(0);
        Registered { file: format!("{file}.pem"), certificate }
    }

    fn judged(files: &[&str], names: &[&str], now: &str) -> Option<ConnectorReport> {
        let names = (!names.is_empty()).then(|| PatternSet::new(patterns(names)));
        let registered = files.iter().map(|file| registered(file)).collect();
        let certificate = Some(CertificateRequirement { names, issuers: None, registered });
        judge(
            &inbound("bank-in", &["b.com"], Require { certificate, ..Require::default() }),
            now.parse().unwrap(),
        )
    }

    #[test]
    fn files_are_judged_as_mail_would_be() {
        let good = "captures/certificates/good-sans";
        let expired = "captures/certificates/expired";
        let not_yet = "captures/certificates/not-yet";
        let now = "2026-11-24T12:00:00Z";
        let good_ends = registered(good).certificate.not_after();
        let soon = (good_ends - SignedDuration::from_hours(14 * 24)).to_string();
        let before = (good_ends - SignedDuration::from_hours(14 * 24 + 1)).to_string();
        let over = good_ends.to_string();
        type Row<'a> = (&'a [&'a str], &'a [&'a str], &'a str, Verdict, &'a [&'a str]);
        use Verdict::{Fail, Pass, Warn};
        let table: [Row<'_>; 11] = [
            (&[good], &[], now, Pass, &["ok"]),
            (&[good], &["*.partner.example"], now, Pass, &["ok"]),
            (&[good], &["other.example"], now, Fail, &["name-mismatch"]),
            (&[good], &[], &before, Pass, &["ok"]),
            (&[good], &[], &soon, Warn, &["ok"]),
            (&[good], &[], &over, Fail, &["expired"]),
            (&[expired], &[], now, Fail, &["expired"]),
            (&[not_yet], &[], now, Fail, &["not-yet-valid"]),
            (&[good, expired], &[], now, Warn, &["ok", "expired"]),
            (&[good, good], &[], now, Pass, &["ok", "ok"]),
            (&[not_yet, expired], &[], now, Fail, &["not-yet-valid", "expired"]),
        ];
        for (files, names, now, verdict, codes) in table {
            let report = judged(files, names, now).unwrap();
            let found: Vec<&str> = report.addresses.iter().map(|file| file.code.as_str()).collect();
            assert_eq!((report.verdict, found.as_slice()), (verdict, codes), "{files:?} {names:?} {now}");
            for file in &report.addresses {
                assert!(file.is_file() && file.address.is_none() && file.certificate.is_some());
                assert_eq!(file.reason.is_empty(), file.code == "ok", "{file:?}");
            }
        }
        let mismatch = judged(&[good], &["other.example", "*.x.example"], now).unwrap().addresses.remove(0);
        assert_eq!(mismatch.expected, "other.example, *.x.example");
        assert!(mismatch.presented.contains("mx2.partner.example"), "{mismatch:?}");
    }

    #[test]
    fn without_files_there_is_nothing_to_judge() {
        assert_eq!(judged(&[], &["a.example"], "2026-11-24T12:00:00Z"), None);
        let nothing = inbound("bank-in", &["b.com"], Require::default());
        assert_eq!(judge(&nothing, "2026-11-24T12:00:00Z".parse().unwrap()), None);
    }
}
