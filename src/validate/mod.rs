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
//! | [`options`] | what is wanted |
//! | [`demands`] | what is demanded at smart hosts that connectors share |
//! | [`run`] | all of it, at once and bounded in time |
//! | [`dns`] | questions as Postfix asks them, and whether DNSSEC vouches for the answer |
//! | [`route`] | the domains of a connector, and the hosts that the MTA would deliver to |
//! | [`smtp`], [`handshake`] | one bounded SMTP conversation, and the TLS handshake as Postfix makes it |
//! | [`message`] | the test mail |
//! | [`probe`] | a visit to one address: all of the above, in order |
//! | [`observation`] | what was seen at one address, as data |
//! | [`trust`], [`distrust`] | the chain as Postfix's OpenSSL judges it, and why not |
//! | [`revocation`] | what a stapled response and lists say of revocation |
//! | [`dane`] | TLSA records, and whether a chain is what they say |
//! | [`mta_sts`] | the MTA-STS policy of a domain, and whether it covers a host |
//! | [`judge`], [`warnings`], `reasons` | what Postfix would decide at an address, and how to say it |
//! | [`strictest`] | the strictest level that would pass today |
//! | [`registered`] | the certificate files of inbound connectors, judged |
//! | [`report`] | what is made of it: verdicts, reasons, certificates |
//! | [`bounded`] | the report as it may be shown: escaped, cut |
//! | [`words`] | the report for people |
//! | [`state`], [`settings`] | results kept, sealed and bound to what was tested, and what they say today |
//! | [`authorities`], [`sight`] | what a result rests on, and what its run could not see |
//! | [`changes`], [`seen`] | what is new since the last report, and the last certificate of each place |
//! | [`inventory`] | every certificate that is known |
//!
//! Only `dns`, `smtp`, `handshake`, `probe` and `mta_sts` touch the network; `judge` and everything
//! behind it are pure. It runs in a program of its own (`src/with_tls.rs`) and never in the daemon,
//! which has no network and no TLS library; what that one uses of it, kept results, needs neither.
//! Whatever a partner sends is hostile: bounded in size and time, and escaped before it reaches a
//! terminal, a file or a mail.

mod at_once;
pub mod authorities;
pub mod bounded;
pub mod changes;
pub mod dane;
pub mod demands;
pub mod distrust;
pub mod dns;
#[cfg(test)]
pub mod forge;
pub mod handshake;
pub mod inventory;
pub mod judge;
pub mod message;
pub mod mta_sts;
pub mod observation;
pub mod options;
pub mod probe;
mod reasons;
pub mod registered;
pub mod report;
pub mod revocation;
pub mod route;
pub mod run;
#[cfg(test)]
pub mod sample;
pub mod seen;
pub mod settings;
pub mod sight;
pub mod smtp;
pub mod state;
pub mod strictest;
pub mod trust;
pub mod warnings;
pub mod words;
