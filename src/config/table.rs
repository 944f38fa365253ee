//! Tables of TOML as an administrator wrote them, each value with its place.
//!
//! serde stops at its first error, and an operator wants to see all of them; so the spanned tree
//! of the `toml` crate is walked by hand. A [`Table`] knows which keys are legal in it and tells
//! of every other one when it is opened; an [`Item`] is one key with its value and tells of a
//! wrong type when it is read. Both only add to the reading's problems, never stop it.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::keys::{self, Key};
use super::problem::shown;
use super::reading::Reading;
use super::source::Place;
use super::suggestion::{list, nearest};

/// A table and where its header stands.
pub(super) struct Table<'t> {
    /// What stands before its keys in messages: `require.certificate.`, or nothing.
    prefix: &'static str,
    /// Its header.
    pub header: Place,
    entries: &'t DeTable<'t>,
}

/// A key with its value.
#[derive(Clone, Copy)]
pub(super) struct Item<'t> {
    prefix: &'static str,
    key: &'static str,
    /// The key.
    pub key_place: Place,
    /// The value.
    pub place: Place,
    value: &'t DeValue<'t>,
}

/// A text value and its place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Text<'t> {
    /// The text, unescaped.
    pub text: &'t str,
    /// Where it stands.
    pub place: Place,
}

/// The legal keys of a table.
#[derive(Clone, Copy)]
pub(super) struct Legal {
    /// What the table is called in messages: `[[outbound]]`.
    pub title: &'static str,
    /// What stands before its keys in messages.
    pub prefix: &'static str,
    /// The keys, in the order of the manual.
    pub keys: &'static [Key],
    /// Whether any key that begins with `x-` is legal too.
    pub notes: bool,
    /// Keys that are legal in the main file alone, where this is none.
    pub main_only: &'static [&'static str],
}

impl<'t> Table<'t> {
    /// Opens a table of the file of this rank, and tells of every key that is not legal.
    pub fn open(
        reading: &mut Reading,
        source: usize,
        entries: &'t DeTable<'t>,
        header: Place,
        legal: Legal,
    ) -> Self {
        for (key, _) in entries {
            let name = key.get_ref();
            if keys::names(legal.keys).any(|key| key == name.as_ref())
                || (legal.notes && name.starts_with("x-"))
            {
                continue;
            }
            if legal.main_only.contains(&name.as_ref()) {
                let message = format!("`{name}` belongs in the main file");
                reading.problem(
                    Place::new(source, key.span()),
                    message,
                    "an included file has only `version`, [[outbound]] and [[inbound]]",
                );
                continue;
            }
            let mut help = match nearest(name, keys::names(legal.keys)) {
                Some(meant) => format!("did you mean `{meant}`? "),
                None => String::new(),
            };
            help.push_str(&format!(
                "the keys of {} are {}",
                legal.title,
                list(&keys::names(legal.keys).collect::<Vec<_>>(), "and")
            ));
            if legal.notes {
                help.push_str("; a note of your own begins with `x-`");
            }
            reading.problem(Place::new(source, key.span()), format!("unknown key {}", shown(name)), help);
        }
        Table { prefix: legal.prefix, header, entries }
    }

    /// The key, if it is there.
    pub fn find(&self, key: &'static str) -> Option<Item<'t>> {
        let (found, value) = self.entries.get_key_value(key)?;
        let source = self.header.source;
        Some(Item {
            prefix: self.prefix,
            key,
            key_place: Place::new(source, found.span()),
            place: Place::new(source, value.span()),
            value: value.get_ref(),
        })
    }

    /// The key; when it is not there, that is a problem of the table.
    pub fn demand(&self, reading: &mut Reading, key: &'static str, help: &str) -> Option<Item<'t>> {
        let item = self.find(key);
        if item.is_none() {
            reading.problem(self.header, format!("`{}{key}` is missing", self.prefix), help);
        }
        item
    }

    /// Every key and value, in alphabetical order.
    pub fn entries(&self) -> impl Iterator<Item = (&'t str, Place, &'t Spanned<DeValue<'t>>)> {
        let source = self.header.source;
        self.entries
            .iter()
            .map(move |(key, value)| (key.get_ref().as_ref(), Place::new(source, key.span()), value))
    }
}

impl<'t> Item<'t> {
    /// The key with what stands before it.
    pub fn path(&self) -> String {
        format!("{}{}", self.prefix, self.key)
    }

    /// The value as it is.
    pub fn value(&self) -> &'t DeValue<'t> {
        self.value
    }

    /// The text.
    pub fn text(&self, reading: &mut Reading) -> Option<Text<'t>> {
        let Some(text) = self.value.as_str() else {
            let quotes = if self.value.is_array() || self.value.is_table() {
                ""
            } else {
                "; write it in quotation marks"
            };
            self.wrong_type(reading, &format!("a text{quotes}"));
            return None;
        };
        Some(Text { text, place: self.place })
    }

    /// The texts of a list. An empty list is a problem; so is everything in it that is no text.
    pub fn texts(&self, reading: &mut Reading) -> Vec<Text<'t>> {
        let Some(elements) = self.value.as_array() else {
            match self.value.as_str() {
                Some(text) => {
                    let help = format!("write it in brackets: [{}]", toml_text(text));
                    reading.problem(self.place, format!("`{}` is a list", self.path()), help);
                }
                None => self.wrong_type(reading, "a list of texts"),
            }
            return Vec::new();
        };
        if elements.is_empty() {
            let help = "name at least one, or leave the key out if it is optional";
            reading.problem(self.place, format!("`{}` is an empty list", self.path()), help);
        }
        let mut texts = Vec::with_capacity(elements.len());
        for element in elements {
            let place = Place::new(self.place.source, element.span());
            match element.get_ref().as_str() {
                Some(text) => texts.push(Text { text, place }),
                None => {
                    let message =
                        format!("`{}` is a list of texts; this is {}", self.path(), kind(element.get_ref()));
                    reading.problem(place, message, "write each in quotation marks");
                }
            }
        }
        texts
    }

    /// One of these words.
    pub fn word<T: Copy>(&self, reading: &mut Reading, words: &[(&'static str, T)]) -> Option<T> {
        let text = self.text(reading)?;
        let found = words.iter().find(|(word, _)| *word == text.text).map(|&(_, value)| value);
        if found.is_none() {
            let names: Vec<&str> = words.iter().map(|&(word, _)| word).collect();
            let meant = nearest(text.text, names.iter().copied())
                .map_or_else(String::new, |meant| format!("did you mean `{meant}`? "));
            let help = format!("{meant}`{}` is {}", self.path(), list(&names, "or"));
            reading.problem(
                self.place,
                format!("{} is no value of `{}`", shown(text.text), self.path()),
                help,
            );
        }
        found
    }

    /// A whole number in a range.
    pub fn number(&self, reading: &mut Reading, range: std::ops::RangeInclusive<usize>) -> Option<usize> {
        let DeValue::Integer(integer) = self.value else {
            self.wrong_type(reading, "a whole number");
            return None;
        };
        let value = usize::from_str_radix(integer.as_str(), integer.radix())
            .ok()
            .filter(|value| range.contains(value));
        if value.is_none() {
            let help = format!("from {} to {}", range.start(), range.end());
            reading.problem(self.place, format!("this is out of the range of `{}`", self.path()), help);
        }
        value
    }

    /// The table that is its value.
    pub fn table(&self, reading: &mut Reading, legal: Legal) -> Option<Table<'t>> {
        if let Some(entries) = self.value.as_table() {
            return Some(Table::open(reading, self.place.source, entries, self.place, legal));
        }
        if self
            .value
            .as_array()
            .is_some_and(|elements| elements.iter().any(|element| element.get_ref().is_table()))
        {
            let help = format!("there is one {} only: write one table, with single brackets", legal.title);
            reading.problem(
                self.key_place,
                format!("`{}` is a table, not a list of them", self.path()),
                help,
            );
        } else {
            self.wrong_type(reading, "a table");
        }
        None
    }

    /// The tables of a list. A single one, written with single brackets, is a problem and is read.
    pub fn tables(&self, reading: &mut Reading, legal: Legal) -> Vec<Table<'t>> {
        let source = self.place.source;
        if let Some(entries) = self.value.as_table() {
            let help = format!("there can be several: write {}, with double brackets", legal.title);
            reading.problem(self.key_place, format!("`{}` is a list of tables", self.path()), help);
            return vec![Table::open(reading, source, entries, self.place, legal)];
        }
        let Some(elements) = self.value.as_array() else {
            self.wrong_type(
                reading,
                &format!("a list of tables; write {}, and below it its keys", legal.title),
            );
            return Vec::new();
        };
        if elements.is_empty() {
            reading.problem(self.place, format!("`{}` is an empty list", self.path()), "leave the key out");
        }
        let mut tables = Vec::with_capacity(elements.len());
        for element in elements {
            let place = Place::new(source, element.span());
            match element.get_ref().as_table() {
                Some(entries) => tables.push(Table::open(reading, source, entries, place, legal)),
                None => {
                    let message =
                        format!("`{}` is a list of tables; this is {}", self.path(), kind(element.get_ref()));
                    reading.problem(place, message, format!("write {}, and below it its keys", legal.title));
                }
            }
        }
        tables
    }

    /// Tells that the value is of another type.
    pub fn wrong_type(&self, reading: &mut Reading, wanted: &str) {
        let message = format!("`{}` cannot be {}", self.path(), kind(self.value));
        reading.problem(self.place, message, format!("it is {wanted}"));
    }
}

/// What a value is, in words.
pub(super) fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a number with a point",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// A text as it is written in TOML, cut when it is long.
fn toml_text(text: &str) -> String {
    let cut: String = text.chars().take(60).collect();
    format!("{cut:?}")
}
