//! Many domains in one message: each goes by its own connector, whoever else is a recipient.

use std::collections::{BTreeMap, BTreeSet};

use crate::certificates::{Authority, Subject};
use crate::exim::Exim;
use crate::exim_messages::counts;
use crate::grid::{Cell, Seen, compare, expected};
use crate::lab::{Fate, Lab, Mta};
use crate::on_each_exim;
use crate::partner::{Host, Starttls};
use crate::resolver::Zone;
use crate::root::Release;

/// T delivered over TLS, D deferred: the first recipient, the second one.
///
/// Rows: the domain of the first recipient. Columns: that of the second. `none` has no connector;
/// `name` and `another` ask for a name of their own, which the host they share has or has not; `ca`
/// trusts another authority.
const EXPECTED: &str = "
           none encrypt host name another ca
  none     TT   TT      TT   TT   TD      TD
  encrypt  TT   TT      TT   TT   TD      TD
  host     TT   TT      TT   TT   TD      TD
  name     TT   TT      TT   TT   TD      TD
  another  DT   DT      DT   DT   DD      DD
  ca       DT   DT      DT   DT   DD      DD
";

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
name = "ca"
mode = "enforce"
domains = ["ca.example"]
tls = "secure"
match = ["mx.shared.example"]
ca_file = "unknown-ca.pem"
"#;

fn lab(release: Release, authority: &Authority) -> Lab<Exim> {
    let server = authority.issue(Subject::server(&["mx.shared.example"])).server();
    let host = Host { name: "mx.shared.example".to_owned(), number: 10, starttls: Starttls::Works(server) };
    let mut zone = Zone::default();
    zone.mx("*.example", &host.name);
    zone.mx("*.twenty.example", &host.name);
    let lab: Lab<Exim> = Lab::start(release, authority, &[host], zone, &[]);
    lab.site.write("unknown-ca.pem", &Authority::new("Unknown CA").pem());
    lab.site.configure(CONNECTORS);
    lab
}

/// What became of the mail to a domain in all messages, by the letter of its fate; and how often the
/// daemon was asked what.
fn pairs(release: Release) {
    let authority = Authority::new("Lab CA");
    let lab = lab(release, &authority);
    let _daemon = lab.site.serve();
    let table = expected(EXPECTED);
    let recipient = |(first, second): &Cell, place: u8| {
        let domain = if place == 1 { first } else { second };
        format!("{first}-{second}-{place}@{domain}.example")
    };
    for cell in table.keys() {
        lab.enqueue("sender@ours.example", &[&recipient(cell, 1), &recipient(cell, 2)]);
    }
    lab.mta.flush(&lab.machine);
    let recipients = table.keys().flat_map(|cell| [1, 2].map(|place| recipient(cell, place)));
    let fates = lab.fates(&recipients.collect());
    let seen = table
        .keys()
        .map(|cell| {
            let both = [1, 2].map(|place| &fates[&recipient(cell, place)]);
            let seen = Seen::new(both.map(Fate::letter).concat(), both.map(Fate::note).join("; "));
            (cell.clone(), seen)
        })
        .collect();
    compare(&table, &seen);

    for recipients in lab.transactions() {
        let domains: BTreeSet<_> =
            recipients.iter().map(|recipient| recipient.split_once('@').unwrap().1).collect();
        assert_eq!(domains.len(), 1, "in one transaction: {recipients:?}");
    }
    // Each domain is in eleven messages, once with itself. A right name is judged twice; of another
    // authority's certificate the name is right, and then Exim refuses the chain. Two messages are
    // routed twice: Exim does not try `none` at a host that has just failed for the same message,
    // and takes it along on the next connection of the site's own transport; only it.
    lab.asked(&counts([
        ("cert another.example refused", 11),
        ("cert ca.example ok", 11),
        ("cert host.example ok", 22),
        ("cert name.example ok", 22),
        ("out another.example ok", 12),
        ("out ca.example ok", 12),
        ("out encrypt.example ok", 11),
        ("out host.example ok", 11),
        ("out name.example ok", 11),
    ]));
    assert_eq!(lab.mta.panics(&lab.machine), "");
}

/// A hundred recipients in one domain: one question, one connection, one transaction.
fn crowd(release: Release) {
    let authority = Authority::new("Lab CA");
    let lab = lab(release, &authority);
    let _daemon = lab.site.serve();
    let crowd =
        |domain: &str| -> Vec<String> { (0..100).map(|n| format!("user{n:02}@{domain}.example")).collect() };
    for domain in ["name", "another"] {
        let recipients = crowd(domain);
        lab.enqueue("sender@ours.example", &recipients.iter().map(String::as_str).collect::<Vec<_>>());
    }
    lab.mta.flush(&lab.machine);
    let deferred: BTreeSet<String> =
        lab.mta.queue(&lab.machine).into_iter().map(|queued| queued.recipient).collect();
    assert_eq!(deferred, crowd("another").into_iter().collect());
    assert_eq!(lab.transactions(), [crowd("name")]);
    lab.asked(&counts([
        ("cert another.example refused", 1),
        ("cert name.example ok", 2),
        ("out another.example ok", 1),
        ("out name.example ok", 1),
    ]));
}

/// Twenty domains in one message, with a connector each, every other one with a name that is wrong.
fn twenty(release: Release) {
    let authority = Authority::new("Lab CA");
    let lab = lab(release, &authority);
    let name =
        |number: usize| if number.is_multiple_of(2) { "mx.shared.example" } else { "mx.another.example" };
    let connectors: String = (0..20)
        .map(|number| {
            format!(
                "[[outbound]]\nname = \"n{number}\"\nmode = \"enforce\"\ndomains = [\"d{number}.twenty.example\"]\n\
                 tls = \"secure\"\nmatch = [\"{}\"]\n",
                name(number)
            )
        })
        .collect();
    lab.site.configure(&connectors);
    let _daemon = lab.site.serve();
    let recipients: Vec<String> = (0..20).map(|number| format!("user@d{number}.twenty.example")).collect();
    lab.enqueue("sender@ours.example", &recipients.iter().map(String::as_str).collect::<Vec<_>>());
    lab.mta.flush(&lab.machine);
    let fates = lab.fates(&recipients.iter().cloned().collect());
    let mut asked = BTreeMap::new();
    for (number, recipient) in recipients.iter().enumerate() {
        let right = number.is_multiple_of(2);
        let expected = if right { "T mx.shared.example:25" } else { "D Error in the certificate" };
        assert!(fates[recipient].is(expected), "{recipient}: {}", fates[recipient].note());
        let domain = format!("d{number}.twenty.example");
        asked.insert(format!("out {domain} ok"), 1);
        let (verdict, times) = if right { ("ok", 2) } else { ("refused", 1) };
        asked.insert(format!("cert {domain} {verdict}"), times);
    }
    lab.asked(&asked);
}

on_each_exim!(pairs, crowd, twenty);
