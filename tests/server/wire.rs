//! Bytes in, bytes out, whatever the pieces.

use std::fs;
use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::path::Path;

use connectord::protocol::policy::REQUEST_LIMIT;

use super::client::{
    BANK, CONFIGURATION, PLAIN, action, closes, connect, framed, from_bank, lookup, policy, reply, tls,
};
use super::daemon::Setup;

const REJECTED: &str = "530 5.7.0 connector bank-in: TLS is required";

#[test]
fn lookups_one_after_the_other() {
    let daemon = Setup::new(CONFIGURATION).start();
    let mut stream = connect(&daemon.path("run/socketmap.sock"));
    for (key, expected) in [
        ("bank.example", BANK),
        ("BANK.example.", BANK),
        ("plain.example", PLAIN),
        ("trial.example", "NOTFOUND "),
        ("other.example", "NOTFOUND "),
        (".bank.example", "NOTFOUND "),
        ("bank.example", BANK),
    ] {
        assert_eq!(tls(&mut stream, key).as_deref(), Some(expected), "{key}");
    }
    for refused in
        [framed(""), framed("tls"), framed("tls "), lookup("other", "bank.example"), lookup("tls", "a\0b")]
    {
        stream.write_all(&refused).unwrap();
        let reply = reply(&mut stream).unwrap();
        assert!(reply.starts_with("PERM "), "{reply}");
    }
}

#[test]
fn n_p_requests_in_every_piece() {
    let daemon = Setup::new(CONFIGURATION).start();
    let mut stream = connect(&daemon.path("run/socketmap.sock"));
    let request = [lookup("tls", "bank.example"), lookup("tls", "plain.example")].concat();
    for size in 1..=request.len() {
        for piece in request.chunks(size) {
            stream.write_all(piece).unwrap();
        }
        assert_eq!(reply(&mut stream).as_deref(), Some(BANK), "{size}");
        assert_eq!(reply(&mut stream).as_deref(), Some(PLAIN), "{size}");
    }
    let mut stream = connect(&daemon.path("run/policy.sock"));
    let request = [from_bank(""), from_bank("TLSv1.3")].concat();
    for size in [1, 2, 3, 7, 64, 200, request.len()] {
        for piece in request.chunks(size) {
            stream.write_all(piece).unwrap();
        }
        assert_eq!(action(&mut stream).as_deref(), Some(REJECTED), "{size}");
        assert_eq!(action(&mut stream).as_deref(), Some("DUNNO"), "{size}");
    }
}

#[test]
fn i4_pipelined_requests_are_answered_in_order() {
    let daemon = Setup::new(CONFIGURATION).start();
    let stream = connect(&daemon.path("run/socketmap.sock"));
    let mut sender = stream.try_clone().unwrap();
    let mut reader = stream;
    const COUNT: usize = 20_000;
    let sending = std::thread::spawn(move || {
        let pair = [lookup("tls", "bank.example"), lookup("tls", "plain.example")].concat();
        sender.write_all(&pair.repeat(COUNT / 2)).unwrap();
        sender.shutdown(std::net::Shutdown::Write).unwrap();
    });
    for n in 0..COUNT {
        assert_eq!(reply(&mut reader).as_deref(), Some([BANK, PLAIN][n % 2]), "{n}");
    }
    assert_eq!(reply(&mut reader), None, "nothing unsolicited");
    sending.join().unwrap();
}

#[test]
fn n_p_what_is_not_the_protocol_closes_without_a_byte() {
    let daemon = Setup::new(CONFIGURATION).start();
    let garbage: [&[u8]; 9] = [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01",
        b"EHLO a.example\r\n",
        b"request=smtpd_access_policy\n\n",
        b"016:tls bank.example,",
        b"-1:a,",
        b"99999999999999999999:",
        b"16:tls bank.example;",
        b" 16:tls bank.example,",
    ];
    let socketmap = daemon.path("run/socketmap.sock");
    for bytes in garbage {
        let mut stream = connect(&socketmap);
        stream.write_all(bytes).unwrap();
        assert!(closes(&mut stream), "{bytes:?}");
    }
    let both = [lookup("tls", "bank.example"), b"garbage".to_vec()].concat();
    let mut stream = connect(&socketmap);
    stream.write_all(&both).unwrap();
    assert_eq!(reply(&mut stream).as_deref(), Some(BANK), "what came before is answered");
    assert!(closes(&mut stream));

    let garbage: [&[u8]; 6] = [
        b"16:tls bank.example,\n",
        b"request=smtpd_access_policy\r\n",
        b"request=smtpd_access_policy\nsender=a\nsender=b\n",
        b"request=smtpd_access_policy\nsender=a\0b\n",
        b"sender=a\n\n",
        b"\n",
    ];
    for bytes in garbage {
        let mut stream = connect(&daemon.path("run/policy.sock"));
        stream.write_all(bytes).unwrap();
        assert!(closes(&mut stream), "{bytes:?}");
    }
    for bytes in [&b"Status\n"[..], b"status\r\n", b"reload everything\n", &[b'a'; 100]] {
        let mut stream = connect(&daemon.path("run/control.sock"));
        stream.write_all(bytes).unwrap();
        assert!(closes(&mut stream), "{bytes:?}");
    }
    daemon.log.wait_for("warn request_malformed protocol=socketmap");
}

#[test]
fn p_what_postfix_sent_is_answered() {
    let daemon = Setup::new(CONFIGURATION).start();
    let captures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures");
    let mut count = 0;
    for file in fs::read_dir(captures.join("policy")).unwrap() {
        let bytes = fs::read(file.unwrap().path()).unwrap();
        let mut stream = connect(&daemon.path("run/policy.sock"));
        stream.write_all(&bytes).unwrap();
        for _ in 0..bytes.windows(2).filter(|two| *two == b"\n\n").count() {
            assert_eq!(action(&mut stream).as_deref(), Some("DUNNO"));
            count += 1;
        }
    }
    assert!(count > 10, "{count}");
}

#[test]
fn p_mail_is_decided() {
    let daemon = Setup::new(CONFIGURATION).start();
    let mut stream = connect(&daemon.path("run/policy.sock"));
    for (request, expected) in [
        (from_bank(""), REJECTED),
        (from_bank("TLSv1.2"), "DUNNO"),
        (from_bank("TLSv1"), "530 5.7.0 connector bank-in: TLSv1.2 or newer is required, TLSv1 was used"),
        (
            policy(&[
                ("protocol_state", "RCPT"),
                ("sender", "a@other.example"),
                ("client_address", "192.0.2.1"),
            ]),
            "DUNNO",
        ),
        (
            policy(&[("protocol_state", "LATER"), ("sender", "a@other.example")]),
            "450 4.7.1 connectord does not know this protocol state",
        ),
    ] {
        stream.write_all(&request).unwrap();
        assert_eq!(action(&mut stream).as_deref(), Some(expected));
    }
    daemon.log.wait_for("warn mail_undecidable because=unknown-state state=LATER");
}

#[test]
fn n_p_a_request_that_is_not_finished_is_cut() {
    let daemon = Setup::new(CONFIGURATION).limits("request=50").start();
    let mut halves: Vec<(UnixStream, &[u8])> = Vec::new();
    for (socket, half) in [
        ("run/socketmap.sock", &b"16:tls bank."[..]),
        ("run/socketmap.sock", b"1"),
        ("run/policy.sock", b"request=smtpd_access_policy\n"),
        ("run/control.sock", b"sta"),
    ] {
        halves.push((connect(&daemon.path(socket)), half));
    }
    for (stream, half) in &mut halves {
        stream.write_all(half).unwrap();
    }
    for (stream, half) in &mut halves {
        assert!(closes(stream), "{half:?}");
    }
    // Of all of them at once one is told, and the others are counted.
    daemon.log.wait_for(" reason=\"a request was not finished in time\"");
    // A whole one before does not help the half behind it.
    let mut stream = connect(&daemon.path("run/socketmap.sock"));
    stream.write_all(&[lookup("tls", "bank.example"), b"16:tls".to_vec()].concat()).unwrap();
    assert_eq!(reply(&mut stream).as_deref(), Some(BANK));
    assert!(closes(&mut stream));
}

#[test]
fn p7_a_policy_request_without_an_end_is_cut_at_its_limit() {
    // The deadline of requests helps nobody here.
    let daemon = Setup::new(CONFIGURATION).limits("request=600000").start();
    for beginning in ["sender=", "request=smtpd_access_policy\nsender="] {
        let mut stream = connect(&daemon.path("run/policy.sock"));
        let mut request = beginning.as_bytes().to_vec();
        request.resize(REQUEST_LIMIT, b'a');
        // All but the last byte: the limit is not there yet, so all of this is taken.
        let (last, most) = request.split_last().unwrap();
        stream.write_all(most).unwrap();
        stream.write_all(&[*last]).unwrap();
        assert!(closes(&mut stream), "{beginning:?}");
        // In one go with more behind it, the connection may end within the write.
        let mut stream = connect(&daemon.path("run/policy.sock"));
        let _ = stream.write_all(&[request, vec![b'a'; 1_000]].concat());
        assert!(closes(&mut stream), "{beginning:?}");
    }
    daemon.log.wait_for("warn request_malformed protocol=policy");
}

#[test]
fn l2_bytes_that_trickle_do_not_extend_the_deadline() {
    let daemon = Setup::new(CONFIGURATION).limits("request=100").start();
    for (socket, beginning) in [("run/policy.sock", &b"sender="[..]), ("run/socketmap.sock", b"9000:tls ")] {
        let mut stream = connect(&daemon.path(socket));
        stream.write_all(beginning).unwrap();
        let mut sent = 0;
        while stream.write_all(b"a").is_ok() {
            sent += 1;
            // The pace of the attack: slower than the peer reads, quicker than the deadline.
            std::thread::sleep(std::time::Duration::from_millis(5));
            assert!(sent < 4_000, "{socket}: never cut");
        }
        assert!(closes(&mut stream));
    }
}

#[test]
fn l3_idle_connections_end_after_their_time_and_not_before_a_request() {
    let daemon = Setup::new(CONFIGURATION).limits("idle=50").start();
    let mut stream = connect(&daemon.path("run/socketmap.sock"));
    assert!(closes(&mut stream));
    let daemon = Setup::new(CONFIGURATION).limits("request=50").start();
    let mut stream = connect(&daemon.path("run/socketmap.sock"));
    // Longer than the deadline of a request, which does not run yet.
    let mut other = connect(&daemon.path("run/socketmap.sock"));
    other.write_all(b"1").unwrap();
    assert!(closes(&mut other));
    assert_eq!(tls(&mut stream, "bank.example").as_deref(), Some(BANK));
}

#[test]
fn l4_a_peer_that_does_not_read_is_not_read_from() {
    let daemon = Setup::new(CONFIGURATION).limits("write=300").start();
    let mut stream = connect(&daemon.path("run/socketmap.sock"));
    let requests = lookup("tls", "bank.example").repeat(1_000);
    let mut taken = 0;
    let error = loop {
        match stream.write(&requests) {
            Ok(count) => taken += count,
            Err(error) => break error,
        }
        assert!(taken < 16 << 20, "reading never stopped");
    };
    assert!(
        matches!(error.kind(), std::io::ErrorKind::BrokenPipe | std::io::ErrorKind::ConnectionReset),
        "{error}"
    );
    daemon.log.wait_for("warn connection_cut protocol=socketmap reason=\"replies were not taken in time\"");
    let status = daemon.status();
    assert_eq!(status["panics"], 0);
}
