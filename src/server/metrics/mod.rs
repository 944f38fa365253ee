//! Metrics for Prometheus, over HTTP/1: `GET /metrics`, one request a connection.
//!
//! Promises: no answer to an MTA waits for whoever collects them. The thread of the connections reads the request, which
//! is bounded, and sends what another thread has written ([`scribe`]); it has seats of its own for that, and the
//! deadlines of all other protocols. What is said ([`text`]) has a line for each connector of the configuration and
//! each of a few words: nothing of a peer, and no more after a year than after a day.
//!
//! The results of validations are not the daemon's: whoever starts it says how they are read ([`Results`]).

mod scribe;
mod text;

use std::sync::Arc;

use jiff::Timestamp;

use super::exchange::{Answer, Dialect};
use super::status::Sources;
use crate::config::ListenProtocol;
use crate::protocol;
use crate::protocol::exposition::CONTENT_TYPE;
use crate::protocol::http::{self, Method, Status};
use crate::snapshot::Snapshot;
pub(super) use scribe::Scribe;

/// Connections for metrics at a time. Ours; when more come, one that has not asked for its metrics by then goes.
pub(super) const SEATS: usize = 8;

/// Reads what is known of partners by the generation that is served; `None` when nothing can be known. It is called on one
/// thread only, which may block, and not more often than [`Limits::results`](super::limits::Limits::results) says.
pub type Results = Box<dyn FnMut(&Snapshot) -> Option<Vec<Tested>> + Send>;

/// What is known of one connector.
#[derive(Clone, Debug)]
pub struct Tested {
    /// Its name.
    pub connector: String,
    /// A word of a few: `validated`, `failed`, `never`.
    pub state: &'static str,
    /// When it was tested.
    pub at: Option<Timestamp>,
    /// When the first certificate that was seen expires.
    pub expires: Option<Timestamp>,
}

/// Answers whoever collects metrics.
pub(super) struct Metrics {
    pub(super) scribe: Arc<Scribe>,
    pub(super) sources: Arc<Sources>,
}

impl Dialect for Metrics {
    const PROTOCOL: ListenProtocol = ListenProtocol::Metrics;
    const SINGLE: bool = true;
    const LIMIT: usize = http::HEAD_LIMIT;

    /// A head is lines.
    fn can_end(fresh: &[u8]) -> bool {
        fresh.contains(&b'\n')
    }

    fn answer(&self, input: &[u8], output: &mut Vec<u8>) -> Result<Answer, protocol::Error> {
        let (request, consumed) = match http::decode(input) {
            Ok(Some(decoded)) => decoded,
            Ok(None) => return Ok(Answer::More),
            Err(error) => {
                output.extend(http::short(Status::of(error), Method::Other));
                return Err(error);
            }
        };
        let method = request.method;
        let refusal = if request.path != b"/metrics" {
            Status::NotFound
        } else if method == Method::Other {
            Status::MethodNotAllowed
        } else {
            let text = self.scribe.text(&self.sources);
            let reply = async move {
                match text.await {
                    Some(text) => http::reply(Status::Ok, CONTENT_TYPE, &text, method),
                    None => http::short(Status::Internal, method),
                }
            };
            return Ok(Answer::Later(consumed, Box::pin(reply)));
        };
        output.extend(http::short(refusal, method));
        Ok(Answer::Done(consumed))
    }
}
