//! Whether a chain is the one that TLSA records vouch for, as OpenSSL decides it for Postfix
//! (x509_vfy.c:dane_verify, tls_dane.c, tls_client.c:tls_auth_enable).
//!
//! Pure, but for OpenSSL's own verifier: no network, and the time comes from whoever asks. OpenSSL's
//! DANE functions themselves have no safe binding; what they do is put together from the verifier
//! with the matching certificates as its only anchors.

use std::fmt;

use jiff::Timestamp;
use openssl::error::ErrorStack;
use openssl::stack::Stack;
use openssl::x509::store::{X509Store, X509StoreBuilder};
use openssl::x509::verify::{X509VerifyFlags, X509VerifyParam};
use openssl::x509::{X509, X509PurposeId, X509StoreContext, X509VerifyResult};

use super::record::{Record, Unusable, Usage, that_count};
use crate::model::certificate::Certificate;
use crate::model::names::satisfied_by;
use crate::model::{Domain, Pattern, PatternSet};

/// Certificates of a chain that are looked at. Ours: a TLS message could hold hundreds.
const MAX_CHAIN: usize = 20;

/// Postfix's default for `smtp_tls_scert_verifydepth`, and the one more that it adds
/// (tls_client.c:tls_client_init).
const DEPTH: i32 = 10;

/// Postfix authenticates at OpenSSL's security level 1 (tls_client.c:tls_client_start).
const SECURITY_LEVEL: i32 = 1;

/// What the records make of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// This one matches, and all that has to hold beside it does.
    Match(Record),
    /// None does.
    Mismatch(Mismatch),
    /// There is none that could: Postfix encrypts at `dane` and defers at `dane-only`.
    Unusable(Vec<(Record, Unusable)>),
}

/// Why no record matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// The server showed no certificate.
    NoCertificate,
    /// No usable record is about a certificate that the server shows.
    NotVouchedFor,
    /// The chain does not lead to the authority in the record: OpenSSL's reason.
    Chain(String),
    /// It does, but the certificate shows none of these names.
    Name(Vec<String>),
    /// The certificate cannot be read.
    Unreadable,
}

/// Judges a chain, the leaf first.
///
/// `names` are those that the certificate may show with a DANE-TA record (RFC 7672 section 3.2.3);
/// with DANE-EE neither names nor dates matter (section 3.1.1).
pub fn judge(records: &[Record], chain: &[Vec<u8>], names: &[String], now: Timestamp) -> Judgement {
    let unusable = |record: &Record| record.usable().err().map(|why| (record.clone(), why));
    let useless: Vec<_> = records.iter().filter_map(unusable).collect();
    if useless.len() == records.len() {
        return Judgement::Unusable(useless);
    }
    let Some(leaf) = chain.first() else { return Judgement::Mismatch(Mismatch::NoCertificate) };
    if let Some(record) = that_count(records, Usage::Leaf).find(|record| record.fits(leaf)) {
        return Judgement::Match(record.clone());
    }
    match anchored(records, leaf, chain.get(1..).unwrap_or_default(), now) {
        Ok(record) => match shows(leaf, names) {
            Ok(true) => Judgement::Match(record),
            Ok(false) => Judgement::Mismatch(Mismatch::Name(names.to_vec())),
            Err(mismatch) => Judgement::Mismatch(mismatch),
        },
        Err(mismatch) => Judgement::Mismatch(mismatch),
    }
}

/// The DANE-TA record of the authority that the chain leads to.
fn anchored(records: &[Record], leaf: &[u8], rest: &[Vec<u8>], now: Timestamp) -> Result<Record, Mismatch> {
    let read = |der: &[u8]| X509::from_der(der).map_err(|_| Mismatch::Unreadable);
    let certificate = read(leaf)?;
    let mut presented = Vec::new();
    for der in rest.iter().take(MAX_CHAIN) {
        // The leaf itself is never an authority to OpenSSL, even when it is sent twice.
        if der != leaf {
            presented.push((der, read(der)?));
        }
    }
    let mut reason = Mismatch::NotVouchedFor;
    for record in that_count(records, Usage::Anchor) {
        let mut anchors: Vec<X509> =
            presented.iter().filter(|(der, _)| record.fits(der)).map(|(_, found)| found.clone()).collect();
        if record.matching == 0 && record.selector == 0 && record.data != leaf {
            anchors.extend(record.certificate());
        }
        if record.matching == 0 && record.selector == 1 {
            // A bare key anchors what it has signed, the leaf too (x509_vfy.c:check_dane_pkeys).
            let key = record.key().ok_or(Mismatch::Unreadable)?;
            let all = std::iter::once(&certificate).chain(presented.iter().map(|(_, found)| found));
            anchors.extend(all.filter(|found| found.verify(&key).unwrap_or(false)).cloned());
        }
        if anchors.is_empty() {
            continue;
        }
        let untrusted = presented.iter().map(|(_, found)| found.clone());
        let failed = |error: ErrorStack| Mismatch::Chain(error.to_string());
        match verify(anchors, &certificate, untrusted, now).map_err(failed)? {
            Ok(()) => return Ok(record.clone()),
            Err(error) => reason = Mismatch::Chain(error.error_string().to_owned()),
        }
    }
    Err(reason)
}

fn verify(
    anchors: Vec<X509>,
    leaf: &X509,
    untrusted: impl Iterator<Item = X509>,
    now: Timestamp,
) -> Result<Result<(), X509VerifyResult>, ErrorStack> {
    let store = store(anchors, now)?;
    let mut stack = Stack::new()?;
    for certificate in untrusted {
        stack.push(certificate)?;
    }
    let mut context = X509StoreContext::new()?;
    context.init(&store, leaf, &stack, |context| {
        Ok(if context.verify_cert()? { Ok(()) } else { Err(context.error()) })
    })
}

fn store(anchors: Vec<X509>, now: Timestamp) -> Result<X509Store, ErrorStack> {
    let mut parameters = X509VerifyParam::new()?;
    parameters.set_flags(X509VerifyFlags::PARTIAL_CHAIN)?;
    parameters.set_purpose(X509PurposeId::SSL_SERVER)?;
    parameters.set_depth(DEPTH);
    parameters.set_auth_level(SECURITY_LEVEL);
    parameters.set_time(now.as_second());
    let mut builder = X509StoreBuilder::new()?;
    for anchor in anchors {
        builder.add_cert(anchor)?;
    }
    builder.set_param(&parameters)?;
    Ok(builder.build())
}

fn shows(leaf: &[u8], names: &[String]) -> Result<bool, Mismatch> {
    let certificate = Certificate::from_der(leaf).map_err(|_| Mismatch::Unreadable)?;
    let exact = names.iter().filter_map(|name| Domain::parse(name).ok()).map(Pattern::Exact);
    let patterns: PatternSet = exact.collect();
    Ok(certificate.identities().iter().any(|name| satisfied_by(&patterns, name)))
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Mismatch::NoCertificate => f.write_str("the server shows no certificate"),
            Mismatch::NotVouchedFor => {
                f.write_str("no TLSA record is about a certificate that the server shows")
            }
            Mismatch::Chain(reason) => {
                write!(f, "the chain does not lead to the authority in the TLSA record: {reason}")
            }
            Mismatch::Name(names) => {
                write!(
                    f,
                    "the certificate of the right authority does not show the name {}",
                    names.join(" or ")
                )
            }
            Mismatch::Unreadable => f.write_str("the certificate cannot be read"),
        }
    }
}
