//! `doctor` about proxies: clients who say for others who they are, and a filter before the queue.

use crate::certificates::Authority;
use crate::condition::wait_for;
use crate::lab::Mta as _;
use crate::on_each_postfix;
use crate::practice::Practice;
use crate::resolver::Zone;
use crate::root::Release;
use crate::visitor::{Wallet, connect};

const CONNECTORS: &str = r#"
[[inbound]]
name = "placed"
mode = "enforce"
identify.domains = ["placed.example"]
require.addresses = ["192.0.2.66/32"]
on_violation = "reject"

[[inbound]]
name = "tls"
mode = "enforce"
identify.domains = ["tls.example"]
require.tls = true
on_violation = "reject"

[[inbound]]
name = "held"
mode = "enforce"
identify.domains = ["held.example"]
require.tls = true
on_violation = "hold"
"#;

fn open(release: Release, connectors: &str) -> (Practice, Wallet) {
    let authority = Authority::new("Lab CA");
    let practice = Practice::open(release, &authority, &[], Zone::default());
    practice.agree(connectors);
    (practice, Wallet::new(&authority))
}

/// What a client in plaintext from nowhere in particular is told about mail of a domain, when it has said this first.
fn told(practice: &Practice, wallet: &Wallet, first: &[&str], sender: &str, recipient: &str) -> String {
    let mut client = connect(&practice.lab, &wallet.visitor("plaintext"));
    for line in first {
        client.ask(line);
    }
    client.expect("250", "EHLO mail.contoso.example");
    client.expect("250", &format!("MAIL FROM:<bob@{sender}>"));
    let reply = client.ask(&format!("RCPT TO:<{recipient}>"));
    if reply.starts_with("250") { client.data() } else { reply }
}

/// Who may say that it is at the partner's address, or at one of ours.
fn x2_xclient(release: Release) {
    let (practice, wallet) = open(release, CONNECTORS);
    let _daemon = practice.serve();
    let partner = ["XCLIENT ADDR=192.0.2.66"];
    let ours = ["XCLIENT ADDR=127.0.0.1"];
    let is_stopped = || {
        for (first, sender, code) in
            [(partner, "placed.example", "550 5.7.1"), (ours, "tls.example", "530 5.7.0")]
        {
            let reply = told(&practice, &wallet, &first, sender, "carol@ours.example");
            assert!(reply.starts_with(code), "{first:?} {sender}: {reply}");
        }
    };
    is_stopped();
    let hosts = "127.0.0.1, !192.0.2.1, 192.0.2.0/24";
    practice.with_settings_restored(|| {
        practice.postconf(&["-e", &format!("smtpd_authorized_xclient_hosts={hosts}")]);
        for (first, sender) in [(partner, "placed.example"), (ours, "tls.example")] {
            let reply = told(&practice, &wallet, &first, sender, "carol@ours.example");
            assert!(reply.starts_with("250"), "{first:?} {sender}: {reply}");
        }
        practice.is_mended("postfix-xclient", &format!("main.cf: smtpd_authorized_xclient_hosts = {hosts}"));
        is_stopped();
        let written = practice.lab.machine.run("postconf", &["-h", "smtpd_authorized_xclient_hosts"]);
        assert_eq!(written.trim(), hosts);
    });
    // A proxy that is written down as ours.
    practice.postconf(&["-e", "smtpd_authorized_xclient_hosts=192.0.2.77"]);
    practice.names(&["placed", "tls", "held"]);
    practice.agree_from_now_on(&format!("[inbound_exempt]\naddresses = [\"192.0.2.77/32\"]\n{CONNECTORS}"));
    practice.is_well();
    let reply =
        told(&practice, &wallet, &["XCLIENT ADDR=192.0.2.78"], "placed.example", "carol@ours.example");
    assert!(reply.starts_with("550 5.7.1"), "{reply}");
}

/// A filter that is a proxy; here it does nothing but hand the mail back.
fn x2_hold(release: Release) {
    let (practice, wallet) = open(release, CONNECTORS);
    let _daemon = practice.serve();
    let lab = &practice.lab;
    let filter = include_str!("../../contrib/postfix/master.cf.after-filter");
    lab.mta.add_services(&lab.machine, filter);
    practice.is_well();
    let is_held = |recipient: &str| {
        wait_for("mail that is held, or thrown away as ours is here", || {
            let held = lab.mta.queue(&lab.machine);
            let held = held.iter().any(|queued| queued.recipient == recipient && queued.queue == "hold");
            let log = lab.mta.log(&lab.machine);
            let line = format!("to=<{recipient}>, relay=none");
            let is_gone = log.lines().any(|log| log.contains("/discard[") && log.contains(&line));
            if held || is_gone { Ok(held) } else { Err(log) }
        })
    };
    let send = |recipient: &str| told(&practice, &wallet, &[], "held.example", recipient);
    assert!(send("first@ours.example").starts_with("250"));
    assert!(is_held("first@ours.example"));
    practice.postconf(&["-e", "smtpd_proxy_filter=127.0.0.1:10025"]);
    assert!(send("second@ours.example").starts_with("250"));
    assert!(!is_held("second@ours.example"));
    practice.names(&["held"]);
    practice.is_mended("postfix-hold-dropped", "main.cf: smtpd_proxy_filter = 127.0.0.1:10025");
    let reply = send("third@ours.example");
    assert!(reply.starts_with("450 4.7.0"), "{reply}");
}

on_each_postfix!(x2_xclient, x2_hold);
