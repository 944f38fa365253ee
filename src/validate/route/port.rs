//! The number of a port that is written as a service name.

use std::fs::File;
use std::io::Read;

/// The port of a domain's mail hosts, and of a smart host without one.
pub const SMTP: u16 = 25;

/// The names that Postfix knows by itself (`known_tcp_ports`).
const KNOWN: [(&str, u16); 5] =
    [("lmtp", 24), ("smtp", SMTP), ("smtps", 465), ("submissions", 465), ("submission", 587)];

/// Bytes of the services file that are read. Ours; Debian's has 13 000.
const MAX_FILE: u64 = 1 << 20;

/// The number behind a smart host's colon; `None` when no one knows the name, for which Postfix
/// stops (smtp_connect.c:smtp_parse_destination).
pub fn number(port: Option<&str>) -> Option<u16> {
    let Some(port) = port else { return Some(SMTP) };
    if let Ok(number) = port.parse() {
        return Some(number);
    }
    let known = KNOWN.iter().find(|(name, _)| name.eq_ignore_ascii_case(port));
    known.map(|(_, number)| *number).or_else(|| in_services(&services(), port))
}

fn services() -> String {
    let mut text = String::new();
    // A machine without the file knows no names.
    if let Ok(file) = File::open("/etc/services") {
        let _ = file.take(MAX_FILE).read_to_string(&mut text);
    }
    text
}

/// services(5): `name  number/protocol  aliases # comment`.
fn in_services(text: &str, wanted: &str) -> Option<u16> {
    text.lines().find_map(|line| {
        let line = line.split('#').next()?;
        let mut words = line.split_ascii_whitespace();
        let (name, number) = (words.next()?, words.next()?.strip_suffix("/tcp")?);
        (name == wanted || words.any(|alias| alias == wanted)).then(|| number.parse().ok()).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports() {
        let table = [
            (None, Some(25)),
            (Some("2525"), Some(2525)),
            (Some("smtp"), Some(25)),
            (Some("Submission"), Some(587)),
            (Some("no-such-service"), None),
        ];
        for (port, expected) in table {
            assert_eq!(number(port), expected, "{port:?}");
        }
    }

    #[test]
    fn services_are_read() {
        let text = "# names\nqmtp 209/tcp # x\nfoo\t7/udp\nfoo 8/tcp bar baz#qux\nbroken\nbig 70000/tcp\n";
        let table = [
            ("qmtp", Some(209)),
            ("foo", Some(8)),
            ("baz", Some(8)),
            ("qux", None),
            ("x", None),
            ("big", None),
        ];
        for (name, expected) in table {
            assert_eq!(in_services(text, name), expected, "{name}");
        }
    }
}
