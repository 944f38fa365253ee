//! For tests: what real Postfix wrote decodes, whole and in pieces, to what it meant.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::type_complexity)]

use super::{netstring, pieces, policy, socketmap, xtext};

macro_rules! capture {
    ($path:literal) => {
        ($path, include_bytes!(concat!("../../tests/captures/", $path)).as_slice())
    };
}

const POLICY: [(&str, &[u8]); 11] = [
    capture!("policy/postfix-3.7-plaintext.raw"),
    capture!("policy/postfix-3.7-tls13-cert-utf8-cn.raw"),
    capture!("policy/postfix-3.10-plaintext.raw"),
    capture!("policy/postfix-3.10-tls13-cert-utf8-cn.raw"),
    capture!("policy/postfix-3.10-tls13-cert-special-cn.raw"),
    capture!("policy/postfix-3.10-tls13-cert-self-signed.raw"),
    capture!("policy/postfix-3.10-quoted-sender.raw"),
    capture!("policy/postfix-3.10-eai-sender.raw"),
    capture!("policy/postfix-3.10-null-sender.raw"),
    capture!("policy/postfix-3.10-two-rcpts.raw"),
    capture!("policy/postfix-3.10-every-stage-tls-cert.raw"),
];

fn capture(path: &str) -> &'static [u8] {
    POLICY.iter().find(|(name, _)| *name == path).unwrap().1
}

/// All requests of a capture, which must decode to its last byte.
fn requests(mut bytes: &[u8]) -> Vec<policy::Request<'_>> {
    let mut requests = Vec::new();
    while !bytes.is_empty() {
        let (request, consumed) = policy::decode(bytes).unwrap().unwrap();
        requests.push(request);
        bytes = &bytes[consumed..];
    }
    requests
}

/// What stands behind `name=` in the text of a request, found without our decoder.
fn looked_up<'a>(text: &'a str, name: &str) -> &'a [u8] {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).unwrap().as_bytes()
}

#[test]
fn policy_requests_are_what_a_plain_search_finds() {
    for (path, bytes) in POLICY {
        let text = str::from_utf8(bytes).unwrap();
        let texts: Vec<_> = text.split_terminator("\n\n").collect();
        let requests = requests(bytes);
        assert_eq!(requests.len(), texts.len(), "{path}");
        for (request, text) in requests.iter().zip(texts) {
            for (name, value) in [
                ("protocol_state", request.protocol_state),
                ("client_address", request.client_address),
                ("helo_name", request.helo_name),
                ("sender", request.sender),
                ("recipient", request.recipient),
                ("recipient_count", request.recipient_count),
                ("queue_id", request.queue_id),
                ("instance", request.instance),
                ("sasl_username", request.sasl_username),
                ("ccert_subject", request.ccert_subject),
                ("ccert_issuer", request.ccert_issuer),
                ("ccert_fingerprint", request.ccert_fingerprint),
                ("ccert_pubkey_fingerprint", request.ccert_pubkey_fingerprint),
                ("encryption_protocol", request.encryption_protocol),
            ] {
                assert_eq!(value, looked_up(text, name), "{path} {name}");
            }
        }
    }
}

#[test]
fn policy_sender_is_taken_whole() {
    for (path, sender) in [
        ("policy/postfix-3.10-quoted-sender.raw", "b o=b@partner.example"),
        ("policy/postfix-3.10-eai-sender.raw", "jürgen@münchen.example"),
        ("policy/postfix-3.10-null-sender.raw", ""),
        ("policy/postfix-3.7-plaintext.raw", "bob@partner.example"),
    ] {
        let requests = requests(capture(path));
        assert_eq!(requests.len(), 1, "{path}");
        assert_eq!(requests[0].sender, sender.as_bytes(), "{path}");
        assert_eq!(requests[0].recipient, b"carol@our.example", "{path}");
    }
}

#[test]
fn policy_certificate_names_are_xtext() {
    for (path, subject) in [
        ("policy/postfix-3.7-tls13-cert-utf8-cn.raw", "Bänk Zürich"),
        ("policy/postfix-3.10-tls13-cert-utf8-cn.raw", "Bänk Zürich"),
        ("policy/postfix-3.10-tls13-cert-special-cn.raw", "A+B=C, 100% <x@y> \"q\""),
    ] {
        let request = requests(capture(path))[0];
        assert_eq!(xtext::decode(request.ccert_subject).unwrap().as_slice(), subject.as_bytes(), "{path}");
        assert_eq!(xtext::decode(request.ccert_issuer).unwrap().as_slice(), b"Lab Partner CA", "{path}");
        assert_eq!(request.encryption_protocol, b"TLSv1.3", "{path}");
    }
}

#[test]
fn policy_untrusted_certificate_has_digests_only() {
    let request = requests(capture("policy/postfix-3.10-tls13-cert-self-signed.raw"))[0];
    assert_eq!((request.ccert_subject, request.ccert_issuer), (&b""[..], &b""[..]));
    for digest in [request.ccert_fingerprint, request.ccert_pubkey_fingerprint] {
        assert_eq!(digest.len(), 32 * 3 - 1);
    }
}

#[test]
fn policy_sessions_are_pipelines() {
    let two = requests(capture("policy/postfix-3.10-two-rcpts.raw"));
    assert_eq!(
        two.iter().map(|request| request.recipient).collect::<Vec<_>>(),
        [&b"carol@our.example"[..], b"dave@our.example"]
    );
    assert_eq!(two[0].instance, two[1].instance);
    assert!(two[0].queue_id.is_empty() && !two[1].queue_id.is_empty());

    let stages = requests(capture("policy/postfix-3.10-every-stage-tls-cert.raw"));
    let states: Vec<_> =
        stages.iter().map(|request| str::from_utf8(request.protocol_state).unwrap()).collect();
    assert_eq!(states, ["CONNECT", "EHLO", "EHLO", "MAIL", "RCPT", "RCPT", "DATA", "END-OF-MESSAGE"]);
    let tls: Vec<_> = stages.iter().map(|request| !request.encryption_protocol.is_empty()).collect();
    assert_eq!(tls, [false, false, true, true, true, true, true, true]);
    assert_eq!(stages[6].recipient_count, b"2");
}

const SOCKETMAP: [((&str, &[u8]), &[&str]); 7] = [
    (capture!("socketmap/postfix-3.7-plain-domain.raw"), &["good.example", ".example"]),
    (capture!("socketmap/postfix-3.10-plain-domain.raw"), &["good.example", ".example"]),
    (capture!("socketmap/postfix-3.10-uppercase.raw"), &["GOOD.Example", ".Example"]),
    (
        capture!("socketmap/postfix-3.10-deep-subdomain.raw"),
        &["a.b.good.example", ".b.good.example", ".good.example", ".example"],
    ),
    (capture!("socketmap/postfix-3.10-idn-ulabel.raw"), &["münchen.example", ".example"]),
    (capture!("socketmap/postfix-3.10-literal-ipv6.raw"), &["[IPv6:2001:db8::10]"]),
    (
        capture!("socketmap/postfix-3.10-transport-bracket-host-service.raw"),
        &["[mx.good.example]:submission"],
    ),
];

#[test]
fn socketmap_keys_are_as_postfix_asked() {
    for ((path, mut bytes), expected) in SOCKETMAP {
        let mut keys = Vec::new();
        while !bytes.is_empty() {
            let frame = netstring::decode(bytes, socketmap::REQUEST_LIMIT).unwrap().unwrap();
            let request = socketmap::Request::parse(frame.payload);
            assert_eq!(request.map, b"TLSPOLICY", "{path}");
            keys.push(str::from_utf8(request.key.unwrap()).unwrap());
            bytes = &bytes[frame.consumed..];
        }
        assert_eq!(keys, expected, "{path}");
    }
}

#[test]
fn cutting_changes_nothing() {
    let policy = |bytes: &[u8]| {
        Ok(policy::decode(bytes)?.map(|(request, consumed)| (format!("{request:?}"), consumed)))
    };
    let frame = |bytes: &[u8]| {
        Ok(netstring::decode(bytes, socketmap::REQUEST_LIMIT)?
            .map(|frame| (frame.payload.to_vec(), frame.consumed)))
    };
    for size in [1, 2, 3, 7, 64, 1000] {
        for (path, bytes) in POLICY {
            assert_eq!(
                pieces::decode_cut(bytes, &[size], policy),
                pieces::decode_whole(bytes, policy),
                "{path}"
            );
        }
        for ((path, bytes), _) in SOCKETMAP {
            assert_eq!(
                pieces::decode_cut(bytes, &[size], frame),
                pieces::decode_whole(bytes, frame),
                "{path}"
            );
        }
    }
}
