//! A client certificate in full: what smtpd(8) boils down for us, we do ourselves for Exim.
//!
//! Postfix shows a certificate by its digests, and by common name and issuer only when a trusted
//! authority vouches for it (smtpd_check.c:check_policy_service). Exim hands over the certificate
//! and whether its chain was verified. Both become a [`ClientCertificate`], so that one function
//! decides; from Exim it also has the names of the subjectAltName, which Postfix keeps to itself.

use jiff::Timestamp;

use super::mail::ClientCertificate;
use crate::model::certificate::{Certificate, Fingerprint, PresentedName};

/// What a client certificate shows; nothing where there is none.
#[derive(Debug, Default)]
pub struct Leaf {
    common_name: String,
    issuer: String,
    fingerprint: String,
    key_fingerprint: String,
    names: Vec<PresentedName>,
}

impl Leaf {
    /// Reads the certificate that Exim was shown; empty DER is none. `verified`: its chain leads to
    /// an authority that Exim trusts.
    ///
    /// Exim does not look at what a certificate may be used for (measured with GnuTLS 3.7 and 3.8:
    /// one for servers alone verifies), so that and the dates are judged here. One that cannot be
    /// read is there, and is nobody's.
    pub fn read(der: &[u8], verified: bool, now: Timestamp) -> Leaf {
        if der.is_empty() {
            return Leaf::default();
        }
        match Certificate::from_der(der) {
            Ok(certificate) => {
                let good = certificate.purposes().client_auth && certificate.valid_at(now).is_ok();
                Leaf::of(&certificate, verified && good)
            }
            Err(_) => Leaf { fingerprint: Fingerprint::of(der).to_string(), ..Leaf::default() },
        }
    }

    /// What this certificate shows, given that a trusted authority vouches for it or not.
    pub fn of(certificate: &Certificate, trusted: bool) -> Leaf {
        let when_trusted = |text: Option<&str>| text.filter(|_| trusted).unwrap_or_default().to_owned();
        Leaf {
            common_name: when_trusted(certificate.common_name()),
            issuer: when_trusted(certificate.issuer()),
            fingerprint: certificate.fingerprint().to_string(),
            key_fingerprint: certificate.key_fingerprint().to_string(),
            names: if trusted { certificate.registered_identities().to_vec() } else { Vec::new() },
        }
    }

    /// A trusted certificate of which a name and an issuer are all that is known.
    pub fn named(common_name: &str, issuer: &str) -> Leaf {
        Leaf { common_name: common_name.to_owned(), issuer: issuer.to_owned(), ..Leaf::default() }
    }

    /// As Exim shows it: all of it.
    pub fn whole(&self) -> ClientCertificate<'_> {
        ClientCertificate { alternative_names: &self.names, ..self.as_postfix_shows_it() }
    }

    /// As Postfix shows it.
    pub fn as_postfix_shows_it(&self) -> ClientCertificate<'_> {
        ClientCertificate {
            common_name: self.common_name.as_bytes(),
            issuer: self.issuer.as_bytes(),
            fingerprint: self.fingerprint.as_bytes(),
            key_fingerprint: self.key_fingerprint.as_bytes(),
            alternative_names: &[],
        }
    }
}
