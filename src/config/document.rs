//! A file of TOML, parsed as far as it is TOML.
//!
//! A key written twice or a value without its quotation marks leaves no doubt about what follows,
//! so such a file is read on; anything else that is no TOML may have swallowed what follows, so
//! the first one is told and the rest of the file is not judged.

use toml::Spanned;
use toml::de::{DeTable, Error};

use super::reading::Reading;
use super::source::{Place, Source};

/// Bytes of a broken file of which every syntax error is looked for. Of a larger one, which is
/// hardly written by hand, the first is told.
const MAX_RECOVERED: usize = 256 * 1024;

/// Parses a file. `None` when it is not sure enough what it says; its problems are told.
pub(super) fn parse<'s>(
    reading: &mut Reading,
    rank: usize,
    source: &'s Source,
) -> Option<Spanned<DeTable<'s>>> {
    let first = match DeTable::parse(&source.text) {
        Ok(tree) => return Some(tree),
        Err(first) => first,
    };
    if source.text.len() > MAX_RECOVERED {
        told(reading, rank, &first, true);
        return None;
    }
    let (tree, mut errors) = DeTable::parse_recoverable(&source.text);
    errors.sort_by_key(|error| error.span().map_or(0, |span| span.start));
    let mut last_line = 0;
    for error in &errors {
        let line = source.position(error.span().map_or(0, |span| span.start)).0;
        if line != last_line {
            last_line = line;
            let tame = is_tame(error);
            told(reading, rank, error, !tame);
            if !tame {
                return None;
            }
        }
    }
    Some(tree)
}

/// Whether the parser's tree can be relied on around this error.
fn is_tame(error: &Error) -> bool {
    let message = error.message();
    message == DUPLICATE
        || (message.starts_with(UNQUOTED) && error.span().is_some_and(|span| !span.is_empty()))
}

/// The parser's words for a key that is there already.
const DUPLICATE: &str = "duplicate key";

/// The parser's words for a value that is a bare word.
const UNQUOTED: &str = "string values must be quoted";

fn told(reading: &mut Reading, rank: usize, error: &Error, last: bool) {
    let span = error.span().unwrap_or(0..0);
    let message = error.message();
    let (message, help) = if message == DUPLICATE {
        let help = "keep one of the two; several connectors or sockets are written with double brackets, as in [[outbound]]";
        ("this key is there already".to_owned(), help.to_owned())
    } else if message.starts_with(UNQUOTED) {
        let word =
            reading.sources.get(rank).and_then(|source| source.text.get(span.clone())).unwrap_or_default();
        (
            "not valid TOML: a text stands in quotation marks".to_owned(),
            format!("write \"{}\"", word.escape_default()),
        )
    } else {
        (format!("not valid TOML: {message}"), String::new())
    };
    let help = if last { "what follows in this file was not judged".to_owned() } else { help };
    reading.problem(Place::new(rank, span), message, help);
}
