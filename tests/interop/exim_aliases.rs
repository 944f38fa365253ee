//! Addresses that become others: each is asked about anew, whatever its parent was told.
//!
//! Exim hands `address_data` down from an address to those that it becomes, and so the answer about
//! the parent's domain too.

use std::fs;

use crate::certificates::{Authority, Subject};
use crate::exim::Exim;
use crate::exim_messages::counts;
use crate::lab::Lab;
use crate::on_each_exim;
use crate::partner::{Host, Starttls};
use crate::resolver::Zone;
use crate::root::Release;

const CONNECTORS: &str = r#"
[[outbound]]
name = "name"
mode = "enforce"
domains = ["name.example", "*.name.example"]
tls = "secure"
match = ["mx.shared.example"]

[[outbound]]
name = "another"
mode = "enforce"
domains = ["another.example", "*.another.example"]
tls = "secure"
match = ["mx.another.example"]
"#;

/// Routers of a site before ours, which it should not have: data of its own like an answer of the
/// daemon, and partners whose mail goes to other partners.
const BEFORE: &str = "
site_data:
  driver = redirect
  domains = another.example
  address_data = status=ok tls=default end=ok
  data =

site_other_data:
  driver = redirect
  domains = data.name.example
  address_data = status=ok tls=may end=ok
  data =

site_partners:
  driver = redirect
  domains = old.name.example : old.another.example
  data = $local_part@${sg{$domain}{^old.}{}}

site_answer:
  driver = redirect
  domains = answer.another.example
  address_data = status=ok tls=default end=ok
  data = $local_part@answered.another.example
";

/// And after ours, where only domains without connector come to.
const AFTER: &str = "
site_copy:
  driver = redirect
  domains = copy.example
  unseen
  data = copy.$local_part@another.example

site_moved:
  driver = redirect
  domains = moved.example
  address_data = status=ok tls=default hosts=mx.shared.example end=ok
  data = $local_part@another.example, $local_part@name.example
";

/// Local addresses as Debian's system_aliases has them; `once` keeps what it became in the queue.
const LOCAL: &str = "
site_aliases:
  driver = redirect
  domains = +local_domains
  data = ${lookup{$local_part}lsearch{/etc/exim4/aliases}}

site_once:
  driver = redirect
  domains = +local_domains
  local_parts = once
  one_time
  data = once@another.example

site_unseen:
  driver = redirect
  domains = +local_domains
  local_parts = unseen
  unseen
  data = unseen@another.example
";

const ALIASES: &str = "
right: right@name.example
wrong: wrong@another.example
none: none@none.example
all: all@none.example, all@name.example, all@another.example
chain: link@ours.example
link: chain@another.example
back: back@moved.example
";

const REFUSED: &str = "TLS session: (gnutls_handshake): Error in the certificate";

fn lab(release: Release) -> Lab<Exim> {
    let authority = Authority::new("Lab CA");
    let server = authority.issue(Subject::server(&["mx.shared.example"])).server();
    let host = Host { name: "mx.shared.example".to_owned(), number: 10, starttls: Starttls::Works(server) };
    let mut zone = Zone::default();
    zone.mx("*.example", &host.name);
    let lab: Lab<Exim> = Lab::start(release, &authority, &[host], zone, &[]);
    let etc = lab.machine.directory().join("etc");
    for (name, text) in [
        ("aliases", ALIASES),
        ("conf.d/router/04_site", BEFORE),
        ("conf.d/router/06_site", AFTER),
        ("conf.d/router/07_site", LOCAL),
    ] {
        fs::write(etc.join(name), text).unwrap();
    }
    lab.machine.run("update-exim4.conf", &[]);
    lab.site.configure(CONNECTORS);
    lab
}

/// Who gets mail: each as it is called behind all routers.
const DELIVERED: [&str; 10] = [
    "all@name.example",
    "all@none.example",
    "back@name.example",
    "none@none.example",
    "right@name.example",
    "user@copy.example",
    "user@data.name.example",
    "user@name.example",
    "user@name.example",
    "user@none.example",
];

/// Whose mail waits.
const DEFERRED: [&str; 10] = [
    "all@another.example",
    "back@another.example",
    "chain@another.example",
    "copy.user@another.example",
    "old@another.example",
    "once@another.example",
    "unseen@another.example",
    "user@another.example",
    "user@answered.another.example",
    "wrong@another.example",
];

fn aliases(release: Release) {
    let lab = lab(release);
    let _daemon = lab.site.serve();
    for recipient in [
        "right@ours.example",
        "wrong@ours.example",
        "none@ours.example",
        "all@ours.example",
        "chain@ours.example",
        "back@ours.example",
        "once@ours.example",
        "unseen@ours.example",
        "user@copy.example",
        "user@old.name.example",
        "old@old.another.example",
        "user@answer.another.example",
        "user@data.name.example",
        "user@another.example",
        "user@name.example",
        "user@none.example",
    ] {
        lab.enqueue("sender@ours.example", &[recipient]);
    }
    lab.mta.flush(&lab.machine);
    let deferred = |log: &str| -> Vec<String> {
        let waiting = log.lines().filter_map(|line| line.split_once(" == "));
        let refused = waiting.filter(|(_, line)| line.contains(REFUSED));
        let mut addresses: Vec<String> =
            refused.map(|(_, line)| line.split(' ').next().unwrap().to_owned()).collect();
        addresses.sort();
        addresses
    };
    assert_eq!(lab.transactions().concat(), DELIVERED);
    assert_eq!(deferred(&lab.mta.log(&lab.machine)), DEFERRED);
    lab.asked(&counts([
        ("cert another.example refused", 9),
        ("cert answered.another.example refused", 1),
        ("cert data.name.example ok", 2),
        ("cert name.example ok", 10),
        ("out another.example ok", 9),
        ("out answered.another.example ok", 1),
        ("out data.name.example ok", 1),
        ("out name.example ok", 5),
    ]));
    // Again, from what the queue says now.
    lab.mta.flush(&lab.machine);
    assert_eq!(lab.transactions().concat(), DELIVERED);
    let twice: Vec<&str> = DEFERRED.into_iter().flat_map(|address| [address, address]).collect();
    assert_eq!(deferred(&lab.mta.log(&lab.machine)), twice);
    assert_eq!(lab.mta.panics(&lab.machine), "");
}

on_each_exim!(aliases);
