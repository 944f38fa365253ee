//! What a value needs in a line of text: nothing, quotation marks, or escapes
//! ([`escape`](crate::protocol::escape) says of which bytes).

/// It is put in quotation marks.
pub(super) const QUOTE: u8 = 1;
/// Byte by byte, with escapes.
pub(super) const ESCAPE: u8 = 2;

/// What a byte needs in a line of text.
const fn need(byte: u8) -> u8 {
    match byte {
        b'"' | b'\\' | ..b' ' | 0x7f.. => ESCAPE,
        b' ' | b'=' => QUOTE,
        _ => 0,
    }
}

/// [`need`] of each byte. Every byte of every line is looked up here; comparisons instead were nearly half
/// of a line's instructions.
#[expect(clippy::indexing_slicing, clippy::as_conversions, reason = "at compile time a mistake is an error")]
const NEEDS: [u8; 256] = {
    let mut needs = [0; 256];
    let mut byte: u8 = 0;
    loop {
        needs[byte as usize] = need(byte);
        if byte == u8::MAX {
            break needs;
        }
        byte += 1;
    }
};

/// What all bytes of a value need together.
pub(super) fn needs(value: &[u8]) -> u8 {
    let needs = |byte: &u8| NEEDS.get(usize::from(*byte)).copied().unwrap_or(ESCAPE);
    value.iter().fold(0, |all, byte| all | needs(byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::escape::Escaped;

    #[test]
    fn each_byte_needs_what_it_gets() {
        for byte in 0..=u8::MAX {
            let shown = Escaped(&[byte], 1).to_string();
            let expected = match (shown.starts_with('"'), shown.starts_with('\\')) {
                (true, _) => QUOTE,
                (_, true) => ESCAPE,
                _ => 0,
            };
            assert_eq!(needs(&[b'a', byte, b'z']), expected, "{byte}");
        }
    }
}
