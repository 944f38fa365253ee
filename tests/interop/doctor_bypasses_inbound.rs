//! `doctor` and ways into a Postfix round an inbound connector that are seldom looked at: other ports, an smtpd(8) that has
//! more to do than it can, and answers that are numbers.

use std::net::{IpAddr, SocketAddr};

use crate::certificates::Authority;
use crate::client::Client;
use crate::condition::wait_for;
use crate::network::{OURS, partner_address};
use crate::on_each_postfix;
use crate::practice::Practice;
use crate::resolver::Zone;
use crate::root::Release;

const CONNECTORS: &str = r#"
[[inbound]]
name = "tls"
mode = "enforce"
identify.domains = ["tls.example"]
require.tls = true
on_violation = "reject"

[[inbound]]
name = "scoped"
mode = "enforce"
identify.domains = ["scoped.example"]
recipients = ["ours.example"]
require.tls = true
on_violation = "reject"
"#;

const REFUSED: &str = "530 5.7.0";

fn open(release: Release) -> Practice {
    let authority = Authority::new("Lab CA");
    let practice = Practice::open(release, &authority, &[], Zone::default());
    practice.agree(CONNECTORS);
    practice
}

/// A session in plaintext from somewhere.
fn session(practice: &Practice, port: u16) -> Client {
    let destination = SocketAddr::new(IpAddr::V4(OURS), port);
    let network = &practice.lab.network.partner;
    wait_for("an smtpd(8)", || {
        Client::try_connect_at(network, partner_address(77), destination).map_err(|error| error.to_string())
    })
}

/// The first refusal, or what is said at the end.
fn told(practice: &Practice, port: u16, sender: &str, recipients: &[&str]) -> String {
    let mut client = session(practice, port);
    client.expect("250", "EHLO mail.contoso.example");
    client.expect("250", &format!("MAIL FROM:<bob@{sender}>"));
    for recipient in recipients {
        let reply = client.ask(&format!("RCPT TO:<{recipient}>"));
        if !reply.starts_with("250") {
            return reply;
        }
    }
    client.data()
}

/// A port for clients of our own, where everybody is let in, or everybody for one mailbox.
fn x2_port(release: Release) {
    const BOTH: &[&str] = &["carol@ours.example", "dave@ours.example"];
    let practice = open(release);
    let _daemon = practice.serve();
    let strangers = "smtpd_recipient_restrictions=reject_unauth_destination";
    let known = "smtpd_relay_restrictions=permit_sasl_authenticated,reject";
    for (port, service, own, sender, recipients, place) in [
        // At DATA Postfix does not say to whom, if there are several.
        (2525, "2525", vec![strangers], "scoped.example", BOTH, "recipient"),
        (
            587,
            "submission",
            vec!["smtpd_recipient_restrictions=", known, "smtpd_data_restrictions="],
            "tls.example",
            &["postmaster"],
            "data",
        ),
    ] {
        practice.with_settings_restored(|| {
            let own: String = own.iter().map(|setting| format!(" -o {setting}")).collect();
            practice.postconf(&["-M", &format!("{service}/inet={service} inet n - y - - smtpd{own}")]);
            let reply = told(&practice, port, sender, recipients);
            assert!(reply.starts_with("250"), "{service}: {reply}");
            let list = format!("smtpd_{place}_restrictions");
            let value = if place == "data" { "" } else { "reject_unauth_destination" };
            practice.is_mended(
                "postfix-policy-service-missing",
                &format!("master.cf: {service}/inet: {list} = {value}"),
            );
            let reply = told(&practice, port, sender, recipients);
            // Who is turned away at RCPT is so at DATA.
            let code = if place == "data" { "554 5.7.1 <DATA>" } else { REFUSED };
            assert!(reply.starts_with(code), "{service}, mended: {reply}");
        });
    }
    // As Debian has it in master.cf, to be switched on: strangers are turned away, and for that mailbox judged.
    practice.postconf(&[
        "-M",
        &format!(
            "submission/inet=submission inet n - y - - smtpd -o smtpd_recipient_restrictions= -o {known}"
        ),
    ]);
    practice.is_well();
    let reply = told(&practice, 587, "tls.example", &["carol@ours.example"]);
    assert!(reply.starts_with("554 5.7.1"), "{reply}");
    let reply = told(&practice, 587, "tls.example", &["postmaster"]);
    assert!(reply.starts_with(REFUSED), "{reply}");
}

/// Lists that leave the daemon out when all smtpd(8) are busy, which anybody can see to.
fn x2_stress(release: Release) {
    let practice = open(release);
    let _daemon = practice.serve();
    let list = "smtpd_data_restrictions";
    let calm = "${stress?{}:{check_policy_service unix:connectord/policy.sock}}";
    practice.postconf(&["-F", "smtp/inet/process_limit=2"]);
    practice.is_well();
    practice.postconf(&["-e", &format!("{list}={calm}")]);
    let busy = || {
        // Those who are new when the last process is taken are told.
        drop([session(&practice, 25), session(&practice, 25)]);
        wait_for("stress", || {
            let log = practice.lab.mta.log(&practice.lab.machine);
            let is_busy = log.contains("has reached its process limit");
            if is_busy { Ok(()) } else { Err(log) }
        });
    };
    busy();
    wait_for("an smtpd(8) under stress", || {
        let reply = told(&practice, 25, "tls.example", &["postmaster"]);
        if reply.starts_with("250") { Ok(()) } else { Err(reply) }
    });
    let findings = practice.findings();
    let message = findings[0]["message"].as_str().unwrap();
    assert!(message.starts_with("while all smtpd(8) are busy"), "{message}");
    practice.is_mended("postfix-policy-service-missing", &format!("main.cf: {list} = "));
    busy();
    let reply = told(&practice, 25, "tls.example", &["postmaster"]);
    assert!(reply.starts_with(REFUSED), "{reply}");
}

/// What is done while there is no daemon: a number alone is no refusal.
fn x2_away(release: Release) {
    let practice = open(release);
    let ours = "check_policy_service { unix:connectord/policy.sock, timeout=10s default_action=DUNNO }";
    let lists = ["smtpd_recipient_restrictions", "smtpd_data_restrictions"];
    practice.with_settings_restored(|| {
        practice.postconf(&["-e", "smtpd_policy_service_default_action=451"]);
        let told = || told(&practice, 25, "tls.example", &["carol@ours.example"]);
        assert!(told().starts_with("250"));
        let daemon = practice.serve();
        practice
            .is_mended("postfix-policy-service-action", "main.cf: smtpd_policy_service_default_action = 451");
        drop(daemon);
        assert!(told().starts_with("451"));
    });
    practice.postconf(&["-e", &format!("{}={ours}", lists[1])]);
    let told = || told(&practice, 25, "tls.example", &["postmaster"]);
    assert!(told().starts_with("250"));
    let daemon = practice.serve();
    practice.is_mended("postfix-policy-service-action", &format!("main.cf: {} = {ours}", lists[1]));
    drop(daemon);
    assert!(told().starts_with("451"));
}

/// What an expression fits is what is answered.
fn x2_filled_in(release: Release) {
    let practice = open(release);
    let _daemon = practice.serve();
    practice.write_table("filled.regexp", "/^b(o)b@tls\\.example$/ ${1}k\n");
    let list = "check_sender_access regexp:/etc/postfix/filled.regexp check_policy_service unix:connectord/policy.sock";
    practice.postconf(&["-e", &format!("smtpd_data_restrictions={list}")]);
    let told = || told(&practice, 25, "tls.example", &["postmaster"]);
    assert!(told().starts_with("250"));
    practice
        .is_mended("postfix-policy-service-unseen", &format!("main.cf: smtpd_data_restrictions = {list}"));
    assert!(told().starts_with(REFUSED));
}

on_each_postfix!(x2_port, x2_stress, x2_away, x2_filled_in);
