//! The rows of a list, RFC 4180 as spreadsheets write it.
//!
//! Bounded: [`ROW`] and [`ROWS`]; the file itself by whoever reads it. A quote that nothing closes ends the list: where the
//! next row begins is not known.

/// Octets of a row. Ours: nobody reads a longer one in a spreadsheet.
const ROW: usize = 64 << 10;

/// Rows of a list. Ours: what comes of more is hardly ever within the 16 MiB that a file of the configuration may have.
const ROWS: usize = 250_000;

/// A row.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// The line that it begins in, from 1.
    pub line: usize,
    /// Its fields, without their quotes.
    pub fields: Vec<String>,
}

/// What is no row, and why.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub line: Option<usize>,
    pub why: String,
}

/// The rows of a text, each or why it is none.
pub(super) fn of(text: &[u8]) -> Result<Rows<'_>, Fault> {
    let fault = |line, why: &str| Err(Fault { line, why: why.to_owned() });
    if text.starts_with(&[0xff, 0xfe]) || text.starts_with(&[0xfe, 0xff]) {
        return fault(Some(1), "UTF-16; save it as CSV in UTF-8");
    }
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let first = text.split(|&octet| octet == b'\n').next().unwrap_or_default();
    let count = |separator: u8| first.iter().filter(|&&octet| octet == separator).count();
    let separator = [b';', b'\t', b','].into_iter().max_by_key(|&separator| count(separator));
    Ok(Rows { rest: text, line: 1, count: 0, separator: separator.unwrap_or(b',') })
}

/// See [`of`].
pub(super) struct Rows<'t> {
    rest: &'t [u8],
    line: usize,
    count: usize,
    separator: u8,
}

impl Iterator for Rows<'_> {
    type Item = Result<Row, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let line = self.line;
        let fault = |why: &str| Some(Err(Fault { line: Some(line), why: why.to_owned() }));
        self.count += 1;
        if self.count > ROWS {
            self.rest = &[];
            return fault(&format!("more than {ROWS} rows are not read; split the list"));
        }
        let (octets, is_ended) = self.cut();
        if octets.iter().filter(|&&octet| octet == b'"').count() % 2 == 1 {
            self.rest = &[];
            return fault("a field that begins with a quote here has no end; nothing behind it was read");
        }
        if octets.len() > ROW {
            return fault(&format!("longer than {ROW} octets"));
        }
        if octets.contains(&0) {
            return fault(
                "a NUL octet: this is no text, or another encoding than UTF-8; save it as CSV in UTF-8",
            );
        }
        let Ok(text) = str::from_utf8(octets) else {
            return fault("not UTF-8; save it as CSV in UTF-8");
        };
        if !is_ended {
            return fault(
                "no line feed ends it: the file may have been cut short; if it is whole, end it with one",
            );
        }
        let text = text.strip_suffix('\r').unwrap_or(text);
        match fields(text, char::from(self.separator)) {
            Some(fields) => Some(Ok(Row { line, fields })),
            None => fault(
                "a quote within a field that does not begin with one, or something behind a quoted field",
            ),
        }
    }
}

impl<'t> Rows<'t> {
    /// The octets up to a line feed outside of quotes, and whether there is one. A row that is too long is gone through
    /// all the same, so that the next one begins where it does.
    fn cut(&mut self) -> (&'t [u8], bool) {
        let mut quoted = false;
        let mut lines = 0;
        let end = self.rest.iter().position(|&octet| {
            quoted ^= octet == b'"';
            lines += usize::from(octet == b'\n');
            octet == b'\n' && !quoted
        });
        let (row, rest) = match end {
            Some(end) => self.rest.split_at_checked(end).unwrap_or((self.rest, &[])),
            None => (self.rest, [].as_slice()),
        };
        self.rest = rest.get(1..).unwrap_or_default();
        self.line += lines;
        (row, end.is_some())
    }
}

/// The fields of a row.
fn fields(row: &str, separator: char) -> Option<Vec<String>> {
    let mut fields = Vec::new();
    let mut rest = row;
    loop {
        let (field, behind) = match rest.strip_prefix('"') {
            Some(inside) => quoted(inside)?,
            None => {
                let end = rest.find(separator).unwrap_or(rest.len());
                let (field, behind) = rest.split_at_checked(end)?;
                (field.to_owned(), behind)
            }
        };
        // A quote in the middle is one that somebody forgot to double.
        if !rest.starts_with('"') && field.contains('"') {
            return None;
        }
        fields.push(field);
        if behind.is_empty() {
            return Some(fields);
        }
        rest = behind.strip_prefix(separator)?;
    }
}

/// What stands in quotes, of which two are one, and what is behind.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut field = String::new();
    let mut rest = text;
    loop {
        let (part, behind) = rest.split_once('"')?;
        field.push_str(part);
        match behind.strip_prefix('"') {
            Some(more) => {
                field.push('"');
                rest = more;
            }
            None => return Some((field, behind)),
        }
    }
}
