//! From a contradiction between connectors to the places where they are written.
//!
//! The snapshot knows connectors, keys and names but no files. Nothing is kept for this while all
//! is well: the files are looked through again for what there is to show.

use std::collections::HashMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::Problems;
use super::reading::finding;
use super::source::Place;
use super::{Loaded, patterns};
use crate::model::{NextHop, Pattern};
use crate::snapshot::{Conflict, Direction};

/// Where a connector is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct ConnectorPlace {
    /// The header of its table.
    pub header: Place,
    /// The rank of its list of domains, if that is a file.
    pub list: Option<usize>,
}

/// A list of a connector, with the elements that are looked for and where they stand.
struct Wanted<'c> {
    key: Place,
    elements: HashMap<&'c str, Option<Place>>,
}

impl Loaded {
    /// The conflicts as problems, each at the element, the key or the table that it is about.
    pub fn locate(&self, conflicts: &[Conflict]) -> Problems {
        let trees = self.trees(conflicts);
        let tables: HashMap<(usize, usize), &DeTable<'_>> =
            trees.iter().flat_map(|(rank, tree)| connectors(*rank, tree)).collect();
        let mut wanted: HashMap<(Direction, usize, &str), Wanted<'_>> = HashMap::new();
        for conflict in conflicts {
            let Some(place) = self.connector(conflict) else {
                continue;
            };
            let table = tables.get(&(place.header.source, place.header.start)).copied();
            let entry = wanted.entry((conflict.direction, conflict.connector, conflict.key));
            let list = entry.or_insert_with(|| Wanted {
                key: key_place(table, conflict.key, place),
                elements: HashMap::new(),
            });
            if let Some(text) = &conflict.text {
                list.elements.insert(text, None);
            }
        }
        for ((direction, connector, key), list) in &mut wanted {
            let Some(place) = self.connectors(*direction).get(*connector) else {
                continue;
            };
            let table = tables.get(&(place.header.source, place.header.start)).copied();
            self.find_elements(list, table, key, *place);
        }
        let mut problems = Problems::default();
        for conflict in conflicts {
            if problems.is_full() {
                problems.count();
                continue;
            }
            let place = match wanted.get(&(conflict.direction, conflict.connector, conflict.key)) {
                Some(list) => {
                    let element =
                        conflict.text.as_deref().and_then(|text| list.elements.get(text).copied().flatten());
                    element.unwrap_or(list.key)
                }
                None => Place { source: 0, start: 0, end: 0 },
            };
            problems.add(finding(&self.sources, place, conflict.message.clone(), conflict.help.clone()));
        }
        problems.sort();
        problems
    }

    fn connectors(&self, direction: Direction) -> &[ConnectorPlace] {
        match direction {
            Direction::Outbound => &self.outbound,
            Direction::Inbound => &self.inbound,
        }
    }

    fn connector(&self, conflict: &Conflict) -> Option<ConnectorPlace> {
        self.connectors(conflict.direction).get(conflict.connector).copied()
    }

    /// The files of these connectors, parsed again.
    fn trees(&self, conflicts: &[Conflict]) -> Vec<(usize, Spanned<DeTable<'_>>)> {
        let mut ranks: Vec<usize> =
            conflicts.iter().filter_map(|conflict| Some(self.connector(conflict)?.header.source)).collect();
        ranks.sort_unstable();
        ranks.dedup();
        let parse = |rank: usize| Some((rank, DeTable::parse(&self.sources.get(rank)?.text).ok()?));
        ranks.into_iter().filter_map(parse).collect()
    }

    fn find_elements(
        &self,
        list: &mut Wanted<'_>,
        table: Option<&DeTable<'_>>,
        key: &str,
        place: ConnectorPlace,
    ) {
        let mut offer = |text: &str, place: Place| {
            for spelling in spellings(text) {
                if let Some(found) = list.elements.get_mut(spelling.as_str()) {
                    found.get_or_insert(place);
                }
            }
        };
        if let (Some(rank), "domains") = (place.list, key)
            && let Some(source) = self.sources.get(rank)
        {
            for (at, line) in patterns::lines(&source.text) {
                offer(line, Place::new(rank, at..at + line.len()));
            }
            return;
        }
        let Some((_, value)) = table.and_then(|table| find(table, key)) else {
            return;
        };
        if let DeValue::Array(elements) = value.get_ref() {
            for element in elements {
                if let DeValue::String(text) = element.get_ref() {
                    offer(text, Place::new(place.header.source, element.span()));
                }
            }
        }
    }
}

/// The connectors' tables of a file, by the place of their header.
fn connectors<'t>(
    rank: usize,
    tree: &'t Spanned<DeTable<'t>>,
) -> impl Iterator<Item = ((usize, usize), &'t DeTable<'t>)> {
    ["outbound", "inbound"]
        .into_iter()
        .filter_map(|key| tree.get_ref().get(key)?.get_ref().as_array())
        .flat_map(|elements| elements.iter())
        .filter_map(move |element| Some(((rank, element.span().start), element.get_ref().as_table()?)))
}

/// A key of a connector's table, also one of `identify` or `require`, and its value.
fn find<'t>(table: &'t DeTable<'t>, key: &str) -> Option<(Place, &'t Spanned<DeValue<'t>>)> {
    let (head, rest) = match key.split_once('.') {
        Some((head, rest)) => (head, Some(rest)),
        None => (key, None),
    };
    match (table.get_key_value(head), rest) {
        (Some((name, value)), None) => Some((Place::new(0, name.span()), value)),
        (Some((_, value)), Some(rest)) => find(value.get_ref().as_table()?, rest),
        (None, _) => None,
    }
}

/// The key, or the one that stands for it, or the table's header.
fn key_place(table: Option<&DeTable<'_>>, key: &str, place: ConnectorPlace) -> Place {
    let key = if key == "domains" && place.list.is_some() { "domains_file" } else { key };
    match table.and_then(|table| find(table, key)) {
        Some((found, _)) => Place { source: place.header.source, ..found },
        None => place.header,
    }
}

/// What an element may be called once it is compiled.
fn spellings(text: &str) -> Vec<String> {
    let mut spellings = vec![text.to_owned()];
    if let Ok(pattern) = Pattern::parse(text) {
        spellings.push(pattern.to_string());
        spellings.extend(pattern.entries().map(|entry| entry.to_string()));
    }
    if let Ok(host) = NextHop::parse(text) {
        spellings.extend([host.to_string(), host.host().to_string()]);
    }
    spellings
}
