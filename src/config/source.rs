//! A text file of the configuration, and places in it.
//!
//! A [`Place`] is a range of bytes in one of the files read. It becomes a line, a column and a
//! line to show only when there is something to say about it, so that reading a million lines
//! costs nothing for them.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use super::problem::{SourceLine, is_printable};

/// Characters shown before the part to look at; what is before them is cut.
const SHOWN_BEFORE: usize = 60;

/// Characters shown from the part to look at on; what is behind them is cut.
const SHOWN_BEHIND: usize = 80;

/// Spaces that a tab is shown as.
const TAB: &str = "    ";

/// A file of text, read once.
#[derive(Debug)]
pub(super) struct Source {
    /// The file as the operator named it, or as an include pattern found it.
    pub name: Arc<str>,
    /// The same as a path.
    pub path: PathBuf,
    /// All of it, without a byte-order mark.
    pub text: Arc<String>,
    /// Whether there was one.
    pub mark: bool,
    line_starts: OnceLock<Vec<usize>>,
}

/// A range of bytes in one of the files read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The rank of the file in the order of reading.
    pub source: usize,
    /// The first byte.
    pub start: usize,
    /// The byte behind the last.
    pub end: usize,
}

impl Place {
    /// A range of bytes in a file.
    pub fn new(source: usize, range: Range<usize>) -> Self {
        Place { source, start: range.start, end: range.end }
    }
}

impl Source {
    /// A file with this text.
    pub fn new(path: PathBuf, text: String) -> Self {
        let name = path.display().to_string().into();
        Source { name, path, text: Arc::new(text), mark: false, line_starts: OnceLock::new() }
    }

    /// A path written in this file: a relative one is relative to the file's directory.
    pub fn resolve(&self, written: &str) -> PathBuf {
        self.path.parent().unwrap_or(Path::new("")).join(written)
    }

    /// Line and column of a byte, both from 1, the column in characters.
    pub fn position(&self, offset: usize) -> (usize, usize) {
        let (line, start) = self.line_of(offset);
        let column = self.between(start, offset).chars().count() + 1;
        (line, column)
    }

    /// The line that a place begins in, ready to be shown.
    pub fn line(&self, place: Place) -> SourceLine {
        let (_, start) = self.line_of(place.start);
        let rest = self.between(place.start, self.text.len());
        let behind = rest.split('\n').next().unwrap_or_default().trim_end();
        let before = self.between(start, place.start);
        let marked = self.between(place.start, place.end.min(place.start + behind.len()));

        let mut kept: Vec<char> = before.chars().rev().take(SHOWN_BEFORE + 1).collect();
        let mut text = String::new();
        let mut indent = 0;
        if kept.len() > SHOWN_BEFORE {
            kept.truncate(SHOWN_BEFORE);
            text.push('…');
            indent += 1;
        }
        for c in kept.into_iter().rev() {
            indent += push(&mut text, c);
        }
        let mut width = 0;
        for (i, (at, c)) in behind.char_indices().enumerate() {
            if i == SHOWN_BEHIND {
                text.push('…');
                break;
            }
            let columns = push(&mut text, c);
            if at < marked.len() {
                width += columns;
            }
        }
        SourceLine { text: text.trim_end().to_owned(), indent, width: width.max(1) }
    }

    fn line_of(&self, offset: usize) -> (usize, usize) {
        let starts = self.line_starts.get_or_init(|| {
            let breaks = self.text.bytes().enumerate().filter(|&(_, byte)| byte == b'\n');
            std::iter::once(0).chain(breaks.map(|(at, _)| at + 1)).collect()
        });
        // The first line starts at 0, so there is one at or before every offset.
        let line = starts.partition_point(|&start| start <= offset).max(1);
        (line, starts.get(line - 1).copied().unwrap_or_default())
    }

    /// The text between two bytes, as far as both are there and between characters.
    fn between(&self, start: usize, end: usize) -> &str {
        let boundary = |mut at: usize| {
            at = at.min(self.text.len());
            while !self.text.is_char_boundary(at) {
                at -= 1;
            }
            at
        };
        self.text.get(boundary(start)..boundary(end)).unwrap_or_default()
    }
}

/// Appends a character so that it can be shown, and says how many terminal columns it takes.
fn push(text: &mut String, c: char) -> usize {
    if c == '\t' {
        text.push_str(TAB);
        TAB.len()
    } else if is_printable(c) {
        text.push(c);
        columns(c)
    } else {
        let before = text.len();
        text.extend(c.escape_default());
        text.len() - before
    }
}

/// Terminal columns of a printable character: two for the wide ones of East Asia and for
/// pictures, none for those that combine with the one before (Unicode TR 11, by blocks).
fn columns(c: char) -> usize {
    match c {
        '\u{300}'..='\u{36f}'
        | '\u{1ab0}'..='\u{1aff}'
        | '\u{20d0}'..='\u{20ff}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{fe20}'..='\u{fe2f}' => 0,
        '\u{1100}'..='\u{115f}'
        | '\u{2e80}'..='\u{a4cf}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe6f}'
        | '\u{ff00}'..='\u{ff60}'
        | '\u{ffe0}'..='\u{ffe6}'
        | '\u{1f300}'..='\u{1faff}'
        | '\u{20000}'..='\u{3fffd}' => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn point(text: &str, part: &str) -> (usize, usize, String, String) {
        let source = Source::new("x".into(), text.to_owned());
        let start = text.find(part).unwrap();
        let (line, column) = source.position(start);
        let shown = source.line(Place::new(0, start..start + part.len()));
        let carets = format!("{}{}", " ".repeat(shown.indent), "^".repeat(shown.width));
        (line, column, shown.text, carets)
    }

    #[test]
    fn the_caret_is_under_the_place() {
        let cases = [
            ("a\nb = c\nd", "c", (2, 5, "b = c", "    ^")),
            ("a\r\nb = cc\r\n", "cc", (2, 5, "b = cc", "    ^^")),
            ("\tb = c", "c", (1, 6, "    b = c", "        ^")),
            ("\u{65e5}\u{672c} = c", "c", (1, 6, "\u{65e5}\u{672c} = c", "       ^")),
            ("e\u{301} = c", "c", (1, 6, "e\u{301} = c", "    ^")),
            ("x = \u{202e}c", "c", (1, 6, "x = \\u{202e}c", "            ^")),
            ("x = \"a\nb\"", "\"a\nb\"", (1, 5, "x = \"a", "    ^^")),
        ];
        for (text, part, (line, column, shown, carets)) in cases {
            assert_eq!(point(text, part), (line, column, shown.to_owned(), carets.to_owned()), "{text:?}");
        }
    }

    #[test]
    fn a_long_line_is_cut_around_the_place() {
        let text = format!("{}!{}", "a".repeat(500), "b".repeat(500));
        let (_, column, shown, carets) = point(&text, "!");
        assert_eq!(column, 501);
        assert_eq!(shown, format!("…{}!{}…", "a".repeat(60), "b".repeat(79)));
        assert_eq!(carets.len(), 62);
    }

    #[test]
    fn every_offset_has_a_place() {
        let text = "é\n\nü = \u{1f600}";
        let source = Source::new("x".into(), text.to_owned());
        for offset in 0..text.len() + 3 {
            let (line, column) = source.position(offset);
            assert!((1..=3).contains(&line) && column >= 1);
            source.line(Place::new(0, offset..offset + 2));
        }
    }
}
