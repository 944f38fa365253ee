//! Questions to the DNS, as Postfix's SMTP client asks them (dns_lookup.c).
//!
//! Promises: names are absolute, no search list and no hosts file (`smtp_host_lookup = dns`);
//! aliases are followed as far as Postfix follows them; whether an answer is authenticated is the
//! AD bit of the resolver in resolv.conf, who is trusted as Postfix trusts it, and an answer is
//! [`secure`](Answer::secure) only when every reply on the way to it was.
//!
//! Bounds: the time for one question with all its aliases and its retry, from whoever asks; ten
//! aliases; a hundred records an answer; 64 questions at a time, the others wait and their time
//! does not run. Nothing is cached: the resolver does that.

mod error;
#[cfg(test)]
pub mod responder;
mod servers;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::net::NetError;
use hickory_resolver::proto::op::Message;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use tokio::sync::Semaphore;
use tokio::time::Instant;

pub use error::Error;
use servers::Servers;

use super::dane::Record;
use crate::model::Domain;

/// Records of one answer that are looked at; the others are left out, and [`Answer::cut`] says so.
/// Postfix's own limit (`dns_rr_list_limit`).
pub const MAX_RECORDS: usize = 100;

/// Replies on the way to one answer (dns_lookup.c:dns_lookup_x).
const MAX_STEPS: usize = 10;

/// Questions under way at a time. Ours: each has a socket of its own.
const MAX_QUESTIONS: usize = 64;

/// Whom to ask, and for how long. A clone asks the same.
#[derive(Clone)]
pub struct Dns {
    servers: Arc<Servers>,
    places: Arc<Semaphore>,
    timeout: Duration,
}

/// The records of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer<T> {
    /// The first [`MAX_RECORDS`]; never empty.
    pub records: Vec<T>,
    /// The name that they belong to: the one asked for, or what its aliases lead to.
    pub owner: Domain,
    /// Whether the resolver vouches for all of it.
    pub secure: bool,
    /// Whether there were more.
    pub cut: bool,
}

/// What a domain says of its mail hosts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mx {
    /// Lower is tried first.
    pub preference: u16,
    /// The host.
    pub exchange: Exchange,
}

/// The host of an MX record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exchange {
    /// The root: the domain takes no mail (RFC 7505).
    Null,
    /// A name; Postfix also takes an address that is written as one.
    Host(Domain),
    /// What is no host name, as in a zone file; Postfix passes over it (dns_lookup.c:valid_rr_name).
    Invalid(String),
}

/// The addresses of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// IPv4, then IPv6; never empty.
    pub answer: Answer<IpAddr>,
    /// Why one of the two kinds is not known, unless there is none.
    pub missing: Option<(&'static str, Error)>,
}

impl Dns {
    /// Asks the resolvers of resolv.conf; each question takes at most so long.
    ///
    /// # Errors
    /// Hickory's words when resolv.conf cannot be read or names no resolver.
    pub fn system(timeout: Duration) -> Result<Dns, NetError> {
        Ok(Dns::of(Servers::of_the_system(timeout)?, timeout))
    }

    /// Asks these resolvers.
    ///
    /// # Errors
    /// Hickory's, which knows of none without DNS over TLS.
    pub fn at(resolvers: &[SocketAddr], timeout: Duration) -> Result<Dns, NetError> {
        Ok(Dns::of(Servers::at(resolvers, timeout)?, timeout))
    }

    fn of(servers: Servers, timeout: Duration) -> Dns {
        Dns { servers: servers.into(), places: Arc::new(Semaphore::new(MAX_QUESTIONS)), timeout }
    }

    /// Whether a resolver answers at all, whatever it says of the root: when none does, that is nobody's
    /// fault but ours, and nothing can be known of a partner.
    pub async fn answers(&self) -> bool {
        self.servers.any_answers(&Name::root(), RecordType::NS).await
    }

    /// The MX records of a domain, in no order.
    ///
    /// # Errors
    /// [`Error`]; a null MX is an answer.
    pub async fn mx(&self, domain: &str) -> Result<Answer<Mx>, Error> {
        self.lookup(domain, RecordType::MX, |data| {
            let RData::MX(mx) = data else { return None };
            let exchange = if mx.exchange.is_root() {
                Exchange::Null
            } else {
                let text = mx.exchange.to_ascii();
                Domain::parse(&text).map_or(Exchange::Invalid(text), Exchange::Host)
            };
            Some(Mx { preference: mx.preference, exchange })
        })
        .await
    }

    /// The addresses of a host. One kind that cannot be found out does not matter to Postfix when
    /// there is one of the other kind; without any, a temporary error outweighs the others
    /// (dns_lookup_types.c).
    ///
    /// # Errors
    /// [`Error`] when there is no address of either kind.
    pub async fn addresses(&self, host: &str) -> Result<Addresses, Error> {
        let v4 = self.lookup(host, RecordType::A, |data| {
            if let RData::A(address) = data { Some(IpAddr::V4(address.0)) } else { None }
        });
        let v6 = self.lookup(host, RecordType::AAAA, |data| {
            if let RData::AAAA(address) = data { Some(IpAddr::V6(address.0)) } else { None }
        });
        let known = |error: Error| (!error.is_absence()).then_some(error);
        match tokio::join!(v4, v6) {
            (Ok(mut v4), Ok(v6)) => {
                v4.records.extend(v6.records);
                v4.cut |= v6.cut || v4.records.len() > MAX_RECORDS;
                v4.records.truncate(MAX_RECORDS);
                v4.secure &= v6.secure;
                Ok(Addresses { answer: v4, missing: None })
            }
            (Ok(answer), Err(error)) => {
                Ok(Addresses { answer, missing: known(error).map(|error| ("AAAA", error)) })
            }
            (Err(error), Ok(answer)) => {
                Ok(Addresses { answer, missing: known(error).map(|error| ("A", error)) })
            }
            (Err(v4), Err(v6)) => Err(if v6.is_temporary() && !v4.is_temporary() { v6 } else { v4 }),
        }
    }

    /// TLSA records; `name` is whole: `_25._tcp.mx.contoso.com`.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn tlsa(&self, name: &str) -> Result<Answer<Record>, Error> {
        self.lookup(name, RecordType::TLSA, |data| {
            let RData::TLSA(tlsa) = data else { return None };
            Some(Record {
                usage: tlsa.cert_usage.into(),
                selector: tlsa.selector.into(),
                matching: tlsa.matching.into(),
                data: tlsa.cert_data.clone(),
            })
        })
        .await
    }

    /// TXT records, the strings of each joined.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn txt(&self, name: &str) -> Result<Answer<Vec<u8>>, Error> {
        self.lookup(name, RecordType::TXT, |data| {
            if let RData::TXT(text) = data { Some(text.txt_data.concat()) } else { None }
        })
        .await
    }

    /// The alias at a name itself.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn alias(&self, name: &str) -> Result<Answer<Domain>, Error> {
        self.lookup(name, RecordType::CNAME, |data| {
            if let RData::CNAME(target) = data { Domain::parse(&target.to_ascii()).ok() } else { None }
        })
        .await
    }

    async fn lookup<T>(
        &self,
        name: &str,
        kind: RecordType,
        read: impl Fn(&RData) -> Option<T>,
    ) -> Result<Answer<T>, Error> {
        let _place = self.places.acquire().await.map_err(|_| Error::Resolver)?;
        let deadline = Instant::now() + self.timeout;
        let mut name = Domain::parse(name).map_err(|_| Error::Name)?;
        let mut secure = true;
        for _ in 0..MAX_STEPS {
            let absolute = Name::from_ascii(format!("{name}.")).map_err(|_| Error::Name)?;
            let reply = self.servers.ask(&absolute, kind, deadline).await?;
            secure &= reply.metadata.authentic_data;
            match step(&reply, kind)? {
                Step::Found(owner) => {
                    let all = || reply.answers.iter().filter_map(|record| read(&record.data));
                    let records: Vec<T> = all().take(MAX_RECORDS).collect();
                    if records.is_empty() {
                        return Err(Error::Name);
                    }
                    return Ok(Answer { records, owner, secure, cut: all().nth(MAX_RECORDS).is_some() });
                }
                Step::Alias(target) => name = target,
            }
        }
        Err(Error::Loop)
    }
}

/// What a reply leads to.
enum Step {
    /// It has the records; they belong to this name.
    Found(Domain),
    /// It has only aliases, and this is the last one's target.
    Alias(Domain),
}

/// Reads a reply as dns_lookup.c:dns_get_answer does: what is of the kind asked for counts,
/// whatever its owner; without any, the last alias leads on.
fn step(reply: &Message, kind: RecordType) -> Result<Step, Error> {
    let domain = |name: &Name| Domain::parse(&name.to_ascii()).map_err(|_| Error::Name);
    if let Some(record) = reply.answers.iter().find(|record| record.record_type() == kind) {
        return domain(&record.name).map(Step::Found);
    }
    let target = |data: &RData| if let RData::CNAME(target) = data { Some(target.0.clone()) } else { None };
    let last = reply.answers.iter().rev().find_map(|record| target(&record.data));
    domain(&last.ok_or(Error::NoData)?).map(Step::Alias)
}
