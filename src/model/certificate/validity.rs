//! Whether a certificate is within its dates.

use jiff::Timestamp;

use super::facts::Certificate;

/// A certificate outside its dates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DateProblem {
    /// Its time has not come.
    #[error("not valid before {not_before}")]
    NotYetValid {
        /// When it begins to be valid.
        not_before: Timestamp,
    },
    /// Its time is over.
    #[error("expired on {not_after}")]
    Expired {
        /// When it ceased to be valid.
        not_after: Timestamp,
    },
}

impl Certificate {
    /// Whether it is valid at this time, to the second and as OpenSSL has it: from `notBefore`
    /// on, and no longer at `notAfter` itself. (RFC 5280 would include that last second;
    /// x509_vfy.c:ossl_x509_check_cert_time does not, and it decides for Postfix.)
    ///
    /// # Errors
    /// [`DateProblem`] says which date is in the way.
    pub fn valid_at(&self, now: Timestamp) -> Result<(), DateProblem> {
        if now < self.not_before() {
            return Err(DateProblem::NotYetValid { not_before: self.not_before() });
        }
        if now >= self.not_after() {
            return Err(DateProblem::Expired { not_after: self.not_after() });
        }
        Ok(())
    }
}
