//! Whether a certificate was revoked, as far as anybody said so without being asked over the net.
//!
//! Two sources: the OCSP response that the server stapled, and files of revocation lists that the
//! administrator has. Both count only when the certificate's issuer signed them (or, for OCSP, one
//! that it certified for that), they are within their dates, and they are about this certificate.
//! Anything else is "not checked", with the reason; never "good".
//!
//! Postfix looks at none of this: a revoked certificate is delivered to. It is a warning, then.
//! An OCSP response is held against the system's clock, for which OpenSSL offers no other, with
//! [`SKEW`] to spare; a list against the time that is given. A list with a critical extension
//! covers some certificates only (RFC 5280 section 5.2.5), and is passed over.

use std::fmt;

use jiff::Timestamp;
use openssl::asn1::Asn1Time;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::ocsp::{OcspCertId, OcspCertStatus, OcspFlag, OcspResponse, OcspResponseStatus};
use openssl::stack::Stack;
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::verify::X509VerifyFlags;
use openssl::x509::{CrlStatus, X509, X509Crl, X509VerifyResult};
use x509_parser::prelude::FromDer;
use x509_parser::revocation_list::CertificateRevocationList;

/// Seconds that an OCSP response may be off, for clocks that are.
const SKEW: u32 = 300;

/// Bytes of a file of revocation lists. The largest of public authorities have some tens of MiB.
pub const MAX_FILE: usize = 64 * 1024 * 1024;

/// Lists in one file.
const MAX_LISTS: usize = 1000;

/// What is known of the revocation of a certificate. In words: `good: ...`, `revoked: ...`,
/// `not checked: ...`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Revocation {
    /// Nobody who may say so said anything.
    NotChecked(String),
    /// It was not revoked when that was written.
    Good(String),
    /// It, or an authority above it, is revoked.
    Revoked(String),
}

/// Why a file is no file of revocation lists.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// More bytes than [`MAX_FILE`].
    #[error("the file of revocation lists has more than {MAX_FILE} bytes")]
    TooLarge,
    /// More lists than fit.
    #[error("more than {MAX_LISTS} revocation lists in one file")]
    TooMany,
    /// Neither PEM nor DER.
    #[error("this is no certificate revocation list, neither PEM nor DER")]
    NotAList,
}

/// Revocation lists.
#[derive(Default)]
pub struct Lists(Vec<List>);

struct List {
    crl: X509Crl,
    /// Whether it says that it covers only some certificates.
    partial: bool,
}

impl Lists {
    /// Adds what is in a file, PEM or DER.
    ///
    /// # Errors
    /// [`Error`] when it is not wholly made of revocation lists; nothing is added then.
    pub fn add(&mut self, file: &[u8]) -> Result<(), Error> {
        if file.len() > MAX_FILE {
            return Err(Error::TooLarge);
        }
        const BEGIN: &[u8] = b"-----BEGIN X509 CRL-----";
        let starts: Vec<usize> = file
            .windows(BEGIN.len())
            .enumerate()
            .filter_map(|(place, window)| (window == BEGIN).then_some(place))
            .take(MAX_LISTS + 1)
            .collect();
        if starts.len() > MAX_LISTS {
            return Err(Error::TooMany);
        }
        let mut lists = Vec::new();
        if starts.is_empty() {
            lists.push(X509Crl::from_der(file).map_err(|_| Error::NotAList)?);
        }
        for start in starts {
            let block = file.get(start..).unwrap_or_default();
            lists.push(X509Crl::from_pem(block).map_err(|_| Error::NotAList)?);
        }
        for crl in lists {
            let partial = is_partial(&crl).ok_or(Error::NotAList)?;
            self.0.push(List { crl, partial });
        }
        Ok(())
    }
}

fn is_partial(crl: &X509Crl) -> Option<bool> {
    let der = crl.to_der().ok()?;
    let (_, parsed) = CertificateRevocationList::from_der(&der).ok()?;
    Some(parsed.extensions().iter().any(|extension| extension.critical))
}

/// Checks a chain, DER, the leaf first: the leaf by what was stapled and by the lists, what is
/// above it by the lists alone.
pub fn check(chain: &[Vec<u8>], stapled: Option<&[u8]>, lists: &Lists, now: Timestamp) -> Revocation {
    checked(chain, stapled, lists, now)
        .unwrap_or_else(|error| Revocation::NotChecked(format!("OpenSSL: {error}")))
}

fn checked(
    chain: &[Vec<u8>],
    stapled: Option<&[u8]>,
    lists: &Lists,
    now: Timestamp,
) -> Result<Revocation, ErrorStack> {
    let chain = chain.iter().map(|der| X509::from_der(der)).collect::<Result<Vec<_>, _>>()?;
    let mut results = Vec::new();
    for (depth, pair) in chain.windows(2).enumerate() {
        let [certificate, issuer] = pair else { continue };
        if issuer.issued(certificate) != X509VerifyResult::OK {
            break;
        }
        if depth == 0
            && let Some(response) = stapled
        {
            results.push(by_response(certificate, issuer, response)?);
        }
        if !lists.0.is_empty() {
            let result = by_lists(certificate, issuer, lists, now)?;
            // That an authority is on no list says nothing about the leaf.
            if depth == 0 || matches!(result, Revocation::Revoked(_)) {
                results.push(result);
            }
        }
    }
    let rank = |result: &Revocation| match result {
        Revocation::NotChecked(_) => 0,
        Revocation::Good(_) => 1,
        Revocation::Revoked(_) => 2,
    };
    let why = "the server stapled no OCSP response, and there is no list of its issuer";
    Ok(results.into_iter().max_by_key(rank).unwrap_or_else(|| Revocation::NotChecked(why.to_owned())))
}

fn by_response(certificate: &X509, issuer: &X509, response: &[u8]) -> Result<Revocation, ErrorStack> {
    let not_checked = |why: &str| Ok(Revocation::NotChecked(format!("the stapled OCSP response {why}")));
    let Ok(response) = OcspResponse::from_der(response) else {
        return not_checked("cannot be read");
    };
    if response.status() != OcspResponseStatus::SUCCESSFUL {
        return not_checked("says that the responder had none");
    }
    let Ok(basic) = response.basic() else { return not_checked("cannot be read") };
    // The issuer is the only anchor: a responder has to be it, or certified by it.
    let mut store = X509StoreBuilder::new()?;
    store.set_flags(X509VerifyFlags::PARTIAL_CHAIN)?;
    store.add_cert(issuer.clone())?;
    let mut certificates = Stack::new()?;
    certificates.push(issuer.clone())?;
    if basic.verify(&certificates, &store.build(), OcspFlag::empty()).is_err() {
        return not_checked("is not signed by the issuer");
    }
    for digest in [MessageDigest::sha1(), MessageDigest::sha256()] {
        let id = OcspCertId::from_cert(digest, certificate, issuer)?;
        let Some(status) = basic.find_status(&id) else { continue };
        if status.check_validity(SKEW, None).is_err() {
            return not_checked("is out of date");
        }
        return if status.status == OcspCertStatus::GOOD {
            Ok(Revocation::Good("OCSP response stapled by the server".to_owned()))
        } else if status.status == OcspCertStatus::REVOKED {
            let since = status.revocation_time.map(|time| format!(" since {time}")).unwrap_or_default();
            Ok(Revocation::Revoked(format!("the stapled OCSP response says so{since}")))
        } else {
            not_checked("does not know the certificate")
        };
    }
    not_checked("is about another certificate")
}

fn by_lists(
    certificate: &X509,
    issuer: &X509,
    lists: &Lists,
    now: Timestamp,
) -> Result<Revocation, ErrorStack> {
    let now = Asn1Time::from_unix(now.as_second())?;
    let key = issuer.public_key()?;
    let name = issuer.subject_name().to_der()?;
    let mut why = "no list of its issuer";
    let mut good = false;
    for List { crl, partial } in &lists.0 {
        if crl.issuer_name().to_der()? != name {
            continue;
        }
        if !crl.verify(&key).unwrap_or(false) {
            why = "a list with its issuer's name has another signature";
        } else if crl.last_update() > now || crl.next_update().is_some_and(|next| next <= now) {
            why = "the list of its issuer is out of date";
        } else {
            match crl.get_by_cert(certificate) {
                CrlStatus::Revoked(entry) => {
                    let since = entry.revocation_date();
                    return Ok(Revocation::Revoked(format!("on its issuer's revocation list since {since}")));
                }
                CrlStatus::NotRevoked | CrlStatus::RemoveFromCrl(_) if *partial => {
                    why = "the list of its issuer covers some certificates only";
                }
                CrlStatus::NotRevoked | CrlStatus::RemoveFromCrl(_) => good = true,
            }
        }
    }
    if good {
        return Ok(Revocation::Good("not on its issuer's revocation list".to_owned()));
    }
    Ok(Revocation::NotChecked(why.to_owned()))
}

impl fmt::Display for Revocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Revocation::NotChecked(why) => write!(f, "not checked: {why}"),
            Revocation::Good(how) => write!(f, "good: {how}"),
            Revocation::Revoked(how) => write!(f, "revoked: {how}"),
        }
    }
}

#[cfg(test)]
#[path = "revocation_tests.rs"]
mod tests;
