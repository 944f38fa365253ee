//! Commands of PowerShell.
//!
//! Every text is in single quotes, in which PowerShell expands nothing; the quotes in it are doubled, those too that
//! PowerShell takes for single quotes (about_Quoting_Rules; CharTraits.cs, IsSingleQuote). A text from the configuration
//! is made printable before, so that none of them has a line end.

use super::page::{Page, shown};

/// Characters of a connector's name in Exchange.
const NAME: usize = 64;

/// A cmdlet with its parameters, in the order in which they are read.
pub(super) struct Command {
    cmdlet: &'static str,
    parameters: Vec<(&'static str, Value)>,
    lacking: bool,
}

enum Value {
    /// `$true`, `DomainValidation`, `25`.
    Word(String),
    /// Texts.
    Quoted(Vec<String>),
    /// What whoever runs it has to put there.
    Missing(String),
    /// A switch.
    None,
}

impl Command {
    /// Without parameters.
    pub fn new(cmdlet: &'static str) -> Self {
        Command { cmdlet, parameters: Vec::new(), lacking: false }
    }

    /// A word of PowerShell or of Exchange.
    pub fn word(self, parameter: &'static str, word: impl Into<String>) -> Self {
        self.with(parameter, Value::Word(word.into()))
    }

    /// `$true` or `$false`.
    pub fn truth(self, parameter: &'static str, truth: bool) -> Self {
        self.word(parameter, if truth { "$true" } else { "$false" })
    }

    /// A switch.
    pub fn switch(self, parameter: &'static str) -> Self {
        self.with(parameter, Value::None)
    }

    /// A text.
    pub fn text(self, parameter: &'static str, text: impl Into<String>) -> Self {
        self.with(parameter, Value::Quoted(vec![text.into()]))
    }

    /// Texts; there is at least one.
    pub fn texts(self, parameter: &'static str, texts: Vec<String>) -> Self {
        self.with(parameter, Value::Quoted(texts))
    }

    /// A value that is not known. The whole command becomes a comment.
    pub fn missing(mut self, parameter: &'static str, what: impl Into<String>) -> Self {
        self.lacking = true;
        self.with(parameter, Value::Missing(what.into()))
    }

    fn with(mut self, parameter: &'static str, value: Value) -> Self {
        self.parameters.push((parameter, value));
        self
    }

    /// Writes it, a parameter on each line.
    pub fn write(self, page: &mut Page) {
        let mut lines = vec![self.cmdlet.to_owned()];
        for (parameter, value) in &self.parameters {
            if let Some(last) = lines.last_mut() {
                last.push_str(" `");
            }
            let value = match value {
                Value::Word(word) => format!(" {word}"),
                Value::Quoted(texts) => {
                    format!(" {}", texts.iter().map(|text| quoted(text)).collect::<Vec<_>>().join(", "))
                }
                Value::Missing(what) => format!(" <{what}>"),
                Value::None => String::new(),
            };
            lines.push(format!("    -{parameter}{value}"));
        }
        for line in lines {
            if self.lacking { page.commented(&line) } else { page.line(&line) }
        }
    }
}

/// A text as PowerShell takes it for exactly that.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::from("'");
    for c in text.chars() {
        if matches!(c, '\'' | '\u{2018}'..='\u{201b}') {
            out.push(c);
        }
        out.push(c);
    }
    out.push('\'');
    out
}

/// A name for a connector of Exchange: what is in front, and a text from the configuration.
pub(super) fn name(before: &str, text: &str) -> String {
    let whole = shown(&format!("{before} {text}"));
    whole.chars().take(NAME).collect::<String>().trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_stays_in_its_quotes() {
        for (text, expected) in [
            ("a", "'a'"),
            ("$(Remove-Item x) `n", "'$(Remove-Item x) `n'"),
            ("O'Hara; exit", "'O''Hara; exit'"),
            ("\u{2019}; exit", "'\u{2019}\u{2019}; exit'"),
        ] {
            assert_eq!(quoted(text), expected);
        }
        assert_eq!(name("To", "O\u{2019}Hara\n"), "To O\\u{2019}Hara\\n");
        assert_eq!(name("From", &"x".repeat(100)).len(), NAME);
    }

    #[test]
    fn a_command_that_lacks_something_is_a_comment() {
        let command =
            || Command::new("New-Thing").text("Name", "a'b").truth("Enabled", false).switch("Custom");
        let text = |command: Command| {
            let mut page = Page::new("# ");
            command.write(&mut page);
            page.finish().0
        };
        assert_eq!(text(command()), "New-Thing `\n    -Name 'a''b' `\n    -Enabled $false `\n    -Custom\n");
        let lacking = text(command().missing("TlsDomain", "your name"));
        assert!(lacking.lines().all(|line| line.starts_with("# ")), "{lacking}");
        assert!(lacking.contains("#     -TlsDomain <your name>\n"), "{lacking}");
    }
}
