//! Against a policy host of the test, with certificates made on the spot.

#![allow(clippy::unwrap_used)]

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::RecordType::{A, TXT};
use openssl::pkey::PKey;
use openssl::ssl::{Ssl, SslAcceptor, SslMethod, SslVersion};
use openssl::x509::X509;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::validate::dns::responder::{Reply, Responder};

const POLICY: &str = "version: STSv1\r\nmode: enforce\r\nmx: *.a.test\r\nmax_age: 86400\r\n";

/// Long enough for a busy machine.
const TIMEOUT: Duration = Duration::from_secs(5);

/// An authority whose certificates the fetcher trusts.
struct Authority(Issuer<'static, KeyPair>, X509);

fn authority(name: &str) -> Authority {
    let mut params = params(&[], name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let certificate = X509::from_der(params.self_signed(&key).unwrap().der()).unwrap();
    Authority(Issuer::new(params, key), certificate)
}

fn params(names: &[&str], common_name: &str) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params
}

/// What a policy host does with a request.
#[derive(Clone)]
enum Behaviour {
    /// Answers so, and closes.
    Answer(String),
    /// Takes the request and says nothing.
    Silence,
    /// Headers without end.
    Headers,
    /// A policy without end.
    Body,
}

impl Authority {
    fn acceptor(&self, params: CertificateParams, newest: SslVersion) -> SslAcceptor {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let mut builder = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).unwrap();
        builder.set_certificate(&X509::from_der(certificate.der()).unwrap()).unwrap();
        builder.set_private_key(&PKey::private_key_from_der(key.serialized_der()).unwrap()).unwrap();
        builder.set_min_proto_version(None).unwrap();
        builder.set_max_proto_version(Some(newest)).unwrap();
        builder.set_cipher_list("DEFAULT@SECLEVEL=0").unwrap();
        builder.build()
    }

    /// A fetcher that trusts this authority, and a host at this port.
    fn fetcher(&self, port: u16, timeout: Duration) -> Fetcher {
        let trust = self.1.clone();
        Fetcher::with(port, timeout, |builder| builder.cert_store_mut().add_cert(trust)).unwrap()
    }
}

async fn policy_host(acceptor: SslAcceptor, behaviour: Behaviour) -> u16 {
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let ssl = Ssl::new(acceptor.context()).unwrap();
            let mut stream = tokio_openssl::SslStream::new(ssl, stream).unwrap();
            let behaviour = behaviour.clone();
            tokio::spawn(async move {
                if std::pin::Pin::new(&mut stream).accept().await.is_err() {
                    return;
                }
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    request.push(stream.read_u8().await.unwrap());
                }
                let request = String::from_utf8(request).unwrap();
                assert!(request.starts_with("GET /.well-known/mta-sts.txt HTTP/1.1\r\n"), "{request}");
                assert!(request.contains("host: mta-sts.a.test\r\n"), "{request}");
                let (first, then) = match &behaviour {
                    Behaviour::Answer(text) => (text.as_str(), None),
                    Behaviour::Silence => ("", Some("")),
                    Behaviour::Headers => ("HTTP/1.1 200 OK\r\n", Some("x: yyyyyyyyyyyyyyyyyyyyyyyyyy\r\n")),
                    Behaviour::Body => {
                        ("HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n", Some("mx: a.test\n"))
                    }
                };
                let _ = stream.write_all(first.as_bytes()).await;
                match then {
                    None => _ = stream.shutdown().await,
                    // Until the other side has had enough.
                    Some("") => _ = stream.read_u8().await,
                    Some(text) => while stream.write_all(text.as_bytes()).await.is_ok() {},
                }
            });
        }
    });
    port
}

fn answer(status: &str, headers: &str, body: &str) -> Behaviour {
    let length = body.len();
    Behaviour::Answer(format!("HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\n\r\n{body}"))
}

fn policy_of(body: &str) -> Behaviour {
    answer("200 OK", "Content-Type: text/plain; charset=utf-8\r\n", body)
}

fn announced() -> Responder {
    Responder::default().records("_mta-sts.a.test", TXT, &["\"v=STSv1; id=1;\""]).records(
        "mta-sts.a.test",
        A,
        &["127.0.0.1"],
    )
}

/// In few words: the mode, or why there is none.
fn words(found: Result<Policy, Absence>) -> String {
    match found {
        Ok(policy) => policy.mode.word().to_owned(),
        Err(absence) => absence.to_string(),
    }
}

#[tokio::test]
async fn what_the_policy_host_answers() {
    let authority = authority("ours");
    let dns = announced().dns().await;
    let long = format!("{POLICY}x: {}\n", "y".repeat(64 * 1024 - POLICY.len() - 4));
    let table = [
        ("a policy", policy_of(POLICY), "enforce"),
        ("at the limit", policy_of(&long), "enforce"),
        ("over the limit", policy_of(&format!("{long}\n")), "longer than 64 KiB"),
        ("without end", Behaviour::Body, "longer than 64 KiB"),
        ("headers without end", Behaviour::Headers, "does not speak HTTP"),
        ("no such file", answer("404 Not Found", "content-type: text/plain\r\n", POLICY), "status 404"),
        (
            "a redirect",
            answer(
                "301 Moved",
                "location: https://mta-sts.a.test/other\r\ncontent-type: text/plain\r\n",
                POLICY,
            ),
            "status 301",
        ),
        ("created", answer("201 Created", "content-type: text/plain\r\n", POLICY), "status 201"),
        ("a page", answer("200 OK", "content-type: text/html\r\n", POLICY), "type text/html instead"),
        ("an evil type", answer("200 OK", "content-type: \u{9b}2J\r\n", POLICY), "type \\xc2\\x9b2J instead"),
        ("no type", answer("200 OK", "", POLICY), "instead of text/plain"),
        ("no policy", policy_of("hello"), "line 1"),
        ("no HTTP", Behaviour::Answer("220 mx.a.test ESMTP\r\n".to_owned()), "does not speak HTTP"),
        ("nothing", Behaviour::Answer(String::new()), "does not speak HTTP"),
        (
            "cut short",
            Behaviour::Answer(
                "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 99\r\n\r\nversion".to_owned(),
            ),
            "does not speak HTTP",
        ),
    ];
    for (name, behaviour, expected) in table {
        let acceptor = authority.acceptor(params(&["mta-sts.a.test"], "x"), SslVersion::TLS1_3);
        let port = policy_host(acceptor, behaviour).await;
        let found = words(look(&dns, &authority.fetcher(port, TIMEOUT), "a.test").await);
        assert!(found.contains(expected), "{name}: {found}");
    }
}

#[tokio::test]
async fn whom_the_policy_host_shows_itself_to_be() {
    let (authority, stranger) = (authority("ours"), self::authority("theirs"));
    let dns = announced().dns().await;
    let mut expired = params(&["mta-sts.a.test"], "x");
    expired.not_before = rcgen::date_time_ymd(2020, 1, 1);
    expired.not_after = rcgen::date_time_ymd(2021, 1, 1);
    let new = SslVersion::TLS1_3;
    let table = [
        ("its name", authority.acceptor(params(&["mta-sts.a.test"], "x"), new), "enforce"),
        ("a wildcard", authority.acceptor(params(&["*.a.test"], "x"), new), "enforce"),
        ("TLS 1.2", authority.acceptor(params(&["*.a.test"], "x"), SslVersion::TLS1_2), "enforce"),
        (
            "TLS 1.1",
            authority.acceptor(params(&["*.a.test"], "x"), SslVersion::TLS1_1),
            "TLS with the policy host fails",
        ),
        ("another name", authority.acceptor(params(&["a.test"], "x"), new), "hostname mismatch"),
        ("a common name alone", authority.acceptor(params(&[], "mta-sts.a.test"), new), "hostname mismatch"),
        (
            "another authority",
            stranger.acceptor(params(&["mta-sts.a.test"], "x"), new),
            "unable to get local issuer",
        ),
        ("expired", authority.acceptor(expired, new), "expired"),
    ];
    for (name, acceptor, expected) in table {
        let port = policy_host(acceptor, policy_of(POLICY)).await;
        let found = words(look(&dns, &authority.fetcher(port, TIMEOUT), "a.test").await);
        assert!(found.contains(expected), "{name}: {found}");
    }
}

#[tokio::test]
async fn a_policy_host_cannot_hold_us() {
    let authority = authority("ours");
    let acceptor = authority.acceptor(params(&["mta-sts.a.test"], "x"), SslVersion::TLS1_3);
    let silent = policy_host(acceptor, Behaviour::Silence).await;
    // Its backlog takes the connection, and nobody ever shakes hands.
    let tarpit = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let closed = {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        listener.local_addr().unwrap().port()
    };
    let dns = announced().dns().await;
    let short = Duration::from_millis(300);
    for (port, expected) in [
        (silent, FetchError::Timeout),
        (tarpit.local_addr().unwrap().port(), FetchError::Timeout),
        (closed, FetchError::Connect("Connection refused (os error 111)".to_owned())),
    ] {
        let found = look(&dns, &authority.fetcher(port, short), "a.test").await;
        assert_eq!(found, Err(Absence::Fetch(expected)));
    }
}

#[tokio::test]
async fn without_an_announcement_nobody_is_asked() {
    let authority = authority("ours");
    let two = ["\"v=STSv1; id=1;\"", "\"v=STSv1; id=2;\""];
    let table = [
        ("no name", Responder::default(), "no MTA-STS policy is announced"),
        (
            "no record",
            Responder::default().records("_mta-sts.a.test", A, &["192.0.2.1"]),
            "no MTA-STS policy is announced",
        ),
        (
            "other text",
            Responder::default().records("_mta-sts.a.test", TXT, &["x"]),
            "no MTA-STS policy is announced",
        ),
        ("two", Responder::default().records("_mta-sts.a.test", TXT, &two), "2 TXT records begin"),
        (
            "no id",
            Responder::default().records("_mta-sts.a.test", TXT, &["\"v=STSv1; x=1\""]),
            "no valid `id`",
        ),
        (
            "SERVFAIL",
            Responder::default().say("_mta-sts.a.test", TXT, Reply::code(ResponseCode::ServFail)),
            "cannot be found out: SERVFAIL",
        ),
    ];
    for (name, responder, expected) in table {
        let dns = responder.dns().await;
        // Nobody listens at port 1: asking would give another reason.
        let found = words(look(&dns, &authority.fetcher(1, TIMEOUT), "a.test").await);
        assert!(found.contains(expected), "{name}: {found}");
        assert!(!responder.asked().iter().any(|(asked, _)| asked == "mta-sts.a.test"), "{name}");
    }
    let dns = Responder::default().records("_mta-sts.a.test", TXT, &["\"v=STSv1; id=1;\""]).dns().await;
    let found = look(&dns, &authority.fetcher(1, TIMEOUT), "a.test").await;
    assert_eq!(found, Err(Absence::Fetch(FetchError::Dns(dns::Error::NoSuchName))));
}

#[test]
fn reports() {
    let policy = |mode: &str, mx: &str| {
        let text = format!("version: STSv1\nmode: {mode}\n{mx}max_age: 1");
        Policy::parse(text.as_bytes()).map_err(Absence::Policy)
    };
    let many = "mx: *.a\nmx: b.c\nmx: d.e\nmx: f.g\nmx: h.i\nmx: j.k\n";
    let table = [
        (Err(Absence::NotAnnounced), "x.a", None, None, "no MTA-STS policy is announced"),
        (
            policy("enforce", many),
            "x.a",
            Some("enforce"),
            Some(true),
            "covered: the policy names *.a or b.c or d.e or f.g or 2 more",
        ),
        (
            policy("enforce", "mx: b.c\n"),
            "x.a",
            Some("enforce"),
            Some(false),
            "not covered: the policy names b.c",
        ),
        (policy("testing", "mx: b.c\n"), "B.c", Some("testing"), Some(true), "covered: the policy names b.c"),
        (policy("none", ""), "b.c", Some("none"), None, "the policy says that there is none (mode none)"),
        (
            policy("enforce", "mx: b.c\n"),
            "192.0.2.1",
            Some("enforce"),
            Some(false),
            "not covered: the policy names b.c",
        ),
    ];
    for (found, host, mode, covers, detail) in table {
        let expected = MtaStsReport {
            found: mode.is_some(),
            mode: mode.map(str::to_owned),
            covers,
            detail: detail.to_owned(),
        };
        assert_eq!(report(&found, host), expected, "{host}");
    }
}
