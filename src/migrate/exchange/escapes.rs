//! Characters that PowerShell does not write as themselves in Clixml.

/// The text with `_x000A_` as the character (MS-PSRP section 2.2.5.3.2). A half of one that stands alone is no character,
/// and becomes U+FFFD.
pub(super) fn unescaped(text: &str) -> String {
    let mut units: Vec<u16> = Vec::new();
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("_x") {
        let (before, from) = rest.split_at(at);
        let digits = from.get(2..6).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        let unit = digits.filter(|_| from.get(6..7) == Some("_"));
        let unit = unit.and_then(|digits| u16::from_str_radix(digits, 16).ok());
        if !before.is_empty() {
            flush(&mut units, &mut plain);
            plain.push_str(before);
        }
        let taken = match unit {
            Some(unit) => {
                units.push(unit);
                7
            }
            None => {
                flush(&mut units, &mut plain);
                plain.push_str("_x");
                2
            }
        };
        rest = from.get(taken..).unwrap_or_default();
    }
    flush(&mut units, &mut plain);
    plain.push_str(rest);
    plain
}

/// Two escapes beside each other may be the halves of one character.
fn flush(units: &mut Vec<u16>, text: &mut String) {
    let characters = char::decode_utf16(units.drain(..));
    text.extend(characters.map(|character| character.unwrap_or(char::REPLACEMENT_CHARACTER)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_the_characters_that_they_stand_for() {
        for (text, plain) in [
            ("", ""),
            ("a_b", "a_b"),
            ("a_x000D__x000A_b", "a\r\nb"),
            ("_x0041", "_x0041"),
            ("_x00_x0041_", "_x00A"),
            ("_x+041_", "_x+041_"),
            ("_X0041_", "_X0041_"),
            ("_x005F_x0041_", "_x0041_"),
            ("_xD83D__xDE00_", "\u{1f600}"),
            ("_xD83D_x_xDE00_", "\u{fffd}x\u{fffd}"),
            ("_x\u{fc}\u{fc}\u{fc}_", "_x\u{fc}\u{fc}\u{fc}_"),
        ] {
            assert_eq!(unescaped(text), plain, "{text}");
        }
    }
}
