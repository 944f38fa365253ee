//! Connectors of the tables of Postfix.
//!
//! | module | what it knows |
//! |---|---|
//! | [`text`] | lines, as postmap(1) reads them |
//! | [`table`] | their entries, and what is not known of them |
//! | [`key`] | what Postfix asks smtp_tls_policy_maps for |
//! | [`policy`], [`matching`] | what it finds there, as the keys of a connector |
//! | [`policies`] | both, for domains and hosts |
//! | [`routes`], [`through`] | the smart hosts of transport_maps, and their policies |
//! | [`plan`] | which of them are one connector |
//! | [`senders`] | check_sender_access, as inbound connectors |

pub mod key;
mod matching;
pub mod plan;
pub mod policies;
pub mod policy;
pub mod routes;
pub mod senders;
pub mod table;
pub mod text;
mod through;
