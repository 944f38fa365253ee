//! A draft in the making: what was decided on the way, and whether it is off.

use super::properties::{Properties, Refusal};
use crate::migrate::{Draft, People, Terms};
use crate::model::Mode;

/// Characters of a comment that are kept. Exchange has fewer; more of them come from nobody's hand.
const COMMENT: usize = 1000;

/// Notes of one connector.
#[derive(Debug, Default)]
pub(super) struct Making {
    notes: Vec<String>,
    is_off: bool,
}

impl Making {
    /// Says something above the connector.
    pub(super) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// Imports it with `mode = "off"`, for this reason.
    pub(super) fn off(&mut self, reason: impl Into<String>) {
        self.is_off = true;
        self.notes.push(format!("Off: {}", reason.into()));
    }

    pub(super) fn is_off(&self) -> bool {
        self.is_off
    }

    /// What every kind of connector has: whether it is on, and what it is for.
    pub(super) fn begin(of: Properties<'_>) -> Result<(Making, People), Refusal> {
        if let Some(field) = of.record.doubled() {
            let reason = format!(
                "`{}` is there twice, and nobody knows which one counts",
                crate::protocol::escape::printable(&field.name, 40)
            );
            return Err(Refusal { place: field.place, reason });
        }
        let mut making = Making::default();
        if !of.flag_there("Enabled")? {
            making.off("Exchange has it disabled.");
        }
        let comment = of.words("Comment")?.map(|comment| {
            if comment.chars().count() > COMMENT {
                making.note(format!("The comment was longer; these are its first {COMMENT} characters."));
            }
            comment.chars().take(COMMENT).collect()
        });
        Ok((making, People { comment, ..People::default() }))
    }

    /// The draft; its name is still the one of Exchange.
    pub(super) fn draft(self, of: Properties<'_>, terms: Terms, people: People) -> Result<Draft, Refusal> {
        let name = of.words("Name")?.unwrap_or_default().to_owned();
        let mode = if self.is_off { Mode::Off } else { Mode::Report };
        Ok(Draft { name, mode, notes: self.notes, terms, people })
    }
}
