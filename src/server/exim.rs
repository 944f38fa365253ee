//! The line protocol on a connection: what Exim's routers, transports and ACLs ask.
//!
//! One question, one answer, and the connection ends: Exim reads until we close (readsock.c). It is
//! answered at the line feed, whether the peer has closed its half by then or not. A question that
//! is none gets the one refusal that every expansion in contrib/exim takes for "wait".

use std::sync::Arc;

use jiff::Timestamp;

use super::exchange::{Answer, Dialect};
use super::log::decision::{self, Tags};
use super::service::{Current, Service};
use crate::answer::exim::{self as answer, Question};
use crate::answer::{Answered as _, Leaf, Mail, inbound};
use crate::config::ListenProtocol;
use crate::protocol;
use crate::protocol::exim::{self, CertificateRequest, MailRequest, OutRequest, Request};

/// Answers Exim.
pub(super) struct Exim(pub(super) Arc<Service>);

impl Dialect for Exim {
    const PROTOCOL: ListenProtocol = ListenProtocol::Exim;
    const SINGLE: bool = true;
    const LIMIT: usize = exim::REQUEST_LIMIT;

    /// A request is one line.
    fn can_end(fresh: &[u8]) -> bool {
        fresh.contains(&b'\n')
    }

    fn answer(&self, input: &[u8], output: &mut Vec<u8>) -> Result<Answer, protocol::Error> {
        let (request, consumed) = match exim::decode(input) {
            Ok(Some(decoded)) => decoded,
            Ok(None) => return Ok(Answer::More),
            Err(error) => {
                output.extend_from_slice(exim::REFUSAL);
                return Err(error);
            }
        };
        self.0.traffic.of(Self::PROTOCOL).requests.add();
        let current = self.0.current.load();
        match &request {
            Request::Out(request) => self.out(&current, request, output),
            Request::Certificate(request) => self.certificate(&current, request, output),
            Request::In(request) => self.mail(&current, request, output),
        }
        Ok(Answer::Done(consumed))
    }
}

impl Exim {
    fn out(&self, current: &Current, request: &OutRequest<'_>, output: &mut Vec<u8>) {
        let lookup = answer::out(&current.snapshot, &request.domain);
        let (word, rest) = lookup.reply.words();
        output.extend_from_slice(word.as_bytes());
        output.extend_from_slice(rest.as_bytes());
        output.push(b'\n');
        let asked = (b"out".as_slice(), request.domain.as_ref());
        decision::lookup(&self.0, current, asked, &lookup);
        if let Some(reason) = lookup.reply.refusal() {
            decision::lookup_refused(&self.0, asked, reason);
        }
    }

    fn certificate(&self, current: &Current, request: &CertificateRequest<'_>, output: &mut Vec<u8>) {
        let question = Question {
            domain: &request.domain,
            host: &request.host,
            answer: &request.answer,
            der: &request.der,
        };
        let judged = answer::certificate(&current.snapshot, &question);
        let reply = judged.payload();
        output.extend_from_slice(reply.as_bytes());
        output.push(b'\n');
        decision::certificate(&self.0, current, &question, &judged, &reply);
    }

    fn mail(&self, current: &Current, request: &MailRequest<'_>, output: &mut Vec<u8>) {
        let now = Timestamp::now();
        let leaf = Leaf::read(&request.der, request.verified, now);
        let mail = Mail {
            state: if request.recipient.is_some() { b"RCPT" } else { b"MAIL" },
            client_address: &request.ip,
            helo: &request.helo,
            sender: &request.sender,
            recipient: request.recipient.as_deref().unwrap_or_default(),
            sasl_username: b"",
            tls_version: exim::tls_word(&request.proto),
            certificate: leaf.whole(),
        };
        let decided = inbound(&current.snapshot, &mail, || now);
        let reply = answer::action(&decided);
        output.extend_from_slice(reply.as_bytes());
        output.push(b'\n');
        let tags = Tags { queue_id: request.id.as_deref().unwrap_or_default(), instance: b"" };
        decision::mail(&self.0, current, tags, &mail, &decided, &reply);
        decision::mail_undecidable(&self.0, &mail, &decided);
    }
}
