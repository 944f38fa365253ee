//! Whether a chain is the one that TLSA records vouch for, as OpenSSL decides it for Postfix
//! (x509_vfy.c:dane_verify, tls_dane.c, tls_client.c:tls_auth_enable).
//!
//! Pure, but for OpenSSL's own verifier: no network, and the time comes from whoever asks. OpenSSL's
//! DANE functions themselves have no safe binding; what they do is put together from the verifier
//! with the matching certificates as its only anchors.

use std::fmt;

use jiff::Timestamp;
use openssl::asn1::Asn1Time;
use openssl::error::ErrorStack;
use openssl::stack::Stack;
use openssl::x509::store::X509StoreBuilder;
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
    let records: Vec<&Record> = that_count(records, Usage::Anchor).collect();
    let read = |der: &[u8]| X509::from_der(der).map_err(|_| Mismatch::Unreadable);
    let failed = |error: ErrorStack| Mismatch::Chain(error.to_string());
    let leaf = read(leaf)?;
    // Whole certificates in records go before those that the server sends.
    let mut candidates: Vec<X509> = records
        .iter()
        .filter(|r| (r.selector, r.matching) == (0, 0))
        .filter_map(|r| r.certificate())
        .collect();
    for der in rest.iter().take(MAX_CHAIN) {
        candidates.push(read(der)?);
    }
    let (path, record) = path(&records, leaf, &candidates, now).map_err(failed)?;
    let Some(record) = record else {
        let vouched =
            |found: &X509| found.to_der().is_ok_and(|der| records.iter().any(|record| record.fits(&der)));
        let known = candidates.iter().filter(|found| path.first() != Some(found)).any(vouched);
        let gap = "a certificate on the way to it is missing, or is another one";
        return Err(if known { Mismatch::Chain(gap.to_owned()) } else { Mismatch::NotVouchedFor });
    };
    match verify(&path, now).map_err(failed)? {
        Ok(()) => Ok(record.clone()),
        Err(error) => Err(Mismatch::Chain(error.error_string().to_owned())),
    }
}

/// From the leaf upwards as x509_vfy.c:build_chain goes: to the first issuer that a record is about
/// (never the leaf itself); or, when the way ends without one, to that end, if a bare key in a record
/// has signed it (check_dane_pkeys).
fn path<'a>(
    records: &[&'a Record],
    leaf: X509,
    candidates: &[X509],
    now: Timestamp,
) -> Result<(Vec<X509>, Option<&'a Record>), ErrorStack> {
    let now = Asn1Time::from_unix(now.as_second())?;
    let mut path = vec![leaf.clone()];
    let mut end = leaf;
    while end.issued(&end) != X509VerifyResult::OK
        && let Some(issuer) = issuer(&end, candidates, &path, &now)
    {
        let der = issuer.to_der()?;
        path.push(issuer.clone());
        if let Some(record) = records.iter().find(|record| record.fits(&der)) {
            return Ok((path, Some(record)));
        }
        end = issuer;
    }
    let signed = |record: &&&Record| {
        let bare = (record.selector, record.matching) == (1, 0);
        bare && record.key().is_some_and(|key| end.verify(&key).unwrap_or(false))
    };
    let record = records.iter().find(signed).copied();
    Ok((path, record))
}

/// The first that may have issued a certificate and is within its dates; without one, the one that
/// lasts longest (x509_vfy.c:find_issuer).
fn issuer(of: &X509, candidates: &[X509], path: &[X509], now: &Asn1Time) -> Option<X509> {
    let mut longest: Option<&X509> = None;
    for candidate in candidates {
        if path.contains(candidate) || candidate.issued(of) != X509VerifyResult::OK {
            continue;
        }
        if candidate.not_before() <= now && candidate.not_after() >= now {
            return Some(candidate.clone());
        }
        if longest.is_none_or(|longest| candidate.not_after() > longest.not_after()) {
            longest = Some(candidate);
        }
    }
    longest.cloned()
}

/// Judges a path of which the end is trusted.
fn verify(path: &[X509], now: Timestamp) -> Result<Result<(), X509VerifyResult>, ErrorStack> {
    let mut parameters = X509VerifyParam::new()?;
    parameters.set_flags(X509VerifyFlags::PARTIAL_CHAIN)?;
    parameters.set_purpose(X509PurposeId::SSL_SERVER)?;
    parameters.set_depth(DEPTH);
    parameters.set_auth_level(SECURITY_LEVEL);
    parameters.set_time(now.as_second());
    let mut store = X509StoreBuilder::new()?;
    store.set_param(&parameters)?;
    let mut untrusted = Stack::new()?;
    let mut rest = path.iter().skip(1).peekable();
    while let Some(certificate) = rest.next() {
        if rest.peek().is_some() {
            untrusted.push(certificate.clone())?;
        }
    }
    let (Some(leaf), Some(end)) = (path.first(), path.last()) else {
        return Ok(Err(X509VerifyResult::APPLICATION_VERIFICATION));
    };
    store.add_cert(end.clone())?;
    X509StoreContext::new()?.init(&store.build(), leaf, &untrusted, |context| {
        Ok(if context.verify_cert()? { Ok(()) } else { Err(context.error()) })
    })
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
