//! Connectors from what people have: drafts of them, and the file that these are written into.
//!
//! Each import is pure: bytes in, [`Draft`]s and what is to be said about them out. A draft is text that the
//! configuration would accept, not a connector: what it means is decided by [`crate::config`] alone, when somebody loads
//! the file. So nothing here can make an answer, and a draft never is in force by itself.
//!
//! Whoever imports must lose nothing in silence: what has no form here is a [`Refused`] with its place, and what was
//! changed, guessed or left out is a note of the draft.

pub mod csv;
mod draft;
pub mod exchange;
pub mod kit;
mod name;
pub mod postfix;
mod range;
mod refused;
mod written;
#[cfg(test)]
mod written_tests;

pub use draft::{Draft, InboundTerms, Names, OutboundTerms, People, Terms};
pub use name::Unique;
pub use refused::Refused;
pub use written::{NOTE, file};
