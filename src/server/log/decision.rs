//! The decision line: the proof that an agreement was kept.
//!
//! `decision direction= map=|state= key= connector= pattern= mode= verdict= reply= generation=
//! [queue_id= instance= client= presented=]`, one for each reply in which a connector took part.
//! Several connectors are joined by commas, which no name has. Where a reporting connector took
//! part, `would_reply=` says what would have been said; beside an enforcing one it is named by
//! `report=`. Replies without any connector have none of these keys, and are logged only with
//! `decisions = "all"`, or at debug; `because=` says why a mail was not looked at.

use std::borrow::Cow;

use super::super::counters::Part;
use super::super::service::{Current, Service};
use super::line::Line;
use crate::answer::exim::{self, Question};
use crate::answer::inbound::{Because, Decision, Judged};
use crate::answer::{Answered, Applied, Lookup, Mail, Refusal};
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
    for applied in &lookup.applies {
        service.counters.count(name(applied), verdict, Part::Decided);
    }
    for reported in &lookup.report {
        let would_be = reported.would_reply.verdict();
        service.counters.count(name(&reported.applied), would_be, Part::Reported);
    }
    if lookup.applies.is_empty() {
        service.counters.count("", verdict, Part::Decided);
    }
    let Some(level) = service.decision_level(&current.settings, took_part) else {
        return;
    };
    service.journal.line(level, "decision", |line| {
        line.text("direction", Direction::Outbound.word());
        line.peer("map", map).peer("key", key);
        let applies = lookup.applies.iter().map(|applied| (name(applied), applied.by.to_string()));
        let report =
            lookup.report.iter().map(|reported| (name(&reported.applied), reported.applied.by.to_string()));
        let reporting = connectors(line, applies.collect(), report.collect());
        line.text("verdict", verdict).text("reply", &lookup.reply.payload());
        line.number("generation", current.snapshot.generation());
        if reporting {
            let replies: Vec<_> =
                lookup.report.iter().map(|reported| reported.would_reply.payload()).collect();
            line.text("would_reply", &replies.join("; "));
        }
    });
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
pub(in crate::server) fn mail(
    service: &Service,
    current: &Current,
    tags: Tags<'_>,
    mail: &Mail<'_>,
    decision: &Decision<'_>,
    reply: &str,
) {
    let took_part = !(decision.applies.is_empty() && decision.report.is_empty());
    for (part, all) in [(Part::Decided, &decision.applies), (Part::Reported, &decision.report)] {
        for judged in all {
            service.counters.count(judged.connector.name.as_str(), judged.verdict().word(), part);
        }
    }
    if decision.applies.is_empty() {
        service.counters.count("", decision.verdict.word(), Part::Decided);
    }
    let Some(level) = service.decision_level(&current.settings, took_part) else {
        return;
    };
    service.journal.line(level, "decision", |line| {
        line.text("direction", Direction::Inbound.word());
        line.peer("state", mail.state);
        // The null sender is identified by the HELO name.
        line.peer("key", if mail.sender.is_empty() { mail.helo } else { mail.sender });
        let pair = |judged: &Judged<'_>| (judged.connector.name.to_string(), judged.identified_by.clone());
        let reporting = connectors(
            line,
            decision.applies.iter().map(pair).collect(),
            decision.report.iter().map(pair).collect(),
        );
        line.text("verdict", decision.verdict.word()).text("reply", reply);
        line.number("generation", current.snapshot.generation());
        if reporting {
            let actions: Vec<_> = decision.report.iter().map(Judged::action).collect();
            line.text("would_reply", &actions.join("; "));
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
        let applies = judged.applies.iter().map(|applied| (name(applied), applied.by.to_string()));
        connectors(line, applies.collect(), Vec::new());
        line.text("verdict", judged.verdict()).text("reply", reply);
        line.number("generation", current.snapshot.generation());
        line.peer("host", question.host);
        line.text("presented", &Fingerprint::of(question.der).to_string());
    });
}

/// Writes who took part: the enforcing connectors, or else the reporting ones. Whether any reports.
fn connectors<N: AsRef<str>>(
    line: &mut Line<'_>,
    applies: Vec<(N, String)>,
    report: Vec<(N, String)>,
) -> bool {
    let joined = |parts: &mut dyn Iterator<Item = &str>| parts.collect::<Vec<_>>().join(",");
    let mut list = |mode: Mode, pairs: &[(N, String)]| {
        line.text("connector", &joined(&mut pairs.iter().map(|(name, _)| name.as_ref())));
        line.text("pattern", &joined(&mut pairs.iter().map(|(_, pattern)| pattern.as_str())));
        line.text("mode", mode.word());
    };
    match (applies.is_empty(), report.is_empty()) {
        (true, true) => {}
        (true, false) => list(Mode::Report, &report),
        (false, _) => list(Mode::Enforce, &applies),
    }
    if !applies.is_empty() && !report.is_empty() {
        line.text("report", &joined(&mut report.iter().map(|(name, _)| name.as_ref())));
    }
    !report.is_empty()
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
