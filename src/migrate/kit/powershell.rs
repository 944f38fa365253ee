//! Commands of PowerShell.
//!
//! Every text is in single quotes, in which PowerShell expands nothing (about_Quoting_Rules); the quotes in it are
//! doubled. It is ASCII, for in the wrong code page another letter could be one of the quotes that PowerShell takes for
//! single ones too (CharTraits.cs, IsSingleQuote; see [`Page::of_powershell`]). A text from the configuration is made
//! printable before, so that none of them has a line end.

use super::page::Page;

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

    /// It would demand less than it should: the whole command becomes a comment.
    pub fn held_back(mut self) -> Self {
        self.lacking = true;
        self
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

/// A text as PowerShell takes it for exactly that, but for letters that are not ASCII, which become `?`.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::from("'");
    for c in text.chars() {
        if c == '\'' {
            out.push(c);
        }
        out.push(if c.is_ascii() { c } else { '?' });
    }
    out.push('\'');
    out
}

/// A name for an object in Exchange, of letters that mean nothing in an identity: what it is, whose, and of which of our
/// connectors, whose name is in it as a whole. So the kits of two connectors make two.
pub(super) fn name(what: &str, ours: &str, connector: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || " ._-+@()&'".contains(c) { c } else { '_' };
    let tail: String = format!(" ({connector})").chars().map(plain).collect();
    match NAME.checked_sub(tail.len()) {
        Some(room) if room > what.len() => {
            let head: String = format!("{what} {ours}").chars().map(plain).take(room).collect();
            format!("{}{tail}", head.trim_end())
        }
        _ => connector.chars().map(plain).take(NAME).collect(),
    }
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
            ("\u{2019}; exit", "'?; exit'"),
            // In code page 1252 the second octet of this letter is U+2018.
            ("ESPA\u{d1}A; exit", "'ESPA?A; exit'"),
        ] {
            assert_eq!(quoted(text), expected);
        }
    }

    #[test]
    fn each_connector_has_its_own_name_in_exchange() {
        assert_eq!(name("To", "O'Hara", "bank"), "To O'Hara (bank)");
        assert_eq!(name("To", "O\u{2019}Hara\n\\*", "a/b"), "To O_Hara___ (a_b)");
        let long = "x".repeat(100);
        assert_eq!(name("From", &long, "bank"), format!("From {} (bank)", "x".repeat(52)));
        for length in [50, 57, 58, 63, 64] {
            let names = ["a", "b"].map(|end| format!("{}{end}", "y".repeat(length - 1)));
            let [one, other] = names.map(|connector| name("From", &long, &connector));
            assert!(one != other && one.len() <= NAME && other.len() <= NAME, "{one} {other}");
        }
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
