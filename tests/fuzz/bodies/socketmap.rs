//! Map lookups: every request of a stream gets the one reply that is right, in words of the closed list.

use connectord::answer::{self, Answered as _};
use connectord::protocol::socketmap::{REPLY_LIMIT, REQUEST_LIMIT, Request};
use connectord::protocol::{Error, netstring};
use connectord::snapshot::Snapshot;

use super::site::{Site, sites};
use super::{naive, stream, vocabulary};

/// Answers a stream of framed requests, and the bytes as they are as one request and as a key of each map.
pub fn socketmap(data: &[u8]) {
    for site in sites() {
        let (replies, _) = stream::requests(data, |buffer| answered(&site.snapshot, buffer));
        for reply in replies {
            let frame =
                netstring::decode(&reply, REPLY_LIMIT).expect("a reply is framed").expect("and whole");
            assert_eq!(frame.consumed, reply.len());
        }
        if data.len() <= REQUEST_LIMIT {
            right(site, Request::parse(data));
        }
        for map in [&b"tls"[..], b"transport"] {
            right(site, Request { map, key: Some(data) });
        }
    }
}

/// As a connection does it: the reply to the request that a buffer begins with.
fn answered(snapshot: &Snapshot, buffer: &[u8]) -> Result<Option<(Vec<u8>, usize)>, Error> {
    let Some(frame) = netstring::decode(buffer, REQUEST_LIMIT)? else {
        return Ok(None);
    };
    let request = Request::parse(frame.payload);
    let payload = answer::socketmap(snapshot, request.map, request.key).reply.payload();
    vocabulary::socketmap(request.map, &payload);
    let mut reply = Vec::new();
    netstring::encode(payload.as_bytes(), &mut reply);
    Ok(Some((reply, frame.consumed)))
}

/// The reply is the one that is written down, and `NOTFOUND` only where nobody is covered.
fn right(site: &Site, request: Request<'_>) {
    let lookup = answer::socketmap(&site.snapshot, request.map, request.key);
    let payload = lookup.reply.payload();
    vocabulary::socketmap(request.map, &payload);
    let expected = match (request.map, request.key) {
        (b"tls", Some(key)) => tls(site, key),
        (b"transport", Some(key)) => Some(transport(site, key)),
        _ => None,
    };
    match expected {
        Some(expected) => assert_eq!(payload, expected, "{}", request.map.escape_ascii()),
        None => assert!(payload.starts_with("PERM "), "{payload}"),
    }
    assert_eq!(lookup.applies.is_empty(), !payload.starts_with("OK "), "{payload}");
}

/// `None` for a key that is none.
fn tls(site: &Site, key: &[u8]) -> Option<String> {
    let key = std::str::from_utf8(key).ok()?;
    let found = if let Some(parent) = key.strip_prefix('.') {
        naive::name(parent)?;
        None
    } else {
        site.tls(&naive::next_hop(key)?)
    };
    Some(payload(found))
}

/// Whatever is no address of a partner is nobody's.
fn transport(site: &Site, key: &[u8]) -> String {
    let address = std::str::from_utf8(key).ok().filter(|key| key.contains('@'));
    let name = address.and_then(naive::domain_of).and_then(naive::name);
    payload(name.and_then(|name| site.transport(&name)))
}

fn payload(found: Option<&str>) -> String {
    found.map_or("NOTFOUND ".to_owned(), |value| format!("OK {value}"))
}
