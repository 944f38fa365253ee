//! Exim verifies recipients by our routers and transports, with a call to the partner's host: without
//! a valid answer the client is told to come back, and with one a host that is not as agreed counts for
//! nothing.

use std::fs;
use std::net::IpAddr;

use crate::client::Client;
use crate::exim::Exim;
use crate::exim_partners::lab;
use crate::impostor::{Fault, Impostor};
use crate::lab::Lab;
use crate::network::{OURS, partner_address};
use crate::on_each_exim;
use crate::root::Release;

/// We are a relay for the partners.
const RELAY: &str = "MAIN_RELAY_TO_DOMAINS = *.example";

/// Debian's file of the recipients about whom the next host is asked.
const CALLOUT: &str = "etc/local_rcpt_callout";

const NO_ANSWER: &str = "451 connectord: no valid answer for this domain";
const NO_CALL: &str = "451 Could not complete recipient verify callout";

/// The replies to RCPT, while the question in the recipient's domain is not answered, and after.
const EXPECTED: [(&str, &str, &str); 8] = [
    ("out.good", NO_ANSWER, "250 Accepted"),
    ("out.free", NO_ANSWER, "250 Accepted"),
    ("out.plain", NO_ANSWER, NO_CALL),
    ("out.self", NO_ANSWER, NO_CALL),
    ("out.wrong", NO_ANSWER, NO_CALL),
    ("cert.good", NO_CALL, "250 Accepted"),
    ("cert.pin", NO_CALL, "250 Accepted"),
    ("cert.other", NO_CALL, NO_CALL),
];

fn rcpt(lab: &Lab<Exim>, recipient: &str) -> String {
    let mut client = Client::connect(&lab.network.partner, partner_address(77), IpAddr::V4(OURS));
    client.expect("250", "EHLO mx.partner.example");
    client.expect("250", "MAIL FROM:<bob@partner.example>");
    client.ask(&format!("RCPT TO:<{recipient}>"))
}

fn recipient(release: Release) {
    let (lab, connectors) = lab(release, &[RELAY]);
    fs::write(lab.machine.directory().join(CALLOUT), "*@*.example\n").unwrap();
    lab.site.configure_at(&lab.site.behind(), &connectors);
    let behind = lab.site.serve();
    let impostor = Impostor::start(&lab.site.exim(), &lab.site.behind(), |question| {
        question.domain.starts_with(question.verb).then(|| Fault::says(""))
    });
    let replies = || EXPECTED.map(|(name, ..)| rcpt(&lab, &format!("user@{name}.example")));
    let away = replies();
    drop(impostor);
    assert!(behind.stop().success(), "{}", lab.site.log());
    lab.site.configure(&connectors);
    let _daemon = lab.site.serve();
    let answered = replies();
    let seen: Vec<_> = EXPECTED
        .iter()
        .zip(away.iter().zip(&answered))
        .map(|((name, ..), (away, answered))| (*name, away.as_str(), answered.as_str()))
        .collect();
    assert_eq!(seen, EXPECTED);
}

on_each_exim!(recipient);
