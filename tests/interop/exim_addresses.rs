//! Names that a stranger chooses: addresses and HELO names in which Exim or the daemon could see more.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use crate::certificates::{Authority, Subject};
use crate::client::Client;
use crate::exim::Exim;
use crate::exim_messages::counts;
use crate::lab::Lab;
use crate::on_each_exim;
use crate::partner::{Host, Starttls};
use crate::resolver::Zone;
use crate::root::Release;

const CONNECTORS: &str = r#"
[server]
decisions = "all"

[[outbound]]
name = "name"
mode = "enforce"
domains = ["name.example"]
tls = "secure"
match = ["mx.shared.example"]

[[outbound]]
name = "another"
mode = "enforce"
domains = ["another.example", "bücher.example"]
tls = "secure"
match = ["mx.another.example"]

[[outbound]]
name = "everyone"
mode = "enforce"
domains = ["*"]
tls = "encrypt"
"#;

const NAME: &str = "T mx.shared.example:25";
const ANOTHER: &str = "D TLS session: (gnutls_handshake): Error in the certificate";
const PLAIN: &str = "D a TLS session is required, but the server did not offer TLS support";
const NOWHERE: &str = "B Unrouteable address";

/// Senders, and what Exim says to those that it does not take.
const SENDERS: [(&str, &str); 14] = [
    ("\"a b\"@ours.example", NAME),
    ("\"${run{/bin/touch /tmp/x}}\"@ours.example", NAME),
    ("$domain@ours.example", NAME),
    ("${domain}@ours.example", NAME),
    ("\"x\\\" domain=another.example x=\\\"\"@ours.example", NAME),
    ("\"\\\\\"@ours.example", NAME),
    ("\u{fc}ber@ours.example", NAME),
    ("x@b\u{fc}cher.example", NAME),
    ("", NAME),
    ("\"x\\\nverdict=ok\"@ours.example", "501 <\"x\\: unmatched doublequote in local part"),
    ("x@${domain}.example", "501 <x@${domain}.example>: domain missing or malformed"),
    ("x@another.example\" domain=\"x", "501 "),
    ("x@\"another.example\"", "501 "),
    ("'`|;@ours.example", "501 <'`|;@ours.example>: \"@\" or \".\" expected after \"'`|\""),
];

/// HELO names; the same.
const HELOS: [(&str, &str); 8] = [
    ("mail.ours.example", NAME),
    ("another.example", NAME),
    ("[127.0.0.1]", NAME),
    ("${run{/bin/touch /tmp/x}}", "501 Syntactically invalid EHLO argument(s)"),
    ("$domain", "501 Syntactically invalid EHLO argument(s)"),
    ("x\" sender=\"y", "501 Syntactically invalid EHLO argument(s)"),
    ("a b", "501 Syntactically invalid EHLO argument(s)"),
    ("\u{fc}ber", "501 Syntactically invalid EHLO argument(s)"),
];

/// Recipients, and their fates or what Exim says to them.
const RECIPIENTS: [(&str, &str); 34] = [
    ("\"a b\"@name.example", NAME),
    ("\"${run{/bin/touch /tmp/x}}\"@name.example", NAME),
    ("\"x\\\" tls=may end=ok\"@name.example", NAME),
    ("${domain}@name.example", NAME),
    ("\u{fc}ber@name.example", NAME),
    ("$domain@another.example", ANOTHER),
    ("${run{touch}}@another.example", ANOTHER),
    ("\u{fc}ber@another.example", ANOTHER),
    ("capital@ANOTHER.Example", ANOTHER),
    ("u-label@b\u{fc}cher.example", ANOTHER),
    ("capital@B\u{dc}CHER.example", ANOTHER),
    ("a-label@xn--bcher-kva.example", ANOTHER),
    ("capital@XN--BCHER-KVA.example", ANOTHER),
    ("dot@another\u{3002}example", ANOTHER),
    ("wide@\u{ff41}nother.example", ANOTHER),
    ("plain@plain.example", PLAIN),
    ("@another.example:route@plain.example", PLAIN),
    ("@plain.example:route@another.example", ANOTHER),
    ("bare@192.0.2.11", NOWHERE),
    ("literal@[192.0.2.11]", PLAIN),
    ("literal@[IPv6:2001:db8::b]", PLAIN),
    ("label@another", NOWHERE),
    ("\"x@plain.example\"@another.example", "550 restricted characters in address"),
    ("user%plain.example@another.example", "550 restricted characters in address"),
    ("plain.example!user@another.example", "550 restricted characters in address"),
    ("dot@another.example.", "501 <dot@another.example.>: domain missing or malformed"),
    ("x@${domain}.another.example", "501 <x@${domain}.another.example>: domain missing or malformed"),
    ("x@*.another.example", "501 <x@*.another.example>: domain missing or malformed"),
    ("x@+.another.example", "501 <x@+.another.example>: domain missing or malformed"),
    (
        "x@a_b.another.example",
        "501 <x@a_b.another.example>: malformed address: _b.another.example> may not follow <x@a",
    ),
    (
        "x@another.example/MX",
        "501 <x@another.example/MX>: malformed address: /MX> may not follow <x@another.example",
    ),
    (
        "x@another.example:25",
        "501 <x@another.example:25>: malformed address: :25> may not follow <x@another.example",
    ),
    ("x@another.example plain.example", "501 "),
    ("x@plain.example\0", "501 NUL characters are not allowed in SMTP commands"),
];

fn lab(release: Release) -> Lab<Exim> {
    let authority = Authority::new("Lab CA");
    let server = authority.issue(Subject::server(&["mx.shared.example"])).server();
    let hosts = [
        Host { name: "mx.shared.example".to_owned(), number: 10, starttls: Starttls::Works(server) },
        Host { name: "mx.plain.example".to_owned(), number: 11, starttls: Starttls::Absent },
    ];
    let mut zone = Zone::default();
    zone.mx("*.example", "mx.shared.example");
    zone.mx("plain.example", "mx.plain.example");
    let settings =
        ["MAIN_SMTPUTF8_ADVERTISE_HOSTS = *", "MAIN_ALLOW_DOMAIN_LITERALS = true", "queue_only = true"];
    let lab: Lab<Exim> = Lab::start(release, &authority, &hosts, zone, &settings);
    lab.site.configure(CONNECTORS);
    lab
}

/// Hands a message to Exim from the host itself; the first reply that is not 250, or the last.
fn submit(lab: &Lab<Exim>, helo: &str, sender: &str, recipient: &str) -> String {
    let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let mut client = Client::connect(&lab.network.ours, loopback, loopback);
    let utf8 = if sender.is_ascii() && recipient.is_ascii() { "" } else { " SMTPUTF8" };
    for line in
        [format!("EHLO {helo}"), format!("MAIL FROM:<{sender}>{utf8}"), format!("RCPT TO:<{recipient}>")]
    {
        let reply = client.ask(&line);
        if !reply.starts_with("250") {
            return reply;
        }
    }
    client.data()
}

/// Submits all, tries all, and compares. The replies and the fates of a table that has both.
fn check(lab: &Lab<Exim>, cases: Vec<(String, [String; 3], &str)>) {
    let mut wrong = Vec::new();
    let mut fates = BTreeMap::new();
    for (case, [helo, sender, recipient], expected) in cases {
        let reply = submit(lab, &helo, &sender, &recipient);
        if reply.starts_with("250") {
            // A source route is dropped, and the log has domains in small letters.
            let address = match recipient.strip_prefix('@').and_then(|route| route.split_once(':')) {
                Some((_, address)) => address,
                None => &recipient,
            };
            let (local, domain) = address.rsplit_once('@').unwrap();
            fates.insert(format!("{local}@{}", domain.to_ascii_lowercase()), expected.to_owned());
        }
        if reply.starts_with("250") != expected.starts_with(|c: char| c.is_ascii_uppercase())
            || !(reply.starts_with("250") || reply.starts_with(expected))
        {
            wrong.push(format!("{case}: expected {expected}, saw {reply}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    lab.mta.flush(&lab.machine);
    lab.settled(&fates);
    assert!(!lab.machine.output("test", &["-e", "/tmp/x"]).status.success(), "something was run");
    assert_eq!(lab.mta.panics(&lab.machine), "");
}

fn recipients(release: Release) {
    let lab = lab(release);
    let _daemon = lab.site.serve();
    let cases = RECIPIENTS.map(|(recipient, expected)| {
        let envelope = ["mail.ours.example", "sender@ours.example", recipient].map(str::to_owned);
        (recipient.to_owned(), envelope, expected)
    });
    check(&lab, cases.into());
    // Each question is about one domain, as it was written; a wrong name is judged once.
    lab.asked(&counts([
        ("cert \\xef\\xbd\\x81nother.example refused", 1),
        ("cert another.example refused", 5),
        ("cert another\\xe3\\x80\\x82example refused", 1),
        ("cert b\\xc3\\x9ccher.example refused", 1),
        ("cert b\\xc3\\xbccher.example refused", 1),
        ("cert name.example ok", 10),
        ("cert xn--bcher-kva.example refused", 2),
        ("out 192.0.2.11 ok", 1),
        ("out [192.0.2.11] ok", 1),
        ("out [ipv6:2001:db8::b] ok", 1),
        ("out \\xef\\xbd\\x81nother.example ok", 1),
        ("out another ok", 1),
        ("out another.example ok", 5),
        ("out another\\xe3\\x80\\x82example ok", 1),
        ("out b\\xc3\\x9ccher.example ok", 1),
        ("out b\\xc3\\xbccher.example ok", 1),
        ("out name.example ok", 5),
        ("out plain.example ok", 2),
        ("out xn--bcher-kva.example ok", 2),
    ]));
}

/// The recipients are in one domain, and the daemon hears of nothing else.
fn senders(release: Release) {
    let lab = lab(release);
    let _daemon = lab.site.serve();
    let senders = SENDERS.map(|(sender, expected)| ("mail.ours.example", sender, expected));
    let helos = HELOS.map(|(helo, expected)| (helo, "sender@ours.example", expected));
    let cases = senders.into_iter().chain(helos).enumerate().map(|(number, (helo, sender, expected))| {
        let recipient = format!("user{number}@name.example");
        (format!("{helo} {sender}"), [helo.to_owned(), sender.to_owned(), recipient], expected)
    });
    check(&lab, cases.collect());
    let taken: Vec<&str> =
        SENDERS.iter().filter(|(_, fate)| *fate == NAME).map(|(sender, _)| *sender).collect();
    // The same from programs on the host.
    for (number, sender) in taken.iter().enumerate() {
        let sender = if sender.is_empty() { "<>" } else { sender };
        lab.enqueue(sender, &[&format!("local{number}@name.example")]);
    }
    lab.mta.flush(&lab.machine);
    let mail = lab.partner.mail();
    let of = |who: &str| -> BTreeSet<&str> {
        let theirs = mail.iter().filter(|mail| mail.recipients[0].starts_with(who));
        theirs.map(|mail| mail.sender.as_str()).filter(|sender| *sender != "sender@ours.example").collect()
    };
    assert_eq!(of("user"), taken.iter().copied().collect());
    assert_eq!(of("local"), taken.iter().copied().collect());
    let messages = 2 * taken.len() + HELOS.iter().filter(|(_, fate)| *fate == NAME).count();
    lab.asked(&counts([("cert name.example ok", 2 * messages), ("out name.example ok", messages)]));
}

on_each_exim!(recipients, senders);
