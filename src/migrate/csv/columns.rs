//! Which column of a list is what.

use super::rows::Row;

/// What a column is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    Domain,
    Level,
    Names,
    Contact,
    Name,
    Comment,
    Owner,
    Agreement,
}

/// Each with its titles.
const TITLES: [(Column, &[&str]); 8] = [
    (Column::Domain, &["domain", "domains"]),
    (Column::Level, &["level", "tls", "tls level"]),
    (Column::Names, &["names", "match", "certificate names"]),
    (Column::Contact, &["contact"]),
    (Column::Name, &["name", "connector"]),
    (Column::Comment, &["comment"]),
    (Column::Owner, &["owner"]),
    (Column::Agreement, &["agreement"]),
];

/// The columns of a list.
pub(super) struct Columns {
    known: Vec<(Column, usize)>,
    /// Titles that mean nothing here.
    pub unknown: Vec<String>,
    /// How many there are.
    pub count: usize,
}

impl Columns {
    /// Reads the first row.
    pub(super) fn of(titles: &Row) -> Result<Columns, (Option<usize>, String)> {
        let fault = |why: String| Err((Some(titles.line), why));
        let mut columns = Columns { known: Vec::new(), unknown: Vec::new(), count: titles.fields.len() };
        for (number, title) in titles.fields.iter().enumerate() {
            let title = title.trim();
            let lower = title.to_lowercase();
            let known = TITLES.iter().find(|(_, titles)| titles.contains(&lower.as_str()));
            match known {
                Some(&(column, _)) if columns.at(column).is_some() => {
                    return fault(format!("the column {title} is there twice"));
                }
                Some(&(column, _)) => columns.known.push((column, number)),
                // A column without a title is what a spreadsheet makes of a stray cell.
                None if title.is_empty() => {}
                None => columns.unknown.push(title.to_owned()),
            }
        }
        for (column, title) in [(Column::Domain, "domain"), (Column::Level, "level")] {
            if columns.at(column).is_none() {
                return fault(format!("no column `{title}`: the first row has the titles of the columns"));
            }
        }
        Ok(columns)
    }

    fn at(&self, column: Column) -> Option<usize> {
        self.known.iter().find(|(known, _)| *known == column).map(|&(_, number)| number)
    }

    /// The field of a row, without the space around it; empty where there is none.
    pub(super) fn field<'r>(&self, row: &'r Row, column: Column) -> &'r str {
        self.at(column).and_then(|number| row.fields.get(number)).map_or("", |field| field.trim())
    }
}
