//! A daemon that answers Exim's ACLs wrongly, half or never: the client is told to come back, and is
//! taken when it does.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::thread;

use crate::certificates::Authority;
use crate::client::Client;
use crate::exim::Exim;
use crate::exim_faults::{flood, joined};
use crate::impostor::{Fault, Impostor};
use crate::lab::Lab;
use crate::network::{OURS, partner_address};
use crate::on_each_exim;
use crate::resolver::Zone;
use crate::root::Release;

/// Mail in plaintext: from `.strict.example` it is refused.
const CONNECTORS: &str = r#"
[[inbound]]
name = "strict"
mode = "enforce"
identify.domains = [".strict.example"]
require.tls = true
on_violation = "reject"
"#;

/// What the client is told.
const UNAVAILABLE: &str = "451 4.3.5 policy service unavailable, try again later";
const UNUSABLE: &str = "451 4.3.5 policy service gave no usable answer";

/// When both questions are answered.
const REFUSED: &str = "530 5.7.0 connector strict: TLS is required";

/// What no answer is to the question `in`, and the reply to the client.
///
/// Where something is said, it begins as an answer that would let the mail in.
fn faults() -> Vec<(&'static str, Fault, &'static str)> {
    const WHOLE: &str = "action=pass end=ok\n";
    vec![
        ("hangs", Fault::hangs(""), UNAVAILABLE),
        ("hangs-half", Fault::hangs("action=pass "), UNAVAILABLE),
        ("hangs-whole", Fault::hangs(WHOLE), UNAVAILABLE),
        ("resets", Fault::resets(""), UNAVAILABLE),
        ("resets-half", Fault::resets("action=pass "), UNAVAILABLE),
        ("closes", Fault::says(""), UNAVAILABLE),
        ("empty-line", Fault::says("\n"), UNAVAILABLE),
        ("cut-word", Fault::says("action=pa"), UNAVAILABLE),
        ("cut-pair", Fault::says("action=pass"), UNAVAILABLE),
        ("cut-blank", Fault::says("action=pass "), UNAVAILABLE),
        ("cut-end", Fault::says("action=pass end=o"), UNAVAILABLE),
        ("cut-feed", Fault::says("action=pass end=ok"), UNAVAILABLE),
        ("cut-quoted", Fault::says(r#"action=pass text="a b"#), UNAVAILABLE),
        ("cut-quoted-end", Fault::says(r#"action=pass text="a end=ok"#), UNAVAILABLE),
        ("cut-quoted-feed", Fault::says("action=pass text=\"a end=ok\n"), UNAVAILABLE),
        ("garbage", Fault::says((1..=255).collect::<Vec<u8>>()), UNAVAILABLE),
        ("garbage-end", Fault::says(joined(&[&[0xff, b'=', b'"', 0xfe], WHOLE.as_bytes()])), UNAVAILABLE),
        ("nul-first", Fault::says("\0action=pass end=ok\n"), UNAVAILABLE),
        ("nul-word", Fault::says("action=pass\0 end=ok\n"), UNAVAILABLE),
        ("nul-end", Fault::says("action=pass end=\0ok\n"), UNAVAILABLE),
        ("nul-last", Fault::says("action=pass end=ok\0\n"), UNAVAILABLE),
        ("flood", Fault::says(flood()), UNAVAILABLE),
        ("flood-pass", Fault::says(joined(&[b"action=pass ", &flood()])), UNAVAILABLE),
        ("flood-end", Fault::says(joined(&[&flood(), b"end=ok\n"])), UNUSABLE),
        ("flood-text", Fault::says(joined(&[b"action=defer text=\"451 ", &flood(), b"\" end=ok\n"])), "451 "),
        ("trailing", Fault::says("action=pass end=ok action=pass\n"), UNAVAILABLE),
        ("trailing-line", Fault::says("action=pass end=ok\naction=pass\n"), UNAVAILABLE),
        ("trailing-word", Fault::says("action=pass end=okay\n"), UNAVAILABLE),
        ("return", Fault::says("action=pass end=ok\r\n"), UNAVAILABLE),
        ("shouts", Fault::says("ACTION=PASS end=ok\n"), UNUSABLE),
        ("no-action", Fault::says("connector=strict end=ok\n"), UNUSABLE),
        ("unknown-action", Fault::says("action=accept end=ok\n"), UNUSABLE),
        ("temp", Fault::says("status=temp action=defer end=ok\n"), UNUSABLE),
        ("outbound", Fault::says("status=ok tls=default end=ok\n"), UNUSABLE),
        ("certificate", Fault::says("ok\n"), UNAVAILABLE),
        // A text whose code says the contrary.
        ("defer-250", Fault::says("action=defer text=\"250 2.0.0 welcome\" end=ok\n"), "451 "),
        ("deny-250", Fault::says("action=deny text=\"250 2.0.0 welcome\" end=ok\n"), "550 "),
        ("unknown-250", Fault::says("action=accept text=\"250 2.0.0 welcome\" end=ok\n"), "451 "),
    ]
}

/// A client's try to send one message in a session; the first reply that refuses it, or the last.
fn send(client: &mut Client, sender: &str) -> (&'static str, String) {
    let mut reply = client.ask(&format!("MAIL FROM:<bob@{sender}>"));
    if !reply.starts_with("250") {
        return ("mail", reply);
    }
    reply = client.ask("RCPT TO:<carol@ours.example>");
    if !reply.starts_with("250") {
        client.expect("250", "RSET");
        return ("rcpt", reply);
    }
    ("data", client.data())
}

/// Stage and connector. In plaintext nobody gets as far as RCPT from the strict ones.
const VISITS: [(&str, &str); 3] = [("mail", "free"), ("mail", "strict"), ("rcpt", "free")];

/// A client that meets one fault at each of [`VISITS`]: its session, and replies that it should not
/// have got.
fn meet(lab: &Lab<Exim>, fault: &str, expected: &str) -> (Client, Vec<String>) {
    let mut client = Client::connect(&lab.network.partner, partner_address(77), IpAddr::V4(OURS));
    client.expect("250", "EHLO mx.partner.example");
    let mut wrong = Vec::new();
    for (stage, connector) in VISITS {
        let sender = format!("{fault}.{stage}.{connector}.example");
        let (at, reply) = send(&mut client, &sender);
        if at != stage || !reply.starts_with(expected) {
            wrong.push(format!("{sender}: expected {stage} {expected}, saw {at} {reply}"));
        }
    }
    (client, wrong)
}

/// Sender's domains are `FAULT.STAGE.CONNECTOR.example`: at `mail` all answers are faulty, at `rcpt`
/// only those at RCPT. Each client tries again, in the session that it has, when the real daemon is
/// back.
fn t3_x5_acl(release: Release) {
    let table = faults();
    let lab: Lab<Exim> =
        Lab::start(release, &Authority::new("Lab CA"), &[], Zone::default(), &["smtp_connect_backlog = 200"]);
    lab.site.configure_at(&lab.site.behind(), CONNECTORS);
    let behind = lab.site.serve();
    let plan: BTreeMap<_, _> = table.iter().map(|(name, fault, _)| (*name, fault.clone())).collect();
    let impostor = Impostor::start(&lab.site.exim(), &lab.site.behind(), move |question| {
        let mut labels = question.domain.split('.');
        let fault = plan.get(labels.next().unwrap())?;
        (question.names_recipient || labels.next() == Some("mail")).then(|| fault.clone())
    });

    let sessions: Vec<_> = thread::scope(|scope| {
        // All at once: some of them wait.
        let tries: Vec<_> = table
            .iter()
            .map(|(fault, _, reply)| {
                let lab = &lab;
                scope.spawn(move || meet(lab, fault, reply))
            })
            .collect();
        tries.into_iter().map(|each| each.join().unwrap()).collect()
    });
    let wrong: Vec<String> = sessions.iter().flat_map(|(_, wrong)| wrong.clone()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    drop(impostor);
    assert!(behind.stop().success(), "{}", lab.site.log());
    lab.site.configure(CONNECTORS);
    let _daemon = lab.site.serve();
    for ((mut client, _), (fault, ..)) in sessions.into_iter().zip(&table) {
        for (stage, connector) in VISITS {
            let sender = format!("{fault}.{stage}.{connector}.example");
            let (_, reply) = send(&mut client, &sender);
            let expected = if connector == "strict" { REFUSED } else { "250 OK id=" };
            assert!(reply.starts_with(expected), "{sender}: {reply}");
        }
    }
}

on_each_exim!(t3_x5_acl);
