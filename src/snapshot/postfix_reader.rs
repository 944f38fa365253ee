//! What Postfix makes of what our maps reply, written down from its source and its manual alone.
//!
//! No type of ours is used, and nothing is forgiven: what Postfix would defer all mail for, what would silently match
//! nothing, or more than a connector can mean, is an error here. Unit tests, fuzz bodies and the tests of the running
//! daemon hold every reply against it.

use std::collections::BTreeMap;

/// The longest text behind `TEMP` or `PERM`.
const REASON: usize = 200;

/// A TLS level, and the attributes behind it.
pub type Policy<'a> = (&'a str, BTreeMap<&'a str, &'a str>);

/// `smtp_tls_policy.c:tls_policy_lookup_one`, as documented in postconf(5), smtp_tls_policy_maps: words between commas and
/// white space; a level, and attributes that are legal there.
///
/// # Errors
/// Why Postfix would log a warning and defer.
pub fn policy(value: &str) -> Result<Policy<'_>, String> {
    const LEVELS: [&str; 7] = ["may", "encrypt", "verify", "secure", "fingerprint", "dane", "dane-only"];
    let mut words = value.split([',', ' ', '\t', '\r', '\n']).filter(|word| !word.is_empty());
    let level = words.next().filter(|level| LEVELS.contains(level)).ok_or("invalid security level")?;
    let mut attributes = BTreeMap::new();
    for word in words {
        let (name, value) = word.split_once('=').ok_or(format!("malformed attribute {word}"))?;
        if value.is_empty() {
            return Err(format!("attribute {name} has empty value"));
        }
        let legal = match name {
            "match" => ["verify", "secure", "fingerprint"].contains(&level),
            "tafile" => ["verify", "secure"].contains(&level),
            "servername" => !["dane", "dane-only"].contains(&level),
            "protocols" | "ciphers" => true,
            _ => return Err(format!("invalid attribute name {name}")),
        };
        if !legal {
            return Err(format!("attribute {name} invalid at {level}"));
        }
        let well_formed = match name {
            "match" if level == "fingerprint" => value.split('|').all(is_sha256),
            "match" => value.split(':').all(is_match),
            "tafile" => !value.contains(['{', '}']) && !value.contains(char::is_control),
            "servername" => ["hostname", "nexthop"].contains(&value) || is_host(value),
            "protocols" => [">=TLSv1", ">=TLSv1.1", ">=TLSv1.2", ">=TLSv1.3"].contains(&value),
            _ => ["medium", "high"].contains(&value),
        };
        if !well_formed {
            return Err(format!("attribute {name} cannot mean {value}"));
        }
        if attributes.insert(name, value).is_some() {
            return Err(format!("attribute {name} twice"));
        }
    }
    if ["secure", "fingerprint"].contains(&level) && !attributes.contains_key("match") {
        return Err("nothing to match".to_owned());
    }
    Ok((level, attributes))
}

/// transport(5): a service of master.cf, and next-hops between commas; none are the recipient's own.
///
/// # Errors
/// What is no entry.
pub fn transport(value: &str) -> Result<(), String> {
    let (service, hops) = value.split_once(':').ok_or("no colon")?;
    if service.is_empty() || !service.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) {
        return Err(format!("no service {service}"));
    }
    let hops = hops.split(", ").filter(|_| !hops.is_empty());
    match hops.into_iter().find(|hop| !is_next_hop(hop)) {
        Some(hop) => Err(format!("no next-hop {hop}")),
        None => Ok(()),
    }
}

/// A payload of either map, as dict_sockmap.c:dict_sockmap_lookup takes it, narrowed to what we may say: no bare `OK`, no
/// `TIMEOUT`, and a reason that can stand in a log.
///
/// # Errors
/// What is wrong with it.
pub fn reply(payload: &str) -> Result<(), String> {
    let (word, rest) = payload.split_once(' ').ok_or("a word alone")?;
    let reason = |text: &str| {
        let plain = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        plain && text.len() <= REASON && text.starts_with(|first: char| first.is_ascii_alphabetic())
    };
    match word {
        "NOTFOUND" if rest.is_empty() => Ok(()),
        "TEMP" | "PERM" if reason(rest) => Ok(()),
        "OK" => policy(rest).map(drop).or_else(|error| transport(rest).map_err(|_| error)),
        _ => Err(format!("not of the vocabulary: {payload:?}")),
    }
}

/// `[host]:port` and its shorter forms.
fn is_next_hop(hop: &str) -> bool {
    let (host, port) = match hop.strip_prefix('[') {
        Some(rest) => {
            let Some((inside, behind)) = rest.split_once(']') else {
                return false;
            };
            if inside.parse::<std::net::IpAddr>().is_ok() {
                return behind.is_empty() || behind.strip_prefix(':').is_some_and(is_port);
            }
            (inside, behind.strip_prefix(':'))
        }
        None => hop.split_once(':').map_or((hop, None), |(host, port)| (host, Some(port))),
    };
    is_host(host) && port.is_none_or(is_port)
}

fn is_port(port: &str) -> bool {
    !port.is_empty() && port.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// valid_hostname.c, in lower case.
fn is_host(name: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(label)
}

/// A name, a parent with its dot, or one of the strategies but `hostname`, which takes a name from unsigned DNS.
fn is_match(element: &str) -> bool {
    element != "hostname" && is_host(element.strip_prefix('.').unwrap_or(element))
}

/// tls_fprint.c:tls_digest_encode: upper-case pairs with colons.
fn is_sha256(digest: &str) -> bool {
    let pairs: Vec<&str> = digest.split(':').collect();
    let hexadecimal = |b: u8| b.is_ascii_digit() || (b'A'..=b'F').contains(&b);
    pairs.len() == 32 && pairs.iter().all(|pair| pair.len() == 2 && pair.bytes().all(hexadecimal))
}

#[test]
fn s14_it_refuses_what_postfix_refuses() {
    for text in [
        "",
        "none",
        "half-dane",
        "encrypt match=a.b",
        "secure",
        "secure match=",
        "secure match",
        "secure match=a match=b",
        "encrypt foo=bar",
        "encrypt policy_type=sts",
        "dane servername=hostname",
        "encrypt tafile=/x",
        "secure match=*.a.b",
        "secure match=hostname",
        "fingerprint match=a.b",
        "encrypt protocols=TLSv1.2",
    ] {
        assert!(policy(text).is_err(), "{text:?}");
    }
    for payload in [
        "",
        "OK",
        "OK ",
        "OK none",
        "ok encrypt",
        "NOTFOUND",
        "NOTFOUND x",
        "TEMP ",
        "TIMEOUT x",
        "PERM \u{e9}",
    ] {
        assert!(reply(payload).is_err(), "{payload:?}");
    }
    for payload in ["OK smtp:", "OK smtp:[a.b]:25, c.d", "OK encrypt", "NOTFOUND ", "TEMP loading"] {
        assert_eq!(reply(payload), Ok(()));
    }
}
