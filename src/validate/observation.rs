//! What was seen at one address of a partner, before anybody judges it.
//!
//! Pure data: made by the probe, read by the judge. Texts of the peer are kept as they came, up to
//! a bound, and are escaped by whoever shows them.

use std::net::IpAddr;
use std::time::Duration;

/// A place that the MTA could deliver to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    /// The host's name as the MTA knows it: from the MX record, before any CNAME, or of the smart
    /// host; an address where the route names one.
    pub host: String,
    /// One of its addresses.
    pub address: IpAddr,
    /// The port.
    pub port: u16,
}

/// How far a session came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// The TCP connection.
    Connect,
    /// The greeting.
    Greeting,
    /// The first EHLO.
    Ehlo,
    /// The STARTTLS command.
    StartTls,
    /// The TLS handshake.
    Handshake,
    /// EHLO over TLS.
    EhloAgain,
    /// MAIL FROM of the test mail.
    Mail,
    /// RCPT TO of the test mail.
    Recipient,
    /// The message itself.
    Data,
}

/// Why a session ended before it was over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The system refused or could not: `Connection refused`.
    System(String),
    /// This machine has no way to the address: it speaks no IPv6, say.
    NoRoute,
    /// Nothing came in time; how long was waited, where that is known.
    Timeout(Option<Duration>),
    /// The peer closed the connection.
    Closed,
    /// A reply that says no, all its lines.
    Reply(String),
    /// What came is no SMTP: too long, or not a reply.
    Protocol(String),
    /// STARTTLS is not among the words of EHLO.
    NotOffered,
    /// The TLS library's reason.
    Tls(String),
}

/// What a TLS session showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSession {
    /// In Postfix's words: `TLSv1.3`.
    pub version: String,
    /// The cipher suite, in OpenSSL's words.
    pub cipher: String,
    /// How long the handshake took.
    pub took: Duration,
    /// The chain as presented, DER, the leaf first; bounded.
    pub chain: Vec<Vec<u8>>,
    /// The OCSP response that was stapled, DER.
    pub stapled: Option<Vec<u8>>,
}

/// What became of the test mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestMail {
    /// The recipients that were accepted.
    pub accepted: Vec<String>,
    /// The recipients that were refused, with the replies.
    pub refused: Vec<(String, String)>,
    /// The reply to the message; `None` when none was sent.
    pub taken: Option<String>,
}

/// What was seen at one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// Where.
    pub target: Target,
    /// The greeting.
    pub greeting: Option<String>,
    /// The words of the first EHLO's reply.
    pub capabilities: Vec<String>,
    /// The TLS session, if there was one.
    pub tls: Option<TlsSession>,
    /// The test mail, if one was wanted here.
    pub mail: Option<TestMail>,
    /// What ended the session early, and at which stage.
    pub trouble: Option<(Stage, Trouble)>,
}
