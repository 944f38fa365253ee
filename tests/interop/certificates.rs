//! Certificates made on the spot, right ones and wrong ones in each way that counts.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData, SanType, date_time_ymd,
};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::version::TLS12;
use rustls::{ALL_VERSIONS, ServerConfig, SupportedProtocolVersion};
use sha2::{Digest, Sha256};

/// What a certificate says of whom.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    pub common_name: Option<&'a str>,
    /// dNSName entries; none leaves the whole extension out.
    pub names: &'a [&'a str],
    pub expired: bool,
    pub purpose: Purpose,
}

#[derive(Clone, Copy)]
pub enum Purpose {
    Server,
    Client,
}

impl<'a> Subject<'a> {
    /// A mail server with these names, as public CAs certify it today: without a CN.
    pub fn server(names: &'a [&'a str]) -> Subject<'a> {
        Subject { common_name: None, names, expired: false, purpose: Purpose::Server }
    }

    /// A mail client; CN and SAN alike.
    pub fn client(name: &'a &'a str) -> Subject<'a> {
        Subject {
            common_name: Some(name),
            names: std::slice::from_ref(name),
            expired: false,
            purpose: Purpose::Client,
        }
    }

    fn params(self) -> CertificateParams {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        if let Some(name) = self.common_name {
            params.distinguished_name.push(DnType::CommonName, name);
        }
        params.subject_alt_names =
            self.names.iter().map(|name| SanType::DnsName((*name).try_into().unwrap())).collect();
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(if self.expired { 2021 } else { 2090 }, 1, 1);
        params.extended_key_usages = vec![match self.purpose {
            Purpose::Server => ExtendedKeyUsagePurpose::ServerAuth,
            Purpose::Client => ExtendedKeyUsagePurpose::ClientAuth,
        }];
        params
    }

    pub fn self_signed(self) -> Credentials {
        let key = KeyPair::generate().unwrap();
        let certificate = self.params().self_signed(&key).unwrap();
        Credentials { certificate, key }
    }
}

/// A CA.
pub struct Authority {
    certificate: Certificate,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub fn new(name: &str) -> Authority {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2090, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let issuer = Issuer::new(params, key);
        Authority { certificate, issuer }
    }

    pub fn pem(&self) -> String {
        self.certificate.pem()
    }

    pub fn key_pem(&self) -> String {
        self.issuer.key().serialize_pem()
    }

    /// A CA below this one, whose own certificate says of itself what a server's would.
    pub fn deputy(&self, subject: Subject<'_>) -> Authority {
        let mut params = subject.params();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params.distinguished_name.push(DnType::OrganizationName, "Deputy");
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Authority { certificate, issuer: Issuer::new(params, key) }
    }

    /// SHA-256 of its own certificate.
    pub fn digest(&self) -> String {
        hex(&Sha256::digest(self.certificate.der()))
    }

    pub fn der(&self) -> CertificateDer<'static> {
        self.certificate.der().clone()
    }

    pub fn issue(&self, subject: Subject<'_>) -> Credentials {
        self.certify(subject, KeyPair::generate().unwrap())
    }

    /// A new certificate for the key of an old one.
    pub fn renew(&self, subject: Subject<'_>, old: &Credentials) -> Credentials {
        self.certify(subject, KeyPair::from_pem(&old.key_pem()).unwrap())
    }

    fn certify(&self, subject: Subject<'_>, key: KeyPair) -> Credentials {
        let certificate = subject.params().signed_by(&key, &self.issuer).unwrap();
        Credentials { certificate, key }
    }
}

/// A certificate and its key.
pub struct Credentials {
    certificate: Certificate,
    key: KeyPair,
}

impl Credentials {
    pub fn pem(&self) -> String {
        self.certificate.pem()
    }

    pub fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }

    /// SHA-256 of the certificate, in hexadecimal, as `fingerprints` takes it.
    pub fn certificate_digest(&self) -> String {
        hex(&Sha256::digest(self.certificate.der()))
    }

    /// SHA-256 of the SubjectPublicKeyInfo.
    pub fn key_digest(&self) -> String {
        hex(&Sha256::digest(self.key.subject_public_key_info()))
    }

    /// For rustls.
    pub fn chain_and_key(&self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let key = PrivatePkcs8KeyDer::from(self.key.serialize_der());
        (vec![self.certificate.der().clone()], key.into())
    }

    /// A TLS server that shows this certificate and keeps the key of its tickets, as servers do:
    /// sessions can be resumed.
    pub fn server(&self) -> Arc<ServerConfig> {
        self.server_of(ALL_VERSIONS, &[])
    }

    /// The same, which shows these certificates behind its own.
    pub fn server_showing(&self, others: &[CertificateDer<'static>]) -> Arc<ServerConfig> {
        self.server_of(ALL_VERSIONS, others)
    }

    /// The same, of before 2018.
    pub fn server_of_tls_1_2(&self) -> Arc<ServerConfig> {
        self.server_of(&[&TLS12], &[])
    }

    fn server_of(
        &self,
        versions: &[&'static SupportedProtocolVersion],
        others: &[CertificateDer<'static>],
    ) -> Arc<ServerConfig> {
        let (mut chain, key) = self.chain_and_key();
        chain.extend_from_slice(others);
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        config.ticketer = ring::Ticketer::new().unwrap();
        Arc::new(config)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
