//! The DNS does not choose the connector: what it calls a partner's domain is of no account.
//!
//! Exim's dnslookup takes the name in the answer for the domain's own, and begins again with that
//! (dnslookup.c, rf_change_domain): behind two CNAMEs, or in a forged answer, mail to a partner became
//! mail to somebody without a connector. contrib's routers do not let it.

use crate::certificates::{Authority, Subject};
use crate::exim::Exim;
use crate::lab::{Lab, fates};
use crate::network::OURS;
use crate::on_each_exim;
use crate::partner::{Host, Starttls};
use crate::resolver::Zone;
use crate::root::Release;

/// Everything below partner.example has a connector; hop.example and what it leads to have none.
const CONNECTORS: &str = r#"
[[outbound]]
name = "partner"
mode = "enforce"
domains = ["*.partner.example"]
tls = "encrypt"

[[outbound]]
name = "through"
mode = "enforce"
domains = ["through.example"]
tls = "verify"
route = ["[relay.through.example]:587"]

[[outbound]]
name = "astray"
mode = "enforce"
domains = ["astray.example"]
tls = "verify"
route = ["[relay.astray.example]:587"]
"#;

const NO_TLS: &str = "D a TLS session is required, but the server did not offer TLS support";
const MOVED: &str = "D by the DNS the domain with the connector is another domain, ";

fn lab(release: Release) -> Lab<Exim> {
    let authority = Authority::new("Lab CA");
    let works = |name| Starttls::Works(authority.issue(Subject::server(&[name])).server());
    let hosts = [
        ("mx.good.example", works("mx.good.example")),
        ("mx.plain.example", Starttls::Absent),
        ("mx.relay.example", works("relay.through.example")),
    ];
    let hosts: Vec<Host> = (10..)
        .zip(hosts)
        .map(|(number, (name, starttls))| Host { name: name.to_owned(), number, starttls })
        .collect();
    let mut zone = Zone::default();
    zone.mx("good.example", "mx.good.example");
    zone.mx("plain.example", "mx.plain.example");
    for kind in ["good", "plain"] {
        let (domain, hop, host) =
            (format!("{kind}.example"), format!("{kind}.hop.example"), format!("mx.{kind}.example"));
        zone.alias(&hop, &domain);
        zone.alias(&format!("once.{kind}.partner.example"), &domain);
        zone.alias(&format!("twice.{kind}.partner.example"), &hop);
        zone.alias(&format!("host.{kind}.partner.example"), &host);
        zone.alias(&format!("host.{kind}.hop.example"), &host);
        zone.alias(&format!("address.{kind}.partner.example"), &format!("host.{kind}.hop.example"));
    }
    zone.alias("local.partner.example", "us.hop.example");
    zone.alias("us.hop.example", "ours.example");
    zone.address("ours.example", OURS.into());
    zone.mx("us.partner.example", "ours.example");
    zone.mx("null.partner.example", ".");
    zone.mx("gone.partner.example", "nobody.example");
    zone.alias("relay.through.example", "mx.relay.example");
    zone.alias("relay.astray.example", "mx.good.example");
    let lab: Lab<Exim> = Lab::start(release, &authority, &hosts, zone, &[]);
    lab.site.configure(CONNECTORS);
    lab
}

fn aliases(release: Release) {
    let lab = lab(release);
    let _daemon = lab.site.serve();
    lab.send_expecting(&fates([
        // The recipient stays as it was, or these would be missing.
        ("user@once.good.partner.example", "T mx.good.example:25"),
        ("user@twice.good.partner.example", "T mx.good.example:25"),
        ("user@host.good.partner.example", "T mx.good.example:25"),
        ("user@once.plain.partner.example", NO_TLS),
        ("user@twice.plain.partner.example", NO_TLS),
        ("user@host.plain.partner.example", NO_TLS),
        // Only without MX records, and then only behind two aliases: a limit.
        ("user@address.good.partner.example", &format!("{MOVED}host.good.hop.example")),
        ("user@address.plain.partner.example", &format!("{MOVED}host.plain.hop.example")),
        // Not even to ourselves.
        ("user@local.partner.example", &format!("{MOVED}us.hop.example")),
        ("user@us.partner.example", "D lowest numbered MX record points to local host"),
        ("user@null.partner.example", "B an MX or SRV record indicated no SMTP service"),
        ("user@gone.partner.example", "B all relevant MX records point to non-existent hosts"),
        ("user@none.partner.example", "B Unrouteable address"),
        // A smart host is called by the name in the connector.
        ("user@through.example", "T mx.relay.example:587"),
        ("user@astray.example", "D certificate verification failed"),
    ]));
    // A frozen message is not tried again.
    let log = lab.mta.log(&lab.machine);
    assert!(!log.contains(" Frozen"), "{log}");
    assert_eq!(lab.mta.panics(&lab.machine), "");
}

on_each_exim!(aliases);
