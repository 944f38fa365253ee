//! Policy delegation (Postfix's SMTPD_POLICY_README): what smtpd asks about a client, and the action we reply.
//!
//! [`decode`] reads a [`Request`] and [`encode_action`] writes the reply. A request that is not in order closes the connection
//! without a reply, as the README asks; smtpd then tries once more and answers its client with 451. Requests on one
//! connection are independent of each other, also when they come in one read.

mod action;
mod request;

pub use action::{TEXT_LIMIT, encode_action, is_closed};
pub use request::{ATTRIBUTE_LIMIT, NAME_LIMIT, REQUEST_LIMIT, Request, decode};
