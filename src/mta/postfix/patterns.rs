//! Tables that are files of patterns: cidr_table(5), regexp_table(5), pcre_table(5). postmap(1) does not list them, but
//! what they can answer is written in them.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

/// Octets of such a file that are read; a longer one is not known.
const LIMIT: u64 = 4 << 20;

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
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| {
        if !file.metadata()?.is_file() {
            return Err(std::io::Error::other("not a file"));
        }
        file.take(LIMIT.saturating_add(1)).read_to_end(&mut bytes)
    });
    match read {
        Err(error) => Err(error.to_string()),
        Ok(length) if u64::try_from(length).is_ok_and(|length| length > LIMIT) => {
            Err(format!("it has more than {LIMIT} octets"))
        }
        Ok(_) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
    }
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
    logical.iter().filter_map(|line| split(line, is_expression)).collect()
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
        let text = "# OK\n192.0.2.0/24 OK\n2001:db8::/32\n   reject_unverified_sender,\n   permit\n\nIF 10.0.0.0/8\n!10.1.0.0/16\tDUNNO\nendif\n192.0.2.1\n";
        assert_eq!(
            pairs(text, false),
            [
                pair("192.0.2.0/24", "OK"),
                pair("2001:db8::/32", "reject_unverified_sender,   permit"),
                pair("!10.1.0.0/16", "DUNNO"),
                pair("192.0.2.1", ""),
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
}
