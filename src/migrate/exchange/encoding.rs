//! The bytes of an export as text.
//!
//! PowerShell 5.1 writes UTF-16LE with `>`, `Out-File` and `Export-Clixml`, and UTF-8 with a byte order mark when it is
//! told `-Encoding utf8`; PowerShell 7 writes UTF-8 without. All of them are read, and nothing else: in a guessed
//! encoding the name of a domain could become another one.

use super::broken::Broken;
use super::place::Cursor;

/// What to do about a file in another encoding.
const SAVE_AS: &str = "export it again and save it with `Out-File -Encoding utf8`";

/// Reads the bytes.
pub(super) fn text(mut bytes: Vec<u8>) -> Result<String, Broken> {
    match *bytes.as_slice() {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => {
            Err(Broken::at_start(format!("this is UTF-32; {SAVE_AS}")))
        }
        [0xff, 0xfe, ref rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, ref rest @ ..] => utf16(rest, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, ..] => {
            bytes.drain(..3);
            utf8(bytes)
        }
        // An export begins with a character of ASCII, so a zero beside it gives the encoding away.
        [first, 0, ..] if first != 0 => utf16(&bytes, u16::from_le_bytes),
        [0, second, ..] if second != 0 => utf16(&bytes, u16::from_be_bytes),
        _ => utf8(bytes),
    }
}

fn utf8(bytes: Vec<u8>) -> Result<String, Broken> {
    String::from_utf8(bytes).map_err(|error| {
        let fault = error.utf8_error();
        let good = error.as_bytes().get(..fault.valid_up_to()).unwrap_or_default();
        let good = std::str::from_utf8(good).unwrap_or_default();
        let place = Cursor::new(good).place(good.len());
        match fault.error_len() {
            None => Broken::new(place, "the file ends in the middle of a character: it was cut short"),
            Some(_) => Broken::new(place, format!("this is no UTF-8; {SAVE_AS}")),
        }
    })
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, Broken> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    // Most of an export is ASCII: with this much room it need not grow.
    let mut text = String::with_capacity(pairs.len());
    for decoded in char::decode_utf16(pairs.iter().copied().map(unit)) {
        match decoded {
            Ok(c) => text.push(c),
            Err(_) => {
                let place = Cursor::new(&text).place(text.len());
                return Err(Broken::new(place, format!("this is no UTF-16: half a character; {SAVE_AS}")));
            }
        }
    }
    if !rest.is_empty() {
        let place = Cursor::new(&text).place(text.len());
        return Err(Broken::new(place, "the file ends in the middle of a character: it was cut short"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::migrate::exchange::place::Place;

    fn little(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    #[test]
    fn every_encoding_of_powershell_is_read() {
        let expected = "{\"Name\": \"B\u{fc}cher \u{1f600}\"}";
        let big: Vec<u8> = expected.encode_utf16().flat_map(u16::to_be_bytes).collect();
        let with = |mark: &[u8], rest: &[u8]| [mark, rest].concat();
        for bytes in [
            expected.as_bytes().to_vec(),
            with(&[0xef, 0xbb, 0xbf], expected.as_bytes()),
            with(&[0xff, 0xfe], &little(expected)),
            with(&[0xfe, 0xff], &big),
            little(expected),
            big,
        ] {
            assert_eq!(text(bytes).unwrap(), expected);
        }
        for empty in [&[][..], &[0xff, 0xfe], &[0xfe, 0xff], &[0xef, 0xbb, 0xbf]] {
            assert_eq!(text(empty.to_vec()).unwrap(), "");
        }
    }

    #[test]
    fn what_is_something_else_is_refused_at_its_place() {
        let lone = [&little("a\nb")[..], &[0x00, 0xd8, b'x', 0]].concat();
        for (bytes, line, column, words) in [
            (b"{\n \"caf\xe9\"}".to_vec(), 2, 6, "this is no UTF-8"),
            (b"{\n\xc3".to_vec(), 2, 1, "cut short"),
            (vec![0xff, 0xfe, b'{', 0, b'x'], 1, 2, "cut short"),
            (lone, 2, 2, "half a character"),
            (vec![0xff, 0xfe, 0, 0, b'{', 0, 0, 0], 1, 1, "UTF-32"),
            (vec![0xff, 0xff], 1, 1, "no UTF-8"),
        ] {
            let error = text(bytes).unwrap_err();
            assert_eq!(error.place, Place { line, column }, "{error}");
            assert!(error.message.contains(words), "{error}");
        }
    }
}
