//! xtext: what Postfix writes is read back, and nothing else is read.

use connectord::protocol::xtext::decode;

/// Decodes a value, and the same bytes as Postfix would write them.
pub fn xtext(data: &[u8]) {
    assert_eq!(decode(data).ok().map(|decoded| decoded.into_vec()), naive(data), "decoded");
    let quoted = quote(data);
    assert_eq!(decode(&quoted).as_deref(), Ok(data), "what Postfix writes is read back");
    if let Ok(decoded) = decode(data) {
        assert!(decoded.len() <= data.len());
        assert_eq!(decode(&quote(&decoded)), Ok(decoded), "decoding is final");
    }
    // A value that is cut is not read as a shorter one, unless it is one.
    for cut in (0..quoted.len()).take(64) {
        let inside = quoted[..cut].iter().rev().take(2).any(|&byte| byte == b'+');
        assert_eq!(decode(&quoted[..cut]).is_err(), inside, "cut at {cut}");
    }
}

/// `global/xtext.c:xtext_quote`, with nothing special.
fn quote(bytes: &[u8]) -> Vec<u8> {
    let mut quoted = Vec::with_capacity(bytes.len());
    for &byte in bytes {
        if byte == b'+' || byte <= b' ' || byte > b'~' {
            quoted.extend(format!("+{byte:02X}").into_bytes());
        } else {
            quoted.push(byte);
        }
    }
    quoted
}

fn naive(value: &[u8]) -> Option<Vec<u8>> {
    let mut decoded = Vec::new();
    let mut at = 0;
    while at < value.len() {
        if value[at] == b'+' {
            let digits = value.get(at + 1..at + 3)?;
            if !digits.iter().all(|digit| b"0123456789ABCDEF".contains(digit)) {
                return None;
            }
            decoded.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
            at += 3;
        } else if (0x21..=0x7e).contains(&value[at]) {
            decoded.push(value[at]);
            at += 1;
        } else {
            return None;
        }
    }
    Some(decoded)
}
