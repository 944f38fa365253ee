//! Ranges of addresses as they are written: `192.0.2.25`, `203.0.113.0/24`, `2001:db8::/32`.

use std::net::IpAddr;

use ipnet::IpNet;

use super::problem::shown;
use super::reading::Reading;
use super::table::Item;

/// An IPv4 range with a shorter prefix is wider than any that one organisation is given (the
/// historic class A networks, a /8, are the largest).
const WIDE_V4: u8 = 8;

/// An IPv6 range with a shorter prefix is wider than nearly all that one provider is given (the
/// largest allocations of the regional registries are a /19 or so).
const WIDE_V6: u8 = 19;

/// What a range is for, as far as its width matters.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// Mail from there is judged.
    Identify,
    /// Mail from there is not judged.
    Exempt,
    /// Mail must come from there.
    Require,
    /// For people.
    Note,
}

/// The ranges of a list. Each that is refused, or is very wide, is told.
pub(super) fn ranges(reading: &mut Reading, item: Item<'_>, purpose: Use) -> Vec<IpNet> {
    let mut ranges = Vec::new();
    for text in item.texts(reading) {
        let range = match parse(text.text) {
            Ok(range) => range,
            Err((message, help)) => {
                reading.problem(text.place, message, help);
                continue;
            }
        };
        if range.prefix_len() == 0 && matches!(purpose, Use::Exempt | Use::Require) {
            let (message, help) = match purpose {
                Use::Require => (
                    "this is every address: it demands nothing",
                    "name the partner's addresses, or leave the key out",
                ),
                Use::Exempt | Use::Identify | Use::Note => (
                    "this is every address: no mail would be judged",
                    "name the addresses of our own hosts, or set the connectors to mode = \"off\"",
                ),
            };
            reading.problem(text.place, message, help);
            continue;
        }
        let wide = match range {
            IpNet::V4(_) => range.prefix_len() < WIDE_V4,
            IpNet::V6(_) => range.prefix_len() < WIDE_V6,
        };
        if wide {
            let consequence = match purpose {
                Use::Identify => "mail of many others is judged as the partner's",
                Use::Exempt => "mail of many others is not judged",
                Use::Require => "many others satisfy it",
                Use::Note => "this is hardly one organisation",
            };
            let message = format!("{} is a very wide range: {consequence}", shown(text.text));
            reading.warn(text.place, message, "name the ranges that the partner uses");
        }
        ranges.push(range);
    }
    ranges
}

/// Reads a range; why it is none, and what to do.
pub(super) fn parse(text: &str) -> Result<IpNet, (String, String)> {
    let refuse = |message: String, help: &str| Err((message, help.to_owned()));
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (text, None),
    };
    let Ok(address) = address.parse::<IpAddr>() else {
        return refuse(
            format!("{} is no address range", shown(text)),
            "write an address (192.0.2.25) or a range (203.0.113.0/24, 2001:db8::/32)",
        );
    };
    let most: u8 = if address.is_ipv4() { 32 } else { 128 };
    let prefix = match prefix {
        None => most,
        Some(digits) => {
            let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
            match digits.parse::<u8>() {
                Ok(prefix) if plain && prefix <= most => prefix,
                _ => {
                    return refuse(
                        format!("{} has no valid prefix length", shown(text)),
                        &format!("write a number from 0 to {most} after the slash"),
                    );
                }
            }
        }
    };
    // What Postfix gives as an IPv4 address is compared as one.
    let (address, prefix) = match (address.to_canonical(), address) {
        (canonical @ IpAddr::V4(_), IpAddr::V6(_)) => match prefix.checked_sub(96) {
            Some(prefix) => (canonical, prefix),
            None => {
                return refuse(
                    format!("{} holds more than the IPv4 addresses written as IPv6", shown(text)),
                    "write the IPv4 range and the IPv6 range as two",
                );
            }
        },
        (canonical, _) => (canonical, prefix),
    };
    let Ok(range) = IpNet::new(address, prefix) else {
        return refuse(format!("{} is no address range", shown(text)), "write an address or a range");
    };
    if range.network() != address {
        let message = format!("{} names a host inside the range", shown(text));
        return Err((
            message,
            format!("write the range itself, {}, or the address alone, {address}", range.trunc()),
        ));
    }
    Ok(range)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c7_ranges_are_exact() {
        let cases = [
            ("192.0.2.25", Some("192.0.2.25/32")),
            ("203.0.113.0/24", Some("203.0.113.0/24")),
            ("2001:db8::/32", Some("2001:db8::/32")),
            ("::ffff:192.0.2.0/120", Some("192.0.2.0/24")),
            ("::ffff:192.0.2.1", Some("192.0.2.1/32")),
            ("0.0.0.0/0", Some("0.0.0.0/0")),
            ("203.0.113.1/24", None),
            ("203.0.113.0/33", None),
            ("203.0.113.0/", None),
            ("203.0.113.0/+8", None),
            ("203.0.113.0/24/2", None),
            ("203.0.113/24", None),
            ("203.0.113.00", None),
            ("::ffff:0:0/95", None),
            ("::ffff:192.0.2.1/90", None),
            ("2001:db8::/129", None),
            ("fe80::1%eth0", None),
            ("contoso.com", None),
            (" 192.0.2.1", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text).ok().map(|range| range.to_string()).as_deref(), expected, "{text:?}");
        }
    }
}
