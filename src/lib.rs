//! TLS connectors for Postfix and Exim.

pub mod answer;
pub mod model;
pub mod snapshot;
