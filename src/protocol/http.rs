//! The head of an HTTP/1 request, as far as whoever collects metrics needs one, and a whole reply.
//!
//! Promises: a head has [`HEAD_LIMIT`] bytes at most, and is read strictly (RFC 9112): one blank between the parts of
//! its first line, lines that end in CR and LF, fields that are a name and a colon, one `Host` in HTTP/1.1. Fields are
//! looked at for that alone. There is one request a connection, so a body has no meaning and is not read: there is no
//! next request for it to pose as.
//!
//! Not hyper, which `validate` asks policies with: a server of it would need streams, deadlines, places for connections
//! and an end of its own beside those that all other protocols here share.

use super::Error;

/// The longest head. Ours: a collector sends some hundred bytes.
pub const HEAD_LIMIT: usize = 8 * 1024;

/// What is asked of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// What is there.
    Get,
    /// The same without it.
    Head,
    /// Anything else.
    Other,
}

/// A request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// What is asked.
    pub method: Method,
    /// Of what, without a query.
    pub path: &'a [u8],
}

/// How a request went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Well.
    Ok,
    /// It was none.
    BadRequest,
    /// There is no such path.
    NotFound,
    /// The path is not for that.
    MethodNotAllowed,
    /// Its head has no end.
    HeadTooLarge,
    /// We failed it.
    Internal,
}

impl Status {
    fn line(self) -> &'static str {
        match self {
            Status::Ok => "200 OK",
            Status::BadRequest => "400 Bad Request",
            Status::NotFound => "404 Not Found",
            Status::MethodNotAllowed => "405 Method Not Allowed",
            // RFC 6585 section 5.
            Status::HeadTooLarge => "431 Request Header Fields Too Large",
            Status::Internal => "500 Internal Server Error",
        }
    }

    /// How a request went that is none.
    pub fn of(error: Error) -> Status {
        if matches!(error, Error::HttpTooLong { .. }) { Status::HeadTooLarge } else { Status::BadRequest }
    }
}

/// Decodes the head that `buffer` begins with, and how many bytes it takes. `None`: it has not ended yet.
///
/// # Errors
/// [`Error::HttpMalformed`] as soon as a line is none; [`Error::HttpTooLong`] without an end in [`HEAD_LIMIT`] bytes.
pub fn decode(buffer: &[u8]) -> Result<Option<(Request<'_>, usize)>, Error> {
    let window = buffer.get(..HEAD_LIMIT).unwrap_or(buffer);
    let mut request = None;
    let mut hosts = 0;
    let mut consumed = 0;
    for line in window.split_inclusive(|&byte| byte == b'\n') {
        if !line.ends_with(b"\n") {
            break;
        }
        consumed += line.len();
        let line = line.strip_suffix(b"\r\n").filter(|line| !line.iter().any(|&byte| is_forbidden(byte)));
        let line = line.ok_or(Error::HttpMalformed)?;
        match &request {
            None => request = Some(first_line(line).ok_or(Error::HttpMalformed)?),
            Some((request, version)) if line.is_empty() => {
                // RFC 9112 section 3.2.
                let is_one = hosts == 1 || (hosts == 0 && *version == Version::Http10);
                return if is_one { Ok(Some((*request, consumed))) } else { Err(Error::HttpMalformed) };
            }
            Some(_) => hosts += usize::from(field_name(line)?.eq_ignore_ascii_case(b"host")),
        }
    }
    if window.len() == HEAD_LIMIT { Err(Error::HttpTooLong { limit: HEAD_LIMIT }) } else { Ok(None) }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    Http10,
    Http11,
}

/// What is in no line: a CR without LF and NUL, which readers disagree about (RFC 9110 section 5.5).
fn is_forbidden(byte: u8) -> bool {
    byte == b'\r' || byte == 0
}

fn first_line(line: &[u8]) -> Option<(Request<'_>, Version)> {
    let mut parts = line.split(|&byte| byte == b' ');
    let (method, target, version) = (parts.next()?, parts.next()?, parts.next()?);
    let version = match version {
        b"HTTP/1.0" => Version::Http10,
        b"HTTP/1.1" => Version::Http11,
        _ => return None,
    };
    let is_whole = parts.next().is_none() && is_token(method) && target.iter().all(u8::is_ascii_graphic);
    let path = target.split(|&byte| byte == b'?').next().filter(|path| is_whole && !path.is_empty())?;
    let method = match method {
        b"GET" => Method::Get,
        b"HEAD" => Method::Head,
        _ => Method::Other,
    };
    Some((Request { method, path }, version))
}

/// The name of a field; a line that continues another one has none (RFC 9112 section 5.2).
fn field_name(line: &[u8]) -> Result<&[u8], Error> {
    let name = line.split(|&byte| byte == b':').next().filter(|name| name.len() < line.len());
    name.filter(|name| is_token(name)).ok_or(Error::HttpMalformed)
}

/// RFC 9110 section 5.6.2.
fn is_token(text: &[u8]) -> bool {
    !text.is_empty()
        && text.iter().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}

/// A whole reply, after which the connection closes. In answer to HEAD the body is told of and left out.
pub fn reply(status: Status, content_type: &str, body: &str, method: Method) -> Vec<u8> {
    let allow = if status == Status::MethodNotAllowed { "Allow: GET, HEAD\r\n" } else { "" };
    let head = format!(
        "HTTP/1.1 {}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n{allow}Connection: close\r\n\r\n",
        status.line(),
        body.len()
    );
    let mut reply = head.into_bytes();
    if method != Method::Head {
        reply.extend_from_slice(body.as_bytes());
    }
    reply
}

/// A reply that only says how it went.
pub fn short(status: Status, method: Method) -> Vec<u8> {
    reply(status, "text/plain; charset=utf-8", &format!("{}\n", status.line()), method)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use proptest::prelude::*;

    use super::super::pieces;
    use super::*;

    const SCRAPE: &[u8] =
        b"GET /metrics HTTP/1.1\r\nHost: localhost:9899\r\nAccept: text/plain;q=0.3,*/*\r\n\r\n";

    fn decoded(text: &str) -> Result<Option<(Method, String)>, Error> {
        let decoded = decode(text.as_bytes())?;
        Ok(decoded.map(|(request, _)| (request.method, String::from_utf8(request.path.to_vec()).unwrap())))
    }

    #[test]
    fn what_collectors_send() {
        let get = |path: &str| Ok(Some((Method::Get, path.to_owned())));
        let table = [
            ("GET /metrics HTTP/1.0\r\n\r\n", get("/metrics")),
            ("GET /metrics HTTP/1.0\r\nHost: a\r\n\r\n", get("/metrics")),
            ("GET /metrics HTTP/1.1\r\nhOsT:\r\n\r\n", get("/metrics")),
            ("GET /metrics?a=b?c HTTP/1.1\r\nHost: a\r\nX-Any:  \t b:c \r\n\r\n", get("/metrics")),
            ("GET http://a/metrics HTTP/1.1\r\nHost: a\r\n\r\n", get("http://a/metrics")),
            ("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", Ok(Some((Method::Head, "/".to_owned())))),
            (
                "PO-ST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
                Ok(Some((Method::Other, "/".to_owned()))),
            ),
            ("get / HTTP/1.0\r\n\r\n", Ok(Some((Method::Other, "/".to_owned())))),
            ("", Ok(None)),
            ("GET /metrics HTTP/1.1\r\nHost: a\r\n\r", Ok(None)),
        ];
        for (text, expected) in table {
            assert_eq!(decoded(text), expected, "{text:?}");
        }
        assert_eq!(decode(SCRAPE).unwrap().unwrap().1, SCRAPE.len());
    }

    #[test]
    fn what_is_no_request() {
        let lines = [
            "GET /metrics HTTP/1.1\r\n\r\n",
            "GET /metrics HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
            "GET /metrics HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n",
            "GET /metrics\r\n",
            "GET /metrics HTTP/2.0\r\n",
            "GET /metrics HTTP/1.1 \r\n",
            "GET  /metrics HTTP/1.1\r\n",
            " GET /metrics HTTP/1.1\r\n",
            "GET ?a HTTP/1.1\r\n",
            "G(T / HTTP/1.1\r\n",
            "GET /\u{e9} HTTP/1.1\r\n",
            "GET /\t HTTP/1.1\r\n",
            "GET / HTTP/1.1\n",
            "GET / HTTP/1.1\r\nHost: a\n",
            "GET / HTTP/1.1\r\nHost: a\rb\r\n",
            "GET / HTTP/1.1\r\nHost: a\0\r\n",
            "GET / HTTP/1.1\r\n Host: a\r\n",
            "GET / HTTP/1.1\r\nHost : a\r\n",
            "GET / HTTP/1.1\r\nHost\r\n",
            "GET / HTTP/1.1\r\n: a\r\n",
            "\r\n",
            "status\n",
            "request=smtpd_access_policy\n",
            "\u{16}\u{3}\u{1}\r\n",
        ];
        for line in lines {
            assert_eq!(decode(line.as_bytes()), Err(Error::HttpMalformed), "{line:?}");
        }
    }

    #[test]
    fn a_head_without_an_end_is_not_waited_for() {
        let long = Error::HttpTooLong { limit: HEAD_LIMIT };
        let head = |filler: usize| {
            let before = b"GET /metrics HTTP/1.1\r\nHost: a\r\nX: ";
            [&before[..], &vec![b'x'; filler - before.len() - 4], b"\r\n\r\n"].concat()
        };
        assert_eq!(decode(&head(HEAD_LIMIT)).unwrap().unwrap().1, HEAD_LIMIT);
        assert_eq!(decode(&head(HEAD_LIMIT + 1)), Err(long));
        assert_eq!(decode(&[b'x'; HEAD_LIMIT]), Err(long));
        assert_eq!(decode(&[b'x'; HEAD_LIMIT - 1]), Ok(None));
        assert_eq!(
            (Status::of(long), Status::of(Error::HttpMalformed)),
            (Status::HeadTooLarge, Status::BadRequest)
        );
    }

    #[test]
    fn replies() {
        let said = |reply: Vec<u8>| String::from_utf8(reply).unwrap();
        assert_eq!(
            said(reply(Status::Ok, "a/b", "body\n", Method::Get)),
            "HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Length: 5\r\nConnection: close\r\n\r\nbody\n"
        );
        assert!(
            said(reply(Status::Ok, "a/b", "body\n", Method::Head))
                .ends_with("Content-Length: 5\r\nConnection: close\r\n\r\n")
        );
        let refused = said(short(Status::MethodNotAllowed, Method::Other));
        assert!(
            refused.contains("\r\nAllow: GET, HEAD\r\n")
                && refused.ends_with("\r\n\r\n405 Method Not Allowed\n")
        );
    }

    proptest! {
        #[test]
        fn cutting_changes_nothing(
            stream in "(GET /m HTTP/1.1\r\nHost: a\r\n){0,1}[ -~\r\n:]{0,60}(\r\n){0,2}",
            cuts in prop::collection::vec(1..30usize, 1..10),
        ) {
            let stream = stream.as_bytes();
            let decode = |bytes: &[u8]| {
                let decoded = decode(bytes)?;
                Ok(decoded.map(|(request, consumed)| ((request.method, request.path.to_vec()), consumed)))
            };
            prop_assert_eq!(pieces::decode_cut(stream, &cuts, decode), pieces::decode_whole(stream, decode));
        }

        #[test]
        fn arbitrary_bytes_do_not_panic(bytes in any::<Vec<u8>>()) {
            if let Ok(Some((_, consumed))) = decode(&bytes) {
                prop_assert!(bytes[..consumed].ends_with(b"\r\n\r\n"));
            }
        }
    }
}
