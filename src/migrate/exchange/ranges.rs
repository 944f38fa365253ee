//! Addresses as Exchange writes them: one, a range with its prefix, and on premises one from-to.

use std::collections::HashSet;
use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Subnets, Ipv6Subnets};

use super::making::Making;
use super::properties::{Properties, Refusal, shown};
use crate::config::value;
use crate::migrate::range::range;

/// Ranges of one connector. One from-to may be hundreds of them; nobody's list comes near this.
const MAX_RANGES: usize = 10_000;

/// Reads a list of them. What Exchange writes as a host inside a range is the range.
pub(super) fn ranges(
    of: Properties<'_>,
    name: &str,
    texts: &[&str],
    making: &mut Making,
) -> Result<Vec<String>, Refusal> {
    let mut ranges: Vec<String> = Vec::new();
    let mut seen = HashSet::new();
    let mut made = 0;
    let mut widened = Vec::new();
    for text in texts {
        let read = match text.split_once('-') {
            Some((first, last)) => from_to(first.trim(), last.trim()),
            None => one(text).map(|(range, exact)| {
                if !exact {
                    widened.push(format!("{text} is {range}"));
                }
                vec![range]
            }),
        };
        let Some(read) = read else {
            return Err(
                of.refuse(name, format_args!("has {}, which is no address and no range", shown(text)))
            );
        };
        made += read.len();
        if made > MAX_RANGES {
            return Err(of.refuse(name, format_args!("stands for more than {MAX_RANGES} ranges")));
        }
        ranges.extend(read.into_iter().filter(|range| seen.insert(*range)).map(|one| range(&one)));
    }
    if !widened.is_empty() {
        making.note(format!("Ranges written with a host in them: {}.", widened.join(", ")));
    }
    Ok(ranges)
}

/// A range, and whether it was written as one.
fn one(text: &str) -> Option<(IpNet, bool)> {
    if let Ok(range) = value::range(text) {
        return Some((range, true));
    }
    let range: IpNet = text.parse().ok()?;
    value::range(&range.trunc().to_string()).ok().map(|range| (range, false))
}

fn from_to(first: &str, last: &str) -> Option<Vec<IpNet>> {
    let ranges: Vec<IpNet> = match (first.parse().ok()?, last.parse().ok()?) {
        (IpAddr::V4(first), IpAddr::V4(last)) if first <= last => {
            Ipv4Subnets::new(first, last, 0).map(IpNet::V4).collect()
        }
        (IpAddr::V6(first), IpAddr::V6(last)) if first <= last => {
            Ipv6Subnets::new(first, last, 0).map(IpNet::V6).collect()
        }
        _ => return None,
    };
    ranges.iter().map(|range| value::range(&range.to_string()).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn from_to_is_exactly_that() {
        let shown = |first, last| {
            from_to(first, last)
                .map(|ranges| ranges.iter().map(IpNet::to_string).collect::<Vec<_>>().join(" "))
        };
        for (first, last, expected) in [
            ("192.0.2.0", "192.0.2.255", Some("192.0.2.0/24")),
            ("192.0.2.7", "192.0.2.9", Some("192.0.2.7/32 192.0.2.8/31")),
            ("0.0.0.0", "255.255.255.255", Some("0.0.0.0/0")),
            ("::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Some("::/0")),
            ("192.0.2.9", "192.0.2.7", None),
            ("192.0.2.9", "::1", None),
            ("a", "b", None),
        ] {
            assert_eq!(shown(first, last).as_deref(), expected, "{first}-{last}");
        }
    }
}
