//! xtext (RFC 3461 section 4), in which smtpd sends the names of a client certificate.
//!
//! Promises: decodes all that Postfix's `global/xtext.c:xtext_quote` writes, to the byte. It encodes `+`, everything up to
//! and including the space, and everything above `~`, as `+` and two upper-case hexadecimal digits. `=` is *not* encoded by
//! Postfix, though the RFC wants it to be; it is accepted as it is.
//!
//! Refuses: lower-case digits (which Postfix's own `xtext_unquote` would take, but its `xtext_quote` never writes), a `+`
//! without two digits, above all at the end of the value, and bare bytes that should have been encoded. A name that does
//! not decode matches nothing.
//!
//! The decoded bytes may be anything, also NUL and control characters: whether they are a name is for the caller to say.

use smallvec::SmallVec;

use super::Error;

/// What a value stands for; most names of certificates need no allocation.
pub type Decoded = SmallVec<[u8; 64]>;

/// Decodes `value`.
///
/// # Errors
/// [`Error::XtextEscape`] for a malformed `+XX`, [`Error::XtextByte`] for a byte that must not stand there bare.
pub fn decode(value: &[u8]) -> Result<Decoded, Error> {
    let mut decoded = Decoded::new();
    let mut rest = value;
    loop {
        let bare = rest.iter().position(|byte| !matches!(byte, b'!'..=b'*' | b','..=b'~'));
        let (plain, behind) = rest.split_at_checked(bare.unwrap_or(rest.len())).unwrap_or_default();
        decoded.extend_from_slice(plain);
        rest = match behind {
            [] => return Ok(decoded),
            [b'+', high, low, behind @ ..] => {
                decoded.push(digit(*high)? << 4 | digit(*low)?);
                behind
            }
            [b'+', ..] => return Err(Error::XtextEscape),
            [..] => return Err(Error::XtextByte),
        };
    }
}

fn digit(byte: u8) -> Result<u8, Error> {
    match byte {
        b'0'..=b'9' => Ok(byte - b'0'),
        b'A'..=b'F' => Ok(byte - b'A' + 10),
        _ => Err(Error::XtextEscape),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use proptest::prelude::*;

    use super::*;

    /// `xtext_quote` with nothing special, as smtpd calls it for a certificate's names.
    fn quote(bytes: &[u8]) -> Vec<u8> {
        bytes
            .iter()
            .flat_map(|&byte| match byte {
                b'!'..=b'~' if byte != b'+' => vec![byte],
                _ => format!("+{byte:02X}").into_bytes(),
            })
            .collect()
    }

    #[test]
    fn p13_decoded() {
        let table: &[(&str, &[u8], &[u8])] = &[
            ("empty", b"", b""),
            ("plain", b"mx.partner.example", b"mx.partner.example"),
            ("spaces", b"Lab+20Partner+20CA", b"Lab Partner CA"),
            ("plus", b"a+2Bb", b"a+b"),
            ("equals is not encoded", b"O=x", b"O=x"),
            ("equals encoded as the RFC has it", b"O+3Dx", b"O=x"),
            ("UTF-8", b"B+C3+A4nk", "Bänk".as_bytes()),
            ("control characters", b"a+00b+09+7F", b"a\x00b\t\x7f"),
            ("digits and letters", b"+0F+F0+9A+A9", b"\x0f\xf0\x9a\xa9"),
            ("plus behind an encoded one", b"+2B2B", b"+2B"),
            ("printable, encoded without need", b"+41", b"A"),
        ];
        for (name, value, decoded) in table {
            assert_eq!(decode(value).unwrap().as_slice(), *decoded, "{name}");
        }
    }

    #[test]
    fn p13_refused() {
        let table: &[(&str, &[u8], Error)] = &[
            ("plus at the end", b"mx+", Error::XtextEscape),
            ("one digit at the end", b"mx+2", Error::XtextEscape),
            ("lower case", b"a+2bb", Error::XtextEscape),
            ("lower case first", b"+c3+A4", Error::XtextEscape),
            ("no digit", b"+G0", Error::XtextEscape),
            ("no second digit", b"+0G", Error::XtextEscape),
            ("plus as a digit", b"++20", Error::XtextEscape),
            ("digits from beyond ASCII", "+２０".as_bytes(), Error::XtextEscape),
            ("bare space", b"a b", Error::XtextByte),
            ("bare tab", b"a\tb", Error::XtextByte),
            ("bare DEL", b"a\x7f", Error::XtextByte),
            ("bare UTF-8", "Bänk".as_bytes(), Error::XtextByte),
            ("bare NUL", b"mx.partner.example\x00", Error::XtextByte),
        ];
        for (name, value, error) in table {
            assert_eq!(decode(value), Err(*error), "{name}");
        }
    }

    proptest! {
        #[test]
        fn decode_is_the_inverse_of_postfix_quoting(bytes in any::<Vec<u8>>()) {
            prop_assert_eq!(decode(&quote(&bytes)).unwrap().to_vec(), bytes);
        }

        #[test]
        fn what_is_accepted_survives_requoting(value in "[+0-9A-Fa-f=x-z]{0,24}") {
            if let Ok(decoded) = decode(value.as_bytes()) {
                prop_assert_eq!(decode(&quote(&decoded)).unwrap(), decoded);
            }
        }

        #[test]
        fn arbitrary_bytes_do_not_panic(value in any::<Vec<u8>>()) {
            if let Ok(decoded) = decode(&value) {
                prop_assert!(decoded.len() <= value.len());
            }
        }
    }
}
