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

/// Octets of a key that anything is asked for: a name, a port and brackets, also in U-labels. Ours.
const KEY: usize = 1024;

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
    /// What cannot be known because of it.
    pub hides: Hidden,
}

/// What a line that is no entry here may be to Postfix.
#[derive(Debug, PartialEq, Eq)]
pub enum Hidden {
    /// Nothing: Postfix leaves it out, or never asks for its key.
    Nothing,
    /// The value of this key.
    Value(String),
    /// Entries of which not even the keys are known.
    Entries,
}

/// The entries of a text, each or why it is none, in the order written. After [`ENTRIES`] one fault more ends it,
/// and so does one where the text may have been cut short.
pub fn entries(text: &[u8]) -> impl Iterator<Item = Result<Entry<'_>, Fault>> {
    let mut lines = Logical { rest: text, number: 0, cut: None };
    let mut count = 0;
    std::iter::from_fn(move || {
        let Some(line) = lines.next() else {
            return lines.cut.take().map(|line| Err(cut(line)));
        };
        count += 1;
        if count > ENTRIES {
            lines.rest = &[];
            lines.cut = None;
            let why = format!(
                "more than {ENTRIES} entries: nothing of the table is imported, for the rest may differ"
            );
            return Some(Err(Fault { line: line.number, why, hides: Hidden::Entries }));
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
    /// The last line, if it is a comment that no line feed ends.
    cut: Option<usize>,
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
            if !is_ended && line.trim_ascii_start().starts_with(b"#") {
                self.cut = Some(self.number);
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
    if !is_ended {
        return Err(cut(number));
    }
    let hidden = key(&octets).map_or(Hidden::Nothing, |key| Hidden::Value(key.to_owned()));
    let fault = |why: String, hides| Err(Fault { line: number, why, hides });
    if is_long {
        return fault(format!("longer than {LINE} octets"), hidden);
    }
    if octets.contains(&0) {
        return fault("a NUL octet: this is no text, or another encoding than UTF-8".to_owned(), hidden);
    }
    let left_out = |why: &str| fault(why.to_owned(), Hidden::Nothing);
    if octets.first().is_some_and(is_white) {
        return left_out("begins with white space, and continues nothing: Postfix leaves it out");
    }
    let text = match octets {
        Cow::Borrowed(octets) => str::from_utf8(octets).ok().map(Cow::Borrowed),
        Cow::Owned(octets) => String::from_utf8(octets).ok().map(Cow::Owned),
    };
    let Some(text) = text else {
        // With `smtputf8_enable = no` it does not.
        return fault("not UTF-8: Postfix leaves it out, as a rule".to_owned(), hidden);
    };
    if text.starts_with('\u{feff}') {
        let why = "a byte order mark: Postfix takes it for a part of the key; save the file without it";
        return fault(why.to_owned(), hidden);
    }
    let parts = match text {
        Cow::Borrowed(text) => split(text).map(|(key, value)| (Cow::Borrowed(key), Cow::Borrowed(value))),
        Cow::Owned(text) => split(&text).map(|(key, value)| (key.to_owned().into(), value.to_owned().into())),
    };
    match parts {
        Some((key, value)) => Ok(Entry { line: number, key, value }),
        None => left_out("a key alone: Postfix leaves it out"),
    }
}

fn cut(line: usize) -> Fault {
    let why = "no line feed ends it: the file may have been cut short, and nothing of it is imported; if it is whole, end \
               it with one";
    Fault { line, why: why.to_owned(), hides: Hidden::Entries }
}

/// The key of a line that cannot be read, if Postfix may ask for it.
fn key(octets: &[u8]) -> Option<&str> {
    let octets = octets.strip_prefix("\u{feff}".as_bytes()).unwrap_or(octets);
    let end = octets.iter().take(KEY + 1).position(|octet| is_white(octet) || *octet == 0);
    let (key, _) = octets.split_at_checked(end.unwrap_or(octets.len()))?;
    str::from_utf8(key).ok().filter(|key| !key.is_empty() && key.len() <= KEY)
}

fn split(text: &str) -> Option<(&str, &str)> {
    let is_white = |c: char| c.is_ascii_whitespace() || c == '\u{b}';
    let (key, value) = text.split_once(is_white)?;
    let value = value.trim_matches(is_white);
    (!value.is_empty()).then_some((key, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &[u8]) -> Vec<String> {
        let shown = |entry| match entry {
            Ok(Entry { line, key, value }) => format!("{line} {key}={value}"),
            Err(Fault { line, why, .. }) => format!("{line} {}", why.split(':').next().unwrap_or_default()),
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
            (b"x may\n# y", vec!["1 x=may", "2 no line feed ends it"]),
        ] {
            assert_eq!(shown(text), expected, "{}", text.escape_ascii());
        }
    }

    #[test]
    fn what_a_line_may_hide_is_known() {
        let value = |key: &str| Hidden::Value(key.to_owned());
        for (text, expected) in [
            (&b"x may\0\n"[..], value("x")),
            (b"x m\xff\n", value("x")),
            (b"x\xff may\n", Hidden::Nothing),
            (b"\xef\xbb\xbfx may\n", value("x")),
            (b"x\n", Hidden::Nothing),
            (b" x may\n", Hidden::Nothing),
            (b"x may", Hidden::Entries),
            (b"x m\xff", Hidden::Entries),
            (&[b"x ".as_slice(), &[b'a'; LINE], b"\n"].concat(), value("x")),
            (&[b"x\n ".as_slice(), &[b'a'; LINE], b"\n"].concat(), value("x")),
            (&[[b'a'; LINE + 1].as_slice(), b"\n"].concat(), Hidden::Nothing),
        ] {
            let hidden = entries(text).find_map(Result::err).map(|fault| fault.hides);
            assert_eq!(hidden, Some(expected), "{}", text.get(..9).unwrap_or(text).escape_ascii());
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
