//! The hosts that the MTA would deliver to, with all their addresses, as Postfix finds them
//! (smtp_addr.c:smtp_domain_addr and smtp_host_addr, smtp_connect.c).
//!
//! Promises: MX records by preference; the domain itself when the DNS says that there are none
//! (RFC 5321 section 5.1); no delivery with a null MX (RFC 7505); an MX that is an alias is followed
//! and keeps its own name for name checks (`qname`, which SMTP_HNAME shows); an MX that is an address
//! is used; an MX lookup that fails is never taken for "no MX" (`smtp_ignore_mx_lookup_error = no`).
//! A host without an address makes a warning beside others, and a failure alone.
//!
//! Differs from Postfix on purpose: all addresses of all hosts are kept, not the first five
//! (`smtp_mx_address_limit`), because tomorrow's mail may meet the others; and our own address
//! among the MX hosts is not recognised.
//!
//! Bounds: [`dns`](super::dns) has them for time and numbers.

mod destination;
pub mod port;
#[cfg(test)]
mod tests;
mod words;

use std::net::IpAddr;

pub use destination::{Destination, MAX_DOMAINS, destinations};
pub use port::SMTP;

use super::at_once::at_once;
use super::dns::{Addresses, Answer, Dns, Error, Exchange, Mx};
use super::report::{Finding, Verdict};
use crate::model::{Domain, Host, NextHop};
use crate::protocol::escape::{Escaped, LIMIT};

/// A host that the MTA would try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    /// What Postfix calls the next-hop: the recipient's domain, or the smart host without brackets
    /// and port. Names at the level `secure` are compared with it.
    pub next_hop: String,
    /// The host's name from the MX record or the route, before any alias; an address where that is
    /// all there is.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Lower is tried first; smart hosts are counted in their order.
    pub preference: u16,
    /// Whether DNSSEC vouches for the whole way, from the domain to the addresses.
    pub secure: bool,
    /// How DNSSEC vouches for the parts of the way.
    pub trail: Trail,
    /// Its addresses, never empty; or why there are none, with the verdict that this is worth.
    pub addresses: Result<Vec<IpAddr>, Finding>,
}

/// What DANE asks of the way to a host (RFC 7672 section 2.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trail {
    /// Whether the MX records are authenticated; true where none take part.
    pub mx_secure: bool,
    /// Whether the addresses are, and the aliases that lead to them.
    pub host_secure: bool,
    /// The host's name behind its aliases: the first TLSA base domain (section 2.2.2); `None` for
    /// an address.
    pub expanded: Option<Domain>,
    /// The names of the domain with the MX records, behind its aliases and as asked for; none where
    /// no MX record takes part.
    pub domains: Vec<String>,
}

/// What was found on the way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The hosts, in the order in which Postfix tries them; never empty.
    pub hops: Vec<Hop>,
    /// What is to be said of the whole.
    pub findings: Vec<Finding>,
}

/// Finds the hosts of a destination.
///
/// # Errors
/// The reason why there is nobody to deliver to; its verdict is a failure. For smart hosts there
/// is none: each that cannot be found is a hop without addresses.
pub async fn hops(dns: &Dns, destination: &Destination) -> Result<Found, Finding> {
    let mut found = match destination {
        Destination::Domain(domain) => by_mx(dns, domain.as_str(), SMTP).await?,
        Destination::SmartHosts(hosts) => {
            let each = hosts.iter().cloned().map(|host| {
                let dns = dns.clone();
                async move { smart_host(&dns, &host).await }
            });
            let mut all = Found::default();
            for (place, mut found) in at_once(each).await.into_iter().enumerate() {
                let place = u16::try_from(place).unwrap_or(u16::MAX);
                found.hops.iter_mut().for_each(|hop| hop.preference = place);
                all.hops.append(&mut found.hops);
                all.findings.append(&mut found.findings);
            }
            all
        }
    };
    let verdict =
        if found.hops.iter().any(|hop| hop.addresses.is_ok()) { Verdict::Warn } else { Verdict::Fail };
    for reason in found.hops.iter_mut().filter_map(|hop| hop.addresses.as_mut().err()) {
        reason.verdict = verdict;
    }
    Ok(found)
}

async fn smart_host(dns: &Dns, host: &NextHop) -> Found {
    let name = host.host().to_string();
    let Some(port) = port::number(host.port()) else {
        return Found::nowhere(&name, 0, words::unknown_port(host));
    };
    match host.host() {
        Host::Name(domain) if host.uses_mx() => by_mx(dns, domain.as_str(), port)
            .await
            .unwrap_or_else(|reason| Found::nowhere(&name, port, reason)),
        Host::Name(_) | Host::Address(_) => {
            let looked = addresses(dns, &name).await;
            let (hop, findings) = hop(&Start::of(&name, port), &name, looked);
            Found { hops: vec![hop], findings }
        }
    }
}

async fn by_mx(dns: &Dns, domain: &str, port: u16) -> Result<Found, Finding> {
    // An address has no records (dns_lookup.c:dns_lookup_x), and is delivered to.
    let answer = if domain.parse::<IpAddr>().is_ok() { Err(Error::NoSuchName) } else { dns.mx(domain).await };
    match answer {
        Ok(answer) => from_records(dns, domain, port, answer).await,
        Err(error) if error.is_absence() => implicit(dns, domain, port).await,
        Err(error) => Err(words::no_route(domain, error)),
    }
}

/// The domain is its own mail host.
async fn implicit(dns: &Dns, domain: &str, port: u16) -> Result<Found, Finding> {
    let looked = addresses(dns, domain).await;
    if let Err(error) = looked {
        return Err(words::no_route(domain, error));
    }
    let (hop, mut findings) = hop(&Start::of(domain, port), domain, looked);
    findings.push(words::no_mx(domain));
    Ok(Found { hops: vec![hop], findings })
}

async fn from_records(dns: &Dns, domain: &str, port: u16, answer: Answer<Mx>) -> Result<Found, Finding> {
    let mut records = answer.records;
    // One among others is enough for Postfix (dns_lookup.c:dns_get_answer).
    if records.iter().any(|mx| mx.exchange == Exchange::Null) {
        return Err(words::null_mx(domain));
    }
    records.sort();
    let mut findings = Vec::new();
    let mut hosts: Vec<(u16, Domain)> = Vec::new();
    let mut invalid = Vec::new();
    for mx in records {
        match mx.exchange {
            Exchange::Host(host) if hosts.iter().all(|(_, known)| *known != host) => {
                hosts.push((mx.preference, host));
            }
            Exchange::Host(_) | Exchange::Null => {}
            Exchange::Invalid(name) => invalid.push(Escaped(name.as_bytes(), LIMIT).to_string()),
        }
    }
    if hosts.is_empty() {
        return Err(words::only_invalid_mx(domain, &invalid.join(" ")));
    }
    if !invalid.is_empty() {
        findings.push(words::invalid_mx(domain, &invalid.join(" ")));
    }
    if answer.cut {
        findings.push(words::too_many_mx(domain));
    }
    let domains = if answer.owner.as_str() == domain {
        vec![domain.to_owned()]
    } else {
        vec![answer.owner.to_string(), domain.to_owned()]
    };
    let start = Start { next_hop: domain.to_owned(), port, mx_secure: answer.secure, domains };
    let each = hosts.into_iter().map(|(preference, host)| {
        let (dns, start) = (dns.clone(), start.clone());
        async move {
            let host = host.to_string();
            let (mut hop, findings) = hop(&start, &host, addresses(&dns, &host).await);
            hop.preference = preference;
            (hop, findings)
        }
    });
    let (hops, more): (Vec<_>, Vec<_>) = at_once(each).await.into_iter().unzip();
    findings.extend(more.into_iter().flatten());
    Ok(Found { hops, findings })
}

/// What every host of a domain has in common.
#[derive(Clone)]
struct Start {
    next_hop: String,
    port: u16,
    mx_secure: bool,
    domains: Vec<String>,
}

impl Start {
    /// Without MX records.
    fn of(next_hop: &str, port: u16) -> Start {
        Start { next_hop: next_hop.to_owned(), port, mx_secure: true, domains: Vec::new() }
    }
}

/// The addresses of a host; an address is its own.
async fn addresses(dns: &Dns, host: &str) -> Result<Looked, Error> {
    match host.parse() {
        Ok(address) => Ok(Looked::Literal(address)),
        Err(_) => dns.addresses(host).await.map(Looked::Up),
    }
}

/// What a host's name led to.
enum Looked {
    /// It is an address.
    Literal(IpAddr),
    /// The DNS had some.
    Up(Addresses),
}

/// One host (smtp_addr.c:smtp_addr_one).
fn hop(start: &Start, host: &str, looked: Result<Looked, Error>) -> (Hop, Vec<Finding>) {
    let Start { next_hop, port, mx_secure, domains } = start.clone();
    let mut trail = Trail { mx_secure, domains, ..Trail::default() };
    let mut findings = Vec::new();
    let addresses = match looked {
        Ok(Looked::Literal(address)) => {
            if !trail.domains.is_empty() {
                findings.push(words::mx_is_address(&next_hop, host));
            }
            Ok(vec![address])
        }
        Ok(Looked::Up(Addresses { answer, missing })) => {
            if answer.cut {
                findings.push(words::too_many_addresses(host));
            }
            if let Some((kind, error)) = missing {
                findings.push(words::addresses_incomplete(host, kind, error));
            }
            if answer.owner.as_str() != host && !trail.domains.is_empty() {
                findings.push(words::mx_is_alias(&next_hop, host, answer.owner.as_str()));
            }
            trail.host_secure = answer.secure;
            trail.expanded = Some(answer.owner);
            Ok(answer.records)
        }
        Err(error) => Err(words::no_address(host, error)),
    };
    let secure = trail.mx_secure && trail.host_secure;
    (Hop { next_hop, host: host.to_owned(), port, preference: 0, secure, trail, addresses }, findings)
}

impl Found {
    /// A smart host that leads nowhere.
    fn nowhere(host: &str, port: u16, reason: Finding) -> Found {
        let hop = Hop {
            next_hop: host.to_owned(),
            host: host.to_owned(),
            port,
            preference: 0,
            secure: false,
            trail: Trail::default(),
            addresses: Err(reason),
        };
        Found { hops: vec![hop], findings: Vec::new() }
    }
}
