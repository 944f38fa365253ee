//! Whoever collects metrics: a small client of HTTP.

use std::io::{ErrorKind, Read, Write};

use super::client::connect;
use super::daemon::Daemon;
use super::prometheus_reader::{Page, read};

/// What Prometheus sends.
pub const SCRAPE: &str = "GET /metrics HTTP/1.1\r\nHost: localhost:9899\r\nUser-Agent: Prometheus/2.42.0\r\n\
                          Accept: text/plain;version=0.0.4;q=0.5,*/*;q=0.1\r\nAccept-Encoding: gzip\r\n\r\n";

/// The path of the socket below the directory of a daemon.
pub const SOCKET: &str = "run/metrics.sock";

/// Everything that comes until the connection ends.
pub fn all(stream: &mut impl Read) -> String {
    let mut bytes = Vec::new();
    if let Err(error) = stream.read_to_end(&mut bytes) {
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    }
    String::from_utf8(bytes).unwrap()
}

/// Says this on a connection of its own; the whole reply.
pub fn say(daemon: &Daemon, request: &str) -> String {
    let mut stream = connect(&daemon.path(SOCKET));
    stream.write_all(request.as_bytes()).unwrap();
    all(&mut stream)
}

/// The body of a good reply.
#[track_caller]
pub fn body(reply: &str) -> &str {
    let (head, body) = reply.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{reply:?}"));
    let lines: Vec<&str> = head.split("\r\n").collect();
    assert_eq!(lines[0], "HTTP/1.1 200 OK", "{head}");
    assert!(lines.contains(&"Content-Type: text/plain; version=0.0.4; charset=utf-8"), "{head}");
    assert!(lines.contains(&format!("Content-Length: {}", body.len()).as_str()), "{head}");
    assert!(lines.contains(&"Connection: close"), "{head}");
    body
}

/// The metrics as they are now.
#[track_caller]
pub fn scrape(daemon: &Daemon) -> Page {
    read(body(&say(daemon, SCRAPE)))
}
