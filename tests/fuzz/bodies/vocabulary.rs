//! Everything that may ever be said, by hand and without the types that say it.

use std::collections::BTreeMap;

use super::postfix;

/// Connectors by the names that may stand in a reply: those of [`super::site`], or any for other configurations.
pub const SITE: &[&str] = &["partner-in", "inner-in", "range-in", "registered-in", "scoped-in", "here-in"];

/// Why a question is not answered.
const REFUSALS: [&str; 12] = [
    "unknown map; this server has the maps tls and transport",
    "empty request",
    "key is not UTF-8",
    "invalid key: unbalanced bracket in next-hop",
    "invalid key: invalid port in next-hop",
    "invalid key: invalid IPv6 address in next-hop",
    "invalid key: empty domain name",
    "invalid key: empty label in domain name",
    "invalid key: domain name too long",
    "invalid key: invalid character in domain name",
    "invalid key: label of domain name begins or ends with a hyphen",
    "invalid key: invalid internationalised domain name",
];

/// Whether a payload for Postfix's socketmap client is one that we may send.
pub fn socketmap(map: &[u8], payload: &str) {
    if payload == "NOTFOUND " {
        return;
    }
    if let Some(reason) = payload.strip_prefix("PERM ") {
        assert!(REFUSALS.contains(&reason), "a new reason: {reason}");
        return;
    }
    let value = payload.strip_prefix("OK ").unwrap_or_else(|| panic!("nothing of ours: {payload:?}"));
    assert!(value.len() <= 60_000 && is_printable(value), "{value:?}");
    match map {
        b"tls" => assert_eq!(postfix::policy(value).err(), None, "{value:?}"),
        b"transport" => assert_eq!(postfix::transport(value), Ok(()), "{value:?}"),
        _ => panic!("OK for a map that does not exist: {value:?}"),
    }
}

/// Whether the bytes are a reply to a policy request that we may send; the severity of its action.
pub fn policy(reply: &[u8], connectors: &[&str]) -> Severity {
    let text = std::str::from_utf8(reply).expect("a reply is text");
    let action = text.strip_prefix("action=").and_then(|rest| rest.strip_suffix("\n\n"));
    action_of(action.unwrap_or_else(|| panic!("no policy reply: {text:?}")), connectors)
}

/// How much is objected to a mail, mildest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// `DUNNO`
    Nothing,
    /// `HOLD`
    Hold,
    /// 4xx
    Defer,
    /// 5xx
    Reject,
}

/// `DUNNO`, or a code of the agreed ones and a text of the agreed ones.
fn action_of(action: &str, connectors: &[&str]) -> Severity {
    if action == "DUNNO" {
        return Severity::Nothing;
    }
    const CODES: [(&str, Severity); 5] = [
        ("HOLD ", Severity::Hold),
        ("450 4.7.0 ", Severity::Defer),
        ("450 4.7.1 ", Severity::Defer),
        ("530 5.7.0 ", Severity::Reject),
        ("550 5.7.1 ", Severity::Reject),
    ];
    let found = CODES.iter().find_map(|(code, severity)| Some((action.strip_prefix(code)?, *severity)));
    let (text, severity) = found.unwrap_or_else(|| panic!("nothing of ours: {action:?}"));
    assert!(is_printable(text) && text.starts_with(|first: char| first.is_ascii_alphabetic()), "{text:?}");
    const UNDECIDED: [&str; 3] = [
        "connectord does not know this protocol state",
        "the domain of the sender cannot be determined",
        "the address of the client cannot be determined",
    ];
    if UNDECIDED.contains(&text) {
        assert!(action.starts_with("450 4.7.1 "), "{action:?}");
        return severity;
    }
    let named = text.strip_prefix("connector ").and_then(|rest| rest.split_once(": "));
    let (connector, violation) = named.unwrap_or_else(|| panic!("nothing of ours: {action:?}"));
    assert!(
        connector.len() <= 64 && (connectors.is_empty() || connectors.contains(&connector)),
        "{action:?}"
    );
    assert!(violation.len() <= 200 && is_violation(violation), "{action:?}");
    let about_tls = violation.starts_with("TLS");
    let code = action.get(..9).filter(|_| severity != Severity::Hold);
    assert!(code.is_none_or(|code| code.ends_with('0') == about_tls), "{action:?}");
    severity
}

fn is_violation(text: &str) -> bool {
    const WHOLE: [&str; 8] = [
        "TLS is required",
        "no client certificate was presented",
        "client certificate is not trusted",
        "client certificate is not registered",
        "client certificate cannot be recognised, its digest is not SHA-256",
        "registered client certificate is not valid at this time",
        "client certificate is from another issuer",
        "client address is not in the agreed ranges",
    ];
    const VERSIONS: [&str; 5] = ["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3", "an unknown version"];
    let version = |text: &str| VERSIONS.contains(&text);
    let old = |text: &str| {
        let (wanted, used) = text.split_once(" or newer is required, ")?;
        Some(version(wanted) && version(used.strip_suffix(" was used")?))
    };
    let unnamed = |text: &str| {
        let wanted = text.strip_prefix("client certificate shows no name, ")?.strip_suffix(" is required")?;
        Some(wanted.split(" or ").all(is_pattern))
    };
    let other = |text: &str| {
        let (name, wanted) = text.strip_prefix("certificate name ")?.split_once(" does not match ")?;
        Some(is_pattern(name) && wanted.split(" or ").all(is_pattern))
    };
    let formed = [old(text), unnamed(text), other(text)].contains(&Some(true));
    // A text that is cut holds at least no more than names are made of.
    let cut = text.len() == 200
        && text.starts_with("c")
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b" -_.*,".contains(&b));
    WHOLE.contains(&text) || formed || cut
}

/// A name, one with a star or a dot before it, `*`, or how many more there are.
fn is_pattern(text: &str) -> bool {
    let name = text.strip_prefix("*.").or_else(|| text.strip_prefix('.')).unwrap_or(text);
    let more = text.strip_suffix(" more").is_some_and(|count| count.parse::<usize>().is_ok());
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b);
    text == "*" || more || (!name.is_empty() && name.len() <= 253 && name.bytes().all(plain))
}

/// Whether a line is an answer to Exim that we may send, as `${extract}` would take it apart.
pub fn exim<'a>(line: &'a str, connectors: &[&str]) -> BTreeMap<&'a str, String> {
    assert!(is_printable(line), "{line:?}");
    let pairs = pairs(line).unwrap_or_else(|| panic!("Exim would not read {line:?}"));
    let keys: Vec<&str> = pairs.iter().map(|(key, _)| *key).collect();
    let found: BTreeMap<&str, String> = pairs.into_iter().collect();
    let get = |key: &str| found.get(key).map_or("", String::as_str);
    assert_eq!(get("end"), "ok", "{line:?}");
    match keys.as_slice() {
        ["status", "text", "end"] => {
            assert_eq!(get("status"), "temp", "{line:?}");
            let text = get("text");
            assert!(REFUSALS.contains(&text) || text.starts_with("connector "), "{line:?}");
        }
        ["status", "tls", others @ .., "end"] => {
            let mut order = ["ca", "sni", "min", "hosts"].iter();
            assert!(others.iter().all(|key| order.any(|next| next == key)), "{line:?}");
            assert_eq!(get("status"), "ok", "{line:?}");
            let levels = ["default", "may", "encrypt", "host", "cert", "pin", "dane"];
            assert!(levels.contains(&get("tls")), "{line:?}");
        }
        ["action", "end"] | ["action", "connector", "end"] => {
            assert!(get("action") == "pass", "{line:?}");
        }
        ["action", "text", "end"] | ["action", "text", "connector", "end"] => {
            let severity = action_of(get("text"), connectors);
            let expected = if severity == Severity::Reject { "deny" } else { "defer" };
            assert_eq!(get("action"), expected, "{line:?}");
            assert_ne!(severity, Severity::Hold, "{line:?}");
        }
        ["status", "action", "end"] => assert_eq!(line, "status=temp action=defer end=ok"),
        _ => panic!("nothing of ours: {line:?}"),
    }
    for value in found.values() {
        assert!(!value.contains(['$', '{', '}', '\\', '"']), "Exim could expand {line:?}");
    }
    found
}

/// expand.c:expand_getkeyed: pairs between blanks, values with quotes and backslashes undone.
fn pairs(line: &str) -> Option<Vec<(&str, String)>> {
    let mut pairs = Vec::new();
    let mut rest = line;
    while !rest.is_empty() {
        let (key, behind) = rest.split_once('=')?;
        let mut value = String::new();
        let mut end = behind.len();
        if let Some(quoted) = behind.strip_prefix('"') {
            let mut escaped = false;
            let close = quoted.char_indices().find(|&(_, c)| {
                let closes = c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                if !closes && !escaped {
                    value.push(c);
                }
                closes
            });
            end = close?.0 + 2;
        } else {
            let plain = |b: u8| b.is_ascii_alphanumeric() || b"._/:-".contains(&b);
            end = behind.find(' ').unwrap_or(end);
            value.push_str(&behind[..end]);
            if value.is_empty() || !value.bytes().all(plain) {
                return None;
            }
        }
        pairs.push((key, value));
        rest = &behind[end..];
        if !rest.is_empty() {
            rest = rest.strip_prefix(' ').filter(|rest| !rest.is_empty())?;
        }
    }
    Some(pairs)
}

/// Whether text is a verdict about a certificate that we may send: exactly `ok`, or `no: ` and words of a closed list.
pub fn certificate(text: &str) -> bool {
    if text == "ok" {
        return true;
    }
    let why = text.strip_prefix("no: ").unwrap_or_else(|| panic!("nothing of ours: {text:?}"));
    const WHOLE: [&str; 5] = [
        "the connectors have changed since this delivery began",
        "not a certificate that can be read",
        "certificate and key have other fingerprints",
        "the certificate is not for a server",
        "the host has no name to compare with the certificate",
    ];
    let shows = |text: &str| {
        let wanted = text.strip_prefix("certificate shows no name, ")?.strip_suffix(" is required")?;
        Some(wanted.split(" or ").all(is_pattern))
    };
    let other = |text: &str| {
        let (names, wanted) = text.strip_prefix("certificate name ")?.split_once(" does not match ")?;
        Some(names.split(" or ").all(is_pattern) && wanted.split(" or ").all(is_pattern))
    };
    let known = WHOLE.contains(&why) || REFUSALS.contains(&why);
    assert!(known || [shows(why), other(why)].contains(&Some(true)), "nothing of ours: {text:?}");
    false
}

fn is_printable(text: &str) -> bool {
    text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}
