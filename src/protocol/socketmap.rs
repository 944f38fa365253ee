//! Socketmap requests: the payload of a netstring, `<map> <key>`.
//!
//! Promises: the map name ends at the first space and everything behind that space is the key, as Postfix writes it
//! (`util/dict_sockmap.c:dict_sockmap_lookup`); nothing is trimmed, folded or converted. A second space therefore belongs to
//! the key, where it makes no valid name.
//!
//! Refuses nothing: a well-framed request always gets a reply, so an unknown map, a missing key and a key that is no name
//! are the answer's to refuse with `PERM`.

/// The longest key that Postfix asks for: `socketmap_max_query_size`, a setting since 3.12 and unlimited before. Postfix
/// takes a longer key for *not found* without asking.
pub const KEY_LIMIT: usize = 10_000;

/// The longest map name, ours to choose: those that exist have at most 9 bytes, and a wrong one deserves a reply too.
pub const MAP_LIMIT: usize = 64;

/// The longest payload of a request netstring: map name, space, key. One that announces more closes the connection.
pub const REQUEST_LIMIT: usize = MAP_LIMIT + 1 + KEY_LIMIT;

/// The longest payload of a reply netstring. Ours: a connector with a bigger reply is refused when the configuration is
/// loaded. Postfix defers at more than 100 000 (`socketmap_max_reply_size`).
pub const REPLY_LIMIT: usize = 60_000;

/// One question for a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request<'a> {
    /// The map's name, as sent; may be empty.
    pub map: &'a [u8],
    /// What is looked up, as sent; may be empty. `None` if there was no space behind the map's name.
    pub key: Option<&'a [u8]>,
}

impl<'a> Request<'a> {
    /// Splits the payload of a netstring at its first space.
    #[must_use]
    pub fn parse(payload: &'a [u8]) -> Self {
        let mut halves = payload.splitn(2, |&byte| byte == b' ');
        Self { map: halves.next().unwrap_or_default(), key: halves.next() }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::type_complexity)]

    use proptest::prelude::*;

    use super::super::netstring;
    use super::*;

    #[test]
    fn s1_to_s9_frames_split_at_the_first_space() {
        let table: &[(&str, &[u8], &[u8], Option<&[u8]>)] = &[
            ("n1", b"20:outbound example.com,", b"outbound", Some(b"example.com")),
            ("n empty", b"0:,", b"", None),
            ("s1 other map", b"17:other example.com,", b"other", Some(b"example.com")),
            ("s1 case of the map", b"20:OUTBOUND example.com,", b"OUTBOUND", Some(b"example.com")),
            ("s2 no space", b"8:outbound,", b"outbound", None),
            ("s2 no key", b"9:outbound ,", b"outbound", Some(b"")),
            ("s2 two spaces", b"21:outbound  example.com,", b"outbound", Some(b" example.com")),
            ("s2 space before", b"21: outbound example.com,", b"", Some(b"outbound example.com")),
            ("s3 case of the key", b"20:outbound EXAMPLE.COM,", b"outbound", Some(b"EXAMPLE.COM")),
            ("s3 trailing dot", b"21:outbound example.com.,", b"outbound", Some(b"example.com.")),
            ("s4 parent", b"21:outbound .example.com,", b"outbound", Some(b".example.com")),
            ("s5 lone dot", b"10:outbound .,", b"outbound", Some(b".")),
            (
                "s6 u-label",
                b"24:outbound b\xc3\xbccher.example,",
                b"outbound",
                Some(b"b\xc3\xbccher.example"),
            ),
            ("s7 port", b"29:outbound [mx.example.com]:587,", b"outbound", Some(b"[mx.example.com]:587")),
            ("s7 ipv6", b"30:outbound [IPv6:2001:db8::1]:25,", b"outbound", Some(b"[IPv6:2001:db8::1]:25")),
            ("s8 NUL", b"20:outbound exam\x00le.com,", b"outbound", Some(b"exam\x00le.com")),
            ("s8 line feed", b"20:outbound example\ncom,", b"outbound", Some(b"example\ncom")),
            ("s8 CRLF", b"22:outbound example.com\r\n,", b"outbound", Some(b"example.com\r\n")),
            ("s8 comma", b"21:outbound example.com,,", b"outbound", Some(b"example.com,")),
            (
                "s8 two names",
                b"30:outbound example.com other.com,",
                b"outbound",
                Some(b"example.com other.com"),
            ),
            ("s9 not UTF-8", b"15:outbound \xff\xfe.com,", b"outbound", Some(b"\xff\xfe.com")),
            ("tab is no space", b"11:outbound\tab,", b"outbound\tab", None),
        ];
        for (name, wire, map, key) in table {
            let frame = netstring::decode(wire, REQUEST_LIMIT).unwrap().unwrap();
            assert_eq!(frame.consumed, wire.len(), "{name}");
            assert_eq!(Request::parse(frame.payload), Request { map, key: *key }, "{name}");
        }
    }

    #[test]
    fn s9_longest_key_fits_its_frame() {
        let payload = [&[b'm'; MAP_LIMIT][..], b" ", &[b'k'; KEY_LIMIT]].concat();
        let mut wire = Vec::new();
        netstring::encode(&payload, &mut wire);
        let frame = netstring::decode(&wire, REQUEST_LIMIT).unwrap().unwrap();
        assert_eq!(Request::parse(frame.payload).key.unwrap().len(), KEY_LIMIT);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_or_added(payload in prop::collection::vec(prop_oneof![Just(b' '), any::<u8>()], 0..40)) {
            let request = Request::parse(&payload);
            prop_assert!(!request.map.contains(&b' '));
            let joined = match request.key {
                Some(key) => [request.map, b" ", key].concat(),
                None => request.map.to_vec(),
            };
            prop_assert_eq!(joined, payload);
        }
    }
}
