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
//! | [`dns`] | questions as Postfix asks them, and whether DNSSEC vouches for the answer |
//! | [`route`] | the domains of a connector, and the hosts that the MTA would deliver to |
//! | [`observation`] | what was seen at one address, as data |
//! | [`dane`] | TLSA records, and whether a chain is what they say |
//! | [`mta_sts`] | the MTA-STS policy of a domain, and whether it covers a host |
//! | [`report`] | what is made of it: verdicts, reasons, certificates |
//!
//! Only `dns`, `smtp`, `handshake`, `probe` and `mta_sts` touch the network; `judge` and everything
//! behind it are pure. It runs in a process of its own and never in the daemon, which has no
//! network. Whatever a partner sends is hostile: bounded in size and time, and escaped before it
//! reaches a terminal, a file or a mail.

pub mod dane;
pub mod dns;
pub mod mta_sts;
pub mod observation;
pub mod report;
pub mod route;
