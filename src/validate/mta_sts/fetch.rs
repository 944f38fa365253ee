//! The HTTPS request for a policy (RFC 8461 section 3.3).
//!
//! Promises: TLS 1.2 or later, a certificate that the system's authorities vouch for, with the policy
//! host among its dNSNames (a common name does not count); no redirect is followed; only a reply
//! 200 of type `text/plain` is a policy. Bounds: 64 KiB of policy, headers of hyper's smallest
//! buffer, four addresses, and one deadline for everything.

use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;

use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use openssl::error::ErrorStack;
use openssl::ssl::{SslConnector, SslConnectorBuilder, SslMethod, SslVersion};
use openssl::x509::X509VerifyResult;
use openssl::x509::verify::X509CheckFlags;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_openssl::SslStream;

use crate::protocol::escape::{Escaped, LIMIT};
use crate::validate::dns::{self, Dns};

/// Bytes of the largest policy that is read. The RFC suggests this limit.
const MAX_POLICY: usize = 64 * 1024;

/// Bytes of headers that are read: hyper's minimum.
const MAX_HEADERS: usize = 8192;

/// Addresses of the policy host that are tried. Ours.
const MAX_ADDRESSES: usize = 4;

/// Why there is no policy at the host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The host has no address.
    #[error("the policy host has no address: {0}")]
    Dns(dns::Error),
    /// Nobody listens there.
    #[error("cannot connect to the policy host: {0}")]
    Connect(String),
    /// No TLS, or a certificate that does not do.
    #[error("TLS with the policy host fails: {0}")]
    Tls(String),
    /// No HTTP.
    #[error("the policy host does not speak HTTP: {0}")]
    Http(String),
    /// Another status than 200; a redirect too.
    #[error("the policy host answers with status {0}, and only 200 is a policy")]
    Status(u16),
    /// Another type than `text/plain`.
    #[error("the policy has the media type {0} instead of text/plain")]
    MediaType(String),
    /// Over 64 KiB.
    #[error("the policy is longer than 64 KiB")]
    TooLarge,
    /// Nothing, or not all of it, in time.
    #[error("the policy did not come in time")]
    Timeout,
}

/// Fetches policies.
#[derive(Clone)]
pub struct Fetcher {
    connector: SslConnector,
    port: u16,
    timeout: Duration,
}

impl Fetcher {
    /// With the system's authorities; each policy takes at most so long.
    ///
    /// # Errors
    /// OpenSSL's, when it cannot be set up.
    pub fn new(timeout: Duration) -> Result<Fetcher, ErrorStack> {
        Fetcher::with(443, timeout, |_| Ok(()))
    }

    pub(super) fn with(
        port: u16,
        timeout: Duration,
        adjust: impl FnOnce(&mut SslConnectorBuilder) -> Result<(), ErrorStack>,
    ) -> Result<Fetcher, ErrorStack> {
        let mut builder = SslConnector::builder(SslMethod::tls_client())?;
        builder.set_min_proto_version(Some(SslVersion::TLS1_2))?;
        adjust(&mut builder)?;
        Ok(Fetcher { connector: builder.build(), port, timeout })
    }

    /// Fetches the policy of a domain.
    ///
    /// # Errors
    /// [`Error`]: to a sender without a cached policy it is as if there were none.
    pub async fn fetch(&self, dns: &Dns, domain: &str) -> Result<Vec<u8>, Error> {
        let host = format!("mta-sts.{domain}");
        timeout(self.timeout, self.get(dns, &host)).await.unwrap_or(Err(Error::Timeout))
    }

    async fn get(&self, dns: &Dns, host: &str) -> Result<Vec<u8>, Error> {
        let stream = self.connect(dns, host).await?;
        let stream = self.secure(stream, host).await?;
        let http = |error: hyper::Error| Error::Http(error.to_string());
        let (mut sender, connection) = hyper::client::conn::http1::Builder::new()
            .max_buf_size(MAX_HEADERS)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(http)?;
        // Ends with us, whatever the server does.
        let mut task = JoinSet::new();
        task.spawn(connection);
        let request = Request::get("/.well-known/mta-sts.txt")
            .header(header::HOST, host)
            .header(header::USER_AGENT, "connectord")
            .body(Empty::<Bytes>::new())
            .map_err(|error| Error::Http(error.to_string()))?;
        policy(sender.send_request(request).await.map_err(http)?).await
    }

    async fn connect(&self, dns: &Dns, host: &str) -> Result<TcpStream, Error> {
        let addresses = dns.addresses(host).await.map_err(Error::Dns)?.answer.records;
        let mut reason = Error::Timeout;
        for address in addresses.into_iter().take(MAX_ADDRESSES) {
            let address = SocketAddr::new(address, self.port);
            let share = self.timeout / u32::try_from(MAX_ADDRESSES).unwrap_or(1);
            match timeout(share, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => reason = Error::Connect(error.to_string()),
                Err(_) => reason = Error::Connect("no answer in time".to_owned()),
            }
        }
        Err(reason)
    }

    async fn secure(&self, stream: TcpStream, host: &str) -> Result<SslStream<TcpStream>, Error> {
        let setup = |error: ErrorStack| Error::Tls(error.to_string());
        let mut ssl = self.connector.configure().and_then(|it| it.into_ssl(host)).map_err(setup)?;
        // Set by into_ssl without the second, so after it.
        let flags = X509CheckFlags::NO_PARTIAL_WILDCARDS | X509CheckFlags::NEVER_CHECK_SUBJECT;
        ssl.param_mut().set_hostflags(flags);
        let mut stream = SslStream::new(ssl, stream).map_err(setup)?;
        match Pin::new(&mut stream).connect().await {
            Ok(()) => Ok(stream),
            Err(error) => Err(Error::Tls(match stream.ssl().verify_result() {
                X509VerifyResult::OK => error.to_string(),
                verification => verification.error_string().to_owned(),
            })),
        }
    }
}

async fn policy(response: Response<Incoming>) -> Result<Vec<u8>, Error> {
    if response.status() != StatusCode::OK {
        return Err(Error::Status(response.status().as_u16()));
    }
    let kind = response.headers().get(header::CONTENT_TYPE).map_or(&[][..], |value| value.as_bytes());
    if !is_plain_text(kind) {
        return Err(Error::MediaType(Escaped(kind, LIMIT).to_string()));
    }
    match Limited::new(response.into_body(), MAX_POLICY).collect().await {
        Ok(body) => Ok(body.to_bytes().to_vec()),
        Err(error) if error.is::<LengthLimitError>() => Err(Error::TooLarge),
        Err(error) => Err(Error::Http(error.to_string())),
    }
}

/// `text/plain`, with whatever parameters.
fn is_plain_text(kind: &[u8]) -> bool {
    let kind = kind.split(|byte| *byte == b';').next().unwrap_or_default();
    kind.trim_ascii().eq_ignore_ascii_case(b"text/plain")
}
