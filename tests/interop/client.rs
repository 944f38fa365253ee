//! An SMTP client with any source address and any certificate.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::Arc;

use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrIn, SockaddrIn6, SockaddrLike, bind, connect, socket,
};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme, SupportedProtocolVersion,
};

use crate::certificates::Credentials;
use crate::network::Namespace;
use crate::smtp::Conversation;

/// A session with our mail server.
pub struct Client(Conversation);

impl Client {
    /// Connects from `source` and reads the greeting.
    pub fn connect(network: &Namespace, source: IpAddr, destination: IpAddr) -> Client {
        Client::try_connect(network, source, destination)
            .unwrap_or_else(|error| panic!("{source} to {destination}: {error}"))
    }

    /// The same of a server that may be about to end.
    pub fn try_connect(network: &Namespace, source: IpAddr, destination: IpAddr) -> io::Result<Client> {
        Client::try_connect_at(network, source, SocketAddr::new(destination, 25))
    }

    /// The same at another port.
    pub fn try_connect_at(
        network: &Namespace,
        source: IpAddr,
        destination: SocketAddr,
    ) -> io::Result<Client> {
        let stream = network.enter(|| tcp(source, destination))?;
        let mut client = Client(Conversation::new(stream)?);
        let greeting = client.reply()?;
        assert!(greeting.starts_with("220 "), "{greeting}");
        Ok(client)
    }

    /// Says `line`; the reply: its code and all its words, wherever the server breaks the lines.
    pub fn ask(&mut self, line: &str) -> String {
        self.try_ask(line).unwrap()
    }

    /// The same of a server that may be about to end.
    pub fn try_ask(&mut self, line: &str) -> io::Result<String> {
        self.0.say(line)?;
        self.reply()
    }

    fn reply(&mut self) -> io::Result<String> {
        let mut lines: Vec<String> = Vec::new();
        loop {
            let line = self.0.text()?;
            let last = line.as_bytes().get(3) != Some(&b'-');
            lines.push(line);
            if last {
                return Ok(joined(&lines));
            }
        }
    }

    /// Says `line`, which must be accepted.
    pub fn expect(&mut self, code: &str, line: &str) -> String {
        let reply = self.ask(line);
        assert!(reply.starts_with(code), "{line}: {reply}");
        reply
    }

    /// Whether the server has ended the session.
    pub fn is_closed(&mut self) -> bool {
        self.0.say("NOOP").is_err() || self.0.text().is_err()
    }

    /// Goes on over TLS.
    pub fn starttls(mut self, config: &Arc<ClientConfig>) -> Client {
        self.expect("220", "STARTTLS");
        let name = ServerName::try_from("mail.ours.example").unwrap();
        let connection = ClientConnection::new(config.clone(), name).unwrap();
        Client(self.0.start_tls(connection).unwrap())
    }

    /// After a MAIL and RCPT that were accepted: the reply to DATA, or to the message.
    pub fn data(&mut self) -> String {
        self.message("Subject: interop")
    }

    /// The same with a header of its own.
    pub fn message(&mut self, header: &str) -> String {
        let reply = self.ask("DATA");
        if !reply.starts_with("354") {
            return reply;
        }
        self.ask(&format!("{header}\r\n\r\nGood day\r\n."))
    }

    /// The same without DATA (RFC 3030).
    pub fn chunk(&mut self) -> String {
        const MESSAGE: &str = "Subject: interop\r\n\r\nGood day";
        // The end of the line is sent like that of a command.
        self.ask(&format!("BDAT {} LAST\r\n{MESSAGE}", MESSAGE.len() + 2))
    }
}

/// The lines of a reply as one. Each has the code, and the enhanced one again if the first line has
/// one (RFC 2034 section 4).
fn joined(lines: &[String]) -> String {
    let code = |line: &str| line.get(..3).map(str::to_owned).unwrap_or_else(|| panic!("no reply: {line}"));
    let first = code(&lines[0]);
    let mut whole = lines[0].replacen('-', " ", usize::from(lines.len() > 1));
    let status = whole.split(' ').nth(1).unwrap_or_default();
    let status = if status.split('.').count() == 3 { format!("{status} ") } else { String::new() };
    for line in &lines[1..] {
        assert_eq!(code(line), first, "{lines:?}");
        let text = line.get(4..).unwrap_or_default();
        whole.push(' ');
        whole.push_str(text.strip_prefix(&status).unwrap_or(text));
    }
    whole
}

/// The queue ID in the reply to a message.
pub fn queue_id(reply: &str) -> Option<&str> {
    let (_, id) = reply.strip_prefix("250 ")?.split_once("queued as ")?;
    Some(id.trim())
}

fn tcp(source: IpAddr, destination: SocketAddr) -> io::Result<TcpStream> {
    let family = if source.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let socket = socket(family, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    bind(socket.as_raw_fd(), &*address(SocketAddr::new(source, 0)))?;
    connect(socket.as_raw_fd(), &*address(destination))?;
    Ok(TcpStream::from(socket))
}

fn address(address: SocketAddr) -> Box<dyn SockaddrLike> {
    match address {
        SocketAddr::V4(address) => Box::new(SockaddrIn::from(address)),
        SocketAddr::V6(address) => Box::new(SockaddrIn6::from(address)),
    }
}

/// TLS that shows `credentials`, or no certificate, and speaks `versions` only.
pub fn tls(
    credentials: Option<&Credentials>,
    versions: &[&'static SupportedProtocolVersion],
) -> Arc<ClientConfig> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(versions)
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyServer(provider)));
    Arc::new(match credentials {
        None => builder.with_no_client_auth(),
        Some(credentials) => {
            let (chain, key) = credentials.chain_and_key();
            builder.with_client_auth_cert(chain, key).unwrap()
        }
    })
}

/// Whom the client talks to is not what is tested.
#[derive(Debug)]
struct AnyServer(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyServer {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
