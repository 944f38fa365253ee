//! The rows of the reliability list about framing (N) and socketmap requests (S), byte by byte.

use std::io::Write as _;
use std::thread;

use super::client::{closes, connect, framed, reply, tls};
use super::daemon::{Daemon, Setup};

const CONFIGURATION: &str = r#"
version = 1
[server]
decisions = "none"
[[outbound]]
name = "plain"
mode = "enforce"
domains = ["example.com", "bücher.example"]
tls = "encrypt"
[[outbound]]
name = "tree"
mode = "enforce"
domains = ["*.tree.example"]
tls = "encrypt"
[[outbound]]
name = "bank"
mode = "enforce"
domains = ["bank.example"]
tls = "secure"
match = ["mx.bank.example"]
[[outbound]]
name = "hosted"
mode = "enforce"
domains = ["hosted.example"]
tls = "secure"
match = ["mx.example.com"]
route = ["[mx.example.com]:587", "[192.0.2.1]", "[2001:db8::1]:25"]
"#;

const PLAIN: &str = "OK encrypt";
const HOSTED: &str = "OK secure match=mx.example.com";
const NOT_FOUND: &str = "NOTFOUND ";

fn start() -> Daemon {
    Setup::new(CONFIGURATION).start()
}

/// The reply to these bytes as the payload of a request.
fn told(daemon: &Daemon, payload: &[u8]) -> String {
    let mut stream = connect(&daemon.path("run/socketmap.sock"));
    stream.write_all(&[payload.len().to_string().as_bytes(), b":", payload, b","].concat()).unwrap();
    reply(&mut stream).unwrap_or_else(|| panic!("closed after {payload:?}"))
}

fn refused(daemon: &Daemon, payload: &[u8]) {
    let reply = told(daemon, payload);
    assert!(reply.starts_with("PERM "), "{payload:?}: {reply}");
}

#[test]
fn s1_s2_what_names_no_map_or_no_key_is_refused() {
    let daemon = start();
    for payload in [
        &b"other example.com"[..],
        b"TLS example.com",
        b"",
        b"tls",
        b"tls ",
        b"tls  example.com",
        b" tls example.com",
        b"tls\texample.com",
    ] {
        refused(&daemon, payload);
    }
}

#[test]
fn s3_s4_s5_s6_s7_s11_s12_keys_are_those_of_their_connector() {
    let daemon = start();
    for (key, expected) in [
        ("example.com", PLAIN),
        ("EXAMPLE.COM", PLAIN),
        ("example.com.", PLAIN),
        (".example.com", NOT_FOUND),
        (".tree.example", NOT_FOUND),
        ("a.tree.example", PLAIN),
        (".com", NOT_FOUND),
        ("b\u{fc}cher.example", PLAIN),
        ("B\u{dc}CHER.example", PLAIN),
        ("xn--bcher-kva.example", PLAIN),
        ("[mx.example.com]:587", HOSTED),
        ("[mx.example.com]:25", HOSTED),
        ("[mx.example.com]", HOSTED),
        ("example.com:587", PLAIN),
        ("[192.0.2.1]", HOSTED),
        ("[192.0.2.1]:2525", HOSTED),
        ("[192.0.2.2]", NOT_FOUND),
        ("[IPv6:2001:db8::1]:25", HOSTED),
        ("[2001:db8::1]", HOSTED),
        ("[2001:db8::2]", NOT_FOUND),
        ("foo_bar.example", NOT_FOUND),
        ("example.com.evil.net", NOT_FOUND),
        ("evilexample.com", NOT_FOUND),
        ("exampl\u{435}.com", NOT_FOUND),
        ("ex\u{e0}mple.com", NOT_FOUND),
    ] {
        assert_eq!(told(&daemon, format!("tls {key}").as_bytes()), expected, "{key}");
    }
    refused(&daemon, b"tls .");
}

#[test]
fn s8_s9_s10_what_is_no_name_is_refused_with_few_words_in_the_log() {
    let mut daemon = start();
    let label = format!("{}.com", "a".repeat(64));
    let name = format!("{}.com", ["a".repeat(62).as_str(); 4].join("."));
    let longest = "k".repeat(10_000);
    let keys: [&[u8]; 18] = [
        b"exam\0le.com",
        b"example\ncom",
        b"example.com\r\n",
        b"example.com,",
        b"example.com other.com",
        b"\xff\xfe.com",
        label.as_bytes(),
        name.as_bytes(),
        longest.as_bytes(),
        b"example..com",
        b"-example.com",
        b"*.example.com",
        b"a@example.com",
        b"/run/lmtp.sock",
        b"[example.com",
        b"[]:25",
        b"example.com:99999",
        b"xn--.com",
    ];
    let begin = std::time::Instant::now();
    for key in keys {
        refused(&daemon, &[b"tls ", key].concat());
    }
    let seconds = begin.elapsed().as_secs();
    assert_eq!(daemon.stop(), Some(0));
    let lines = daemon.all_lines();
    let said = lines.iter().filter(|line| line.contains("lookup_refused")).count() as u64;
    // Each second its line, and the number of those left out.
    assert!(said >= 1 && said <= 2 * (seconds + 1), "{lines:#?}");
}

#[test]
fn s13_one_question_has_one_answer_on_however_many_connections() {
    const QUESTIONS: usize = 100_000;
    let daemon = start();
    let path = daemon.path("run/socketmap.sock");
    let (request, expected) = (framed("tls bank.example"), framed("OK secure match=mx.bank.example"));
    for connections in [1, 16, 256] {
        let each = QUESTIONS / connections;
        let asking = |_| {
            let (path, request, expected) = (path.clone(), request.clone(), expected.clone());
            thread::spawn(move || {
                let mut stream = connect(&path);
                let mut left = each;
                while left > 0 {
                    let batch = left.min(500);
                    stream.write_all(&request.repeat(batch)).unwrap();
                    let mut bytes = vec![0; expected.len() * batch];
                    std::io::Read::read_exact(&mut stream, &mut bytes).unwrap();
                    assert!(bytes.chunks(expected.len()).all(|reply| reply == expected));
                    left -= batch;
                }
            })
        };
        let asked: Vec<_> = (0..connections).map(asking).collect();
        for thread in asked {
            thread.join().unwrap();
        }
    }
    assert_eq!(daemon.status()["panics"], 0);
}

#[test]
fn n_what_is_overlong_is_refused_before_any_of_it_is_kept() {
    let daemon = start();
    // 10 000 for the key and 65 for a map and a space.
    for bytes in
        [&b"10066:"[..], b"99999", b"4294967311:tls example.com,", b"18446744073709551616:a,", b"00:,"]
    {
        let mut stream = connect(&daemon.path("run/socketmap.sock"));
        stream.write_all(bytes).unwrap();
        assert!(closes(&mut stream), "{bytes:?}");
    }
    refused(&daemon, &b"k".repeat(10_065));
    assert_eq!(tls(&mut connect(&daemon.path("run/socketmap.sock")), "example.com").as_deref(), Some(PLAIN));
}
