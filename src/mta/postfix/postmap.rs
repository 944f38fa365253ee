//! Asking postmap(1) what is in a table. It opens tables as the daemons of Postfix do, of whatever type they are, and
//! with -s and -q it changes nothing.
//!
//! It runs with the rights of whoever asks, and in the queue directory, outside of any chroot.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::mta::program::{self, Bounds};
use crate::protocol::escape::printable;

/// For one table, however many keys. A table that takes longer, such as one of a database that is down, stops mail.
const PATIENCE: Duration = Duration::from_secs(10);

/// A table of a million entries. What comes after it is not read.
const LIMIT: u64 = 64 << 20;

/// Enough of what it said to know what is wrong.
const REASON: usize = 200;

/// Tables, as somebody reads them who can.
pub trait Tables {
    /// Every key with its value. Not of every type: see [`can_be_listed`].
    ///
    /// # Errors
    /// Why it cannot be read.
    fn list(&self, table: &str) -> Result<HashMap<String, String>, String>;

    /// The keys among these that it has, with their values.
    ///
    /// # Errors
    /// Why it does not answer.
    fn ask(&self, table: &str, keys: &[String]) -> Result<HashMap<String, String>, String>;
}

/// Whether all entries of a table can be had (dict.h, `sequence`; cdb and those that are asked over a socket have none).
pub fn can_be_listed(table: &str) -> bool {
    const TYPES: [&str; 7] = ["hash", "btree", "lmdb", "dbm", "sdbm", "texthash", "inline"];
    table.split_once(':').is_some_and(|(kind, _)| TYPES.contains(&kind))
}

/// Whether a table is asked with whole keys only and not with parts of them, such as the domain of an address
/// (dict.h, `DICT_FLAG_PATTERN`).
pub fn is_asked_with_whole_keys(table: &str) -> bool {
    let table = table.strip_prefix("proxy:").unwrap_or(table);
    const TYPES: [&str; 5] = ["regexp", "pcre", "cidr", "socketmap", "tcp"];
    table.split_once(':').is_some_and(|(kind, _)| TYPES.contains(&kind))
}

/// The postmap(1) of an instance.
#[derive(Debug)]
pub struct Postmap {
    /// The directory of main.cf, when it is not the one that Postfix knows by itself.
    pub config_directory: Option<PathBuf>,
    /// Where relative paths in the names of tables begin.
    pub queue_directory: PathBuf,
}

impl Postmap {
    fn run(&self, options: &[&str], table: &str, keys: &[String]) -> Result<HashMap<String, String>, String> {
        let mut command = Command::new("postmap");
        if let Some(directory) = &self.config_directory {
            command.arg("-c").arg(directory);
        }
        // Whatever a table is called, it is no option.
        command.args(options).arg("--").arg(table);
        if self.queue_directory.is_dir() {
            command.current_dir(&self.queue_directory);
        }
        let input = keys.iter().flat_map(|key| [key.as_str(), "\n"]).collect::<String>().into_bytes();
        let bounds = Bounds { patience: PATIENCE, octets: LIMIT };
        let ended = program::run(&mut command, input, bounds).map_err(|failed| match failed {
            program::Error::Run(error) => format!("postmap: {error}"),
            program::Error::Failed(said) => format!("postmap: {said}"),
            program::Error::Hangs => format!("no answer within {} s", PATIENCE.as_secs()),
            program::Error::Long => format!("it has more than {LIMIT} octets"),
        })?;
        // Where the table has none of the keys it ends with 1 as well, and says nothing but warnings.
        let reason = ended.error.lines().rfind(|line| !line.contains(": warning: "));
        match (ended.code, reason) {
            (Some(0), _) | (Some(1), None) => {}
            (_, reason) => {
                let reason = reason.unwrap_or("postmap has failed");
                let reason = reason.strip_prefix("postmap: ").unwrap_or(reason);
                return Err(printable(reason.strip_prefix("fatal: ").unwrap_or(reason), REASON));
            }
        }
        let lines = ended.out.lines().filter_map(|line| line.split_once('\t'));
        Ok(lines.map(|(key, value)| (key.to_owned(), value.to_owned())).collect())
    }
}

impl Tables for Postmap {
    fn list(&self, table: &str) -> Result<HashMap<String, String>, String> {
        self.run(&["-s"], table, &[])
    }

    fn ask(&self, table: &str, keys: &[String]) -> Result<HashMap<String, String>, String> {
        self.run(&["-q", "-"], table, keys)
    }
}
