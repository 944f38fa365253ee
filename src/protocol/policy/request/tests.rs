#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::type_complexity)]

use proptest::prelude::*;

use super::super::super::pieces;
use super::*;

const FIRST: &str = "request=smtpd_access_policy\n";

/// A request with `lines` behind its first one.
fn wire(lines: &str) -> Vec<u8> {
    format!("{FIRST}{lines}\n").into_bytes()
}

/// What must be the same however the bytes came: every field, and the bytes it took.
fn owned(buffer: &[u8]) -> Result<Option<(Vec<Vec<u8>>, usize)>, Error> {
    Ok(decode(buffer)?
        .map(|(request, consumed)| (fields(&request).map(|(_, value)| value.to_vec()).to_vec(), consumed)))
}

fn fields<'a>(request: &Request<'a>) -> [(&'static str, &'a [u8]); 14] {
    [
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
    ]
}

#[test]
fn p_each_attribute_has_its_own_field() {
    let names = fields(&Request::default()).map(|(name, _)| name);
    for order in [names.to_vec(), names.iter().rev().copied().collect()] {
        let lines: String = order.iter().map(|name| format!("{name}=<{name}>\n")).collect();
        // `request` last is as good as first.
        let bytes = format!("{lines}{FIRST}\n").into_bytes();
        let (request, consumed) = decode(&bytes).unwrap().unwrap();
        assert_eq!(consumed, bytes.len());
        for (name, value) in fields(&request) {
            assert_eq!(value, format!("<{name}>").as_bytes());
        }
    }
}

#[test]
fn p_values_are_taken_as_sent() {
    let table: &[(&str, &str, &str)] = &[
        ("empty", "sender=\n", ""),
        ("absent", "", ""),
        ("equals inside", "sender=b o=b@partner.example\n", "b o=b@partner.example"),
        ("equals alone", "sender==\n", "="),
        ("blanks kept", "sender= a \n", " a "),
        ("UTF-8", "sender=jürgen@münchen.example\n", "jürgen@münchen.example"),
        ("unknown attribute", "a=b=c\nsender=x\n", "x"),
        ("unknown attribute twice", "a=b\na=b\nsender=x\n", "x"),
        ("unknown attribute without a value", "policy_context=\nsender=x\n", "x"),
        ("name in another case is another name", "Sender=y\nsender=x\nSENDER=z\n", "x"),
        ("blank before the equals sign is another name", "sender =y\nsender=x\n", "x"),
        ("a longer and a shorter name", "sender_=y\nsende=z\nsender=x\n", "x"),
        ("a value that looks like an attribute", "helo_name=sender=y\nsender=x\n", "x"),
    ];
    for (name, lines, sender) in table {
        let bytes = wire(lines);
        let (request, consumed) = decode(&bytes).unwrap().unwrap();
        assert_eq!((request.sender, consumed), (sender.as_bytes(), bytes.len()), "{name}");
    }
    let bytes = [FIRST.as_bytes(), b"sender=\xff\xfe\n\n"].concat();
    assert_eq!(decode(&bytes).unwrap().unwrap().0.sender, b"\xff\xfe", "not UTF-8");
}

#[test]
fn p_absent_attributes_are_the_weakest() {
    let bytes = wire("");
    assert_eq!(decode(&bytes).unwrap().unwrap().0, Request::default());
}

#[test]
fn p_refused() {
    let table: &[(&str, Vec<u8>, Error)] = &[
        ("empty request", b"\n".to_vec(), Error::RequestEmpty),
        ("two line feeds", b"\n\n".to_vec(), Error::RequestEmpty),
        ("no request=", b"sender=x\n\n".to_vec(), Error::ServiceMissing),
        ("another service", b"request=smtpd_relay_policy\n\n".to_vec(), Error::ServiceUnknown),
        ("another service, not ended", b"request=x\nsend".to_vec(), Error::ServiceUnknown),
        ("service in another case", b"request=SMTPD_ACCESS_POLICY\n\n".to_vec(), Error::ServiceUnknown),
        ("service with a blank", b"request=smtpd_access_policy \n\n".to_vec(), Error::ServiceUnknown),
        ("no service", b"request=\n\n".to_vec(), Error::ServiceUnknown),
        ("request= twice", wire(FIRST), Error::AttributeTwice("request")),
        ("twice", wire("sender=a\nsender=b\n"), Error::AttributeTwice("sender")),
        ("twice the same", wire("sender=a\nsender=a\n"), Error::AttributeTwice("sender")),
        (
            "twice, first empty",
            wire("ccert_subject=\nccert_subject=x\n"),
            Error::AttributeTwice("ccert_subject"),
        ),
        (
            "twice, second empty",
            wire("ccert_issuer=x\nccert_issuer=\n"),
            Error::AttributeTwice("ccert_issuer"),
        ),
        (
            "twice, far apart",
            wire("instance=1\na=b\nqueue_id=\ninstance=1\n"),
            Error::AttributeTwice("instance"),
        ),
        ("no equals sign", wire("sender\n"), Error::EqualsMissing),
        ("blank line that is not empty", wire(" \n"), Error::EqualsMissing),
        ("p3 CRLF", b"request=smtpd_access_policy\r\n\r\n".to_vec(), Error::CarriageReturn),
        ("p3 CRLF in the empty line only", wire("sender=x\n\r\n"), Error::CarriageReturn),
        ("p3 CR inside", wire("sender=a\rb\n"), Error::CarriageReturn),
        ("p3 CR, line not ended", b"request=\r".to_vec(), Error::CarriageReturn),
        ("p4 NUL inside", wire("sender=a@partner.example\0b\n"), Error::Nul),
        ("p4 NUL in a name", wire("sen\0der=x\n"), Error::Nul),
        ("p4 NUL in an unknown attribute", wire("a=\0\n"), Error::Nul),
        ("HTTP", b"GET / HTTP/1.1\r\n".to_vec(), Error::CarriageReturn),
        ("TLS", b"\x16\x03\x01\x02\x00\x01".to_vec(), Error::Nul),
        ("SMTP with a bare LF", b"EHLO client.example\n".to_vec(), Error::EqualsMissing),
    ];
    for (name, bytes, error) in table {
        assert_eq!(decode(bytes), Err(*error), "{name}");
    }
}

#[test]
fn p3_p4_forbidden_bytes_are_found_wherever_they_stand() {
    for at in 0..3 * NAME_LIMIT {
        for (byte, error) in [(b'\r', Error::CarriageReturn), (b'\0', Error::Nul)] {
            let mut line = format!("sender={}\n", "x".repeat(3 * NAME_LIMIT)).into_bytes();
            line[at] = byte;
            let bytes = [FIRST.as_bytes(), &line, b"\n"].concat();
            assert_eq!(decode(&bytes), Err(error), "{at}");
            assert_eq!(decode(&bytes[..=FIRST.len() + at]), Err(error), "{at}, at once");
        }
    }
}

#[test]
fn p_every_attribute_is_refused_twice() {
    for (name, _) in fields(&Request::default()) {
        let bytes = wire(&format!("{name}=x\n{name}=\n"));
        assert_eq!(decode(&bytes), Err(Error::AttributeTwice(name)));
    }
}

#[test]
fn p_faults_of_the_next_request_are_its_own() {
    let mut bytes = wire("sender=a\n");
    let first = bytes.len();
    bytes.extend_from_slice(b"\r\n\0no equals\n");
    assert_eq!(decode(&bytes).unwrap().unwrap().1, first);
    assert_eq!(decode(&bytes[first..]), Err(Error::CarriageReturn));
}

#[test]
fn p7_limits() {
    assert_eq!(REQUEST_LIMIT, 65_536, "64 KiB, as the manual says");
    let long = Error::RequestTooLong { limit: REQUEST_LIMIT };
    let padded = |length: usize| {
        let value = length - wire("sender=\n").len();
        wire(&format!("sender={}\n", "x".repeat(value)))
    };
    let longest = padded(REQUEST_LIMIT);
    assert_eq!(longest.len(), REQUEST_LIMIT);
    assert_eq!(decode(&longest).unwrap().unwrap().1, REQUEST_LIMIT);
    assert_eq!(decode(&longest[..REQUEST_LIMIT - 1]), Ok(None));
    assert_eq!(decode(&padded(REQUEST_LIMIT + 1)), Err(long));
    assert_eq!(decode(&padded(REQUEST_LIMIT + 1)[..REQUEST_LIMIT]), Err(long), "without waiting for more");

    let many = Error::TooManyAttributes { limit: ATTRIBUTE_LIMIT };
    assert!(decode(&wire(&"a=b\n".repeat(ATTRIBUTE_LIMIT - 1))).unwrap().is_some());
    assert_eq!(decode(&wire(&"a=b\n".repeat(ATTRIBUTE_LIMIT))), Err(many));
    assert_eq!(decode(&[FIRST.as_bytes(), &b"a=b\n".repeat(ATTRIBUTE_LIMIT - 1), b"a"].concat()), Err(many));

    let name = Error::NameTooLong { limit: NAME_LIMIT };
    let longest = "n".repeat(NAME_LIMIT);
    assert!(decode(&wire(&format!("{longest}=x\n"))).unwrap().is_some());
    assert_eq!(decode(&wire(&format!("{longest}n=x\n"))), Err(name));
    assert_eq!(decode(longest.as_bytes()), Ok(None));
    assert_eq!(decode(format!("{longest}n").as_bytes()), Err(name), "without waiting for its end");
}

/// Streams of requests, good and nearly good, so that the properties reach behind the first line.
fn streams() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        8 => "(sender|recipient|instance|ccert_subject|a|b)=[a-z= @]{0,12}\n",
        2 => "[a-z]{60,66}=?x?\n",
        1 => "a=[a-z]{60,70}[\r\x00]?[a-z]{0,9}\n",
        1 => "[a-z\r\x00= \n]{0,6}",
    ];
    let request = (prop::bool::weighted(0.9), prop::collection::vec(line, 0..4))
        .prop_map(|(first, lines)| format!("{}{}\n", if first { FIRST } else { "" }, lines.concat()));
    prop::collection::vec(request, 0..5).prop_map(|requests| requests.concat().into_bytes())
}

/// Bytes of which some differ in a single bit, and some in the highest.
fn near() -> impl Strategy<Value = u8> {
    prop_oneof![0..4_u8, 0x7e..0x84_u8]
}

proptest! {
    #[test]
    fn the_quick_look_takes_what_is_in_order_and_nothing_else(stream in streams()) {
        let judged = judge(&stream);
        prop_assert_eq!(decode_whole(&stream), judged.unwrap_or_default());
        prop_assert_eq!(decode(&stream), judged);
    }

    #[test]
    fn p_it_is_cut_before_the_first_such_byte(bytes in prop::collection::vec(prop_oneof![near(), any::<u8>()], 0..40), before in [near(), near()]) {
        let at = |wanted: &[u8]| bytes.iter().position(|byte| wanted.contains(byte)).map(|at| bytes.split_at(at));
        prop_assert_eq!(cut(&bytes, before), at(&before));
        prop_assert_eq!(cut(&bytes, [before[0]]), at(&before[..1]));
    }

    #[test]
    fn p_cutting_changes_nothing(stream in streams(), cuts in prop::collection::vec(1..70usize, 1..20)) {
        prop_assert_eq!(pieces::decode_cut(&stream, &cuts, owned), pieces::decode_whole(&stream, owned));
    }

    #[test]
    fn p_pipelined_requests_are_independent(senders in prop::collection::vec("[ -~]{0,20}", 1..6)) {
        let stream: Vec<u8> = senders.iter().flat_map(|sender| wire(&format!("sender={sender}\n"))).collect();
        let (requests, error) = pieces::decode_whole(&stream, owned);
        prop_assert_eq!(error, None);
        let read: Vec<_> = requests.into_iter().map(|fields| String::from_utf8(fields[3].clone()).unwrap()).collect();
        prop_assert_eq!(read, senders);
    }

    /// Whatever is accepted: written again as a request, it decodes to the same fields.
    #[test]
    fn what_is_accepted_survives_writing_it_again(stream in streams()) {
        if let Ok(Some((request, _))) = decode(&stream) {
            let mut again = FIRST.as_bytes().to_vec();
            for (name, value) in fields(&request) {
                again.extend_from_slice(&[name.as_bytes(), b"=", value, b"\n"].concat());
            }
            again.push(b'\n');
            prop_assert_eq!(decode(&again), Ok(Some((request, again.len()))));
        }
    }

    #[test]
    fn arbitrary_bytes_do_not_panic(bytes in any::<Vec<u8>>()) {
        if let Ok(Some((_, consumed))) = decode(&bytes) {
            prop_assert!(consumed <= bytes.len());
        }
    }
}
