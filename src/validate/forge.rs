//! Certificates for tests, right ones and wrong ones in every way that OpenSSL can be told to make.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    dead_code
)]

use openssl::asn1::{Asn1Integer, Asn1Object, Asn1OctetString, Asn1Time};
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey, PKeyRef, Private};
use openssl::rsa::Rsa;
use openssl::x509::{X509, X509Builder, X509Extension, X509Name, X509NameBuilder};

pub const YEAR: i64 = 365 * 24 * 60 * 60;

/// A tag, its length and its content.
pub fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut bytes = vec![tag];
    match length {
        0..=0x7f => bytes.push(length as u8),
        0x80..=0xff => bytes.extend([0x81, length as u8]),
        _ => bytes.extend([0x82, (length >> 8) as u8, length as u8]),
    }
    bytes.extend(content);
    bytes
}

/// The bytes of an OID, with tag.
pub fn oid(text: &str) -> Vec<u8> {
    let object = Asn1Object::from_str(text).unwrap();
    der(6, object.as_slice())
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    P256,
    Rsa(u32),
    Ed25519,
}

impl Kind {
    pub fn key(self) -> PKey<Private> {
        match self {
            Kind::P256 => {
                let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
                PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
            }
            Kind::Rsa(bits) => PKey::from_rsa(Rsa::generate(bits).unwrap()).unwrap(),
            Kind::Ed25519 => PKey::generate_ed25519().unwrap(),
        }
    }
}

/// What is to be in a certificate.
#[derive(Clone)]
pub struct Form {
    /// Attributes of the subject: `CN`, `O`.
    pub subject: Vec<(&'static str, String)>,
    /// Entries of the subjectAltName, DER; none leaves it out.
    pub alternative: Vec<Vec<u8>>,
    /// Basic constraints of a CA, with a path length.
    pub authority: Option<Option<u32>>,
    /// Bits of the key usage, `digitalSignature` first; none leaves it out.
    pub usage: Option<u8>,
    /// OIDs of the extended key usage; none leaves it out.
    pub purposes: Option<Vec<&'static str>>,
    /// The value of other extensions: OID, critical, DER.
    pub others: Vec<(&'static str, bool, Vec<u8>)>,
    pub from: i64,
    pub to: i64,
    pub version1: bool,
    pub digest: MessageDigest,
    pub kind: Kind,
}

pub const SERVER_AUTH: &str = "1.3.6.1.5.5.7.3.1";
pub const CLIENT_AUTH: &str = "1.3.6.1.5.5.7.3.2";
pub const OCSP_SIGNING: &str = "1.3.6.1.5.5.7.3.9";
pub const ANY_PURPOSE: &str = "2.5.29.37.0";

/// digitalSignature
pub const SIGNS: u8 = 0x80;
/// keyCertSign and cRLSign
pub const CERTIFIES: u8 = 0x06;

pub fn dns(name: &str) -> Vec<u8> {
    der(0x82, name.as_bytes())
}

impl Form {
    /// A server with these dNSNames and an empty subject.
    pub fn server(names: &[&str]) -> Form {
        let now = jiff::Timestamp::now().as_second();
        Form {
            subject: Vec::new(),
            alternative: names.iter().map(|name| dns(name)).collect(),
            authority: None,
            usage: Some(SIGNS),
            purposes: Some(vec![SERVER_AUTH]),
            others: Vec::new(),
            from: now - YEAR,
            to: now + YEAR,
            version1: false,
            digest: MessageDigest::sha256(),
            kind: Kind::P256,
        }
    }

    /// A server with common names alone.
    pub fn named(names: &[&str]) -> Form {
        let subject = names.iter().map(|name| ("CN", (*name).to_owned())).collect();
        Form { subject, ..Form::server(&[]) }
    }

    pub fn ca(name: &str) -> Form {
        Form {
            authority: Some(None),
            usage: Some(CERTIFIES),
            purposes: None,
            to: Form::server(&[]).to + YEAR,
            ..Form::named(&[name])
        }
    }

    pub fn self_signed(&self) -> Made {
        let key = self.kind.key();
        let name = self.name();
        Made { certificate: self.sign(&key, &name, &key), key }
    }

    pub fn issued_by(&self, issuer: &Made) -> Made {
        self.certify(&self.kind.key(), issuer)
    }

    /// A certificate for a key that is there already.
    pub fn certify(&self, key: &PKeyRef<Private>, issuer: &Made) -> Made {
        let issuer_name = X509Name::from_der(&issuer.certificate.subject_name().to_der().unwrap()).unwrap();
        Made { certificate: self.sign(key, &issuer_name, &issuer.key), key: key.to_owned() }
    }

    fn name(&self) -> X509Name {
        let mut name = X509NameBuilder::new().unwrap();
        for (kind, value) in &self.subject {
            name.append_entry_by_text(kind, value).unwrap();
        }
        name.build()
    }

    fn sign(&self, key: &PKeyRef<Private>, issuer: &X509Name, signer: &PKeyRef<Private>) -> X509 {
        let mut builder = X509Builder::new().unwrap();
        builder.set_version(if self.version1 { 0 } else { 2 }).unwrap();
        let mut serial = BigNum::new().unwrap();
        serial.rand(120, MsbOption::ONE, false).unwrap();
        builder.set_serial_number(&Asn1Integer::from_bn(&serial).unwrap()).unwrap();
        builder.set_subject_name(&self.name()).unwrap();
        builder.set_issuer_name(issuer).unwrap();
        builder.set_not_before(&Asn1Time::from_unix(self.from).unwrap()).unwrap();
        builder.set_not_after(&Asn1Time::from_unix(self.to).unwrap()).unwrap();
        builder.set_pubkey(key).unwrap();
        for (oid, critical, value) in self.extensions() {
            let oid = Asn1Object::from_str(oid).unwrap();
            let value = Asn1OctetString::new_from_bytes(&value).unwrap();
            builder.append_extension(X509Extension::new_from_der(&oid, critical, &value).unwrap()).unwrap();
        }
        let digest = if signer.id() == Id::ED25519 { MessageDigest::null() } else { self.digest };
        builder.sign(signer, digest).unwrap();
        builder.build()
    }

    fn extensions(&self) -> Vec<(&'static str, bool, Vec<u8>)> {
        let mut extensions = Vec::new();
        if let Some(length) = self.authority {
            let mut constraints = der(1, &[0xff]);
            constraints.extend(length.map(|length| der(2, &[length as u8])).unwrap_or_default());
            extensions.push(("2.5.29.19", true, der(0x30, &constraints)));
        }
        if let Some(usage) = self.usage {
            extensions.push(("2.5.29.15", true, der(3, &[usage.trailing_zeros().min(7) as u8, usage])));
        }
        if let Some(purposes) = &self.purposes {
            let purposes: Vec<u8> = purposes.iter().flat_map(|purpose| oid(purpose)).collect();
            extensions.push(("2.5.29.37", false, der(0x30, &purposes)));
        }
        if !self.alternative.is_empty() {
            extensions.push(("2.5.29.17", false, der(0x30, &self.alternative.concat())));
        }
        extensions.extend(self.others.iter().cloned());
        if self.version1 { Vec::new() } else { extensions }
    }

    /// With a place where its issuer can be fetched.
    pub fn with_location(mut self, url: &str) -> Form {
        let access = [oid("1.3.6.1.5.5.7.48.2"), der(0x86, url.as_bytes())].concat();
        self.others.push(("1.3.6.1.5.5.7.1.1", false, der(0x30, &der(0x30, &access))));
        self
    }

    /// A CA that may certify only names in one domain.
    pub fn permitting(mut self, domain: &str) -> Form {
        let subtree = der(0x30, &dns(domain));
        self.others.push(("2.5.29.30", true, der(0x30, &der(0xa0, &subtree))));
        self
    }
}

/// A certificate and its key.
#[derive(Clone)]
pub struct Made {
    pub certificate: X509,
    pub key: PKey<Private>,
}

impl Made {
    pub fn der(&self) -> Vec<u8> {
        self.certificate.to_der().unwrap()
    }

    pub fn pem(&self) -> String {
        String::from_utf8(self.certificate.to_pem().unwrap()).unwrap()
    }
}

/// The certificates as a chain is presented.
pub fn chain(certificates: &[&Made]) -> Vec<Vec<u8>> {
    certificates.iter().map(|made| made.der()).collect()
}
