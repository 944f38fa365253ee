//! Expectations as tables that people can read, and all differences at once.

use std::collections::BTreeMap;

/// A cell: row and column.
pub type Cell = (String, String);

/// Reads a table: the first line names the columns, the first word of each other line the row.
pub fn expected(table: &str) -> BTreeMap<Cell, String> {
    let mut lines = table.lines().map(str::split_whitespace).filter(|line| line.clone().next().is_some());
    let columns: Vec<&str> = lines.next().expect("a line with the columns").collect();
    let mut cells = BTreeMap::new();
    for mut line in lines {
        let row = line.next().unwrap_or_default();
        let words: Vec<&str> = line.collect();
        assert_eq!(words.len(), columns.len(), "row {row} of the table");
        for (column, word) in columns.iter().zip(words) {
            cells.insert((row.to_owned(), (*column).to_owned()), word.to_owned());
        }
    }
    cells
}

/// What was seen in a cell, and what explains it.
pub struct Seen {
    pub value: String,
    pub note: String,
}

impl Seen {
    pub fn new(value: impl Into<String>, note: impl Into<String>) -> Seen {
        Seen { value: value.into(), note: note.into() }
    }
}

/// # Panics
/// With every cell in which the two differ.
pub fn compare(expected: &BTreeMap<Cell, String>, seen: &BTreeMap<Cell, Seen>) {
    let mut differences = Vec::new();
    for (cell, want) in expected {
        let (value, note) =
            seen.get(cell).map_or(("nothing", ""), |seen| (seen.value.as_str(), seen.note.as_str()));
        if value != want {
            differences.push(format!("{} / {}: expected {want}, saw {value}   {note}", cell.0, cell.1));
        }
    }
    for cell in seen.keys().filter(|cell| !expected.contains_key(*cell)) {
        differences.push(format!("{} / {}: not in the table", cell.0, cell.1));
    }
    assert!(
        differences.is_empty(),
        "{} of {} cells differ\n{}",
        differences.len(),
        expected.len(),
        differences.join("\n")
    );
}
