//! The site's own ACLs behind connectord's: what they decide stands, whatever it is.

use std::net::IpAddr;

use crate::certificates::Authority;
use crate::client::Client;
use crate::exim::Exim;
use crate::lab::Lab;
use crate::network::{OURS, partner_address};
use crate::on_each_exim;
use crate::resolver::Zone;
use crate::root::Release;

/// The local part of the sender, that of the recipient, the two replies, and what comes after: the
/// connection is closed, or a message is taken for somebody or for nobody.
const CASES: [(&str, &str, &str, &str, After); 9] = [
    ("bob", "carol", "250 OK", "250 Accepted", After::Delivered),
    ("deny", "carol", "550 5.7.1 denied", "", After::Open),
    ("defer", "carol", "451 4.7.1 deferred", "", After::Open),
    ("drop", "carol", "550 5.7.1 dropped", "", After::Closed),
    ("discard", "carol", "250 OK", "250 Accepted", After::Discarded),
    ("bob", "deny", "250 OK", "550 5.7.1 denied", After::Open),
    ("bob", "defer", "250 OK", "451 4.7.1 deferred", After::Open),
    ("bob", "drop", "250 OK", "550 5.7.1 dropped", After::Closed),
    ("bob", "discard", "250 OK", "250 Accepted", After::Discarded),
];

#[derive(Debug, PartialEq, Eq)]
enum After {
    Open,
    Closed,
    Delivered,
    Discarded,
}

/// What is the case: the replies, and what came after them.
fn seen(lab: &Lab<Exim>, sender: &str, recipient: &str) -> (String, String, After) {
    let mut client = Client::connect(&lab.network.partner, partner_address(77), IpAddr::V4(OURS));
    client.expect("250", "EHLO mx.example");
    let mail = client.ask(&format!("MAIL FROM:<{sender}@other.example>"));
    let mut rcpt = String::new();
    if mail.starts_with("250") {
        rcpt = client.ask(&format!("RCPT TO:<{recipient}@ours.example>"));
    }
    let after = if rcpt.starts_with("250") {
        let reply = client.data();
        let (_, id) = reply.split_once("250 OK id=").unwrap_or_else(|| panic!("{reply}"));
        let spool = lab.machine.directory().join("spool/input");
        // Exim has nothing to keep of a message for nobody.
        let kept = spool.join(format!("{id}-H")).exists();
        if kept { After::Delivered } else { After::Discarded }
    } else if client.is_closed() {
        After::Closed
    } else {
        After::Open
    };
    (mail, rcpt, after)
}

fn verbs(release: Release) {
    let authority = Authority::new("Lab CA");
    let settings =
        ["CONNECTORD_NEXT_MAIL = acl_lab_mail", "CONNECTORD_NEXT_RCPT = acl_lab_rcpt", "queue_only"];
    let lab: Lab<Exim> = Lab::start(release, &authority, &[], Zone::default(), &settings);
    lab.site.configure("");
    let _daemon = lab.site.serve();
    for (sender, recipient, mail, rcpt, after) in CASES {
        let expected = (mail.to_owned(), rcpt.to_owned(), after);
        assert_eq!(seen(&lab, sender, recipient), expected, "{sender} to {recipient}");
    }
    assert_eq!(lab.mta.panics(&lab.machine), "");
}

on_each_exim!(verbs);
