//! A visit to one address, as the MTA would make it: greeting, EHLO, STARTTLS, handshake, EHLO.
//!
//! With a [`TestMail`] in the plan, that mail goes over the very session that was seen; without
//! one, no MAIL FROM is ever sent, and none before TLS is established. Judging is left to others,
//! but [`TestMail::claim`] lets one of them decide, once the session has been seen, whether the
//! mail goes here.
//!
//! Every step has a limit, and the whole visit too. The session ends with QUIT, whose answer is
//! not waited for (Postfix's `smtp_skip_quit_response`). Where the handshake fails and the connector
//! asks for more than `encrypt` does by itself, a second visit at that level looks at what the peer
//! has; it carries no mail.

use std::net::{IpAddr, Ipv6Addr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::handshake::{self, Settings};
use super::message::Message;
use super::observation::{Observation, Stage, Target, TestMail as Outcome, Trouble};
use super::smtp::{Conversation, Limits, Reply, of_io};

/// Words of EHLO's reply that are kept.
const MAX_CAPABILITIES: usize = 50;

/// A port to which nothing is sent (RFC 863).
const DISCARD: u16 = 9;

/// How a visit goes.
#[derive(Clone)]
pub struct Plan {
    /// How the handshake is made.
    pub settings: Settings,
    /// The name for EHLO, which Postfix has in `smtp_helo_name`.
    pub helo: String,
    /// The test mail, where one is wanted.
    pub mail: Option<TestMail>,
    /// How long one step may take.
    pub step: Duration,
    /// How long all of it may take.
    pub whole: Duration,
}

/// Decides whether the test mail goes over the session that was seen.
pub type Claim = Arc<dyn Fn(&Observation) -> bool + Send + Sync>;

/// A test mail to be sent.
#[derive(Clone)]
pub struct TestMail {
    /// The envelope sender; empty for the null sender.
    pub sender: String,
    /// Who gets it.
    pub recipients: Vec<String>,
    /// Only ask for the recipients, and send no message.
    pub no_data: bool,
    /// The message.
    pub message: Message,
    /// Asked after the second EHLO; absent, the mail goes wherever there is TLS.
    pub claim: Option<Claim>,
}

/// What ended a visit.
type Ended = (Stage, Trouble);

/// Visits one address. Never longer than `plan.whole`, twice that where the handshake failed.
pub async fn probe(target: &Target, plan: &Plan) -> Observation {
    let mut seen = Observation {
        target: target.clone(),
        greeting: None,
        capabilities: Vec::new(),
        tls: None,
        mail: None,
        trouble: None,
    };
    seen.trouble = visit(target, plan, &mut seen).await.err();
    let refused = matches!(seen.trouble, Some((Stage::Handshake, Trouble::Tls(_) | Trouble::Closed)));
    let Settings { level, min_version, ciphers, .. } = &plan.settings;
    if refused && (handshake::judges_peer(*level) || min_version.is_some() || ciphers.is_some()) {
        let laxer = Plan { settings: plan.settings.laxest(), mail: None, ..plan.clone() };
        let mut second = Observation { trouble: None, ..seen.clone() };
        let _ = visit(target, &laxer, &mut second).await;
        seen.tls = second.tls;
    }
    seen
}

async fn visit(target: &Target, plan: &Plan, seen: &mut Observation) -> Result<(), Ended> {
    let now = Instant::now();
    let limits = Limits { step: plan.step, until: now.checked_add(plan.whole).unwrap_or(now) };
    let connected = limits.in_time(TcpStream::connect((target.address, target.port))).await;
    let stream = connected
        .and_then(|connected| {
            connected
                .map_err(|error| if has_route(target.address) { of_io(&error) } else { Trouble::NoRoute })
        })
        .map_err(|trouble| (Stage::Connect, trouble))?;
    // Commands are small, and each waits for its reply. Without it things are slower, that is all.
    let _ = stream.set_nodelay(true);
    converse(stream, plan, limits, seen).await
}

/// Whether this machine knows a way to an IPv6 address. A router on the way that knows none makes the
/// same error of a connection, and that would be the partner's; connecting a datagram socket asks our
/// own tables alone, and sends nothing. Every machine is expected to speak IPv4.
fn has_route(address: IpAddr) -> bool {
    let Ok(socket) = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)) else { return address.is_ipv4() };
    address.is_ipv4() || socket.connect((address, DISCARD)).is_ok()
}

/// The conversation over a connection of any kind.
async fn converse<S>(stream: S, plan: &Plan, limits: Limits, seen: &mut Observation) -> Result<(), Ended>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let at = |stage| move |trouble| (stage, trouble);
    let mut plain = Conversation::new(stream, limits);
    let greeting = plain.reply().await.map_err(at(Stage::Greeting))?;
    seen.greeting = Some(greeting.text());
    greeting.positive().map_err(at(Stage::Greeting))?;
    let hello = hello(&mut plain, &plan.helo).await.map_err(at(Stage::Ehlo))?;
    seen.capabilities = hello.lines.iter().skip(1).take(MAX_CAPABILITIES).cloned().collect();
    if !hello.lines.iter().skip(1).any(|line| offers_starttls(line)) {
        quit(&mut plain).await;
        return Err((Stage::StartTls, Trouble::NotOffered));
    }
    let go = plain.command("STARTTLS").await.and_then(Reply::positive);
    if let Err(trouble) = go {
        quit(&mut plain).await;
        return Err((Stage::StartTls, trouble));
    }
    let shaken = limits.in_time(handshake::shake(plain.into_stream(), &plan.settings)).await;
    let (stream, session) = shaken.unwrap_or_else(Err).map_err(at(Stage::Handshake))?;
    seen.tls = Some(session);
    let mut secret = Conversation::new(stream, limits);
    let again = self::hello(&mut secret, &plan.helo).await.map_err(at(Stage::EhloAgain))?;
    debug_assert!(again.is_positive());
    let wanted = plan.mail.as_ref().filter(|mail| mail.claim.as_ref().is_none_or(|claim| claim(seen)));
    if let Some(mail) = wanted {
        deliver(&mut secret, mail, seen).await?;
    }
    quit(&mut secret).await;
    Ok(())
}

/// smtp_proto.c: one word of a line of its own, in any case.
fn offers_starttls(line: &str) -> bool {
    line.split([' ', '\t', '=']).next().is_some_and(|word| word.eq_ignore_ascii_case("STARTTLS"))
}

/// EHLO and, where that is unknown, HELO, as Postfix goes on (smtp_proto.c:smtp_helo).
async fn hello<S>(peer: &mut Conversation<S>, name: &str) -> Result<Reply, Trouble>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let reply = peer.command(&format!("EHLO {name}")).await?;
    if reply.code < 500 {
        return reply.positive();
    }
    let reply = peer.command(&format!("HELO {name}")).await?.positive()?;
    Ok(Reply { lines: reply.lines.into_iter().take(1).collect(), ..reply })
}

/// The answer would only say good-bye.
async fn quit<S: AsyncRead + AsyncWrite + Unpin>(peer: &mut Conversation<S>) {
    let _ = peer.send(b"QUIT\r\n").await;
}

async fn deliver<S>(peer: &mut Conversation<S>, mail: &TestMail, seen: &mut Observation) -> Result<(), Ended>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let outcome = seen.mail.insert(Outcome { accepted: Vec::new(), refused: Vec::new(), taken: None });
    if !is_path(&mail.sender) && !mail.sender.is_empty() {
        return Err((Stage::Mail, Trouble::Protocol("the sender is no address that can be sent".to_owned())));
    }
    let from = format!("MAIL FROM:<{}>", mail.sender);
    peer.command(&from).await.and_then(Reply::positive).map_err(|trouble| (Stage::Mail, trouble))?;
    for recipient in &mail.recipients {
        if !is_path(recipient) {
            outcome.refused.push((recipient.clone(), "no address that can be sent".to_owned()));
            continue;
        }
        let reply = peer.command(&format!("RCPT TO:<{recipient}>")).await;
        let reply = reply.map_err(|trouble| (Stage::Recipient, trouble))?;
        if reply.is_positive() {
            outcome.accepted.push(recipient.clone());
        } else {
            outcome.refused.push((recipient.clone(), reply.text()));
        }
    }
    if mail.no_data || outcome.accepted.is_empty() {
        return Ok(());
    }
    let go = peer.command("DATA").await.map_err(|trouble| (Stage::Data, trouble))?;
    if go.code != 354 {
        return Err((Stage::Data, Trouble::Reply(go.text())));
    }
    let bytes = mail.message.bytes(&outcome.accepted);
    peer.send(&bytes).await.map_err(|trouble| (Stage::Data, trouble))?;
    let taken = peer.reply().await.map_err(|trouble| (Stage::Data, trouble))?;
    outcome.taken = Some(taken.text());
    taken.positive().map_err(|trouble| (Stage::Data, trouble))?;
    Ok(())
}

/// Whether a text can stand in an SMTP path without becoming something else. ASCII alone: SMTPUTF8
/// is not spoken here.
fn is_path(address: &str) -> bool {
    (1..=254).contains(&address.len())
        && address.contains('@')
        && address.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'<' | b'>'))
}

#[cfg(test)]
#[path = "probe_tests.rs"]
mod tests;
