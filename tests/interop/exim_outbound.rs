//! probe
use crate::certificates::{Authority, Subject};
use crate::exim::Exim;
use crate::lab::Lab;
use crate::on_each_exim;
use crate::partner::{Host, Starttls};
use crate::resolver::Zone;
use crate::root::Release;
use std::collections::BTreeMap;

fn probe(release: Release) {
    let authority = Authority::new("Lab CA");
    let server = authority.issue(Subject::server(&["mx.good.example"])).server();
    let wrong = authority.issue(Subject::server(&["mx.other.example"])).server();
    let hosts = [
        Host { name: "mx.good.example".into(), number: 10, starttls: Starttls::Works(server) },
        Host { name: "mx.wrong.example".into(), number: 11, starttls: Starttls::Works(wrong) },
        Host { name: "mx.plain.example".into(), number: 12, starttls: Starttls::Absent },
    ];
    let mut zone = Zone::default();
    for name in ["good", "wrong", "plain"] {
        zone.mx(&format!("*.{name}.example"), &format!("mx.{name}.example"));
    }
    zone.mx("two.example", "mx.wrong.example");
    let lab: Lab<Exim> = Lab::start(release, &authority, &hosts, zone, &[]);
    let mut text = String::new();
    for name in ["good", "wrong", "plain"] {
        for level in ["encrypt", "verify", "dane-only"] {
            text += &format!(
                "[[outbound]]\nname=\"{level}-{name}\"\nmode=\"enforce\"\ndomains=[\"{level}.{name}.example\"]\ntls=\"{level}\"\n"
            );
        }
        text += &format!(
            "[[outbound]]\nname=\"secure-{name}\"\nmode=\"enforce\"\ndomains=[\"secure.{name}.example\"]\ntls=\"secure\"\nmatch=[\"mx.{name}.example\"]\n"
        );
        text += &format!(
            "[[outbound]]\nname=\"pin-{name}\"\nmode=\"enforce\"\ndomains=[\"pin.{name}.example\"]\ntls=\"fingerprint\"\nfingerprints=[\"sha256:{}\"]\n",
            "00".repeat(32)
        );
    }
    lab.site.configure(&text);
    let _daemon = lab.site.serve();
    let mut recipients = std::collections::BTreeSet::new();
    for name in ["good", "wrong", "plain"] {
        for level in ["none", "encrypt", "verify", "secure", "pin", "dane-only"] {
            recipients.insert(format!("u@{level}.{name}.example"));
        }
    }
    let fates: BTreeMap<_, _> = lab.send(&recipients);
    for (recipient, fate) in &fates {
        eprintln!("{recipient}: {} {}", fate.letter(), fate.note());
    }
    eprintln!("{}", lab.mta.log(&lab.machine));
    eprintln!("{}", lab.mta.panics(&lab.machine));
    eprintln!("{}", lab.site.log());
}
on_each_exim!(probe);
