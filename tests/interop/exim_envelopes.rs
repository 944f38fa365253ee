//! Inbound with Exim: whom a connector recognises in an envelope, and whom it does not stop.

use std::net::IpAddr;

use rustls::ALL_VERSIONS;

use crate::certificates::Authority;
use crate::client::{Client, tls};
use crate::exim::Exim;
use crate::lab::Lab;
use crate::network::{OURS, partner_address};
use crate::on_each_exim;
use crate::resolver::Zone;
use crate::root::Release;
use crate::transaction::{Transaction, Transfer};

/// A client that no connector knows.
const ANYBODY: u8 = 77;
/// A client that the connector `range` knows.
const KNOWN: u8 = 70;
/// Clients for which Exim relays; one is exempt from connectors, too.
const RELAY: u8 = 80;
const EXEMPT: u8 = 81;
/// A client whose addresses Exim completes with its own domain.
const UNQUALIFIED: u8 = 82;

const CONNECTORS: &str = r#"
[inbound_exempt]
addresses = ["192.0.2.81/32"]

[[inbound]]
name = "contoso"
mode = "enforce"
identify.domains = ["contoso.example", "contosö.example"]
require.tls = true
on_violation = "reject"

[[inbound]]
name = "range"
mode = "enforce"
identify.addresses = ["192.0.2.70/32"]
require.certificate.names = ["*.contoso.example"]
on_violation = "defer"

[[inbound]]
name = "scoped"
mode = "enforce"
identify.domains = ["scoped.example"]
recipients = ["ours.example"]
require.tls = true
on_violation = "reject"
"#;

/// One session.
struct Case {
    name: &'static str,
    client: u8,
    /// The greeting; none when empty.
    hello: &'static str,
    login: bool,
    /// Goes on over TLS before this transaction.
    tls: Option<usize>,
    /// One transaction each.
    senders: &'static [&'static str],
    recipients: &'static [&'static str],
    transfer: Transfer,
    stubborn: bool,
    /// What each transaction comes to.
    outcome: &'static [&'static str],
}

/// An ordinary transaction in plaintext from somewhere.
const PLAIN: Case = Case {
    name: "",
    client: ANYBODY,
    hello: "EHLO mx.example",
    login: false,
    tls: None,
    senders: &["bob@other.example"],
    recipients: &["carol@ours.example"],
    transfer: Transfer::Data,
    stubborn: false,
    outcome: &["taken"],
};

/// The same from the connector's partner.
const CONTOSO: Case = Case { senders: &["bob@contoso.example"], outcome: &[NO_TLS], ..PLAIN };

/// From the partner of the connector that is about some recipients only.
const SCOPED: Case = Case { senders: &["bob@scoped.example"], outcome: &[NO_TLS_SCOPED], ..PLAIN };

const NO_TLS: &str = "MAIL 530 5.7.0 connector contoso: TLS is required";
const NO_TLS_RANGE: &str = "MAIL 450 4.7.0 connector range: TLS is required";
const NO_TLS_SCOPED: &str = "RCPT 530 5.7.0 connector scoped: TLS is required";
const SOME: &str = "RCPT 530 5.7.0 connector scoped: TLS is required, taken";
const UNKNOWN: &str = "MAIL 450 4.7.1 the domain of the sender cannot be determined";

/// What Exim itself says of an address without a domain.
const PERCENT: &str = "MAIL 501 <bob%contoso.example>: sender address must contain a domain";
const BANG: &str = "MAIL 501 <contoso.example!bob>: sender address must contain a domain";

/// A recipient of ours outside the connector's scope.
const OTHERS: &str = "carol@mail.ours.example";

const CASES: &[Case] = &[
    Case { name: "nobody's sender", ..PLAIN },
    Case { name: "the sender", ..CONTOSO },
    Case { name: "over TLS", tls: Some(0), outcome: &["taken"], ..CONTOSO },
    Case { name: "in capitals", senders: &["Bob@CONTOSO.Example"], ..CONTOSO },
    Case { name: "U-label", senders: &["bob@contosö.example"], ..CONTOSO },
    Case { name: "A-label", senders: &["bob@XN--contos-1xa.example"], ..CONTOSO },
    Case { name: "greets with HELO", hello: "HELO mx.example", ..CONTOSO },
    Case { name: "does not greet", hello: "", outcome: &["MAIL 503 HELO or EHLO required"], ..CONTOSO },
    Case { name: "null sender of another HELO", senders: &[""], ..PLAIN },
    Case { name: "null sender of an address", senders: &[""], hello: "EHLO [192.0.2.77]", ..PLAIN },
    Case { name: "null sender by HELO", senders: &[""], hello: "EHLO contoso.example", ..CONTOSO },
    Case { name: "null sender of nobody", senders: &[""], hello: "EHLO a..b", outcome: &[UNKNOWN], ..PLAIN },
    // Exim knows neither `%` nor `!`: no domain of the sender's hides behind them.
    Case { name: "percent", senders: &["bob%contoso.example"], outcome: &[PERCENT], ..PLAIN },
    Case { name: "bang", senders: &["contoso.example!bob"], outcome: &[BANG], ..PLAIN },
    Case { name: "percent at ours", client: UNQUALIFIED, senders: &["bob%contoso.example"], ..PLAIN },
    Case { name: "percent at others", senders: &["bob%contoso.example@other.example"], ..PLAIN },
    Case { name: "percent at the partner's", senders: &["bob%other.example@contoso.example"], ..CONTOSO },
    Case { name: "quoted", senders: &["\"b o\\\"b\"@contoso.example"], ..CONTOSO },
    Case { name: "quoted @", senders: &["\"b@other.example\"@contoso.example"], ..CONTOSO },
    Case { name: "source route", senders: &["@relay.example:bob@contoso.example"], ..CONTOSO },
    Case { name: "bare postmaster", recipients: &["postmaster"], ..CONTOSO },
    Case { name: "postmaster", recipients: &["postmaster@ours.example"], ..CONTOSO },
    Case { name: "bare postmaster, nobody's sender", recipients: &["postmaster"], ..PLAIN },
    Case { name: "authenticated", login: true, outcome: &["taken"], ..CONTOSO },
    Case { name: "relay host", client: RELAY, ..CONTOSO },
    Case { name: "exempt relay host", client: EXEMPT, outcome: &["taken"], ..CONTOSO },
    Case { name: "the second connector alone", client: KNOWN, outcome: &[NO_TLS_RANGE], ..PLAIN },
    Case { name: "both violated: the more severe speaks", client: KNOWN, ..CONTOSO },
    Case {
        name: "the first satisfied, the second not",
        client: KNOWN,
        tls: Some(0),
        outcome: &["MAIL 450 4.7.1 connector range: no client certificate was presented"],
        ..CONTOSO
    },
    Case { name: "BDAT", transfer: Transfer::Chunk, ..PLAIN },
    Case {
        name: "BDAT all the same",
        transfer: Transfer::Chunk,
        stubborn: true,
        outcome: &[concat!(
            "MAIL 530 5.7.0 connector contoso: TLS is required, ",
            "RCPT 503 sender not yet given, ",
            "BDAT 503 All RCPT commands were rejected with this error: ",
            "503 sender not yet given Valid RCPT command must precede BDAT"
        )],
        ..CONTOSO
    },
    Case { name: "to those in the scope", ..SCOPED },
    Case { name: "to those in the scope, over TLS", tls: Some(0), outcome: &["taken"], ..SCOPED },
    Case { name: "to others", recipients: &[OTHERS], outcome: &["taken"], ..SCOPED },
    Case { name: "to both", recipients: &[OTHERS, "carol@ours.example"], outcome: &[SOME], ..SCOPED },
    Case { name: "to capitals", recipients: &["Carol@OURS.Example"], ..SCOPED },
    Case { name: "to a source route", recipients: &["@mail.ours.example:carol@ours.example"], ..SCOPED },
    Case { name: "to percent", recipients: &["carol%mail.ours.example@ours.example"], ..SCOPED },
    Case { name: "to quotes", recipients: &[r#""c\" recipient=x a\\"@ours.example"#], ..SCOPED },
    Case { name: "to an expansion", recipients: &[r#""${if eq{1}{1}{x}}@others"@ours.example"#], ..SCOPED },
    Case { name: "to postmaster", recipients: &["postmaster@ours.example"], ..SCOPED },
    Case { name: "to bare postmaster", recipients: &["postmaster"], ..SCOPED },
    Case {
        name: "to both, authenticated",
        login: true,
        recipients: &[OTHERS, "carol@ours.example"],
        outcome: &["taken"],
        ..SCOPED
    },
    Case {
        name: "BDAT to those in the scope all the same",
        transfer: Transfer::Chunk,
        stubborn: true,
        outcome: &[concat!(
            "RCPT 530 5.7.0 connector scoped: TLS is required, ",
            "BDAT 503 All RCPT commands were rejected with this error: ",
            "connector scoped: TLS is required Valid RCPT command must precede BDAT"
        )],
        ..SCOPED
    },
    // What is decided at MAIL is told, though at RCPT there would be something more severe.
    Case { name: "violated at both commands", client: KNOWN, outcome: &[NO_TLS_RANGE], ..SCOPED },
    Case {
        name: "the second is the partner's",
        senders: &["bob@other.example", "bob@contoso.example"],
        outcome: &["taken", NO_TLS],
        ..PLAIN
    },
    Case {
        name: "the first is the partner's",
        senders: &["bob@contoso.example", "bob@other.example"],
        outcome: &[NO_TLS, "taken"],
        ..PLAIN
    },
    Case {
        name: "the second is over TLS",
        tls: Some(1),
        senders: &["bob@contoso.example", "bob@contoso.example"],
        outcome: &[NO_TLS, "taken"],
        ..PLAIN
    },
    Case {
        name: "three senders to those in the scope",
        senders: &["bob@other.example", "bob@scoped.example", "bob@other.example"],
        outcome: &["taken", NO_TLS_SCOPED, "taken"],
        ..PLAIN
    },
];

fn outcome(lab: &Lab<Exim>, case: &Case) -> Vec<String> {
    let mut client = Client::connect(&lab.network.partner, partner_address(case.client), IpAddr::V4(OURS));
    if !case.hello.is_empty() {
        client.expect("250", case.hello);
    }
    if case.login {
        // The name bob and no password.
        client.expect("235", "AUTH PLAIN AGJvYgA=");
    }
    let mut outcome = Vec::new();
    for (number, sender) in case.senders.iter().enumerate() {
        if case.tls == Some(number) {
            client = client.starttls(&tls(None, ALL_VERSIONS));
            client.expect("250", case.hello);
        }
        let transaction = Transaction {
            sender,
            recipients: case.recipients,
            transfer: case.transfer,
            stubborn: case.stubborn,
        };
        outcome.push(transaction.run(&mut client));
    }
    outcome
}

/// A sendmail that speaks SMTP, as mail programs on the host use it: no partner, whoever it says it is.
fn local(lab: &Lab<Exim>) -> String {
    const SESSION: &str = "printf 'EHLO localhost\r\nMAIL FROM:<bob@contoso.example>\r\n\
        RCPT TO:<carol@ours.example>\r\nDATA\r\n\r\nGood day\r\n.\r\nQUIT\r\n' | exim4 -bs";
    lab.machine.run("sh", &["-c", SESSION])
}

fn senders(release: Release) {
    let authority = Authority::new("Lab CA");
    let relays = format!("MAIN_RELAY_NETS = {} : {}", partner_address(RELAY), partner_address(EXEMPT));
    let unqualified = format!("sender_unqualified_hosts = {}", partner_address(UNQUALIFIED));
    // The destination of a bare <postmaster>.
    let settings = [
        relays.as_str(),
        &unqualified,
        "MAIN_QUALIFY_DOMAIN = ours.example",
        "MAIN_SMTPUTF8_ADVERTISE_HOSTS = *",
        "queue_only",
    ];
    let lab: Lab<Exim> = Lab::start(release, &authority, &[], Zone::default(), &settings);
    lab.site.configure(CONNECTORS);
    let _daemon = lab.site.serve();
    let wrong: Vec<String> = CASES
        .iter()
        .filter_map(|case| {
            let seen = outcome(&lab, case);
            (seen != case.outcome)
                .then(|| format!("{}: expected {:?}, saw {seen:?}", case.name, case.outcome))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let local = local(&lab);
    assert!(local.contains("250 OK id="), "{local}");
    assert_eq!(lab.mta.panics(&lab.machine), "");
}

on_each_exim!(senders);
