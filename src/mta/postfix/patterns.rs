//! Tables that are files of patterns: cidr_table(5), regexp_table(5), pcre_table(5). postmap(1) does not list them, but
//! what they can answer is written in them.

use std::fs::OpenOptions;
use std::io::{self, Read as _};
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use ipnet::IpNet;
use nix::fcntl::OFlag;

/// Octets of such a file that are read; a longer one is not known.
const LIMIT: u64 = 4 << 20;

/// For one file. Only a file system that does not answer takes long.
const PATIENCE: Duration = Duration::from_secs(5);

/// A pattern as it is written, and what is answered where it fits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The network of a cidr_table(5), or an expression with its delimiters and flags.
    pub pattern: String,
    /// The answer, before `$1` is replaced.
    pub answer: String,
}

/// The lines of a table of these types; `None`: it is of another one, or not in a file.
///
/// # Errors
/// Why it cannot be read.
pub fn lines(table: &str) -> Option<Result<Vec<Line>, String>> {
    let (kind, path) = table.split_once(':')?;
    let is_expression = match kind {
        "cidr" => false,
        "regexp" | "pcre" => true,
        _ => return None,
    };
    Path::new(path).is_absolute().then(|| Ok(read(&text(Path::new(path))?, is_expression)))
}

fn text(path: &Path) -> Result<String, String> {
    let path = path.to_path_buf();
    // Whoever waits for a disk is not waited for.
    let (sender, read) = mpsc::channel();
    thread::spawn(move || sender.send(bytes(path)));
    let bytes = read.recv_timeout(PATIENCE).map_err(|_| "the file system does not answer".to_owned())?;
    let bytes = bytes.map_err(|error| error.to_string())?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > LIMIT) {
        return Err(format!("it has more than {LIMIT} octets"));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A FIFO is opened without somebody at its other end, and then is no file.
fn bytes(path: PathBuf) -> io::Result<Vec<u8>> {
    let file = OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("not a file"));
    }
    let mut bytes = Vec::new();
    file.take(LIMIT.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Lines that begin with white space go on with the one before (readlline.c).
fn read(text: &str, is_expression: bool) -> Vec<Line> {
    let mut logical: Vec<String> = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#')) {
        match logical.last_mut().filter(|_| line.starts_with(char::is_whitespace)) {
            Some(last) => last.push_str(line),
            None => logical.push(line.to_owned()),
        }
    }
    let lines = logical.iter().filter_map(|line| split(line, is_expression));
    // Postfix passes by what is no network, or has no answer (dict_cidr.c:dict_cidr_parse_rule).
    lines.filter(|line| is_expression || is_network(&line.pattern) && !line.answer.is_empty()).collect()
}

fn is_network(pattern: &str) -> bool {
    let bare = pattern.trim_start_matches('!').replace(['[', ']'], "");
    bare.parse::<IpNet>().is_ok() || bare.parse::<IpAddr>().is_ok()
}

/// Takes a line apart; `if` and `endif` answer nothing.
fn split(line: &str, is_expression: bool) -> Option<Line> {
    let first = line.split_whitespace().next()?;
    if ["if", "endif"].iter().any(|word| first.eq_ignore_ascii_case(word)) {
        return None;
    }
    let end = if is_expression { expression(line) } else { Some(first.len()) };
    let end =
        end.and_then(|end| line.get(end..)?.find(char::is_whitespace).map(|flags| end.saturating_add(flags)));
    let (pattern, answer) = line.split_at(end.unwrap_or(line.len()));
    Some(Line { pattern: pattern.trim().to_owned(), answer: answer.trim().to_owned() })
}

/// Where the second delimiter of an expression is, behind which are flags.
fn expression(line: &str) -> Option<usize> {
    let mut places = line.char_indices().skip_while(|(_, c)| *c == '!' || c.is_whitespace());
    let (_, delimiter) = places.next()?;
    let mut is_escaped = false;
    let closing = places.find(|(_, c)| {
        let is_end = *c == delimiter && !is_escaped;
        is_escaped = *c == '\\' && !is_escaped;
        is_end
    });
    closing.map(|(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_what_is_behind_the_pattern() {
        let pairs = |text: &str, is_expression| -> Vec<(String, String)> {
            read(text, is_expression).into_iter().map(|line| (line.pattern, line.answer)).collect()
        };
        let pair = |pattern: &str, answer: &str| (pattern.to_owned(), answer.to_owned());
        let text = "# OK\n192.0.2.0/24 OK\n2001:db8::/32\n   reject_unverified_sender,\n   permit\n\nIF 10.0.0.0/8\n!10.1.0.0/16\tDUNNO\nendif\n192.0.2.1\nroot:x OK\n";
        assert_eq!(
            pairs(text, false),
            [
                pair("192.0.2.0/24", "OK"),
                pair("2001:db8::/32", "reject_unverified_sender,   permit"),
                pair("!10.1.0.0/16", "DUNNO"),
            ]
        );
        let text = "/^a b\\/c$/i OK\n!/x/ 550 no OK\nif /y/\n|z|  \tpermit\nendif\n/open OK\n";
        assert_eq!(
            pairs(text, true),
            [
                pair("/^a b\\/c$/i", "OK"),
                pair("!/x/", "550 no OK"),
                pair("|z|", "permit"),
                pair("/open OK", "")
            ]
        );
    }

    #[test]
    fn nobody_waits_at_a_fifo() {
        let directory = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
        let path = directory.path().join("fifo");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(text(&path), Err("not a file".to_owned()));
    }
}
