//! What the pure parts of an answer take, each by itself: no socket, no runtime, no log.
//!
//! `cargo bench --bench pure [-- WORDS]`. What they come to over sockets is in the bench `daemon`.
//! Every part is asked once before it is measured, so that nobody measures a refusal.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, dead_code)]

#[path = "daemon/partners.rs"]
mod partners;

use std::fs::OpenOptions;
use std::hint::black_box;
use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use connectord::answer::{self, ClientCertificate, Mail, exim::Question};
use connectord::config::{self, Loaded};
use connectord::model::host::Key;
use connectord::protocol::{exim, netstring, policy, socketmap};
use connectord::snapshot::{Snapshot, compile};
use criterion::{Criterion, criterion_group, criterion_main};
use jiff::Timestamp;

use partners::{Book, domain, sender_domain};

/// Connectors in each direction, each with a domain.
const CONNECTORS: usize = 10_000;

/// A connector by a suffix, and one that asks for a name of the domain's own.
const MORE: &str = "
[[outbound]]\nname = \"below\"\nmode = \"enforce\"\ndomains = [\"*.below.example\"]\ntls = \"encrypt\"
[[outbound]]\nname = \"named\"\nmode = \"enforce\"\ndomains = [\"named.example\"]\ntls = \"secure\"\nmatch = \"domain\"
";

fn loaded() -> Loaded {
    let directory = tempfile::tempdir().unwrap();
    let book = Book { domains: CONNECTORS, connectors: CONNECTORS, inbound: true };
    let path = book.write(directory.path(), "none");
    OpenOptions::new().append(true).open(&path).unwrap().write_all(MORE.as_bytes()).unwrap();
    config::load(&path, Timestamp::now()).unwrap_or_else(|problems| panic!("{problems}"))
}

fn snapshot(loaded: &Loaded) -> Snapshot {
    compile(&loaded.agreements, 1, loaded.sha256.clone()).unwrap()
}

fn protocols(criterion: &mut Criterion) {
    let (key, reply) = (domain(7), b"OK secure match=partner7.net:.partner7.net");
    let mut frame = Vec::new();
    netstring::encode(format!("tls {key}").as_bytes(), &mut frame);
    let decode = |wire| netstring::decode(wire, socketmap::REQUEST_LIMIT).unwrap().unwrap().consumed;
    assert_eq!(decode(&frame), frame.len());
    criterion.bench_function("netstring decode", |bench| bench.iter(|| decode(black_box(&frame))));
    let mut out = Vec::new();
    criterion.bench_function("netstring encode", |bench| {
        bench.iter(|| {
            out.clear();
            netstring::encode(black_box(reply), &mut out);
        });
    });
    let request = policy_request();
    assert_eq!(policy::decode(&request).unwrap().unwrap().1, request.len());
    criterion.bench_function("policy decode", |bench| bench.iter(|| policy::decode(black_box(&request))));
    assert!(Key::parse(&key).unwrap().bare);
    criterion.bench_function("key", |bench| bench.iter(|| Key::parse(black_box(&key)).is_ok()));
}

fn answers(criterion: &mut Criterion) {
    let loaded = loaded();
    let snapshot = snapshot(&loaded);
    let recipient = format!("somebody@{}", domain(7));
    for (name, map, key, connectors) in [
        ("tls, listed", "tls", domain(7), 1),
        ("tls, not listed", "tls", "stranger.example".to_owned(), 0),
        ("tls, by a suffix", "tls", "a.b.below.example".to_owned(), 1),
        ("transport", "transport", recipient, 1),
    ] {
        let ask =
            |key: &str| answer::socketmap(&snapshot, map.as_bytes(), Some(key.as_bytes())).applies.len();
        assert_eq!(ask(&key), connectors, "{name}");
        criterion.bench_function(name, |bench| bench.iter(|| ask(black_box(&key))));
    }
    let sender = format!("someone@{}", sender_domain(7));
    let mail = Mail {
        state: b"RCPT",
        client_address: b"198.51.100.7",
        sender: sender.as_bytes(),
        recipient: b"somebody@ours.example",
        tls_version: b"TLSv1.3",
        certificate: ClientCertificate {
            common_name: b"mail.partner7.net",
            issuer: b"Partner CA",
            ..ClientCertificate::default()
        },
        ..Mail::default()
    };
    let decide = |mail: &Mail<'_>| answer::inbound(&snapshot, mail, Timestamp::now).applies.len();
    assert_eq!(decide(&mail), 1);
    criterion.bench_function("inbound", |bench| bench.iter(|| decide(black_box(&mail))));
}

/// A question for a certificate, from the bytes on: the line, the base64 and the X.509 in it.
fn certificate(criterion: &mut Criterion) {
    let loaded = loaded();
    let snapshot = snapshot(&loaded);
    let params = rcgen::CertificateParams::new(vec!["mx.named.example".to_owned()]).unwrap();
    let leaf = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
    let line = format!(
        "cert domain=named.example host=mx.named.example answer=\"status=ok tls=cert end=ok\" der={}\n",
        STANDARD.encode(leaf.der())
    );
    let judge = |line: &[u8]| {
        let Ok(Some((exim::Request::Certificate(request), _))) = exim::decode(line) else {
            panic!("not a question for a certificate");
        };
        let question = Question {
            domain: &request.domain,
            host: &request.host,
            answer: &request.answer,
            der: &request.der,
        };
        answer::exim::certificate(&snapshot, &question).verdict
    };
    assert_eq!(judge(line.as_bytes()), Ok(()));
    criterion.bench_function("exim certificate", |bench| bench.iter(|| judge(black_box(line.as_bytes()))));
}

fn compiling(criterion: &mut Criterion) {
    let loaded = loaded();
    let mut group = criterion.benchmark_group("compile");
    group.sample_size(10);
    group.bench_function("10 000 domains", |bench| bench.iter(|| snapshot(black_box(&loaded))));
    group.finish();
}

/// As smtpd(8) of Postfix 3.7 asks at RCPT.
fn policy_request() -> Vec<u8> {
    let sender = sender_domain(7);
    format!(
        "request=smtpd_access_policy\nprotocol_state=RCPT\nprotocol_name=ESMTP\nclient_address=198.51.100.7\n\
         client_name=mail.{sender}\nclient_port=41234\nreverse_client_name=mail.{sender}\n\
         server_address=192.0.2.1\nserver_port=25\nhelo_name=mail.{sender}\nsender=someone@{sender}\n\
         recipient=somebody@ours.example\nrecipient_count=0\nqueue_id=\ninstance=1a2b.6512f3c4.5d6e7.0\n\
         size=12345\netrn_domain=\nstress=\nsasl_method=\nsasl_username=\nsasl_sender=\n\
         ccert_subject=mail.partner7.net\nccert_issuer=Partner+20CA\nccert_fingerprint=\n\
         ccert_pubkey_fingerprint=\nencryption_protocol=TLSv1.3\nencryption_cipher=TLS_AES_256_GCM_SHA384\n\
         encryption_keysize=256\npolicy_context=\ncompatibility_level=3.6\nmail_version=3.7.11\n\n"
    )
    .into_bytes()
}

criterion_group!(pure, protocols, answers, certificate, compiling);
criterion_main!(pure);
