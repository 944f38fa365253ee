//! Inbound: whom a connector recognises in an envelope, and whom it does not stop.

use std::net::IpAddr;

use rustls::ALL_VERSIONS;

use crate::certificates::Authority;
use crate::client::{Client, tls};
use crate::lab::Lab;
use crate::network::{OURS, partner_address};
use crate::on_each_postfix;
use crate::resolver::Zone;
use crate::root::Release;

/// A client that no connector knows.
const ANYBODY: u8 = 77;
/// A client that the connector `range` knows.
const KNOWN: u8 = 70;
/// A client that may speak for others by XCLIENT, as a submission proxy does.
const PROXY: u8 = 90;

const CONNECTORS: &str = r#"
[[inbound]]
name = "contoso"
mode = "enforce"
identify.domains = ["contoso.example"]
require.tls = true
on_violation = "reject"

[[inbound]]
name = "range"
mode = "enforce"
identify.addresses = ["192.0.2.70/32"]
require.certificate.names = ["*.contoso.example"]
on_violation = "defer"
"#;

/// One transaction.
struct Case {
    name: &'static str,
    client: u8,
    tls: bool,
    /// Said after the first EHLO.
    before: &'static str,
    helo: &'static str,
    sender: &'static str,
    recipient: &'static str,
    /// The reply that stops it, or `taken`.
    outcome: &'static str,
}

/// An ordinary transaction in plaintext from somewhere.
const PLAIN: Case = Case {
    name: "",
    client: ANYBODY,
    tls: false,
    before: "",
    helo: "mx.example",
    sender: "bob@other.example",
    recipient: "carol@ours.example",
    outcome: "taken",
};

const NO_TLS: &str =
    "530 5.7.0 <carol@ours.example>: Recipient address rejected: connector contoso: TLS is required";

const CASES: [Case; 16] = [
    Case { name: "nobody's sender", ..PLAIN },
    Case { name: "the sender", sender: "bob@contoso.example", outcome: NO_TLS, ..PLAIN },
    Case { name: "over TLS", sender: "bob@contoso.example", tls: true, ..PLAIN },
    Case { name: "in capitals", sender: "Bob@CONTOSO.Example", outcome: NO_TLS, ..PLAIN },
    Case { name: "null sender of another HELO", sender: "", ..PLAIN },
    Case { name: "null sender by HELO", sender: "", helo: "contoso.example", outcome: NO_TLS, ..PLAIN },
    Case { name: "percent", sender: "bob%contoso.example", outcome: NO_TLS, ..PLAIN },
    Case { name: "bang", sender: "contoso.example!bob", outcome: NO_TLS, ..PLAIN },
    Case { name: "source route", sender: "@relay.example:bob@contoso.example", outcome: NO_TLS, ..PLAIN },
    Case {
        name: "bare postmaster",
        sender: "bob@contoso.example",
        recipient: "postmaster",
        outcome: "530 5.7.0 <DATA>: Data command rejected: connector contoso: TLS is required",
        ..PLAIN
    },
    Case { name: "bare postmaster, nobody's sender", recipient: "postmaster", ..PLAIN },
    Case {
        name: "authenticated",
        client: PROXY,
        before: "XCLIENT LOGIN=bob",
        sender: "bob@contoso.example",
        ..PLAIN
    },
    Case {
        name: "proxied, not authenticated",
        client: PROXY,
        before: "XCLIENT NAME=mx.example",
        sender: "bob@contoso.example",
        outcome: NO_TLS,
        ..PLAIN
    },
    Case {
        name: "the second connector alone",
        client: KNOWN,
        outcome: "450 4.7.0 <carol@ours.example>: Recipient address rejected: connector range: TLS is required",
        ..PLAIN
    },
    Case {
        name: "both violated: the more severe speaks",
        client: KNOWN,
        sender: "bob@contoso.example",
        outcome: NO_TLS,
        ..PLAIN
    },
    Case {
        name: "the first satisfied, the second not",
        client: KNOWN,
        tls: true,
        sender: "bob@contoso.example",
        outcome: "450 4.7.1 <carol@ours.example>: Recipient address rejected: connector range: no client certificate was presented",
        ..PLAIN
    },
];

fn outcome(lab: &Lab, case: &Case) -> String {
    let mut client = Client::connect(&lab.network.partner, partner_address(case.client), IpAddr::V4(OURS));
    let hello = format!("EHLO {}", case.helo);
    client.expect("250", &hello);
    if !case.before.is_empty() {
        client.expect("220", case.before);
        client.expect("250", &hello);
    }
    if case.tls {
        client = client.starttls(&tls(None, ALL_VERSIONS));
        client.expect("250", &hello);
    }
    client.expect("250", &format!("MAIL FROM:<{}>", case.sender));
    let mut reply = client.ask(&format!("RCPT TO:<{}>", case.recipient));
    if reply.starts_with("250") {
        reply = client.data();
    }
    if reply.starts_with("250") { "taken".to_owned() } else { reply }
}

fn senders(release: Release) {
    let authority = Authority::new("Lab CA");
    let proxy = format!("smtpd_authorized_xclient_hosts={}", partner_address(PROXY));
    // The destination of a bare <postmaster>.
    let settings = [proxy.as_str(), "myorigin=ours.example"];
    let lab: Lab = Lab::start(release, &authority, &[], Zone::default(), &settings);
    lab.site.configure(CONNECTORS);
    let _daemon = lab.site.serve();
    let wrong: Vec<String> = CASES
        .iter()
        .filter_map(|case| {
            let seen = outcome(&lab, case);
            (seen != case.outcome).then(|| format!("{}: expected {}, saw {seen}", case.name, case.outcome))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

on_each_postfix!(senders);
