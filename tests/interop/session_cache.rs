//! Postfix's TLS session cache goes round a tightened `match`; contrib's settings close the way.
//!
//! The cache is keyed without the names, and on a resumed session none is checked: a limit of
//! Postfix that we can only document, report and switch off. Debian 12's main.cf has the cache on.

use crate::certificates::{Authority, Subject};
use crate::lab::{Fate, Lab, fates};
use crate::on_each_postfix;
use crate::partner::{Host, Mail, Starttls};
use crate::postmap::postmap;
use crate::resolver::Zone;
use crate::root::Release;
use crate::smtp::Session;

fn connector(name: &str) -> String {
    format!(
        "[[outbound]]\nname = \"partner\"\nmode = \"enforce\"\ndomains = [\"good.example\"]\n\
         tls = \"secure\"\nmatch = [\"{name}\"]\n"
    )
}

fn lab(release: Release, settings: &[&str]) -> Lab {
    let authority = Authority::new("Lab CA");
    let server = authority.issue(Subject::server(&["mx.good.example"])).server();
    let host = Host { name: "mx.good.example".to_owned(), number: 10, starttls: Starttls::Works(server) };
    let mut zone = Zone::default();
    zone.mx("good.example", &host.name);
    let lab: Lab = Lab::start(release, &authority, &[host], zone, settings);
    lab.site.configure(&connector("mx.good.example"));
    lab
}

/// Sends a message; the TLS session in which it was delivered, none when it was deferred.
fn send(lab: &Lab, recipient: &str) -> Option<Session> {
    let fates = lab.send(&[recipient.to_owned()].into());
    match &fates[recipient] {
        Fate::Delivered(Mail { tls, .. }) => Some(tls.clone().expect("never in plaintext")),
        Fate::Deferred(_) => None,
    }
}

fn tighten(lab: &Lab) {
    lab.site.configure(&connector("mx.elsewhere.example"));
    let reload = lab.site.json(&["reload", "--json"]);
    assert_eq!(reload["ok"], true, "{reload}");
    assert_eq!(postmap(lab, "good.example"), "OK secure match=mx.elsewhere.example");
}

/// With Debian's default, a session from before goes on being used.
fn x2_debian(release: Release) {
    let lab = lab(release, &["smtp_tls_session_cache_database=btree:${data_directory}/smtp_scache"]);
    let _daemon = lab.site.serve();
    let resumed = |recipient| send(&lab, recipient).map(|session| session.resumed);
    assert_eq!(resumed("first@good.example"), Some(false));
    assert_eq!(resumed("second@good.example"), Some(true));
    tighten(&lab);
    assert_eq!(resumed("third@good.example"), Some(true), "the documented limit");
}

/// With contrib's, the new name counts from the next message on.
fn x2_contrib(release: Release) {
    let lab = lab(release, &[]);
    let _daemon = lab.site.serve();
    let resumed = |recipient| send(&lab, recipient).map(|session| session.resumed);
    assert_eq!(resumed("first@good.example"), Some(false));
    assert_eq!(resumed("second@good.example"), Some(false));
    tighten(&lab);
    assert_eq!(resumed("third@good.example"), None);
    lab.settled(&fates([("third@good.example", "D Server certificate not verified")]));
}

on_each_postfix!(x2_debian, x2_contrib);
