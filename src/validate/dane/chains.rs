//! Chains made on the spot, and records over them.

#![allow(clippy::unwrap_used)]

use jiff::Timestamp;
use openssl::sha::{sha256, sha512};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData,
};

use super::Record;

/// A root, an intermediate below it, and leaves below that.
pub(super) struct Authority {
    pub(super) root: Vec<u8>,
    pub(super) intermediate: Vec<u8>,
    issuer: Issuer<'static, KeyPair>,
    pub(super) key: Vec<u8>,
    pub(super) root_key: Vec<u8>,
}

pub(super) fn params(name: &str, names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

pub(super) fn authority() -> Authority {
    let ca = |name: &str| {
        let mut params = params(name, &[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params
    };
    let root_key = KeyPair::generate().unwrap();
    let root = ca("root").self_signed(&root_key).unwrap().der().to_vec();
    let root_spki = root_key.subject_public_key_info();
    let root_issuer = Issuer::new(ca("root"), root_key);
    let key = KeyPair::generate().unwrap();
    let intermediate = ca("intermediate").signed_by(&key, &root_issuer).unwrap().der().to_vec();
    let spki = key.subject_public_key_info();
    Authority {
        root,
        intermediate,
        issuer: Issuer::new(ca("intermediate"), key),
        key: spki,
        root_key: root_spki,
    }
}

impl Authority {
    pub(super) fn leaf(&self, params: CertificateParams) -> (Vec<u8>, Vec<u8>) {
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().der().to_vec(), key.subject_public_key_info())
    }
}

pub(super) fn record(usage: u8, selector: u8, matching: u8, data: &[u8]) -> Record {
    let data = match matching {
        1 => sha256(data).to_vec(),
        2 => sha512(data).to_vec(),
        _ => data.to_vec(),
    };
    Record { usage, selector, matching, data }
}

pub(super) fn now() -> Timestamp {
    "2026-06-01T00:00:00Z".parse().unwrap()
}
