//! The log: one line an event, never in the way of an answer.
//!
//! Everything goes through one [`Journal`]: the [`decision`] lines, rendered by ourselves because a
//! line through a logging framework costs several times an answer, and whatever the rest of the
//! crate says with `tracing` ([`events`]). Both look the same: see [`line`].

pub(super) mod decision;
pub(super) mod events;
pub(super) mod journal;
pub(super) mod line;
mod needs;

pub(super) use journal::Journal;
