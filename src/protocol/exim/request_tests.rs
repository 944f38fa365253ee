//! Lines that Exim writes, and lines that somebody else would like to be taken for them.

#![allow(clippy::unwrap_used)]

use std::borrow::Cow;

use proptest::prelude::*;

use super::super::super::pieces;
use super::*;

fn out<'a>(domain: &'a str, sender: &'a str) -> Request<'a> {
    Request::Out(OutRequest {
        domain: Cow::Borrowed(domain.as_bytes()),
        sender: Cow::Borrowed(sender.as_bytes()),
    })
}

/// Exim's `${quote:}` (expand.c, EOP_QUOTE).
fn quote(value: &[u8]) -> Vec<u8> {
    let bare = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.".contains(byte);
    if !value.is_empty() && value.iter().all(bare) {
        return value.to_vec();
    }
    let mut quoted = vec![b'"'];
    for &byte in value {
        match byte {
            b'\n' => quoted.extend(b"\\n"),
            b'\r' => quoted.extend(b"\\r"),
            b'"' | b'\\' => quoted.extend([b'\\', byte]),
            _ => quoted.push(byte),
        }
    }
    quoted.push(b'"');
    quoted
}

#[test]
fn read() {
    let mail = MailRequest {
        ip: Cow::Borrowed(b"2001:db8::1"),
        helo: Cow::Borrowed(b"out.partner.example"),
        sender: Cow::Borrowed(b"bob@partner.example"),
        proto: Cow::Borrowed(b"TLS1.3"),
        verified: true,
        der: b"\x30\x00".to_vec(),
        ..MailRequest::default()
    };
    let empty = MailRequest { proto: Cow::default(), verified: false, der: Vec::new(), ..mail.clone() };
    let whole = "in ip=2001:db8::1 helo=out.partner.example sender=\"bob@partner.example\"";
    let table: Vec<(&str, String, Request<'_>)> = vec![
        ("out", "out domain=contoso.com sender=us.example".into(), out("contoso.com", "us.example")),
        (
            "order of keys",
            "out sender=us.example domain=contoso.com".into(),
            out("contoso.com", "us.example"),
        ),
        ("null sender", "out domain=contoso.com sender=\"\"".into(), out("contoso.com", "")),
        ("empty without quotes", "out domain=contoso.com sender=".into(), out("contoso.com", "")),
        ("UTF-8", "out domain=\"bücher.example\" sender=\"\"".into(), out("bücher.example", "")),
        ("literal", "out domain=\"[192.0.2.1]\" sender=\"\"".into(), out("[192.0.2.1]", "")),
        ("escapes", r#"out domain="a\"b\\c\nd\re" sender="x y=z""#.into(), out("a\"b\\c\nd\re", "x y=z")),
        (
            "an attack that was quoted",
            r#"out domain="x\nout domain=evil.example" sender="\" domain=evil.example""#.into(),
            out("x\nout domain=evil.example", "\" domain=evil.example"),
        ),
        ("in", format!("{whole} proto=\"TLS1.3\" cv=1 der=MAA="), Request::In(mail.clone())),
        (
            "in with all",
            format!(
                "{whole} proto=TLS1.3 cipher=\"a:b\" bits=256 sni=\"\" cv=1 der=MAA= id=1abc-2 recipient=\"a@b\""
            ),
            Request::In(MailRequest {
                recipient: Some(Cow::Borrowed(b"a@b")),
                id: Some(Cow::Borrowed(b"1abc-2")),
                ..mail.clone()
            }),
        ),
        ("in plaintext", format!("{whole} proto=\"\" cv=0 der="), Request::In(empty.clone())),
        ("cv empty", format!("{whole} proto=\"\" cv= der="), Request::In(empty)),
        (
            "cert",
            "cert domain=a.b host=mx.a.b answer=\"status=ok tls=cert end=ok \" der=MAA=".into(),
            Request::Certificate(CertificateRequest {
                domain: Cow::Borrowed(b"a.b"),
                host: Cow::Borrowed(b"mx.a.b"),
                answer: Cow::Borrowed(b"status=ok tls=cert end=ok "),
                der: b"\x30\x00".to_vec(),
            }),
        ),
    ];
    for (name, line, expected) in table {
        let line = line + "\n";
        assert_eq!(decode(line.as_bytes()), Ok(Some((expected, line.len()))), "{name}");
    }
}

#[test]
fn refused() {
    let mail = "in ip=1.2.3.4 helo=x sender=y proto=\"\" cv=0";
    let table: Vec<(&str, String, Error)> = vec![
        ("nothing", "".into(), Error::VerbUnknown),
        ("unknown verb", "get domain=a sender=b".into(), Error::VerbUnknown),
        ("case of the verb", "OUT domain=a sender=b".into(), Error::VerbUnknown),
        ("another protocol", "15:tls contoso.com,".into(), Error::LineMalformed),
        ("policy delegation", "request=smtpd_access_policy".into(), Error::VerbUnknown),
        ("HTTP", "GET / HTTP/1.1".into(), Error::LineMalformed),
        ("no key", "out".into(), Error::KeyMissing("domain")),
        ("missing", "out domain=a".into(), Error::KeyMissing("sender")),
        ("unknown", "out domain=a sender=b x=c".into(), Error::KeyUnknown),
        ("case of a key", "out Domain=a sender=b".into(), Error::KeyMissing("domain")),
        ("of another verb", "out domain=a sender=b cv=1".into(), Error::KeyUnknown),
        ("twice", "out domain=a domain=a sender=b".into(), Error::KeyTwice("domain")),
        ("unknown twice", "out domain=a sender=b x=1 x=1".into(), Error::KeyUnknown),
        ("idle twice", format!("{mail} der= bits=1 bits=2"), Error::KeyTwice("bits")),
        ("two spaces", "out  domain=a sender=b".into(), Error::LineMalformed),
        ("space in front", " out domain=a sender=b".into(), Error::LineMalformed),
        ("space behind", "out domain=a sender=b ".into(), Error::LineMalformed),
        ("tab", "out\tdomain=a sender=b".into(), Error::VerbUnknown),
        ("no value", "out domain sender=b".into(), Error::LineMalformed),
        ("quote left open", "out domain=a sender=\"b".into(), Error::LineMalformed),
        ("backslash at the end", "out domain=a sender=\"b\\".into(), Error::LineMalformed),
        ("another escape", r#"out domain="\x41" sender=b"#.into(), Error::LineMalformed),
        ("glued", "out domain=\"a\"sender=b".into(), Error::LineMalformed),
        ("a value that needs quotes", "out domain=a@b sender=b".into(), Error::LineMalformed),
        ("NUL", "out domain=\"a\0\" sender=b".into(), Error::LineNul),
        ("carriage return", "out domain=a sender=b\r".into(), Error::LineCarriageReturn),
        ("behind the line", "out domain=a sender=b\nx".into(), Error::LineTrailing),
        ("two lines", "out domain=a sender=b\nout domain=c sender=d".into(), Error::LineTrailing),
        ("cv", format!("{mail}1 der="), Error::LineMalformed),
        ("base64 without padding", format!("{mail} der=MAA"), Error::Base64),
        ("base64 with white space", format!("{mail} der=\"MA A=\""), Error::Base64),
        ("base64 of another alphabet", format!("{mail} der=-_-_"), Error::Base64),
        ("base64 with bits behind", format!("{mail} der=MAB="), Error::Base64),
    ];
    for (name, line, expected) in table {
        assert_eq!(decode((line + "\n").as_bytes()), Err(expected), "{name}");
    }
}

/// Subjects and HELO names that would be another answer if they were not quoted: each of them is refused where
/// `${quote:}` was forgotten, and read as one value where it was not.
#[test]
fn what_a_peer_writes_stays_one_value() {
    let line = |helo: &[u8]| [b"in ip=1.2.3.4 helo=", helo, b" sender=\"\" proto=\"\" cv=0 der=\n"].concat();
    for attack in [
        &b"x\ncv=1"[..],
        b"x cv=1",
        b"x sender=us@ours.example",
        b"x\" cv=1 y=\"",
        b"x\nin ip=1.2.3.4 helo=x sender=us proto=TLS1.3 cv=1 der=",
        b"${run{/bin/sh}}",
        b"\\",
        b"\"",
    ] {
        let quoted = line(&quote(attack));
        let Ok(Some((Request::In(request), _))) = decode(&quoted) else { panic!("{quoted:?}") };
        assert_eq!((request.helo.as_ref(), request.verified), (attack, false));
        assert!(decode(&line(attack)).is_err(), "{attack:?}");
    }
}

#[test]
fn a_line_has_an_end() {
    assert_eq!(REQUEST_LIMIT, 65_536, "64 KiB, as the manual says");
    let long = Error::LineTooLong { limit: REQUEST_LIMIT };
    assert_eq!(decode(b""), Ok(None));
    assert_eq!(decode(&vec![b'x'; REQUEST_LIMIT - 1]), Ok(None));
    assert_eq!(decode(&vec![b'x'; REQUEST_LIMIT]), Err(long));
    assert_eq!(decode(&[vec![b'x'; REQUEST_LIMIT], b"\n".to_vec()].concat()), Err(long));
    let room = REQUEST_LIMIT - "out domain= sender=\n".len();
    let longest = format!("out domain={} sender=\n", "a".repeat(room));
    assert!(matches!(decode(longest.as_bytes()), Ok(Some((_, REQUEST_LIMIT)))));
}

proptest! {
    #[test]
    fn what_exim_quotes_is_read_back(values in prop::collection::vec(prop::collection::vec(1..=255_u8, 0..40), 4)) {
        let [ip, helo, sender, recipient] = values.as_slice() else { unreachable!() };
        let line = [
            &b"in ip="[..], &quote(ip), b" helo=", &quote(helo), b" recipient=", &quote(recipient),
            b" sender=", &quote(sender), b" proto=\"\" cv=0 der=\n",
        ]
        .concat();
        let Ok(Some((Request::In(request), _))) = decode(&line) else { panic!("{line:?}") };
        prop_assert_eq!(request.ip.as_ref(), ip);
        prop_assert_eq!(request.helo.as_ref(), helo);
        prop_assert_eq!(request.sender.as_ref(), sender);
        prop_assert_eq!(request.recipient.as_deref(), Some(recipient.as_slice()));
    }

    #[test]
    fn cutting_changes_nothing(
        line in "(out|in|cert)( (domain|sender|x)=([a-z.]{0,5}|\"[a-z \\\\\"]{0,5}\")){0,3}",
        cuts in prop::collection::vec(1..30_usize, 1..10),
    ) {
        let owned = |buffer: &[u8]| {
            decode(buffer).map(|read| read.map(|(request, taken)| (format!("{request:?}"), taken)))
        };
        let stream = (line + "\n").into_bytes();
        prop_assert_eq!(
            pieces::decode_cut(&stream, &cuts, owned),
            pieces::decode_whole(&stream, owned)
        );
    }

    #[test]
    fn arbitrary_bytes_do_not_panic(bytes in any::<Vec<u8>>()) {
        let _ = decode(&bytes);
        let _ = decode(&[b"out ", bytes.as_slice(), b"\n"].concat());
    }
}
