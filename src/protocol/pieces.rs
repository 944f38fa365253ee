//! For tests: a stream decoded in one go, and the same stream as a connection may cut it into reads.
#![allow(clippy::indexing_slicing)]

use super::Error;

/// What a connection made of a stream: the requests in order, and the error that closed it, if one did.
pub(super) type Outcome<T> = (Vec<T>, Option<Error>);

/// Decodes one request behind the other from all bytes at once.
pub(super) fn decode_whole<T>(
    stream: &[u8],
    decode: impl Fn(&[u8]) -> Result<Option<(T, usize)>, Error>,
) -> Outcome<T> {
    let mut requests = Vec::new();
    let error = drain(&mut stream.to_vec(), &mut requests, &decode);
    (requests, error)
}

/// Decodes as a connection does: append a piece, take what is complete, read on. Sizes of pieces are used in turn.
pub(super) fn decode_cut<T>(
    stream: &[u8],
    sizes: &[usize],
    decode: impl Fn(&[u8]) -> Result<Option<(T, usize)>, Error>,
) -> Outcome<T> {
    let (mut buffer, mut requests, mut rest) = (Vec::new(), Vec::new(), stream);
    let mut sizes = sizes.iter().cycle();
    while !rest.is_empty() {
        let size = sizes.next().copied().unwrap_or(1).clamp(1, rest.len());
        buffer.extend_from_slice(&rest[..size]);
        rest = &rest[size..];
        if let Some(error) = drain(&mut buffer, &mut requests, &decode) {
            return (requests, Some(error));
        }
    }
    (requests, None)
}

fn drain<T>(
    buffer: &mut Vec<u8>,
    requests: &mut Vec<T>,
    decode: &impl Fn(&[u8]) -> Result<Option<(T, usize)>, Error>,
) -> Option<Error> {
    loop {
        match decode(buffer) {
            Ok(None) => return None,
            Ok(Some((request, consumed))) => {
                assert!(consumed > 0, "a request of no bytes would be decoded for ever");
                requests.push(request);
                buffer.drain(..consumed);
            }
            Err(error) => return Some(error),
        }
    }
}
