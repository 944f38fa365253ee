//! Facts about certificates, and the judgement that is made from them.
//!
//! A [`Certificate`] is parsed once, from DER or out of a PEM file ([`pem`]), into the facts that
//! an answer or `validate` needs: names, dates, purposes, key and digests. It says what Postfix
//! and OpenSSL would say of the same bytes, because what they say is what happens to mail: the
//! common name is the one of Postfix's tls_verify.c:tls_peer_CN, the digests are those of
//! tls_fprint.c, the purposes are those of OpenSSL's `X509_check_purpose`.
//!
//! It refuses what is not exactly one certificate, is larger than [`MAX_DER`], or whose deciding
//! extensions are unreadable or doubled; it never panics, whatever the bytes. It builds no chain,
//! checks no signature and knows no revocation: trust is the MTA's part. It reads no file and
//! asks no clock; the time is passed in ([`Certificate::valid_at`]). It logs nothing.

mod error;
mod facts;
mod fingerprint;
mod key;
pub mod pem;
mod presented;
mod purpose;
mod text;
mod validity;

#[cfg(test)]
mod captures;
#[cfg(test)]
mod hostile;

pub use error::Error;
pub use facts::{Certificate, MAX_ALTERNATIVE_NAMES, MAX_DER};
pub use fingerprint::{Fingerprint, FingerprintError, Presented};
pub use key::{Key, KeyAlgorithm, WeakDigest};
pub use presented::PresentedName;
pub use purpose::Purposes;
pub use validity::DateProblem;
