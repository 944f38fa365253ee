//! The sheet that a kit is written on.
//!
//! What people are told is wrapped, and every character of it that could leave its line is escaped; in a kit
//! whose lines are commands or settings it is a comment. A command that lacks something is a comment too, so
//! that nobody can run it by accident.
//!
//! A kit for PowerShell is ASCII: Windows PowerShell reads a script without a byte order mark in the code page of the system
//! (about_Character_Encoding), where the octets of a letter may be a quote, or take the line end behind them along.

use crate::protocol::escape::printable;

/// Columns of what people are told: it is read in a mail.
const WIDTH: usize = 98;

/// Characters of one text from the configuration; a longer one is cut.
const LIMIT: usize = 300;

/// A kit as it grows.
pub(super) struct Page {
    comment: &'static str,
    ascii: bool,
    text: String,
    lacks: Vec<String>,
}

impl Page {
    /// An empty one on which talk begins with `comment`.
    pub fn new(comment: &'static str) -> Self {
        Page { comment, ascii: false, text: String::new(), lacks: Vec::new() }
    }

    /// The same for a script of PowerShell: all of it is ASCII.
    pub fn of_powershell() -> Self {
        Page { ascii: true, ..Page::new("# ") }
    }

    /// A paragraph for people, of text that holds no control character: see [`shown`].
    pub fn talk(&mut self, text: &str) {
        self.hung(text, "");
    }

    /// The same, unless the page ends with it.
    pub fn talk_once(&mut self, text: &str) {
        let mut other = Page { comment: self.comment, ascii: self.ascii, ..Page::new("") };
        other.talk(text);
        if !self.text.ends_with(&other.text) {
            self.text.push_str(&other.text);
        }
    }

    /// One of several things, under each other.
    pub fn item(&mut self, text: &str) {
        self.hung(&format!("- {text}"), "  ");
    }

    fn hung(&mut self, text: &str, hang: &str) {
        let escaped;
        let text = if self.ascii {
            escaped = ascii(text);
            &escaped
        } else {
            text
        };
        let mut line = String::new();
        let mut columns = 0;
        for word in text.split(' ') {
            let length = word.chars().count();
            if columns > 0 && columns + 1 + length > WIDTH {
                self.put(self.comment, &line);
                line = hang.to_owned();
                columns = hang.len();
            } else if columns > 0 {
                line.push(' ');
                columns += 1;
            }
            line.push_str(word);
            columns += length;
        }
        self.put(self.comment, &line);
    }

    /// A line of a command or a setting.
    pub fn line(&mut self, line: &str) {
        self.put("", line);
    }

    /// A line of a command or a setting that is to be looked at first.
    pub fn commented(&mut self, line: &str) {
        self.put(self.comment, line);
    }

    /// An empty line.
    pub fn blank(&mut self) {
        self.text.push('\n');
    }

    /// Notes what the kit lacks, once.
    pub fn lacks(&mut self, what: impl Into<String>) {
        let what = what.into();
        if !self.lacks.contains(&what) {
            self.lacks.push(what);
        }
    }

    /// The text, and what it lacks.
    pub fn finish(self) -> (String, Vec<String>) {
        (self.text, self.lacks)
    }

    fn put(&mut self, before: &str, line: &str) {
        let whole = format!("{before}{line}");
        let whole = if self.ascii { ascii(&whole) } else { whole };
        self.text.push_str(whole.trim_end());
        self.text.push('\n');
    }
}

/// Other letters as escapes.
fn ascii(text: &str) -> String {
    let escaped = |c: char| if c.is_ascii() { c.to_string() } else { c.escape_unicode().to_string() };
    text.chars().map(escaped).collect()
}

/// A text from the configuration on one line.
pub(super) fn shown(text: &str) -> String {
    printable(text, LIMIT)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn talk_is_wrapped_in_comments() {
        let mut page = Page::new("# ");
        page.item(&["word"; 30].join(" "));
        page.talk("");
        page.talk_once("");
        page.line("setting = 1");
        let (text, lacks) = page.finish();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 4, "{text}");
        assert!(lines[0].starts_with("# - word word") && lines[0].len() <= WIDTH + 2, "{text}");
        assert!(lines[1].starts_with("#   word"), "{text}");
        assert_eq!(lines[2..], ["#", "setting = 1"]);
        assert!(lacks.is_empty());
    }

    #[test]
    fn a_page_for_powershell_is_ascii() {
        let mut page = Page::of_powershell();
        page.talk("J\u{fc}rgen");
        page.commented("Set-Thing '\u{2019}'");
        assert_eq!(page.finish().0, "# J\\u{fc}rgen\n# Set-Thing '\\u{2019}'\n");
    }

    #[test]
    fn nothing_from_the_configuration_leaves_its_line() {
        assert_eq!(shown("a\nRemove-Item C:\\ \u{2028}\u{202e}"), "a\\nRemove-Item C:\\ \\u{2028}\\u{202e}");
        assert_eq!(shown(&"x".repeat(1000)).chars().count(), LIMIT + 1);
    }

    #[test]
    fn what_is_lacking_is_said_once() {
        let mut page = Page::new("");
        page.lacks("a");
        page.lacks("b");
        page.lacks("a");
        assert_eq!(page.finish().1, ["a", "b"]);
    }
}
