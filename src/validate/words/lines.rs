//! Lines of a report: escaped, wrapped, indented.

use super::TEXT;
use crate::protocol::escape::printable;

/// The column that no line passes, where its words allow it.
const WIDTH: usize = 100;

/// Characters of a label, with the space behind it.
const LABEL: usize = 13;

/// Lines as they grow.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Lines(String);

impl Lines {
    /// An empty line.
    pub(super) fn blank(&mut self) {
        self.0.push('\n');
    }

    /// A text behind `first`, broken between words and then indented.
    pub(super) fn wrapped(&mut self, first: &str, indent: usize, text: &str) {
        let text = printable(text, TEXT);
        let mut line = first.to_owned();
        let mut fresh = true;
        for word in text.split(' ') {
            let full = line.chars().count() + 1 + word.chars().count() > WIDTH;
            if !fresh && full {
                self.line(&line);
                line = " ".repeat(indent);
                fresh = true;
            }
            if !fresh {
                line.push(' ');
            }
            line.push_str(word);
            fresh = false;
        }
        self.line(&line);
    }

    /// A text with a label before it.
    pub(super) fn labelled(&mut self, indent: usize, label: &str, text: &str) {
        let first = format!("{:indent$}{label:<LABEL$}", "");
        self.wrapped(&first, indent + LABEL, text);
    }

    /// One line as it is, made of parts that are escaped already.
    pub(super) fn line(&mut self, line: &str) {
        self.0.push_str(line.trim_end());
        self.0.push('\n');
    }

    /// Lines that were made apart.
    pub(super) fn add(&mut self, lines: &Lines) {
        self.0.push_str(&lines.0);
    }

    /// All of them.
    pub(super) fn finish(self) -> String {
        self.0
    }
}
