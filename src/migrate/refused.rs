//! What could not be imported.

use std::fmt;

use crate::protocol::escape::printable;

/// Longest part of a foreign text that a message shows, in characters. Ours.
const LIMIT: usize = 200;

/// Something in the input that no connector was made of, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The file as the operator named it.
    pub file: String,
    /// Its line, from 1, where there are lines.
    pub line: Option<usize>,
    /// What it is about: the name of a connector, or an entry.
    pub subject: String,
    /// Why, and what to do.
    pub reason: String,
}

impl fmt::Display for Refused {
    /// One line, with nothing in it that could move a cursor.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&printable(&self.file, LIMIT))?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if !self.subject.is_empty() {
            write!(f, ": {}", printable(&self.subject, LIMIT))?;
        }
        write!(f, ": {}", printable(&self.reason, 4 * LIMIT))
    }
}
