//! TLS connectors for Postfix and Exim.
