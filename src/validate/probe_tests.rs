//! Visits to scripted peers on the loopback: good ones, and ones that stop at every stage.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::Timestamp;
use openssl::ssl::{Ssl, SslContext, SslMethod, SslVersion};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio_openssl::SslStream;

use super::super::forge::{Form, chain};
use super::*;
use crate::model::Level;
use crate::model::requirement::{CipherGrade, TlsVersion};

trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

/// What a peer does, step by step: `<` hears a line, `.` hears a message, `tls` shakes hands,
/// `tarpit` never goes on; everything else is said. At the end it closes.
type Script = Vec<&'static str>;

const OPENING: [&str; 6] = ["220 mx ESMTP", "<", "250-mx\r\n250-STARTTLS\r\n250 HELP", "<", "220 go", "tls"];
const AGAIN: [&str; 2] = ["<", "250-mx\r\n250 HELP"];

fn script(parts: &[&[&'static str]]) -> Script {
    parts.concat()
}

struct Peer {
    context: SslContext,
    chain: Vec<Vec<u8>>,
}

/// A server that speaks up to this version.
fn peer(newest: Option<SslVersion>) -> Peer {
    let root = Form::ca("Root").self_signed();
    let inter = Form::ca("Intermediate").issued_by(&root);
    let leaf = Form::server(&["mx.a.example"]).issued_by(&inter);
    let mut context = SslContext::builder(SslMethod::tls_server()).unwrap();
    context.set_security_level(0);
    context.set_min_proto_version(None).unwrap();
    context.set_max_proto_version(newest).unwrap();
    context.set_certificate(&leaf.certificate).unwrap();
    context.set_private_key(&leaf.key).unwrap();
    context.add_extra_chain_cert(inter.certificate.clone()).unwrap();
    context
        .set_status_callback(|session| {
            session.set_ocsp_status(b"stapled")?;
            Ok(true)
        })
        .unwrap();
    Peer { context: context.build(), chain: chain(&[&leaf, &inter]) }
}

async fn act(mut wire: Box<dyn Wire>, context: SslContext, script: Script, heard: Arc<Mutex<Vec<String>>>) {
    let mut steps = script.into_iter();
    loop {
        let mut stream = BufReader::new(wire);
        loop {
            let Some(step) = steps.next() else { return };
            let done = match step {
                "tls" => break,
                "tarpit" => std::future::pending().await,
                "<" | "." => hear(&mut stream, step == ".", &heard).await,
                words => stream.write_all(format!("{words}\r\n").as_bytes()).await.is_ok(),
            };
            if !done {
                return;
            }
        }
        let session = Ssl::new(&context).unwrap();
        let mut secret = SslStream::new(session, stream.into_inner()).unwrap();
        if Pin::new(&mut secret).accept().await.is_err() {
            return;
        }
        wire = Box::new(secret);
    }
}

async fn hear<S: AsyncBufReadExt + Unpin>(stream: &mut S, message: bool, heard: &Mutex<Vec<String>>) -> bool {
    loop {
        let mut line = String::new();
        if !stream.read_line(&mut line).await.is_ok_and(|count| count > 0) {
            return false;
        }
        let end = !message || line == ".\r\n";
        heard.lock().unwrap().push(line.trim_end().to_owned());
        if end {
            return true;
        }
    }
}

/// What was seen, and all lines that the peer heard in up to two connections.
fn visited(peer: &Peer, script: &Script, plan: &Plan) -> (Observation, Vec<String>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let seen = runtime.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (context, script, heard) = (peer.context.clone(), script.clone(), heard.clone());
        let endless = script.contains(&"tarpit");
        let (stop, mut stopped) = tokio::sync::oneshot::channel::<()>();
        let acting = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                tokio::select! {
                    accepted = listener.accept() => {
                        let wire = Box::new(accepted.unwrap().0);
                        connections.spawn(act(wire, context.clone(), script.clone(), heard.clone()));
                    }
                    _ = &mut stopped => return connections,
                }
            }
        });
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let seen = probe(&Target { host: "mx.a.example".to_owned(), address, port }, plan).await;
        stop.send(()).unwrap();
        let mut connections = acting.await.unwrap();
        while !endless && connections.join_next().await.is_some() {}
        seen
    });
    let heard = heard.lock().unwrap().clone();
    (seen, heard)
}

fn plan(level: Level) -> Plan {
    Plan {
        settings: Settings { level, min_version: None, ciphers: None, servername: None },
        helo: "mail.ours.example".to_owned(),
        mail: None,
        step: Duration::from_secs(30),
        whole: Duration::from_secs(60),
    }
}

fn test_mail(recipients: &[&str]) -> TestMail {
    TestMail {
        sender: "postmaster@ours.example".to_owned(),
        recipients: recipients.iter().map(|one| (*one).to_owned()).collect(),
        no_data: false,
        message: Message {
            connector: "contoso".to_owned(),
            host: "mail.ours.example".to_owned(),
            from: "postmaster@ours.example".to_owned(),
            date: Timestamp::UNIX_EPOCH,
            id: "1".to_owned(),
        },
        claim: None,
    }
}

#[test]
fn a_good_session_is_seen_whole() {
    let peer = peer(None);
    let (seen, heard) = visited(&peer, &script(&[&OPENING, &AGAIN, &["<"]]), &plan(Level::Secure));
    assert_eq!(seen.trouble, None);
    assert_eq!(seen.greeting.as_deref(), Some("220 mx ESMTP"));
    assert_eq!(seen.capabilities, ["STARTTLS", "HELP"]);
    let tls = seen.tls.unwrap();
    assert_eq!((tls.version.as_str(), tls.cipher.as_str()), ("TLSv1.3", "TLS_AES_256_GCM_SHA384"));
    assert_eq!(tls.chain, peer.chain);
    assert_eq!(tls.stapled.as_deref(), Some(b"stapled".as_slice()));
    assert_eq!(heard, ["EHLO mail.ours.example", "STARTTLS", "EHLO mail.ours.example", "QUIT"]);
    assert_eq!(seen.mail, None);
}

#[test]
fn every_early_end_has_its_stage() {
    let peer = peer(None);
    let reply = |text: &str| Trouble::Reply(text.to_owned());
    let smtp = |text: &str| Trouble::Protocol(text.to_owned());
    let cases: Vec<(Script, Stage, Trouble)> = vec![
        (vec![], Stage::Greeting, Trouble::Closed),
        (vec!["554 no"], Stage::Greeting, reply("554 no")),
        (vec!["SSH-2.0-x"], Stage::Greeting, smtp("no SMTP reply: SSH-2.0-x")),
        (vec!["220 mx", "<"], Stage::Ehlo, Trouble::Closed),
        (vec!["220 mx", "<", "421 busy"], Stage::Ehlo, reply("421 busy")),
        (vec!["220 mx", "<", "502 what", "<", "550 no"], Stage::Ehlo, reply("550 no")),
        (vec!["220 mx", "<", "502 what", "<", "250 STARTTLS"], Stage::StartTls, Trouble::NotOffered),
        (vec!["220 mx", "<", "250-STARTTLS\r\n250 HELP"], Stage::StartTls, Trouble::NotOffered),
        (vec!["220 mx", "<", "250-mx\r\n250 XSTARTTLS"], Stage::StartTls, Trouble::NotOffered),
        (vec!["220 mx", "<", "250-mx\r\n250 starttls", "<", "454 no"], Stage::StartTls, reply("454 no")),
        (vec!["220 mx", "<", "250-mx\r\n250 STARTTLS", "<"], Stage::StartTls, Trouble::Closed),
        (script(&[&OPENING[..5]]), Stage::Handshake, Trouble::Closed),
        (
            script(&[&OPENING[..5], &["500 what", "tarpit"]]),
            Stage::Handshake,
            Trouble::Tls("wrong version number".to_owned()),
        ),
        (script(&[&OPENING]), Stage::EhloAgain, Trouble::Closed),
        (script(&[&OPENING, &["<", "421 no"]]), Stage::EhloAgain, reply("421 no")),
        (script(&[&OPENING, &["<", "550 no", "<", "550 no"]]), Stage::EhloAgain, reply("550 no")),
    ];
    for level in [Level::Encrypt, Level::Secure] {
        for (script, stage, trouble) in &cases {
            let wanted = Plan { mail: Some(test_mail(&["bob@a.example"])), ..plan(level) };
            let (seen, heard) = visited(&peer, script, &wanted);
            // What is left unread at the end makes a reset of a close.
            let reset = Trouble::System("Connection reset by peer".to_owned());
            let expected = [Some((*stage, trouble.clone())), Some((*stage, reset))];
            let right =
                seen.trouble == expected[0] || (*trouble == Trouble::Closed && seen.trouble == expected[1]);
            assert!(right, "{script:?}: {:?}", seen.trouble);
            assert!(!heard.iter().any(|line| line.starts_with("MAIL")), "{script:?}: {heard:?}");
            assert_eq!(seen.mail, None, "{script:?}");
        }
    }
}

#[test]
fn a_tarpit_anywhere_runs_into_the_deadline() {
    let peer = peer(None);
    let impatient = |step, whole| Plan {
        step: Duration::from_millis(step),
        whole: Duration::from_millis(whole),
        ..plan(Level::Encrypt)
    };
    let stages = [
        (0, Stage::Greeting),
        (2, Stage::Ehlo),
        (4, Stage::StartTls),
        (5, Stage::Handshake),
        (7, Stage::EhloAgain),
    ];
    let full = script(&[&OPENING, &AGAIN]);
    for plan in [impatient(200, 60_000), impatient(60_000, 400)] {
        for (length, stage) in stages {
            let stuck = script(&[&full[..length], &["tarpit"]]);
            let trouble = visited(&peer, &stuck, &plan).0.trouble;
            let Some((at, Trouble::Timeout(Some(waited)))) = trouble else { panic!("{stage:?} {trouble:?}") };
            assert_eq!(at, stage);
            assert!(waited <= plan.step.min(plan.whole), "{stage:?} {waited:?}");
        }
    }
}

#[test]
fn old_versions_are_spoken_where_postfix_does() {
    let session = |newest, settings: Settings| {
        let plan = Plan { settings, ..plan(Level::Encrypt) };
        let (seen, _) = visited(&peer(newest), &script(&[&OPENING, &AGAIN, &["<"]]), &plan);
        (seen.trouble.is_none(), seen.tls.map(|tls| tls.version).unwrap_or_default())
    };
    let at = |level| plan(level).settings;
    let minimum = |version| Settings { min_version: Some(version), ..at(Level::Encrypt) };
    let table = [
        (Some(SslVersion::TLS1), at(Level::May), (true, "TLSv1")),
        (Some(SslVersion::TLS1), at(Level::Encrypt), (true, "TLSv1")),
        (Some(SslVersion::TLS1_1), at(Level::Encrypt), (true, "TLSv1.1")),
        (Some(SslVersion::TLS1_1), at(Level::Secure), (false, "TLSv1.1")),
        (Some(SslVersion::TLS1), at(Level::Fingerprint), (false, "TLSv1")),
        (Some(SslVersion::TLS1_2), at(Level::Secure), (true, "TLSv1.2")),
        (Some(SslVersion::TLS1_1), minimum(TlsVersion::Tls12), (false, "TLSv1.1")),
        (Some(SslVersion::TLS1_2), minimum(TlsVersion::Tls13), (false, "TLSv1.2")),
        (None, minimum(TlsVersion::Tls13), (true, "TLSv1.3")),
        (None, Settings { ciphers: Some(CipherGrade::High), ..at(Level::Secure) }, (true, "TLSv1.3")),
    ];
    for (newest, settings, (good, version)) in table {
        let expected = (good, version.to_owned());
        assert_eq!(session(newest, settings.clone()), expected, "{newest:?} {settings:?}");
    }
}

#[test]
fn the_test_mail_goes_over_the_session() {
    let peer = peer(None);
    let mail = |mail| Plan { mail: Some(mail), ..plan(Level::Encrypt) };
    let delivery = ["<", "250 ok", "<", "550 5.1.1 no", "<", "250 ok", "<", "354 go", ".", "250 taken", "<"];
    let full = script(&[&OPENING, &AGAIN, &delivery]);
    let (seen, heard) = visited(&peer, &full, &mail(test_mail(&["a@a.example", "bob@a.example"])));
    assert_eq!(seen.trouble, None);
    let expected = Outcome {
        accepted: vec!["bob@a.example".to_owned()],
        refused: vec![("a@a.example".to_owned(), "550 5.1.1 no".to_owned())],
        taken: Some("250 taken".to_owned()),
    };
    assert_eq!(seen.mail, Some(expected));
    let envelope =
        ["MAIL FROM:<postmaster@ours.example>", "RCPT TO:<a@a.example>", "RCPT TO:<bob@a.example>", "DATA"];
    assert_eq!(heard[3..7], envelope);
    assert!(heard.contains(&"Subject: Automatic TLS test by connectord for connector contoso".to_owned()));
    assert_eq!(heard.last().map(String::as_str), Some("QUIT"));
}

#[test]
fn a_mail_that_is_not_taken() {
    let peer = peer(None);
    let accepted = ["<", "250 ok", "<", "250 ok"];
    let cases: Vec<(&[&'static str], Option<Stage>, usize)> = vec![
        (&["<", "450 later"], Some(Stage::Mail), 0),
        (&["<", "250 ok", "<", "550 no", "<"], None, 0),
        (&["<", "250 ok", "<"], Some(Stage::Recipient), 0),
        (&["<", "452 full"], Some(Stage::Data), 1),
        (&["<", "250 not 354"], Some(Stage::Data), 1),
        (&["<", "354 go", ".", "554 spam"], Some(Stage::Data), 1),
        (&["<", "354 go", "."], Some(Stage::Data), 1),
    ];
    for (steps, stage, count) in cases {
        let before: &[&'static str] = if count == 1 { &accepted } else { &[] };
        let wanted = Plan { mail: Some(test_mail(&["bob@a.example"])), ..plan(Level::Encrypt) };
        let (seen, _) = visited(&peer, &script(&[&OPENING, &AGAIN, before, steps]), &wanted);
        assert_eq!(seen.trouble.as_ref().map(|(stage, _)| *stage), stage, "{steps:?}");
        assert_eq!(seen.mail.unwrap().accepted.len(), count, "{steps:?}");
    }
}

#[test]
fn what_is_asked_for_alone_is_done() {
    let peer = peer(None);
    let asked = ["<", "250 ok", "<", "250 ok", "<"];
    let full = script(&[&OPENING, &AGAIN, &asked]);
    let only_asked = TestMail { no_data: true, ..test_mail(&["bob@a.example"]) };
    let (seen, heard) = visited(&peer, &full, &Plan { mail: Some(only_asked), ..plan(Level::Encrypt) });
    assert_eq!((seen.trouble, seen.mail.unwrap().taken), (None, None));
    assert!(!heard.contains(&"DATA".to_owned()));
    assert_eq!(heard.last().map(String::as_str), Some("QUIT"));

    // Whoever has the claim is asked once, with the session before it.
    let times = Arc::new(AtomicUsize::new(0));
    let counted = times.clone();
    let refuse: Claim = Arc::new(move |seen: &Observation| {
        counted.fetch_add(1, Ordering::Relaxed);
        seen.tls.is_none()
    });
    let claimed = TestMail { claim: Some(refuse), ..test_mail(&["bob@a.example"]) };
    let end = script(&[&OPENING, &AGAIN, &["<"]]);
    let (seen, heard) = visited(&peer, &end, &Plan { mail: Some(claimed), ..plan(Level::Encrypt) });
    assert_eq!((seen.trouble, seen.mail, times.load(Ordering::Relaxed)), (None, None, 1));
    assert_eq!(heard.last().map(String::as_str), Some("QUIT"));
}

#[test]
fn no_address_becomes_a_command() {
    let peer = peer(None);
    for bad in ["bob@a.example>\r\nQUIT", "bob", "", "b\u{f6}b@a.example", "bob@a.example> SIZE=1"] {
        let wanted = Plan { mail: Some(test_mail(&[bad])), ..plan(Level::Encrypt) };
        let (seen, heard) = visited(&peer, &script(&[&OPENING, &AGAIN, &["<", "250 ok", "<"]]), &wanted);
        assert_eq!(seen.mail.unwrap().refused.len(), 1, "{bad:?}");
        assert!(!heard.iter().any(|line| line.starts_with("RCPT")), "{bad:?}: {heard:?}");
    }
}

#[test]
fn a_closed_port_is_said_in_the_system_s_words() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let seen = runtime.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        probe(&Target { host: "mx".to_owned(), address, port }, &plan(Level::Secure)).await
    });
    let refused = Trouble::System("Connection refused".to_owned());
    assert_eq!(seen.trouble, Some((Stage::Connect, refused)));
}
