//! Asking postmap(1) what is in a table. It opens tables as the daemons of Postfix do, of whatever type they are, and
//! with -s and -q it changes nothing.
//!
//! It runs with the rights of whoever asks, and in the queue directory, outside of any chroot.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use super::patterns::{self, Line};
use crate::mta::program::{self, Bounds};
use crate::protocol::escape::printable;

/// For one question. A table that takes longer, such as one of a database that is down, stops mail.
const PATIENCE: Duration = Duration::from_secs(10);

/// Keys of one question. To a table in a database that answers, these are far less than [`PATIENCE`].
const CHUNK: usize = 500;

/// For all questions to one table: what is not asked by then is not asked.
const ALL: Duration = Duration::from_secs(30);

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

    /// The lines of a table that is a file of patterns; `None`: it is none.
    ///
    /// # Errors
    /// Why it cannot be read.
    fn lines(&self, table: &str) -> Option<Result<Vec<Line>, String>>;

    /// What it says of these keys.
    ///
    /// # Errors
    /// Why it does not answer.
    fn ask(&self, table: &str, keys: &[String]) -> Result<Answers, String>;
}

/// What a table says of the keys that it was asked for.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// Those that it has, with their values.
    pub found: HashMap<String, String>,
    /// Those for which there was no time: it has answered others, slowly.
    pub unasked: HashSet<String>,
}

/// Why a table says nothing.
struct Failure {
    is_slow: bool,
    reason: String,
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
    fn run(
        &self,
        options: &[&str],
        table: &str,
        keys: &[String],
    ) -> Result<HashMap<String, String>, Failure> {
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
        let ended = program::run(&mut command, input, bounds).map_err(|failed| Failure {
            is_slow: matches!(failed, program::Error::Hangs),
            reason: match failed {
                program::Error::Run(error) => format!("postmap: {error}"),
                program::Error::Failed(said) => format!("postmap: {said}"),
                program::Error::Hangs => format!("no answer within {} s", PATIENCE.as_secs()),
                program::Error::Long => format!("it has more than {LIMIT} octets"),
            },
        })?;
        // Where the table has none of the keys it ends with 1 as well, and says nothing but warnings.
        let reason = ended.error.lines().rfind(|line| !line.contains(": warning: "));
        match (ended.code, reason) {
            (Some(0), _) | (Some(1), None) => {}
            (_, reason) => {
                let reason = reason.unwrap_or("postmap has failed");
                let reason = reason.strip_prefix("postmap: ").unwrap_or(reason);
                let reason = printable(reason.strip_prefix("fatal: ").unwrap_or(reason), REASON);
                return Err(Failure { is_slow: false, reason });
            }
        }
        let lines = ended.out.lines().filter_map(|line| line.split_once('\t'));
        Ok(lines.map(|(key, value)| (key.to_owned(), value.to_owned())).collect())
    }
}

impl Tables for Postmap {
    fn list(&self, table: &str) -> Result<HashMap<String, String>, String> {
        self.run(&["-s"], table, &[]).map_err(|failure| failure.reason)
    }

    fn lines(&self, table: &str) -> Option<Result<Vec<Line>, String>> {
        patterns::lines(table)
    }

    fn ask(&self, table: &str, keys: &[String]) -> Result<Answers, String> {
        let deadline = Instant::now() + ALL;
        in_chunks(keys, |chunk| self.run(&["-q", "-"], table, chunk), || Instant::now() < deadline)
    }
}

/// Asks for some keys after the others, while there is time. Who does not answer the first question answers none.
fn in_chunks(
    keys: &[String],
    ask: impl Fn(&[String]) -> Result<HashMap<String, String>, Failure>,
    has_time: impl Fn() -> bool,
) -> Result<Answers, String> {
    let mut answers = Answers::default();
    let mut is_late = false;
    for (number, chunk) in keys.chunks(CHUNK).enumerate() {
        is_late = is_late || number > 0 && !has_time();
        if !is_late {
            match ask(chunk) {
                Ok(found) => {
                    answers.found.extend(found);
                    continue;
                }
                Err(failure) if number > 0 && failure.is_slow => is_late = true,
                Err(failure) => return Err(failure.reason),
            }
        }
        answers.unasked.extend(chunk.iter().cloned());
    }
    Ok(answers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_question_has_to_be_answered_in_time() {
        let keys: Vec<String> = (0..CHUNK * 3).map(|number| number.to_string()).collect();
        let asked = |fails_at: usize, is_slow: bool, has_time: bool| {
            let ask = |chunk: &[String]| match chunk.contains(&fails_at.to_string()) {
                true => Err(Failure { is_slow, reason: "no".to_owned() }),
                false => Ok(chunk.iter().map(|key| (key.clone(), String::new())).collect()),
            };
            in_chunks(&keys, ask, || has_time).map(|answers| (answers.found.len(), answers.unasked.len()))
        };
        let nowhere = keys.len();
        assert_eq!(asked(nowhere, false, true), Ok((CHUNK * 3, 0)));
        assert_eq!(asked(nowhere, false, false), Ok((CHUNK, CHUNK * 2)));
        assert_eq!(asked(CHUNK, true, true), Ok((CHUNK, CHUNK * 2)));
        assert_eq!(asked(0, true, true), Err("no".to_owned()));
        // What fails does so for mail too.
        assert_eq!(asked(CHUNK, false, true), Err("no".to_owned()));
    }
}
