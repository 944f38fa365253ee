//! Ranges of addresses as people write them.

use ipnet::IpNet;

/// A range as Exchange, Postfix and the configuration take it: of a single address without its length.
pub(in crate::migrate) fn range(range: &IpNet) -> String {
    if range.prefix_len() == range.max_prefix_len() { range.addr().to_string() } else { range.to_string() }
}
