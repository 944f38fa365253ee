//! What the Postfix of this host has in its tables, as far as somebody can list them.
//!
//! A table in text form is read as it is. Of another one the entries are those that postmap(1) lists, or, of a `cdb:`, those
//! that it has of the keys in its source; the lines are those of the source, where it says the same. What cannot be listed
//! is told, for it may have connectors' domains.

use std::collections::HashMap;
use std::path::Path;

use super::input;
use crate::cli::Failure;
use crate::migrate::Refused;
use crate::migrate::postfix::table::{self, Spot, Table, Written};
use crate::mta::postfix::postmap::{Postmap, Tables as _, can_be_listed};
use crate::mta::postfix::settings::{Settings, tables};

/// A Postfix.
pub(super) struct Installed<'s> {
    pub settings: &'s Settings,
    pub postmap: &'s Postmap,
}

impl Installed<'_> {
    /// The entries of the tables of a list, those of the first table first. `setting` is where it stands. Of those behind a
    /// table that was not read nobody knows whether they count.
    pub(super) fn entries(&self, setting: &str, list: &str) -> Table {
        let mut all = Table { written: Vec::new(), refused: Vec::new(), is_whole: true };
        let mut unread: Option<&str> = None;
        for table in tables(list) {
            // The daemon itself: what it says is in the configuration already.
            if table.starts_with("socketmap:") && table.contains("connectord") {
                continue;
            }
            let Table { mut written, refused, is_whole } = self.of(table);
            for written in &mut written {
                if let (Some(unread), Ok(_)) = (unread, &written.value) {
                    written.value =
                        Err(format!("{unread} stands before it, was not read, and may have another"));
                }
            }
            if !is_whole {
                unread = unread.or(Some(table));
                all.is_whole = false;
            }
            all.written.extend(written);
            all.refused.extend(refused);
        }
        for refused in &mut all.refused {
            if refused.line.is_none() && refused.subject.is_empty() {
                refused.subject = format!("in {setting}");
            }
        }
        all
    }

    fn of(&self, table: &str) -> Table {
        let plain = table.strip_prefix("proxy:").unwrap_or(table);
        let (kind, name) = plain.split_once(':').unwrap_or(("", plain));
        let path = Path::new(self.settings.main("queue_directory")).join(name);
        if kind == "texthash" {
            return text(&path);
        }
        let told =
            |reason: String| Refused { file: table.to_owned(), line: None, subject: String::new(), reason };
        let source =
            match path.is_file() && matches!(kind, "hash" | "btree" | "lmdb" | "cdb" | "dbm" | "sdbm") {
                true => text(&path).written,
                false => Vec::new(),
            };
        let found = if can_be_listed(plain) {
            self.postmap.list(plain)
        } else if kind == "cdb" && !source.is_empty() {
            let keys: Vec<String> = source.iter().map(|written| written.key.to_lowercase()).collect();
            self.postmap.ask(plain, &keys).and_then(|answers| match answers.unasked.len() {
                0 => Ok(answers.found),
                count => Err(format!("{count} keys were not answered in time")),
            })
        } else {
            Err("its entries cannot be listed; give its source as FILE, if it has one".to_owned())
        };
        let found = match found {
            Ok(found) => found,
            Err(why) => return not_read(told(format!("not read: {why}"))),
        };
        let said = |line: &'_ Written| Some((line.key.to_lowercase(), line.value.clone().ok()?));
        let lines: HashMap<(String, String), &Spot> =
            source.iter().filter_map(|line| Some((said(line)?, &line.spot))).collect();
        let mut all: Vec<Written> = found
            .into_iter()
            .map(|(key, value)| {
                let spot = lines.get(&(key.clone(), value.clone())).map(|spot| (*spot).clone());
                let spot = spot.unwrap_or_else(|| Spot { file: table.into(), line: None });
                Written { spot, key, value: Ok(value) }
            })
            .collect();
        all.sort_by(|a, b| (a.spot.line, &a.key).cmp(&(b.spot.line, &b.key)));
        // A key that the source has lost since is not asked for.
        let refused = match kind {
            "cdb" => vec![told(
                "only the keys of its source are known: what is wider than them stays here; or give the source as FILE"
                    .to_owned(),
            )],
            _ => Vec::new(),
        };
        Table { written: all, is_whole: refused.is_empty(), refused }
    }
}

/// A table in text form; a path of main.cf may lead to anything.
fn text(path: &Path) -> Table {
    let file = path.display().to_string();
    let not = |reason| not_read(Refused { file: file.clone(), line: None, subject: String::new(), reason });
    if !path.is_file() {
        return not("not read: there is no such file".to_owned());
    }
    match input::read(path) {
        Ok(Ok(text)) => table::lines(&file, &text),
        Ok(Err(refused)) => not_read(refused),
        Err(Failure::File { error, .. }) => not(format!("not read: {error}")),
        Err(failure) => not(format!("not read: {failure}")),
    }
}

fn not_read(why: Refused) -> Table {
    Table { written: Vec::new(), refused: vec![why], is_whole: false }
}
