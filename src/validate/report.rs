//! What a validation comes to: the object that `--json` prints and the state keeps.
//!
//! The keys are an interface; new ones may be added, none renamed.

use std::collections::BTreeMap;
use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer};

use crate::model::certificate::Certificate;

/// Characters of a name in a certificate that are shown: a DNS name has 253 octets at most.
const MAX_SHOWN_NAME: usize = 253;

/// Whether mail would be delivered, worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It would, at every place.
    Pass,
    /// It would, and something should be looked at.
    Warn,
    /// Not all of it would.
    Fail,
}

/// The whole result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The worst of all connectors.
    pub verdict: Verdict,
    /// One for each connector that was asked for, in the order of the configuration.
    pub connectors: Vec<ConnectorReport>,
    /// Whom the run trusted, by connector, where its level judges a chain
    /// ([`super::authorities::of`]). In JSON it is the key `trust` of the connector.
    pub trust: BTreeMap<String, String>,
}

impl Report {
    /// Whom the run trusted for a connector; empty where no chain is judged.
    pub fn trust(&self, connector: &str) -> &str {
        self.trust.get(connector).map_or("", String::as_str)
    }
}

impl Serialize for Report {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Whole<'r> {
            verdict: Verdict,
            connectors: Vec<Tested<'r>>,
        }
        #[derive(Serialize)]
        struct Tested<'r> {
            #[serde(flatten)]
            report: &'r ConnectorReport,
            trust: &'r str,
        }
        let tested = |report| Tested { report, trust: self.trust(&report.connector) };
        let connectors = self.connectors.iter().map(tested).collect();
        Whole { verdict: self.verdict, connectors }.serialize(serializer)
    }
}

/// The result for one connector.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectorReport {
    /// Its name.
    pub connector: String,
    /// The worst of its addresses and of what was found about the whole.
    pub verdict: Verdict,
    /// Its TLS level.
    pub level: String,
    /// When it was tested.
    pub at: Timestamp,
    /// The strictest level, with its names where it has some, that every address would pass today.
    pub strictest: Option<String>,
    /// What is to be said of the whole: no MX records, a null MX, addresses that were not tried.
    pub findings: Vec<Finding>,
    /// One for each address of each host, and one without an address for a host that has none.
    pub addresses: Vec<AddressReport>,
}

/// Something to be said that is not about one address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// How bad it is.
    pub verdict: Verdict,
    /// A stable word: `null-mx`.
    pub code: String,
    /// In words for the partner's administrator.
    pub reason: String,
    /// The technical detail; empty without any.
    pub detail: String,
}

impl Finding {
    /// Of a code, with its words; the detail is empty where there is none.
    pub fn new(
        verdict: Verdict,
        code: &str,
        reason: impl Into<String>,
        detail: impl Into<String>,
    ) -> Finding {
        Finding { verdict, code: code.to_owned(), reason: reason.into(), detail: detail.into() }
    }
}

/// The result for one address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressReport {
    /// The host's name; for an inbound connector the certificate file that is registered.
    pub host: String,
    /// The address; `None` for a host that has none, and for a file.
    pub address: Option<IpAddr>,
    /// The port; 0 for a file.
    pub port: u16,
    /// Whether mail would be delivered here.
    pub verdict: Verdict,
    /// A stable word for the reason: `name-mismatch`; `ok` when there is nothing to say.
    pub code: String,
    /// The reason in words for the partner's administrator; empty when there is nothing to say.
    pub reason: String,
    /// What the connector wants to see, where something else was seen: the names, the digests; empty
    /// otherwise.
    #[serde(default)]
    pub expected: String,
    /// What was seen instead; empty when nothing is expected.
    #[serde(default)]
    pub presented: String,
    /// The SMTP or TLS detail below it, line by line; empty without any.
    pub detail: String,
    /// What should be looked at though mail is delivered.
    pub warnings: Vec<Finding>,
    /// The TLS version; `None` without TLS.
    pub tls: Option<String>,
    /// The cipher suite.
    pub cipher: Option<String>,
    /// How long the handshake took, in milliseconds.
    pub handshake_ms: Option<u64>,
    /// The leaf certificate.
    pub certificate: Option<CertificateReport>,
    /// What was presented behind it, as far as it can be read, in the order of the server.
    #[serde(default)]
    pub chain: Vec<CertificateReport>,
    /// When the first certificate of the chain expires.
    pub not_after: Option<Timestamp>,
    /// `not checked`, `good` or `revoked`, with how it is known.
    pub revocation: String,
    /// What the TLSA records say.
    pub dane: Option<DaneReport>,
    /// What the MTA-STS policy of the domain says.
    pub mta_sts: Option<MtaStsReport>,
    /// What became of the test mail; `None` when none was sent here.
    pub test_mail: Option<String>,
}

impl AddressReport {
    /// Of a place with which no session came about.
    pub fn without_session(
        host: &str,
        port: u16,
        verdict: Verdict,
        code: &str,
        reason: &str,
    ) -> AddressReport {
        AddressReport {
            host: host.to_owned(),
            address: None,
            port,
            verdict,
            code: code.to_owned(),
            reason: reason.to_owned(),
            expected: String::new(),
            presented: String::new(),
            detail: String::new(),
            warnings: Vec::new(),
            tls: None,
            cipher: None,
            handshake_ms: None,
            certificate: None,
            chain: Vec::new(),
            not_after: None,
            revocation: String::new(),
            dane: None,
            mta_sts: None,
            test_mail: None,
        }
    }

    /// What makes it the same place in another run.
    pub fn place(&self) -> (&str, Option<IpAddr>, u16) {
        (&self.host, self.address, self.port)
    }

    /// Whether it is about a certificate file, and not about an address.
    pub fn is_file(&self) -> bool {
        self.port == 0
    }
}

/// A certificate, as far as people ask.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateReport {
    /// The subject; empty when all names are in the SAN.
    pub subject: String,
    /// The dNSNames of the subjectAltName.
    pub names: Vec<String>,
    /// The issuer.
    pub issuer: String,
    /// The serial number.
    pub serial: String,
    /// SHA-256 of the certificate.
    pub sha256: String,
    /// SHA-256 of the SubjectPublicKeyInfo.
    pub key_sha256: String,
    /// Kind and size of the key.
    pub key: String,
    /// When it begins to be valid.
    pub not_before: Timestamp,
    /// When it ceases to be valid.
    pub not_after: Timestamp,
}

/// What DANE says about a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DaneReport {
    /// Whether there are TLSA records.
    pub present: bool,
    /// Whether they, and the records that led to the host, were authenticated by DNSSEC.
    pub authenticated: bool,
    /// Whether one of the usable ones matches; `None` where none is usable.
    pub matches: Option<bool>,
    /// In words.
    pub detail: String,
}

/// What MTA-STS says about a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MtaStsReport {
    /// Whether a policy was found.
    pub found: bool,
    /// `enforce`, `testing` or `none`.
    pub mode: Option<String>,
    /// Whether its patterns cover the host.
    pub covers: Option<bool>,
    /// In words; why no policy was found.
    pub detail: String,
}

impl CertificateReport {
    /// The facts of a certificate; what in it is not printable is escaped.
    pub fn of(certificate: &Certificate) -> CertificateReport {
        let printable = |name: &String| name.chars().take(MAX_SHOWN_NAME).flat_map(shown).collect();
        CertificateReport {
            subject: certificate.subject().to_owned(),
            names: certificate.dns_names().iter().map(printable).collect(),
            issuer: certificate.issuer_name().to_owned(),
            serial: certificate.serial().to_owned(),
            sha256: certificate.fingerprint().to_string(),
            key_sha256: certificate.key_fingerprint().to_string(),
            key: certificate.key().to_string(),
            not_before: certificate.not_before(),
            not_after: certificate.not_after(),
        }
    }
}

fn shown(c: char) -> Vec<char> {
    if c.is_ascii_graphic() { vec![c] } else { c.escape_default().collect() }
}
