//! Questions and answers, a line each.
//!
//! An answer comes from the command line, or from standard input, a terminal or not; what nobody answers has the default
//! that the question shows. A line is bounded, and one with a control character (an arrow key is some) or that is no UTF-8 is no
//! answer. A bad answer is asked for again with the reason; one of the command line ends the command. When the answers end
//! before there is a file, so does the command, and nothing was written; what is offered behind that counts as refused.

use std::io::{BufRead, Read as _};

use crate::cli::Failure;
use crate::cli::output::{prompt, talk};
use crate::protocol::escape::printable;

/// Bytes of a line. A list of domains that is longer belongs in a file.
const LINE: u64 = 4096;

/// How often one question is asked: somebody who has no idea will stop by then, and a program that answers the same
/// for ever must.
pub(super) const TRIES: usize = 10;

/// Characters of an answer that are shown again.
const SHOWN: usize = 80;

/// Whoever answers.
pub(super) struct Asker<R> {
    input: R,
    /// Take the default of what the command line does not answer.
    defaults: bool,
    /// How many lines were read.
    lines: usize,
}

/// A question.
pub(super) struct Question<'q> {
    /// What is asked for, without a question mark or colon.
    pub text: &'q str,
    /// The option that answers it; empty where none does.
    pub option: &'static str,
    /// The answer of the command line.
    pub given: Option<&'q str>,
    /// What Enter stands for; `None` where something has to be said.
    pub default: Option<&'q str>,
}

impl<R: BufRead> Asker<R> {
    /// One who reads answers here; with `defaults` nothing is read.
    pub fn new(input: R, defaults: bool) -> Self {
        Asker { input, defaults, lines: 0 }
    }

    /// How many answers were read, good or bad.
    pub fn answers(&self) -> usize {
        self.lines
    }

    /// Whether nobody is asked.
    pub fn is_silent(&self) -> bool {
        self.defaults
    }

    /// What is said before a question, and not to a script.
    pub fn tell(&self, text: &str) {
        if !self.defaults {
            talk(format_args!("{text}"));
        }
    }

    /// Asks until `read` takes the answer.
    pub fn ask<T>(
        &mut self,
        question: &Question<'_>,
        mut read: impl FnMut(&str) -> Result<T, String>,
    ) -> Result<T, Failure> {
        let option = question.option;
        let wrong = |reason| Failure::Argument(format!("{option}: {reason}"));
        if let Some(answer) = question.given {
            return checked(answer).and_then(&mut read).map_err(wrong);
        }
        if self.defaults {
            let Some(default) = question.default else {
                return Err(wrong(format!("nothing says this, and it has no default: {}", question.text)));
            };
            return read(default).map_err(wrong);
        }
        for _ in 0..TRIES {
            let hint = match question.default {
                Some("") => " [none]".to_owned(),
                Some(default) => format!(" [{}]", printable(default, SHOWN)),
                None => String::new(),
            };
            let colon = if question.text.ends_with('?') && hint.is_empty() { "" } else { ":" };
            prompt(format_args!("{}{hint}{colon} ", question.text));
            let value = self.line()?.and_then(|line| match (line.trim(), question.default) {
                ("", Some(default)) => read(default),
                ("", None) => Err("something has to be said here".to_owned()),
                (answer, _) => read(answer),
            });
            match value {
                Ok(value) => return Ok(value),
                Err(reason) => talk(format_args!("  {reason}")),
            }
        }
        Err(Failure::Argument(format!("{TRIES} answers, and none that can be taken; nothing was written")))
    }

    /// Asks for a yes or a no.
    pub fn agree(&mut self, text: &str, default: bool) -> Result<bool, Failure> {
        let default = Some(if default { "yes" } else { "no" });
        self.ask(&Question { text, option: "", given: None, default }, |answer| {
            match answer.to_ascii_lowercase().as_str() {
                "y" | "yes" => Ok(true),
                "n" | "no" => Ok(false),
                _ => Err("answer yes or no".to_owned()),
            }
        })
    }

    /// The next line; what is wrong with it in the inner result.
    fn line(&mut self) -> Result<Result<String, String>, Failure> {
        self.lines = self.lines.saturating_add(1);
        let mut bytes = Vec::new();
        let read = self.input.by_ref().take(LINE).read_until(b'\n', &mut bytes);
        read.map_err(|error| Failure::Argument(format!("the answer cannot be read: {error}")))?;
        if bytes.last() != Some(&b'\n') {
            // The end, or more than a line may have.
            if bytes.len() < usize::try_from(LINE).unwrap_or(usize::MAX) {
                talk(format_args!(""));
                return Err(Failure::Unanswered);
            }
            return Err(Failure::Argument(format!(
                "an answer has {LINE} bytes at most; nothing was written"
            )));
        }
        let text = String::from_utf8(bytes).map_err(|_| "this is not UTF-8".to_owned());
        Ok(text.and_then(|text| checked(text.trim_end_matches(['\n', '\r'])).map(str::to_owned)))
    }
}

/// Refuses what could not have been meant.
fn checked(answer: &str) -> Result<&str, String> {
    if answer.chars().any(char::is_control) {
        return Err("there is a control character in it (an arrow key?)".to_owned());
    }
    Ok(answer)
}

/// The parts of a list: commas and spaces are between them.
pub(super) fn parts(answer: &str) -> Vec<String> {
    answer.split([',', ' ']).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn number(answer: &str) -> Result<u8, String> {
        answer.parse().map_err(|_| "no number".to_owned())
    }

    fn asked(input: &[u8], default: Option<&str>) -> Result<u8, Failure> {
        Asker::new(input, false)
            .ask(&Question { text: "A number", option: "--number", given: None, default }, number)
    }

    #[test]
    fn a_bad_answer_is_asked_for_again() {
        assert_eq!(asked(b"x\n\x1b[A\n\xff\n 7 \r\n", None).unwrap(), 7);
        assert_eq!(asked(b"\n3\n", None).unwrap(), 3, "something has to be said");
        assert_eq!(asked(b"\n3\n", Some("5")).unwrap(), 5);
    }

    #[test]
    fn answers_that_end_end_it() {
        for input in [&b""[..], b"x\n", b"7"] {
            assert!(matches!(asked(input, None), Err(Failure::Unanswered)), "{input:?}");
        }
        assert!(matches!(asked(&b"x\n".repeat(100), Some("5")), Err(Failure::Argument(_))));
        assert!(matches!(asked(&b"7".repeat(1 << 20), None), Err(Failure::Argument(_))));
    }

    #[test]
    fn the_command_line_is_not_asked_twice() {
        let mut asker = Asker::new(&b"1\n"[..], false);
        let text = "A number";
        let question = |given| Question { text, option: "--number", given: Some(given), default: None };
        assert_eq!(asker.ask(&question("9"), number).unwrap(), 9);
        for bad in ["x", "9\n"] {
            let failure = asker.ask(&question(bad), number).unwrap_err();
            assert!(failure.to_string().contains("--number: "), "{failure}");
        }
        let mut silent = Asker::new(&b"1\n"[..], true);
        let question = |default| Question { text, option: "--number", given: None, default };
        assert_eq!(silent.ask(&question(Some("4")), number).unwrap(), 4);
        let failure = silent.ask(&question(None), number).unwrap_err();
        assert!(failure.to_string().contains("--number: nothing says this"), "{failure}");
    }

    #[test]
    fn lists_as_people_write_them() {
        assert_eq!(parts(" a.example, *.b.example  c.example,"), ["a.example", "*.b.example", "c.example"]);
        assert!(parts(" , ").is_empty());
    }
}
