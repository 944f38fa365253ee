//! TLS connectors for Postfix and Exim.

pub mod protocol;
