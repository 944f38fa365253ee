//! Peer text in a log line.
//!
//! Promises: whatever the bytes, what is written is printable ASCII on one line, of at most four times the limit and five
//! bytes, and can stand as the value in `key=value key=value`: a value that is empty or holds a space or an equals sign is
//! put in double quotes. A double quote or a backslash of the peer's is written as `\x22` or `\x5c`, so a reader finds the
//! end of the value without knowing any escape. What lies behind the limit is cut off, and `...` says so.
//!
//! Nothing is refused. Keys and U-labels are not made readable: the same bytes always look the same.
//!
//! [`printable`] is the other half: text for people, on a terminal, in a mail or in a ticket. It has no quotes, keeps
//! letters of every script, and lets nothing through that could move a cursor or turn the direction of writing.

use std::fmt::{self, Display, Formatter, Write};

/// The bytes of a peer's text that a log line shows. Ours: longer text is cut, so that nobody can fill the log.
pub const LIMIT: usize = 100;

/// Shows `.0` for a log line, at most `.1` bytes of it: `Escaped(request.sender, escape::LIMIT)`.
#[derive(Debug, Clone, Copy)]
pub struct Escaped<'a>(pub &'a [u8], pub usize);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (shown, cut) = self.0.split_at_checked(self.1).unwrap_or((self.0, &[]));
        let quoted = self.0.is_empty() || shown.iter().any(|byte| matches!(byte, b' ' | b'='));
        if quoted {
            f.write_char('"')?;
        }
        for &byte in shown {
            match byte {
                b'"' | b'\\' => write!(f, "\\x{byte:02x}")?,
                b' '..=b'~' => f.write_char(char::from(byte))?,
                _ => write!(f, "\\x{byte:02x}")?,
            }
        }
        if !cut.is_empty() {
            f.write_str("...")?;
        }
        if quoted {
            f.write_char('"')?;
        }
        Ok(())
    }
}

/// One line for people: letters and digits of any script, printable ASCII and `…` stay, everything else is written as
/// Rust writes it in a literal (`\n`, `\u{202e}`). At most `limit` characters come of it, and `…` says that there was
/// more. What it made of a text it leaves alone a second time.
pub fn printable(text: &str, limit: usize) -> String {
    let mut out = String::new();
    let mut left = limit;
    for c in text.chars() {
        let plain = matches!(c, ' '..='~' | '…') || (!c.is_ascii() && c.is_alphanumeric());
        let escaped = (!plain).then(|| c.escape_default());
        for shown in escaped.into_iter().flatten().chain(plain.then_some(c)) {
            if left == 0 {
                out.push('…');
                return out;
            }
            left -= 1;
            out.push(shown);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn shown() {
        let table: &[(&str, &[u8], usize, &str)] = &[
            ("plain", b"bob@partner.example", LIMIT, "bob@partner.example"),
            ("empty", b"", LIMIT, r#""""#),
            ("space", b"a b@x", LIMIT, r#""a b@x""#),
            ("equals", b"verdict=pass", LIMIT, r#""verdict=pass""#),
            ("quote", br#"a"b"#, LIMIT, r"a\x22b"),
            ("quote and a forged key", br#"a" verdict=pass x=""#, LIMIT, r#""a\x22 verdict=pass x=\x22""#),
            ("backslash", br"a\x0a", LIMIT, r"a\x5cx0a"),
            ("line feed", b"a\ndecision", LIMIT, r"a\x0adecision"),
            ("terminal escape", b"\x1b[2J\x07", LIMIT, r"\x1b[2J\x07"),
            ("NUL, tab, DEL", b"\x00\t\x7f", LIMIT, r"\x00\x09\x7f"),
            ("UTF-8", "bücher".as_bytes(), LIMIT, r"b\xc3\xbccher"),
            ("not UTF-8", b"\xff\xfe", LIMIT, r"\xff\xfe"),
            ("at the limit", b"abcde", 5, "abcde"),
            ("over the limit", b"abcdef", 5, "abcde..."),
            ("cut inside a character", "abcdé".as_bytes(), 5, r"abcd\xc3..."),
            ("space behind the cut", b"abcde f", 5, "abcde..."),
            ("quoted and cut", b"a bcdef", 5, r#""a bcd...""#),
            ("nothing shown", b"abc", 0, "..."),
        ];
        for (name, bytes, limit, expected) in table {
            assert_eq!(Escaped(bytes, *limit).to_string(), *expected, "{name}");
        }
    }

    #[test]
    fn for_people() {
        let table = [
            ("plain", "550 5.7.1 No \"relay\" for a=b", 99, "550 5.7.1 No \"relay\" for a=b"),
            ("letters of any script", "Bänk Zürich 株式会社", 99, "Bänk Zürich 株式会社"),
            ("line feed and tab", "a\nb\tc\r", 99, "a\\nb\\tc\\r"),
            ("terminal escape, DEL, C1", "\x1b[2J\x7f\u{9b}", 99, "\\u{1b}[2J\\u{7f}\\u{9b}"),
            ("direction of writing", "a\u{202e}b\u{2066}", 99, "a\\u{202e}b\\u{2066}"),
            ("zero width", "a\u{200b}b\u{feff}", 99, "a\\u{200b}b\\u{feff}"),
            ("at the limit", "abc", 3, "abc"),
            ("over the limit", "abcd", 3, "abc…"),
            ("an escape over the limit", "ab\u{7f}", 3, "ab\\…"),
        ];
        for (name, text, limit, expected) in table {
            assert_eq!(printable(text, limit), expected, "{name}");
        }
    }

    /// Reads a line of `key=value` as a log reader would, who knows quotes but no escapes.
    fn values(line: &str) -> Option<Vec<&str>> {
        let (mut rest, mut values) = (line, Vec::new());
        while !rest.is_empty() {
            let (_, behind) = rest.split_once('=')?;
            let (value, behind) = match behind.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"')?,
                None => behind.split_at(behind.find(' ').unwrap_or(behind.len())),
            };
            values.push(value);
            rest = behind.strip_prefix(' ').unwrap_or(behind);
        }
        Some(values)
    }

    fn unescape(value: &str) -> Vec<u8> {
        let mut pieces = value.split("\\x");
        let mut bytes = pieces.next().unwrap().as_bytes().to_vec();
        for piece in pieces {
            let (digits, plain) = piece.split_at(2);
            bytes.push(u8::from_str_radix(digits, 16).unwrap());
            bytes.extend_from_slice(plain.as_bytes());
        }
        bytes
    }

    proptest! {
        #[test]
        fn a_log_reader_gets_back_what_was_sent(
            sent in prop::collection::vec(prop::collection::vec(prop_oneof![Just(b' '), Just(b'='), Just(b'"'), Just(b'\\'), any::<u8>()], 0..20), 1..4),
        ) {
            let line = sent.iter().map(|bytes| format!("k={}", Escaped(bytes, LIMIT))).collect::<Vec<_>>().join(" ");
            prop_assert!(line.bytes().all(|byte| matches!(byte, b' '..=b'~')));
            let read: Vec<_> = values(&line).unwrap().into_iter().map(unescape).collect();
            prop_assert_eq!(read, sent);
        }

        #[test]
        fn printable_is_harmless_and_final(text in any::<String>(), limit in 0..60usize) {
            let once = printable(&text, limit);
            prop_assert!(once.chars().count() <= limit + 1);
            prop_assert!(once.chars().all(|c| c == '…' || matches!(c, ' '..='~') || (!c.is_ascii() && c.is_alphanumeric())));
            prop_assert_eq!(printable(&once, limit), once);
        }

        #[test]
        fn length_is_bounded(bytes in any::<Vec<u8>>(), limit in 0..120usize) {
            prop_assert!(Escaped(&bytes, limit).to_string().len() <= 4 * limit + 5);
        }
    }
}
