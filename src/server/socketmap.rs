//! Socketmap on a connection: the maps `tls` and `transport`.

use std::sync::Arc;

use super::connection::Dialect;
use super::log::decision;
use super::service::Service;
use crate::answer::{self, Reply};
use crate::config::ListenProtocol;
use crate::protocol::netstring;
use crate::protocol::socketmap::{REQUEST_LIMIT, Request};
use crate::protocol::{self, escape};

/// Answers map lookups.
pub(super) struct Socketmap(pub(super) Arc<Service>);

impl Dialect for Socketmap {
    const PROTOCOL: ListenProtocol = ListenProtocol::Socketmap;
    /// As a netstring: five digits, a colon and a comma around it.
    const LIMIT: usize = REQUEST_LIMIT + "10065:,".len();

    async fn answer(&self, input: &[u8], output: &mut Vec<u8>) -> Result<Option<usize>, protocol::Error> {
        let Some(frame) = netstring::decode(input, REQUEST_LIMIT)? else {
            return Ok(None);
        };
        let request = Request::parse(frame.payload);
        let current = self.0.current.load();
        let lookup = answer::socketmap(&current.snapshot, request.map, request.key);
        netstring::encode(lookup.reply.payload().as_bytes(), output);
        decision::lookup(&self.0, &current, &request, &lookup);
        match &lookup.reply {
            Reply::Ok(_) | Reply::NotFound => {}
            Reply::Perm(reason) | Reply::Temp(reason) => {
                if let Some(turn) = self.0.repeats.turn("lookup_refused") {
                    let key = decision::peer(request.key.unwrap_or_default(), escape::LIMIT);
                    let map = decision::peer(request.map, escape::LIMIT);
                    tracing::warn!(%reason, %map, %key, suppressed = turn.suppressed, "lookup_refused");
                }
            }
        }
        Ok(Some(frame.consumed))
    }
}
