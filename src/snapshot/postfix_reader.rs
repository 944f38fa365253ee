//! How Postfix reads what the maps reply, written down from its sources and not from ours: tests
//! hold every reply against it, those of the daemon too (`tests/server`).

use std::collections::BTreeMap;

/// The words for a level of `tls_level_lookup` that we ever use. `none` is not among them.
const LEVELS: [&str; 7] = ["may", "encrypt", "verify", "secure", "fingerprint", "dane", "dane-only"];

/// The attributes that we ever use, and the levels at which they do not defer the mail.
const ATTRIBUTES: [(&str, &[&str]); 5] = [
    ("match", &["verify", "secure", "fingerprint"]),
    ("tafile", &["verify", "secure"]),
    ("servername", &["may", "encrypt", "verify", "secure", "fingerprint"]),
    ("protocols", &LEVELS),
    ("ciphers", &LEVELS),
];

/// The longest text behind `TEMP` or `PERM`.
const REASON: usize = 200;

/// smtp_tls_policy.c:tls_policy_lookup_one, as documented in postconf(5): tokens between commas and
/// white space, a level, then attributes that are legal there.
pub fn policy(policy: &str) -> Result<(&str, BTreeMap<&str, &str>), String> {
    let mut tokens = policy.split([',', ' ', '\t', '\r', '\n']).filter(|token| !token.is_empty());
    let level = tokens.next().filter(|word| LEVELS.contains(word)).ok_or("invalid security level")?;
    let mut attributes = BTreeMap::new();
    for token in tokens {
        let (name, value) = token.split_once('=').ok_or(format!("malformed attribute {token}"))?;
        if value.is_empty() {
            return Err(format!("attribute {name} has empty value"));
        }
        let Some((_, legal)) = ATTRIBUTES.iter().find(|(known, _)| *known == name) else {
            return Err(format!("invalid attribute name {name}"));
        };
        if !legal.contains(&level) {
            return Err(format!("attribute {name} invalid at {level}"));
        }
        if attributes.insert(name, value).is_some() {
            return Err(format!("attribute {name} twice"));
        }
    }
    if matches!(level, "secure" | "fingerprint") && !attributes.contains_key("match") {
        return Err("nothing to match".into());
    }
    Ok((level, attributes))
}

/// A payload of either map, as dict_sockmap.c:dict_sockmap_lookup takes it, narrowed to what we may
/// say: no bare `OK`, no `TIMEOUT`, and a reason that can stand in a log.
pub fn reply(payload: &str) -> Result<(), String> {
    let (word, rest) = payload.split_once(' ').ok_or("a word alone")?;
    let reason = |text: &str| {
        let plain = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        plain && text.len() <= REASON && text.starts_with(|first: char| first.is_ascii_alphabetic())
    };
    match word {
        "NOTFOUND" if rest.is_empty() => Ok(()),
        "TEMP" | "PERM" if reason(rest) => Ok(()),
        "OK" => policy(rest).map(drop).or_else(|error| if transport(rest) { Ok(()) } else { Err(error) }),
        _ => Err(format!("not of the vocabulary: {payload:?}")),
    }
}

/// A right-hand side of transport(5): a service, a colon, and next-hops or nothing.
fn transport(text: &str) -> bool {
    let word = |text: &str, more: &[u8]| {
        text.bytes().all(|byte| byte.is_ascii_alphanumeric() || more.contains(&byte)) && !text.is_empty()
    };
    text.split_once(':').is_some_and(|(service, hops)| {
        word(service, b"-_.") && (hops.is_empty() || hops.split(", ").all(|hop| word(hop, b"-_.:[]")))
    })
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
