//! The socket that Exim asks: one line, one answer, and the connection ends.

use std::io::{Read as _, Write as _};
use std::net::Shutdown;

use super::client::{CONFIGURATION, connect};
use super::daemon::{Daemon, Setup};

const BANK: &str = "status=ok tls=cert end=ok\n";
const DEFAULT: &str = "status=ok tls=default end=ok\n";
const REFUSAL: &str = "status=temp action=defer end=ok\n";

/// What is answered to these bytes until the connection ends. Our half of it stays open.
fn told(daemon: &Daemon, request: &[u8]) -> String {
    let mut stream = connect(&daemon.path("run/exim.sock"));
    stream.write_all(request).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_line_is_answered_and_the_connection_ends() {
    let daemon = Setup::new(CONFIGURATION).start();
    let mail = |tls: &str| {
        format!(
            "in ip=192.0.2.1 helo=mx.bank.example sender=\"a@bank.example\" proto=\"{tls}\" cipher=\"\" bits=0 \
             sni=\"\" cv=0 der= id=\"\"\n"
        )
    };
    let certificate =
        "cert domain=bank.example host=mx.bank.example answer=\"status=ok tls=cert end=ok \" der=MAA=\n";
    let table = [
        ("out domain=bank.example sender=ours.example\n".to_owned(), BANK),
        ("out domain=BANK.example. sender=\"\"\n".to_owned(), BANK),
        ("out domain=plain.example sender=\"\"\n".to_owned(), "status=ok tls=encrypt end=ok\n"),
        ("out domain=trial.example sender=\"\"\n".to_owned(), DEFAULT),
        ("out domain=other.example sender=\"\"\n".to_owned(), DEFAULT),
        (
            mail(""),
            "action=deny text=\"530 5.7.0 connector bank-in: TLS is required\" connector=bank-in end=ok\n",
        ),
        (mail("TLS1.3"), "action=pass connector=bank-in end=ok\n"),
        (certificate.to_owned(), "no: not a certificate that can be read\n"),
    ];
    for (request, expected) in table {
        assert_eq!(told(&daemon, request.as_bytes()), expected, "{request}");
    }
}

/// `${readsocket}` shuts its half down behind the request unless it is told not to.
#[test]
fn it_is_answered_at_the_line_feed_or_after_the_half_that_asked_was_closed() {
    let daemon = Setup::new(CONFIGURATION).start();
    let request = b"out domain=bank.example sender=\"\"\n";
    for size in 1..=request.len() {
        for shut in [false, true] {
            let mut stream = connect(&daemon.path("run/exim.sock"));
            for piece in request.chunks(size) {
                stream.write_all(piece).unwrap();
            }
            if shut {
                stream.shutdown(Shutdown::Write).unwrap();
            }
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            assert_eq!(answer, BANK, "{size} {shut}");
        }
    }
}

#[test]
fn what_is_no_question_is_told_to_wait() {
    let daemon = Setup::new(CONFIGURATION).start();
    for request in [
        &b"\n"[..],
        b"tls bank.example\n",
        b"15:tls bank.example,\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"out domain=other.example domain=bank.example sender=\"\"\n",
        b"out domain=other.example sender=\"\" x=1\n",
        b"out domain=other.example sender=a b=c\n",
        b"out domain=other.example sender=\"\"\nout domain=other.example sender=\"\"\n",
        b"out domain=\"a\0b\" sender=\"\"\n",
    ] {
        assert_eq!(told(&daemon, request), REFUSAL, "{request:?}");
    }
    // A question that makes no sense is no question about nothing.
    let answer = told(&daemon, b"out domain=\"a b\" sender=\"\"\n");
    assert!(answer.starts_with("status=temp ") && answer.ends_with(" end=ok\n"), "{answer}");
}

#[test]
fn a_line_without_an_end_is_cut() {
    let daemon = Setup::new(CONFIGURATION).start();
    let mut stream = connect(&daemon.path("run/exim.sock"));
    let line = [b"out domain=".to_vec(), vec![b'a'; 70_000]].concat();
    // The rest may find nobody who reads it.
    let _ = stream.write_all(&line);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(answer.is_empty() || answer == REFUSAL.as_bytes(), "{answer:?}");
    assert_eq!(told(&daemon, b"out domain=bank.example sender=\"\"\n"), BANK);
    // Half a line, and nothing more: no answer.
    let mut stream = connect(&daemon.path("run/exim.sock"));
    stream.write_all(b"out domain=bank.example").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    assert!(answer.is_empty(), "{answer:?}");
}

#[test]
fn the_decision_line_tells_who_asked_for_what() {
    let mut daemon = Setup::new(CONFIGURATION).start();
    told(&daemon, b"out domain=bank.example sender=\"\"\n");
    daemon.log.wait_for("map=out key=bank.example connector=bank");
    told(&daemon, b"cert domain=bank.example host=mx.bank.example answer=\"x\" der=\"\"\n");
    daemon.log.wait_for("verdict=refused");
    assert_eq!(daemon.stop(), Some(0));
}
