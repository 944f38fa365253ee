//! Socketmap on a connection: the maps `tls` and `transport`.

use std::sync::Arc;

use super::exchange::{Answer, Dialect};
use super::log::decision;
use super::service::Service;
use crate::answer::{self, Answered as _};
use crate::config::ListenProtocol;
use crate::protocol;
use crate::protocol::netstring;
use crate::protocol::socketmap::{REQUEST_LIMIT, Request};

/// Answers map lookups.
pub(super) struct Socketmap(pub(super) Arc<Service>);

impl Dialect for Socketmap {
    const PROTOCOL: ListenProtocol = ListenProtocol::Socketmap;
    /// As a netstring: five digits, a colon and a comma around it.
    const LIMIT: usize = REQUEST_LIMIT + "10065:,".len();

    fn foresee<'i>(&self, inputs: impl Iterator<Item = &'i [u8]>) {
        let current = self.0.current.load();
        for input in inputs {
            if let Ok(Some(frame)) = netstring::decode(input, REQUEST_LIMIT) {
                let request = Request::parse(frame.payload);
                answer::foresee(&current.snapshot, request.map, request.key);
            }
        }
    }

    fn answer(&self, input: &[u8], output: &mut Vec<u8>) -> Result<Answer, protocol::Error> {
        let Some(frame) = netstring::decode(input, REQUEST_LIMIT)? else {
            return Ok(Answer::More);
        };
        let request = Request::parse(frame.payload);
        self.0.traffic.of(Self::PROTOCOL).requests.add();
        let current = self.0.current.load();
        let lookup = answer::socketmap(&current.snapshot, request.map, request.key);
        let asked = (request.map, request.key.unwrap_or_default());
        // Before the reply is written: the counter and the text of a connector are both far away, and the one
        // is on its way then while the other is waited for.
        decision::lookup(&self.0, &current, asked, &lookup);
        let (word, rest) = lookup.reply.words();
        netstring::encode_parts(&[word.as_bytes(), rest.as_bytes()], output);
        if let Some(reason) = lookup.reply.refusal() {
            decision::lookup_refused(&self.0, asked, reason);
        }
        Ok(Answer::Done(frame.consumed))
    }
}
