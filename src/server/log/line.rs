//! How a line looks, as text and as JSON.
//!
//! Text: `[TIME ]LEVEL EVENT KEY=VALUE KEY=VALUE`. A value is escaped to printable ASCII, in double
//! quotes if it is empty or has a space or an equals sign, and cut ([`escape`]).
//! JSON: `{"time":..,"level":..,"event":..,KEY:VALUE,..}`, printable ASCII as well; `time` is there
//! when the text has one. Levels are `error`, `warn`, `info`, `debug`, `trace`; times RFC 3339, UTC.

use std::fmt::Display;
use std::io::Write as _;

use jiff::Timestamp;

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
                line.key("time");
                line.string(now().as_bytes(), OWN_LIMIT);
            }
            line.key("level");
            line.string(level.as_bytes(), OWN_LIMIT);
            line.key("event");
            line.string(event.as_bytes(), OWN_LIMIT);
        } else {
            if style.time {
                line.out.extend_from_slice(now().as_bytes());
                line.out.push(b' ');
            }
            line.out.extend_from_slice(level.as_bytes());
            line.out.push(b' ');
            line.string(event.as_bytes(), OWN_LIMIT);
        }
        line
    }

    /// A text of our own.
    pub(in crate::server) fn text(&mut self, key: &str, value: &str) -> &mut Self {
        self.key(key);
        self.string(value.as_bytes(), OWN_LIMIT);
        self
    }

    /// A text of our own in two parts.
    pub(in crate::server) fn parts(&mut self, key: &str, word: &str, rest: &str) -> &mut Self {
        self.key(key);
        let start = self.out.len();
        self.out.extend_from_slice(word.as_bytes());
        self.out.extend_from_slice(rest.as_bytes());
        self.settle(start);
        self
    }

    /// Texts of our own, with commas between.
    pub(in crate::server) fn list(
        &mut self,
        key: &str,
        values: impl IntoIterator<Item = impl Display>,
    ) -> &mut Self {
        self.joined(key, ",", values)
    }

    /// Texts of our own, with this between.
    pub(in crate::server) fn joined(
        &mut self,
        key: &str,
        between: &str,
        values: impl IntoIterator<Item = impl Display>,
    ) -> &mut Self {
        self.key(key);
        let start = self.out.len();
        for value in values {
            if self.out.len() > start {
                self.out.extend_from_slice(between.as_bytes());
            }
            // Writing to a vector does not fail.
            let _ = write!(self.out, "{value}");
        }
        self.settle(start);
        self
    }

    /// Gives what was written from `start` on the form of a value. Most texts have it.
    fn settle(&mut self, start: usize) {
        let written = self.out.get(start..).unwrap_or_default();
        match Form::of(written) {
            form if self.json || form == Form::Escaped || written.len() > OWN_LIMIT => {
                let written = self.out.split_off(start);
                self.string(&written, OWN_LIMIT);
            }
            Form::Quoted => {
                self.out.insert(start, b'"');
                self.out.push(b'"');
            }
            Form::Bare | Form::Escaped => {}
        }
    }

    /// Bytes of a peer.
    pub(in crate::server) fn peer(&mut self, key: &str, value: &[u8]) -> &mut Self {
        self.key(key);
        self.string(value, escape::LIMIT);
        self
    }

    /// A number.
    pub(in crate::server) fn number(&mut self, key: &str, value: impl std::fmt::Display) -> &mut Self {
        self.key(key);
        // Writing to a vector does not fail.
        let _ = write!(self.out, "{value}");
        self
    }

    /// Ends the line.
    pub(in crate::server) fn end(self) {
        self.out.extend_from_slice(if self.json { b"}\n" } else { b"\n" });
    }

    fn key(&mut self, key: &str) {
        if !self.json {
            self.out.push(b' ');
            self.out.extend_from_slice(key.as_bytes());
            self.out.push(b'=');
            return;
        }
        if self.out.last() != Some(&b'{') {
            self.out.push(b',');
        }
        self.string(key.as_bytes(), OWN_LIMIT);
        self.out.push(b':');
    }

    fn string(&mut self, value: &[u8], limit: usize) {
        if self.json {
            return json_string(self.out, value, limit);
        }
        // Nearly everything is plain, and copied at once; `Escaped` goes byte by byte.
        match Form::of(value) {
            Form::Bare if value.len() <= limit => self.out.extend_from_slice(value),
            Form::Quoted if value.len() <= limit => {
                self.out.push(b'"');
                self.out.extend_from_slice(value);
                self.out.push(b'"');
            }
            Form::Bare | Form::Quoted | Form::Escaped => {
                let _ = write!(self.out, "{}", Escaped(value, limit));
            }
        }
    }
}

const QUOTE: u8 = 1;
const ESCAPE: u8 = 2;

/// What each byte needs in a line of text. Every byte of every line is looked up here; comparisons
/// instead were nearly half of a line's instructions.
#[expect(clippy::indexing_slicing, clippy::as_conversions, reason = "at compile time a mistake is an error")]
const NEEDS: [u8; 256] = {
    let mut needs = [ESCAPE; 256];
    let mut byte = b' ';
    while byte <= b'~' {
        needs[byte as usize] = match byte {
            b' ' | b'=' => QUOTE,
            b'"' | b'\\' => ESCAPE,
            _ => 0,
        };
        byte += 1;
    }
    needs
};

/// How a value stands in a line of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// As it is.
    Bare,
    /// In quotation marks.
    Quoted,
    /// With escapes.
    Escaped,
}

impl Form {
    fn of(value: &[u8]) -> Form {
        let needs = |byte: &u8| NEEDS.get(usize::from(*byte)).copied().unwrap_or(ESCAPE);
        match value.iter().fold(0, |all, byte| all | needs(byte)) {
            0 if value.is_empty() => Form::Quoted,
            0 => Form::Bare,
            QUOTE => Form::Quoted,
            _ => Form::Escaped,
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
    use super::*;

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
            line.text("plain", "OK")
                .text("empty", "")
                .text("reply", "OK secure match=a")
                .peer("key", b"a\"b\n\xff")
                .number("n", 7);
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
                line.text("key", text);
            });
            assert_eq!(line, format!("info event key={}\n", Escaped(text.as_bytes(), OWN_LIMIT)));
            let listed = written(false, |line| {
                line.list("key", [text]);
            });
            assert_eq!(listed, line);
            let (word, rest) = text.split_at(text.len().min(1));
            let in_parts = written(false, |line| {
                line.parts("key", word, rest);
            });
            assert_eq!(in_parts, line);
        }
    }

    #[test]
    fn lists() {
        let lists = |json| {
            written(json, |line| {
                line.list("none", [""; 0]).list("two", ["a", "b"]).joined("quoted", "; ", ["a", "b=\n"]);
            })
        };
        assert_eq!(lists(false), "info event none=\"\" two=a,b quoted=\"a; b=\\x0a\"\n");
        assert!(lists(true).ends_with("\"none\":\"\",\"two\":\"a,b\",\"quoted\":\"a; b=\\u000a\"}\n"));
    }

    #[test]
    fn json() {
        let line = written(true, |line| {
            line.text("reply", "NOTFOUND ")
                .peer("key", "\"\\b\u{fc}\u{1f600}\n".as_bytes())
                .peer("bad", b"\xff")
                .number("n", 7);
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
                line.peer("key", &[b'a'; 10_000]);
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
