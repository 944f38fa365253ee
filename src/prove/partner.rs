//! The partner's mail servers: at every address, and all of one behaviour while they stand.
//!
//! They serve the copy of the MTA and nobody else, in a network of their own; their bounds are against a mistake of
//! ours. What they take is kept without its text.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use nix::sys::socket::{Shutdown, shutdown};
use openssl::error::ErrorStack;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{SslContext, SslMethod, SslVersion};

use super::atlas::Atlas;
use super::authority::{Credentials, Validity, key};
use super::conversation::{Conversation, Wire};
use super::network::Namespace;
use super::server::Server;

/// Who vouches for whom in a proof.
pub struct Authorities {
    /// The one that is trusted beside those of the system.
    pub system: Credentials,
    /// The one that is trusted beside a connector's own.
    pub own: Credentials,
    /// One that it does not.
    pub unknown: Credentials,
    /// The key of every right server.
    pub right: PKey<Private>,
}

/// Mail that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// The host.
    pub host: String,
    /// In the words of OpenSSL; `None`: in plaintext.
    pub tls: Option<String>,
    /// The number of the probe.
    pub probe: usize,
    /// The domains of its recipients.
    pub domains: Vec<String>,
}

/// Recipients of a message that are kept: a probe has one.
const RECIPIENTS: usize = 100;

/// Nobody waits as long for the copy of an MTA.
const PATIENCE: Duration = Duration::from_secs(60);

/// What all servers of a round have in common.
struct Shared {
    server: Server,
    atlas: Arc<Atlas>,
    authorities: Arc<Authorities>,
    contexts: Mutex<HashMap<String, SslContext>>,
    mail: Mutex<Vec<Mail>>,
    asked: Mutex<BTreeSet<String>>,
}

/// The servers of a round. They end when this is dropped.
pub struct Partner {
    listeners: Vec<TcpListener>,
    shared: Arc<Shared>,
}

impl Partner {
    /// Listens at these ports of all addresses of a network.
    ///
    /// # Errors
    /// What the system says.
    pub fn start(
        network: &Namespace,
        ports: &BTreeSet<u16>,
        server: Server,
        atlas: Arc<Atlas>,
        authorities: Arc<Authorities>,
    ) -> io::Result<Partner> {
        let (contexts, mail, asked) = Default::default();
        let shared = Arc::new(Shared { server, atlas, authorities, contexts, mail, asked });
        let mut partner = Partner { listeners: Vec::new(), shared };
        for port in ports {
            // One socket for both families would need neither to be switched off on this machine.
            for any in [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)] {
                let listener = network.enter(|| TcpListener::bind(SocketAddr::new(any, *port)))?;
                match listener {
                    Ok(listener) => partner.listen(listener)?,
                    // The first of the two may be for both; and IPv6 may be off.
                    Err(_) if any.is_ipv6() => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(partner)
    }

    fn listen(&mut self, listener: TcpListener) -> io::Result<()> {
        self.listeners.push(listener.try_clone()?);
        let shared = Arc::clone(&self.shared);
        thread::spawn(move || {
            for stream in listener.incoming() {
                // Fails when the listener was shut down.
                let Ok(stream) = stream else { return };
                let shared = Arc::clone(&shared);
                // A client that goes away in the middle is no failure of a proof.
                thread::spawn(move || drop(shared.converse(stream)));
            }
        });
        Ok(())
    }

    /// Hosts that were spoken to so far.
    pub fn asked(&self) -> BTreeSet<String> {
        self.shared.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// All mail so far.
    pub fn mail(&self) -> Vec<Mail> {
        self.shared.mail.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Partner {
    fn drop(&mut self) {
        for listener in &self.listeners {
            let _ = shutdown(listener.as_raw_fd(), Shutdown::Both);
        }
    }
}

impl Shared {
    /// One session, to its end.
    fn converse(&self, stream: TcpStream) -> io::Result<()> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let host = self.atlas.host(stream.local_addr()?.ip());
        let mut client = Conversation::new(Wire::Plain(stream));
        let (mut tls, mut domains) = (None, Vec::new());
        client.say(&format!("220 {host} ESMTP"))?;
        loop {
            let line = client.line()?;
            let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
            match verb.as_str() {
                "EHLO" => {
                    self.asked.lock().unwrap_or_else(PoisonError::into_inner).insert(host.clone());
                    client.say(&format!("250-{host}"))?;
                    // As a device on the way does it that wants to read along.
                    let offer = if self.server == Server::Stripped { "250-XXXXXXXA" } else { "250-STARTTLS" };
                    if tls.is_none() && self.server != Server::NoStarttls {
                        client.say(offer)?;
                    }
                    client.say("250-8BITMIME")?;
                    client.say("250 SMTPUTF8")?;
                }
                "HELO" => client.say(&format!("250 {host}"))?,
                "STARTTLS" => match self.server {
                    Server::NoStarttls | Server::Stripped => client.say("502 5.5.1 not implemented")?,
                    Server::Refused => client.say("454 4.7.0 TLS not available")?,
                    Server::Broken => {
                        client.say("220 2.0.0 go ahead")?;
                        return client.break_off();
                    }
                    Server::Right
                    | Server::SelfSigned
                    | Server::UnknownAuthority
                    | Server::SystemAuthority
                    | Server::Expired
                    | Server::WrongName
                    | Server::OwnName
                    | Server::Misled
                    | Server::NoTlsa
                    | Server::Tls12
                    | Server::OldTls => {
                        client.say("220 2.0.0 go ahead")?;
                        let (encrypted, version) = client.accept(&self.context(&host)?)?;
                        client = encrypted;
                        tls = Some(version);
                    }
                },
                "MAIL" => {
                    domains.clear();
                    client.say("250 2.1.0 ok")?;
                }
                "RCPT" if domains.len() == RECIPIENTS => client.say("452 4.5.3 too many")?,
                "RCPT" => {
                    domains.push(domain(&line));
                    client.say("250 2.1.5 ok")?;
                }
                "DATA" => {
                    client.say("354 go ahead")?;
                    if let Some(probe) = client.message()? {
                        let mut mail = self.mail.lock().unwrap_or_else(PoisonError::into_inner);
                        let (host, tls, domains) = (host.clone(), tls.clone(), std::mem::take(&mut domains));
                        mail.push(Mail { host, tls, probe, domains });
                    }
                    client.say("250 2.0.0 taken")?;
                }
                "QUIT" => {
                    client.say("221 2.0.0 bye")?;
                    return client.end();
                }
                // What was said before is forgotten with the next MAIL.
                "RSET" | "NOOP" => client.say("250 2.0.0 ok")?,
                _ => client.say("500 5.5.2 what?")?,
            }
        }
    }

    /// How TLS is spoken at a host.
    fn context(&self, host: &str) -> io::Result<SslContext> {
        let mut contexts = self.contexts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(context) = contexts.get(host) {
            return Ok(context.clone());
        }
        let context = self.new_context(host).map_err(io::Error::other)?;
        contexts.insert(host.to_owned(), context.clone());
        Ok(context)
    }

    fn new_context(&self, host: &str) -> Result<SslContext, ErrorStack> {
        let Authorities { system, own, unknown, right } = &*self.authorities;
        let shown = self.atlas.shown(host);
        let trusted = if shown.has_own_authority { own } else { system };
        let is_partners = self.atlas.is_partners(host);
        let shows = match self.server {
            Server::SelfSigned => Credentials::self_signed(&shown.right)?,
            Server::UnknownAuthority => unknown.issue(&shown.right, Validity::Now, key()?)?,
            Server::SystemAuthority => system.issue(&shown.right, Validity::Now, key()?)?,
            Server::Expired => trusted.issue(&shown.right, Validity::Past, key()?)?,
            Server::OwnName => trusted.issue(&shown.own, Validity::Now, key()?)?,
            // Where the records lead; a smart host that was not led to shows what a stranger does.
            Server::Misled if !is_partners => trusted.issue(&shown.own, Validity::Now, key()?)?,
            Server::WrongName | Server::Misled => trusted.issue(&shown.strange, Validity::Now, key()?)?,
            Server::Right
            | Server::NoTlsa
            | Server::Tls12
            | Server::OldTls
            | Server::NoStarttls
            | Server::Stripped
            | Server::Refused
            | Server::Broken => trusted.issue(&shown.right, Validity::Now, right.clone())?,
        };
        let mut context = SslContext::builder(SslMethod::tls_server())?;
        if self.server == Server::OldTls {
            context.set_security_level(0);
            context.set_min_proto_version(Some(SslVersion::TLS1))?;
            context.set_max_proto_version(Some(SslVersion::TLS1_1))?;
        }
        if self.server == Server::Tls12 {
            context.set_max_proto_version(Some(SslVersion::TLS1_2))?;
        }
        context.set_certificate(&shows.certificate)?;
        context.set_private_key(&shows.key)?;
        Ok(context.build())
    }
}

/// The domain of `RCPT TO:<u@a.example> NOTIFY=..` (RFC 5321 section 4.1.1.3); empty: none.
fn domain(line: &str) -> String {
    let path = line.split_once('<').map_or("", |(_, path)| path);
    // What is before may be quoted, and then have anything in it.
    let address = path.rsplit_once('>').map_or("", |(address, _)| address);
    let domain = address.rsplit_once('@').map_or("", |(_, domain)| domain);
    domain.trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_domain_of_a_recipient_is_read() {
        for (line, expected) in [
            ("RCPT TO:<u@A.example.>", "a.example"),
            ("RCPT TO:<\"u>@b\"@a.example> NOTIFY=NEVER ORCPT=rfc822;u@c.example", "a.example"),
            ("rcpt to: <u@a.example>", "a.example"),
            ("RCPT TO:<postmaster>", ""),
            ("RCPT TO:", ""),
        ] {
            assert_eq!(domain(line), expected, "{line}");
        }
    }
}
