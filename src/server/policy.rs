//! Policy delegation on a connection: what smtpd(8) asks about mail that comes in.

use std::sync::Arc;

use jiff::Timestamp;

use super::exchange::{Answer, Dialect};
use super::log::decision::{self, Tags};
use super::service::Service;
use crate::answer::{self, ClientCertificate, Mail};
use crate::config::ListenProtocol;
use crate::protocol::policy::{self, Request};
use crate::protocol::{self, xtext};

/// Answers policy requests.
pub(super) struct Policy(pub(super) Arc<Service>);

impl Dialect for Policy {
    const PROTOCOL: ListenProtocol = ListenProtocol::Policy;
    const LIMIT: usize = policy::REQUEST_LIMIT;

    /// Requests end with a line, and are broken by what ends lines elsewhere. What else may be
    /// wrong with a line is seen at its end.
    fn can_end(fresh: &[u8]) -> bool {
        memchr::memchr3(b'\n', b'\r', b'\0', fresh).is_some()
    }

    fn answer(&self, input: &[u8], output: &mut Vec<u8>) -> Result<Answer, protocol::Error> {
        let Some((request, consumed)) = policy::decode(input)? else {
            return Ok(Answer::More);
        };
        let certificate = Certificate::of(&request);
        let mail = certificate.mail(&request);
        self.0.traffic.of(Self::PROTOCOL).requests.add();
        let current = self.0.current.load();
        let decided = answer::inbound(&current.snapshot, &mail, Timestamp::now);
        policy::encode_action(decided.action(), output);
        let tags = Tags { queue_id: request.queue_id, instance: request.instance };
        decision::mail(&self.0, &current, tags, &mail, &decided, decided.action());
        decision::mail_undecidable(&self.0, &mail, &decided);
        Ok(Answer::Done(consumed))
    }
}

/// The names of a client certificate, decoded.
struct Certificate {
    subject: xtext::Decoded,
    issuer: xtext::Decoded,
}

impl Certificate {
    /// A name that is not proper xtext counts as none: it satisfies no connector, and without an
    /// issuer nothing is trusted.
    fn of(request: &Request<'_>) -> Certificate {
        let decoded = |value| xtext::decode(value).unwrap_or_default();
        Certificate { subject: decoded(request.ccert_subject), issuer: decoded(request.ccert_issuer) }
    }

    fn mail<'a>(&'a self, request: &Request<'a>) -> Mail<'a> {
        Mail {
            state: request.protocol_state,
            client_address: request.client_address,
            helo: request.helo_name,
            sender: request.sender,
            recipient: request.recipient,
            sasl_username: request.sasl_username,
            tls_version: request.encryption_protocol,
            certificate: ClientCertificate {
                common_name: &self.subject,
                issuer: &self.issuer,
                fingerprint: request.ccert_fingerprint,
                key_fingerprint: request.ccert_pubkey_fingerprint,
                alternative_names: &[],
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p13_malformed_xtext_counts_as_empty() {
        let request = Request { ccert_subject: b"a+2Bb", ccert_issuer: b"c+2", ..Request::default() };
        let certificate = Certificate::of(&request);
        let mail = certificate.mail(&request);
        assert_eq!(mail.certificate.common_name, b"a+b");
        assert!(!mail.certificate.is_trusted());
    }

    #[test]
    fn only_the_end_of_a_line_can_end_a_request() {
        assert!(!Policy::can_end(b"sender=a"));
        for fresh in [b"a\n", b"a\r", b"a\0"] {
            assert!(Policy::can_end(fresh));
        }
    }
}
