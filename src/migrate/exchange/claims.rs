//! Connectors that are about the same mail: the configuration takes one of them in each mode.
//!
//! Exchange takes several, and does not say which of them then applies (set-up-connectors-to-route-mail: "can cause errors,
//! and your mail might not be delivered"). The first one stays; the next is off; a third has no place.

use std::collections::HashMap;

use crate::migrate::{Draft, Terms};
use crate::model::{Mode, Pattern};
use crate::snapshot::Direction;

/// What the drafts so far are about, by direction and mode.
#[derive(Debug, Default)]
pub(super) struct Claims {
    owners: HashMap<(&'static str, &'static str, String), String>,
}

impl Claims {
    /// Takes a draft in, off if it has to be. With the name of another connector it has no place.
    pub(super) fn admit(&mut self, draft: &mut Draft) -> Result<(), String> {
        let (direction, entries) = entries(&draft.terms);
        let owner = |claims: &Claims, mode: Mode| {
            entries
                .iter()
                .find_map(|entry| claims.owners.get(&(direction.word(), mode.word(), entry.clone())).cloned())
        };
        if let Some(first) = owner(self, draft.mode) {
            if draft.mode == Mode::Off || owner(self, Mode::Off).is_some() {
                return Err(first);
            }
            draft.mode = Mode::Off;
            draft.notes.push(format!(
                "Off: `{first}` is about the same mail, and Exchange does not say which of the two applies. Choose one."
            ));
        }
        for entry in entries {
            self.owners.insert((direction.word(), draft.mode.word(), entry), draft.name.clone());
        }
        Ok(())
    }
}

/// What the patterns and ranges compile to.
fn entries(terms: &Terms) -> (Direction, Vec<String>) {
    let (direction, domains, ranges) = match terms {
        Terms::Outbound(terms) => (Direction::Outbound, &terms.domains, [].as_slice()),
        Terms::Inbound(terms) => (Direction::Inbound, &terms.domains, terms.addresses.as_slice()),
    };
    let patterns: Vec<Pattern> = domains.iter().filter_map(|domain| Pattern::parse(domain).ok()).collect();
    let entries = patterns.iter().flat_map(Pattern::entries).map(|entry| entry.to_string());
    (direction, entries.chain(ranges.iter().cloned()).collect())
}
