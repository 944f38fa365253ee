//! A stream of requests, whole and as a connection may cut it into reads.

use std::fmt::Debug;

use super::{Error, pieces};

/// Decodes all requests of a stream, and says that they and the error at their end are the same however it is cut.
pub fn requests<T: Debug + PartialEq>(
    stream: &[u8],
    decode: impl Fn(&[u8]) -> Result<Option<(T, usize)>, Error>,
) -> (Vec<T>, Option<Error>) {
    let whole = pieces::decode_whole(stream, &decode);
    assert_eq!(
        pieces::decode_cut(stream, &cuts(stream), &decode),
        whole,
        "cutting the stream changed something"
    );
    whole
}

/// Sizes of pieces that depend on the bytes alone: of one byte on, and not too many for a long stream.
fn cuts(stream: &[u8]) -> [usize; 8] {
    // FNV-1a.
    let hash = stream.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let longest = (stream.len() / 8).clamp(4, 256);
    hash.to_be_bytes().map(|byte| usize::from(byte) % longest + 1)
}
