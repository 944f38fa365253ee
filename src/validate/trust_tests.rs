//! Chains made on the spot, and what OpenSSL makes of them.
#![allow(clippy::unwrap_used)]

use openssl::hash::MessageDigest;

use super::super::forge::{ANY_PURPOSE, CERTIFIES, CLIENT_AUTH, Form, Kind, Made, SIGNS, YEAR, chain};
use super::*;

fn now() -> Timestamp {
    Timestamp::now()
}

fn code(trust: &Trust) -> &'static str {
    match trust {
        Ok(Trusted { leaf_is_anchor: true, .. }) => "anchor",
        Ok(_) => "trusted",
        Err(distrust) => distrust.code(),
    }
}

struct Family {
    root: Made,
    inter: Made,
    leaf: Made,
}

fn family() -> Family {
    let root = Form::ca("Root").self_signed();
    let inter = Form::ca("Intermediate").issued_by(&root);
    let leaf = Form::server(&["mx.a.example"]).issued_by(&inter);
    Family { root, inter, leaf }
}

#[test]
fn chains() {
    let Family { root, inter, leaf } = family();
    let server = || Form::server(&["mx.a.example"]);
    let other = Form::ca("Other").self_signed();
    let past = |form: Form| Form { from: form.from - YEAR, to: form.from, ..form };
    let future = |form: Form| Form { from: form.to, to: form.to + YEAR, ..form };
    let located = server().with_location("http://ca.example/inter.crt").issued_by(&inter);
    let expired_inter = past(Form::ca("Expired")).issued_by(&root);
    let no_ca = Form { authority: None, usage: Some(SIGNS), ..Form::ca("No CA") }.issued_by(&root);
    let no_sign = Form { usage: Some(SIGNS), ..Form::ca("No signer") }.issued_by(&root);
    let narrow = Form { authority: Some(Some(0)), ..Form::ca("Narrow") }.issued_by(&root);
    let below = Form::ca("Below").issued_by(&narrow);
    let bound = Form::ca("Bound").permitting("b.example").issued_by(&root);
    let small = Form { kind: Kind::Rsa(512), ..Form::ca("Small") }.issued_by(&root);
    let both = Form { usage: Some(SIGNS | CERTIFIES), ..Form::ca("mx.a.example") };
    let stranger = other.clone();
    let own = server().self_signed();
    let from_other = server().issued_by(&other);
    let mut tall = vec![Form::ca("0").issued_by(&root)];
    for level in 1..11 {
        let next = Form::ca(&level.to_string()).issued_by(tall.last().unwrap());
        tall.push(next);
    }
    let high = server().issued_by(tall.last().unwrap());
    let tall: Vec<&Made> = std::iter::once(&high).chain(tall.iter().rev()).collect();
    let table: Vec<(&str, Vec<Vec<u8>>, &str)> = vec![
        ("good", chain(&[&leaf, &inter]), "trusted"),
        ("with root", chain(&[&leaf, &inter, &root]), "trusted"),
        ("wrong order", chain(&[&leaf, &root, &inter]), "trusted"),
        ("extra", chain(&[&leaf, &stranger, &inter]), "trusted"),
        ("direct", chain(&[&server().issued_by(&root)]), "trusted"),
        ("nothing", vec![], "no-certificate"),
        ("self-signed", chain(&[&own]), "self-signed"),
        ("unknown, root presented", chain(&[&from_other, &other]), "unknown-ca"),
        ("unknown", chain(&[&from_other]), "unknown-ca"),
        ("incomplete", chain(&[&located]), "chain-incomplete"),
        ("expired", chain(&[&past(server()).issued_by(&inter), &inter]), "expired"),
        ("early", chain(&[&future(server()).issued_by(&inter), &inter]), "not-yet-valid"),
        ("CA expired", chain(&[&server().issued_by(&expired_inter), &expired_inter]), "ca-expired"),
        (
            "client only",
            chain(&[&Form { purposes: Some(vec![CLIENT_AUTH]), ..server() }.issued_by(&inter), &inter]),
            "wrong-purpose",
        ),
        (
            "any purpose is none",
            chain(&[&Form { purposes: Some(vec![ANY_PURPOSE]), ..server() }.issued_by(&inter), &inter]),
            "wrong-purpose",
        ),
        ("no purpose", chain(&[&Form { purposes: None, ..server() }.issued_by(&inter), &inter]), "trusted"),
        (
            "usage to certify",
            chain(&[&Form { usage: Some(CERTIFIES), ..server() }.issued_by(&inter), &inter]),
            "wrong-purpose",
        ),
        ("not a CA", chain(&[&server().issued_by(&no_ca), &no_ca]), "not-a-ca"),
        ("may not sign", chain(&[&server().issued_by(&no_sign), &no_sign]), "not-a-ca"),
        ("path", chain(&[&server().issued_by(&below), &below, &narrow]), "path-length"),
        ("constraints", chain(&[&server().issued_by(&bound), &bound]), "name-constraints"),
        ("constraints held", chain(&[&Form::server(&["mx.b.example"]).issued_by(&bound), &bound]), "trusted"),
        (
            "SHA-1",
            chain(&[&Form { digest: MessageDigest::sha1(), ..server() }.issued_by(&inter), &inter]),
            "weak-signature",
        ),
        (
            "RSA 1024",
            chain(&[&Form { kind: Kind::Rsa(1024), ..server() }.issued_by(&inter), &inter]),
            "trusted",
        ),
        (
            "RSA 512",
            chain(&[&Form { kind: Kind::Rsa(512), ..server() }.issued_by(&inter), &inter]),
            "weak-key",
        ),
        ("CA of RSA 512", chain(&[&server().issued_by(&small), &small]), "weak-key"),
        ("Ed25519", chain(&[&Form { kind: Kind::Ed25519, ..server() }.issued_by(&inter), &inter]), "trusted"),
        ("leaf is a CA", chain(&[&both.issued_by(&inter), &inter]), "trusted"),
        ("version 1", chain(&[&Form { version1: true, ..server() }.issued_by(&inter), &inter]), "trusted"),
        ("too long", chain(&tall), "chain-too-long"),
        ("not DER", vec![b"nonsense".to_vec()], "not-trusted"),
    ];
    let anchors = Anchors::authorities(root.pem().as_bytes(), now()).unwrap();
    for (name, presented, expected) in table {
        let trust = judge(&presented, &anchors);
        assert_eq!(code(&trust), expected, "{name}: {trust:?}");
    }
}

#[test]
fn words_name_what_is_wrong() {
    let Family { root, inter, leaf } = family();
    let anchors = Anchors::authorities(root.pem().as_bytes(), now()).unwrap();
    let located = Form::server(&["mx.a.example"]).with_location("http://ca.example/i.crt").issued_by(&inter);
    let expired = Form { to: Form::server(&[]).from + 1, ..Form::ca("Old") }.issued_by(&root);
    let below = Form::server(&["mx.a.example"]).issued_by(&expired);
    let table = [
        (chain(&[&leaf]), vec!["\"CN=Intermediate\"", "has to send its certificate too"]),
        (chain(&[&located]), vec!["\"CN=Intermediate\" is missing", "fetched from http://ca.example/i.crt"]),
        (chain(&[&below, &expired]), vec!["its authority (CN=Old) has expired"]),
    ];
    for (presented, expected) in table {
        let words = judge(&presented, &anchors).unwrap_err().to_string();
        assert!(expected.iter().all(|part| words.contains(part)), "{words}");
    }
}

#[test]
fn what_was_presented_beside_the_chain() {
    let Family { root, inter, leaf } = family();
    let stranger = Form::ca("Stranger").self_signed();
    let anchors = Anchors::authorities(root.pem().as_bytes(), now()).unwrap();
    let seen = |made: &[&Made]| judge(&chain(made), &anchors).unwrap().disorder;
    assert_eq!(seen(&[&leaf, &inter, &root]), Disorder { extra: 0, unordered: false });
    assert_eq!(seen(&[&leaf, &root, &inter]), Disorder { extra: 0, unordered: true });
    assert_eq!(seen(&[&leaf, &stranger, &inter]), Disorder { extra: 1, unordered: false });
}

#[test]
fn a_trust_file_ends_a_chain_anywhere() {
    let Family { root, inter, leaf } = family();
    let past = |form: Form| Form { from: form.from - YEAR, to: form.from, ..form };
    let own = past(Form::server(&["mx.a.example"])).self_signed();
    let weak = Form { kind: Kind::Rsa(512), ..Form::server(&["mx.a.example"]) }.self_signed();
    let old_root = {
        let form = past(Form::ca("Root"));
        form.certify(&root.key, &root)
    };
    let direct = Form::server(&["mx.a.example"]).issued_by(&root);
    let cases: Vec<(&str, Vec<&Made>, Vec<&Made>, &str)> = vec![
        ("root", vec![&root], vec![&leaf, &inter], "trusted"),
        ("intermediate", vec![&inter], vec![&leaf, &inter], "trusted"),
        ("intermediate not presented", vec![&inter], vec![&leaf], "trusted"),
        ("leaf", vec![&leaf], vec![&leaf], "anchor"),
        ("expired self-signed leaf", vec![&own], vec![&own], "anchor"),
        ("leaf with a weak key", vec![&weak], vec![&weak], "weak-key"),
        ("another leaf", vec![&own], vec![&leaf, &inter, &root], "unknown-ca"),
        ("root alone does not help", vec![&root], vec![&leaf], "unknown-ca"),
        ("expired anchor", vec![&old_root], vec![&direct], "ca-expired"),
        ("expired anchor beside a good one", vec![&old_root, &root], vec![&direct], "trusted"),
        ("expired anchor, good one presented", vec![&old_root], vec![&direct, &root], "ca-expired"),
    ];
    for (name, anchors, presented, expected) in cases {
        let pem: String = anchors.iter().map(|made| made.pem()).collect();
        let anchors = Anchors::trust_file(pem.as_bytes(), now()).unwrap();
        let trust = judge(&chain(&presented), &anchors);
        assert_eq!(code(&trust), expected, "{name}: {trust:?}");
    }
}

#[test]
fn time_is_the_given_one() {
    let Family { root, inter, leaf } = family();
    let presented = chain(&[&leaf, &inter]);
    let later = Timestamp::from_second(now().as_second() + YEAR + YEAR / 2).unwrap();
    for (at, expected) in [(now(), "trusted"), (later, "expired")] {
        let anchors = Anchors::authorities(root.pem().as_bytes(), at).unwrap();
        assert_eq!(code(&judge(&presented, &anchors)), expected);
    }
}

#[test]
fn files_that_anchor_nothing() {
    for pem in ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        assert!(Anchors::authorities(pem.as_bytes(), now()).is_err(), "{pem:?}");
        assert!(Anchors::trust_file(pem.as_bytes(), now()).is_err(), "{pem:?}");
    }
}

#[test]
fn the_key_of_a_leaf() {
    let server = |kind| Form { kind, ..Form::server(&["mx.a.example"]) }.self_signed().der();
    assert!(allows_key(&server(Kind::P256)).is_ok());
    assert!(allows_key(&server(Kind::Rsa(1024))).is_ok());
    assert_eq!(allows_key(&server(Kind::Rsa(512))).unwrap_err().code(), "weak-key");
    assert!(allows_key(b"nonsense").is_err());
}
