//! TLS connectors for Postfix and Exim.

pub mod answer;
pub mod model;
pub mod protocol;
pub mod snapshot;
