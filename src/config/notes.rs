//! What people write for people: `comment`, `contact`, `owner`, `agreement`, `review_by`, `x-..`.

use toml::de::DeValue;

use super::reading::Reading;
use super::source::Source;
use super::table::{Table, kind};
use crate::model::Notes;

/// The notes of a connector. `review_by` and the keys `x-..` may be dates or numbers; they are
/// kept as they are written.
pub(super) fn read(reading: &mut Reading, table: &Table<'_>, source: &Source) -> Notes {
    let mut text = |key| table.find(key).and_then(|item| item.text(reading)).map(|text| text.text.to_owned());
    let mut notes = Notes { comment: text("comment"), contact: text("contact"), others: Vec::new() };
    for key in ["owner", "agreement"] {
        if let Some(value) = text(key) {
            notes.others.push((key.to_owned(), value));
        }
    }
    for (key, place, value) in table.entries() {
        if key != "review_by" && !key.starts_with("x-") {
            continue;
        }
        match value.get_ref() {
            DeValue::String(text) => notes.others.push((key.to_owned(), text.clone().into_owned())),
            DeValue::Datetime(date) => notes.others.push((key.to_owned(), date.to_string())),
            DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) if key != "review_by" => {
                let written = source.text.get(value.span()).unwrap_or_default();
                notes.others.push((key.to_owned(), written.to_owned()));
            }
            other @ (DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Array(_)
            | DeValue::Table(_)) => {
                let help =
                    if key == "review_by" { "write a date, such as 2027-01-31" } else { "write a text" };
                reading.problem(place, format!("`{key}` cannot be {}", kind(other)), help);
            }
        }
    }
    notes
}
