//! The properties of a connector as values of the types that they have.
//!
//! An absent property is not a false one, and a list that an export has turned into a word is not a list: what is not
//! exactly a value of its type is refused, with the command that exports it right. Nothing is guessed.

use std::fmt;

use super::place::Place;
use super::record::{Record, Value};
use crate::protocol::escape::printable;

/// Characters of a foreign text in a message.
const SHOWN: usize = 80;

/// Why no connector comes of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) place: Place,
    pub(super) reason: String,
}

/// A foreign text, in quotes, for a message.
pub(super) fn shown(text: &str) -> String {
    format!("\"{}\"", printable(text, SHOWN))
}

/// The properties of one connector.
#[derive(Clone, Copy, Debug)]
pub(super) struct Properties<'r> {
    pub(super) record: &'r Record,
    /// The command that shows such connectors.
    pub(super) cmdlet: &'static str,
}

impl<'r> Properties<'r> {
    /// Refuses the connector for a property, or as a whole when it does not have it.
    pub(super) fn refuse(self, name: &str, reason: impl fmt::Display) -> Refusal {
        let place = self.record.find(name).map_or(self.record.place, |field| field.place);
        Refusal { place, reason: format!("`{name}` {reason}") }
    }

    fn find(self, name: &str) -> Option<&'r Value> {
        self.record.find(name).map(|field| &field.value).filter(|value| **value != Value::Null)
    }

    /// Refuses the connector for a property that it does not have.
    pub(super) fn missing(self, name: &str) -> Refusal {
        self.refuse(
            name,
            format_args!(
                "is not in the export, and absent is not false; export every property: {}",
                self.export()
            ),
        )
    }

    /// The command for a good export: Clixml has lists as lists, and words where ConvertTo-Json has numbers and objects.
    fn export(self) -> String {
        format!("`{} | Export-Clixml FILE`", self.cmdlet)
    }

    /// `$true` or `$false`; `None` where it is neither there nor set.
    pub(super) fn flag(self, name: &str) -> Result<Option<bool>, Refusal> {
        match self.find(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(Value::Text(text)) if text.eq_ignore_ascii_case("true") => Ok(Some(true)),
            Some(Value::Text(text)) if text.eq_ignore_ascii_case("false") => Ok(Some(false)),
            Some(_) => Err(self
                .refuse(name, format_args!("is neither true nor false; export it again: {}", self.export()))),
        }
    }

    /// The same of a property that decides something.
    pub(super) fn flag_there(self, name: &str) -> Result<bool, Refusal> {
        self.flag(name)?.ok_or_else(|| self.missing(name))
    }

    /// Whether it is there and `$true`.
    pub(super) fn is_set(self, name: &str) -> Result<bool, Refusal> {
        Ok(self.flag(name)? == Some(true))
    }

    /// What people wrote for people: whatever it begins with, it is theirs.
    pub(super) fn words(self, name: &str) -> Result<Option<&'r str>, Refusal> {
        match self.find(name) {
            Some(Value::Text(text)) => Ok(Some(text.trim()).filter(|text| !text.is_empty())),
            _ => self.text(name),
        }
    }

    /// What is there of a property that decides nothing, for a note; `None` where it is not there, or false or empty.
    pub(super) fn told(self, name: &str) -> Option<String> {
        match self.find(name)? {
            Value::Null | Value::Bool(false) => None,
            Value::Bool(true) => Some("true".to_owned()),
            Value::Number(text) => Some(shown(text)),
            Value::Text(text) => Some(shown(text)).filter(|_| !text.trim().is_empty()),
            Value::List(values) => Some("a list".to_owned()).filter(|_| !values.is_empty()),
            Value::Object => Some("an object".to_owned()),
        }
    }

    /// A text; `None` where it is not there, `$null` or empty.
    pub(super) fn text(self, name: &str) -> Result<Option<&'r str>, Refusal> {
        match self.find(name) {
            None => Ok(None),
            Some(Value::Text(text)) if is_type(text) => Err(self.destroyed(name, text)),
            Some(Value::Text(text)) => Ok(Some(text.trim()).filter(|text| !text.is_empty())),
            Some(Value::Number(number)) => Err(self.refuse(
                name,
                format_args!(
                    "is the number {number}, and what it stands for is not documented; export the word: {}",
                    self.export()
                ),
            )),
            Some(Value::Object) => Err(self.refuse(
                name,
                format_args!("is an object without a text; export the word: {}", self.export()),
            )),
            Some(Value::Null | Value::Bool(_) | Value::List(_)) => {
                Err(self.refuse(name, format_args!("is no text; export it again: {}", self.export())))
            }
        }
    }

    /// The same of one that decides something: it may be `$null`, but it has to be there.
    pub(super) fn text_there(self, name: &str) -> Result<Option<&'r str>, Refusal> {
        if self.record.has(name) { self.text(name) } else { Err(self.missing(name)) }
    }

    /// A number.
    pub(super) fn number(self, name: &str) -> Result<Option<u16>, Refusal> {
        match self.find(name) {
            None => Ok(None),
            Some(Value::Number(text) | Value::Text(text)) => match text.parse() {
                Ok(number) => Ok(Some(number)),
                Err(_) => {
                    Err(self.refuse(name, format_args!("is {}, and no number from 0 to 65535", shown(text))))
                }
            },
            Some(Value::Null | Value::Bool(_) | Value::List(_) | Value::Object) => {
                Err(self.refuse(name, "is no number"))
            }
        }
    }

    /// A list of texts; empty where it is not there or `$null`. One element that stands alone is read as a list of it.
    pub(super) fn list(self, name: &str) -> Result<Vec<&'r str>, Refusal> {
        let values = match self.find(name) {
            None => return Ok(Vec::new()),
            Some(Value::List(values)) => values.as_slice(),
            Some(Value::Text(text)) if text.trim().is_empty() => return Ok(Vec::new()),
            // Beyond its depth ConvertTo-Json puts the elements into one text, with spaces between them.
            Some(Value::Text(text)) if text.trim().contains(char::is_whitespace) => {
                return Err(self.destroyed(name, text));
            }
            Some(one) => std::slice::from_ref(one),
        };
        let mut texts = Vec::with_capacity(values.len());
        for value in values {
            match value {
                Value::Text(text) if is_type(text) => return Err(self.destroyed(name, text)),
                Value::Text(text) => texts.push(text.trim()),
                Value::Object => {
                    return Err(self.refuse(
                        name,
                        format_args!("has objects without a text; export the words: {}", self.export()),
                    ));
                }
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::List(_) => {
                    return Err(self.refuse(
                        name,
                        format_args!(
                            "has something in it that is no text; export the words: {}",
                            self.export()
                        ),
                    ));
                }
            }
        }
        Ok(texts)
    }

    /// The same of one that has to be there.
    pub(super) fn list_there(self, name: &str) -> Result<Vec<&'r str>, Refusal> {
        if self.record.has(name) { self.list(name) } else { Err(self.missing(name)) }
    }

    fn destroyed(self, name: &str, text: &str) -> Refusal {
        self.refuse(
            name,
            format_args!(
                "is {}: the export has put a word in the place of the list, and what was in it is lost; export it again: {}",
                shown(text),
                self.export()
            ),
        )
    }
}

/// Whether a text is the name of a type, or what PowerShell makes of a table, which is what Export-Csv writes for a list:
/// `System.String[]`. A domain may begin with `system.`, and has no brackets.
fn is_type(text: &str) -> bool {
    let heads = [
        "System.Collections.",
        "Microsoft.Exchange.Data.",
        "Deserialized.System.",
        "Deserialized.Microsoft.",
        "@{",
    ];
    let text = text.trim_start();
    text.contains("[]") || text.contains('`') || heads.iter().any(|head| text.starts_with(head))
}
