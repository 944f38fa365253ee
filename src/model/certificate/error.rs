//! Why bytes are not accepted as a certificate, or a file not as a file of certificates.
//!
//! The words are for the operator who named the file; they say what to do where that is not
//! plain. Nothing of the file is quoted but the kind of a PEM block, whose alphabet is closed.

use super::facts::{MAX_ALTERNATIVE_NAMES, MAX_DER};
use super::pem::MAX_CERTIFICATES;

/// Why a certificate, or a PEM file of them, is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// More bytes than [`MAX_DER`].
    #[error("the certificate has more than {MAX_DER} bytes")]
    TooLarge,
    /// Not the DER of an X.509 certificate.
    #[error("this is not an X.509 certificate")]
    NotACertificate,
    /// A certificate, and then something else.
    #[error("{0} bytes follow the certificate")]
    Trailing(usize),
    /// An extension that decides something cannot be read, or is there twice.
    #[error("the certificate's {0} cannot be read, or is there more than once")]
    Extension(&'static str),
    /// More names than [`MAX_ALTERNATIVE_NAMES`].
    #[error("the certificate has {0} alternative names; {MAX_ALTERNATIVE_NAMES} is the most")]
    TooManyNames(usize),
    /// The text holds no certificate at all.
    #[error("no certificate here: no line reads `-----BEGIN CERTIFICATE-----`")]
    NoCertificate,
    /// The file is DER.
    #[error("this is DER, not PEM; convert it with `openssl x509 -inform DER -in FILE -out FILE.pem`")]
    Binary,
    /// A private key, which nobody but its owner should have.
    #[error("line {line}: contains a private key; give the certificate only")]
    PrivateKey {
        /// Where the key begins, from 1.
        line: usize,
    },
    /// A PEM block of another kind.
    #[error("line {line}: `{label}` is not a certificate; leave only blocks of the kind `CERTIFICATE`")]
    OtherBlock {
        /// Where the block begins, from 1.
        line: usize,
        /// The kind of block.
        label: String,
    },
    /// A `-----BEGIN` or `-----END` line that OpenSSL would pass over.
    #[error(
        "line {line}: `-----BEGIN CERTIFICATE-----` and its `-----END` must each stand alone on a line \
         (no space, quotation mark or byte-order mark before them)"
    )]
    Boundary {
        /// The line, from 1.
        line: usize,
    },
    /// A block without its end: a file cut short.
    #[error("line {line}: the certificate that begins here has no `-----END CERTIFICATE-----`")]
    Unterminated {
        /// Where the block begins, from 1.
        line: usize,
    },
    /// A block that is not base64.
    #[error("line {line}: the certificate that begins here is not valid base64")]
    Encoding {
        /// Where the block begins, from 1.
        line: usize,
    },
    /// More certificates than [`MAX_CERTIFICATES`].
    #[error("line {line}: more than {MAX_CERTIFICATES} certificates in one file")]
    TooManyCertificates {
        /// Where the first one too many begins, from 1.
        line: usize,
    },
    /// A block that is base64, but of no acceptable certificate.
    #[error("line {line}: {problem}")]
    Block {
        /// Where the block begins, from 1.
        line: usize,
        /// What is wrong with the certificate in it.
        problem: Box<Error>,
    },
}

impl Error {
    /// The line of the PEM text that it is about, from 1; none when it is about the whole.
    pub fn line(&self) -> Option<usize> {
        match self {
            Error::TooLarge
            | Error::NotACertificate
            | Error::Trailing(_)
            | Error::Extension(_)
            | Error::TooManyNames(_)
            | Error::NoCertificate
            | Error::Binary => None,
            Error::PrivateKey { line }
            | Error::OtherBlock { line, .. }
            | Error::Boundary { line }
            | Error::Unterminated { line }
            | Error::Encoding { line }
            | Error::TooManyCertificates { line }
            | Error::Block { line, .. } => Some(*line),
        }
    }
}
