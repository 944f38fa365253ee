//! Which of two versions of an inbound connector is the stronger, part by part.

#![allow(clippy::unwrap_used)]

use std::net::IpAddr;

use super::*;
use crate::model::certificate::Certificate;
use crate::model::inbound::{Action, Registered};
use crate::model::requirement::TlsVersion;
use crate::model::sample::{inbound, patterns};

fn names(texts: &[&str]) -> PatternSet {
    PatternSet::new(patterns(texts))
}

fn ranges(texts: &[&str]) -> Vec<IpNet> {
    let range = |text: &&str| text.parse().unwrap_or_else(|_| IpNet::from(text.parse::<IpAddr>().unwrap()));
    texts.iter().map(range).collect()
}

fn registered(file: &str) -> Registered {
    let params = rcgen::CertificateParams::new(vec![file.to_owned()]).unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = Certificate::from_der(params.self_signed(&key).unwrap().der()).unwrap();
    Registered { file: file.to_owned(), certificate }
}

/// The same, changed.
fn with(base: &Inbound, change: impl FnOnce(&mut Inbound)) -> Inbound {
    let mut changed = base.clone();
    change(&mut changed);
    changed
}

fn base() -> Inbound {
    inbound("p", &["a.x"], Require { tls: Some(TlsRequirement::Any), ..Require::default() })
}

/// Looks at every pair in both directions.
fn assert_ordered(table: Vec<(&str, Inbound, Inbound, Option<Kind>)>) {
    for (name, old, new, expected) in table {
        let weakens = |kind| !matches!(kind, Kind::Stronger);
        assert_eq!(compare(&old, &new), expected.map(|kind| (kind, weakens(kind))), "{name}");
        let back = expected.map(|kind| match kind {
            Kind::Stronger => Kind::Weaker,
            Kind::Weaker => Kind::Stronger,
            Kind::Changed | Kind::Added | Kind::Removed => kind,
        });
        assert_eq!(compare(&new, &old), back.map(|kind| (kind, weakens(kind))), "{name}, back");
        assert_eq!((compare(&old, &old), compare(&new, &new)), (None, None), "{name}");
    }
}

#[test]
fn what_it_is_about() {
    use Kind::{Changed, Stronger};
    let base = base();
    let domains = |texts: &[&str]| with(&base, |p| p.identify.domains = patterns(texts));
    let clients = |texts: &[&str]| with(&base, |p| p.identify.addresses = ranges(texts));
    let excepted = |texts: &[&str]| with(&base, |p| p.identify.except_addresses = ranges(texts));
    let scope = |texts: Option<&[&str]>| with(&base, |p| p.recipients = texts.map(names));
    assert_ordered(vec![
        ("more domains", domains(&["a.x"]), domains(&["a.x", "b.x"]), Some(Stronger)),
        ("a wider pattern", domains(&["a.x", "y.a.x"]), domains(&["*.a.x"]), Some(Stronger)),
        ("the same in other words", domains(&["*.a.x"]), domains(&[".a.x", "a.x"]), None),
        ("other domains", domains(&["a.x"]), domains(&["b.x"]), Some(Changed)),
        ("more clients", clients(&["192.0.2.1"]), clients(&["192.0.2.0/24"]), Some(Stronger)),
        ("clients besides domains", clients(&[]), clients(&["192.0.2.1"]), Some(Stronger)),
        ("other clients", clients(&["192.0.2.1"]), clients(&["192.0.2.2"]), Some(Changed)),
        ("fewer exceptions", excepted(&["192.0.2.0/24"]), excepted(&["192.0.2.1"]), Some(Stronger)),
        ("no exception", excepted(&["192.0.2.1"]), excepted(&[]), Some(Stronger)),
        ("other exceptions", excepted(&["192.0.2.1"]), excepted(&["192.0.2.2"]), Some(Changed)),
        ("all recipients", scope(Some(&["o.x"])), scope(None), Some(Stronger)),
        ("more recipients", scope(Some(&["o.x"])), scope(Some(&["*.o.x"])), Some(Stronger)),
        ("other recipients", scope(Some(&["o.x"])), scope(Some(&["p.x"])), Some(Changed)),
    ]);
}

#[test]
fn what_it_requires() {
    use Kind::{Changed, Stronger};
    use TlsRequirement::{Any, AtLeast};
    let base = base();
    let require = |require: Require| with(&base, |p| p.require = require);
    let tls = |tls| require(Require { tls, ..Require::default() });
    let clients =
        |texts: Option<&[&str]>| require(Require { addresses: texts.map(ranges), ..Require::default() });
    let certificate = |certificate| require(Require { certificate: Some(certificate), ..Require::default() });
    let any = CertificateRequirement::default();
    let named = |texts: &[&str]| CertificateRequirement { names: Some(names(texts)), ..any.clone() };
    let issued = |texts: &[&str]| CertificateRequirement {
        issuers: Some(texts.iter().map(|text| (*text).to_owned()).collect()),
        ..named(&["a.x"])
    };
    let (one, two) = (registered("one.pem"), registered("two.pem"));
    let known = |registered: &[&Registered]| CertificateRequirement {
        registered: registered.iter().map(|&one| one.clone()).collect(),
        ..any.clone()
    };
    let known_by_name = |registered: &[&Registered]| CertificateRequirement {
        names: Some(names(&["a.x"])),
        ..known(registered)
    };
    let (v12, v13) = (Some(AtLeast(TlsVersion::Tls12)), Some(AtLeast(TlsVersion::Tls13)));
    assert_ordered(vec![
        ("TLS", clients(None), tls(Some(Any)), Some(Stronger)),
        ("a minimum", tls(Some(Any)), tls(v12), Some(Stronger)),
        ("a higher minimum", tls(v12), tls(v13), Some(Stronger)),
        ("a certificate is over TLS", tls(Some(Any)), certificate(any.clone()), Some(Stronger)),
        ("of any version", tls(v12), certificate(any.clone()), Some(Changed)),
        ("clients", tls(None), clients(Some(&["192.0.2.0/24"])), Some(Stronger)),
        (
            "fewer clients",
            clients(Some(&["192.0.2.0/24"])),
            clients(Some(&["192.0.2.1", "192.0.2.2"])),
            Some(Stronger),
        ),
        ("other clients", clients(Some(&["192.0.2.1"])), clients(Some(&["192.0.2.2"])), Some(Changed)),
        ("clients or TLS", clients(Some(&["192.0.2.1"])), tls(Some(Any)), Some(Changed)),
        ("names", certificate(any.clone()), certificate(known(&[])), None),
        ("fewer names", certificate(named(&["*.a.x"])), certificate(named(&["a.x"])), Some(Stronger)),
        ("other names", certificate(named(&["a.x"])), certificate(named(&["b.x"])), Some(Changed)),
        ("issuers", certificate(named(&["a.x"])), certificate(issued(&["CA"])), Some(Stronger)),
        ("fewer issuers", certificate(issued(&["CA", "CB"])), certificate(issued(&["CA"])), Some(Stronger)),
        ("other issuers", certificate(issued(&["CA"])), certificate(issued(&["CB"])), Some(Changed)),
        ("fewer registered", certificate(known(&[&one, &two])), certificate(known(&[&two])), Some(Stronger)),
        ("other registered", certificate(known(&[&one])), certificate(known(&[&two])), Some(Changed)),
        (
            "none registered beside names",
            certificate(known_by_name(&[&one])),
            certificate(named(&["a.x"])),
            Some(Stronger),
        ),
        // A name for the registered one, but now a trusted chain with that name is a way in.
        (
            "a chain as a way in",
            certificate(known(&[&one])),
            certificate(known_by_name(&[&one])),
            Some(Changed),
        ),
    ]);
}

#[test]
fn what_is_done_with_the_rest() {
    let done = |action| with(&base(), |p| p.on_violation = action);
    assert_ordered(vec![
        ("defer", done(Action::Hold), done(Action::Defer), Some(Kind::Stronger)),
        ("reject", done(Action::Defer), done(Action::Reject), Some(Kind::Stronger)),
        (
            "more severe for fewer",
            with(&done(Action::Defer), |p| p.identify.domains = patterns(&["*.a.x"])),
            done(Action::Reject),
            Some(Kind::Changed),
        ),
    ]);
}

#[test]
fn where_others_are_out_of_force_more_is_not_stronger() {
    let reach = |domains: &[&str], overrides: &[&str]| {
        with(&base(), |p| {
            p.identify.domains = patterns(domains);
            p.overrides = overrides.iter().map(|&name| name.to_owned()).collect();
        })
    };
    let stricter = |inbound: &Inbound| {
        with(inbound, |p| p.require.tls = Some(TlsRequirement::AtLeast(TlsVersion::Tls13)))
    };
    let (narrow, wide) = (reach(&["a.x"], &["q"]), reach(&["*.a.x"], &["q"]));
    let changed = Some(Kind::Changed);
    assert_ordered(vec![
        ("more domains", narrow.clone(), wide, changed),
        ("it overrides", reach(&["a.x"], &[]), narrow.clone(), changed),
        ("it overrides another one", narrow.clone(), reach(&["a.x"], &["r"]), changed),
        ("in another order", reach(&["a.x"], &["q", "r"]), reach(&["a.x"], &["r", "q"]), None),
        ("the same reach", narrow.clone(), stricter(&narrow), Some(Kind::Stronger)),
        ("it overrides and asks for more", reach(&["a.x"], &[]), stricter(&narrow), changed),
    ]);
}

#[test]
fn in_one_line() {
    let version = TlsRequirement::AtLeast(TlsVersion::Tls12);
    let certificate = CertificateRequirement {
        names: Some(names(&["a.x", "*.b.x"])),
        registered: vec![registered("one.pem")],
        ..CertificateRequirement::default()
    };
    for (inbound, expected) in [
        (base(), "from a.x; TLS; else reject"),
        (
            with(&base(), |p| {
                p.identify.domains = patterns(&["a.x", "*.b.x", ".c.x", "d.x"]);
                p.identify.addresses = ranges(&["192.0.2.0/24", "::1"]);
                p.require.tls = Some(version);
                p.on_violation = Action::Hold;
            }),
            "from a.x, *.b.x, .c.x, 192.0.2.0/24, ::1/128; TLSv1.2 or newer; else hold",
        ),
        (
            with(&base(), |p| {
                p.require = Require {
                    tls: None,
                    certificate: Some(certificate),
                    addresses: Some(ranges(&["::1", "192.0.2.1"])),
                };
                p.on_violation = Action::Defer;
            }),
            "from a.x; certificate a.x or *.b.x, 1 registered; client in ::1/128, 192.0.2.1/32; else defer",
        ),
        (
            with(&base(), |p| {
                p.require =
                    Require { certificate: Some(CertificateRequirement::default()), ..Require::default() };
            }),
            "from a.x; certificate any name, 0 registered; else reject",
        ),
    ] {
        assert_eq!(words(&inbound), expected);
    }
}
