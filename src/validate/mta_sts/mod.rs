//! The MTA-STS policy of a domain, and whether it covers a host (RFC 8461).
//!
//! Connectors do not enforce it: the connector is the stricter agreement. It is shown because
//! others deliver by it, and because an MX that it does not cover is often one nobody meant.
//!
//! A policy that is announced and cannot be had is told with its reason; to a sender without a
//! cached one it is as if there were none.

mod fetch;
mod policy;
mod record;
#[cfg(test)]
mod tests;

pub use fetch::{Error as FetchError, Fetcher};
pub use policy::{Error as PolicyError, Mode, MxPattern, Policy};
pub use record::Problem;

use super::dns::{self, Dns};
use super::report::MtaStsReport;

/// Patterns in a text for people; the others are counted. Ours.
const SHOWN: usize = 4;

/// Why a domain has no policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Absence {
    /// None is announced.
    #[error("no MTA-STS policy is announced")]
    NotAnnounced,
    /// Whether one is announced is not known.
    #[error("whether an MTA-STS policy is announced cannot be found out: {0}")]
    Dns(dns::Error),
    /// The announcement is wrong.
    #[error("the announcement of an MTA-STS policy does not count: {0}")]
    Record(Problem),
    /// It is announced and cannot be fetched.
    #[error("an MTA-STS policy is announced and cannot be fetched: {0}")]
    Fetch(FetchError),
    /// It is announced, and is no policy.
    #[error("an MTA-STS policy is announced and not valid: {0}")]
    Policy(PolicyError),
}

/// Looks for the policy of a domain.
///
/// # Errors
/// [`Absence`].
pub async fn look(dns: &Dns, fetcher: &Fetcher, domain: &str) -> Result<Policy, Absence> {
    let records = match dns.txt(&format!("_mta-sts.{domain}")).await {
        Ok(answer) => answer.records,
        Err(error) if error.is_absence() => return Err(Absence::NotAnnounced),
        Err(error) => return Err(Absence::Dns(error)),
    };
    match record::id(&records) {
        Ok(_) => {}
        Err(Problem::None) => return Err(Absence::NotAnnounced),
        Err(problem) => return Err(Absence::Record(problem)),
    }
    let bytes = fetcher.fetch(dns, domain).await.map_err(Absence::Fetch)?;
    Policy::parse(&bytes).map_err(Absence::Policy)
}

/// What is to be reported of a host, by the name in the MX record.
pub fn report(found: &Result<Policy, Absence>, host: &str) -> MtaStsReport {
    let policy = match found {
        Ok(policy) => policy,
        Err(absence) => {
            return MtaStsReport { found: false, mode: None, covers: None, detail: absence.to_string() };
        }
    };
    let covers = (policy.mode != Mode::None).then(|| policy.covers(host));
    let shown: Vec<String> = policy.mx.iter().take(SHOWN).map(ToString::to_string).collect();
    let mut patterns = shown.join(" or ");
    if policy.mx.len() > SHOWN {
        patterns.push_str(&format!(" or {} more", policy.mx.len() - SHOWN));
    }
    let detail = match covers {
        None => "the policy says that there is none (mode none)".to_owned(),
        Some(true) => format!("covered: the policy names {patterns}"),
        Some(false) => format!("not covered: the policy names {patterns}"),
    };
    MtaStsReport { found: true, mode: Some(policy.mode.word().to_owned()), covers, detail }
}
