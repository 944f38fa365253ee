//! Netstrings: `<length>:<payload>,`, the framing of socketmap.
//!
//! Promises: exactly one way to write each payload is accepted, the one that Postfix writes (`util/netstring.c:
//! netstring_put`): decimal length without sign, white space or needless zeros, a colon, so many bytes, a comma. A length
//! over the limit is refused at the digit that takes it there, before any of the payload has to be received or kept; so
//! numbers cannot overflow either. An empty payload (`0:,`) is well framed.
//!
//! Refuses: everything else, at the first byte that shows it. HTTP, TLS, SMTP and policy delegation, sent here by
//! mistake, are seen at theirs.
//!
//! Postfix's own reader is laxer (it takes leading zeros); nothing that Postfix writes needs that.

use super::{Error, decimal};

/// One netstring at the start of a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// What was framed: any bytes at all.
    pub payload: &'a [u8],
    /// How many bytes of the buffer the frame takes, with length, colon and comma; the next one begins behind them.
    pub consumed: usize,
}

/// Decodes the netstring that `buffer` begins with, if its payload has at most `limit` bytes.
///
/// `None`: what is there is a proper beginning, and more bytes are needed.
///
/// # Errors
/// [`Error::LengthMalformed`], [`Error::LengthLeadingZero`], [`Error::LengthOverLimit`] or [`Error::CommaMissing`]: the
/// frame is broken, and with it the place of all that follows.
pub fn decode(buffer: &[u8], limit: usize) -> Result<Option<Frame<'_>>, Error> {
    let Some((length, header)) = decode_length(buffer, limit)? else {
        return Ok(None);
    };
    let Some((payload, behind)) = buffer.get(header..).and_then(|body| body.split_at_checked(length)) else {
        return Ok(None);
    };
    match behind.first() {
        None => Ok(None),
        Some(b',') => Ok(Some(Frame { payload, consumed: header + length + 1 })),
        Some(_) => Err(Error::CommaMissing),
    }
}

/// The announced length, and how many bytes stand before the payload.
fn decode_length(buffer: &[u8], limit: usize) -> Result<Option<(usize, usize)>, Error> {
    let mut length: usize = 0;
    for (at, &byte) in buffer.iter().enumerate() {
        match byte {
            b':' if at > 0 => return Ok(Some((length, at + 1))),
            // A zero so far and yet a digit before this one: that digit was a needless zero.
            b'0'..=b'9' if at > 0 && length == 0 => return Err(Error::LengthLeadingZero),
            b'0'..=b'9' => {
                length = length
                    .checked_mul(10)
                    .and_then(|tens| tens.checked_add(usize::from(byte - b'0')))
                    .filter(|&length| length <= limit)
                    .ok_or(Error::LengthOverLimit { limit })?;
            }
            _ => return Err(Error::LengthMalformed),
        }
    }
    Ok(None)
}

/// Appends `payload` to `out` as a netstring.
pub fn encode(payload: &[u8], out: &mut Vec<u8>) {
    encode_parts(&[payload], out);
}

/// As [`encode`], with a payload in parts.
pub fn encode_parts(payload: &[&[u8]], out: &mut Vec<u8>) {
    let length: usize = payload.iter().map(|part| part.len()).sum();
    decimal::encode(u64::try_from(length).unwrap_or(u64::MAX), out);
    out.push(b':');
    for part in payload {
        out.extend_from_slice(part);
    }
    out.push(b',');
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use proptest::prelude::*;

    use super::super::pieces;
    use super::*;

    const LIMIT: usize = 10_065;

    fn owned(buffer: &[u8]) -> Result<Option<(Vec<u8>, usize)>, Error> {
        Ok(decode(buffer, LIMIT)?.map(|frame| (frame.payload.to_vec(), frame.consumed)))
    }

    #[test]
    fn n_well_framed() {
        let table: &[(&str, &[u8], &[u8], usize)] = &[
            ("a request", b"15:tls example.com,", b"tls example.com", 19),
            ("empty", b"0:,", b"", 3),
            ("comma and colon inside", b"4:a,:b,", b"a,:b", 7),
            ("any bytes", b"3:\x00\xff\n,", b"\x00\xff\n", 6),
            ("ten bytes", b"10:0123456789,", b"0123456789", 14),
            ("the next one behind it", b"1:a,1:b,", b"a", 4),
            ("garbage behind it", b"1:a,\r\n", b"a", 4),
        ];
        for (name, bytes, payload, consumed) in table {
            let frame = decode(bytes, LIMIT).unwrap().unwrap();
            assert_eq!((frame.payload, frame.consumed), (*payload, *consumed), "{name}");
        }
    }

    #[test]
    fn n_more_bytes_are_needed() {
        for bytes in [&b""[..], b"1", b"15", b"15:", b"15:tls", b"15:tls example.com", b"0", b"0:"] {
            assert_eq!(decode(bytes, LIMIT), Ok(None), "{bytes:?}");
        }
    }

    #[test]
    fn n_refused() {
        let over = Error::LengthOverLimit { limit: LIMIT };
        let table: &[(&str, &[u8], Error)] = &[
            ("no length", b":a,", Error::LengthMalformed),
            ("minus", b"-1:a,", Error::LengthMalformed),
            ("plus", b"+1:a,", Error::LengthMalformed),
            ("space before", b" 1:a,", Error::LengthMalformed),
            ("space behind", b"1 :a,", Error::LengthMalformed),
            ("tab", b"\t1:a,", Error::LengthMalformed),
            ("line feed before", b"\n1:a,", Error::LengthMalformed),
            ("hexadecimal", b"0x1:a,", Error::LengthMalformed),
            ("underscore", b"1_0:0123456789,", Error::LengthMalformed),
            ("fraction", b"1.0:a,", Error::LengthMalformed),
            ("exponent", b"1e0:a,", Error::LengthMalformed),
            ("digits of another script", "١:a,".as_bytes(), Error::LengthMalformed),
            ("another separator", b"1;a,", Error::LengthMalformed),
            ("NUL behind the length", b"1\x00:a,", Error::LengthMalformed),
            ("leading zero", b"01:a,", Error::LengthLeadingZero),
            ("zero twice", b"00:,", Error::LengthLeadingZero),
            ("no colon yet, but a leading zero", b"00", Error::LengthLeadingZero),
            ("another terminator", b"1:a;", Error::CommaMissing),
            ("line feed for the comma", b"1:a\n,", Error::CommaMissing),
            ("length too small by one", b"14:tls example.com,", Error::CommaMissing),
            ("n14 over the limit by one", b"10066:", over),
            ("n14 over the limit, no colon yet", b"99999", over),
            ("n14 2^32 and a little", b"4294967311:tls example.com,", over),
            ("n14 2^64", b"18446744073709551616:a,", over),
            ("n14 digits without end", &[b'9'; 4096], over),
            ("HTTP", b"GET / HTTP/1.1\r\n\r\n", Error::LengthMalformed),
            ("TLS", b"\x16\x03\x01\x02\x00\x01", Error::LengthMalformed),
            ("SMTP", b"EHLO client.example\r\n", Error::LengthMalformed),
            ("policy delegation", b"request=smtpd_access_policy\n\n", Error::LengthMalformed),
        ];
        for (name, bytes, error) in table {
            assert_eq!(decode(bytes, LIMIT), Err(*error), "{name}");
        }
    }

    #[test]
    fn n11_terminator_at_the_very_end() {
        // A length one too big takes the comma for payload and waits for another one.
        assert_eq!(decode(b"16:tls example.com,", LIMIT), Ok(None));
        assert_eq!(decode(b"16:tls example.com,,", LIMIT).unwrap().unwrap().payload, b"tls example.com,");
        assert_eq!(decode(b"16:tls example.com,x", LIMIT), Err(Error::CommaMissing));
    }

    #[test]
    fn n_the_limit_itself_is_accepted() {
        for limit in [0, 1, 9, 10, 10_000] {
            let mut wire = Vec::new();
            encode(&vec![b'k'; limit], &mut wire);
            assert_eq!(decode(&wire, limit).unwrap().unwrap().payload.len(), limit);
            let mut wire = Vec::new();
            encode(&vec![b'k'; limit + 1], &mut wire);
            assert_eq!(decode(&wire, limit), Err(Error::LengthOverLimit { limit }));
        }
    }

    /// Streams of good frames, nearly good ones and noise, so that the properties reach behind the first byte.
    fn streams() -> impl Strategy<Value = Vec<u8>> {
        let frame = prop_oneof![
            4 => prop::collection::vec(any::<u8>(), 0..40).prop_map(|payload| {
                let mut wire = Vec::new();
                encode(&payload, &mut wire);
                wire
            }),
            1 => "[0-9]{1,6}:?[a-z,]{0,12}".prop_map(String::into_bytes),
            1 => prop::collection::vec(any::<u8>(), 0..12),
        ];
        prop::collection::vec(frame, 0..6).prop_map(|frames| frames.concat())
    }

    proptest! {
        #[test]
        fn decode_is_the_inverse_of_encode(payload in prop::collection::vec(any::<u8>(), 0..300), behind in any::<Vec<u8>>()) {
            let mut wire = Vec::new();
            encode(&payload, &mut wire);
            let length = wire.len();
            wire.extend_from_slice(&behind);
            prop_assert_eq!(decode(&wire, LIMIT), Ok(Some(Frame { payload: &payload, consumed: length })));
            for cut in 0..length {
                prop_assert_eq!(decode(&wire[..cut], LIMIT), Ok(None));
            }
        }

        #[test]
        fn n_what_is_accepted_is_canonical(stream in streams()) {
            let (frames, _) = pieces::decode_whole(&stream, owned);
            let mut again = Vec::new();
            for payload in &frames {
                encode(payload, &mut again);
            }
            prop_assert!(stream.starts_with(&again));
        }

        #[test]
        fn n_cutting_changes_nothing(stream in streams(), cuts in prop::collection::vec(1..20usize, 1..30)) {
            prop_assert_eq!(pieces::decode_cut(&stream, &cuts, owned), pieces::decode_whole(&stream, owned));
        }

        #[test]
        fn arbitrary_bytes_do_not_panic(bytes in any::<Vec<u8>>(), limit in any::<usize>()) {
            if let Ok(Some(frame)) = decode(&bytes, limit) {
                prop_assert!(frame.consumed <= bytes.len() && frame.payload.len() <= limit);
            }
        }
    }
}
