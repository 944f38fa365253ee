//! The partner's mail servers: one address each (in both families), one behaviour each, one mailbox together.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use nix::sys::socket::{Shutdown, shutdown};
use openssl::ssl::SslContext;
use rustls::{ServerConfig, ServerConnection};

use crate::network::{Namespace, partner_address, partner_address_v6};
use crate::smtp::{Conversation, Session};

/// What a server does about STARTTLS.
#[derive(Clone)]
pub enum Starttls {
    Works(Arc<ServerConfig>),
    /// The same by OpenSSL, which shows any certificate.
    Shows(SslContext),
    /// EHLO does not offer it.
    Absent,
    /// Offered, and refused with 454.
    Refused,
    /// Offered, accepted with 220, and then there is no TLS.
    Broken,
}

/// A mail server of the partner.
#[derive(Clone)]
pub struct Host {
    pub name: String,
    /// The last number of its address.
    pub number: u8,
    pub starttls: Starttls,
}

/// The ports of every host.
const PORTS: [u16; 3] = [25, 587, 2525];

/// The port at which every host offers PIPELINING and CHUNKING too.
pub const MODERN_PORT: u16 = 2525;

/// A message that a partner's host has taken.
#[derive(Clone, Debug)]
pub struct Mail {
    pub host: String,
    pub port: u16,
    /// As in MAIL FROM, and as in RCPT TO.
    pub sender: String,
    pub recipients: Vec<String>,
    /// None: in plaintext.
    pub tls: Option<Session>,
    pub bytes: usize,
    /// The message as it came.
    pub text: String,
    /// Whether it came by BDAT.
    pub chunked: bool,
    /// The connection that brought it: no two have one number.
    pub connection: usize,
}

/// The next connection.
static CONNECTIONS: AtomicUsize = AtomicUsize::new(0);

/// A command that a partner's host was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    pub host: String,
    /// In capitals.
    pub verb: String,
}

/// What all hosts of the partner have seen.
#[derive(Default)]
struct Seen {
    mail: Vec<Mail>,
    commands: Vec<Command>,
    /// Sessions under way, and the most that there were at a time.
    sessions: usize,
    most_sessions: usize,
}

type Book = Arc<Mutex<Seen>>;

/// How many more messages are answered that hosts have taken; the client of the next one waits.
struct Gate {
    answers: Mutex<usize>,
    changed: Condvar,
}

impl Gate {
    fn pass(&self) {
        let closed = self.answers.lock().unwrap();
        let mut answers = self.changed.wait_while(closed, |answers| *answers == 0).unwrap();
        *answers -= 1;
    }
}

/// The mailbox that no host has.
pub const NOBODY: &str = "nobody";

/// All hosts of the partner, listening.
pub struct Partner {
    listeners: Vec<TcpListener>,
    book: Book,
    gate: Arc<Gate>,
}

impl Partner {
    pub fn start(network: &Namespace, hosts: &[Host]) -> Partner {
        let gate = Gate { answers: Mutex::new(usize::MAX), changed: Condvar::new() };
        let mut partner = Partner { listeners: Vec::new(), book: Book::default(), gate: gate.into() };
        for host in hosts {
            for address in [partner_address(host.number), partner_address_v6(host.number)] {
                for port in PORTS {
                    partner.listen(network, host, SocketAddr::new(address, port), Duration::ZERO);
                }
            }
        }
        partner
    }

    /// Lets a host listen at an address of its own, and think for so long before each reply.
    pub fn listen(&mut self, network: &Namespace, host: &Host, address: SocketAddr, latency: Duration) {
        let listener = network.enter(|| TcpListener::bind(address)).unwrap();
        self.listeners.push(listener.try_clone().unwrap());
        let (host, book, gate) = (host.clone(), self.book.clone(), self.gate.clone());
        thread::spawn(move || {
            for stream in listener.incoming() {
                // Fails when the listener was shut down.
                let Ok(stream) = stream else { return };
                let (host, book, gate) = (host.clone(), book.clone(), gate.clone());
                thread::spawn(move || {
                    enter(&book);
                    // A client that goes away in the middle is no failure of the lab.
                    let _ = converse(&host, address.port(), stream, latency, &book, &gate);
                    book.lock().unwrap().sessions -= 1;
                });
            }
        });
    }

    /// Answers so many more messages, at the end of their DATA, and lets the client of the next one wait; all that have
    /// come so far are answered.
    pub fn answer(&self, messages: usize) {
        *self.gate.answers.lock().unwrap() = messages;
        self.gate.changed.notify_all();
    }

    /// What was delivered so far.
    pub fn mail(&self) -> Vec<Mail> {
        self.book.lock().unwrap().mail.clone()
    }

    /// What was said so far, in no order between sessions.
    pub fn commands(&self) -> Vec<Command> {
        self.book.lock().unwrap().commands.clone()
    }

    /// The most sessions that there were at a time.
    pub fn most_sessions(&self) -> usize {
        self.book.lock().unwrap().most_sessions
    }
}

/// Counts a session that begins.
fn enter(book: &Mutex<Seen>) {
    let mut seen = book.lock().unwrap();
    seen.sessions += 1;
    seen.most_sessions = seen.most_sessions.max(seen.sessions);
}

impl Drop for Partner {
    fn drop(&mut self) {
        for listener in &self.listeners {
            let _ = shutdown(listener.as_raw_fd(), Shutdown::Both);
        }
    }
}

fn converse(
    host: &Host,
    port: u16,
    stream: TcpStream,
    latency: Duration,
    book: &Mutex<Seen>,
    gate: &Gate,
) -> io::Result<()> {
    let connection = CONNECTIONS.fetch_add(1, Ordering::Relaxed);
    let mut client = Conversation::new(stream)?;
    thread::sleep(latency);
    let mut tls: Option<Session> = None;
    let mut recipients = Vec::new();
    let mut text = Vec::new();
    let mut sender = String::new();
    let keep = |tls: &Option<Session>, sender: &str, recipients: &mut Vec<String>, text: &[u8], chunked| {
        book.lock().unwrap().mail.push(Mail {
            host: host.name.clone(),
            port,
            sender: sender.to_owned(),
            recipients: std::mem::take(recipients),
            tls: tls.clone(),
            bytes: text.len(),
            text: String::from_utf8_lossy(text).into_owned(),
            chunked,
            connection,
        });
    };
    client.say(&format!("220 {} ESMTP", host.name))?;
    loop {
        let line = client.text()?;
        let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
        book.lock().unwrap().commands.push(Command { host: host.name.clone(), verb: verb.clone() });
        thread::sleep(latency);
        match verb.as_str() {
            "EHLO" => {
                client.say(&format!("250-{}", host.name))?;
                if tls.is_none() && !matches!(host.starttls, Starttls::Absent) {
                    client.say("250-STARTTLS")?;
                }
                if port == MODERN_PORT {
                    client.say("250-PIPELINING")?;
                    client.say("250-CHUNKING")?;
                }
                client.say("250-8BITMIME")?;
                client.say("250 SMTPUTF8")?;
            }
            "STARTTLS" => match &host.starttls {
                Starttls::Works(config) => {
                    client.say("220 2.0.0 go ahead")?;
                    let server = ServerConnection::new(config.clone()).map_err(io::Error::other)?;
                    let (encrypted, session) = client.accept_tls(server)?;
                    client = encrypted;
                    tls = Some(session);
                }
                Starttls::Shows(context) => {
                    client.say("220 2.0.0 go ahead")?;
                    let (encrypted, session) = client.accept_openssl(context)?;
                    client = encrypted;
                    tls = Some(session);
                }
                Starttls::Absent => client.say("502 5.5.1 not implemented")?,
                Starttls::Refused => client.say("454 4.7.0 TLS not available")?,
                Starttls::Broken => {
                    client.say("220 2.0.0 go ahead")?;
                    return client.break_handshake();
                }
            },
            "MAIL" => {
                sender = address(&line);
                recipients.clear();
                text.clear();
                client.say("250 2.1.0 ok")?;
            }
            "RCPT" => {
                let address = address(&line);
                if address.starts_with(&format!("{NOBODY}@")) {
                    client.say("550 5.1.1 no such user here")?;
                } else {
                    recipients.push(address);
                    client.say("250 2.1.5 ok")?;
                }
            }
            "DATA" => {
                client.say("354 go ahead")?;
                loop {
                    let line = client.line()?;
                    if line == b"." {
                        break;
                    }
                    text.extend(line);
                    text.extend(b"\r\n");
                }
                thread::sleep(latency);
                keep(&tls, &sender, &mut recipients, &text, false);
                gate.pass();
                client.say("250 2.0.0 taken")?;
            }
            // RFC 3030: BDAT <octets> [LAST], and the octets right behind.
            "BDAT" => {
                let mut words = line.split(' ').skip(1);
                let size: usize = words.next().and_then(|word| word.parse().ok()).unwrap_or_default();
                text.extend(client.octets(size)?);
                if words.next() == Some("LAST") {
                    keep(&tls, &sender, &mut recipients, &text, true);
                }
                client.say("250 2.0.0 taken")?;
            }
            "QUIT" => {
                client.say("221 2.0.0 bye")?;
                return Ok(());
            }
            "RSET" | "NOOP" => client.say("250 2.0.0 ok")?,
            _ => client.say("500 5.5.2 what?")?,
        }
    }
}

/// What is between the first < and the last >.
fn address(line: &str) -> String {
    let address = line.split_once('<').and_then(|(_, rest)| rest.rsplit_once('>'));
    address.map(|(address, _)| address.to_owned()).unwrap_or_default()
}
