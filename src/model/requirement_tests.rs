//! Tables of the order of strength and of joins.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::cmp::Ordering;
use std::path::PathBuf;
use std::sync::Arc;

use super::*;
use crate::model::sample::requirement;

fn digest(n: u8) -> Fingerprint {
    Fingerprint::of(&[n])
}

fn ca(certificates: &[u8]) -> Arc<CaFile> {
    Arc::new(CaFile {
        path: PathBuf::from("/ca.pem"),
        pem: Vec::new(),
        sha256: String::new(),
        certificates: certificates.iter().map(|&n| digest(n)).collect(),
    })
}

fn pinned(digests: &[u8]) -> Requirement {
    let pins = digests.iter().map(|&n| digest(n)).collect();
    Requirement::new(Parts { pins, ..Parts::of_level(Level::Fingerprint) }).unwrap()
}

fn anchored(certificates: &[u8]) -> Requirement {
    Requirement::new(Parts { ca_file: Some(ca(certificates)), ..Parts::of_level(Level::Verify) }).unwrap()
}

fn encrypt(min_version: Option<TlsVersion>, ciphers: Option<CipherGrade>) -> Requirement {
    Requirement::new(Parts { min_version, ciphers, ..Parts::of_level(Level::Encrypt) }).unwrap()
}

/// a, b, how a compares with b, what both together demand (`.`: cannot be said)
fn table() -> Vec<(Requirement, Requirement, Option<Ordering>, &'static str)> {
    use Ordering::{Equal, Greater, Less};
    use TlsVersion::{Tls12, Tls13};
    let r = requirement;
    vec![
        (r("may"), r("encrypt"), Some(Less), "encrypt"),
        (r("encrypt"), r("encrypt"), Some(Equal), "encrypt"),
        (r("encrypt"), r("dane"), None, "."),
        (r("encrypt"), r("dane-only"), Some(Less), "dane-only"),
        (r("encrypt"), r("secure a.b"), Some(Less), "secure, a.b"),
        (r("verify"), r("secure a.b"), Some(Less), "secure, a.b"),
        (r("verify"), r("dane-only"), None, "."),
        (r("secure a.b"), r("secure a.b c.d"), Some(Greater), "secure, a.b"),
        (r("secure a.b"), r("secure c.d"), None, "."),
        (r("secure a.b c.d"), r("secure c.d e.f"), None, "secure, c.d"),
        // Names of `verify` are those written: more of them than at `secure` is weaker in both.
        (r("verify a.b c.d"), r("secure c.d"), Some(Less), "secure, c.d"),
        (r("verify c.d"), r("secure a.b c.d"), None, "secure, c.d"),
        (pinned(&[1]), pinned(&[1, 2]), Some(Greater), ""),
        (pinned(&[1]), pinned(&[2]), None, "."),
        (pinned(&[1]), r("encrypt"), Some(Greater), ""),
        (pinned(&[1]), r("verify"), None, "."),
        (anchored(&[1]), r("verify"), None, "."),
        (
            anchored(&[1]),
            r("encrypt"),
            Some(Greater),
            "verify, the name of the MX host, authorities of /ca.pem",
        ),
        (
            anchored(&[1]),
            anchored(&[1, 2]),
            Some(Greater),
            "verify, the name of the MX host, authorities of /ca.pem",
        ),
        (anchored(&[1]), anchored(&[2]), None, "."),
        (encrypt(Some(Tls12), None), r("encrypt"), Some(Greater), "encrypt, TLSv1.2 or newer"),
        (encrypt(Some(Tls12), None), encrypt(Some(Tls13), None), Some(Less), "encrypt, TLSv1.3 or newer"),
        (
            encrypt(Some(Tls12), None),
            encrypt(None, Some(CipherGrade::High)),
            None,
            "encrypt, TLSv1.2 or newer, ciphers high",
        ),
        (encrypt(Some(TlsVersion::Tls11), None), r("encrypt"), None, "."),
        (encrypt(None, Some(CipherGrade::Medium)), r("encrypt"), None, "."),
        (encrypt(None, Some(CipherGrade::High)), r("encrypt"), Some(Greater), "encrypt, ciphers high"),
        // Any TLS is more than what may be plaintext.
        (encrypt(Some(TlsVersion::Tls10), None), r("may"), Some(Greater), "encrypt, TLSv1 or newer"),
        (encrypt(Some(Tls13), None), r("verify"), None, "verify, the name of the MX host, TLSv1.3 or newer"),
    ]
}

#[test]
fn strength_is_compared_component_by_component() {
    for (a, b, expected, _) in table() {
        assert_eq!(a.partial_cmp(&b), expected, "{a} against {b}");
        assert_eq!(b.partial_cmp(&a), expected.map(Ordering::reverse), "{b} against {a}");
    }
}

#[test]
fn a_join_is_at_least_as_strong_as_both() {
    for (a, b, _, expected) in table() {
        for (x, y) in [(&a, &b), (&b, &a)] {
            match join(&[x.clone(), y.clone()]) {
                Ok(joined) => {
                    assert!(joined >= *x && joined >= *y, "{x} with {y} gave {joined}");
                    if !expected.is_empty() {
                        assert_eq!(joined.to_string(), expected, "{x} with {y}");
                    }
                }
                Err(_) => assert_eq!(expected, ".", "{x} with {y}"),
            }
        }
    }
}

#[test]
fn parts_that_do_not_fit_are_told_together() {
    let parts = Parts {
        names: Some(Names::Domain),
        ca_file: Some(ca(&[1])),
        pins: [digest(1)].into(),
        servername: Some(ServerName::HostName),
        ..Parts::of_level(Level::Dane)
    };
    let errors = Requirement::new(parts).unwrap_err();
    assert_eq!(errors, [Error::NamesIdle, Error::AnchorsIdle, Error::PinsIdle, Error::ServerNameIdle]);
    assert_eq!(Requirement::new(Parts::of_level(Level::Secure)), Err(vec![Error::NamesMissing]));
    assert_eq!(Requirement::new(Parts::of_level(Level::Fingerprint)), Err(vec![Error::PinsMissing]));
}

#[test]
fn nothing_is_known_of_the_digests_in_main_cf() {
    let main_cf = Requirement::of_main_cf(Level::Fingerprint);
    assert_eq!(pinned(&[1]).partial_cmp(&main_cf), None);
    assert!(requirement("encrypt") < main_cf || requirement("encrypt").partial_cmp(&main_cf).is_none());
}

#[test]
fn different_server_names_cannot_both_be_sent() {
    let named =
        |name| Requirement::new(Parts { servername: Some(name), ..Parts::of_level(Level::Encrypt) }).unwrap();
    let (host, hop) = (named(ServerName::HostName), named(ServerName::NextHop));
    assert_eq!(join(&[host.clone(), hop]), Err(Unjoinable::ServerName));
    assert!(join(&[host, requirement("encrypt")]).is_ok());
}

#[test]
fn the_order_of_a_join_means_nothing() {
    let levels = ["encrypt", "dane", "dane-only"].map(requirement);
    let anchors = [anchored(&[1, 2]), anchored(&[2, 3]), anchored(&[2])];
    for [a, b, c] in [levels, anchors] {
        let expected = join(&[a.clone(), b.clone(), c.clone()]);
        assert!(expected.is_ok());
        for turned in [[&b, &c, &a], [&c, &a, &b], [&a, &c, &b], [&c, &b, &a], [&b, &a, &c]] {
            assert_eq!(join(&turned.map(Clone::clone)), expected);
        }
    }
}

#[test]
fn a_bound_that_falls_back_to_plaintext_is_refused() {
    for level in [Level::May, Level::Dane] {
        let parts = Parts {
            min_version: Some(TlsVersion::Tls13),
            ciphers: Some(CipherGrade::High),
            ..Parts::of_level(level)
        };
        assert_eq!(
            Requirement::new(parts),
            Err(vec![Error::VersionWeakens, Error::CiphersWeaken]),
            "{level}"
        );
    }
}

#[test]
fn an_error_names_the_key_to_look_at() {
    for (error, key) in [
        (Error::NamesMissing, "tls"),
        (Error::NamesIdle, "match"),
        (Error::AnchorsIdle, "ca_file"),
        (Error::PinsMissing, "tls"),
        (Error::PinsIdle, "certificates"),
        (Error::VersionWeakens, "protocols"),
        (Error::CiphersWeaken, "ciphers"),
        (Error::ServerNameIdle, "servername"),
    ] {
        assert_eq!(error.key(), key, "{error}");
    }
}

#[test]
fn what_was_put_in_is_there() {
    let name = ServerName::Name(Domain::parse("sni.example").unwrap());
    let (file, names) = (ca(&[1]), requirement("secure a.b").names().clone());
    let all = Requirement::new(Parts {
        names: Some(names.clone()),
        ca_file: Some(Arc::clone(&file)),
        min_version: Some(TlsVersion::Tls13),
        ciphers: Some(CipherGrade::High),
        servername: Some(name.clone()),
        ..Parts::of_level(Level::Secure)
    })
    .unwrap();
    assert_eq!((all.level(), all.names(), all.anchors()), (Level::Secure, &names, &Anchors::File(file)));
    assert_eq!(
        (all.min_version(), all.ciphers(), all.servername(), all.pins()),
        (Some(TlsVersion::Tls13), Some(CipherGrade::High), Some(&name), None)
    );
    assert_eq!(
        all.to_string(),
        "secure, a.b, authorities of /ca.pem, TLSv1.3 or newer, ciphers high, servername sni.example"
    );

    let pins = pinned(&[1, 2]);
    assert_eq!(
        (pins.level(), pins.names(), pins.anchors()),
        (Level::Fingerprint, &Names::Any, &Anchors::Any)
    );
    assert_eq!(pins.pins(), Some(&[digest(1), digest(2)].into()));
    assert_eq!((pins.min_version(), pins.ciphers(), pins.servername()), (None, None, None));
    let mut shown = [digest(1), digest(2)];
    shown.sort();
    assert_eq!(pins.to_string(), format!("fingerprint, {} or {}", shown[0], shown[1]));
}

#[test]
fn main_cf_has_the_defaults_of_postfix() {
    for (level, names, anchors, pins) in [
        (Level::May, Names::Any, Anchors::Any, None),
        (Level::Encrypt, Names::Any, Anchors::Any, None),
        (Level::Verify, Names::MxHost, Anchors::System, None),
        (Level::Secure, Names::Domain, Anchors::System, None),
        (Level::Fingerprint, Names::Any, Anchors::Any, Some(BTreeSet::new())),
        (Level::Dane, Names::Any, Anchors::Any, None),
        (Level::DaneOnly, Names::Any, Anchors::Any, None),
    ] {
        let main_cf = Requirement::of_main_cf(level);
        assert_eq!((main_cf.level(), main_cf.names(), main_cf.anchors()), (level, &names, &anchors));
        assert_eq!(main_cf.pins(), pins.as_ref(), "{level}");
    }
    assert_eq!(Requirement::of_main_cf(Level::Fingerprint).to_string(), "fingerprint");
}

#[test]
fn the_domain_asked_for_is_compared_where_it_is_known() {
    // narrow, wide, whether it holds for: x.b.c alone, what is below b.c, everything
    for (narrow, wide, expected) in [
        ("encrypt", "encrypt", [true, true, true]),
        ("verify", "encrypt", [true, true, true]),
        ("encrypt", "verify", [false, false, false]),
        ("secure domain", "verify", [true, true, true]),
        ("secure domain", "secure domain", [true, true, true]),
        ("secure domain", "secure .b.c", [true, true, false]),
        ("secure domain", "secure *.b.c", [true, true, false]),
        ("secure domain", "secure *.x.b.c", [true, false, false]),
        ("secure domain", "secure b.c", [false, false, false]),
        ("secure x.b.c", "secure domain", [true, false, false]),
        ("secure *.b.c", "secure domain", [false, false, false]),
        ("secure x.b.c", "secure *.b.c", [true, true, true]),
        ("secure *.b.c", "secure x.b.c", [false, false, false]),
    ] {
        let found = [Entry::Name("x.b.c"), Entry::Suffix("b.c"), Entry::Any]
            .map(|entry| requirement(narrow).holds_against(&requirement(wide), entry));
        assert_eq!(found, expected, "{narrow} against {wide}");
    }
    assert_eq!(
        requirement("secure domain").resolved(&Domain::parse("b.c").unwrap()),
        requirement("secure *.b.c")
    );
}

#[test]
fn elsewhere_somebody_else_is_known() {
    use TlsVersion::{Tls12, Tls13};
    let (r, from) = (requirement, |version| encrypt(Some(version), None));
    // Strong, wanted, whether it is as strong, for another host.
    for (strong, wanted, expected) in [
        (r("encrypt"), r("may"), true),
        (r("may"), r("encrypt"), false),
        (r("may"), r("may"), true),
        (r("encrypt"), r("encrypt"), true),
        (r("encrypt"), r("dane"), false),
        (r("may"), r("dane"), false),
        (r("dane"), r("dane"), false),
        (r("verify"), r("dane"), true),
        (r("dane-only"), r("dane"), true),
        (r("dane"), r("encrypt"), false),
        (r("encrypt"), r("verify"), false),
        (r("verify"), r("verify"), true),
        (r("verify"), r("secure a.b"), false),
        (r("secure x.y"), r("secure a.b"), true),
        (r("secure x.y"), r("verify a.b"), true),
        (r("secure x.y"), pinned(&[1]), true),
        (pinned(&[1]), anchored(&[1]), true),
        (r("dane-only"), r("secure a.b"), true),
        (r("secure x.y"), from(Tls13), false),
        (from(Tls13), from(Tls12), true),
        (from(Tls12), from(Tls13), false),
        (from(Tls12), r("encrypt"), true),
    ] {
        assert_eq!(strong.is_as_strong_elsewhere(&wanted), expected, "{strong:?} for {wanted:?}");
    }
}
