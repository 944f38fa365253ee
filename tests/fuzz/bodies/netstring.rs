//! Netstrings: one way to write each payload, read the same however it is cut.

use connectord::protocol::netstring::{decode, encode};
use connectord::protocol::socketmap::REQUEST_LIMIT;

use super::stream;

/// Reads a stream of frames.
pub fn netstring(data: &[u8]) {
    let (payloads, error) = stream::requests(data, |buffer| {
        let frame = decode(buffer, REQUEST_LIMIT)?;
        Ok(frame.map(|frame| {
            assert!(frame.payload.len() <= REQUEST_LIMIT);
            (frame.payload.to_vec(), frame.consumed)
        }))
    });
    let mut again = Vec::new();
    for payload in &payloads {
        encode(payload, &mut again);
    }
    assert!(data.starts_with(&again), "a second way to write {payloads:?} was accepted");
    if error.is_none() {
        assert_eq!(unfinished(&data[again.len()..]), Some(true), "neither a beginning nor refused");
    } else {
        assert_ne!(unfinished(&data[again.len()..]), Some(true), "a good beginning was refused");
    }

    // Any bytes at all are a payload.
    let mut wire = Vec::new();
    encode(data, &mut wire);
    let frame = decode(&wire, data.len()).expect("what was encoded is a frame").expect("and it is whole");
    assert_eq!((frame.payload, frame.consumed), (data, wire.len()));
    if let Some(limit) = data.len().checked_sub(1) {
        assert!(decode(&wire, limit).is_err(), "over the limit by one");
    }
}

/// Whether something is a proper beginning of a frame, by the letter of the format; `None` for a whole one.
fn unfinished(rest: &[u8]) -> Option<bool> {
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number = std::str::from_utf8(&rest[..digits]).unwrap_or_default();
    let length: Option<usize> = if number.is_empty() { Some(0) } else { number.parse().ok() };
    let needless_zero = digits > 1 && rest[0] == b'0';
    let Some(length) = length.filter(|&length| length <= REQUEST_LIMIT && !needless_zero) else {
        return Some(false);
    };
    match rest.get(digits) {
        None => Some(true),
        Some(b':') if digits > 0 => match rest.get(digits + 1 + length) {
            None => Some(true),
            Some(b',') => None,
            Some(_) => Some(false),
        },
        Some(_) => Some(false),
    }
}
