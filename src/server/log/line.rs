//! How a line looks, as text and as JSON.
//!
//! Text: `[TIME ]LEVEL EVENT KEY=VALUE KEY=VALUE`. A value is escaped to printable ASCII, in double
//! quotes if it is empty or has a space or an equals sign, and cut ([`escape`]).
//! JSON: `{"time":..,"level":..,"event":..,KEY:VALUE,..}`, printable ASCII as well; `time` is there
//! when the text has one. Levels are `error`, `warn`, `info`, `debug`, `trace`; times RFC 3339, UTC.

use std::fmt::Display;
use std::io::Write as _;

use jiff::Timestamp;

use super::needs::{ESCAPE, needs};
use crate::protocol::decimal;
use crate::protocol::escape::{self, Escaped};

/// The bytes of a text of our own that a line shows: replies, paths, messages. Ours; more says no
/// more to a reader, and journald splits lines at 48 KiB.
pub(in crate::server) const OWN_LIMIT: usize = 1_000;

/// The form of all lines of a log.
#[derive(Clone, Copy, Debug)]
pub(in crate::server) struct Style {
    /// JSON instead of text.
    pub(in crate::server) json: bool,
    /// Whether lines have the time; journald notes it by itself.
    pub(in crate::server) time: bool,
}

/// A line that is being written.
///
/// Keys are given as they stand in a line of text, ` key=`: so each is one copy of a length that is
/// known beforehand. JSON takes off what it does not have.
pub(in crate::server) struct Line<'b> {
    out: &'b mut Vec<u8>,
    json: bool,
}

impl<'b> Line<'b> {
    /// Begins a line.
    pub(in crate::server) fn begin(out: &'b mut Vec<u8>, style: Style, level: &str, event: &str) -> Line<'b> {
        let mut line = Line { out, json: style.json };
        if style.json {
            line.out.push(b'{');
            if style.time {
                line.text(" time=", &now());
            }
            line.text(" level=", level).text(" event=", event);
        } else {
            if style.time {
                line.out.extend_from_slice(now().as_bytes());
                line.out.push(b' ');
            }
            line.out.extend_from_slice(level.as_bytes());
            line.out.push(b' ');
            line.value(event.as_bytes(), OWN_LIMIT);
        }
        line
    }

    /// A word of ours, which needs neither quotation marks nor escapes.
    #[inline(always)]
    pub(in crate::server) fn word(&mut self, key: &str, word: &'static str) -> &mut Self {
        debug_assert!(needs(word.as_bytes()) == 0 && !word.is_empty(), "{word:?}");
        self.key(key);
        if self.json {
            self.out.push(b'"');
        }
        self.out.extend_from_slice(word.as_bytes());
        if self.json {
            self.out.push(b'"');
        }
        self
    }

    /// A text of our own.
    #[inline(always)]
    pub(in crate::server) fn text(&mut self, key: &str, value: &str) -> &mut Self {
        self.key(key);
        self.value(value.as_bytes(), OWN_LIMIT);
        self
    }

    /// A text of our own that begins with a word and a space, and so stands in quotation marks.
    pub(in crate::server) fn sentence(&mut self, key: &str, word: &'static str, rest: &str) -> &mut Self {
        let plain = needs(rest.as_bytes()) & ESCAPE == 0 && word.len() + rest.len() <= OWN_LIMIT;
        if self.json || !plain || !word.ends_with(' ') {
            return self.text(key, &[word, rest].concat());
        }
        self.key(key);
        self.out.push(b'"');
        self.out.extend_from_slice(word.as_bytes());
        self.out.extend_from_slice(rest.as_bytes());
        self.out.push(b'"');
        self
    }

    /// Texts of our own, with commas between; `write` appends each.
    #[inline(always)]
    pub(in crate::server) fn list<T>(
        &mut self,
        key: &str,
        values: impl IntoIterator<Item = T>,
        write: impl Fn(T, &mut Vec<u8>),
    ) -> &mut Self {
        self.joined(key, ",", values, write)
    }

    /// Texts of our own, with this between; `write` appends each.
    #[inline(always)]
    pub(in crate::server) fn joined<T>(
        &mut self,
        key: &str,
        between: &str,
        values: impl IntoIterator<Item = T>,
        write: impl Fn(T, &mut Vec<u8>),
    ) -> &mut Self {
        self.written(key, |out| {
            let start = out.len();
            for value in values {
                if out.len() > start {
                    out.extend_from_slice(between.as_bytes());
                }
                write(value, out);
            }
        })
    }

    /// A text of our own: what `write` appends.
    #[inline(always)]
    pub(in crate::server) fn written(&mut self, key: &str, write: impl FnOnce(&mut Vec<u8>)) -> &mut Self {
        self.key(key);
        let start = self.out.len();
        write(self.out);
        self.settle(start);
        self
    }

    /// Gives what was written from `start` on the form of a value. Most texts have it.
    fn settle(&mut self, start: usize) {
        let written = self.out.get(start..).unwrap_or_default();
        let needs = needs(written);
        if self.json || needs & ESCAPE != 0 || written.len() > OWN_LIMIT {
            let written = self.out.split_off(start);
            self.escaped(&written, OWN_LIMIT);
        } else if needs != 0 || written.is_empty() {
            self.out.insert(start, b'"');
            self.out.push(b'"');
        }
    }

    /// Bytes of a peer.
    #[inline(always)]
    pub(in crate::server) fn peer(&mut self, key: &str, value: &[u8]) -> &mut Self {
        self.key(key);
        self.value(value, escape::LIMIT);
        self
    }

    /// A number.
    #[inline(always)]
    pub(in crate::server) fn number(&mut self, key: &str, value: u64) -> &mut Self {
        self.key(key);
        decimal::encode(value, self.out);
        self
    }

    /// A number below zero, or what else JSON has without quotation marks.
    pub(in crate::server) fn bare(&mut self, key: &str, value: impl Display) -> &mut Self {
        self.key(key);
        // Writing to a vector does not fail.
        let _ = write!(self.out, "{value}");
        self
    }

    /// Ends the line.
    pub(in crate::server) fn end(self) {
        self.out.extend_from_slice(if self.json { b"}\n" } else { b"\n" });
    }

    #[inline(always)]
    fn key(&mut self, key: &str) {
        if self.json {
            return self.json_key(key);
        }
        debug_assert!(key.starts_with(' ') && key.ends_with('='), "{key:?}");
        self.out.extend_from_slice(key.as_bytes());
    }

    #[cold]
    fn json_key(&mut self, key: &str) {
        if self.out.last() != Some(&b'{') {
            self.out.push(b',');
        }
        json_string(self.out, key.trim_matches([' ', '=']).as_bytes(), OWN_LIMIT);
        self.out.push(b':');
    }

    /// A value. Nearly all are plain, and copied at once.
    fn value(&mut self, value: &[u8], limit: usize) {
        let needs = needs(value);
        if self.json || needs & ESCAPE != 0 || value.len() > limit {
            self.escaped(value, limit);
        } else if needs == 0 && !value.is_empty() {
            self.out.extend_from_slice(value);
        } else {
            self.out.push(b'"');
            self.out.extend_from_slice(value);
            self.out.push(b'"');
        }
    }

    /// A value byte by byte.
    #[cold]
    fn escaped(&mut self, value: &[u8], limit: usize) {
        if self.json {
            json_string(self.out, value, limit);
        } else {
            let _ = write!(self.out, "{}", Escaped(value, limit));
        }
    }
}

fn now() -> String {
    format!("{:.6}", Timestamp::now())
}

/// A JSON string of ASCII alone. What is not UTF-8 becomes U+FFFD; what is cut ends in `...`.
fn json_string(out: &mut Vec<u8>, value: &[u8], limit: usize) {
    let shown = value.get(..limit).unwrap_or(value);
    out.push(b'"');
    for c in String::from_utf8_lossy(shown).chars() {
        match c {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            ' '..='~' => out.extend(u8::try_from(c)),
            _ => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
        }
    }
    if shown.len() < value.len() {
        out.extend_from_slice(b"...");
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use proptest::prelude::*;

    use super::*;

    fn append(text: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(text.as_bytes());
    }

    fn written(json: bool, fill: impl Fn(&mut Line<'_>)) -> String {
        let mut out = Vec::new();
        let mut line = Line::begin(&mut out, Style { json, time: false }, "info", "event");
        fill(&mut line);
        line.end();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn text() {
        let line = written(false, |line| {
            line.text(" plain=", "OK")
                .text(" empty=", "")
                .text(" reply=", "OK secure match=a")
                .peer(" key=", b"a\"b\n\xff")
                .number(" n=", 7);
        });
        assert_eq!(
            line,
            "info event plain=OK empty=\"\" reply=\"OK secure match=a\" key=a\\x22b\\x0a\\xff n=7\n"
        );
    }

    #[test]
    fn the_quick_way_writes_what_the_slow_one_does() {
        for text in [
            "a",
            "",
            " ",
            "a b",
            "a=b",
            "a\"b",
            "a\\b",
            "a\tb",
            "a\u{fc}",
            "=",
            &"x".repeat(OWN_LIMIT),
            &"x".repeat(OWN_LIMIT + 1),
        ] {
            let line = written(false, |line| {
                line.text(" key=", text);
            });
            assert_eq!(line, format!("info event key={}\n", Escaped(text.as_bytes(), OWN_LIMIT)));
            let listed = written(false, |line| {
                line.list(" key=", [text], append);
            });
            assert_eq!(listed, line);
            for word in ["OK ", ""] {
                let sentence = written(false, |line| {
                    line.sentence(" key=", word, text);
                });
                let whole = format!("{word}{text}");
                assert_eq!(sentence, format!("info event key={}\n", Escaped(whole.as_bytes(), OWN_LIMIT)));
            }
        }
    }

    proptest! {
        #[test]
        fn no_byte_is_overlooked(mut plain in prop::collection::vec(b'A'..=b'Z', 1..70), at: prop::sample::Index, byte: u8) {
            let at = at.index(plain.len());
            plain[at] = byte;
            let line = written(false, |line| {
                line.peer(" key=", &plain);
            });
            prop_assert_eq!(line, format!("info event key={}\n", Escaped(&plain, escape::LIMIT)));
        }
    }

    #[test]
    fn lists() {
        let lists = |json| {
            written(json, |line| {
                line.list(" none=", [""; 0], append).list(" two=", ["a", "b"], append).joined(
                    " quoted=",
                    "; ",
                    ["a", "b=\n"],
                    append,
                );
            })
        };
        assert_eq!(lists(false), "info event none=\"\" two=a,b quoted=\"a; b=\\x0a\"\n");
        assert!(lists(true).ends_with("\"none\":\"\",\"two\":\"a,b\",\"quoted\":\"a; b=\\u000a\"}\n"));
    }

    #[test]
    fn json() {
        let line = written(true, |line| {
            line.text(" reply=", "NOTFOUND ")
                .peer(" key=", "\"\\b\u{fc}\u{1f600}\n".as_bytes())
                .peer(" bad=", b"\xff")
                .number(" n=", 7);
        });
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["level"], "info");
        assert_eq!(value["event"], "event");
        assert_eq!(value["reply"], "NOTFOUND ");
        assert_eq!(value["key"], "\"\\b\u{fc}\u{1f600}\n");
        assert_eq!(value["bad"], "\u{fffd}");
        assert_eq!(value["n"], 7);
        assert!(line.trim_end().bytes().all(|byte| matches!(byte, b' '..=b'~')), "{line}");
    }

    #[test]
    fn text_of_a_peer_is_cut() {
        for json in [false, true] {
            let line = written(json, |line| {
                line.peer(" key=", &[b'a'; 10_000]);
            });
            assert!(line.len() < 200 && line.contains("a..."), "{line}");
        }
    }

    #[test]
    fn times_are_rfc_3339_in_utc() {
        let mut out = Vec::new();
        Line::begin(&mut out, Style { json: false, time: true }, "info", "event").end();
        let text = String::from_utf8(out).unwrap();
        let (time, rest) = text.split_once(' ').unwrap();
        assert!(time.parse::<Timestamp>().is_ok() && time.ends_with('Z') && time.len() == 27, "{time}");
        assert_eq!(rest, "info event\n");
    }
}
