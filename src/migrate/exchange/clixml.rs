//! What `Export-Clixml` writes: PowerShell's objects as XML.
//!
//! The form is that of MS-PSRP section 2.2.5 (Serialization). A connector is an `Obj` with properties in `Props` or, as the
//! cloud's module makes them, in `MS`; a list is an `Obj` with `LST` or `IE`; an enumeration is one with its word in
//! `ToString`; `Ref` stands for an `Obj` that was there before.
//!
//! Nothing is looked up: a document type is refused, and an entity that XML does not define by itself too, so there is
//! nothing to expand. What a `Ref` stands for is counted each time.

use std::collections::HashMap;

use quick_xml::Reader;
use quick_xml::errors::Error;
use quick_xml::events::{BytesStart, Event};

use super::broken::Broken;
use super::budget::Budget;
use super::escapes::unescaped;
use super::place::{Cursor, Place};
use super::record::{Field, Record, Value, is_kept};
use crate::protocol::escape::printable;

/// Elements within one another; `Export-Clixml` goes two objects deep, which are some eight elements.
const MAX_DEPTH: usize = 48;

/// Attributes of an element; PowerShell writes two.
const MAX_ATTRIBUTES: usize = 8;

/// Characters of a name in a message.
const SHOWN: usize = 40;

const CUT_SHORT: &str = "the file ends too early: it was cut short";

/// Reads the connectors.
pub(super) fn read(text: &str, budget: &mut Budget) -> Result<Vec<Record>, Broken> {
    let mut xml = Reader::from_str(text);
    xml.config_mut().expand_empty_elements = true;
    let mut reading = Reading {
        xml,
        cursor: Cursor::new(text),
        start: 0,
        budget,
        known: HashMap::new(),
        records: Vec::new(),
    };
    reading.document()?;
    Ok(reading.records)
}

struct Reading<'t, 'b> {
    xml: Reader<&'t [u8]>,
    cursor: Cursor<'t>,
    /// Where the last event begins.
    start: usize,
    budget: &'b mut Budget,
    /// What a `Ref` may stand for.
    known: HashMap<String, Value>,
    records: Vec<Record>,
}

/// What stands in an element.
enum Inside<'t> {
    Element(BytesStart<'t>),
    Text(std::borrow::Cow<'t, str>),
    /// A character that is not written as itself.
    Character(char),
    End,
}

/// An `Obj` that is no connector.
#[derive(Default)]
struct Parts {
    list: Option<Vec<Value>>,
    text: Option<String>,
    number: Option<String>,
}

impl<'t> Reading<'t, '_> {
    fn place(&mut self) -> Place {
        self.cursor.place(self.start)
    }

    fn broken<T>(&mut self, message: impl Into<String>) -> Result<T, Broken> {
        Err(Broken::new(self.place(), message))
    }

    fn event(&mut self) -> Result<Event<'t>, Broken> {
        self.start = offset(self.xml.buffer_position());
        let event = self.xml.read_event();
        event.map_err(|error| {
            self.start = offset(self.xml.error_position());
            let place = self.place();
            match error {
                // A tag, a comment or the like that has no end.
                Error::Syntax(error) => {
                    let told = printable(&error.to_string(), 200);
                    Broken::new(place, format!("the file was cut short, or this is no XML: {told}"))
                }
                Error::Io(_)
                | Error::IllFormed(_)
                | Error::InvalidAttr(_)
                | Error::Encoding(_)
                | Error::Escape(_)
                | Error::Namespace(_) => {
                    Broken::new(place, format!("this is no XML: {}", printable(&error.to_string(), 200)))
                }
            }
        })
    }

    /// The next thing in an element, or at the top of the document.
    fn next(&mut self) -> Result<Option<Inside<'t>>, Broken> {
        loop {
            return Ok(Some(match self.event()? {
                Event::Start(element) => Inside::Element(element),
                // Elements without content come as a start and an end.
                Event::Empty(_) => return self.broken("this is no XML"),
                Event::End(_) => Inside::End,
                Event::Text(text) => Inside::Text(text.into_inner()),
                Event::CData(text) => Inside::Text(text.into_inner()),
                Event::GeneralRef(reference) => {
                    let name: &str = &reference;
                    let character = match name {
                        "amp" => Some('&'),
                        "lt" => Some('<'),
                        "gt" => Some('>'),
                        "quot" => Some('"'),
                        "apos" => Some('\''),
                        _ => reference.resolve_char_ref().ok().flatten(),
                    };
                    match character {
                        Some(character) => Inside::Character(character),
                        None => {
                            let name = printable(name, SHOWN);
                            return self.broken(format!(
                                "the entity &{name}; is none of XML's own, and no other is looked up"
                            ));
                        }
                    }
                }
                Event::DocType(_) => {
                    return self.broken(
                        "a document type has no place in what Export-Clixml writes, and is not read",
                    );
                }
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) => continue,
                Event::Eof => return Ok(None),
            }));
        }
    }

    /// The next thing in an element, which the end of the file is not.
    fn inside(&mut self) -> Result<Inside<'t>, Broken> {
        match self.next()? {
            Some(inside) => Ok(inside),
            None => self.broken(CUT_SHORT),
        }
    }

    /// The next element in one that has no text of its own.
    fn element(&mut self) -> Result<Option<BytesStart<'t>>, Broken> {
        loop {
            match self.inside()? {
                Inside::Element(element) => return Ok(Some(element)),
                Inside::End => return Ok(None),
                Inside::Text(text) if text.trim().is_empty() => {}
                Inside::Text(_) | Inside::Character(_) => {
                    return self.broken("text where an element should be");
                }
            }
        }
    }

    fn document(&mut self) -> Result<(), Broken> {
        let mut seen = false;
        loop {
            match self.next()? {
                None if seen => return Ok(()),
                None => return self.broken(CUT_SHORT),
                Some(Inside::Text(text)) if text.trim().is_empty() => {}
                Some(Inside::Element(root)) if !seen && root.local_name().into_inner() == "Objs" => {
                    seen = true;
                    while let Some(element) = self.element()? {
                        self.connectors(&element, 1)?;
                    }
                }
                Some(Inside::Element(root)) => {
                    let name = printable(root.name().into_inner(), SHOWN);
                    return self.broken(format!(
                        "<{name}> is no beginning of what Export-Clixml writes, which is <Objs>"
                    ));
                }
                Some(Inside::Text(_) | Inside::Character(_) | Inside::End) => {
                    return self.broken("text outside of the document");
                }
            }
        }
    }

    /// An object at the top: a connector, or a list of them.
    fn connectors(&mut self, element: &BytesStart<'t>, depth: usize) -> Result<(), Broken> {
        let place = self.place();
        if element.local_name().into_inner() != "Obj" {
            return self.broken(
                "a connector is an <Obj>; export what Get-OutboundConnector gives, and nothing of it",
            );
        }
        self.deeper(depth)?;
        let mut record = Record::new(place);
        let mut is_list = false;
        while let Some(child) = self.element()? {
            match child.local_name().into_inner() {
                "Props" | "MS" => self.properties(&mut record, depth)?,
                "LST" | "IE" => {
                    is_list = true;
                    while let Some(element) = self.element()? {
                        self.connectors(&element, depth + 2)?;
                    }
                }
                _ => self.skip()?,
            }
        }
        if is_list && record.has_properties() {
            return Err(Broken::new(place, "this is a list, and has the properties of a connector too"));
        }
        if !is_list {
            self.budget.connector(place)?;
            self.records.push(record);
        }
        Ok(())
    }

    fn properties(&mut self, record: &mut Record, depth: usize) -> Result<(), Broken> {
        while let Some(element) = self.element()? {
            let place = self.place();
            let Some(name) = self.attribute(&element, "N")? else {
                return self.broken("a property without its name, the attribute N");
            };
            // One that is not kept may be what a `Ref` stands for.
            let value = self.value(&element, depth + 2)?;
            if is_kept(&name) {
                record.add(Field { name, place, value });
            }
        }
        Ok(())
    }

    fn value(&mut self, element: &BytesStart<'t>, depth: usize) -> Result<Value, Broken> {
        let place = self.place();
        self.deeper(depth)?;
        let value = match element.local_name().into_inner() {
            "Nil" => self.skip().map(|()| Value::Null)?,
            "S" => Value::Text(unescaped(&self.text()?)),
            "B" => match self.text()?.trim() {
                "true" => Value::Bool(true),
                "false" => Value::Bool(false),
                _ => return self.broken("neither true nor false"),
            },
            "I32" | "I64" | "I16" | "SB" | "By" | "U16" | "U32" | "U64" | "Sg" | "Db" | "D" => {
                Value::Number(printable(self.text()?.trim(), SHOWN))
            }
            "G" | "URI" | "Version" | "DT" | "TS" | "C" | "XD" | "SBK" => Value::Text(self.text()?),
            "Obj" => return self.object(element, depth),
            "Ref" => {
                let id = self.attribute(element, "RefId")?;
                self.skip()?;
                match id.and_then(|id| self.known.get(&id)).cloned() {
                    Some(value) => value,
                    None => return self.broken("this refers to an object that was not there before"),
                }
            }
            _ => self.skip().map(|()| Value::Object)?,
        };
        spend(self.budget, &value, place)?;
        Ok(value)
    }

    fn object(&mut self, element: &BytesStart<'t>, depth: usize) -> Result<Value, Broken> {
        let place = self.place();
        let id = self.attribute(element, "RefId")?;
        let mut parts = Parts::default();
        while let Some(child) = self.element()? {
            match child.local_name().into_inner() {
                "ToString" => parts.text = Some(unescaped(&self.text()?)),
                "LST" | "IE" | "QUE" | "STK" => {
                    let list = parts.list.get_or_insert_default();
                    let mut elements = Vec::new();
                    while let Some(element) = self.element()? {
                        elements.push(self.value(&element, depth + 2)?);
                    }
                    list.append(&mut elements);
                }
                "I32" | "I64" | "U32" | "U64" | "By" | "SB" | "I16" | "U16" => {
                    parts.number = Some(printable(self.text()?.trim(), SHOWN));
                }
                _ => self.skip()?,
            }
        }
        let value = match parts {
            Parts { list: Some(list), .. } => Value::List(list),
            Parts { text: Some(text), .. } => Value::Text(text),
            Parts { number: Some(number), .. } => Value::Number(number),
            Parts { .. } => Value::Object,
        };
        spend(self.budget, &value, place)?;
        if let Some(id) = id {
            spend(self.budget, &value, place)?;
            self.known.insert(id, value.clone());
        }
        Ok(value)
    }

    fn deeper(&mut self, depth: usize) -> Result<(), Broken> {
        if depth > MAX_DEPTH { self.broken("elements lie too deep in one another") } else { Ok(()) }
    }

    /// The text of an element that has nothing else.
    fn text(&mut self) -> Result<String, Broken> {
        let mut whole = String::new();
        loop {
            match self.inside()? {
                Inside::Text(text) => whole.push_str(&text),
                Inside::Character(c) => whole.push(c),
                Inside::End => return Ok(whole),
                Inside::Element(_) => return self.broken("an element where text should be"),
            }
        }
    }

    /// The rest of an element, whatever it is.
    fn skip(&mut self) -> Result<(), Broken> {
        let mut depth = 1_usize;
        while depth > 0 {
            match self.inside()? {
                Inside::Element(_) => depth += 1,
                Inside::End => depth -= 1,
                Inside::Text(_) | Inside::Character(_) => {}
            }
        }
        Ok(())
    }

    fn attribute(&mut self, element: &BytesStart<'t>, name: &str) -> Result<Option<String>, Broken> {
        let mut found = None;
        for (number, attribute) in element.attributes().enumerate() {
            // Each is compared with those before it, which costs the square of their number.
            if number >= MAX_ATTRIBUTES {
                return self.broken("an element with more attributes than PowerShell writes");
            }
            let Ok(attribute) = attribute else {
                return self.broken("this is no XML: an attribute without its value, or twice");
            };
            if attribute.key.into_inner() == name {
                found = match quick_xml::escape::unescape(&attribute.value) {
                    Ok(value) => Some(unescaped(&value)),
                    Err(_) => {
                        return self.broken("this is no XML: an entity in an attribute is none of XML's own");
                    }
                };
            }
        }
        Ok(found)
    }
}

fn offset(position: u64) -> usize {
    usize::try_from(position).unwrap_or(usize::MAX)
}

/// Counts a value with all that is in it.
fn spend(budget: &mut Budget, value: &Value, place: Place) -> Result<(), Broken> {
    match value {
        Value::Null | Value::Bool(_) | Value::Object => budget.value(0, place),
        Value::Number(text) | Value::Text(text) => budget.value(text.len(), place),
        Value::List(values) => {
            budget.value(0, place)?;
            values.iter().try_for_each(|value| spend(budget, value, place))
        }
    }
}

#[cfg(test)]
#[path = "clixml_tests.rs"]
mod tests;
