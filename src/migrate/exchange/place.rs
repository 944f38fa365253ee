//! Where in an export something stands.

use std::fmt;

/// A place in a file: line and column, both from 1; columns are characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl Place {
    /// Where a file begins.
    pub const START: Place = Place { line: 1, column: 1 };
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// Finds places in the order of the text, so that all of them together cost one walk through it.
#[derive(Debug)]
pub(super) struct Cursor<'t> {
    text: &'t str,
    at: usize,
    place: Place,
}

impl<'t> Cursor<'t> {
    pub(super) fn new(text: &'t str) -> Cursor<'t> {
        Cursor { text, at: 0, place: Place::START }
    }

    /// The place of an offset that is not before the last one asked for; else that one's.
    pub(super) fn place(&mut self, offset: usize) -> Place {
        let Some(passed) = self.text.get(self.at..offset) else {
            return self.place;
        };
        let (lines, rest) = match passed.rsplit_once('\n') {
            Some((before, rest)) => (1 + before.matches('\n').count(), rest),
            None => (0, passed),
        };
        if lines > 0 {
            self.place = Place { line: self.place.line + lines, column: 1 };
        }
        self.place.column += rest.chars().count();
        self.at = offset;
        self.place
    }

    /// The place of a part of the text, borrowed from it.
    pub(super) fn place_of(&mut self, part: &str) -> Place {
        let offset = part.as_ptr().addr().checked_sub(self.text.as_ptr().addr());
        match offset.filter(|&offset| offset <= self.text.len()) {
            Some(offset) => self.place(offset),
            None => self.place,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_those_of_an_editor() {
        let text = "ab\n\u{fc}\u{1f600}c\r\n\nd";
        let mut cursor = Cursor::new(text);
        for (part, line, column) in [("ab", 1, 1), ("b", 1, 2), ("\u{fc}", 2, 1), ("c", 2, 3), ("d", 4, 1)] {
            let at = text.find(part).and_then(|at| text.get(at..)).unwrap_or_default();
            assert_eq!(cursor.place_of(at), Place { line, column }, "{part}");
        }
        // Backwards, and past the end: the last place that is known.
        assert_eq!(cursor.place(0), Place { line: 4, column: 1 });
        assert_eq!(cursor.place(1000), Place { line: 4, column: 1 });
        assert_eq!(cursor.place_of("something else"), Place { line: 4, column: 1 });
    }
}
