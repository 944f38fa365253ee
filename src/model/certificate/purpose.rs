//! What a certificate may be used for, as OpenSSL decides it for Postfix.
//!
//! OpenSSL looks at three extensions (v3_purp.c: `check_purpose_ssl_client`,
//! `check_purpose_ssl_server`): extended key usage, key usage, and Netscape's old certificate
//! type. One that is absent forbids nothing. `anyExtendedKeyUsage` is *not* taken for clientAuth
//! or serverAuth there, whatever RFC 5280 section 4.2.1.12 says. Postfix calls a client
//! certificate untrusted when this fails, and then passes on no name, only the digests.

use x509_parser::certificate::TbsCertificate;
use x509_parser::extensions::{BasicConstraints, ExtendedKeyUsage, KeyUsage, NSCertType};
use x509_parser::oid_registry::{
    OID_X509_EXT_BASIC_CONSTRAINTS, OID_X509_EXT_CERT_TYPE, OID_X509_EXT_EXTENDED_KEY_USAGE,
    OID_X509_EXT_KEY_USAGE,
};
use x509_parser::x509::X509Version;

use super::error::Error;
use super::facts::extension;

/// What a certificate may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Purposes {
    /// By a TLS server: without it, `verify` and `secure` fail.
    pub server_auth: bool,
    /// By a TLS client: without it, smtpd calls the client untrusted. Public authorities no
    /// longer give it from 2026 on; only a registered certificate helps then.
    pub client_auth: bool,
    /// To sign other certificates.
    pub certificate_signing: bool,
}

impl Purposes {
    pub(super) fn of(certificate: &TbsCertificate<'_>, self_issued: bool) -> Result<Purposes, Error> {
        let extended: Option<ExtendedKeyUsage<'_>> =
            extension(certificate, &OID_X509_EXT_EXTENDED_KEY_USAGE, "extended key usage")?;
        let usage: Option<KeyUsage> = extension(certificate, &OID_X509_EXT_KEY_USAGE, "key usage")?;
        let netscape: Option<NSCertType> =
            extension(certificate, &OID_X509_EXT_CERT_TYPE, "Netscape certificate type")?;
        let constraints: Option<BasicConstraints> =
            extension(certificate, &OID_X509_EXT_BASIC_CONSTRAINTS, "basic constraints")?;

        let signs = usage.is_none_or(|usage| usage.digital_signature());
        let agrees = usage.is_none_or(|usage| usage.key_agreement());
        let enciphers = usage.is_none_or(|usage| usage.key_encipherment());
        Ok(Purposes {
            server_auth: extended.as_ref().is_none_or(|extended| extended.server_auth)
                && (signs || agrees || enciphers)
                && netscape.as_ref().is_none_or(|kind| kind.ssl_server()),
            client_auth: extended.as_ref().is_none_or(|extended| extended.client_auth)
                && (signs || agrees)
                && netscape.as_ref().is_none_or(|kind| kind.ssl_client()),
            // v3_purp.c:check_ca; old roots of version 1 could not say that they are one.
            certificate_signing: usage.is_none_or(|usage| usage.key_cert_sign())
                && match constraints {
                    Some(constraints) => constraints.ca,
                    None => certificate.version == X509Version::V1 && self_issued,
                },
        })
    }
}
