//! Whether a presented chain is trusted, judged as Postfix's OpenSSL would.
//!
//! The same library, with what tls_client.c sets: purpose of a TLS server, security level 1,
//! `smtp_tls_scert_verifydepth` 9 (set as 10), trusted certificates first, at a given time. Names
//! are not looked at; that is [`crate::model::judgement`]'s part.
//!
//! With a trust file Postfix makes two TLSA records of each certificate in it
//! (tls_dane.c:tls_dane_load_trustfile): usage 2, so that any of them ends a chain, be it root or
//! intermediate; and usage 3, so that a leaf that is itself in the file is trusted without a look
//! at its dates or purposes (x509_vfy.c:dane_verify). The same is said here by
//! `X509_V_FLAG_PARTIAL_CHAIN` and by comparing the leaf.
//!
//! What is refused when anchors are read: a file without a certificate, and one that cannot be
//! parsed. Revocation is [`super::revocation`]'s part; Postfix looks at none.

use jiff::Timestamp;
use openssl::error::ErrorStack;
use openssl::stack::Stack;
use openssl::x509::store::{X509Store, X509StoreBuilder};
use openssl::x509::verify::{X509VerifyFlags, X509VerifyParam};
use openssl::x509::{X509, X509PurposeId, X509StoreContext};

use super::distrust::{Disorder, Distrust, Fault, disorder};

/// tls_client.c: `props->verifydepth + 1`, and `DEF_SMTP_TLS_SCERT_VD` is 9.
const DEPTH: i32 = 10;

/// tls_client.c: `SSL_set_security_level(TLScontext->con, 1)` wherever a certificate must match.
const SECURITY_LEVEL: i32 = 1;

/// x509_vfy.h: `X509_V_ERR_EE_KEY_TOO_SMALL`.
const LEAF_KEY_TOO_SMALL: i32 = 66;

/// Why anchors cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No certificate in it.
    #[error("the file has no certificate in it")]
    Empty,
    /// OpenSSL refuses it.
    #[error("trust anchors cannot be used: {0}")]
    OpenSsl(#[from] ErrorStack),
}

/// Whose word on a chain is taken, at one time.
pub struct Anchors {
    stores: Vec<X509Store>,
    /// The certificates of a trust file; none otherwise.
    trust_file: Vec<Vec<u8>>,
}

/// What is known of a trusted chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trusted {
    /// The chain as built, DER, from the leaf to the anchor.
    pub chain: Vec<Vec<u8>>,
    /// Whether the leaf itself is in the trust file, so that nobody looks at dates and purposes.
    pub leaf_is_anchor: bool,
    /// What was presented beside it.
    pub disorder: Disorder,
}

/// A chain judged.
pub type Trust = Result<Trusted, Distrust>;

impl Anchors {
    /// Those that OpenSSL finds by itself, `SSL_CERT_FILE` and `SSL_CERT_DIR` included.
    ///
    /// # Errors
    /// [`Error::OpenSsl`] when there is no memory for them; a missing file is no error here, and
    /// nothing is trusted then.
    pub fn system(now: Timestamp) -> Result<Anchors, Error> {
        let mut store = builder(now, X509VerifyFlags::empty())?;
        store.set_default_paths()?;
        Ok(Anchors { stores: vec![store.build()], trust_file: Vec::new() })
    }

    /// A file that stands for `smtp_tls_CAfile`: only roots end a chain.
    ///
    /// # Errors
    /// [`Error`] when it has no certificate or cannot be parsed.
    pub fn authorities(pem: &[u8], now: Timestamp) -> Result<Anchors, Error> {
        let store = filled(&certificates(pem)?, now, X509VerifyFlags::empty())?;
        Ok(Anchors { stores: vec![store], trust_file: Vec::new() })
    }

    /// A connector's `ca_file`, Postfix's `tafile`: each certificate in it ends a chain.
    ///
    /// # Errors
    /// [`Error`] when it has no certificate or cannot be parsed.
    pub fn trust_file(pem: &[u8], now: Timestamp) -> Result<Anchors, Error> {
        let all = certificates(pem)?;
        // Anchors within their dates are preferred (x509_vfy.c:get0_best_issuer_sk), among
        // presented certificates too; the second store is there for the reason alone.
        let seconds = now.as_second();
        let valid: Vec<X509> =
            all.iter().filter(|certificate| within_dates(certificate, seconds)).cloned().collect();
        let flags = X509VerifyFlags::PARTIAL_CHAIN;
        let stores = vec![filled(&valid, now, flags)?, filled(&all, now, flags)?];
        let ders = all.iter().map(|certificate| certificate.to_der()).collect::<Result<_, _>>()?;
        Ok(Anchors { stores, trust_file: ders })
    }
}

fn certificates(pem: &[u8]) -> Result<Vec<X509>, Error> {
    let certificates = X509::stack_from_pem(pem)?;
    if certificates.is_empty() { Err(Error::Empty) } else { Ok(certificates) }
}

fn within_dates(certificate: &X509, now: i64) -> bool {
    let Ok(now) = openssl::asn1::Asn1Time::from_unix(now) else { return false };
    certificate.not_before() <= now && certificate.not_after() > now
}

fn builder(now: Timestamp, flags: X509VerifyFlags) -> Result<X509StoreBuilder, ErrorStack> {
    let mut parameters = X509VerifyParam::new()?;
    parameters.set_purpose(X509PurposeId::SSL_SERVER)?;
    parameters.set_depth(DEPTH);
    parameters.set_auth_level(SECURITY_LEVEL);
    parameters.set_time(now.as_second());
    parameters.set_flags(flags | X509VerifyFlags::TRUSTED_FIRST)?;
    let mut store = X509StoreBuilder::new()?;
    store.set_param(&parameters)?;
    Ok(store)
}

fn filled(certificates: &[X509], now: Timestamp, flags: X509VerifyFlags) -> Result<X509Store, ErrorStack> {
    let mut store = builder(now, flags)?;
    for certificate in certificates {
        store.add_cert(certificate.clone())?;
    }
    Ok(store.build())
}

/// Judges a chain as it was presented, DER, the leaf first.
///
/// # Errors
/// [`Distrust`] says what is wrong, with which certificate.
pub fn judge(presented: &[Vec<u8>], anchors: &Anchors) -> Trust {
    judged(presented, anchors).unwrap_or_else(|error| Err(internal(&error)))
}

/// Whether security level 1 allows the key of a leaf: asked at every level that judges the peer,
/// `fingerprint` and a leaf in the trust file included (x509_vfy.c:x509_verify_x509).
///
/// # Errors
/// [`Distrust`] where it does not.
pub fn allows_key(leaf: &[u8]) -> Result<(), Distrust> {
    leaf_key(leaf).unwrap_or_else(|error| Err(internal(&error)))
}

fn internal(error: &ErrorStack) -> Distrust {
    Distrust::without_number(Fault::Other, &format!("OpenSSL: {error}"))
}

fn judged(presented: &[Vec<u8>], anchors: &Anchors) -> Result<Trust, ErrorStack> {
    let Some(leaf) = presented.first() else {
        return Ok(Err(Distrust::without_number(Fault::Nothing, "no certificate was presented")));
    };
    if anchors.trust_file.contains(leaf) {
        let trusted =
            Trusted { chain: vec![leaf.clone()], leaf_is_anchor: true, disorder: Disorder::default() };
        return Ok(leaf_key(leaf)?.map(|()| trusted));
    }
    let certificates = presented.iter().map(|der| X509::from_der(der)).collect::<Result<Vec<_>, _>>()?;
    let mut last = Err(Distrust::without_number(Fault::Other, "there are no trust anchors"));
    for store in &anchors.stores {
        last = verified(&certificates, store)?;
        if last.is_ok() {
            break;
        }
    }
    Ok(last)
}

fn verified(presented: &[X509], store: &X509Store) -> Result<Trust, ErrorStack> {
    let Some(leaf) = presented.first() else {
        return Ok(Err(Distrust::without_number(Fault::Nothing, "no certificate was presented")));
    };
    let mut untrusted = Stack::new()?;
    for certificate in presented {
        untrusted.push(certificate.clone())?;
    }
    let mut context = X509StoreContext::new()?;
    context.init(store, leaf, &untrusted, |context| {
        let good = context.verify_cert()?;
        let built: Vec<X509> = context.chain().into_iter().flatten().map(ToOwned::to_owned).collect();
        let result = context.error();
        if good && result.as_raw() == 0 {
            let chain = built.iter().map(|one| one.to_der()).collect::<Result<Vec<_>, _>>()?;
            let disorder = disorder(presented, &chain);
            return Ok(Ok(Trusted { chain, leaf_is_anchor: false, disorder }));
        }
        let depth = usize::try_from(context.error_depth()).unwrap_or(usize::MAX);
        let top = built.last().map(|top| &**top);
        Ok(Err(Distrust::of(result.as_raw(), result.error_string(), depth, context.current_cert(), top)))
    })
}

fn leaf_key(leaf: &[u8]) -> Result<Result<(), Distrust>, ErrorStack> {
    let leaf = X509::from_der(leaf)?;
    // The key is looked at first of all, so nothing else that is wrong can hide it.
    let store = filled(&[], Timestamp::UNIX_EPOCH, X509VerifyFlags::NO_CHECK_TIME)?;
    match verified(&[leaf], &store)? {
        Err(distrust) if distrust.openssl.starts_with(&format!("{LEAF_KEY_TOO_SMALL}:")) => Ok(Err(distrust)),
        Ok(_) | Err(_) => Ok(Ok(())),
    }
}

#[cfg(test)]
#[path = "trust_tests.rs"]
mod tests;
