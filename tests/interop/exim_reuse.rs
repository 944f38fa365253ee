//! Open connections: each message of a connector gets one of its own, and its certificate is judged.

use std::collections::BTreeSet;

use crate::certificates::{Authority, Subject};
use crate::exim::Exim;
use crate::exim_messages::counts;
use crate::lab::Lab;
use crate::on_each_exim;
use crate::partner::{Host, Mail, Starttls};
use crate::resolver::Zone;
use crate::root::Release;

const CONNECTORS: &str = r#"
[[outbound]]
name = "encrypt"
mode = "enforce"
domains = ["encrypt.example"]
tls = "encrypt"

[[outbound]]
name = "host"
mode = "enforce"
domains = ["host.example"]
tls = "verify"

[[outbound]]
name = "name"
mode = "enforce"
domains = ["name.example"]
tls = "secure"
match = ["mx.shared.example"]

[[outbound]]
name = "another"
mode = "enforce"
domains = ["another.example"]
tls = "secure"
match = ["mx.another.example"]

[[outbound]]
name = "modern"
mode = "enforce"
domains = ["modern.example"]
tls = "secure"
match = ["mx.shared.example"]
route = ["[mx.shared.example]:2525"]

[[outbound]]
name = "modern-plain"
mode = "enforce"
domains = ["modern-plain.example"]
tls = "encrypt"
route = ["[mx.plain.example]:2525"]

[[outbound]]
name = "modern-another"
mode = "enforce"
domains = ["modern-another.example"]
tls = "secure"
match = ["mx.another.example"]
route = ["[second.shared.example]:2525"]
"#;

fn lab(release: Release) -> Lab<Exim> {
    let authority = Authority::new("Lab CA");
    let server = authority.issue(Subject::server(&["mx.shared.example"])).server();
    let hosts = [
        ("mx.shared.example", 10, Starttls::Works(server.clone())),
        ("second.shared.example", 11, Starttls::Works(server)),
        ("mx.plain.example", 12, Starttls::Absent),
    ]
    .map(|(name, number, starttls)| Host { name: name.to_owned(), number, starttls });
    let mut zone = Zone::default();
    zone.mx("*.example", "mx.shared.example");
    let lab: Lab<Exim> = Lab::start(release, &authority, &hosts, zone, &[]);
    lab.site.configure(CONNECTORS);
    lab
}

/// Three messages to each domain in turn. Exim goes through the queue twice: first all are routed
/// and noted as waiting for the host, then delivered, and what waits for an open connection may use it.
fn x3_queue(release: Release) {
    let lab = lab(release);
    let _daemon = lab.site.serve();
    for number in 0..3 {
        for domain in ["none", "encrypt", "host", "name", "another"] {
            lab.enqueue("sender@ours.example", &[&format!("user{number}@{domain}.example")]);
        }
    }
    lab.machine.run("exim4", &["-qqff"]);
    let mail = lab.partner.mail();
    let connections = |domain: &str| -> (usize, usize) {
        let to_it = |mail: &&Mail| mail.recipients.iter().all(|recipient| recipient.ends_with(domain));
        let of_it: Vec<&Mail> = mail.iter().filter(to_it).collect();
        let different: BTreeSet<usize> = of_it.iter().map(|mail| mail.connection).collect();
        (of_it.len(), different.len())
    };
    // The connection for mail without connector is used again: there is something to leak.
    assert_eq!(connections("@none.example"), (3, 1));
    assert_eq!(connections("@encrypt.example"), (3, 3));
    assert_eq!(connections("@host.example"), (3, 3));
    assert_eq!(connections("@name.example"), (3, 3));
    assert_eq!(connections("@another.example"), (0, 0));
    let all: BTreeSet<usize> = mail.iter().map(|mail| mail.connection).collect();
    assert_eq!(all.len(), 1 + 3 + 3 + 3);
    for mail in mail {
        // The host would resume sessions.
        assert_eq!(mail.tls.as_ref().map(|session| session.resumed), Some(false), "{mail:?}");
    }
    // Routed twice; a right name is judged twice for each connection, a wrong one once.
    lab.asked(&counts([
        ("cert another.example refused", 3),
        ("cert host.example ok", 6),
        ("cert name.example ok", 6),
        ("out another.example ok", 6),
        ("out encrypt.example ok", 6),
        ("out host.example ok", 6),
        ("out name.example ok", 6),
    ]));
}

/// With PIPELINING and CHUNKING, as most hosts have them: several messages, by BDAT, each over TLS
/// of its own, or none.
fn x3_extensions(release: Release) {
    let lab = lab(release);
    let _daemon = lab.site.serve();
    for number in 0..3 {
        for domain in ["modern", "modern-another", "modern-plain"] {
            lab.enqueue("sender@ours.example", &[&format!("user{number}@{domain}.example")]);
        }
    }
    lab.machine.run("exim4", &["-qqff"]);
    let fates = lab.fates(
        &["user0", "user1", "user2"]
            .iter()
            .flat_map(|user| {
                ["modern", "modern-another", "modern-plain"].map(|domain| format!("{user}@{domain}.example"))
            })
            .collect(),
    );
    for (recipient, fate) in &fates {
        let expected = match recipient.split_once('@').unwrap().1 {
            "modern.example" => "T mx.shared.example:2525",
            "modern-another.example" => "D TLS session: (gnutls_handshake): Error in the certificate",
            _ => "D a TLS session is required, but the server did not offer TLS support",
        };
        assert!(fate.is(expected), "{recipient}: {}", fate.note());
    }
    let mail = lab.partner.mail();
    assert!(mail.iter().all(|mail| mail.chunked), "{mail:?}");
    let connections: BTreeSet<usize> = mail.iter().map(|mail| mail.connection).collect();
    assert_eq!(connections.len(), 3);
    assert_eq!(lab.mta.panics(&lab.machine), "");
}

on_each_exim!(x3_queue, x3_extensions);
