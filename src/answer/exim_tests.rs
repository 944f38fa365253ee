//! Tables of what Exim asks and what it is told.

#![allow(clippy::unwrap_used)]

use jiff::Timestamp;

use super::exim::{Question, Refused, action, certificate, out};
use super::inbound_tests::{decide, mail, require_names, require_tls, snapshot as inbound_snapshot};
use super::{Answered, Leaf, Mail, Refusal};
use crate::model::certificate::Certificate;
use crate::model::inbound::{Action, CertificateRequirement, Require};
use crate::model::sample::{agreements, inbound, outbound, patterns, smart_hosts};
use crate::model::{Mode, Outbound, PatternSet};
use crate::snapshot::{Snapshot, compile};

fn snapshot(connectors: Vec<Outbound>) -> Snapshot {
    let mut agreed = agreements(connectors, Vec::new());
    agreed.mta.own_domains = PatternSet::new(patterns(&["*.ours.example"]));
    compile(&agreed, 1, String::new()).unwrap()
}

fn told(snapshot: &Snapshot, domain: &str) -> String {
    out(snapshot, domain.as_bytes()).reply.payload()
}

#[test]
fn the_recipients_domain_finds_its_connector() {
    let mut reporting = outbound("trial", &["trial.example"], "secure trial.example");
    reporting.mode = Mode::Report;
    let snapshot = snapshot(vec![
        outbound("bank", &["*.bank.example"], "secure mx.bank.example"),
        Outbound {
            overrides: vec!["bank".to_owned()],
            ..outbound("lists", &["lists.bank.example"], "encrypt")
        },
        outbound("books", &["*.xn--bcher-kva.example"], "encrypt"),
        reporting,
    ]);
    let (cert, encrypt, default) =
        ("status=ok tls=cert end=ok", "status=ok tls=encrypt end=ok", "status=ok tls=default end=ok");
    let table = [
        ("bank.example", cert),
        ("BANK.Example.", cert),
        ("a.b.bank.example", cert),
        ("lists.bank.example", encrypt),
        ("bücher.example", encrypt),
        ("BÜCHER.example", encrypt),
        ("notbank.example", default),
        ("trial.example", default),
        ("[192.0.2.1]", default),
        ("[IPv6:2001:db8::1]", default),
        ("", "status=temp text=\"empty request\" end=ok"),
        ("a..b", "status=temp text=\"invalid key: empty label in domain name\" end=ok"),
        ("bank.example:25", "status=temp text=\"invalid key: invalid character in domain name\" end=ok"),
        ("[bank.example]", "status=temp text=\"invalid key: unbalanced bracket in next-hop\" end=ok"),
        ("[192.0.2.1", "status=temp text=\"invalid key: unbalanced bracket in next-hop\" end=ok"),
        ("x bank.example", "status=temp text=\"invalid key: invalid character in domain name\" end=ok"),
    ];
    for (domain, expected) in table {
        assert_eq!(told(&snapshot, domain), expected, "{domain}");
    }
    assert_eq!(out(&snapshot, b"\xff").reply.refusal(), Some(Refusal::NotUtf8));
    assert_eq!(out(&snapshot, b"trial.example").report.len(), 1);
}

#[test]
fn a_connector_for_everything_is_about_literals_and_not_about_us() {
    let named = outbound("named", &["named.ours.example"], "secure named.ours.example");
    let snapshot = snapshot(vec![outbound("all", &["*"], "encrypt"), named]);
    for (domain, word) in [
        // Whoever names one of our own domains means it.
        ("named.ours.example", "cert"),
        ("other.example", "encrypt"),
        ("[192.0.2.1]", "encrypt"),
        ("[IPv6:2001:db8::1]", "encrypt"),
        ("ours.example", "default"),
        ("sub.OURS.example", "default"),
    ] {
        assert_eq!(told(&snapshot, domain), format!("status=ok tls={word} end=ok"), "{domain}");
    }
}

fn der(names: &[&str]) -> Vec<u8> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let params = rcgen::CertificateParams::new(names).unwrap();
    params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().der().to_vec()
}

#[test]
fn a_certificate_is_judged_for_the_delivery_that_asks() {
    let snapshot = snapshot(vec![
        outbound("bank", &["*.bank.example"], "secure mx.bank.example"),
        outbound("host", &["host.example"], "verify"),
        outbound("plain", &["plain.example"], "encrypt"),
        Outbound {
            route: smart_hosts(&["[mx.bank.example]"]),
            ..outbound("through", &["through.example"], "encrypt")
        },
    ]);
    let right = der(&["mx.bank.example"]);
    let wrong = der(&["mx.other.example"]);
    let answer = |domain: &str| told(&snapshot, domain) + " ";
    let ask = |domain: &str, answer: &str, der: &[u8]| {
        let question =
            Question { domain: domain.as_bytes(), host: b"mx.host.example", answer: answer.as_bytes(), der };
        certificate(&snapshot, &question).payload()
    };
    let changed = format!("no: {}", Refused::Changed);
    let objection = "no: certificate name mx.other.example does not match mx.bank.example";
    let bank = answer("bank.example");
    assert_eq!(ask("bank.example", &bank, &right), "ok");
    assert_eq!(ask("sub.BANK.example", &bank, &right), "ok");
    assert_eq!(ask("bank.example", &bank, &wrong), objection);
    assert_eq!(ask("through.example", &answer("through.example"), &wrong), objection);
    assert_eq!(ask("through.example", &answer("through.example"), &right), "ok");
    assert_eq!(ask("host.example", &answer("host.example"), &der(&["mx.host.example"])), "ok");
    // A transport that does not go with the connector of now.
    assert_eq!(ask("bank.example", "status=ok tls=pin end=ok", &right), changed);
    assert_eq!(ask("bank.example", "", &right), changed);
    assert_eq!(ask("plain.example", &answer("plain.example"), &right), changed);
    assert_eq!(ask("nobody.example", &answer("nobody.example"), &right), changed);
    assert_eq!(ask("a..b", &bank, &right), "no: invalid key: empty label in domain name");
    // Not one certificate.
    for bytes in [&b""[..], b"x", &[right.as_slice(), b"x"].concat()] {
        assert_eq!(ask("bank.example", &bank, bytes), format!("no: {}", Refused::Unreadable));
    }
}

#[test]
fn decisions_are_words_with_the_whole_reply() {
    let decided = |on_violation: Action, mail: &Mail<'_>| {
        let mut connector = inbound("partner in", &["*.partner.example"], require_tls());
        connector.on_violation = on_violation;
        let snapshot = inbound_snapshot(vec![connector]);
        action(&decide(&snapshot, mail))
    };
    let plaintext = Mail { tls_version: b"", ..mail() };
    let table = [
        (Action::Reject, mail(), "action=pass connector=\"partner in\" end=ok"),
        (Action::Reject, Mail { sender: b"a@other.example", ..plaintext }, "action=pass end=ok"),
        (
            Action::Reject,
            plaintext,
            "action=deny text=\"530 5.7.0 connector partner in: TLS is required\" connector=\"partner in\" end=ok",
        ),
        (
            Action::Defer,
            plaintext,
            "action=defer text=\"450 4.7.0 connector partner in: TLS is required\" connector=\"partner in\" end=ok",
        ),
        (
            Action::Hold,
            plaintext,
            "action=defer text=\"450 4.7.0 connector partner in: TLS is required\" connector=\"partner in\" end=ok",
        ),
        (
            Action::Reject,
            Mail { sender: b"bob", ..mail() },
            "action=defer text=\"450 4.7.1 the domain of the sender cannot be determined\" end=ok",
        ),
    ];
    for (on_violation, mail, expected) in table {
        assert_eq!(decided(on_violation, &mail), expected, "{on_violation:?} {mail:?}");
    }
}

fn client(
    names: &[&str],
    common_name: Option<&str>,
    change: impl FnOnce(&mut rcgen::CertificateParams),
) -> Vec<u8> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = rcgen::CertificateParams::new(names).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    if let Some(name) = common_name {
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
    }
    params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
    change(&mut params);
    let mut issuer = rcgen::CertificateParams::default();
    issuer.distinguished_name.push(rcgen::DnType::CommonName, "Lab CA");
    let issuer = rcgen::Issuer::new(issuer, rcgen::KeyPair::generate().unwrap());
    params.signed_by(&rcgen::KeyPair::generate().unwrap(), &issuer).unwrap().der().to_vec()
}

#[test]
fn a_whole_certificate_is_judged_by_us() {
    let now: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
    let snapshot = inbound_snapshot(vec![inbound(
        "in",
        &["*.partner.example"],
        require_names(&["out.partner.example"]),
    )]);
    let verdict = |snapshot: &Snapshot, der: &[u8], verified: bool| {
        let leaf = Leaf::read(der, verified, now);
        let mail = Mail { certificate: leaf.whole(), ..mail() };
        let decision = decide(snapshot, &mail);
        decision.action().strip_prefix("550 5.7.1 connector in: ").unwrap_or(decision.action()).to_owned()
    };
    let plain = |names: &[&str], common_name| client(names, common_name, |_| {});
    let name = "out.partner.example";
    let untrusted = "client certificate is not trusted";
    let table = [
        ("none", Vec::new(), true, "no client certificate was presented"),
        ("SAN", plain(&[name], None), true, "DUNNO"),
        ("second SAN", plain(&["x.y", name], None), true, "DUNNO"),
        ("CN", plain(&[], Some(name)), true, "DUNNO"),
        ("CN beside a SAN", plain(&["x.y"], Some(name)), true, "DUNNO"),
        ("wildcard", plain(&["*.partner.example"], None), true, "DUNNO"),
        ("other", plain(&["x.y"], None), true, "certificate name x.y does not match out.partner.example"),
        ("not verified", plain(&[name], None), false, untrusted),
        ("unreadable", b"x".to_vec(), true, untrusted),
        (
            "for servers alone",
            client(&[name], None, |params| {
                params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
            }),
            true,
            untrusted,
        ),
        (
            "expired",
            client(&[name], None, |params| params.not_after = rcgen::date_time_ymd(2026, 1, 1)),
            true,
            untrusted,
        ),
    ];
    for (what, der, verified, expected) in &table {
        assert_eq!(verdict(&snapshot, der, *verified), *expected, "{what}");
    }
    // Registered: no chain is needed.
    let der = plain(&[name], None);
    let registered = CertificateRequirement {
        registered: vec![crate::model::inbound::Registered {
            file: "client.pem".to_owned(),
            certificate: Certificate::from_der(&der).unwrap(),
        }],
        ..CertificateRequirement::default()
    };
    let require = Require { certificate: Some(registered), ..Require::default() };
    let snapshot = inbound_snapshot(vec![inbound("in", &["*.partner.example"], require)]);
    assert_eq!(verdict(&snapshot, &der, false), "DUNNO");
    let other = plain(&[name], None);
    assert_eq!(verdict(&snapshot, &other, true), "client certificate is not registered");
    // Issuers are judged on what the certificate says.
    let mut issuers = require_names(&[name]);
    issuers.certificate.as_mut().unwrap().issuers = Some(["Other CA".to_owned()].into());
    let snapshot = inbound_snapshot(vec![inbound("in", &["*.partner.example"], issuers)]);
    assert_eq!(verdict(&snapshot, &der, true), "client certificate is from another issuer");
}
