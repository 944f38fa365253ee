//! The name of a connector.
//!
//! It is read by people and by scripts, and it is the only text of the configuration that is
//! sent to a stranger (in a reply to a refused client), so its alphabet is closed: what it may
//! hold needs no quoting in SMTP, in a log line or in TOML.

use std::fmt;
use std::sync::Arc;

/// Longest name, in characters. Exchange has the same limit; a longer one is a problem at load.
pub const MAX_LENGTH: usize = 64;

/// The name that stands for what the MTA does without us, in `overrides` and in messages.
pub const MAIN_CF: &str = "main.cf";

/// A connector's name: unique over both directions, at most [`MAX_LENGTH`] characters.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectorName(Arc<str>);

/// Why a text is no connector name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nothing was written.
    #[error("the name is empty")]
    Empty,
    /// Longer than [`MAX_LENGTH`].
    #[error("the name has {0} characters; {MAX_LENGTH} is the most")]
    TooLong(usize),
    /// A character outside the alphabet.
    #[error("{0:?} cannot stand in a name; letters, digits, spaces and . _ - + @ ( ) & / can")]
    Character(char),
    /// It begins or ends with something that is easily overlooked.
    #[error("a name begins with a letter or a digit and does not end with a space")]
    Edge,
    /// It is the word for the MTA's own settings.
    #[error("the name `{MAIN_CF}` stands for the MTA's own settings; choose another one")]
    Reserved,
}

impl ConnectorName {
    /// Accepts a name as the operator wrote it.
    ///
    /// # Errors
    /// [`Error`] says what to change.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let length = text.chars().count();
        if length > MAX_LENGTH {
            return Err(Error::TooLong(length));
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || " ._-+@()&/".contains(c);
        if let Some(c) = text.chars().find(|&c| !allowed(c)) {
            return Err(Error::Character(c));
        }
        let first = text.chars().next().ok_or(Error::Empty)?;
        if !first.is_ascii_alphanumeric() || text.ends_with(' ') {
            return Err(Error::Edge);
        }
        if text == MAIN_CF {
            return Err(Error::Reserved);
        }
        Ok(ConnectorName(text.into()))
    }

    /// The name as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ConnectorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ConnectorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_people_use_are_accepted() {
        for name in ["contoso-bank", "From Contoso Bank", "a", "R&D (test)", "x@y/z+1_2.3"] {
            let parsed = ConnectorName::parse(name);
            assert_eq!(parsed.as_ref().map(ConnectorName::as_str), Ok(name));
            assert_eq!(format!("{parsed:?}"), format!("Ok({name:?})"));
            assert_eq!(parsed.map(|n| n.to_string()), Ok(name.to_owned()));
        }
        assert!(ConnectorName::parse(&"x".repeat(MAX_LENGTH)).is_ok());
    }

    #[test]
    fn what_would_need_quoting_is_refused() {
        let cases = [
            ("", Error::Empty),
            (" a", Error::Edge),
            ("a ", Error::Edge),
            ("-a", Error::Edge),
            ("a\nb", Error::Character('\n')),
            ("a:b", Error::Character(':')),
            ("a=b", Error::Character('=')),
            ("caf\u{e9}", Error::Character('\u{e9}')),
            ("main.cf", Error::Reserved),
        ];
        for (text, error) in cases {
            assert_eq!(ConnectorName::parse(text), Err(error), "{text:?}");
        }
        assert_eq!(ConnectorName::parse(&"x".repeat(65)), Err(Error::TooLong(65)));
    }
}
