//! The certificates of a proof: made for it, of an authority that no other machine has heard of.

use std::collections::BTreeSet;

use openssl::asn1::Asn1Time;
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::x509::extension::{BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAlternativeName};
use openssl::x509::{X509, X509Builder, X509Name, X509NameRef};

/// Names of one certificate: with more, OpenSSL would refuse the chain (`SSL_MAX_CERT_LIST_DEFAULT`).
const MAX_NAMES: usize = 1000;

/// Who vouches for itself.
const ITSELF: &str = "nobody's authority";

const DAY: i64 = 24 * 60 * 60;

/// A certificate and its key.
pub struct Credentials {
    /// The certificate.
    pub certificate: X509,
    /// Its key.
    pub key: PKey<Private>,
}

/// When a certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    /// Now.
    Now,
    /// Until yesterday.
    Past,
}

/// A new key on P-256.
///
/// # Errors
/// What OpenSSL says; so for all that is here.
pub fn key() -> Result<PKey<Private>, ErrorStack> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
    PKey::from_ec_key(EcKey::generate(&group)?)
}

impl Credentials {
    /// An authority that vouches for itself.
    ///
    /// # Errors
    /// What OpenSSL says.
    pub fn authority(name: &str) -> Result<Credentials, ErrorStack> {
        let key = key()?;
        let subject = named(name)?;
        let mut builder = begun(&subject, &subject, &key, Validity::Now)?;
        builder.append_extension(BasicConstraints::new().critical().ca().build()?)?;
        builder.append_extension(KeyUsage::new().critical().key_cert_sign().crl_sign().build()?)?;
        builder.sign(&key, MessageDigest::sha256())?;
        Ok(Credentials { certificate: builder.build(), key })
    }

    /// A server's, signed by this authority.
    ///
    /// # Errors
    /// What OpenSSL says, of a name too.
    pub fn issue(
        &self,
        names: &BTreeSet<String>,
        validity: Validity,
        key: PKey<Private>,
    ) -> Result<Credentials, ErrorStack> {
        server(names, "partner", self.certificate.subject_name(), &self.key, validity, key)
    }

    /// A server's that is its own authority.
    ///
    /// # Errors
    /// As [`Credentials::issue`].
    pub fn self_signed(names: &BTreeSet<String>) -> Result<Credentials, ErrorStack> {
        let key = key()?;
        // What vouches for itself is known by its two names being one.
        let issuer = named(ITSELF)?;
        server(names, ITSELF, &issuer, &key.clone(), Validity::Now, key)
    }

    /// As text, for a file of authorities.
    ///
    /// # Errors
    /// What OpenSSL says.
    pub fn pem(&self) -> Result<Vec<u8>, ErrorStack> {
        self.certificate.to_pem()
    }
}

fn server(
    names: &BTreeSet<String>,
    subject: &str,
    issuer: &X509NameRef,
    signer: &PKey<Private>,
    validity: Validity,
    key: PKey<Private>,
) -> Result<Credentials, ErrorStack> {
    let subject = named(subject)?;
    let mut builder = begun(&subject, issuer, &key, validity)?;
    let mut alternative = SubjectAlternativeName::new();
    for name in names.iter().take(MAX_NAMES) {
        alternative.dns(name);
    }
    let alternative = alternative.build(&builder.x509v3_context(None, None))?;
    builder.append_extension(alternative)?;
    builder.append_extension(KeyUsage::new().digital_signature().build()?)?;
    builder.append_extension(ExtendedKeyUsage::new().server_auth().build()?)?;
    builder.sign(signer, MessageDigest::sha256())?;
    Ok(Credentials { certificate: builder.build(), key })
}

fn begun(
    subject: &X509NameRef,
    issuer: &X509NameRef,
    key: &PKey<Private>,
    validity: Validity,
) -> Result<X509Builder, ErrorStack> {
    let mut builder = X509::builder()?;
    // RFC 5280 section 4.1.2.1: 2 is version 3.
    builder.set_version(2)?;
    let mut serial = BigNum::new()?;
    serial.rand(120, MsbOption::ONE, false)?;
    builder.set_serial_number(&*serial.to_asn1_integer()?)?;
    builder.set_subject_name(subject)?;
    builder.set_issuer_name(issuer)?;
    let now = jiff::Timestamp::now().as_second();
    let (from, to) = match validity {
        Validity::Now => (now - DAY, now + DAY),
        Validity::Past => (now - 3 * DAY, now - DAY),
    };
    builder.set_not_before(&*Asn1Time::from_unix(from)?)?;
    builder.set_not_after(&*Asn1Time::from_unix(to)?)?;
    builder.set_pubkey(key)?;
    Ok(builder)
}

fn named(name: &str) -> Result<X509Name, ErrorStack> {
    let mut builder = X509Name::builder()?;
    builder.append_entry_by_nid(Nid::COMMONNAME, name)?;
    Ok(builder.build())
}
