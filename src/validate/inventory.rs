//! Every certificate that is known, for whoever has to keep an inventory (PCI DSS 4.2.1.1).
//!
//! Known are the files that the configuration names, and what partners showed when they were
//! tested last. Nothing is judged here; a certificate that is over stays in the list as long as it
//! is in a file, or was the last one that was seen.

use std::collections::BTreeMap;
use std::net::IpAddr;

use jiff::Timestamp;
use serde::Serialize;

use super::report::CertificateReport;
use super::seen::Seen;
use super::state::Record;
use crate::model::Agreements;
use crate::model::certificate::{Certificate, pem};
use crate::model::inbound::Registered;
use crate::model::requirement::{Anchors, CaFile};

/// Where a certificate is known from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// An authority of an outbound connector's `ca_file`.
    CaFile,
    /// A file that an outbound connector pins.
    Certificates,
    /// A file that is registered for an inbound connector.
    Registered,
    /// The partner's server showed it.
    Seen,
}

impl Source {
    /// The word in JSON and CSV.
    pub fn word(self) -> &'static str {
        match self {
            Source::CaFile => "ca_file",
            Source::Certificates => "certificates",
            Source::Registered => "registered",
            Source::Seen => "seen",
        }
    }
}

/// A certificate and how it is known. The same certificate may be known in several ways.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// The connector.
    pub connector: String,
    /// Where it is known from.
    pub source: Source,
    /// The file, or the host and its address.
    pub place: String,
    /// When it was seen; `None` for a file, which is there now.
    pub seen_at: Option<Timestamp>,
    /// The certificate.
    pub certificate: CertificateReport,
}

/// The certificates in the files of a configuration, in its order.
pub fn of_files(agreements: &Agreements) -> Vec<Known> {
    let mut known = Vec::new();
    // A bundle of authorities is read once, however many connectors name it.
    let mut bundles: BTreeMap<&str, Vec<CertificateReport>> = BTreeMap::new();
    for outbound in &agreements.outbound {
        let connector = outbound.name.as_str();
        if let Anchors::File(file) = outbound.requirement.anchors() {
            let bundle = bundles.entry(&file.sha256).or_insert_with(|| authorities(file));
            known.extend(bundle.iter().map(|certificate| Known {
                connector: connector.to_owned(),
                source: Source::CaFile,
                place: file.path.display().to_string(),
                seen_at: None,
                certificate: certificate.clone(),
            }));
        }
        let pinned = outbound.certificates.iter();
        known.extend(pinned.map(|file| of_file(connector, Source::Certificates, file)));
    }
    for inbound in &agreements.inbound {
        let registered = inbound.require.certificate.iter().flat_map(|wanted| &wanted.registered);
        known.extend(registered.map(|file| of_file(inbound.name.as_str(), Source::Registered, file)));
    }
    known
}

/// The certificates that a partner showed when it was tested last; where it showed none then, the
/// last one that it did, with its date.
pub fn seen(record: &Record) -> impl Iterator<Item = Known> {
    let known = |host: &str, address: Option<IpAddr>, at: Timestamp, certificate: &CertificateReport| {
        let address = address.map_or_else(String::new, |address| format!(" {address}"));
        Known {
            connector: record.connector.clone(),
            source: Source::Seen,
            place: format!("{host}{address}"),
            seen_at: Some(at),
            certificate: certificate.clone(),
        }
    };
    let shown = record.report.addresses.iter().filter(|address| !address.is_file());
    let shown = shown.filter_map(move |address| {
        Some(known(&address.host, address.address, record.report.at, address.certificate.as_ref()?))
    });
    let before = record.seen.iter().map(move |seen| {
        let Seen { host, address, port: _, at, certificate, not_after: _ } = seen;
        known(host, *address, *at, certificate)
    });
    shown.chain(before)
}

fn of_file(connector: &str, source: Source, file: &Registered) -> Known {
    Known {
        connector: connector.to_owned(),
        source,
        place: file.file.clone(),
        seen_at: None,
        certificate: CertificateReport::of(&file.certificate),
    }
}

/// It was read when the configuration was; what cannot be read again is not there.
fn authorities(file: &CaFile) -> Vec<CertificateReport> {
    let certificates: Vec<Certificate> = pem::certificates(&file.pem).unwrap_or_default();
    certificates.iter().map(CertificateReport::of).collect()
}
