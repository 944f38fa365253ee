//! Names and patterns as they are written: domains of partners, names of certificates.
//!
//! What a pattern means is known to the model; here is what an administrator may have meant when
//! it is none, and which patterns would turn a requirement into something weaker.

use std::net::IpAddr;
use std::sync::Arc;
use std::thread;

use super::problem::shown;
use super::reading::Reading;
use super::role::Role;
use super::source::{Place, Source};
use super::table::{Item, Text};
use crate::model::{Pattern, PatternList, domain, pattern};

/// Octets from which on a list is long: reading it takes ten times what a thread costs.
const LONG: usize = 1 << 18;

/// Why a text is refused, and what to write.
pub(super) struct Refusal {
    message: String,
    help: String,
}

impl Refusal {
    /// With these words.
    pub fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Refusal { message: message.into(), help: help.into() }
    }

    /// Why alone.
    pub fn into_message(self) -> String {
        self.message
    }

    /// Tells it.
    pub fn told(self, reading: &mut Reading, place: Place) {
        reading.problem(place, self.message, self.help);
    }
}

/// Reads texts one by one and tells of those that are refused.
pub(super) fn each<T>(
    reading: &mut Reading,
    texts: &[Text<'_>],
    read: impl Fn(&str) -> Result<T, Refusal>,
) -> Vec<T> {
    let mut values = Vec::with_capacity(texts.len());
    for text in texts {
        match read(text.text) {
            Ok(value) => values.push(value),
            Err(refusal) => refusal.told(reading, text.place),
        }
    }
    values
}

/// A pattern of domains: `x`, `*.x`, `.x` or `*`.
pub(super) fn domain(text: &str) -> Result<Pattern, Refusal> {
    listed(text, Pattern::parse)
}

/// A pattern of domains, read by `parse`.
fn listed<P>(text: &str, parse: impl FnOnce(&str) -> Result<P, pattern::Error>) -> Result<P, Refusal> {
    let parsed = parse(text);
    // An address ends in a digit, and maybe a dot, or is no domain at all: most names need no second
    // look. Digits of another script count as such.
    if (parsed.is_err() || !text.ends_with(|last: char| last.is_ascii_alphabetic()))
        && let Some(address) = address(text)
    {
        return Err(Refusal::new(
            format!("{} is an address, not a domain", shown(text)),
            format!(
                "mail to [{address}] is covered by a connector for \"*\", or by one with this smart host"
            ),
        ));
    }
    parsed.map_err(|error| invalid(text, error))
}

/// A pattern of our own domains: as [`domain`], without `*`.
pub(super) fn own_domain(text: &str) -> Result<Pattern, Refusal> {
    let pattern = domain(text)?;
    if pattern == Pattern::Any {
        return Err(Refusal::new("`*` would make every domain our own", "name our own domains"));
    }
    Ok(pattern)
}

/// A name that a partner's server may show, for Postfix's `match`.
///
/// What would give Postfix a strategy instead of a name, or trust a whole top-level domain, is
/// refused: `secure` would become `verify` or less (postconf(5), `smtp_tls_secure_cert_match`).
pub(super) fn server_name(text: &str) -> Result<Pattern, Refusal> {
    if ["hostname", "nexthop", "dot-nexthop"].iter().any(|word| text.eq_ignore_ascii_case(word)) {
        return Err(Refusal::new(
            format!(
                "{} is a strategy of Postfix, not a name: it would take the name from DNS or from the route",
                shown(text)
            ),
            "write the names that the certificate may show, or match = \"domain\" for the domain asked for and what is below it",
        ));
    }
    if address(text).is_some() {
        return Err(Refusal::new(
            format!("{} is an address; Postfix cannot match addresses together with names", shown(text)),
            "write a name that the certificate shows, or pin the certificate with tls = \"fingerprint\"",
        ));
    }
    let pattern = certificate_name(text)?;
    match &pattern {
        Pattern::Exact(name) if name.labels() == 1 => Err(Refusal::new(
            format!("{} has a single label; no authority certifies such a name", shown(text)),
            "write the whole name, such as mail.contoso.com",
        )),
        Pattern::Exact(_) | Pattern::Tree(_) | Pattern::Below(_) | Pattern::Any => Ok(pattern),
    }
}

/// A name that a client's certificate may show.
pub(super) fn certificate_name(text: &str) -> Result<Pattern, Refusal> {
    let pattern = Pattern::parse(text).map_err(|error| invalid(text, error))?;
    match &pattern {
        Pattern::Any => Err(Refusal::new(
            "`*` accepts a certificate of anybody",
            "write the names that the certificate may show, such as *.contoso.com",
        )),
        Pattern::Tree(name) | Pattern::Below(name) if name.labels() == 1 => Err(Refusal::new(
            format!("{} accepts a certificate of everybody below `{name}`", shown(text)),
            "write at least two labels, such as *.contoso.com",
        )),
        Pattern::Exact(_) | Pattern::Tree(_) | Pattern::Below(_) => Ok(pattern),
    }
}

/// The address that a text names, also one that a dot at its end or digits of another script hide:
/// no question is ever answered for it as for a domain.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.trim_start_matches("*.").trim_start_matches(['.', '[']).trim_end_matches(']');
    let bare = bare.strip_prefix("IPv6:").unwrap_or(bare);
    bare.parse().ok().or_else(|| domain::normalise(bare).ok()?.parse().ok())
}

fn invalid(text: &str, error: pattern::Error) -> Refusal {
    let help = if let Some((_, domain)) = text.rsplit_once('@') {
        format!("write the domain alone: {}", shown(domain))
    } else if text.trim() != text {
        "remove the space around it".to_owned()
    } else if text.contains([',', ' ', ';', '|']) {
        "write each name in quotation marks of its own".to_owned()
    } else if text.contains([':', '/', '[']) {
        "write the name alone, without a port, a scheme or brackets".to_owned()
    } else {
        "write x for x alone, *.x for x and everything below it, .x for only what is below it".to_owned()
    };
    Refusal::new(format!("{}: {error}", shown(text)), help)
}

/// The domains of a file, one a line, and the file's rank; `#` begins a comment.
///
/// A last line without its line feed is a problem: `example.co` may be as much as has been written
/// of `example.com`, and the domains that are missing would go in plaintext.
pub(super) fn list_file(
    reading: &mut Reading,
    item: Item<'_>,
    source: &Source,
) -> Option<(usize, PatternList)> {
    let text = item.text(reading)?;
    let path = source.resolve(text.text);
    let (rank, list) = reading.text(&path, Role::List, Some(item.place))?;
    let before = reading.problems.len();
    let patterns = faultless(&list.text).unwrap_or_else(|| {
        let mut patterns = PatternList::of(&list.text);
        for (at, line) in lines(&list.text) {
            let at = at..at + line.len();
            if let Err(refusal) = listed(line, |_| patterns.parse(at.clone())) {
                refusal.told(reading, Place::new(rank, at));
            }
        }
        patterns
    });
    if let Some(at) = unfinished(&list.text) {
        reading.problem(
            Place::new(rank, at..list.text.len()),
            "the last line has no end: the file may have been cut short",
            "if it is whole, end it with a line feed",
        );
    }
    if patterns.is_empty() && reading.problems.len() == before {
        let message = format!("{} names no domain", shown(&path.display().to_string()));
        reading.problem(item.place, message, "write one domain a line");
    }
    Some((rank, patterns))
}

/// Where the last line begins, if no line feed ends it.
fn unfinished(list: &str) -> Option<usize> {
    let last = list.split_inclusive('\n').next_back()?;
    (!last.ends_with('\n')).then(|| list.len() - last.len())
}

/// The patterns of a list that has nothing else in it. Of a long one the second half is read beside the
/// first.
fn faultless(list: &Arc<String>) -> Option<PatternList> {
    let (first, second) = halves(list);
    let read = |start, part| {
        let mut patterns = PatternList::of(list);
        for (at, line) in lines(part) {
            let at = start + at;
            listed(line, |_| patterns.parse(at..at + line.len())).ok()?;
        }
        Some(patterns)
    };
    if second.is_empty() {
        return read(0, first);
    }
    thread::scope(|scope| {
        let beside = thread::Builder::new().name("list".to_owned());
        let beside = beside.spawn_scoped(scope, || read(first.len(), second)).ok()?;
        let mut patterns = read(0, first)?;
        patterns.append(&beside.join().ok()??);
        Some(patterns)
    })
}

/// A list of [`LONG`] octets or more in two parts of whole lines, a shorter one as the first.
fn halves(list: &str) -> (&str, &str) {
    let behind = list.as_bytes().get(list.len() / 2..).filter(|_| list.len() >= LONG);
    let end = behind.and_then(|behind| memchr::memchr(b'\n', behind));
    end.and_then(|end| list.split_at_checked(list.len() / 2 + end + 1)).unwrap_or((list, ""))
}

/// The entries of a list of domains, each with its offset; neither comments nor empty lines.
pub(super) fn lines(list: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut next = 0;
    list.split_inclusive('\n').filter_map(move |line| {
        let start = next;
        next += line.len();
        let comment = line.bytes().position(|byte| byte == b'#');
        let entry = line.get(..comment.unwrap_or(line.len())).unwrap_or_default();
        let indent = entry.len() - entry.trim_start().len();
        let entry = entry.trim();
        (!entry.is_empty()).then_some((start + indent, entry))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fmt::Write as _;

    use super::*;

    #[test]
    fn a_long_list_is_read_as_a_short_one() {
        let mut list = String::new();
        for number in 0.. {
            let name = ["# \u{fc}", "", "  *.B\u{fc}cher.example # x", ".x.example."].get(number % 7);
            writeln!(list, "{}", name.map_or(format!("n{number}.example"), ToString::to_string)).unwrap();
            if list.len() < LONG {
                assert_eq!(halves(&list), (list.as_str(), ""));
            } else {
                break;
            }
        }
        let (first, second) = halves(&list);
        assert!(first.len() > LONG / 2 && second.len() > LONG / 3 && first.ends_with('\n'));
        let expected: PatternList = lines(&list).map(|(_, line)| Pattern::parse(line).unwrap()).collect();
        assert_eq!(faultless(&Arc::new(list.clone())).unwrap(), expected);
        for at in [0, first.len(), list.len()] {
            for bad in ["a..b\n", "192.0.2.1\n"] {
                let mut list = list.clone();
                list.insert_str(at, bad);
                assert!(faultless(&Arc::new(list)).is_none(), "{at} {bad}");
            }
        }
    }

    #[test]
    fn a_list_of_one_long_line_has_no_second_half() {
        for list in ["x".repeat(2 * LONG), format!("{}\n", "x".repeat(2 * LONG))] {
            assert_eq!(halves(&list), (list.as_str(), ""));
        }
    }
}
