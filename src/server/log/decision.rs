//! The decision line: the proof that an agreement was kept.
//!
//! `decision direction= map=|state= key= connector= pattern= mode= verdict= reply= generation=
//! [queue_id= instance= client= presented=]`, one for each reply in which a connector took part.
//! Several connectors are joined by commas, which no name has. Where a reporting connector took
//! part, `would_reply=` says what would have been said; beside an enforcing one it is named by
//! `report=`. Replies without any connector have none of these keys, and are logged only with
//! `decisions = "all"`, or at debug; `because=` says why a mail was not looked at.

use std::borrow::Cow;
use std::fmt::{self, Display};

use super::super::counters::{Part, Usual};
use super::super::service::{Current, Service};
use super::line::Line;
use crate::answer::exim::{self, Question};
use crate::answer::inbound::{Because, Decision, Judged, Verdict};
use crate::answer::{Answered, Applied, By, Lookup, Mail, Refusal};
use crate::model::Mode;
use crate::model::certificate::Fingerprint;
use crate::protocol::escape;
use crate::snapshot::Direction;

/// A peer's text for a line: cut, and readable; the line escapes it.
pub(in crate::server) fn peer(bytes: &[u8], limit: usize) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes.get(..limit).unwrap_or(bytes))
}

/// Counts and logs the answer to a map lookup.
pub(in crate::server) fn lookup<R: Answered>(
    service: &Service,
    current: &Current,
    (map, key): (&[u8], &[u8]),
    lookup: &Lookup<'_, R>,
) {
    let took_part = !(lookup.applies.is_empty() && lookup.report.is_empty());
    let verdict = lookup.reply.verdict();
    let count = |connector, verdict, part| service.counters.count(connector, verdict, part);
    for applied in &lookup.applies {
        match verdict {
            "ok" => current.tally.count(Usual::Ok(applied.number())),
            verdict => count(name(applied), verdict, Part::Decided),
        }
    }
    for reported in &lookup.report {
        count(name(&reported.applied), reported.would_reply.verdict(), Part::Reported);
    }
    if lookup.applies.is_empty() {
        match verdict {
            "notfound" => current.tally.count(Usual::NotFound),
            verdict => count("", verdict, Part::Decided),
        }
    }
    let Some(level) = service.decision_level(&current.settings, took_part) else {
        return;
    };
    service.journal.line(level, "decision", |line| {
        line.text("direction", Direction::Outbound.word());
        line.peer("map", map).peer("key", key);
        let applies = lookup.applies.iter().map(|applied| (name(applied), &applied.by));
        let report = lookup.report.iter().map(|reported| (name(&reported.applied), &reported.applied.by));
        let reporting = connectors(line, applies, report);
        let (word, rest) = lookup.reply.words();
        line.text("verdict", verdict).parts("reply", word, &rest);
        line.number("generation", current.snapshot.generation());
        if reporting {
            line.joined(
                "would_reply",
                "; ",
                lookup.report.iter().map(|reported| shown(&reported.would_reply)),
            );
        }
    });
}

/// A reply in a line, without a copy of it.
struct Shown<'r>(&'static str, Cow<'r, str>);

impl Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shown(word, rest) = self;
        write!(f, "{word}{rest}")
    }
}

fn shown<R: Answered>(reply: &R) -> Shown<'_> {
    let (word, rest) = reply.words();
    Shown(word, rest)
}

fn name<'s>(applied: &Applied<'s>) -> &'s str {
    applied.connector.agreement.name.as_str()
}

/// Says of a question about outbound mail that it made no sense.
pub(in crate::server) fn lookup_refused(service: &Service, (map, key): (&[u8], &[u8]), reason: Refusal) {
    if let Some(turn) = service.repeats.turn("lookup_refused") {
        let (map, key) = (peer(map, escape::LIMIT), peer(key, escape::LIMIT));
        tracing::warn!(%reason, %map, %key, suppressed = turn.suppressed, "lookup_refused");
    }
}

/// What an MTA says of a mail besides what is decided by: whose log lines belong to it.
#[derive(Clone, Copy, Default)]
pub(in crate::server) struct Tags<'a> {
    /// The MTA's name for the message; empty before it has one.
    pub(in crate::server) queue_id: &'a [u8],
    /// Postfix's name for the transaction; empty from others.
    pub(in crate::server) instance: &'a [u8],
}

/// Counts and logs the decision about a mail, which was answered with `reply`.
pub(in crate::server) fn mail<'s>(
    service: &Service,
    current: &Current,
    tags: Tags<'_>,
    mail: &Mail<'_>,
    decision: &'s Decision<'s>,
    reply: &str,
) {
    let took_part = !(decision.applies.is_empty() && decision.report.is_empty());
    let count = |connector, verdict: Verdict, part| service.counters.count(connector, verdict.word(), part);
    for judged in &decision.applies {
        match judged.verdict() {
            Verdict::Pass => current.tally.count(Usual::Pass(judged.number)),
            verdict @ (Verdict::Hold | Verdict::Defer | Verdict::Reject) => {
                count(judged.connector.name.as_str(), verdict, Part::Decided);
            }
        }
    }
    for judged in &decision.report {
        count(judged.connector.name.as_str(), judged.verdict(), Part::Reported);
    }
    if decision.applies.is_empty() {
        match decision.verdict {
            Verdict::Pass => current.tally.count(Usual::Unidentified),
            verdict @ (Verdict::Hold | Verdict::Defer | Verdict::Reject) => count("", verdict, Part::Decided),
        }
    }
    let Some(level) = service.decision_level(&current.settings, took_part) else {
        return;
    };
    service.journal.line(level, "decision", |line| {
        line.text("direction", Direction::Inbound.word());
        line.peer("state", mail.state);
        // The null sender is identified by the HELO name.
        line.peer("key", if mail.sender.is_empty() { mail.helo } else { mail.sender });
        let pair = |judged: &'s Judged<'s>| (judged.connector.name.as_str(), &judged.identified_by);
        let reporting = connectors(line, decision.applies.iter().map(pair), decision.report.iter().map(pair));
        line.text("verdict", decision.verdict.word()).text("reply", reply);
        line.number("generation", current.snapshot.generation());
        if reporting {
            line.joined("would_reply", "; ", decision.report.iter().map(Judged::action));
        }
        if decision.because != Because::Connectors {
            line.text("because", decision.because.word());
        }
        for (key, tag) in [("queue_id", tags.queue_id), ("instance", tags.instance)] {
            if !tag.is_empty() {
                line.peer(key, tag);
            }
        }
        line.peer("client", mail.client_address);
        line.text("presented", &presented(mail));
    });
}

/// Says of a mail that what a connector depends on could not be read, if so.
pub(in crate::server) fn mail_undecidable(service: &Service, mail: &Mail<'_>, decision: &Decision<'_>) {
    match decision.because {
        Because::Connectors | Because::State | Because::Authenticated | Because::Exempt => return,
        Because::UnknownState | Because::Sender | Because::Client => {}
    }
    if let Some(turn) = service.repeats.turn("mail_undecidable") {
        let shown = |bytes| peer(bytes, escape::LIMIT);
        tracing::warn!(
            because = decision.because.word(),
            state = %shown(mail.state),
            sender = %shown(mail.sender),
            client = %shown(mail.client_address),
            suppressed = turn.suppressed,
            "mail_undecidable"
        );
    }
}

/// Counts and logs the verdict about a partner's certificate, which was answered with `reply`.
pub(in crate::server) fn certificate(
    service: &Service,
    current: &Current,
    question: &Question<'_>,
    judged: &exim::Judged<'_>,
    reply: &str,
) {
    let connector = judged.applies.as_ref().map_or("", name);
    service.counters.count(connector, judged.verdict(), Part::Decided);
    let Some(level) = service.decision_level(&current.settings, judged.applies.is_some()) else {
        return;
    };
    service.journal.line(level, "decision", |line| {
        line.text("direction", Direction::Outbound.word());
        line.text("map", "cert").peer("key", question.domain);
        let applies = judged.applies.iter().map(|applied| (name(applied), &applied.by));
        connectors(line, applies, std::iter::empty::<(&str, &By<'_>)>());
        line.text("verdict", judged.verdict()).text("reply", reply);
        line.number("generation", current.snapshot.generation());
        line.peer("host", question.host);
        line.text("presented", &Fingerprint::of(question.der).to_string());
    });
}

/// Writes who took part, each by name and pattern: the enforcing connectors, or else the reporting ones.
/// Whether any reports.
fn connectors<'s, P: Display>(
    line: &mut Line<'_>,
    applies: impl Iterator<Item = (&'s str, P)> + Clone,
    report: impl Iterator<Item = (&'s str, P)> + Clone,
) -> bool {
    let (enforcing, reporting) = (applies.clone().next().is_some(), report.clone().next().is_some());
    if enforcing {
        line.list("connector", applies.clone().map(|(name, _)| name));
        line.list("pattern", applies.map(|(_, pattern)| pattern));
        line.text("mode", Mode::Enforce.word());
        if reporting {
            line.list("report", report.map(|(name, _)| name));
        }
    } else if reporting {
        line.list("connector", report.clone().map(|(name, _)| name));
        line.list("pattern", report.map(|(_, pattern)| pattern));
        line.text("mode", Mode::Report.word());
    }
    reporting
}

/// What the client showed: the TLS version, whether its certificate is trusted, the common name,
/// the first of its other names where the MTA tells them, and the digest.
fn presented(mail: &Mail<'_>) -> String {
    /// Bytes shown of each part.
    const LIMIT: usize = 100;
    /// Names shown before the rest is counted.
    const NAMES: usize = 3;
    let tls = if mail.tls_version.is_empty() { b"plaintext".as_slice() } else { mail.tls_version };
    let mut parts = vec![peer(tls, LIMIT)];
    let certificate = &mail.certificate;
    let names = certificate.alternative_names.iter().map(ToString::to_string);
    let names: Vec<String> = names.filter(|name| name.as_bytes() != certificate.common_name).collect();
    if certificate.is_presented() {
        parts.push(Cow::Borrowed(if certificate.is_trusted() { "trusted" } else { "untrusted" }));
        if !certificate.common_name.is_empty() {
            parts.push(peer(certificate.common_name, LIMIT));
        }
        for name in names.iter().take(NAMES) {
            parts.push(peer(name.as_bytes(), LIMIT));
        }
        if names.len() > NAMES {
            parts.push(Cow::Owned(format!("+{}", names.len() - NAMES)));
        }
        if !certificate.fingerprint.is_empty() {
            parts.push(peer(certificate.fingerprint, LIMIT));
        }
    }
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::answer::ClientCertificate;
    use crate::model::certificate::PresentedName;

    #[test]
    fn the_names_that_counted_are_shown() {
        let names: Vec<PresentedName> = ["a.example", "b.example", "*.c.example", "d.example", "e.example"]
            .iter()
            .map(|name| PresentedName::of_dns_name(name).unwrap())
            .collect();
        let certificate = ClientCertificate {
            common_name: b"a.example",
            issuer: b"CA",
            fingerprint: b"AA:BB",
            ..ClientCertificate::default()
        };
        let shown =
            |certificate, tls_version| presented(&Mail { tls_version, certificate, ..Mail::default() });
        assert_eq!(shown(ClientCertificate::default(), b""), "plaintext");
        assert_eq!(shown(certificate, b"TLSv1.3"), "TLSv1.3 trusted a.example AA:BB");
        let all = ClientCertificate { alternative_names: &names, ..certificate };
        let expected = "TLSv1.3 trusted a.example b.example *.c.example d.example +1 AA:BB";
        assert_eq!(shown(all, b"TLSv1.3"), expected);
    }
}
