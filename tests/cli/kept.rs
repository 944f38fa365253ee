//! Results of `validate`, kept as a run would keep them, through the library.

use std::path::PathBuf;

use connectord::config;
use connectord::model::certificate::pem;
use connectord::snapshot;
use connectord::validate::report::{CertificateReport, ConnectorReport};
use connectord::validate::settings;
use connectord::validate::state::{Keeper, Record};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::bench::Bench;

pub const DAY: SignedDuration = SignedDuration::from_hours(24);

/// A certificate of tests/.
pub fn certificate(file: &str) -> CertificateReport {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests").join(file);
    let certificates = pem::certificates(&std::fs::read(path).unwrap()).unwrap();
    CertificateReport::of(&certificates[0])
}

/// A report about one address.
pub fn report(connector: &str, verdict: &str, at: Timestamp) -> ConnectorReport {
    let mut address = json!({
        "host": "mx1.contoso.com", "address": "192.0.2.1", "port": 25, "verdict": verdict,
        "code": "ok", "reason": "", "detail": "", "warnings": [],
        "tls": "TLSv1.3", "cipher": "TLS_AES_256_GCM_SHA384", "handshake_ms": 12,
        "certificate": certificate("certificates/ec-p521.pem"), "not_after": at + DAY * 80,
        "revocation": "not checked", "dane": null, "mta_sts": null, "test_mail": null,
    });
    if verdict != "pass" {
        address["code"] = json!("name-mismatch");
        address["reason"] = json!("The names differ.");
    }
    let report: Value = json!({
        "connector": connector, "verdict": verdict, "level": "secure", "at": at, "strictest": null,
        "findings": [], "addresses": [address],
    });
    serde_json::from_value(report).unwrap()
}

/// The digest of a connector's settings as the files are now.
pub fn settings_of(bench: &Bench, connector: &str) -> String {
    let loaded = config::load(&bench.path("connectord.toml"), Timestamp::now()).unwrap();
    let outbound = loaded.agreements.outbound.iter().find(|other| other.name.as_str() == connector);
    let inbound = || loaded.agreements.inbound.iter().find(|other| other.name.as_str() == connector);
    let snapshot = snapshot::compile(&loaded.agreements, 0, String::new()).unwrap();
    outbound.map_or_else(
        || settings::of_inbound(inbound().unwrap()),
        |outbound| settings::of_outbound(outbound, Some(&snapshot)),
    )
}

/// Keeps two reports, one after the other, as two runs would.
pub fn keep_both(bench: &Bench, first: ConnectorReport, second: ConnectorReport) {
    let settings = settings_of(bench, &first.connector);
    let first = Record::new(settings.clone(), String::new(), first, None);
    let second = Record::new(settings, String::new(), second, Some(&first));
    Keeper::open(&bench.path("state")).unwrap().keep(&second).unwrap();
}

/// Keeps a report of a run that tested the settings as they are now.
pub fn keep(bench: &Bench, report: ConnectorReport) {
    keep_with(bench, report, "the system's authorities");
}

/// The same of a run that trusted others.
pub fn keep_with(bench: &Bench, report: ConnectorReport, trust: &str) {
    let settings = settings_of(bench, &report.connector);
    let record = Record::new(settings, trust.to_owned(), report, None);
    Keeper::open(&bench.path("state")).unwrap().keep(&record).unwrap();
}
