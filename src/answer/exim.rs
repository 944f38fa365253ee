//! Answers to Exim: the same connectors, asked in another way.
//!
//! A router asks `out` for the recipient's domain before a delivery, a transport asks `cert` about
//! the certificate that it was shown, and ACLs ask about mail that comes in. Which connector
//! applies is found as for Postfix; what it answers was rendered at load
//! ([`crate::snapshot::exim`]). What cannot be decided is never `tls=default`: Exim is told to wait.

use std::borrow::Cow;

use super::inbound::{self, Decision};
use super::outbound::{domain_hit, host_answer, users};
use super::{Answered, Applied, By, Lookup, Refusal, Reported, Verdict};
use crate::model::Requirement;
use crate::model::certificate::Certificate;
use crate::model::domain;
use crate::model::host::{self, Key, KeyHost};
use crate::model::judgement::{self, Objection};
use crate::model::outbound::Route;
use crate::model::pattern::Entry;
use crate::protocol::exim::Answer;
use crate::snapshot::exim::{EximPolicy, Transport, deferral};
use crate::snapshot::{OutboundSide, Snapshot};

/// The answer when no connector applies: the site's own routers go on.
const DEFAULT: &str = "status=ok tls=default end=ok";

/// The answer to `out`.
#[derive(Clone, Copy)]
#[must_use]
pub enum Reply<'s> {
    /// This connector applies.
    Policy(&'s EximPolicy),
    /// None does.
    Default,
    /// The question makes no sense; Exim keeps the mail.
    Temp(Refusal),
}

impl Answered for Reply<'_> {
    fn words(&self) -> (&'static str, Cow<'_, str>) {
        match self {
            Reply::Policy(policy) => ("", Cow::Borrowed(&policy.answer)),
            Reply::Default => ("", Cow::Borrowed(DEFAULT)),
            Reply::Temp(refusal) => ("", Cow::Owned(deferral(&refusal.to_string()))),
        }
    }

    fn verdict(&self) -> Verdict {
        match self {
            Reply::Policy(policy) if policy.gap.is_some() => Verdict::Temp,
            Reply::Policy(_) => Verdict::Ok,
            Reply::Default => Verdict::NotFound,
            Reply::Temp(_) => Verdict::Temp,
        }
    }

    fn refusal(&self) -> Option<Refusal> {
        match self {
            Reply::Policy(_) | Reply::Default => None,
            Reply::Temp(refusal) => Some(*refusal),
        }
    }
}

/// Answers `out`: what mail to a recipient's domain is owed, and the way that it takes.
///
/// Postfix asks with the domain as a key, and so a domain that is also somebody's smart host gets the
/// join of both; here too. Only one whose own connector has smart hosts goes there instead.
///
/// A connector for `*` is not about our own domains: Exim gets the way together with the
/// requirement, and mail to us would be sent out by MX records, which may lead back to us. One
/// that names such a domain is about it, as it is for Postfix.
pub fn out<'s>(snapshot: &'s Snapshot, domain: &[u8]) -> Lookup<'s, Reply<'s>> {
    let key = match recipient_domain(domain) {
        Ok(host) => Key { bare: matches!(host, KeyHost::Name(_)), host },
        Err(refusal) => return Lookup::of(Reply::Temp(refusal)),
    };
    let is_own = match &key.host {
        KeyHost::Name(name) => snapshot.mta().own_domains.covers_name(name),
        KeyHost::Address(_) => false,
    };
    let all = snapshot.outbound();
    let find = |side: &'s OutboundSide| {
        domain_hit(side, all, &key.host).filter(|(hit, _)| !is_own || hit.entry != Entry::Any)
    };
    let by_domain = |(hit, connector)| Applied { connector, by: By::Domain(hit) };
    let mut lookup = Lookup::of(Reply::Default);
    let own = find(snapshot.enforced());
    // As in the map `transport`, `*` has none.
    let has_way =
        own.is_some_and(|(hit, connector)| hit.entry != Entry::Any && connector.agreement.route != Route::Mx);
    match (host_answer(snapshot.enforced(), &key), own) {
        (Some(answer), own) if !has_way => {
            lookup.reply = Reply::Policy(&answer.exim);
            lookup.applies.extend(users(all, answer, own));
        }
        (_, Some(own)) => {
            lookup.reply = Reply::Policy(&own.1.exim);
            lookup.applies.push(by_domain(own));
        }
        (_, None) => {}
    }
    if let Some(applied) = find(snapshot.reported()).map(by_domain) {
        lookup.report.push(Reported { would_reply: Reply::Policy(&applied.connector.exim), applied });
    }
    lookup
}

/// The domain of a recipient: a name, or an address in brackets (RFC 5321 section 4.1.3).
fn recipient_domain(domain: &[u8]) -> Result<KeyHost<'_>, Refusal> {
    if domain.is_empty() {
        return Err(Refusal::Empty);
    }
    let text = std::str::from_utf8(domain).map_err(|_| Refusal::NotUtf8)?;
    let Some(rest) = text.strip_prefix('[') else {
        let name = domain::normalise(text).map_err(host::Error::from)?;
        return Ok(KeyHost::Name(name));
    };
    let literal = rest.strip_suffix(']').ok_or(Refusal::Key(host::Error::Bracket))?;
    match KeyHost::parse(literal)? {
        address @ KeyHost::Address(_) => Ok(address),
        KeyHost::Name(_) => Err(Refusal::Key(host::Error::Bracket)),
    }
}

/// A question about a certificate, as it was asked.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The recipient's domain.
    pub domain: &'a [u8],
    /// The host that is connected to.
    pub host: &'a [u8],
    /// The answer to `out` that the delivery goes by.
    pub answer: &'a [u8],
    /// The leaf certificate that the host shows, in DER.
    pub der: &'a [u8],
}

/// The verdict about a partner's certificate, with the connector that asked for it.
#[derive(Debug)]
#[must_use]
pub struct Judged<'s> {
    /// Whether it is the one.
    pub verdict: Result<(), Refused>,
    /// The connector in force for the domain, if there is one.
    pub applies: Option<Applied<'s>>,
}

/// Why a partner's certificate is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The question makes no sense.
    #[error("{0}")]
    Question(#[from] Refusal),
    /// The delivery goes by an answer that is no longer given.
    #[error("the connectors have changed since this delivery began")]
    Changed,
    /// Not one certificate.
    #[error("not a certificate that can be read")]
    Unreadable,
    /// A certificate, and not the one.
    #[error("{0}")]
    Objection(Objection),
}

impl Judged<'_> {
    /// What Exim is told, without the line feed: exactly `ok`, or anything else.
    pub fn payload(&self) -> Cow<'static, str> {
        match &self.verdict {
            Ok(()) => Cow::Borrowed("ok"),
            Err(refused) => Cow::Owned(format!("no: {refused}")),
        }
    }

    /// The word of the verdict in logs and in JSON.
    pub fn word(&self) -> &'static str {
        if self.verdict.is_ok() { "ok" } else { "refused" }
    }
}

/// Answers `cert`: whether a leaf certificate is the one that the connector asks for.
///
/// The delivery must go by the very answer that is given now. Otherwise the transport that asks
/// may not be the one that the connector wants: one that checks no chain, say.
///
/// Where Exim judges the chain, it does not ask what the certificate may be used for (measured with
/// GnuTLS 3.7 and 3.8), and Postfix does: so that is judged here. Exim compares the host's name
/// itself, with the one that it has had before an alias.
pub fn certificate<'s>(snapshot: &'s Snapshot, question: &Question<'_>) -> Judged<'s> {
    let Lookup { reply, applies, .. } = out(snapshot, question.domain);
    let applies = applies.into_iter().next();
    let verdict = match (reply, &applies) {
        (Reply::Policy(policy), Some(applied)) => {
            let requirement = policy.joined.as_deref().unwrap_or(&applied.connector.agreement.requirement);
            judge(policy, requirement, question)
        }
        (Reply::Temp(refusal), _) => Err(Refused::Question(refusal)),
        (Reply::Policy(_) | Reply::Default, _) => Err(Refused::Changed),
    };
    Judged { verdict, applies }
}

fn judge(policy: &EximPolicy, requirement: &Requirement, question: &Question<'_>) -> Result<(), Refused> {
    // `${readsocket}` puts a blank where the line feed was.
    if question.answer.trim_ascii_end() != policy.answer.as_bytes() {
        return Err(Refused::Changed);
    }
    let leaf = Certificate::from_der(question.der).map_err(|_| Refused::Unreadable)?;
    let name = |bytes| {
        let text = std::str::from_utf8(bytes).unwrap_or_default();
        domain::normalise(text).unwrap_or_default()
    };
    let judged = match policy.transport {
        Transport::Host => judgement::server(&leaf),
        Transport::Cert => judgement::server(&leaf)
            .and_then(|()| judgement::leaf(requirement, &leaf, &name(question.domain), &name(question.host))),
        Transport::Pin => judgement::leaf(requirement, &leaf, &name(question.domain), &name(question.host)),
        // These ask for no certificate: whoever asks has no reason to.
        Transport::May | Transport::Encrypt | Transport::Dane => return Err(Refused::Changed),
    };
    judged.map_err(Refused::Objection)
}

/// The decision about a mail as Exim's ACLs take it.
///
/// Exim cannot put a single mail on hold in the session that brings it, so `hold` waits outside:
/// it is answered as a deferral.
pub fn action(decision: &Decision<'_>) -> String {
    let word = match decision.verdict {
        inbound::Verdict::Pass => "pass",
        inbound::Verdict::Reject => "deny",
        inbound::Verdict::Hold | inbound::Verdict::Defer => "defer",
    };
    let mut answer = Answer::new().with("action", word);
    if let Some(reply) = decision.smtp_reply() {
        answer = answer.with("text", &reply);
    }
    let told = decision.told().or_else(|| decision.applies.first());
    if let Some(judged) = told {
        answer = answer.with("connector", judged.connector.name.as_str());
    }
    answer.finish()
}
