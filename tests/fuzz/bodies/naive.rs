//! Names, next-hops and addresses of mail, read in the plainest way that is right.
//!
//! Slow, and without a line of the code that it is compared with; of the libraries behind that only `idna`, because a
//! second implementation of UTS 46 would be another project.

use std::net::{IpAddr, Ipv6Addr};

/// A host as it is compared.
#[derive(Clone, Debug, PartialEq)]
pub enum Host {
    /// Lower-case A-labels without a trailing dot.
    Name(String),
    /// An address, an IPv4-mapped one as IPv4.
    Address(IpAddr),
}

/// A domain name in the form in which it is compared; `None` for what is none.
pub fn name(text: &str) -> Option<String> {
    // More than four bytes for each of 253 make no name, whatever they stand for; ours says so before it looks.
    if text.len() > 1012 {
        return None;
    }
    let plain =
        text.is_ascii() && !text.to_ascii_lowercase().split('.').any(|label| label.starts_with("xn--"));
    let mut name = if plain {
        text.to_ascii_lowercase()
    } else {
        idna::domain_to_ascii_cow(text.as_bytes(), idna::AsciiDenyList::EMPTY).ok()?.into_owned()
    };
    if name.ends_with('.') {
        name.pop();
    }
    let label = |label: &str| {
        let edge = |c: Option<char>| c.is_none_or(|c| c == '-');
        label.len() <= 63
            && !edge(label.chars().next())
            && !edge(label.chars().last())
            && label.chars().all(|c| matches!(c, 'a'..='z' | '0'..='9' | '-' | '_'))
    };
    (name.len() <= 253 && name.split('.').all(label)).then_some(name)
}

/// Whether a pattern in its normal form is about a name: `x`, `*.x`, `.x`, `*`.
pub fn covers(pattern: &str, name: &str) -> bool {
    specificity(pattern, name).is_some()
}

/// How closely a pattern is about a name: the most for the name itself, then by the labels that are named.
pub fn specificity(pattern: &str, name: &str) -> Option<usize> {
    let below = |parent: &str| name.ends_with(&format!(".{parent}")).then(|| parent.split('.').count());
    if pattern == "*" {
        Some(0)
    } else if let Some(base) = pattern.strip_prefix("*.") {
        if name == base { Some(usize::MAX) } else { below(base) }
    } else if let Some(base) = pattern.strip_prefix('.') {
        below(base)
    } else {
        (name == pattern).then_some(usize::MAX)
    }
}

/// A host without brackets.
pub fn host(text: &str) -> Option<Host> {
    if text.as_bytes().get(..5).is_some_and(|head| head.eq_ignore_ascii_case(b"ipv6:")) {
        return Some(Host::Address(IpAddr::V6(text[5..].parse().ok()?).to_canonical()));
    }
    // Also one that hides behind a last dot.
    let normal = name(text);
    let address =
        [Some(text), normal.as_deref()].into_iter().flatten().find_map(|text| text.parse::<IpAddr>().ok());
    address.map(|address| Host::Address(address.to_canonical())).or(normal.map(Host::Name))
}

/// A next-hop as Postfix asks for it (smtp_tls_policy_maps): `host`, `host:port`, `[host]`, `[host]:port`.
pub fn next_hop(text: &str) -> Option<Host> {
    let (inside, port) = if let Some(rest) = text.strip_prefix('[') {
        let end = rest.find(']')?;
        let behind = &rest[end + 1..];
        let port = if behind.is_empty() { None } else { Some(behind.strip_prefix(':')?) };
        (&rest[..end], port)
    } else if text.contains(']') {
        return None;
    } else if text.parse::<Ipv6Addr>().is_ok() {
        (text, None)
    } else {
        text.rfind(':').map_or((text, None), |colon| (&text[..colon], Some(&text[colon + 1..])))
    };
    if port.is_some_and(|port| !is_port(port)) { None } else { host(inside) }
}

/// A number from 1 to 65535, or the name of a service (RFC 6335 section 5.1), up to 32 characters of it.
fn is_port(port: &str) -> bool {
    if port.chars().all(|c| c.is_ascii_digit()) {
        return port.trim_start_matches('0').parse::<u64>().is_ok_and(|number| (1..65_536).contains(&number));
    }
    (1..=32).contains(&port.len())
        && port.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
        && port.chars().any(|c| c.is_ascii_alphabetic())
        && !port.starts_with('-')
        && !port.ends_with('-')
}

/// What stands behind an address's `@`, or what Postfix would put there (rewrite.c:rewrite_tree).
pub fn domain_of(address: &str) -> Option<&str> {
    if let Some(at) = address.rfind('@') {
        Some(&address[at + 1..])
    } else if let Some(bang) = address.find('!') {
        Some(&address[..bang])
    } else {
        address.rfind('%').map(|percent| &address[percent + 1..])
    }
}
