//! The DNS of a proof: every name has a mail host and an address, and mail hosts that are to be known by TLSA records have
//! some.
//!
//! What it says of signatures it says to whoever asks for it as Postfix does: the resolver of a host is believed
//! (RFC 6840 section 5.7). The TLSA records are of the key that a right server has, so that `dane` and `dane-only` can
//! be met and can be missed.

use std::io;
use std::net::UdpSocket;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use hickory_resolver::proto::op::{Message, OpCode, ResponseCode};
use hickory_resolver::proto::rr::rdata::tlsa::{CertUsage, Matching, Selector};
use hickory_resolver::proto::rr::rdata::{A, MX, TLSA};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};

use super::atlas::Atlas;
use super::closing::Closing;
use super::subject::exchange;

/// Seconds that an answer may be kept.
const TTL: u32 = 60;

/// A question is smaller (RFC 1035 section 4.2.1, and EDNS(0)).
const LONGEST: usize = 4096;

/// How long it takes at most to see that nobody is to be answered any more.
const LOOK: Duration = Duration::from_millis(100);

/// What it says beside addresses.
#[derive(Clone, Copy, Debug)]
pub struct Says {
    /// The SHA-256 of a right server's public key; `None`: no TLSA records.
    pub key: Option<[u8; 32]>,
    /// Whether mail is led to a stranger.
    pub misleads: bool,
}

/// Answers on this socket until it is closing.
///
/// # Errors
/// The socket cannot be set up.
pub fn serve(socket: UdpSocket, atlas: Arc<Atlas>, says: Says, closing: Closing) -> io::Result<()> {
    socket.set_read_timeout(Some(LOOK))?;
    thread::spawn(move || {
        let mut buffer = [0; LONGEST];
        while !closing.is_set() {
            let Ok((length, peer)) = socket.recv_from(&mut buffer) else { continue };
            if let Some(reply) = buffer.get(..length).and_then(|question| reply(question, &atlas, says)) {
                // Who has gone asks no more.
                let _ = socket.send_to(&reply, peer);
            }
        }
    });
    Ok(())
}

/// The reply to a question; none to what is no question.
fn reply(question: &[u8], atlas: &Atlas, says: Says) -> Option<Vec<u8>> {
    let question = Message::from_vec(question).ok()?;
    let query = question.queries.first()?;
    let name = query.name().to_ascii().trim_end_matches('.').to_ascii_lowercase();
    let mut reply = Message::response(question.metadata.id, OpCode::Query);
    reply.add_query(query.clone());
    reply.metadata.recursion_available = true;
    reply.metadata.recursion_desired = question.metadata.recursion_desired;
    reply.metadata.authentic_data =
        question.metadata.authentic_data || question.edns.as_ref().is_some_and(|edns| edns.flags().dnssec_ok);
    match data(&name, query.query_type(), atlas, says) {
        Ok(data) => {
            let record = |data| Record::from_rdata(query.name().clone(), TTL, data);
            reply.add_answers(data.map(record));
        }
        Err(code) => reply.metadata.response_code = code,
    }
    reply.to_vec().ok()
}

/// What there is; no record of a kind that a proof has not.
fn data(name: &str, kind: RecordType, atlas: &Atlas, says: Says) -> Result<Option<RData>, ResponseCode> {
    if name.is_empty() || name.ends_with(".arpa") {
        return Err(ResponseCode::NXDomain);
    }
    let is_of_a_port = name.starts_with('_');
    if kind == RecordType::TLSA && is_of_a_port {
        // `_25._tcp.mx.example` (RFC 6698 section 3).
        let host = name.splitn(3, '.').nth(2).unwrap_or_default();
        let record =
            |key: [u8; 32]| TLSA::new(CertUsage::DaneEe, Selector::Spki, Matching::Sha256, key.to_vec());
        let key = says.key.filter(|_| atlas.has_tlsa(host));
        return Ok(key.map(record).map(RData::TLSA));
    }
    if is_of_a_port {
        return Err(ResponseCode::NXDomain);
    }
    if kind == RecordType::A {
        let address = atlas.address(name).ok_or(ResponseCode::ServFail)?;
        return Ok(Some(RData::A(A::from(address))));
    }
    if kind == RecordType::MX {
        let host = if says.misleads { atlas.forged(name) } else { exchange(name) };
        let host = Name::from_ascii(format!("{host}.")).map_err(|_| ResponseCode::ServFail)?;
        return Ok(Some(RData::MX(MX::new(10, host))));
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use hickory_resolver::proto::op::Query;

    use super::super::subject::Subject;
    use super::*;
    use crate::model::sample::{agreements, connectors};

    const SAYS: Says = Says { key: Some([7; 32]), misleads: false };

    fn answer(name: &str, kind: RecordType) -> (ResponseCode, Vec<String>) {
        answer_of(SAYS, name, kind)
    }

    fn answer_of(says: Says, name: &str, kind: RecordType) -> (ResponseCode, Vec<String>) {
        let mut question = Message::query();
        question.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
        let agreements = agreements(connectors(&["dane of contoso.com", "encrypt of a.example"]), Vec::new());
        let subjects = agreements.outbound.iter().map(|connector| Subject::of(connector, &agreements, &[]));
        let atlas = Atlas::of(&subjects.collect::<Vec<_>>());
        let said = reply(&question.to_vec().unwrap(), &atlas, says).unwrap();
        let said = Message::from_vec(&said).unwrap();
        assert_eq!(said.metadata.id, question.metadata.id);
        (said.metadata.response_code, said.answers.iter().map(|record| record.data.to_string()).collect())
    }

    #[test]
    fn every_name_has_a_mail_host_and_an_address() {
        let found = |name: &str, kind| answer(name, kind).1.join(" ");
        assert_eq!(found("Contoso.com.", RecordType::MX), "10 mx.contoso.com.");
        assert_eq!(found("mx.contoso.com.", RecordType::A), "198.18.1.1");
        let tlsa = format!("3 1 1 {}", "07".repeat(32));
        for (name, expected) in [
            ("mx.contoso.com", tlsa.as_str()),
            ("mx-dane.connectord-prove-stranger.invalid", &tlsa),
            // Who does not ask for any has none.
            ("mx.a.example", ""),
            ("mx.connectord-prove-stranger.invalid", ""),
            ("relay.example", ""),
        ] {
            let of_port = format!("_25._tcp.{name}.");
            assert_eq!(found(&of_port, RecordType::TLSA), expected, "{name}");
        }
        assert_eq!(answer("mx.contoso.com.", RecordType::AAAA), (ResponseCode::NoError, vec![]));
        assert_eq!(answer("1.2.0.192.in-addr.arpa.", RecordType::PTR), (ResponseCode::NXDomain, vec![]));
        assert_eq!(answer("_25._tcp.mx.contoso.com.", RecordType::A).0, ResponseCode::NXDomain);
    }

    #[test]
    fn it_can_mislead_and_have_no_tlsa() {
        let says = Says { key: None, misleads: true };
        // Whose own host has TLSA records is led to one with some, and nobody else.
        for (domain, stranger) in [("contoso.com.", "mx-dane"), ("a.example.", "mx"), ("b.example.", "mx")] {
            let led = format!("10 {stranger}.connectord-prove-stranger.invalid.");
            assert_eq!(answer_of(says, domain, RecordType::MX).1, [led]);
        }
        assert_eq!(
            answer_of(says, "_25._tcp.mx.contoso.com.", RecordType::TLSA),
            (ResponseCode::NoError, vec![])
        );
    }

    #[test]
    fn what_is_no_question_has_no_answer() {
        for bytes in [&b""[..], b"\0", &[0xff; 40]] {
            assert_eq!(reply(bytes, &Atlas::default(), SAYS), None);
        }
    }
}
