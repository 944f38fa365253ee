//! What an MTA does: connect, ask, read.

use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;

use super::daemon::PATIENCE;
use super::postfix_reader;

/// Two connectors that tell each other apart.
pub const CONFIGURATION: &str = r#"
version = 1
[[outbound]]
name = "bank"
mode = "enforce"
domains = ["bank.example"]
tls = "secure"
match = ["mx.bank.example"]
[[outbound]]
name = "plain"
mode = "enforce"
domains = ["plain.example"]
tls = "encrypt"
[[outbound]]
name = "trial"
mode = "report"
domains = ["trial.example"]
tls = "encrypt"
[[inbound]]
name = "bank-in"
mode = "enforce"
identify.domains = ["bank.example"]
require.tls = ">=TLSv1.2"
on_violation = "reject"
"#;

pub const BANK: &str = "OK secure match=mx.bank.example";
pub const PLAIN: &str = "OK encrypt";

pub fn connect(path: &Path) -> UnixStream {
    let stream = UnixStream::connect(path).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// A netstring.
pub fn framed(payload: &str) -> Vec<u8> {
    format!("{}:{payload},", payload.len()).into_bytes()
}

pub fn lookup(map: &str, key: &str) -> Vec<u8> {
    framed(&format!("{map} {key}"))
}

/// Reads one netstring; none when the connection ended first, which it may do only before it.
pub fn reply(stream: &mut UnixStream) -> Option<String> {
    let mut length = String::new();
    loop {
        let mut byte = [0];
        match stream.read(&mut byte) {
            Ok(0) if length.is_empty() => return None,
            Err(error) if error.kind() == ErrorKind::ConnectionReset && length.is_empty() => return None,
            Ok(1) if byte == *b":" => break,
            Ok(1) => length.push(char::from(byte[0])),
            other => panic!("{other:?} behind {length:?}"),
        }
    }
    let mut payload = vec![0; length.parse::<usize>().unwrap() + 1];
    stream.read_exact(&mut payload).unwrap();
    assert_eq!(payload.pop(), Some(b','));
    let payload = String::from_utf8(payload).unwrap();
    // S14: whatever a test asks, Postfix could have read the reply.
    if let Err(error) = postfix_reader::reply(&payload) {
        panic!("{error}: {payload:?}");
    }
    Some(payload)
}

/// Asks the map `tls`.
pub fn tls(stream: &mut UnixStream, key: &str) -> Option<String> {
    stream.write_all(&lookup("tls", key)).unwrap();
    reply(stream)
}

/// A policy request with these attributes besides the one that all have.
pub fn policy(attributes: &[(&str, &str)]) -> Vec<u8> {
    let mut request = "request=smtpd_access_policy\n".to_owned();
    for (name, value) in attributes {
        request += &format!("{name}={value}\n");
    }
    request += "\n";
    request.into_bytes()
}

/// A mail from bank.example, in plaintext or with a version of TLS.
pub fn from_bank(tls: &str) -> Vec<u8> {
    policy(&[
        ("protocol_state", "RCPT"),
        ("client_address", "192.0.2.1"),
        ("helo_name", "mx.bank.example"),
        ("sender", "a@bank.example"),
        ("recipient", "b@ours.example"),
        ("queue_id", ""),
        ("instance", "123.456"),
        ("encryption_protocol", tls),
    ])
}

/// Reads one reply of policy delegation: the action.
pub fn action(stream: &mut UnixStream) -> Option<String> {
    let mut text = Vec::new();
    while !text.ends_with(b"\n\n") {
        let mut byte = [0];
        match stream.read(&mut byte) {
            Ok(0) if text.is_empty() => return None,
            Err(error) if error.kind() == ErrorKind::ConnectionReset && text.is_empty() => return None,
            Ok(1) => text.push(byte[0]),
            other => panic!("{other:?} behind {text:?}"),
        }
    }
    let text = String::from_utf8(text).unwrap();
    let action = text.strip_prefix("action=").and_then(|text| text.strip_suffix("\n\n")).unwrap();
    assert!(permits_nothing(action), "{action:?}");
    Some(action.to_owned())
}

/// I3, as the reliability list has it: DUNNO, or a refusal with printable words. Never an action
/// that is empty, OK, or digits alone, which smtpd takes for leave.
fn permits_nothing(action: &str) -> bool {
    let codes = |text: &str, count: usize| {
        text.len() <= count && !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    let words = |text: &str| {
        // connector, a name of at most 64, and a text of at most 200 bytes
        text.len() <= 276
            && text.starts_with(|first: char| first.is_ascii_alphabetic())
            && text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
    };
    match action.splitn(3, ' ').collect::<Vec<_>>()[..] {
        ["DUNNO"] => true,
        ["HOLD" | "REJECT" | "DEFER_IF_PERMIT", ..] => words(action.split_once(' ').unwrap().1),
        [code, enhanced, text] => {
            let parts: Vec<&str> = enhanced.split('.').collect();
            let class = code.starts_with('4') || code.starts_with('5');
            class
                && code.len() == 3
                && codes(code, 3)
                && parts.len() == 3
                && parts[0] == &code[..1]
                && parts[1..].iter().all(|part| codes(part, 3))
                && words(text)
        }
        _ => false,
    }
}

/// Whether the connection ends without another byte.
pub fn closes(stream: &mut UnixStream) -> bool {
    match stream.read(&mut [0]) {
        Ok(count) => count == 0,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    }
}
