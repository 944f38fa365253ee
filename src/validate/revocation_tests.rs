//! Lists and responses made on the spot: right ones, and each thing that makes them worthless.
#![allow(clippy::unwrap_used)]

use openssl::asn1::{Asn1Integer, Asn1Object, Asn1OctetString};
use openssl::hash::hash;
use openssl::sign::Signer;
use openssl::x509::{X509CrlBuilder, X509Extension, X509NameRef, X509Revoked, X509RevokedBuilder};

use super::super::forge::{Form, Made, OCSP_SIGNING, YEAR, chain, der, oid};
use super::*;

fn now() -> Timestamp {
    Timestamp::now()
}

fn word(revocation: &Revocation) -> &'static str {
    match revocation {
        Revocation::NotChecked(_) => "not checked",
        Revocation::Good(_) => "good",
        Revocation::Revoked(_) => "revoked",
    }
}

/// A list that is valid for these seconds around now.
fn list(issuer: &X509NameRef, signer: &Made, revoked: &[&Made], from: i64, to: i64) -> X509Crl {
    let at = |offset| Asn1Time::from_unix(now().as_second() + offset).unwrap();
    let mut builder = X509CrlBuilder::new().unwrap();
    builder.set_issuer_name(issuer).unwrap();
    builder.set_last_update(&at(from)).unwrap();
    builder.set_next_update(&at(to)).unwrap();
    for made in revoked {
        builder.add_revoked(entry(made.certificate.serial_number(), &at(from))).unwrap();
    }
    let extension = |oid, value: &[u8]| {
        let value = Asn1OctetString::new_from_bytes(value).unwrap();
        X509Extension::new_from_der(&Asn1Object::from_str(oid).unwrap(), false, &value).unwrap()
    };
    // The builder wants an authority key identifier and a number; nobody here reads them.
    builder.append_extension(extension("2.5.29.35", &der(0x30, &der(0x80, b"key")))).unwrap();
    builder.append_extension(extension("2.5.29.20", &der(2, &[1]))).unwrap();
    builder.sort().unwrap();
    builder.sign(&signer.key, MessageDigest::sha256()).unwrap();
    builder.build().unwrap()
}

fn entry(serial: &openssl::asn1::Asn1IntegerRef, at: &Asn1Time) -> X509Revoked {
    let mut entry = X509RevokedBuilder::new().unwrap();
    let serial = Asn1Integer::from_bn(&serial.to_bn().unwrap()).unwrap();
    entry.set_serial_number(&serial).unwrap();
    entry.set_revocation_date(at).unwrap();
    entry.build()
}

#[test]
fn lists() {
    let root = Form::ca("Root").self_signed();
    let inter = Form::ca("Intermediate").issued_by(&root);
    let leaf = Form::server(&["mx.a.example"]).issued_by(&inter);
    let stranger = Form::ca("Intermediate").self_signed();
    let (name, top) = (inter.certificate.subject_name(), root.certificate.subject_name());
    let presented = chain(&[&leaf, &inter, &root]);
    let good = || list(name, &inter, &[&stranger], -60, YEAR);
    let revoked = || list(name, &inter, &[&stranger, &leaf], -60, YEAR);
    let table: Vec<(&str, Vec<X509Crl>, &str)> = vec![
        ("none", vec![], "not checked"),
        ("good", vec![good()], "good"),
        ("revoked", vec![revoked()], "revoked"),
        ("revoked on one of two", vec![good(), revoked()], "revoked"),
        ("of another authority", vec![list(top, &root, &[], -60, YEAR)], "not checked"),
        ("the authority itself revoked", vec![good(), list(top, &root, &[&inter], -60, YEAR)], "revoked"),
        ("forged", vec![list(name, &stranger, &[&leaf], -60, YEAR)], "not checked"),
        ("old", vec![list(name, &inter, &[&leaf], -YEAR, -60)], "not checked"),
        ("early", vec![list(name, &inter, &[&leaf], 60, YEAR)], "not checked"),
    ];
    for (case, crls, expected) in table {
        let pem: Vec<u8> = crls.iter().flat_map(|crl| crl.to_pem().unwrap()).collect();
        let mut from_pem = Lists::default();
        if !crls.is_empty() {
            from_pem.add(&pem).unwrap();
        }
        let mut from_der = Lists::default();
        for crl in &crls {
            from_der.add(&crl.to_der().unwrap()).unwrap();
        }
        for lists in [from_pem, from_der] {
            let seen = check(&presented, None, &lists, now());
            assert_eq!(word(&seen), expected, "{case}: {seen}");
        }
    }
    let mut broken = Lists::default();
    for bytes in [b"".as_slice(), b"nonsense", b"-----BEGIN X509 CRL-----\nAA==\n-----END X509 CRL-----\n"] {
        assert!(matches!(broken.add(bytes), Err(Error::NotAList)), "{bytes:?}");
    }
}

/// What a response says, and how it is wrong.
#[derive(Clone, Copy)]
struct Answer<'a> {
    about: &'a Made,
    issuer: &'a Made,
    signer: &'a Made,
    /// Sends the signer's certificate along.
    attached: bool,
    /// Context tags of RFC 6960: 0x80 good, 0xa1 revoked, 0x82 unknown.
    status: u8,
    this: &'a [u8],
    next: &'a [u8],
}

/// RFC 6960 section 4.2.1.
fn response(answer: Answer<'_>) -> Vec<u8> {
    let sha1 = |bytes: &[u8]| hash(MessageDigest::sha1(), bytes).unwrap().to_vec();
    let time = |text: &[u8]| der(0x18, text);
    let algorithm = |name: &str| der(0x30, &oid(name));
    let key = answer.issuer.certificate.public_key().unwrap();
    // The bits of the subjectPublicKey of P-256: the last 65 bytes of its info.
    let info = key.public_key_to_der().unwrap();
    let point = info.get(info.len() - 65..).unwrap();
    let serial = answer.about.certificate.serial_number().to_bn().unwrap().to_vec();
    let padded =
        if serial.first().is_some_and(|byte| byte & 0x80 != 0) { [vec![0], serial].concat() } else { serial };
    let id = [
        der(0x30, &[oid("1.3.14.3.2.26"), vec![5, 0]].concat()),
        der(4, &sha1(&answer.issuer.certificate.subject_name().to_der().unwrap())),
        der(4, &sha1(point)),
        der(2, &padded),
    ]
    .concat();
    let status =
        if answer.status == 0xa1 { der(0xa1, &time(b"20260101000000Z")) } else { vec![answer.status, 0] };
    let single = [der(0x30, &id), status, time(answer.this), der(0xa0, &time(answer.next))].concat();
    let responder = der(0xa1, &answer.signer.certificate.subject_name().to_der().unwrap());
    let data = [responder, time(answer.this), der(0x30, &der(0x30, &single))].concat();
    let data = der(0x30, &data);
    let mut signer = Signer::new(MessageDigest::sha256(), &answer.signer.key).unwrap();
    let signature = [vec![0], signer.sign_oneshot_to_vec(&data).unwrap()].concat();
    let attached = if answer.attached { der(0xa0, &der(0x30, &answer.signer.der())) } else { Vec::new() };
    // ecdsa-with-SHA256; id-pkix-ocsp-basic
    let basic = [data, algorithm("1.2.840.10045.4.3.2"), der(3, &signature), attached].concat();
    let bytes = [oid("1.3.6.1.5.5.7.48.1.1"), der(4, &der(0x30, &basic))].concat();
    der(0x30, &[der(10, &[0]), der(0xa0, &der(0x30, &bytes))].concat())
}

#[test]
fn stapled_responses() {
    let root = Form::ca("Root").self_signed();
    let leaf = Form::server(&["mx.a.example"]).issued_by(&root);
    let other = Form::server(&["mx.b.example"]).issued_by(&root);
    let stranger = Form::ca("Root").self_signed();
    let certified = |purposes| {
        let form = Form { purposes: Some(vec![purposes]), ..Form::named(&["Responder"]) };
        form.issued_by(&root)
    };
    let responder = certified(OCSP_SIGNING);
    let server = certified(super::super::forge::SERVER_AUTH);
    let good = Answer {
        about: &leaf,
        issuer: &root,
        signer: &root,
        attached: false,
        status: 0x80,
        this: b"20260101000000Z",
        next: b"20900101000000Z",
    };
    let table = [
        ("good", good, "good"),
        ("revoked", Answer { status: 0xa1, ..good }, "revoked"),
        ("unknown", Answer { status: 0x82, ..good }, "not checked"),
        ("by a responder", Answer { signer: &responder, attached: true, ..good }, "good"),
        (
            "by a responder, revoked",
            Answer { signer: &responder, attached: true, status: 0xa1, ..good },
            "revoked",
        ),
        ("by a responder that is not shown", Answer { signer: &responder, ..good }, "not checked"),
        ("by a mere server", Answer { signer: &server, attached: true, ..good }, "not checked"),
        ("by the leaf itself", Answer { signer: &leaf, attached: true, ..good }, "not checked"),
        ("by a stranger", Answer { signer: &stranger, attached: true, ..good }, "not checked"),
        ("about another", Answer { about: &other, ..good }, "not checked"),
        ("old", Answer { this: b"20200101000000Z", next: b"20200108000000Z", ..good }, "not checked"),
        ("early", Answer { this: b"20890101000000Z", ..good }, "not checked"),
    ];
    let presented = chain(&[&leaf, &root]);
    for (case, answer, expected) in table {
        let seen = check(&presented, Some(&response(answer)), &Lists::default(), now());
        assert_eq!(word(&seen), expected, "{case}: {seen}");
    }
    for bytes in [b"".as_slice(), b"nonsense", &[0x30, 3, 10, 1, 3]] {
        let seen = check(&presented, Some(bytes), &Lists::default(), now());
        assert_eq!(word(&seen), "not checked", "{bytes:?}");
    }
    let alone = check(&chain(&[&leaf]), Some(&response(good)), &Lists::default(), now());
    assert_eq!(word(&alone), "not checked", "without an issuer");
}

#[test]
fn the_worst_counts() {
    let root = Form::ca("Root").self_signed();
    let leaf = Form::server(&["mx.a.example"]).issued_by(&root);
    let mut lists = Lists::default();
    let crl = list(root.certificate.subject_name(), &root, &[&leaf], -60, YEAR);
    lists.add(&crl.to_der().unwrap()).unwrap();
    let good = response(Answer {
        about: &leaf,
        issuer: &root,
        signer: &root,
        attached: false,
        status: 0x80,
        this: b"20260101000000Z",
        next: b"20900101000000Z",
    });
    let seen = check(&chain(&[&leaf, &root]), Some(&good), &lists, now());
    assert!(seen.to_string().starts_with("revoked: on its issuer's revocation list since "), "{seen}");
}
