//! Which column of a list is what.

use super::rows::Row;
use crate::config::value;

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
                None if demands(&lower) => {
                    return fault(format!(
                        "{title}: a connector can say that, and an import of a list cannot: without it the connectors would \
                         demand something else than the list; take the column out and write it by hand"
                    ));
                }
                None => columns.unknown.push(title.to_owned()),
            }
        }
        for (column, title) in [(Column::Domain, "domain"), (Column::Level, "level")] {
            if columns.at(column).is_none() {
                return fault(format!(
                    "no column `{title}`: the first row has the titles of the columns, which are domain, level, names, \
                     contact, name, comment, owner and agreement"
                ));
            }
        }
        Ok(columns)
    }

    fn at(&self, column: Column) -> Option<usize> {
        self.known.iter().find(|(known, _)| *known == column).map(|&(_, number)| number)
    }

    /// Whether a row ends before a column that there is.
    pub(super) fn is_beyond(&self, row: &Row, column: Column) -> bool {
        self.at(column).is_some_and(|number| number >= row.fields.len())
    }

    /// The field of a row, without the space around it; empty where there is none.
    pub(super) fn field<'r>(&self, row: &'r Row, column: Column) -> &'r str {
        self.at(column).and_then(|number| row.fields.get(number)).map_or("", |field| field.trim())
    }
}

/// Whether a title is that of a key, or of something that is one in other words: what stands below it may be a demand.
fn demands(title: &str) -> bool {
    const ALSO: [&str; 12] = [
        "tls_version",
        "version",
        "cipher",
        "fingerprint",
        "pin",
        "pins",
        "digest",
        "certificate",
        "ca",
        "sni",
        "port",
        "smart_host",
    ];
    let key: String = title.chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect();
    value::is_outbound(&key) || value::is_outbound(&format!("{key}s")) || ALSO.contains(&key.as_str())
}
