//! What is wrong with a configuration, in words for the person who wrote it.
//!
//! A [`Problem`] says where (`file:line:column`), what, and what to do; it shows the line with a
//! caret under the exact place. All problems of all files are shown at once ([`Problems`]), in
//! the order in which the files were read. The same text is printed by `check`, written to the
//! log by a failed reload, and compared byte for byte by the tests, so a new line in it is a
//! deliberate change.

use std::fmt;
use std::sync::Arc;

/// Problems that are printed; of the others only the number. More would scroll away, and the
/// first hundred of a broken list say all there is to say.
pub const MAX_PRINTED: usize = 100;

/// Problems that are kept; of the others only the number. It bounds the memory that a list of a
/// million bad lines can take.
pub const MAX_KEPT: usize = 1_000;

/// A problem, or a warning, and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file as the operator named it, or as an include pattern found it.
    pub file: Arc<str>,
    /// From 1; 0 when it is about the file as a whole.
    pub line: usize,
    /// In characters, from 1; 0 when it is about the file as a whole.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: String,
    /// The line it stands in, ready to be shown.
    pub source_line: Option<SourceLine>,
    /// What kind of exit code it asks for.
    pub cause: Cause,
    /// The rank of its file in the order of reading.
    pub(super) order: usize,
}

/// What stands in the way, as far as exit codes tell it apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The main file does not exist.
    MissingFile,
    /// The main file may not be read.
    Permission,
    /// Anything else.
    Configuration,
}

/// A line of a file with the part to look at. It is escaped and cut to what a terminal shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceLine {
    /// The text; every character in it can be printed.
    pub text: String,
    /// Terminal columns before the part.
    pub indent: usize,
    /// Terminal columns of the part, at least 1.
    pub width: usize,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        write!(f, ": {}", self.message)?;
        if let Some(SourceLine { text, indent, width }) =
            self.source_line.as_ref().filter(|line| !line.text.is_empty())
        {
            write!(f, "\n    {text}\n    {:indent$}{}", "", "^".repeat(*width))?;
        }
        if !self.help.is_empty() {
            write!(f, "\n    help: {}", self.help)?;
        }
        Ok(())
    }
}

/// All problems of one load, in the order of the files and their lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems {
    kept: Vec<Problem>,
    more: usize,
}

impl Problems {
    /// Adds one, or only counts it when there are [`MAX_KEPT`] already.
    pub(super) fn add(&mut self, problem: Problem) {
        if self.kept.len() < MAX_KEPT {
            self.kept.push(problem);
        } else {
            self.more += 1;
        }
    }

    /// Whether a further one is only counted.
    pub(super) fn is_full(&self) -> bool {
        self.kept.len() >= MAX_KEPT
    }

    /// Counts one that is not worth keeping.
    pub(super) fn count(&mut self) {
        self.more += 1;
    }

    /// Puts them into the order of the files and their lines.
    pub(crate) fn sort(&mut self) {
        self.kept.sort_by_key(|problem| (problem.order, problem.line, problem.column));
    }

    /// Adds some and restores the order.
    pub(crate) fn extend(&mut self, others: Problems) {
        for problem in others.kept {
            self.add(problem);
        }
        self.more += others.more;
        self.sort();
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// How many there are, kept or only counted.
    pub fn len(&self) -> usize {
        self.kept.len() + self.more
    }

    /// Those that were kept.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.kept.iter()
    }

    /// What kind of exit code they ask for.
    pub fn cause(&self) -> Cause {
        self.kept
            .iter()
            .map(|problem| problem.cause)
            .find(|&cause| cause != Cause::Configuration)
            .unwrap_or(Cause::Configuration)
    }
}

impl<'p> IntoIterator for &'p Problems {
    type Item = &'p Problem;
    type IntoIter = std::slice::Iter<'p, Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.kept.iter().take(MAX_PRINTED).enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        match self.len().saturating_sub(MAX_PRINTED) {
            0 => Ok(()),
            more => write!(f, "\nand {more} more"),
        }
    }
}

impl std::error::Error for Problems {}

/// A text of the operator inside a message: in backticks, escaped, and cut when it is long.
pub(super) fn shown(text: &str) -> String {
    /// Longest text that is quoted whole, in characters.
    const MAX: usize = 80;
    if text.is_empty() {
        return "the empty text".to_owned();
    }
    let mut quoted = String::from("`");
    for (i, c) in text.chars().enumerate() {
        if i == MAX {
            quoted.push('…');
            break;
        }
        if is_printable(c) { quoted.push(c) } else { quoted.extend(c.escape_default()) }
    }
    quoted.push('`');
    quoted
}

/// Whether a character may go to a terminal as it is. Those that move the cursor or turn the
/// direction of writing could make a line look like another one (CVE-2021-42574).
pub(super) fn is_printable(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(line: usize) -> Problem {
        Problem {
            file: "a.toml".into(),
            line,
            column: 3,
            message: "m".to_owned(),
            help: "h".to_owned(),
            source_line: Some(SourceLine { text: "  x".to_owned(), indent: 2, width: 1 }),
            cause: Cause::Configuration,
            order: 0,
        }
    }

    #[test]
    fn it_points_at_the_place() {
        assert_eq!(problem(7).to_string(), "a.toml:7:3: m\n      x\n      ^\n    help: h");
        let whole = Problem { line: 0, column: 0, source_line: None, ..problem(0) };
        assert_eq!(whole.to_string(), "a.toml: m\n    help: h");
    }

    #[test]
    fn c10_a_flood_is_counted() {
        let mut problems = Problems::default();
        for line in (1..=MAX_KEPT + 5).rev() {
            problems.add(problem(line));
        }
        problems.sort();
        assert_eq!(problems.len(), MAX_KEPT + 5);
        assert_eq!(problems.iter().count(), MAX_KEPT);
        let text = problems.to_string();
        assert!(text.starts_with("a.toml:6:3: m\n"), "{text}");
        assert!(text.ends_with(&format!("\nand {} more", MAX_KEPT + 5 - MAX_PRINTED)), "{text}");
    }

    #[test]
    fn what_is_quoted_can_be_printed() {
        assert_eq!(shown("a\n\u{202e}b"), "`a\\n\\u{202e}b`");
        assert_eq!(shown(&"é".repeat(81)), format!("`{}…`", "é".repeat(80)));
    }
}
