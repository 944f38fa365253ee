//! What the configuration takes as a value, for whoever writes one.
//!
//! These are the functions that read the keys, so that what is written is what will be read.

use ipnet::IpNet;

use super::addresses;
use super::keys;
use super::patterns::{self, Refusal};
use crate::model::Pattern;

/// A pattern of domains, as for `domains` and `identify.domains`.
pub(crate) fn domain(text: &str) -> Result<Pattern, String> {
    patterns::domain(text).map_err(Refusal::into_message)
}

/// A name that a server's certificate may show, as for `match`.
pub(crate) fn server_name(text: &str) -> Result<Pattern, String> {
    patterns::server_name(text).map_err(Refusal::into_message)
}

/// A name that a client's certificate may show, as for `require.certificate.names`.
pub(crate) fn certificate_name(text: &str) -> Result<Pattern, String> {
    patterns::certificate_name(text).map_err(Refusal::into_message)
}

/// A range of addresses, as for `identify.addresses`.
pub(crate) fn range(text: &str) -> Result<IpNet, String> {
    addresses::parse(text).map_err(|(message, _)| message)
}

/// Whether a text is the key of something that `[[outbound]]` says.
pub(crate) fn is_outbound(text: &str) -> bool {
    keys::names(keys::OUTBOUND).any(|name| name == text)
}
