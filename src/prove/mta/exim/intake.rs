//! Why Exim takes in no message: an ACL of the site for what programs of this machine send, or too little room.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use nix::sys::statvfs::statvfs;

use super::Exim;
use crate::prove::Error;
use crate::prove::enclosure::ROOM;
use crate::prove::mta::Mta as _;
use crate::prove::place::nearest;

/// What stands before the words of an ACL, on stderr and in the log (receive.c:receive_msg).
const REFUSED: &str = "rejected by non-SMTP ACL: ";

/// What the log says of a message that an ACL threw away: nothing is said on stderr, and Exim fails all the same.
const DISCARDED: &str = "=> blackhole (non-SMTP ACL";

/// Lines at the end of the log that are about the message that was just tried.
const JUST_NOW: usize = 3;

/// What lets in what root sends, and nothing else that comes without SMTP.
const ROOT: &str = "accept condition = ${if eq{$originator_uid}{0}}";

/// Octets at the end of a file of log that are looked at, and characters of what an ACL says, and of the option with it.
const LAST: u64 = 65_536;
const WORDS: usize = 300;
const OPTION: usize = 60;

impl Exim {
    /// What is said of a probe that an ACL refused, if one did: which, what can be done, and what it says. What it says
    /// to nobody else is in the log.
    pub(super) fn refusal(&self, error: &Error) -> Option<String> {
        let Error::Program { said, .. } = error else { return None };
        let files = self.logs();
        let mut ends = files.iter().filter_map(|file| end(file).ok());
        let says = match words(said) {
            Some(told) => {
                let logged = ends.find_map(|end| words(&end).filter(|logged| *logged != told));
                told + &logged.map(|logged| format!(" ({logged})")).unwrap_or_default()
            }
            None => ends.find_map(|end| discarded(&end))?,
        };
        let value = self.settings.main("acl_not_smtp");
        let more = if value.chars().nth(OPTION).is_some() { " .." } else { "" };
        let value: String = value.chars().take(OPTION).collect();
        Some(format!(
            "the probe was not let in: {says}; that is acl_not_smtp = {value}{more}, and the proof is not whole: let what \
             root sends pass first in that ACL, `{ROOT}`, and prove again"
        ))
    }

    /// Whether there is what must be free before it takes in a message (receive.c:receive_check_fs): it has no more than
    /// the file system of all that is ours.
    pub(super) fn has_room(&self) -> Result<(), Error> {
        let logs = self.log_directories()?;
        let logs = logs.iter().map(|place| (place.as_path(), "check_log_space", "check_log_inodes"));
        let spool = self.spool()?;
        for (place, space, files) in
            logs.chain([(spool.as_path(), "check_spool_space", "check_spool_inodes")])
        {
            // Exim makes its directory of logs when it has something to say.
            let free = statvfs(nearest(place)).map_err(|errno| Error::place("look at", place, errno))?;
            let octets = free.blocks_available().saturating_mul(free.fragment_size());
            for (option, free) in [(space, octets), (files, free.files_available())] {
                let value = self.settings.main(option);
                if number(value).is_some_and(|wanted| wanted > free) {
                    let why = format!(
                        "Exim takes in no message where less is free, and a copy of it has {} MB of memory for all that it \
                         writes; with a lower value there is a proof",
                        ROOM >> 20
                    );
                    return Err(Error::system(
                        format!("prove with {option} = {value}"),
                        io::Error::other(why),
                    ));
                }
            }
        }
        Ok(())
    }
}

/// What an ACL says, in the last line that has it.
fn words(text: &str) -> Option<String> {
    let (_, behind) = text.rsplit_once(REFUSED)?;
    Some(behind.lines().next().unwrap_or_default().trim().chars().take(WORDS).collect())
}

/// What is said of the last message, if an ACL threw that away: the words of its log.
fn discarded(log: &str) -> Option<String> {
    let (_, behind) = log.lines().rev().take(JUST_NOW).find_map(|line| line.split_once(DISCARDED))?;
    let words = behind.split_once("): ").map_or("no reason given", |(_, words)| words);
    Some(format!("discarded, {}", words.trim().chars().take(WORDS).collect::<String>()))
}

/// The last lines of a file.
fn end(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LAST)))?;
    let mut octets = Vec::new();
    file.take(LAST).read_to_end(&mut octets)?;
    Ok(String::from_utf8_lossy(&octets).into_owned())
}

/// A number as Exim prints it, `10M` (readconf.c:print_ol).
fn number(value: &str) -> Option<u64> {
    let digits = value.trim_end_matches(['K', 'M', 'G']);
    let unit = match value.strip_prefix(digits)? {
        "K" => 1 << 10,
        "M" => 1 << 20,
        "G" => 1 << 30,
        "" => 1,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_words_are_read() {
        let numbers = [
            ("0", Some(0)),
            ("10M", Some(10 << 20)),
            ("3G", Some(3 << 30)),
            ("100", Some(100)),
            ("7K", Some(7 << 10)),
        ];
        for (text, expected) in
            numbers.into_iter().chain([("", None), ("M", None), ("1MM", None), ("-1", None)])
        {
            assert_eq!(number(text), expected, "{text}");
        }
        let said = |text: &str| words(text);
        assert_eq!(
            said("exit status: 1: exim: message rejected by non-SMTP ACL: not you"),
            Some("not you".to_owned())
        );
        let log = "x F=<> rejected by non-SMTP ACL: one\nx F=<> rejected by non-SMTP ACL: two\nx Completed\n";
        assert_eq!(said(log), Some("two".to_owned()));
        assert_eq!(said("exim: no such file"), None);
        let log =
            "x <= u@x.example\nx => blackhole (non-SMTP ACL discarded recipients): no such\nx Completed\n";
        assert_eq!(discarded(log).as_deref(), Some("discarded, no such"));
        let silent = log.replace(": no such", "");
        assert_eq!(discarded(&silent).as_deref(), Some("discarded, no reason given"));
        assert_eq!(discarded(&format!("{log}y <= u@x.example\ny => v@x.example\ny Completed\n")), None);
    }
}
