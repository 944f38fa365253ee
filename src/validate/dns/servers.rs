//! The resolvers that are asked, one after the other, as the C library asks them.
//!
//! Hickory's own `Resolver` is left out on purpose: it cannot set the DO bit without validating by
//! itself, answers some names (`localhost`, `.invalid`) without asking, follows aliases without
//! keeping the AD bit of each step, and does not go on to the second server after SERVFAIL. Its
//! pool of connections does all the rest: ports, retransmission, TCP after a truncated answer.

use std::net::SocketAddr;
use std::time::Duration;

use hickory_resolver::config::{NameServerConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::xfer::{DnsHandle, FirstAnswer};
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::{DnsRequest, DnsRequestOptions, Message, Query, ResponseCode};
use hickory_resolver::proto::rr::{Name, RecordType};
use hickory_resolver::system_conf::read_system_conf;
use hickory_resolver::{NameServerPool, PoolContext, TlsConfig};
use tokio::time::{Instant, timeout_at};

use super::Error;

/// How often each server is asked: once, and once again when that did not help.
const ROUNDS: usize = 2;

/// Servers of resolv.conf that are used; those behind are ignored, as by the C library (MAXNS).
const MAX_SERVERS: usize = 3;

/// The servers, in their order.
pub(super) struct Servers {
    pools: Vec<NameServerPool<TokioRuntimeProvider>>,
    attempt: Duration,
}

impl Servers {
    /// Those of resolv.conf.
    pub(super) fn of_the_system(timeout: Duration) -> Result<Servers, NetError> {
        let (configuration, _) = read_system_conf()?;
        Servers::new(configuration.name_servers.into_iter().take(MAX_SERVERS).collect(), timeout)
    }

    /// These, on any port.
    pub(super) fn at(addresses: &[SocketAddr], timeout: Duration) -> Result<Servers, NetError> {
        let server = |address: &SocketAddr| {
            let mut server = NameServerConfig::udp_and_tcp(address.ip());
            for connection in &mut server.connections {
                connection.port = address.port();
            }
            server
        };
        Servers::new(addresses.iter().map(server).collect(), timeout)
    }

    fn new(servers: Vec<NameServerConfig>, timeout: Duration) -> Result<Servers, NetError> {
        let attempt = timeout / 2;
        let pools = servers.into_iter().map(|server| {
            let mut options = ResolverOpts::default();
            options.timeout = attempt;
            let context = PoolContext::new(options, TlsConfig::new()?);
            Ok(NameServerPool::from_config([server], context.into(), TokioRuntimeProvider::default()))
        });
        Ok(Servers { pools: pools.collect::<Result<_, NetError>>()?, attempt })
    }

    /// Asks one question. Whatever is no answer and no clear "there is none" leads to the next
    /// server (glibc res_send.c does the same); of several errors the first is told.
    pub(super) async fn ask(
        &self,
        name: &Name,
        kind: RecordType,
        deadline: Instant,
    ) -> Result<Message, Error> {
        let mut first = None;
        for pool in self.pools.iter().cycle().take(self.pools.len() * ROUNDS) {
            let until = deadline.min(Instant::now() + self.attempt);
            let reply = timeout_at(until, pool.send(request(name, kind)).first_answer()).await;
            let error = match reply {
                Ok(Ok(reply)) if reply.response_code == ResponseCode::NoError => {
                    return Ok(reply.into_message());
                }
                // With aliases in it, and so no error to hickory.
                Ok(Ok(reply)) => of_code(reply.response_code),
                Ok(Err(error)) => of_error(&error),
                Err(_) => Error::Timeout,
            };
            if error.is_absence() {
                return Err(error);
            }
            first = first.or(Some(error));
            if Instant::now() >= deadline {
                break;
            }
        }
        Err(first.unwrap_or(Error::Resolver))
    }
}

impl Servers {
    /// Whether any of them says anything, whatever it is.
    pub(super) async fn any_answers(&self, name: &Name, kind: RecordType) -> bool {
        for pool in &self.pools {
            let until = Instant::now() + self.attempt;
            let reply = timeout_at(until, pool.send(request(name, kind)).first_answer()).await;
            match reply.map(|reply| reply.map_err(|error| of_error(&error))) {
                Ok(Ok(_)) => return true,
                Ok(Err(error)) if !matches!(error, Error::Timeout | Error::Resolver) => return true,
                Ok(Err(_)) | Err(_) => {}
            }
        }
        false
    }
}

/// DO and AD both: what Postfix asks with (dns_lookup.c: `RES_USE_DNSSEC`, `RES_TRUSTAD`), so that
/// the resolver says in AD what it made of the signatures (RFC 6840 section 5.7).
fn request(name: &Name, kind: RecordType) -> DnsRequest {
    let mut options = DnsRequestOptions::default();
    options.edns_set_dnssec_ok = true;
    let mut request = DnsRequest::from_query(Query::query(name.clone(), kind), options);
    request.metadata.authentic_data = true;
    request
}

fn of_code(code: ResponseCode) -> Error {
    match u16::from(code) {
        0 => Error::NoData,
        2 => Error::ServerFailure,
        3 => Error::NoSuchName,
        other => Error::Refused(other),
    }
}

fn of_error(error: &NetError) -> Error {
    if let NetError::Dns(DnsError::NoRecordsFound(none)) = error {
        return of_code(none.response_code);
    }
    if let NetError::Dns(DnsError::ResponseCode(code)) = error {
        return of_code(*code);
    }
    if matches!(error, NetError::Timeout) { Error::Timeout } else { Error::Resolver }
}
