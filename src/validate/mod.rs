//! Testing a partner: what the MTA would meet at every host, and what it would make of it.
//!
//! Data flows one way here too:
//!
//! ```text
//! connector -> route -> probe -> Observation -> judge -> report -> words, JSON, state
//! ```
//!
//! | module | what it is |
//! |---|---|
//! | [`smtp`] | one bounded SMTP conversation |
//! | [`handshake`] | the TLS handshake as Postfix makes it |
//! | [`message`] | the test mail |
//! | [`probe`] | a visit to one address: all of the above, in order |
//! | [`trust`], [`distrust`] | the chain as Postfix's OpenSSL judges it, and why not |
//! | [`revocation`] | what a stapled response and lists say of revocation |
//! | [`judge`], [`warnings`], [`words`] | what Postfix would decide at an address, and how to say it |
//! | [`strictest`] | the strictest level that would pass today |
//! | [`observation`] | what was seen at one address, as data |
//! | [`report`] | what is made of it: verdicts, reasons, certificates |
//!
//! Only `dns`, `smtp`, `handshake`, `probe` and `mta_sts` touch the network; `judge` and everything
//! behind it are pure. It runs in a process of its own and never in the daemon, which has no
//! network. Whatever a partner sends is hostile: bounded in size and time, and escaped before it
//! reaches a terminal, a file or a mail.

pub mod distrust;
#[cfg(test)]
pub mod forge;
pub mod handshake;
pub mod judge;
pub mod message;
pub mod observation;
pub mod probe;
pub mod report;
pub mod revocation;
pub mod smtp;
pub mod strictest;
pub mod trust;
pub mod warnings;
mod words;
