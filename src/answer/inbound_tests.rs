//! Tables of mails and what is decided about them.

#![allow(clippy::unwrap_used)]

use jiff::Timestamp;

use super::inbound::{Because, Decision, Verdict};
use super::{ClientCertificate, Mail, inbound};
use crate::model::certificate::Certificate;
use crate::model::inbound::{Action, CertificateRequirement, Registered, Require, TlsRequirement};
use crate::model::requirement::TlsVersion;
use crate::model::sample::{agreements, inbound as connector, patterns};
use crate::model::{Inbound, Mode, PatternSet};
use crate::snapshot::{Snapshot, compile};

pub(super) fn snapshot(connectors: Vec<Inbound>) -> Snapshot {
    compile(&agreements(Vec::new(), connectors), 3, String::new()).unwrap()
}

/// Mail from the partner, over TLS 1.3 with nothing but that.
pub(super) fn mail() -> Mail<'static> {
    Mail {
        state: b"RCPT",
        client_address: b"192.0.2.200",
        helo: b"out.partner.example",
        sender: b"bob@partner.example",
        recipient: b"carol@our.example",
        sasl_username: b"",
        tls_version: b"TLSv1.3",
        certificate: ClientCertificate::default(),
    }
}

fn plaintext() -> Mail<'static> {
    Mail { tls_version: b"", ..mail() }
}

pub(super) fn trusted(common_name: &'static str) -> Mail<'static> {
    let certificate = ClientCertificate {
        common_name: common_name.as_bytes(),
        issuer: b"Lab CA",
        fingerprint: OTHER,
        key_fingerprint: OTHER,
        alternative_names: &[],
    };
    Mail { certificate, ..mail() }
}

/// A digest of no certificate here.
const OTHER: &[u8] =
    b"00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF";

pub(super) fn require_tls() -> Require {
    Require { tls: Some(TlsRequirement::Any), ..Require::default() }
}

pub(super) fn require_names(names: &[&str]) -> Require {
    let certificate = CertificateRequirement {
        names: Some(PatternSet::new(patterns(names))),
        ..CertificateRequirement::default()
    };
    Require { certificate: Some(certificate), ..Require::default() }
}

fn now() -> Timestamp {
    "2026-11-23T12:00:00Z".parse().unwrap()
}

pub(super) fn decide<'s>(snapshot: &'s Snapshot, mail: &Mail<'_>) -> Decision<'s> {
    inbound(snapshot, mail, now)
}

pub(super) fn action(snapshot: &Snapshot, mail: &Mail<'_>) -> String {
    decide(snapshot, mail).action().to_owned()
}

#[test]
fn p_tls_is_required_of_the_partner_alone() {
    let partner = snapshot(vec![connector("partner-in", &["*.partner.example"], require_tls())]);
    let refused = "530 5.7.0 connector partner-in: TLS is required";
    let table = [
        (mail(), "DUNNO"),
        (plaintext(), refused),
        (Mail { sender: b"bob@sub.PARTNER.example", ..plaintext() }, refused),
        (Mail { sender: b"bob@other.example", ..plaintext() }, "DUNNO"),
        (Mail { sender: b"bob@notpartner.example", ..plaintext() }, "DUNNO"),
        // The null sender is known by its HELO name.
        (Mail { sender: b"", ..plaintext() }, refused),
        (Mail { sender: b"", helo: b"mx.other.example", ..plaintext() }, "DUNNO"),
        (Mail { sender: b"", helo: b"[192.0.2.1]", ..plaintext() }, "DUNNO"),
        // As Postfix rewrites them
        (Mail { sender: b"a%partner.example", ..plaintext() }, refused),
        (Mail { sender: b"partner.example!a", ..plaintext() }, refused),
        // Ours, or somebody we know
        (Mail { sasl_username: b"carol", ..plaintext() }, "DUNNO"),
        (Mail { client_address: b"127.0.0.1", ..plaintext() }, "DUNNO"),
        (Mail { client_address: b"::1", ..plaintext() }, "DUNNO"),
        (Mail { client_address: b"::ffff:127.0.0.1", ..plaintext() }, "DUNNO"),
        // Every state of a mail, and no other
        (Mail { state: b"MAIL", ..plaintext() }, refused),
        (Mail { state: b"DATA", recipient: b"", ..plaintext() }, refused),
        (Mail { state: b"END-OF-MESSAGE", ..plaintext() }, refused),
        (Mail { state: b"CONNECT", ..plaintext() }, "DUNNO"),
        (Mail { state: b"EHLO", ..plaintext() }, "DUNNO"),
        (Mail { state: b"HELO", ..plaintext() }, "DUNNO"),
        (Mail { state: b"VRFY", ..plaintext() }, "DUNNO"),
        (Mail { state: b"ETRN", ..plaintext() }, "DUNNO"),
        (Mail { state: b"", ..mail() }, "450 4.7.1 connectord does not know this protocol state"),
        (Mail { state: b"rcpt", ..mail() }, "450 4.7.1 connectord does not know this protocol state"),
        // What cannot be read is not "no connector".
        (Mail { sender: b"bob", ..mail() }, "450 4.7.1 the domain of the sender cannot be determined"),
        (Mail { sender: b"bob@a..b", ..mail() }, "450 4.7.1 the domain of the sender cannot be determined"),
        (Mail { sender: b"\xff@\xfe", ..mail() }, "450 4.7.1 the domain of the sender cannot be determined"),
        (
            Mail { sender: b"", helo: b"", ..mail() },
            "450 4.7.1 the domain of the sender cannot be determined",
        ),
    ];
    for (mail, expected) in table {
        assert_eq!(action(&partner, &mail), expected, "{mail:?}");
    }
}

#[test]
fn without_connectors_nothing_is_objected_to() {
    let none = snapshot(Vec::new());
    for sender in [&b"bob"[..], b"", b"\xff", b"bob@partner.example"] {
        assert_eq!(action(&none, &Mail { sender, client_address: b"unknown", ..plaintext() }), "DUNNO");
    }
    let mut report = connector("r", &["*"], require_tls());
    report.mode = Mode::Report;
    assert_eq!(action(&snapshot(vec![report]), &Mail { sender: b"bob", ..plaintext() }), "DUNNO");
}

#[test]
fn p_a_minimum_version_is_one() {
    let require = Require { tls: Some(TlsRequirement::AtLeast(TlsVersion::Tls12)), ..Require::default() };
    let partner = snapshot(vec![connector("p", &["partner.example"], require)]);
    let table: [(&[u8], &str); 7] = [
        (b"TLSv1.3", "DUNNO"),
        (b"TLSv1.2", "DUNNO"),
        (b"TLSv1.1", "530 5.7.0 connector p: TLSv1.2 or newer is required, TLSv1.1 was used"),
        (b"TLSv1", "530 5.7.0 connector p: TLSv1.2 or newer is required, TLSv1 was used"),
        (b"SSLv3", "530 5.7.0 connector p: TLSv1.2 or newer is required, an unknown version was used"),
        (b"TLSv1.2\n", "530 5.7.0 connector p: TLSv1.2 or newer is required, an unknown version was used"),
        (b"", "530 5.7.0 connector p: TLS is required"),
    ];
    for (tls_version, expected) in table {
        assert_eq!(action(&partner, &Mail { tls_version, ..mail() }), expected);
    }
}

#[test]
fn p_a_trusted_certificate_needs_one_of_the_names() {
    let partner = snapshot(vec![connector(
        "p",
        &["partner.example"],
        require_names(&["*.partner.example", "filter.net"]),
    )]);
    let none = "550 5.7.1 connector p: no client certificate was presented";
    let untrusted = "550 5.7.1 connector p: client certificate is not trusted";
    let unnamed = "550 5.7.1 connector p: client certificate shows no name, *.partner.example or filter.net is required";
    let table = [
        (plaintext(), "530 5.7.0 connector p: TLS is required"),
        (mail(), none),
        (trusted("mail.partner.example"), "DUNNO"),
        (trusted("MAIL.Partner.Example"), "DUNNO"),
        (trusted("partner.example"), "DUNNO"),
        (trusted("filter.net"), "DUNNO"),
        (
            trusted("mx.filter.net"),
            "550 5.7.1 connector p: certificate name mx.filter.net does not match *.partner.example or filter.net",
        ),
        (trusted("Partner Bank AG"), unnamed),
        (trusted("*.partner.example"), unnamed),
        (trusted("partner.example,x.partner.example"), unnamed),
        // SAN only: trusted, but Postfix has no name to send
        (trusted(""), unnamed),
    ];
    for (mail, expected) in table {
        assert_eq!(action(&partner, &mail), expected, "{:?}", mail.certificate);
    }
    let mut nobody = trusted("mail.partner.example");
    nobody.certificate.issuer = b"";
    assert_eq!(action(&partner, &nobody), untrusted);
}

#[test]
fn issuers_narrow_whose_word_is_taken() {
    let mut require = require_names(&["*.partner.example"]);
    require.certificate.as_mut().unwrap().issuers = Some(["Partner CA".to_owned()].into());
    let partner = snapshot(vec![connector("p", &["partner.example"], require)]);
    let mut mail = trusted("mail.partner.example");
    assert_eq!(action(&partner, &mail), "550 5.7.1 connector p: client certificate is from another issuer");
    mail.certificate.issuer = b"Partner CA";
    assert_eq!(action(&partner, &mail), "DUNNO");
}

fn certificate(name: &str, from: i32, until: i32) -> Certificate {
    let mut params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(from, 1, 1);
    params.not_after = rcgen::date_time_ymd(until, 1, 1);
    let key = rcgen::KeyPair::generate().unwrap();
    Certificate::from_der(params.self_signed(&key).unwrap().der()).unwrap()
}

fn presents(fingerprint: String, key_fingerprint: String) -> Mail<'static> {
    let certificate = ClientCertificate {
        fingerprint: fingerprint.leak().as_bytes(),
        key_fingerprint: key_fingerprint.leak().as_bytes(),
        ..ClientCertificate::default()
    };
    Mail { certificate, ..mail() }
}

#[test]
fn a_registered_certificate_is_recognised_by_either_digest() {
    let known = certificate("mail.partner.example", 2026, 2027);
    let expired = certificate("mail.partner.example", 2024, 2025);
    let misnamed = certificate("mail.other.example", 2026, 2027);
    let register = |names: &[&str]| {
        let mut require = require_names(names);
        let certificate = require.certificate.as_mut().unwrap();
        if names.is_empty() {
            certificate.names = None;
        }
        certificate.registered = [&known, &expired, &misnamed]
            .map(|certificate| Registered { file: "x.pem".to_owned(), certificate: certificate.clone() })
            .to_vec();
        snapshot(vec![connector("p", &["partner.example"], require)])
    };
    let (named, alone) = (register(&["*.partner.example"]), register(&[]));
    let of = |certificate: &Certificate| {
        presents(certificate.fingerprint().to_string(), certificate.key_fingerprint().to_string())
    };
    let other = String::from_utf8(OTHER.to_vec()).unwrap();
    let renewed = presents(other.clone(), known.key_fingerprint().to_string());
    let stranger = presents(other.clone(), other.clone());
    let md5 = presents("00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF".to_owned(), String::new());
    let unregistered = "550 5.7.1 connector p: client certificate is not registered";
    let dates = "550 5.7.1 connector p: registered client certificate is not valid at this time";
    let table = [
        (&named, of(&known), "DUNNO"),
        (&named, renewed, "DUNNO"),
        (&named, of(&expired), dates),
        (
            &named,
            of(&misnamed),
            "550 5.7.1 connector p: certificate name mail.other.example does not match *.partner.example",
        ),
        (&named, stranger, unregistered),
        (&named, trusted("mail.partner.example"), "DUNNO"),
        (
            &named,
            md5,
            "550 5.7.1 connector p: client certificate cannot be recognised, its digest is not SHA-256",
        ),
        (&alone, of(&known), "DUNNO"),
        (&alone, of(&misnamed), "DUNNO"),
        (&alone, of(&expired), dates),
        (&alone, stranger, unregistered),
        // Without names a trusted chain is no way in.
        (&alone, trusted("mail.partner.example"), unregistered),
    ];
    for (snapshot, mail, expected) in table {
        assert_eq!(action(snapshot, &mail), expected, "{:?}", mail.certificate);
    }
}

#[test]
fn p_addresses_identify_and_are_required() {
    let ranges =
        |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<ipnet::IpNet>>();
    let mut from = connector("from", &[], require_tls());
    from.identify.addresses = ranges(&["192.0.2.0/24", "2001:db8::/32"]);
    from.identify.except_addresses = ranges(&["192.0.2.9/32"]);
    let only = Require { addresses: Some(ranges(&["198.51.100.0/24"])), ..Require::default() };
    let both = snapshot(vec![from, connector("only", &["partner.example"], only)]);
    let other = |client_address| Mail { client_address, sender: b"x@other.example", ..plaintext() };
    let table = [
        (other(b"192.0.2.1"), "530 5.7.0 connector from: TLS is required"),
        (other(b"::ffff:192.0.2.1"), "530 5.7.0 connector from: TLS is required"),
        (other(b"2001:db8::5"), "530 5.7.0 connector from: TLS is required"),
        (other(b"2001:db9::5"), "DUNNO"),
        (other(b"192.0.2.9"), "DUNNO"),
        (other(b"192.0.3.1"), "DUNNO"),
        (other(b"unknown"), "450 4.7.1 the address of the client cannot be determined"),
        (Mail { client_address: b"198.51.100.7", ..plaintext() }, "DUNNO"),
        (mail(), "550 5.7.1 connector only: client address is not in the agreed ranges"),
    ];
    for (mail, expected) in table {
        assert_eq!(action(&both, &mail), expected, "{mail:?}");
    }
}

#[test]
fn the_most_severe_violation_is_told() {
    let with = |name: &str, pattern: &str, require: Require, on_violation: Action| Inbound {
        on_violation,
        ..connector(name, &[pattern], require)
    };
    let certificate = || require_names(&["x.partner.example"]);
    let all = snapshot(vec![
        with("hold", "partner.example", require_tls(), Action::Hold),
        with("defer", "*", certificate(), Action::Defer),
    ]);
    assert_eq!(action(&all, &plaintext()), "450 4.7.0 connector defer: TLS is required");
    assert_eq!(action(&all, &mail()), "450 4.7.1 connector defer: no client certificate was presented");
    let hold = snapshot(vec![with("hold", "partner.example", require_tls(), Action::Hold)]);
    assert_eq!(action(&hold, &plaintext()), "HOLD connector hold: TLS is required");
    assert_eq!(decide(&hold, &plaintext()).verdict, Verdict::Hold);
    let parts = snapshot(vec![
        with("a", "partner.example", certificate(), Action::Reject),
        with(
            "b",
            ".example",
            Require { tls: Some(TlsRequirement::AtLeast(TlsVersion::Tls13)), ..Require::default() },
            Action::Reject,
        ),
    ]);
    let old = Mail { tls_version: b"TLSv1.2", ..mail() };
    assert_eq!(action(&parts, &old), "530 5.7.0 connector b: TLSv1.3 or newer is required, TLSv1.2 was used");
    assert_eq!(decide(&parts, &old).applies.len(), 2, "requirements add up");
}

#[test]
fn a_scope_is_of_recipients() {
    let mut scoped = connector("p", &["partner.example"], require_tls());
    scoped.recipients = Some(PatternSet::new(patterns(&["*.our.example"])));
    let scoped = snapshot(vec![scoped]);
    let refused = "530 5.7.0 connector p: TLS is required";
    let table: [(&[u8], &[u8], &str); 12] = [
        (b"RCPT", b"carol@our.example", refused),
        (b"RCPT", b"carol%our.example", refused),
        (b"RCPT", b"our.example!carol", refused),
        (b"RCPT", b"carol%their.example", "DUNNO"),
        (b"RCPT", b"their.example!carol", "DUNNO"),
        (b"RCPT", b"carol@SUB.our.example", refused),
        (b"RCPT", b"carol@their.example", "DUNNO"),
        (b"RCPT", b"postmaster", refused),
        (b"RCPT", b"x@a..b", refused),
        (b"DATA", b"carol@our.example", refused),
        // Several recipients: each was decided at its RCPT.
        (b"DATA", b"", "DUNNO"),
        (b"MAIL", b"", "DUNNO"),
    ];
    for (state, recipient, expected) in table {
        assert_eq!(
            action(&scoped, &Mail { state, recipient, ..plaintext() }),
            expected,
            "{state:?} {recipient:?}"
        );
    }
}

#[test]
fn report_decides_beside() {
    let mut report = connector("r", &["partner.example"], require_tls());
    report.mode = Mode::Report;
    let snapshot = snapshot(vec![report, connector("other", &["q.example"], require_tls())]);
    let decision = decide(&snapshot, &plaintext());
    assert_eq!(decision.action(), "DUNNO");
    assert_eq!(decision.report.len(), 1);
    assert_eq!(decision.report.first().unwrap().action(), "530 5.7.0 connector r: TLS is required");
    assert_eq!(
        decide(&snapshot, &Mail { sasl_username: b"u", ..plaintext() }).because,
        Because::Authenticated
    );
}
