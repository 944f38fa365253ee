//! The decision line: the proof that an agreement was kept.
//!
//! `decision direction= map=|state= key= connector= pattern= mode= verdict= reply= generation=
//! [queue_id= instance= client= presented=]`, one for each reply in which a connector took part.
//! Several connectors are joined by commas, which no name has. Where a reporting connector took
//! part, `would_reply=` says what would have been said; beside an enforcing one it is named by
//! `report=`. Replies without any connector have none of these keys, and are logged only with
//! `decisions = "all"`, or at debug; `because=` says why a mail was not looked at.

use std::borrow::Cow;
use std::io::Write as _;

use super::super::counters::{Part, Usual};
use super::super::service::{Current, Service};
use super::line::Line;
use crate::answer::exim::{self, Question};
use crate::answer::inbound::{Because, Decision, Judged, Verdict};
use crate::answer::{self, Answered, Applied, By, Lookup, Mail, Refusal};
use crate::model::Mode;
use crate::model::certificate::Fingerprint;
use crate::protocol::escape;
use crate::snapshot::{Direction, IdentifiedBy, Snapshot};

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
    let count = |connector, verdict: answer::Verdict, part| {
        service.counters.count(connector, verdict.word(), part);
    };
    for applied in &lookup.applies {
        match verdict {
            answer::Verdict::Ok => current.tally.count(Usual::Ok(applied.number())),
            answer::Verdict::NotFound | answer::Verdict::Perm | answer::Verdict::Temp => {
                count(name(&current.snapshot, applied), verdict, Part::Decided);
            }
        }
    }
    for reported in &lookup.report {
        count(name(&current.snapshot, &reported.applied), reported.would_reply.verdict(), Part::Reported);
    }
    if lookup.applies.is_empty() {
        match verdict {
            answer::Verdict::NotFound => current.tally.count(Usual::NotFound),
            answer::Verdict::Ok | answer::Verdict::Perm | answer::Verdict::Temp => {
                count("", verdict, Part::Decided);
            }
        }
    }
    let Some(level) = service.decision_level(&current.settings, took_part) else {
        return;
    };
    service.journal.line(level, "decision", |line| {
        line.word(" direction=", Direction::Outbound.word());
        line.peer(" map=", map).peer(" key=", key);
        let applies = lookup.applies.iter().map(|applied| (name(&current.snapshot, applied), applied.by));
        let report = lookup
            .report
            .iter()
            .map(|reported| (name(&current.snapshot, &reported.applied), reported.applied.by));
        let reporting = connectors(line, applies, report);
        let (word, rest) = lookup.reply.words();
        line.word(" verdict=", verdict.word()).sentence(" reply=", word, &rest);
        line.number(" generation=", current.snapshot.generation());
        if reporting {
            line.joined(" would_reply=", "; ", &lookup.report, |reported, out| {
                let (word, rest) = reported.would_reply.words();
                out.extend_from_slice(word.as_bytes());
                out.extend_from_slice(rest.as_bytes());
            });
        }
    });
}

fn name<'s>(snapshot: &'s Snapshot, applied: &Applied<'_>) -> &'s str {
    snapshot.outbound_name(applied.number())
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
        line.word(" direction=", Direction::Inbound.word());
        line.peer(" state=", mail.state);
        // The null sender is identified by the HELO name.
        line.peer(" key=", if mail.sender.is_empty() { mail.helo } else { mail.sender });
        let reporting =
            connectors(line, decision.applies.iter().map(identified), decision.report.iter().map(identified));
        line.word(" verdict=", decision.verdict.word()).text(" reply=", reply);
        line.number(" generation=", current.snapshot.generation());
        if reporting {
            line.joined(" would_reply=", "; ", &decision.report, |judged, out| {
                out.extend_from_slice(judged.action().as_bytes());
            });
        }
        if decision.because != Because::Connectors {
            line.word(" because=", decision.because.word());
        }
        for (key, tag) in [(" queue_id=", tags.queue_id), (" instance=", tags.instance)] {
            if !tag.is_empty() {
                line.peer(key, tag);
            }
        }
        line.peer(" client=", mail.client_address);
        line.written(" presented=", |out| presented(mail, out));
    });
}

fn identified<'d>(judged: &'d Judged<'_>) -> (&'d str, IdentifiedBy<'d>) {
    (judged.connector.name.as_str(), judged.identified_by)
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
    let connector = judged.applies.as_ref().map_or("", |applied| name(&current.snapshot, applied));
    service.counters.count(connector, judged.word(), Part::Decided);
    let Some(level) = service.decision_level(&current.settings, judged.applies.is_some()) else {
        return;
    };
    service.journal.line(level, "decision", |line| {
        line.word(" direction=", Direction::Outbound.word());
        line.word(" map=", "cert").peer(" key=", question.domain);
        let applies = judged.applies.iter().map(|applied| (name(&current.snapshot, applied), applied.by));
        connectors(line, applies, std::iter::empty::<(&str, By<'_>)>());
        line.word(" verdict=", judged.word()).text(" reply=", reply);
        line.number(" generation=", current.snapshot.generation());
        line.peer(" host=", question.host);
        line.text(" presented=", &Fingerprint::of(question.der).to_string());
    });
}

/// How a connector came to take part, as it is written in a line.
trait Pattern {
    fn append(&self, out: &mut Vec<u8>);
}

impl Pattern for By<'_> {
    fn append(&self, out: &mut Vec<u8>) {
        let (form, name) = self.parts();
        out.extend_from_slice(form.as_bytes());
        out.extend_from_slice(name.as_bytes());
    }
}

impl Pattern for IdentifiedBy<'_> {
    fn append(&self, out: &mut Vec<u8>) {
        match self {
            IdentifiedBy::Domain(hit) => By::Domain(*hit).append(out),
            // Writing to a vector does not fail.
            IdentifiedBy::Range(range) => drop(write!(out, "{range}")),
        }
    }
}

/// Writes who took part, each by name and pattern: the enforcing connectors, or else the reporting ones.
/// Whether any reports.
#[inline]
fn connectors<'s, P: Pattern>(
    line: &mut Line<'_>,
    applies: impl ExactSizeIterator<Item = (&'s str, P)> + Clone,
    report: impl ExactSizeIterator<Item = (&'s str, P)> + Clone,
) -> bool {
    let reporting = report.len() > 0;
    if applies.len() > 0 {
        took_part(line, applies, Mode::Enforce);
        if reporting {
            line.list(" report=", report, append_name);
        }
    } else if reporting {
        took_part(line, report, Mode::Report);
    }
    reporting
}

#[inline]
fn took_part<'s, P: Pattern>(
    line: &mut Line<'_>,
    connectors: impl Iterator<Item = (&'s str, P)> + Clone,
    mode: Mode,
) {
    line.list(" connector=", connectors.clone(), append_name);
    line.list(" pattern=", connectors, |(_, pattern), out| pattern.append(out));
    line.word(" mode=", mode.word());
}

fn append_name<P>((name, _): (&str, P), out: &mut Vec<u8>) {
    out.extend_from_slice(name.as_bytes());
}

/// Appends what the client showed: the TLS version, whether its certificate is trusted, the common name,
/// the first of its other names where the MTA tells them, and the digest.
fn presented(mail: &Mail<'_>, out: &mut Vec<u8>) {
    /// Bytes shown of each part.
    const LIMIT: usize = 100;
    /// Names shown before the rest is counted.
    const NAMES: usize = 3;
    let show = |part: &[u8], out: &mut Vec<u8>| out.extend_from_slice(peer(part, LIMIT).as_bytes());
    show(if mail.tls_version.is_empty() { b"plaintext" } else { mail.tls_version }, out);
    let certificate = &mail.certificate;
    if !certificate.is_presented() {
        return;
    }
    out.extend_from_slice(if certificate.is_trusted() { b" trusted" } else { b" untrusted" });
    if !certificate.common_name.is_empty() {
        out.push(b' ');
        show(certificate.common_name, out);
    }
    let names = certificate.alternative_names.iter().map(ToString::to_string);
    let mut names = names.filter(|name| name.as_bytes() != certificate.common_name);
    for name in names.by_ref().take(NAMES) {
        out.push(b' ');
        show(name.as_bytes(), out);
    }
    let more = names.count();
    if more > 0 {
        // Writing to a vector does not fail.
        let _ = write!(out, " +{more}");
    }
    if !certificate.fingerprint.is_empty() {
        out.push(b' ');
        show(certificate.fingerprint, out);
    }
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
        let shown = |certificate, tls_version| {
            let mut out = Vec::new();
            presented(&Mail { tls_version, certificate, ..Mail::default() }, &mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(shown(ClientCertificate::default(), b""), "plaintext");
        assert_eq!(shown(certificate, b"TLSv1.3"), "TLSv1.3 trusted a.example AA:BB");
        let all = ClientCertificate { alternative_names: &names, ..certificate };
        let expected = "TLSv1.3 trusted a.example b.example *.c.example d.example +1 AA:BB";
        assert_eq!(shown(all, b"TLSv1.3"), expected);
    }
}
