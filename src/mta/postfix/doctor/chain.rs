//! Tables in a row, as Postfix asks them for one key after the other (maps.c:maps_find): the first that has an entry
//! answers, and one that fails ends the search, and the mail waits.
//!
//! Tables that can be listed are read whole. Of the others it is known what they say of the keys that they were asked
//! for, and nothing else. The daemon's table is not asked here: what it says is a matter of the connectors.

use std::collections::{BTreeSet, HashMap};

use super::Patient;
use crate::mta::postfix::postmap::{Answers, can_be_listed, is_asked_with_whole_keys};
use crate::mta::postfix::settings::tables;

/// The tables of a setting.
pub(super) struct Chain<'p> {
    tables: Vec<Table<'p>>,
}

struct Table<'p> {
    name: &'p str,
    content: Content,
}

enum Content {
    Ours,
    Listed(HashMap<String, String>),
    /// What it was asked for and has.
    Asked(Answers),
    /// Why nothing is known of it.
    Closed(String),
}

/// A key, and whether it is a part of another one, such as the domain of an address. Some tables are not asked for parts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) text: String,
    pub(super) is_part: bool,
}

impl Key {
    pub(super) fn whole(text: impl Into<String>) -> Key {
        Key { text: text.into(), is_part: false }
    }

    pub(super) fn part(text: impl Into<String>) -> Key {
        Key { text: text.into(), is_part: true }
    }
}

/// What is found for a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found<'c> {
    /// The daemon has the answer.
    Ours,
    /// Another table has.
    Value {
        table: &'c str,
        value: &'c str,
    },
    /// It is not known what this table has, and why.
    Unknown {
        table: &'c str,
        reason: &'c str,
    },
    /// There was no time to ask a table for this key.
    Unseen,
    Nothing,
}

impl<'p> Chain<'p> {
    /// Opens the tables of a list; `map` is the daemon's.
    pub(super) fn open(patient: &Patient<'_>, list: &'p str, map: &str) -> Chain<'p> {
        let open = |name: &'p str| {
            let content = if patient.is_ours(name, map) {
                Content::Ours
            } else if can_be_listed(bare(name)) {
                let listed = patient.tables.list(bare(name));
                let folded = |entries: HashMap<String, String>| {
                    entries.into_iter().map(|(key, value)| (key.to_lowercase(), value)).collect()
                };
                listed.map_or_else(Content::Closed, |entries| Content::Listed(folded(entries)))
            } else {
                Content::Asked(Answers::default())
            };
            Table { name, content }
        };
        Chain { tables: tables(list).into_iter().map(open).collect() }
    }

    /// The keys of all tables that could be listed, in an order that is the same tomorrow.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        let listed = self.tables.iter().filter_map(|table| match &table.content {
            Content::Listed(entries) => Some(entries.keys().map(String::as_str)),
            Content::Ours | Content::Asked(_) | Content::Closed(_) => None,
        });
        listed.flatten().collect::<BTreeSet<_>>().into_iter()
    }

    /// Asks the others.
    pub(super) fn ask(&mut self, patient: &Patient<'_>, keys: impl Fn() -> Vec<Key>) {
        for table in &mut self.tables {
            let Content::Asked(_) = table.content else { continue };
            let takes_parts = !is_asked_with_whole_keys(table.name);
            let keys = keys().into_iter().filter(|key| takes_parts || !key.is_part);
            let mut keys: Vec<String> = keys.map(|key| key.text).collect();
            keys.sort_unstable();
            keys.dedup();
            table.content = match patient.tables.ask(bare(table.name), &keys) {
                Ok(answers) => Content::Asked(answers),
                Err(reason) => Content::Closed(reason),
            };
        }
    }

    /// What is found for a key, where `has_ours` says whether the daemon has an answer.
    pub(super) fn find(&self, key: &Key, has_ours: bool) -> Found<'_> {
        let folded = key.text.to_lowercase();
        for table in &self.tables {
            let value = match &table.content {
                Content::Ours if has_ours => return Found::Ours,
                Content::Ours => None,
                Content::Closed(reason) => return Found::Unknown { table: table.name, reason },
                Content::Listed(entries) => entries.get(&folded),
                Content::Asked(_) if key.is_part && is_asked_with_whole_keys(table.name) => None,
                Content::Asked(answers) if answers.unasked.contains(&key.text) => return Found::Unseen,
                Content::Asked(answers) => answers.found.get(&key.text),
            };
            if let Some(value) = value {
                return Found::Value { table: table.name, value };
            }
        }
        Found::Nothing
    }

    /// The tables before the daemon's; all, if it is not among them.
    pub(super) fn before_ours(&self) -> impl Iterator<Item = &'p str> {
        let before = self.tables.iter().take_while(|table| !matches!(table.content, Content::Ours));
        before.map(|table| table.name)
    }

    /// Whether the daemon is among them.
    pub(super) fn has_ours(&self) -> bool {
        self.tables.iter().any(|table| matches!(table.content, Content::Ours))
    }

    /// Whether all that the tables before the daemon's say is known.
    pub(super) fn is_listed(&self) -> bool {
        let mut before = self.tables.iter().take_while(|table| !matches!(table.content, Content::Ours));
        before.all(|table| matches!(table.content, Content::Listed(_)))
    }
}

/// A table without proxymap(8), which lists nothing, and is not there while Postfix does not run.
fn bare(table: &str) -> &str {
    table.strip_prefix("proxy:").unwrap_or(table)
}
