//! What `ConvertTo-Json` writes: one object, or a list of them.
//!
//! Two passes: the library finds where each property begins and ends and keeps nothing; then those that are kept are
//! read, each with its place. So what is not kept costs no memory, however much or deep it is.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;
use serde_json::value::RawValue;
use serde_json::{Deserializer, Error};

use super::broken::Broken;
use super::budget::Budget;
use super::place::{Cursor, Place};
use super::record::{Field, Record, Value, is_kept};

/// Digits of a number that are kept, for a message.
const DIGITS: usize = 40;

/// Reads the connectors.
pub(super) fn read(text: &str, budget: &mut Budget) -> Result<Vec<Record>, Broken> {
    let mut reading = Reading { cursor: Cursor::new(text), budget, records: Vec::new(), broken: None };
    let mut json = Deserializer::from_str(text);
    let ended = if text.trim_start().starts_with('[') {
        json.deserialize_seq(List(&mut reading)).and_then(|()| json.end())
    } else {
        <&RawValue as de::Deserialize>::deserialize(&mut json).and_then(|whole| {
            json.end()?;
            reading.connector(whole)
        })
    };
    let Reading { records, broken, .. } = reading;
    match (ended, broken) {
        (_, Some(broken)) => Err(broken),
        (Err(error), None) => Err(no_json(&error)),
        (Ok(()), None) => Ok(records),
    }
}

struct Reading<'t, 'b> {
    cursor: Cursor<'t>,
    budget: &'b mut Budget,
    records: Vec<Record>,
    /// Why reading was stopped, where it was not for the library's reasons.
    broken: Option<Broken>,
}

impl Reading<'_, '_> {
    /// Stops the library; what it says then is not told.
    fn stop<E: de::Error>(&mut self, broken: Broken) -> E {
        self.broken = Some(broken);
        E::custom("stopped")
    }

    /// Reads a connector of which it is known that it is JSON.
    fn connector<E: de::Error>(&mut self, whole: &RawValue) -> Result<(), E> {
        let place = self.cursor.place_of(whole.get());
        if !whole.get().starts_with('{') {
            let message = "a connector is an object, { .. }; convert what Get-OutboundConnector gives, and nothing of it";
            return Err(self.stop(Broken::new(place, message)));
        }
        if let Err(broken) = self.budget.connector(place) {
            return Err(self.stop(broken));
        }
        let mut record = Record::new(place);
        let mut json = Deserializer::from_str(whole.get());
        match json.deserialize_map(Connector { reading: self, record: &mut record }) {
            Ok(()) => {
                self.records.push(record);
                Ok(())
            }
            Err(_) if self.broken.is_some() => Err(E::custom("stopped")),
            Err(_) => Err(self.stop(Broken::new(place, UNREADABLE))),
        }
    }
}

/// A text with half a character, `"\ud800"`: it only shows when the text is looked at.
const UNREADABLE: &str = "this is no JSON: a text has half a character";

/// The connectors of a list.
struct List<'r, 't, 'b>(&'r mut Reading<'t, 'b>);

impl<'de> Visitor<'de> for List<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of connectors")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(whole) = list.next_element::<&RawValue>()? {
            self.0.connector(whole)?;
        }
        Ok(())
    }
}

/// The properties of a connector.
struct Connector<'r, 't, 'b> {
    reading: &'r mut Reading<'t, 'b>,
    record: &'r mut Record,
}

impl<'de> Visitor<'de> for Connector<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the properties of a connector")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Connector { reading, record } = self;
        while let Some(name) = map.next_key_seed(Name)? {
            let whole: &RawValue = map.next_value()?;
            if !is_kept(&name) {
                continue;
            }
            let place = reading.cursor.place_of(whole.get());
            match value(whole, place, reading.budget) {
                Ok(value) => record.add(Field { name: name.into_owned(), place, value }),
                Err(broken) => return Err(reading.stop(broken)),
            }
        }
        Ok(())
    }
}

/// The name of a property, borrowed where it can be.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a property")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}

/// The value of a property.
fn value(whole: &RawValue, place: Place, budget: &mut Budget) -> Result<Value, Broken> {
    let text = whole.get();
    match text.as_bytes().first() {
        Some(b'[') => list(text, place, budget),
        Some(b'{') => object(text, place, budget),
        _ => scalar(text, place, budget),
    }
}

/// An element of a list. No property is a list of lists, and of an object in it no text is known; what is in those is not
/// looked at, so that a depth of them costs nothing.
fn element(whole: &RawValue, place: Place, budget: &mut Budget) -> Result<Value, Broken> {
    let text = whole.get();
    if text.starts_with(['[', '{']) {
        budget.value(0, place)?;
        return Ok(Value::Object);
    }
    scalar(text, place, budget)
}

fn scalar(text: &str, place: Place, budget: &mut Budget) -> Result<Value, Broken> {
    let scalar = match text.as_bytes().first() {
        Some(b'"') => {
            serde_json::from_str(text).map(Value::Text).map_err(|_| Broken::new(place, UNREADABLE))?
        }
        Some(b't') => Value::Bool(true),
        Some(b'f') => Value::Bool(false),
        Some(b'n') => Value::Null,
        _ => Value::Number(text.chars().take(DIGITS).collect()),
    };
    budget.value(if let Value::Text(text) = &scalar { text.len() } else { 0 }, place)?;
    Ok(scalar)
}

fn list(text: &str, place: Place, budget: &mut Budget) -> Result<Value, Broken> {
    budget.value(0, place)?;
    let mut elements = Elements { values: Vec::new(), place, budget, broken: None };
    let mut json = Deserializer::from_str(text);
    let ended = json.deserialize_seq(&mut elements);
    match (elements.broken, ended) {
        (Some(broken), _) => Err(broken),
        (None, Err(error)) => Err(no_json(&error)),
        (None, Ok(())) => Ok(Value::List(elements.values)),
    }
}

struct Elements<'b> {
    values: Vec<Value>,
    place: Place,
    budget: &'b mut Budget,
    broken: Option<Broken>,
}

impl<'de> Visitor<'de> for &mut Elements<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(whole) = list.next_element::<&RawValue>()? {
            match element(whole, self.place, self.budget) {
                Ok(element) => self.values.push(element),
                Err(broken) => {
                    self.broken = Some(broken);
                    return Err(de::Error::custom("stopped"));
                }
            }
        }
        Ok(())
    }
}

/// PowerShell 5.1 writes a list that it has looked at before as `{"value": [..], "Count": 2}`.
fn object(text: &str, place: Place, budget: &mut Budget) -> Result<Value, Broken> {
    budget.value(0, place)?;
    let mut wrapped = Wrapped::default();
    let mut json = Deserializer::from_str(text);
    if json.deserialize_map(&mut wrapped).is_err() {
        return Err(Broken::new(place, UNREADABLE));
    }
    match wrapped {
        Wrapped { list: Some(whole), count: Some(count), others: false } => {
            let value = list(whole.get(), place, budget)?;
            let is_whole = matches!(&value, Value::List(values) if u64::try_from(values.len()) == Ok(count));
            Ok(if is_whole { value } else { Value::Object })
        }
        Wrapped { .. } => Ok(Value::Object),
    }
}

#[derive(Default)]
struct Wrapped<'t> {
    list: Option<&'t RawValue>,
    count: Option<u64>,
    others: bool,
}

impl<'t> Visitor<'t> for &mut Wrapped<'t> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'t>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key_seed(Name)? {
            match &*name {
                "value" if self.list.is_none() => {
                    let whole: &RawValue = map.next_value()?;
                    self.list = Some(whole).filter(|whole| whole.get().starts_with('['));
                    self.others |= self.list.is_none();
                }
                "Count" if self.count.is_none() => {
                    let whole: &RawValue = map.next_value()?;
                    self.count = whole.get().parse().ok();
                    self.others |= self.count.is_none();
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    self.others = true;
                }
            }
        }
        Ok(())
    }
}

fn no_json(error: &Error) -> Broken {
    let place = Place { line: error.line().max(1), column: error.column().max(1) };
    let message = match error.classify() {
        Category::Eof => "the file ends too early: it was cut short".to_owned(),
        Category::Io | Category::Syntax | Category::Data => {
            let told = error.to_string();
            let told = told.rsplit_once(" at line ").map_or(told.as_str(), |(told, _)| told);
            format!("this is no JSON: {told}")
        }
    };
    Broken::new(place, message)
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
