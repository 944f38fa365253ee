//! Connectors of a list that is kept in a spreadsheet.
//!
//! A row is a domain, and the first row says which column is what: `domain` and `level` have to be there; `names`,
//! `contact`, `name`, `comment`, `owner` and `agreement` may be. It is read as spreadsheets write it: separated by commas,
//! semicolons or tabs, UTF-8 with or without a byte order mark, fields in double quotes (RFC 4180), lines that end with CRLF
//! or LF. Rows that demand the same and name the same people are one connector.
//!
//! A row that demands something else than was meant is worse than none: what cannot be read as written is refused, and so
//! is the last row where it may have been cut short. Of two rows that differ about one domain neither counts. A wider row
//! counts for what is refused below it, and says so: left out of it too, it would have what the MTA does without us. A
//! column that nobody knows is told, and one that may demand something refuses the list.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::config::value;
use crate::migrate::{Draft, Names, OutboundTerms, People, Refused, Terms, Unique};
use crate::model::{Domain, Level, Mode, Pattern};

mod columns;
mod rows;

use columns::{Column, Columns};
use rows::Row;

/// What came of a list.
#[derive(Debug, Default)]
pub struct Import {
    /// The connectors.
    pub drafts: Vec<Draft>,
    /// Rows that are none.
    pub refused: Vec<Refused>,
    /// Titles of columns that mean nothing here.
    pub unknown: Vec<String>,
    /// Rows with a domain.
    pub rows: usize,
}

/// What the rows of one connector have in common.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Shared {
    name: String,
    level: Level,
    names: Vec<String>,
    people: [String; 4],
}

/// A connector, and its domains with their lines.
struct Group {
    shared: Shared,
    domains: Vec<Pattern>,
}

/// The row that a domain is in.
#[derive(Clone)]
struct First {
    line: usize,
    pattern: Pattern,
    group: usize,
}

/// Reads a list. `file` is its name.
pub fn outbound(file: &str, text: &[u8], mode: Mode, unique: &mut Unique) -> Import {
    let mut import = Import::default();
    let refused = |line, subject: &str, reason: String| Refused {
        file: file.to_owned(),
        line,
        subject: subject.to_owned(),
        reason,
    };
    let mut rows = match rows::of(text) {
        Ok(rows) => rows,
        Err(why) => {
            import.refused.push(refused(why.line, "", why.why));
            return import;
        }
    };
    let columns = match rows.next() {
        Some(Ok(titles)) => Columns::of(&titles),
        Some(Err(why)) => Err((why.line, why.why)),
        None => Err((None, "there is no row in it".to_owned())),
    };
    let columns = match columns {
        Ok(columns) => columns,
        Err((line, why)) => {
            import.refused.push(refused(line, "", why));
            return import;
        }
    };
    import.unknown.clone_from(&columns.unknown);
    let mut groups: Vec<Group> = Vec::new();
    let mut by_shared: HashMap<Shared, usize> = HashMap::new();
    let mut known: HashMap<String, First> = HashMap::new();
    let mut dropped: HashSet<Pattern> = HashSet::new();
    // What rows differ about; one that comes later and agrees with one of them does not settle it.
    let mut disputed: HashSet<String> = HashSet::new();
    let mut left: Vec<Pattern> = Vec::new();
    for row in rows {
        let row = match row {
            Ok(row) => row,
            Err(why) => {
                import.refused.push(refused(why.line, "", why.why));
                continue;
            }
        };
        if row.fields.iter().all(|field| field.trim().is_empty()) {
            continue;
        }
        import.rows += 1;
        match read(&row, &columns) {
            Ok((pattern, shared)) => {
                let entries: Vec<String> = pattern.entries().map(|entry| entry.to_string()).collect();
                let number = *by_shared.entry(shared).or_insert_with_key(|shared| {
                    groups.push(Group { shared: shared.clone(), domains: Vec::new() });
                    groups.len() - 1
                });
                let before: Vec<First> =
                    entries.iter().filter_map(|entry| known.get(entry)).cloned().collect();
                if before.iter().any(|first| first.group != number)
                    || entries.iter().any(|entry| disputed.contains(entry))
                {
                    let why = |line| {
                        format!("line {line} says something else of the same domain: neither is imported")
                    };
                    disputed.extend(entries.iter().cloned());
                    for First { line, pattern, .. } in &before {
                        disputed.extend(pattern.entries().map(|entry| entry.to_string()));
                        if dropped.insert(pattern.clone()) {
                            left.push(pattern.clone());
                            import.refused.push(refused(Some(*line), &pattern.to_string(), why(row.line)));
                        }
                    }
                    let line = before.first().map_or(row.line, |first| first.line);
                    import.refused.push(refused(Some(row.line), &pattern.to_string(), why(line)));
                    left.push(pattern.clone());
                    dropped.insert(pattern.clone());
                } else if before.len() == entries.len() {
                    // It says what has been said.
                    continue;
                } else {
                    dropped.extend(before.into_iter().map(|first| first.pattern));
                }
                for entry in entries {
                    known.insert(entry, First { line: row.line, pattern: pattern.clone(), group: number });
                }
                if let Some(group) = groups.get_mut(number) {
                    group.domains.push(pattern);
                }
            }
            Err(why) => {
                let subject = columns.field(&row, Column::Domain);
                left.extend(value::domain(subject));
                import.refused.push(refused(Some(row.line), subject, why));
            }
        }
    }
    for group in &mut groups {
        group.domains.retain(|pattern| !dropped.contains(pattern));
    }
    groups.retain(|group| !group.domains.is_empty());
    import.drafts = groups.iter().map(|group| draft(group, mode, unique)).collect();
    for (draft, names) in import.drafts.iter_mut().zip(covered(&groups, &left)) {
        if let Some(first) = names.first() {
            let more = names.len() - 1;
            let others = if more == 0 { String::new() } else { format!(" and {more} more") };
            draft.notes.push(format!(
                "It is about {first}{others} too, of which the list says something that could not be imported: see whether \
                 more was meant, and write that by hand"
            ));
        }
    }
    import
}

/// Of what could not be imported, the names that each group is about all the same.
fn covered(groups: &[Group], left: &[Pattern]) -> Vec<BTreeSet<String>> {
    let mut wide: HashMap<String, usize> = HashMap::new();
    for (number, group) in groups.iter().enumerate() {
        for entry in group.domains.iter().flat_map(Pattern::entries).map(|entry| entry.to_string()) {
            wide.entry(entry).or_insert(number);
        }
    }
    let mut covered = vec![BTreeSet::new(); groups.len()];
    for name in left.iter().filter_map(Pattern::domain).map(Domain::as_str) {
        let above = name.match_indices('.').filter_map(|(at, _)| name.get(at..));
        let nearest = above.chain(["*"]).find_map(|entry| wide.get(entry));
        if let Some(names) = nearest.and_then(|&number| covered.get_mut(number)) {
            names.insert(name.to_owned());
        }
    }
    covered
}

fn read(row: &Row, columns: &Columns) -> Result<(Pattern, Shared), String> {
    if row.fields.len() > columns.count {
        return Err(format!("{} fields, and the first row has {}", row.fields.len(), columns.count));
    }
    let field = |column| columns.field(row, column);
    let domain = field(Column::Domain);
    if domain.is_empty() {
        return Err("no domain".to_owned());
    }
    let pattern = value::domain(domain)?;
    let word = field(Column::Level).to_ascii_lowercase();
    let level = Level::from_word(&word).ok_or_else(|| {
        format!(
            "`{}` is no TLS level; they are encrypt, verify, secure, dane-only, dane and may",
            field(Column::Level)
        )
    })?;
    if level.judges_chain() && columns.is_beyond(row, Column::Names) {
        return Err(format!(
            "the row ends before its names, which count at `{level}`: it may have been broken in two; end it with as many \
             separators as the first row has"
        ));
    }
    if level == Level::Fingerprint {
        return Err("`fingerprint` needs digests, for which there is no column".to_owned());
    }
    let mut names: Vec<String> = Vec::new();
    for name in field(Column::Names).split([' ', ',', ';', '\t', '\n', '\r']).filter(|name| !name.is_empty())
    {
        let name = value::server_name(name)?.to_string();
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if !names.is_empty() && !level.judges_chain() {
        return Err(format!("names mean nothing at `{level}`; they need secure or verify"));
    }
    let people = [Column::Comment, Column::Contact, Column::Owner, Column::Agreement];
    let people = people.map(|column| field(column).to_owned());
    Ok((pattern, Shared { name: field(Column::Name).to_owned(), level, names, people }))
}

fn draft(group: &Group, mode: Mode, unique: &mut Unique) -> Draft {
    let Group { shared: Shared { name, level, names, people }, domains } = group;
    let mut notes = Vec::new();
    let names = match (level, names.is_empty()) {
        (_, false) => Names::Of(names.clone()),
        (Level::Secure, true) => {
            notes.push(
                "The list has no names for it: the certificate must show the domain of the mail or a name below it, as \
                 with `secure` in Postfix"
                    .to_owned(),
            );
            Names::Domain
        }
        (Level::Verify, true) => {
            notes.push(
                "The list has no names for it: the certificate must show the name of the MX host, which without DNSSEC anybody \
                 may change"
                    .to_owned(),
            );
            Names::Unsaid
        }
        (_, true) => Names::Unsaid,
    };
    let first = domains.first().and_then(Pattern::domain).map_or("everyone", |name| name.as_str());
    let wanted = match (name.is_empty(), domains.len()) {
        (false, _) => name.clone(),
        (true, 1) => first.to_owned(),
        (true, _)
            if people.iter().all(String::is_empty) && matches!(names, Names::Domain | Names::Unsaid) =>
        {
            level.word().to_owned()
        }
        (true, _) => format!("{first} and others"),
    };
    let [comment, contact, owner, agreement] =
        people.clone().map(|text| Some(text).filter(|text| !text.is_empty()));
    let domains = domains.iter().map(ToString::to_string).collect();
    Draft {
        name: unique.name(&wanted, level.word()),
        mode,
        notes,
        terms: Terms::Outbound(OutboundTerms { names, ..OutboundTerms::new(domains, *level) }),
        people: People { comment, contact, owner, agreement },
    }
}

#[cfg(test)]
#[path = "csv_tests.rs"]
mod tests;
