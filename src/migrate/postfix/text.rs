//! A table of Postfix in text form, as postmap(1) and `texthash:` read it.
//!
//! A logical line begins with what is no white space, and lines that begin with white space continue it; empty lines and
//! those of which `#` is the first character that shows are skipped, also in between (readlline.c:readllines). The key ends
//! at the first white space (dict_thash.c). A line that Postfix leaves out with a warning is a fault here, and so is one
//! that may have been cut short: what it was meant to demand is not known.
//!
//! Bounded: [`LINE`], [`ENTRIES`]; the file itself by whoever reads it.

use std::borrow::Cow;

use memchr::memchr;

/// Octets of a logical line. The longest policy that can be answered has less (`REPLY_LIMIT`).
const LINE: usize = 64 << 10;

/// Entries of a table. Ours: what comes of more is hardly ever within the 16 MiB that a file of the configuration may have.
const ENTRIES: usize = 250_000;

/// A key and its value, as written.
#[derive(Debug, PartialEq, Eq)]
pub struct Entry<'t> {
    /// The line that it begins in, from 1.
    pub line: usize,
    /// What Postfix looks up.
    pub key: Cow<'t, str>,
    /// What it finds.
    pub value: Cow<'t, str>,
}

/// A line that is no entry, and why.
#[derive(Debug, PartialEq, Eq)]
pub struct Fault {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub why: String,
}

/// The entries of a text, each or why it is none, in the order written. After [`ENTRIES`] one fault more ends it.
pub fn entries(text: &[u8]) -> impl Iterator<Item = Result<Entry<'_>, Fault>> {
    let mut lines = Logical { rest: text, number: 0 };
    let mut count = 0;
    std::iter::from_fn(move || {
        let line = lines.next()?;
        count += 1;
        if count > ENTRIES {
            lines.rest = &[];
            let why = format!("more than {ENTRIES} entries are not read; split the table");
            return Some(Err(Fault { line: line.number, why }));
        }
        Some(entry(line))
    })
}

/// A logical line.
struct Line<'t> {
    number: usize,
    octets: Cow<'t, [u8]>,
    is_long: bool,
    is_ended: bool,
}

struct Logical<'t> {
    rest: &'t [u8],
    number: usize,
}

impl<'t> Logical<'t> {
    /// The next line that shows anything but a comment, with its number and whether a line feed ends it.
    fn physical(&mut self) -> Option<(usize, &'t [u8], bool)> {
        while !self.rest.is_empty() {
            let (line, is_ended) = match memchr(b'\n', self.rest) {
                Some(end) => {
                    let (line, rest) = self.rest.split_at_checked(end)?;
                    self.rest = rest.get(1..)?;
                    (line, true)
                }
                None => (std::mem::take(&mut self.rest), false),
            };
            self.number += 1;
            if !line.trim_ascii_start().is_empty() && !line.trim_ascii_start().starts_with(b"#") {
                return Some((self.number, line, is_ended));
            }
        }
        None
    }

    fn next(&mut self) -> Option<Line<'t>> {
        let (number, first, is_ended) = self.physical()?;
        let mut line = Line { number, octets: Cow::Borrowed(first), is_long: first.len() > LINE, is_ended };
        loop {
            let here = (self.rest, self.number);
            match self.physical() {
                Some((_, more, is_ended)) if more.first().is_some_and(is_white) => {
                    // What is too long is not kept.
                    line.is_long |= line.octets.len() + more.len() > LINE;
                    if !line.is_long {
                        line.octets.to_mut().extend_from_slice(more);
                    }
                    line.is_ended = is_ended;
                }
                _ => {
                    (self.rest, self.number) = here;
                    return Some(line);
                }
            }
        }
    }
}

/// isspace(3), which has one more than Rust.
fn is_white(octet: &u8) -> bool {
    octet.is_ascii_whitespace() || *octet == 0x0b
}

fn entry(line: Line<'_>) -> Result<Entry<'_>, Fault> {
    let Line { number, octets, is_long, is_ended } = line;
    let fault = |why: &str| Err(Fault { line: number, why: why.to_owned() });
    if is_long {
        return Err(Fault { line: number, why: format!("longer than {LINE} octets") });
    }
    if octets.contains(&0) {
        return fault("a NUL octet: this is no text, or another encoding than UTF-8");
    }
    if octets.first().is_some_and(is_white) {
        return fault("begins with white space, and continues nothing: Postfix leaves it out");
    }
    let text = match octets {
        Cow::Borrowed(octets) => str::from_utf8(octets).ok().map(Cow::Borrowed),
        Cow::Owned(octets) => String::from_utf8(octets).ok().map(Cow::Owned),
    };
    let Some(text) = text else {
        return fault("not UTF-8: Postfix leaves it out");
    };
    if text.starts_with('\u{feff}') {
        return fault("a byte order mark: Postfix takes it for a part of the key; save the file without it");
    }
    if !is_ended {
        return fault(
            "no line feed ends it: the file may have been cut short; if it is whole, end it with one",
        );
    }
    let parts = match text {
        Cow::Borrowed(text) => split(text).map(|(key, value)| (Cow::Borrowed(key), Cow::Borrowed(value))),
        Cow::Owned(text) => split(&text).map(|(key, value)| (key.to_owned().into(), value.to_owned().into())),
    };
    match parts {
        Some((key, value)) => Ok(Entry { line: number, key, value }),
        None => fault("a key alone: Postfix leaves it out"),
    }
}

fn split(text: &str) -> Option<(&str, &str)> {
    let (key, value) = text.split_once([' ', '\t', '\r'])?;
    let value = value.trim_matches(|c: char| c.is_ascii_whitespace() || c == '\u{b}');
    (!value.is_empty()).then_some((key, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &[u8]) -> Vec<String> {
        let shown = |entry| match entry {
            Ok(Entry { line, key, value }) => format!("{line} {key}={value}"),
            Err(Fault { line, why }) => format!("{line} {}", why.split(':').next().unwrap_or_default()),
        };
        entries(text).map(shown).collect()
    }

    #[test]
    fn lines_are_put_together_as_postfix_does() {
        let text = b"# comment\n\n  # comment\nA.example\t encrypt \r\n.b secure\n# between\n\n  match=c\n\td\n[e]:25 may\n";
        assert_eq!(shown(text), ["4 A.example=encrypt", "5 .b=secure  match=c\td", "10 [e]:25=may"]);
    }

    #[test]
    fn what_is_no_entry_is_told_with_its_line() {
        for (text, expected) in [
            (&b" x may\ny may\n"[..], vec!["1 begins with white space, and continues nothing", "2 y=may"]),
            (b"x\ny may\n", vec!["1 a key alone", "2 y=may"]),
            (b"x  \ny may\n", vec!["1 a key alone", "2 y=may"]),
            (b"x may\ny encry", vec!["1 x=may", "2 no line feed ends it"]),
            (b"x may\n  foo", vec!["1 no line feed ends it"]),
            (b"x m\0y\ny may\n", vec!["1 a NUL octet", "2 y=may"]),
            (b"x\xff may\ny may\n", vec!["1 not UTF-8", "2 y=may"]),
            (b"\xef\xbb\xbfx may\ny may\n", vec!["1 a byte order mark", "2 y=may"]),
            (b"", vec![]),
            (b"#\n\n", vec![]),
        ] {
            assert_eq!(shown(text), expected, "{}", text.escape_ascii());
        }
    }

    #[test]
    fn a_line_has_an_end_somewhere() {
        let long = |length: usize| [b"x ".as_slice(), &vec![b'a'; length], b"\ny may\n"].concat();
        assert_eq!(shown(&long(LINE - 2)).len(), 2);
        assert_eq!(shown(&long(LINE - 1)), ["1 longer than 65536 octets", "2 y=may"]);
        let folded = [b"x a\n".as_slice(), &b" aaaaaaaaaaaaaaa\n".repeat(LINE / 16), b"y may\n"].concat();
        assert_eq!(shown(&folded), ["1 longer than 65536 octets", "4098 y=may"]);
        let many = b"a b\n".repeat(ENTRIES + 5);
        let last = entries(&many).last().map(|entry| entry.map_err(|fault| fault.line));
        assert_eq!((entries(&many).count(), last), (ENTRIES + 1, Some(Err(ENTRIES + 1))));
    }
}
