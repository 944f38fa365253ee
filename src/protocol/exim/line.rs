//! The words of a request line: a verb, then `key=value` pairs with one space before each.

use std::borrow::Cow;

use super::super::Error;

/// A value: borrowed, unless something in it was escaped.
pub type Value<'a> = Cow<'a, [u8]>;

/// A pair as it stands in the line.
pub(super) type Pair<'a> = (&'a [u8], Value<'a>);

/// Splits a line, without its line feed, into the verb and the pairs.
pub(super) fn words(line: &[u8]) -> Result<(&[u8], Vec<Pair<'_>>), Error> {
    let (verb, mut rest) = split(line, |byte| byte == b' ');
    let mut pairs = Vec::new();
    while let Some(behind) = rest.strip_prefix(b" ") {
        let (key, behind) = split(behind, |byte| !byte.is_ascii_alphabetic());
        let behind = behind.strip_prefix(b"=").ok_or(Error::LineMalformed)?;
        let (value, behind) = match behind.strip_prefix(b"\"") {
            Some(quoted) => unquote(quoted)?,
            None => {
                let (value, behind) = split(behind, |byte| !is_plain(byte));
                (Cow::Borrowed(value), behind)
            }
        };
        pairs.push((key, value));
        rest = behind;
    }
    if rest.is_empty() { Ok((verb, pairs)) } else { Err(Error::LineMalformed) }
}

/// What may stand without quotes: what `${quote:}` leaves without, an address, and base64.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"._+/=:-".contains(&byte)
}

/// The bytes before the first that is `end`, and the rest with it.
fn split(bytes: &[u8], end: impl Fn(u8) -> bool) -> (&[u8], &[u8]) {
    let at = bytes.iter().position(|&byte| end(byte)).unwrap_or(bytes.len());
    bytes.split_at(at)
}

/// Reads a value behind its opening quote, as `${quote:}` writes it (expand.c, EOP_QUOTE): a backslash before `"` and
/// `\`, `\n` and `\r` for the line's ends.
fn unquote(quoted: &[u8]) -> Result<(Value<'_>, &[u8]), Error> {
    let (plain, mut rest) = split(quoted, |byte| matches!(byte, b'"' | b'\\'));
    if let Some(behind) = rest.strip_prefix(b"\"") {
        return Ok((Cow::Borrowed(plain), behind));
    }
    let mut value = plain.to_vec();
    loop {
        let (byte, behind) = match rest {
            [b'"', behind @ ..] => return Ok((Cow::Owned(value), behind)),
            [b'\\', b'n', behind @ ..] => (b'\n', behind),
            [b'\\', b'r', behind @ ..] => (b'\r', behind),
            [b'\\', byte @ (b'"' | b'\\'), behind @ ..] => (*byte, behind),
            [b'\\', ..] | [] => return Err(Error::LineMalformed),
            [byte, behind @ ..] => (*byte, behind),
        };
        value.push(byte);
        rest = behind;
    }
}
