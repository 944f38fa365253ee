//! The entries of tables, each with its place, and what is not known of them.
//!
//! A value that cannot be read is kept with its key: what has it stays in the table, and no connector may be about it.

use std::sync::Arc;

use super::text::{self, Fault, Hidden};
use crate::migrate::Refused;

/// Where something stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spot {
    /// The file or table.
    pub file: Arc<str>,
    /// Its line, if it has lines.
    pub line: Option<usize>,
}

/// A key and its value, as written.
#[derive(Clone, Debug)]
pub struct Written {
    /// Where.
    pub spot: Spot,
    /// The key.
    pub key: String,
    /// The value, or why it is not known.
    pub value: Result<String, String>,
}

/// The entries of one or more tables.
#[derive(Debug)]
pub struct Table {
    /// In their order.
    pub written: Vec<Written>,
    /// What is no entry, and hides none.
    pub refused: Vec<Refused>,
    /// Whether there is no other entry.
    pub is_whole: bool,
}

impl Table {
    /// Entries of which the value is not known.
    pub fn unread(&self) -> impl Iterator<Item = Refused> {
        self.written.iter().filter_map(|Written { spot, key, value }| {
            Some(refused(spot, key, value.as_ref().err()?.clone()))
        })
    }
}

/// A table in text form. Where some of its entries cannot even be counted nothing is taken from it: a connector for all
/// below a domain leaves out what has another policy, and has to know of it.
pub fn lines(file: &str, text: &[u8]) -> Table {
    let shared: Arc<str> = file.into();
    let mut table = Table { written: Vec::new(), refused: Vec::new(), is_whole: true };
    for entry in text::entries(text) {
        match entry {
            Ok(text::Entry { line, key, value }) => table.written.push(Written {
                spot: Spot { file: shared.clone(), line: Some(line) },
                key: key.into_owned(),
                value: Ok(value.into_owned()),
            }),
            Err(Fault { line, why, hides }) => {
                let spot = Spot { file: shared.clone(), line: Some(line) };
                match hides {
                    Hidden::Value(key) => table.written.push(Written { spot, key, value: Err(why) }),
                    Hidden::Nothing => table.refused.push(refused(&spot, "", why)),
                    Hidden::Entries => {
                        table.refused.push(refused(&spot, "", why));
                        table.is_whole = false;
                    }
                }
            }
        }
    }
    if !table.is_whole {
        table.written.clear();
    }
    table
}

pub(super) fn refused(spot: &Spot, subject: &str, reason: String) -> Refused {
    Refused { file: spot.file.to_string(), line: spot.line, subject: subject.to_owned(), reason }
}

/// A place in words.
pub fn told(spot: &Spot) -> String {
    match spot.line {
        Some(line) => format!("line {line} of {}", spot.file),
        None => spot.file.to_string(),
    }
}
