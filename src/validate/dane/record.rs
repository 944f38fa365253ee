//! TLSA records, and which of them count (RFC 6698, RFC 7671, RFC 7672 section 3.1).
//!
//! What is usable is what Postfix takes (tls_dane.c:parse_tlsa_rr) and then OpenSSL does
//! (ssl_lib.c:dane_tlsa_add): an unusable record neither matches nor fails anything.

use std::fmt;

use openssl::pkey::{PKey, Public};
use openssl::x509::X509;
use x509_parser::prelude::{FromDer, SubjectPublicKeyInfo, X509Certificate};

use crate::model::certificate::MAX_DER;

/// A TLSA record as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The certificate usage.
    pub usage: u8,
    /// The selector.
    pub selector: u8,
    /// The matching type.
    pub matching: u8,
    /// The certificate association data.
    pub data: Vec<u8>,
}

/// What a record vouches for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Usage {
    /// DANE-TA(2): an authority that the chain must lead to.
    Anchor,
    /// DANE-EE(3): the server's own certificate or key.
    Leaf,
}

/// Why a record is unusable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// PKIX-TA(0) and PKIX-EE(1) do not apply to SMTP (RFC 7672 section 3.1.3); others are unknown.
    #[error("its usage is none of those for mail, 2 and 3")]
    Usage,
    /// Neither 0 nor 1.
    #[error("its selector is unknown")]
    Selector,
    /// None of 0, 1, 2.
    #[error("its matching type is unknown")]
    Matching,
    /// A digest of the wrong length, or no data at all.
    #[error("its data has the wrong length")]
    Length,
    /// A whole certificate or key that is none.
    #[error("its data is no certificate or key")]
    Data,
}

impl Record {
    pub(super) fn usable(&self) -> Result<Usage, Unusable> {
        let usage = match self.usage {
            2 => Usage::Anchor,
            3 => Usage::Leaf,
            _ => return Err(Unusable::Usage),
        };
        if self.selector > 1 {
            return Err(Unusable::Selector);
        }
        match (self.matching, self.selector) {
            (1, _) if self.data.len() == 32 => Ok(usage),
            (2, _) if self.data.len() == 64 => Ok(usage),
            (1 | 2, _) => Err(Unusable::Length),
            (0, _) if self.data.is_empty() || self.data.len() > MAX_DER => Err(Unusable::Length),
            (0, 0) => self.certificate().map(|_| usage).ok_or(Unusable::Data),
            (0, _) if self.key().is_some() => Ok(usage),
            (0, _) => Err(Unusable::Data),
            _ => Err(Unusable::Matching),
        }
    }

    /// The certificate that it holds: all of the data, as OpenSSL wants it.
    pub(super) fn certificate(&self) -> Option<X509> {
        let whole = matches!(X509Certificate::from_der(&self.data), Ok(([], _)));
        let found = whole.then(|| X509::from_der(&self.data).ok()).flatten()?;
        found.public_key().is_ok().then_some(found)
    }

    /// The public key that it holds: all of the data.
    pub(super) fn key(&self) -> Option<PKey<Public>> {
        let whole = matches!(SubjectPublicKeyInfo::from_der(&self.data), Ok(([], _)));
        whole.then(|| PKey::public_key_from_der(&self.data).ok()).flatten()
    }

    /// Whether its data is this certificate's, by selector and matching type.
    pub(super) fn fits(&self, der: &[u8]) -> bool {
        use openssl::sha::{sha256, sha512};
        let key;
        let selected = if self.selector == 0 {
            der
        } else {
            let Ok((_, certificate)) = X509Certificate::from_der(der) else { return false };
            key = certificate.tbs_certificate.subject_pki.raw.to_vec();
            &key
        };
        match self.matching {
            0 => self.data == selected,
            1 => self.data == sha256(selected),
            2 => self.data == sha512(selected),
            _ => false,
        }
    }
}

/// The usable ones of a usage that OpenSSL looks at: of digests over the same thing only the
/// strongest, so that a wrong SHA-512 is not helped by a right SHA-256 (RFC 7671 section 9,
/// x509_vfy.c:dane_match, and Postfix's `tls_dane_digests = sha512 sha256`). Whole data always counts.
pub(super) fn that_count(records: &[Record], usage: Usage) -> impl Iterator<Item = &Record> {
    let of_usage = move |record: &&Record| record.usable() == Ok(usage);
    let strongest = move |selector| {
        let same = records.iter().filter(of_usage).filter(|record| record.selector == selector);
        same.map(|record| record.matching).max().unwrap_or_default()
    };
    let strongest = [strongest(0), strongest(1)];
    records.iter().filter(of_usage).filter(move |record| {
        record.matching == 0 || strongest.get(usize::from(record.selector)) == Some(&record.matching)
    })
}

impl fmt::Display for Record {
    /// Its kind, and enough of the data to find it in the zone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// Bytes that are shown.
        const SHOWN: usize = 8;
        write!(f, "{} {} {} ", self.usage, self.selector, self.matching)?;
        for byte in self.data.iter().take(SHOWN) {
            write!(f, "{byte:02X}")?;
        }
        if self.data.len() > SHOWN { f.write_str("...") } else { Ok(()) }
    }
}
