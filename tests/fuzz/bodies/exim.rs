//! Exim's lines: one question, one line of the closed list, and what Exim quotes is what is read.

use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use connectord::answer::exim::{self as answer, Question};
use connectord::answer::{Answered as _, Leaf, Mail, inbound as decide};
use connectord::protocol::exim::{CertificateRequest, MailRequest, REFUSAL, Request, decode, tls_word};

use super::certificate::Seen;
use super::inbound::{self, Known};
use super::naive::{self, Host};
use super::site::{CLIENT, CLIENT_DIGEST, Site, now, sites};
use super::vocabulary::{self, Severity};

/// Answers a line.
pub fn exim(data: &[u8]) {
    if let Some(end) = data.iter().position(|&byte| byte == b'\n') {
        assert_eq!(decode(&data[..end]), Ok(None), "a line has ended before its end");
    }
    let request = match decode(data) {
        Ok(Some((request, consumed))) => {
            assert_eq!(consumed, data.len(), "something behind the line was passed over");
            request
        }
        Ok(None) => return assert!(!data.contains(&b'\n'), "a line does not end"),
        Err(_) => {
            let line = std::str::from_utf8(REFUSAL).expect("the refusal is text");
            vocabulary::exim(line.trim_end(), vocabulary::SITE);
            return;
        }
    };
    let again = encode(&request);
    assert_eq!(decode(&again), Ok(Some((request.clone(), again.len()))), "as Exim would have written it");
    for site in sites() {
        match &request {
            Request::Out(request) => {
                out(site, &request.domain);
            }
            Request::Certificate(request) => certificate(site, request),
            Request::In(request) => mail(site, request),
        }
    }
}

/// The answer is the one that is written down; `tls=default` only where nobody is covered.
fn out<'s>(site: &'s Site, domain: &[u8]) -> Option<&'s str> {
    let lookup = answer::out(&site.snapshot, domain);
    let line = lookup.reply.payload();
    vocabulary::exim(&line, vocabulary::SITE);
    let host = std::str::from_utf8(domain).ok().and_then(recipient);
    let expected = host.as_ref().and_then(|host| site.exim(host));
    match (&host, expected) {
        (None, _) => assert!(line.starts_with("status=temp "), "{line}"),
        (Some(_), None) => assert_eq!(line, "status=ok tls=default end=ok"),
        (Some(_), Some(expected)) => assert_eq!(line, expected),
    }
    expected
}

/// The domain of a recipient: a name, or an address in brackets.
fn recipient(text: &str) -> Option<Host> {
    match text.strip_prefix('[') {
        Some(rest) => naive::host(rest.strip_suffix(']')?).filter(|host| matches!(host, Host::Address(_))),
        None => naive::name(text).map(Host::Name),
    }
}

/// `ok` is said of a certificate that OpenSSL reads, that shows what the connector asks for, and to nobody but the
/// transport that it asked for.
fn certificate(site: &Site, request: &CertificateRequest<'_>) {
    let question =
        Question { domain: &request.domain, host: &request.host, answer: &request.answer, der: &request.der };
    let text = answer::certificate(&site.snapshot, &question).payload();
    let expected = out(site, &request.domain);
    if !vocabulary::certificate(&text) {
        return;
    }
    let expected = expected.expect("a connector asked for the certificate");
    assert_eq!(request.answer.trim_ascii_end(), expected.as_bytes(), "not the answer of now");
    let domain = std::str::from_utf8(&request.domain).ok().and_then(naive::name);
    let domain = domain.expect("no connector asks for the certificate of an address");
    if expected.contains("tls=pin") {
        assert_eq!(Seen::digest(&request.der), CLIENT_DIGEST);
        return;
    }
    let seen = Seen::of(&request.der);
    if expected.contains("tls=cert") {
        let asked = if naive::covers("*.partner.example", &domain) {
            format!("*.{domain}")
        } else {
            "*.contoso.com".into()
        };
        assert!(seen.is_none_or(|seen| seen.shows(&asked)), "accepted for {asked}");
    } else {
        assert!(expected.contains("tls=host"), "{expected} asks for no certificate");
    }
}

/// A mail is objected to as severely as its connectors ask, as far as that shows without reading the certificate.
fn mail(site: &Site, request: &MailRequest<'_>) {
    let leaf = Leaf::read(&request.der, request.verified, now());
    let state: &[u8] = if request.recipient.is_some() { b"RCPT" } else { b"MAIL" };
    let recipient = request.recipient.as_deref().unwrap_or_default();
    let mail = Mail {
        state,
        client_address: &request.ip,
        helo: &request.helo,
        sender: &request.sender,
        recipient,
        sasl_username: b"",
        tls_version: tls_word(&request.proto),
        certificate: leaf.whole(),
    };
    let line = answer::action(&decide(&site.snapshot, &mail, now));
    let found = vocabulary::exim(&line, vocabulary::SITE);
    let severity = match found.get("action").map(String::as_str) {
        Some("pass") => Severity::Nothing,
        Some("deny") => Severity::Reject,
        _ => Severity::Defer,
    };

    let trusted = request.verified && !request.der.is_empty();
    let letters: Vec<u8> = request.der.iter().filter(|&&b| b != 0).map(u8::to_ascii_lowercase).collect();
    let may_be = letters.windows(15).any(|window| window == b"partner.example");
    let registered = if request.der.is_empty() {
        Known::No
    } else if request.der == *client() {
        Known::Yes
    } else {
        // Another one with the same key is as good.
        Known::Maybe
    };
    let (mildest, most) = inbound::expected(&inbound::Mail {
        state,
        client: &request.ip,
        helo: &request.helo,
        sender: &request.sender,
        recipient,
        authenticated: false,
        tls: match request.proto.as_ref() {
            b"TLS1.2" => b"TLSv1.2",
            b"TLS1.3" => b"TLSv1.3",
            other => other,
        },
        partner: if trusted && may_be { Known::Maybe } else { Known::No },
        registered,
    });
    // Exim cannot hold a mail.
    let waits = |severity| if severity == Severity::Hold { Severity::Defer } else { severity };
    assert!(
        (waits(mildest)..=waits(most)).contains(&severity),
        "{line}, where {mildest:?} to {most:?} is asked for"
    );
}

/// The registered certificate.
fn client() -> &'static Vec<u8> {
    static CLIENT_DER: OnceLock<Vec<u8>> = OnceLock::new();
    CLIENT_DER.get_or_init(|| {
        let base64: String = CLIENT.lines().filter(|line| !line.starts_with("-----")).collect();
        STANDARD.decode(base64).expect("PEM of one certificate")
    })
}

/// A request as `${quote:}` would write it.
fn encode(request: &Request<'_>) -> Vec<u8> {
    let mut line = Line::default();
    match request {
        Request::Out(request) => {
            line.verb("out").quoted("domain", &request.domain).quoted("sender", &request.sender)
        }
        Request::Certificate(request) => line
            .verb("cert")
            .quoted("domain", &request.domain)
            .quoted("host", &request.host)
            .quoted("answer", &request.answer)
            .bare("der", &STANDARD.encode(&request.der)),
        Request::In(request) => {
            let line = line
                .verb("in")
                .quoted("ip", &request.ip)
                .quoted("helo", &request.helo)
                .quoted("sender", &request.sender)
                .quoted("proto", &request.proto)
                .bare("cv", if request.verified { "1" } else { "0" })
                .bare("der", &STANDARD.encode(&request.der));
            for (key, value) in [("recipient", &request.recipient), ("id", &request.id)] {
                if let Some(value) = value {
                    line.quoted(key, value);
                }
            }
            line
        }
    };
    line.0.push(b'\n');
    line.0
}

/// A line under construction.
#[derive(Default)]
struct Line(Vec<u8>);

impl Line {
    fn verb(&mut self, verb: &str) -> &mut Self {
        self.0.extend(verb.bytes());
        self
    }

    fn bare(&mut self, key: &str, value: &str) -> &mut Self {
        self.0.extend(format!(" {key}={value}").bytes());
        self
    }

    /// expand.c, EOP_QUOTE.
    fn quoted(&mut self, key: &str, value: &[u8]) -> &mut Self {
        let plain = |b: &u8| b.is_ascii_alphanumeric() || b"_-.".contains(b);
        if !value.is_empty() && value.iter().all(plain) {
            self.0.extend(format!(" {key}=").bytes());
            self.0.extend(value);
            return self;
        }
        self.0.extend(format!(" {key}=\"").bytes());
        for &byte in value {
            match byte {
                b'\n' => self.0.extend(b"\\n"),
                b'\r' => self.0.extend(b"\\r"),
                b'"' | b'\\' => self.0.extend([b'\\', byte]),
                _ => self.0.push(byte),
            }
        }
        self.0.push(b'"');
        self
    }
}
