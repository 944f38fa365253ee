//! What the TLSA records of a host say, and whether its certificate is what they say (RFC 7672).
//!
//! Looked up as Postfix does (tls_dane.c:tls_dane_resolve): only where DNSSEC vouches for the host,
//! at its name behind aliases first and then at its own. Records that DNSSEC does not vouch for are
//! none. A lookup that fails is told: Postfix then keeps the mail.
//!
//! MX records without DNSSEC before a host with it: Postfix by default still checks at `dane`
//! (`smtp_tls_dane_insecure_mx_policy`) and never delivers at `dane-only`. The records are shown,
//! and [`DaneReport::authenticated`] is false.

#[cfg(test)]
mod chains;
mod judge;
#[cfg(test)]
mod judge_tests;
mod record;
#[cfg(test)]
mod tests;

use jiff::Timestamp;

pub use judge::{Judgement, Mismatch, judge};
pub use record::{Record, Unusable};

use super::dns::{Dns, Error};
use super::report::DaneReport;
use super::route::Hop;

/// TLSA records in a text for people; the others are counted. Ours.
const SHOWN: usize = 4;

/// The TLSA records of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tlsa {
    /// Nobody asked, because DNSSEC does not vouch for the host.
    NotSecure,
    /// There are none that DNSSEC vouches for.
    Absent,
    /// It could not be found out.
    Failed(Error),
    /// There are some.
    Found {
        /// Where: the host's name, or its name behind aliases. Also the SNI that Postfix sends.
        base: String,
        /// All of them, usable or not.
        records: Vec<Record>,
    },
}

/// Looks up the TLSA records of a host.
pub async fn look(dns: &Dns, hop: &Hop) -> Tlsa {
    let Some(expanded) = &hop.trail.expanded else { return Tlsa::NotSecure };
    let is_alias = expanded.as_str() != hop.host;
    if hop.trail.host_secure {
        let found = at(dns, hop.port, expanded.as_str()).await;
        if found != Tlsa::Absent || !is_alias {
            return found;
        }
    } else {
        // A secure alias to an insecure host may have records of its own.
        let secure = if is_alias { dns.alias(&hop.host).await.map(|alias| alias.secure) } else { Ok(false) };
        match secure {
            Ok(true) => {}
            Ok(false) => return Tlsa::NotSecure,
            Err(error) => return Tlsa::Failed(error),
        }
    }
    at(dns, hop.port, &hop.host).await
}

async fn at(dns: &Dns, port: u16, base: &str) -> Tlsa {
    match dns.tlsa(&format!("_{port}._tcp.{base}")).await {
        Ok(answer) if answer.secure => Tlsa::Found { base: base.to_owned(), records: answer.records },
        Ok(_) => Tlsa::Absent,
        Err(error) if error.is_absence() => Tlsa::Absent,
        Err(error) => Tlsa::Failed(error),
    }
}

/// The names that a certificate may show with a DANE-TA record: the base domain, and the domain
/// with its MX records (smtp_tls_policy.c:dane_init).
pub fn names(base: &str, hop: &Hop) -> Vec<String> {
    let mut names = vec![base.to_owned()];
    for domain in &hop.trail.domains {
        if !names.contains(domain) {
            names.push(domain.clone());
        }
    }
    names
}

/// What is to be reported of a host whose session showed this chain, the leaf first; `None` when
/// no TLS session came about.
pub fn report(tlsa: &Tlsa, hop: &Hop, chain: Option<&[Vec<u8>]>, now: Timestamp) -> DaneReport {
    let absent = |detail: String| DaneReport { present: false, authenticated: false, matches: None, detail };
    let (base, records) = match tlsa {
        Tlsa::NotSecure => {
            return absent("DNSSEC does not vouch for the host, so TLSA records would not count".to_owned());
        }
        Tlsa::Absent => return absent("no TLSA records".to_owned()),
        Tlsa::Failed(error) => {
            return absent(format!("TLSA lookup failed, so Postfix keeps the mail at dane: {error}"));
        }
        Tlsa::Found { base, records } => (base, records),
    };
    let judgement = chain.map(|chain| judge(records, chain, &names(base, hop), now));
    let (matches, mut detail) = match judgement {
        None => (None, format!("not compared, for want of a TLS session: {}", list(records))),
        Some(Judgement::Match(record)) => (Some(true), format!("TLSA {record} matches")),
        Some(Judgement::Mismatch(why)) => (Some(false), format!("{why}: {}", list(records))),
        Some(Judgement::Unusable(useless)) => {
            let shown = useless.iter().take(SHOWN).map(|(record, why)| format!("{record} ({why})"));
            let shown: Vec<String> = shown.collect();
            (None, format!("no TLSA record is usable for mail: {}", shown.join(", ")))
        }
    };
    if !hop.trail.mx_secure {
        detail.push_str("; DNSSEC does not vouch for the MX records, so dane-only never delivers");
    }
    DaneReport { present: true, authenticated: hop.trail.mx_secure, matches, detail }
}

fn list(records: &[Record]) -> String {
    let shown: Vec<String> = records.iter().take(SHOWN).map(|record| format!("TLSA {record}")).collect();
    let shown = shown.join(", ");
    match records.len().saturating_sub(SHOWN) {
        0 => shown,
        rest => format!("{shown} and {rest} more"),
    }
}
