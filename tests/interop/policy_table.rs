//! A policy table of Postfix with everything that may stand in one, the same each time.
//!
//! Of each line it is known beforehand whether a connector can say it. What that is, is Postfix's part, and `effective`'s.

use std::fmt::Write as _;
use std::path::Path;

/// Entries of the table.
const ENTRIES: usize = 10_000;

/// What connectors can say, of a name and of what is below it: `@` is the name, `&` a number, `#1` and `#2` are digests,
/// `%` is a file.
const SAID: [&str; 27] = [
    "may",
    "encrypt",
    "ENCRYPT",
    "dane",
    "dane-only",
    "verify",
    "verify match=hostname",
    "secure",
    "secure match=nexthop:dot-nexthop",
    "secure match=DOT-nexthop, match=NextHop",
    "secure match=@:.@",
    "secure match=.@:mx&.other.example",
    "secure, match=mx.@,match=mx2.@",
    "verify match=mail.@:MAIL2.@:mail.@",
    "verify match=.@",
    "fingerprint match=#1",
    "fingerprint match=#1|#2 match=#1",
    "encrypt protocols=>=TLSv1.2",
    "encrypt Protocols=!SSLv2:!SSLv3",
    "encrypt ciphers=medium protocols=TLSv1.2:TLSv1.3",
    "secure protocols=!SSLv2:!SSLv3:!TLSv1:!TLSv1.1 ciphers=HIGH match=.@",
    "dane-only ciphers=high protocols=>=TLSv1.3",
    "secure servername=hostname",
    "encrypt servername=SNI.@",
    "verify servername=nexthop match=.@",
    "verify tafile=%",
    "secure match=.@ tafile=%",
];

/// What they can say of a name alone.
const SAID_OF_NAMES: [&str; 4] = [
    "secure match=nexthop",
    "secure match=dot-nexthop",
    "secure match=nexthop:mail.other.example",
    "verify match=mail.@:dot-nexthop",
];

/// What version 1 of the configuration has no form for, or Postfix itself defers mail for: a line each, and what the
/// reason says.
pub const NOT_SAID: [(&str, &str); 34] = [
    ("none", "no TLS at all"),
    ("none match=@", "no TLS at all"),
    ("encrypt exclude=RC4", "`exclude`"),
    ("encrypt connection_reuse=no", "`connection_reuse`"),
    ("encrypt enable_rpk=yes", "`enable_rpk`"),
    ("secure policy_type=sts policy_domain=@ mx_host_pattern=mx.@", "`policy_type`"),
    ("encrypt policy_ttl=60", "`policy_ttl`"),
    ("encrypt policy_string=x", "`policy_string`"),
    ("secure policy_failure=validation-failure", "`policy_failure`"),
    ("secure mx_host_pattern=mx.@", "`mx_host_pattern`"),
    ("secure { match = @ }", "braces"),
    ("secure match=hostname", "`hostname`"),
    ("secure match=nexthop:hostname", "`hostname`"),
    ("verify match=hostname:mail.@", "`hostname`"),
    ("secure match=*.@", "no `*`"),
    ("secure match=single", "single label"),
    ("secure match=.com", "everybody below"),
    ("secure match=192.0.2.1", "address"),
    ("secure tafile=% tafile=%", "two files"),
    ("may protocols=>=TLSv1.2", "plaintext"),
    ("dane ciphers=high", "plaintext"),
    ("dane-only servername=hostname", "`servername`"),
    ("encrypt servername=single", "`servername="),
    ("encrypt protocols=!TLSv1.3", "`protocols="),
    ("encrypt protocols=!TLSv1.1", "`protocols="),
    ("encrypt protocols=<=TLSv1.2", "`protocols="),
    ("encrypt protocols=", "`protocols="),
    ("encrypt ciphers=low", "`ciphers="),
    ("encrypt match=@", "not allowed"),
    ("secure match=", "empty"),
    ("fingerprint match=27:C1:27:C1:27:C1:27:C1:27:C1:27:C1:27:C1:27:C1", "no SHA-256"),
    ("fingerprint", "no digest"),
    ("half-dane", "no TLS level"),
    ("encrypt foo=bar", "no attribute"),
];

/// What they can say of a name and not of what is below it.
const NOT_SAID_BELOW: (&str, &str) = ("secure match=nexthop", "more than one domain");

/// What becomes of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// A connector says it.
    Said,
    /// It is refused, with this in the reason.
    NotSaid(&'static str),
}

/// A line of the table.
pub struct Line {
    pub number: usize,
    pub key: String,
    /// As it stands in the lists above.
    pub policy: &'static str,
    pub expected: Expected,
}

/// The table, and what to ask it for.
pub struct PolicyTable {
    pub text: String,
    pub lines: Vec<Line>,
    /// The number of the line that comes.
    next: usize,
    /// Full names of domains, of which most are in the table or below something that is.
    pub names: Vec<String>,
    /// Next-hops as a transport or `relayhost` has them.
    pub hops: Vec<String>,
}

/// Numbers that look random (xorshift).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % limit
    }
}

impl PolicyTable {
    /// `ca` is a file of authorities.
    pub fn new(ca: &Path) -> PolicyTable {
        let mut table = PolicyTable {
            text: "# policies\n".to_owned(),
            next: 2,
            lines: Vec::new(),
            names: Vec::new(),
            hops: Vec::new(),
        };
        table.line(".wide.example", "encrypt", Expected::Said, ca);
        let mut numbers = Numbers(0x2545_f491_4f6c_dd1d);
        let mut base = 0;
        while table.lines.len() < ENTRIES {
            let name = format!("d{base}.p{}.example", base % 60);
            if base % 10 == 9 {
                table.host(&format!("h{base}.relay.example"), base / 10, ca);
            } else {
                table.tree(&name, &mut numbers, ca);
            }
            base += 1;
        }
        for number in 0..60 {
            // Wider than all of them, some stricter than what they cover and some not.
            if number % 3 != 0 {
                let key = format!(".p{number}.example");
                table.any(&key, &mut numbers, ca);
            }
        }
        table
    }

    fn line(&mut self, key: &str, policy: &'static str, expected: Expected, ca: &Path) {
        let name = key.trim_start_matches(['.', '[']).split([']', ':']).next().unwrap();
        let number = self.next;
        let a = "27c1".repeat(16);
        let b = ["AB"; 32].join(":");
        let written = policy.replace('@', name).replace('&', &(number % 9).to_string());
        let written = written.replace("#1", &a).replace("#2", &b).replace('%', ca.to_str().unwrap());
        let before = self.text.len();
        match number % 7 {
            // As people write them.
            0 => writeln!(self.text, "{}\t\t{written} ", key.to_uppercase()),
            1 if written.contains(' ') => {
                writeln!(self.text, "{key} {}", written.replacen(' ', "\n# and\n   ", 1))
            }
            2 => writeln!(self.text, "{key}   {written}\n"),
            _ => writeln!(self.text, "{key} {written}"),
        }
        .unwrap();
        self.next += self.text[before..].lines().count();
        self.lines.push(Line { number, key: key.to_owned(), policy, expected });
    }

    /// A key with any policy.
    fn any(&mut self, key: &str, numbers: &mut Numbers, ca: &Path) {
        let below = key.starts_with('.');
        let (policy, expected) = match numbers.below(16) {
            0..=2 => {
                let (policy, why) = NOT_SAID[numbers.below(NOT_SAID.len())];
                (policy, Expected::NotSaid(why))
            }
            3 if below => (NOT_SAID_BELOW.0, Expected::NotSaid(NOT_SAID_BELOW.1)),
            3 => (SAID_OF_NAMES[numbers.below(SAID_OF_NAMES.len())], Expected::Said),
            _ => (SAID[numbers.below(SAID.len())], Expected::Said),
        };
        self.line(key, policy, expected, ca);
    }

    /// A domain with names below it, some of them in the table.
    fn tree(&mut self, name: &str, numbers: &mut Numbers, ca: &Path) {
        let mut places = vec![name.to_owned()];
        for first in ["mail", "a", "b"] {
            places.push(format!("{first}.{name}"));
            places.extend(["x", "y"].map(|second| format!("{second}.{first}.{name}")));
        }
        for place in &places {
            let labels = place.split('.').count();
            if numbers.below(labels) < 2 {
                self.any(place, numbers, ca);
            }
            if numbers.below(labels) < 2 {
                self.any(&format!(".{place}"), numbers, ca);
            }
            let below = ["q", "r.q", "s.r.q", "t.s.r.q", "mx1", "mx2", "mx3", "ns", "www", "a-b"]
                .map(|label| format!("{label}.{place}"));
            self.names
                .extend(below.into_iter().chain([place.clone(), format!("T.{}", place.to_uppercase())]));
            // Not in the table as they are written here.
            self.hops.extend([format!("[{place}]"), format!("[{place}]:25"), format!("{place}:587")]);
        }
    }

    /// A host that is asked for by a text of its own.
    fn host(&mut self, name: &str, number: usize, ca: &Path) {
        const HOST: &str = "its next-hop of the same name";
        const ELSE: &str = "a connector has one for a host";
        let wide = format!("{}.wide.example", name.split('.').next().unwrap());
        let name = if number % 5 == 4 { wide.as_str() } else { name };
        let (hop, other) = (format!("[{name}]:587"), format!("[{name}]"));
        match number % 5 {
            // Only as a next-hop.
            0 => self.line(&hop, "secure match=@:.@", Expected::Said, ca),
            // The same in other words, of the domain and of two ports.
            1 => {
                self.line(name, "secure", Expected::Said, ca);
                self.line(&hop, "secure match=@:.@", Expected::Said, ca);
                self.line(&other, "secure match=nexthop match=dot-nexthop", Expected::Said, ca);
            }
            // Another one than that of the domain.
            2 => {
                self.line(name, "encrypt", Expected::NotSaid(HOST), ca);
                self.line(&hop, "verify", Expected::NotSaid(ELSE), ca);
            }
            // Another one than that of everything around it: of the domain nothing is said then either.
            4 => self.line(&hop, "verify", Expected::NotSaid(ELSE), ca),
            // Another one on each port.
            _ => {
                self.line(&hop, "verify", Expected::NotSaid(ELSE), ca);
                self.line(&other, "encrypt", Expected::NotSaid(ELSE), ca);
            }
        }
        self.names.extend([name.to_owned(), format!("q.{name}")]);
        self.hops.extend([hop, other, format!("{name}:26")]);
    }
}
