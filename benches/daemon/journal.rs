//! The log of a server, as it grows: what is said in it at warn and above, and how many answers.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

/// How many lines of trouble are kept to be shown.
const SHOWN: usize = 10;

/// A log that is read to its end again and again.
pub struct Journal {
    reader: BufReader<File>,
    /// A line whose end is not written yet.
    begun: String,
    /// Lines that tell an answer.
    pub answers: u64,
    /// Lines that tell a reload.
    pub reloads: u64,
    /// Lines at warn of events that were provoked, by their name.
    pub provoked: BTreeMap<String, u64>,
    /// Every other line at warn or above: how many, and the first of them.
    pub trouble: (u64, Vec<String>),
    expected: &'static [&'static str],
}

impl Journal {
    /// Opens a log in which these events are expected at warn.
    pub fn open(path: &Path, expected: &'static [&'static str]) -> Journal {
        Journal {
            reader: BufReader::new(File::open(path).unwrap()),
            begun: String::new(),
            answers: 0,
            reloads: 0,
            provoked: BTreeMap::new(),
            trouble: (0, Vec::new()),
            expected,
        }
    }

    /// Reads what is new.
    pub fn follow(&mut self) {
        loop {
            self.reader.read_line(&mut self.begun).unwrap();
            if !self.begun.ends_with('\n') {
                return;
            }
            let line = std::mem::take(&mut self.begun);
            self.note(line.trim_end());
        }
    }

    fn note(&mut self, line: &str) {
        let mut words = line.split(' ');
        match (words.next().unwrap_or_default(), words.next().unwrap_or_default()) {
            ("info", "decision") => self.answers += 1,
            ("info", "reloaded") => self.reloads += 1,
            ("info" | "debug", _) => {}
            ("warn", event) if self.expected.contains(&event) => {
                *self.provoked.entry(event.to_owned()).or_default() += 1;
            }
            // A level that is none is trouble too: something else wrote there.
            _ => {
                self.trouble.0 += 1;
                if self.trouble.1.len() < SHOWN {
                    self.trouble.1.push(line.to_owned());
                }
            }
        }
    }
}
