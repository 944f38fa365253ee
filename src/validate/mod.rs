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
//! | [`observation`] | what was seen at one address, as data |
//! | [`report`] | what is made of it: verdicts, reasons, certificates |
//! | [`registered`] | the certificate files of inbound connectors, judged |
//! | [`settings`] | what a result is bound to |
//! | [`options`] | what is wanted |
//! | [`bounded`] | the report as it may be shown: escaped, cut |
//! | [`inventory`] | every certificate that is known |
//! | [`changes`] | what is new since the last report |
//! | [`words`] | the report for people |
//! | [`state`] | results kept, sealed, and what they say today |
//!
//! Only `dns`, `smtp`, `handshake`, `probe` and `mta_sts` touch the network; `judge` and everything
//! behind it are pure. It runs in a process of its own and never in the daemon, which has no
//! network. Whatever a partner sends is hostile: bounded in size and time, and escaped before it
//! reaches a terminal, a file or a mail.

pub mod bounded;
pub mod changes;
pub mod inventory;
pub mod observation;
pub mod options;
pub mod registered;
pub mod report;
#[cfg(test)]
pub mod sample;
pub mod settings;
pub mod state;
pub mod words;
