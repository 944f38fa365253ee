//! What an MTA does: connect, ask, read.

use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;

use super::daemon::PATIENCE;

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
    Some(String::from_utf8(payload).unwrap())
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
    Some(text.strip_prefix("action=").unwrap().trim_end().to_owned())
}

/// Whether the connection ends without another byte.
pub fn closes(stream: &mut UnixStream) -> bool {
    match stream.read(&mut [0]) {
        Ok(count) => count == 0,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    }
}
