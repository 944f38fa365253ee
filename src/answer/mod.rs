//! Every answer there is, each from one pure function of a snapshot and a request.
//!
//! The daemon and `explain` call the same functions, so what `explain` says is what happens.
//! Nothing here reads a file, a socket or the clock. A [`Reply`] or an [`inbound::Decision`] can
//! only be made here, which is what keeps the vocabulary closed: no text of a peer gets into it
//! but names that were parsed and written out again.
//!
//! What cannot be decided is never "no connector": it is `PERM`, or a deferral.

pub mod exim;
#[cfg(test)]
mod exim_tests;
pub mod inbound;
#[cfg(test)]
mod inbound_properties;
#[cfg(test)]
mod inbound_tests;
mod leaf;
mod mail;
mod outbound;
#[cfg(test)]
mod outbound_tests;
#[cfg(test)]
mod overrides_tests;
#[cfg(test)]
mod parity;
#[cfg(test)]
mod parts_tests;
#[cfg(test)]
mod properties;
pub mod text;
#[cfg(test)]
mod undecided_tests;
mod violations;
#[cfg(test)]
mod words_tests;

use std::borrow::Cow;
use std::fmt;

use smallvec::SmallVec;

pub use inbound::inbound;
pub use leaf::Leaf;
pub use mail::{ClientCertificate, Mail, ProtocolState};
pub use outbound::{foresee, socketmap, tls, transport};

use crate::snapshot::Connector;

/// The reply to a map lookup.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Reply<'s> {
    /// This is what applies.
    Ok(&'s str),
    /// No connector applies: main.cf decides.
    NotFound,
    /// The question makes no sense; Postfix defers.
    Perm(Refusal),
    /// We cannot decide now; Postfix defers.
    Temp(Refusal),
}

/// Why a question is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Only `tls` and `transport` exist.
    #[error("unknown map; this server has the maps tls and transport")]
    UnknownMap,
    /// A request without a key, or with an empty one.
    #[error("empty request")]
    Empty,
    /// A key that is not UTF-8.
    #[error("key is not UTF-8")]
    NotUtf8,
    /// A key that is neither a domain nor a next-hop.
    #[error("invalid key: {0}")]
    Key(#[from] crate::model::host::Error),
    /// Something that cannot happen did.
    #[error("internal error, see the log of connectord")]
    Internal,
}

/// What a reply about outbound mail comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A connector applies, and it was told.
    Ok,
    /// None applies.
    NotFound,
    /// The question makes no sense.
    Perm,
    /// The mail waits.
    Temp,
}

impl Verdict {
    /// The word in logs and in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Ok => "ok",
            Verdict::NotFound => "notfound",
            Verdict::Perm => "perm",
            Verdict::Temp => "temp",
        }
    }
}

/// An answer to a question about outbound mail, whoever asks.
pub trait Answered {
    /// What is sent, without the framing of the protocol: a word, which may be empty, and the rest.
    fn words(&self) -> (&'static str, Cow<'_, str>);
    /// What is sent, without the framing of the protocol.
    fn payload(&self) -> String {
        let (word, rest) = self.words();
        format!("{word}{rest}")
    }
    /// What it comes to.
    fn verdict(&self) -> Verdict;
    /// Why there is none, where the question is to blame.
    fn refusal(&self) -> Option<Refusal>;
}

impl Answered for Reply<'_> {
    /// `OK` always has a value and `NOTFOUND` its space: Postfix up to 3.7 takes a bare `OK` for
    /// "not found" (dict_sockmap.c).
    fn words(&self) -> (&'static str, Cow<'_, str>) {
        match self {
            Reply::Ok(value) => ("OK ", Cow::Borrowed(value)),
            Reply::NotFound => ("NOTFOUND ", Cow::Borrowed("")),
            Reply::Perm(reason) => ("PERM ", Cow::Owned(reason.to_string())),
            Reply::Temp(reason) => ("TEMP ", Cow::Owned(reason.to_string())),
        }
    }

    fn verdict(&self) -> Verdict {
        match self {
            Reply::Ok(_) => Verdict::Ok,
            Reply::NotFound => Verdict::NotFound,
            Reply::Perm(_) => Verdict::Perm,
            Reply::Temp(_) => Verdict::Temp,
        }
    }

    fn refusal(&self) -> Option<Refusal> {
        match self {
            Reply::Ok(_) | Reply::NotFound => None,
            Reply::Perm(refusal) | Reply::Temp(refusal) => Some(*refusal),
        }
    }
}

/// The answer to a question about outbound mail, with what it was made from.
#[derive(Debug)]
#[must_use]
pub struct Lookup<'s, R = Reply<'s>> {
    /// What is sent.
    pub reply: R,
    /// The enforcing connectors that made it.
    pub applies: SmallVec<[Applied<'s>; 1]>,
    /// The reporting connectors that would have.
    pub report: Vec<Reported<'s, R>>,
}

impl<'s, R> Lookup<'s, R> {
    fn of(reply: R) -> Lookup<'s, R> {
        // Empty vectors allocate nothing.
        Lookup { reply, applies: SmallVec::new(), report: Vec::new() }
    }
}

/// An enforcing connector that took part in an answer.
pub struct Applied<'s> {
    /// The connector.
    pub connector: &'s Connector,
    /// How it came to apply.
    pub by: By<'s>,
}

impl Applied<'_> {
    /// The number of the connector; one that was found by a domain is not looked at for it.
    pub fn number(&self) -> u32 {
        match self.by {
            By::Domain(hit) => hit.owner,
            By::Route => self.connector.number,
        }
    }
}

/// A reporting connector, and what it would have answered.
pub struct Reported<'s, R = Reply<'s>> {
    /// The connector and how it would have come to apply.
    pub applied: Applied<'s>,
    /// Its reply.
    pub would_reply: R,
}

/// How a connector came to apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By<'s> {
    /// By a pattern of its domains.
    Domain(crate::snapshot::index::Hit<'s>),
    /// By a smart host of its route.
    Route,
}

impl By<'_> {
    /// The pattern as written, or `route`, in two parts.
    pub fn parts(&self) -> (&'static str, &str) {
        match self {
            By::Domain(hit) => hit.parts(),
            By::Route => ("", "route"),
        }
    }
}

impl fmt::Display for By<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (form, name) = self.parts();
        write!(f, "{form}{name}")
    }
}

impl fmt::Debug for Applied<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} by {}", self.connector.agreement.name, self.by)
    }
}

impl<R: fmt::Debug> fmt::Debug for Reported<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}, would reply {:?}", self.applied, self.would_reply)
    }
}
