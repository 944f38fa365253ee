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
use crate::migrate::postfix::policies::{self, Spot, Written};
use crate::mta::postfix::postmap::{Postmap, Tables as _, can_be_listed};
use crate::mta::postfix::settings::{Settings, tables};

/// A Postfix.
pub(super) struct Installed<'s> {
    pub settings: &'s Settings,
    pub postmap: &'s Postmap,
}

impl Installed<'_> {
    /// The entries of the tables of a list, those of the first table first. `setting` is where it stands.
    pub(super) fn entries(&self, setting: &str, list: &str) -> Result<(Vec<Written>, Vec<Refused>), Failure> {
        let (mut all, mut refused) = (Vec::new(), Vec::new());
        for table in tables(list) {
            // The daemon itself: what it says is in the configuration already.
            if table.starts_with("socketmap:") && table.contains("connectord") {
                continue;
            }
            let (entries, not) = self.of(table)?;
            all.extend(entries);
            refused.extend(not);
        }
        for refused in &mut refused {
            if refused.line.is_none() && refused.subject.is_empty() {
                refused.subject = format!("in {setting}");
            }
        }
        Ok((all, refused))
    }

    fn of(&self, table: &str) -> Result<(Vec<Written>, Vec<Refused>), Failure> {
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
                true => text(&path)?.0,
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
            Err(why) => return Ok((Vec::new(), vec![told(format!("not read: {why}"))])),
        };
        let lines: HashMap<(String, &str), &Spot> =
            source.iter().map(|line| ((line.key.to_lowercase(), line.value.as_str()), &line.spot)).collect();
        let mut all: Vec<Written> = found
            .into_iter()
            .map(|(key, value)| {
                let spot = lines.get(&(key.clone(), value.as_str())).map(|spot| (*spot).clone());
                let spot = spot.unwrap_or_else(|| Spot { file: table.into(), line: None });
                Written { spot, key, value }
            })
            .collect();
        all.sort_by(|a, b| (a.spot.line, &a.key).cmp(&(b.spot.line, &b.key)));
        Ok((all, Vec::new()))
    }
}

/// A table in text form.
fn text(path: &Path) -> Result<(Vec<Written>, Vec<Refused>), Failure> {
    Ok(match input::read(path)? {
        Ok(text) => policies::lines(&path.display().to_string(), &text),
        Err(refused) => (Vec::new(), vec![refused]),
    })
}
