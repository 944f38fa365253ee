//! Names of connectors, and how connectors refer to each other by them.
//!
//! `overrides` is the one way to be weaker than a wider connector, so what it names must exist:
//! a name that means nobody is a slip of the finger, or a connector that somebody renamed.

use std::collections::HashMap;

use super::problem::{MAX_PRINTED, shown};
use super::reading::Reading;
use super::source::Place;
use super::suggestion::nearest;
use super::table::Table;
use crate::model::ConnectorName;
use crate::model::name::{MAIN_CF, MAX_LENGTH};
use crate::snapshot::Direction;

/// Connectors among which a name is looked for that may have been meant.
const MAX_COMPARED: usize = 10_000;

/// What the other connectors need to know of one.
pub(super) struct Mention {
    /// Its direction.
    pub direction: Direction,
    /// The header of its table.
    pub header: Place,
    /// Its name, if it has a valid one, and where that stands.
    pub name: Option<(ConnectorName, Place)>,
    /// The names in `overrides`.
    pub overrides: Vec<(String, Place)>,
    /// The rank of its list of domains, if that is a file.
    pub list: Option<usize>,
}

/// Reads `name` and `overrides`.
pub(super) fn mention(
    reading: &mut Reading,
    table: &Table<'_>,
    direction: Direction,
) -> (Mention, Option<ConnectorName>) {
    let item = table.demand(reading, "name", "give the connector a name; log and replies show it");
    let mut name = None;
    if let Some(text) = item.and_then(|item| item.text(reading)) {
        match ConnectorName::parse(text.text) {
            Ok(valid) => name = Some((valid, text.place)),
            Err(error) => {
                let help = format!(
                    "a name has at most {MAX_LENGTH} letters, digits, spaces and . _ - + @ ( ) & /, and begins with a letter or digit"
                );
                reading.problem(text.place, error.to_string(), help);
            }
        }
    }
    let overrides = table.find("overrides").map_or_else(Vec::new, |item| item.texts(reading));
    let overrides = overrides.into_iter().map(|text| (text.text.to_owned(), text.place)).collect();
    let only_name = name.as_ref().map(|(name, _)| name.clone());
    (Mention { direction, header: table.header, name, overrides, list: None }, only_name)
}

/// Tells of names used twice, and of `overrides` that mean nobody or run in a circle.
pub(super) fn check(reading: &mut Reading, mentions: &[Mention]) {
    let mut known: HashMap<&str, &Mention> = HashMap::with_capacity(mentions.len());
    for mention in mentions {
        let Some((name, place)) = &mention.name else {
            continue;
        };
        match known.get(name.as_str()) {
            None => {
                known.insert(name.as_str(), mention);
            }
            Some(first) => {
                let other = first.name.as_ref().map_or(first.header, |(_, place)| *place);
                let there = reading.sources.get(other.source).map_or_else(String::new, |source| {
                    format!("{}:{}", source.name, source.position(other.start).0)
                });
                let message =
                    format!("the name {} is that of the connector at {there}", shown(name.as_str()));
                reading.problem(*place, message, "names are unique over both directions; choose another one");
            }
        }
    }
    for mention in mentions {
        for (name, place) in &mention.overrides {
            overridden(reading, &known, mention, name, *place);
        }
    }
}

fn overridden(
    reading: &mut Reading,
    known: &HashMap<&str, &Mention>,
    mention: &Mention,
    name: &str,
    place: Place,
) {
    let own = mention.name.as_ref().map(|(name, _)| name.as_str());
    if own == Some(name) {
        reading.problem(
            place,
            "a connector cannot override itself",
            "name the wider connector that this one may be weaker than",
        );
        return;
    }
    if name == MAIN_CF {
        if mention.direction == Direction::Inbound {
            let help = "only outbound connectors override it; inbound ones add to what main.cf demands";
            reading.problem(place, format!("`{MAIN_CF}` has no meaning in an inbound connector"), help);
        }
        return;
    }
    let same = |other: &Mention| other.direction == mention.direction;
    match known.get(name) {
        Some(other) if same(other) => {
            if own.is_some_and(|own| reaches(known, name, own)) {
                let message = format!(
                    "`overrides` run in a circle: {} overrides this connector, directly or by others",
                    shown(name)
                );
                reading.problem(place, message, "only one of two connectors can be the wider one");
            }
        }
        Some(other) => {
            let message = format!(
                "{} is an {} connector; this one is {}",
                shown(name),
                other.direction,
                mention.direction
            );
            reading.problem(place, message, "name a connector of the same direction");
        }
        None => {
            // Each costs a comparison with every name, and a renamed connector that many others
            // override is missed by all of them.
            let affordable = known.len() <= MAX_COMPARED && reading.problems.len() < MAX_PRINTED;
            let others = || {
                let mut names: Vec<&str> = known
                    .iter()
                    .filter(|(candidate, other)| same(other) && Some(**candidate) != own)
                    .map(|(&candidate, _)| candidate)
                    .collect();
                names.sort_unstable();
                names
            };
            let help = match affordable.then(|| nearest(name, others())).flatten() {
                Some(meant) => format!("did you mean {}?", shown(meant)),
                None => "write the name of another connector as it stands there".to_owned(),
            };
            reading.problem(
                place,
                format!("no {} connector has the name {}", mention.direction, shown(name)),
                help,
            );
        }
    }
}

/// Whether following `overrides` from a name leads to another.
fn reaches(known: &HashMap<&str, &Mention>, from: &str, to: &str) -> bool {
    let mut seen = std::collections::HashSet::new();
    let mut next = vec![from];
    while let Some(name) = next.pop() {
        if name == to {
            return true;
        }
        let Some(mention) = known.get(name).filter(|_| seen.insert(name.to_owned())) else {
            continue;
        };
        next.extend(
            mention
                .overrides
                .iter()
                .filter_map(|(name, _)| known.get_key_value(name.as_str()).map(|(&name, _)| name)),
        );
    }
    false
}
