//! Retry records: what a failure at a host delays, and what it does not.

use crate::certificates::{Authority, Subject};
use crate::condition::wait_for;
use crate::exim::Exim;
use crate::lab::{Lab, fates};
use crate::network::partner_address;
use crate::on_each_exim;
use crate::partner::{Host, Partner, Starttls};
use crate::resolver::Zone;
use crate::root::Release;

/// The number of a host that listens later than the others.
const LATECOMER: u8 = 20;

const CONNECTORS: &str = r#"
[[outbound]]
name = "encrypt"
mode = "enforce"
domains = ["encrypt.example", "encrypt.late.example"]
tls = "encrypt"

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
"#;

const SITE: &str = "T mx.shared.example:25";
const REFUSED: &str = "D TLS session: (gnutls_handshake): Error in the certificate";
const LATE: &str = "D retry time not reached for any host";

/// The record of the host that the transports of contrib share.
const RECORD: &str = "T:mx.shared.example:192.0.2.10/0.0.0.0";

fn lab(release: Release) -> Lab<Exim> {
    let authority = Authority::new("Lab CA");
    let server = authority.issue(Subject::server(&["mx.shared.example"])).server();
    let host = Host { name: "mx.shared.example".to_owned(), number: 10, starttls: Starttls::Works(server) };
    let mut zone = Zone::default();
    zone.mx("*.example", &host.name);
    zone.mx("*.late.example", "mx.late.example");
    zone.address("mx.late.example", partner_address(LATECOMER));
    let lab: Lab<Exim> = Lab::start(release, &authority, &[host], zone, &[]);
    lab.site.configure(CONNECTORS);
    lab
}

/// The failure of a connector at a host keeps other connectors' mail from that host for a second, and
/// nobody else's. Late, never weaker; what gets through ends it for all.
fn records(release: Release) {
    let lab = lab(release);
    let _daemon = lab.site.serve();
    lab.send_now_expecting("first@another.example", REFUSED);
    assert!(lab.retry_records().contains(RECORD));
    lab.send_now_expecting("first@none.example", SITE);
    let mut number = 0;
    wait_for("a second later", || {
        number += 1;
        let recipient = format!("{number}@name.example");
        lab.send_now(&recipient);
        let fate = &lab.fates(&[recipient.clone()].into())[&recipient];
        if fate.is(SITE) {
            return Ok(());
        }
        assert!(fate.is(LATE), "{recipient}: {}", fate.note());
        Err(fate.note())
    });
    assert_eq!(lab.retry_records(), "");
    lab.send_now_expecting("first@encrypt.example", SITE);
    lab.send_now_expecting("second@another.example", REFUSED);
    lab.send_now_expecting("second@none.example", SITE);
}

/// In one message, when Exim delivers to one domain at a time (remote_max_parallel), a connector's
/// failure makes the host unusable for the site's own transport too, for this message and this time.
fn together(release: Release) {
    let lab = lab(release);
    let _daemon = lab.site.serve();
    lab.enqueue(
        "sender@ours.example",
        &["first@another.example", "first@none.example", "first@name.example"],
    );
    lab.machine.run("exim4", &["-q"]);
    lab.settled(&fates([
        ("first@another.example", REFUSED),
        ("first@none.example", "D all host address lookups for 'none.example' failed temporarily"),
        ("first@name.example", SITE),
    ]));
    // Another message to the host takes along what waits.
    lab.enqueue("sender@ours.example", &["second@none.example"]);
    lab.machine.run("exim4", &["-q"]);
    lab.settled(&fates([("second@none.example", SITE), ("first@none.example", SITE)]));
}

/// The other way round: a host that failed the site's own transport is tried for a connector.
fn reverse(release: Release) {
    let lab = lab(release);
    let _daemon = lab.site.serve();
    lab.send_now_expecting("first@none.late.example", "D Connection refused");
    let authority = Authority::new("Another CA");
    let server = authority.issue(Subject::server(&["mx.late.example"])).server();
    let host =
        Host { name: "mx.late.example".to_owned(), number: LATECOMER, starttls: Starttls::Works(server) };
    let latecomer = Partner::start(&lab.network.partner, &[host]);
    for recipient in ["first@encrypt.late.example", "second@none.late.example"] {
        lab.send_now(recipient);
    }
    lab.settled(&fates([("second@none.late.example", LATE)]));
    let taken: Vec<_> = latecomer.mail().into_iter().flat_map(|mail| mail.recipients).collect();
    assert_eq!(taken, ["first@encrypt.late.example"]);
}

/// After four days of one connector's failures the host counts as one that nobody can reach. Other
/// connectors' mail is tried all the same (delay_after_cutoff), and not returned because of that.
fn cutoff(release: Release) {
    let lab = lab(release);
    let _daemon = lab.site.serve();
    lab.send_now_expecting("first@another.example", REFUSED);
    lab.expire_record(RECORD);
    lab.send_now_expecting("first@name.example", SITE);
}

on_each_exim!(records, together, reverse, cutoff);
