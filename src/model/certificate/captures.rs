//! Tests over recorded certificates: our facts are what real Postfix sent and OpenSSL shows.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used)]

use std::fs;
use std::path::{Path, PathBuf};

use super::*;

const VERSIONS: [&str; 2] = ["3.7", "3.10"];

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

fn first_of(path: &Path) -> Certificate {
    let text = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    pem::certificates(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display())).remove(0)
}

fn recorded(name: &str) -> Certificate {
    first_of(&tests().join(format!("captures/certificates/{name}.pem")))
}

/// What one recorded session says of the client's certificate.
struct Session {
    subject: String,
    issuer: String,
    fingerprint: Presented,
    key_fingerprint: Presented,
}

impl Session {
    fn of(version: &str, name: &str) -> Session {
        let path = tests().join(format!("captures/policy/postfix-{version}-tls13-cert-{name}.raw"));
        let text = fs::read_to_string(path).unwrap();
        let value = |key: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
            line.unwrap().to_owned()
        };
        Session {
            subject: without_xtext(&value("ccert_subject")),
            issuer: without_xtext(&value("ccert_issuer")),
            fingerprint: Fingerprint::from_postfix(value("ccert_fingerprint").as_bytes()),
            key_fingerprint: Fingerprint::from_postfix(value("ccert_pubkey_fingerprint").as_bytes()),
        }
    }
}

/// RFC 3461 section 4, as Postfix's xtext_quote.c writes it.
fn without_xtext(text: &str) -> String {
    let mut parts = text.split('+');
    let mut bytes = parts.next().unwrap().as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(&part[..2], 16).unwrap());
        bytes.extend(&part.as_bytes()[2..]);
    }
    String::from_utf8(bytes).unwrap()
}

/// Everything Postfix said of the certificate is what we say of it. Whether it trusted the chain
/// (and so named subject and issuer at all) is not ours to know: `trusted` says it did.
#[test]
fn our_facts_are_what_postfix_sent() {
    let trusted = [
        ("good-sans", true),
        ("cn-differs", true),
        ("cn-only", true),
        ("san-only", true),
        ("two-cns", true),
        ("utf8-cn", true),
        ("special-cn", true),
        ("control-cn", true),
        ("intermediate", true),
        ("no-eku", true),
        ("server-only", false),
        ("self-signed", false),
        ("unknown-ca", false),
        ("expired", false),
        ("not-yet", false),
    ];
    let mut sessions = 0;
    for (name, trusted) in trusted {
        let certificate = recorded(name);
        for version in VERSIONS {
            let session = Session::of(version, name);
            let case = format!("{name}, Postfix {version}");
            assert_eq!(session.fingerprint, Presented::Sha256(certificate.fingerprint()), "{case}");
            assert_eq!(session.key_fingerprint, Presented::Sha256(certificate.key_fingerprint()), "{case}");
            if trusted {
                assert_eq!(session.subject, certificate.common_name().unwrap_or_default(), "{case}");
                assert_eq!(session.issuer, certificate.issuer().unwrap_or_default(), "{case}");
                assert!(certificate.purposes().client_auth, "{case}");
            } else {
                assert_eq!((session.subject.as_str(), session.issuer.as_str()), ("", ""), "{case}");
            }
            sessions += 1;
        }
    }
    let files = fs::read_dir(tests().join("captures/policy")).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    assert_eq!(
        names.filter(|name| name.contains("-tls13-cert-")).count(),
        sessions,
        "a session without a certificate"
    );
}

#[test]
fn names_of_the_recorded_certificates() {
    type Case = (&'static str, Option<&'static str>, &'static [&'static str], &'static [&'static str]);
    let cases: &[Case] = &[
        (
            "good-sans",
            Some("mail.partner.example"),
            &["mail.partner.example", "mx2.partner.example", "*.out.partner.example"],
            &["mail.partner.example", "mx2.partner.example", "*.out.partner.example"],
        ),
        ("cn-differs", Some("Partner Bank AG"), &["mail.partner.example"], &["mail.partner.example"]),
        ("cn-only", Some("mail.partner.example"), &["mail.partner.example"], &["mail.partner.example"]),
        (
            "san-only",
            None,
            &["mail.partner.example", "mx2.partner.example"],
            &["mail.partner.example", "mx2.partner.example"],
        ),
        (
            "two-cns",
            Some("first.partner.example"),
            &["first.partner.example", "second.partner.example"],
            &["first.partner.example"],
        ),
        ("utf8-cn", Some("Bänk Zürich"), &[], &[]),
        ("special-cn", Some("A+B=C, 100% <x@y> \"q\""), &[], &[]),
        ("control-cn", None, &[], &[]),
        ("mx.wild.example", Some("*.wild.example"), &["*.wild.example"], &["*.wild.example"]),
        (
            "mx.cnsan.example",
            Some("mx.cnsan.example"),
            &["mx.somebody-else.example"],
            &["mx.cnsan.example", "mx.somebody-else.example"],
        ),
    ];
    for (name, common_name, identities, registered) in cases {
        let certificate = recorded(name);
        let shown = |names: &[PresentedName]| names.iter().map(|name| name.to_string()).collect::<Vec<_>>();
        assert_eq!(certificate.common_name(), *common_name, "{name}");
        assert_eq!(shown(certificate.identities()), *identities, "{name}");
        assert_eq!(shown(certificate.registered_identities()), *registered, "{name}");
    }
    let sans = ["mail.partner.example", "mx2.partner.example", "*.out.partner.example"];
    assert_eq!(recorded("good-sans").dns_names(), sans);
}

#[test]
fn what_people_are_shown() {
    let cases = [
        ("good-sans", "CN=mail.partner.example", "CN=Lab Partner CA"),
        ("two-cns", "CN=first.partner.example, CN=second.partner.example", "CN=Lab Partner CA"),
        ("utf8-cn", "CN=Bänk Zürich", "CN=Lab Partner CA"),
        ("control-cn", "CN=tab\\tin name", "CN=Lab Partner CA"),
        ("san-only", "", "CN=Lab Partner CA"),
    ];
    for (name, subject, issuer) in cases {
        let certificate = recorded(name);
        assert_eq!((certificate.subject(), certificate.issuer_name()), (subject, issuer), "{name}");
    }
    assert_eq!(recorded("ca").serial(), "64:EB:A2:15:82:8B:17:A3:A2:77:D2:B5:4F:1C:F5:20:8F:02:61:7A");
}

#[test]
fn purposes_and_authorities() {
    // (certificate, serverAuth, clientAuth, may sign, self-issued)
    let cases = [
        ("good-sans", true, true, false, false),
        ("server-only", true, false, false, false),
        ("mx.clienteku.example", false, true, false, false),
        ("no-eku", true, true, false, false),
        ("self-signed", true, true, false, true),
        ("ca", true, true, true, true),
        ("inter", true, true, true, false),
    ];
    for (name, server_auth, client_auth, certificate_signing, self_issued) in cases {
        let certificate = recorded(name);
        let expected = Purposes { server_auth, client_auth, certificate_signing };
        assert_eq!(certificate.purposes(), expected, "{name}");
        assert_eq!(
            (certificate.is_ca(), certificate.is_self_issued()),
            (certificate_signing, self_issued),
            "{name}"
        );
    }
}

#[test]
fn dates_to_the_second() {
    let certificate = recorded("not-yet");
    let not_before = "2026-11-25T06:57:45Z".parse().unwrap();
    let not_after = "2026-12-23T06:57:45Z".parse().unwrap();
    assert_eq!((certificate.not_before(), certificate.not_after()), (not_before, not_after));
    let early = DateProblem::NotYetValid { not_before };
    let late = DateProblem::Expired { not_after };
    // As `openssl verify -attime` judges the same distances.
    let cases = [
        ("2026-11-25T06:57:44.999Z", Err(early)),
        ("2026-11-25T06:57:45Z", Ok(())),
        ("2026-12-23T06:57:44.999Z", Ok(())),
        ("2026-12-23T06:57:45Z", Err(late)),
        ("2027-01-01T00:00:00Z", Err(late)),
        ("1970-01-01T00:00:00Z", Err(early)),
    ];
    for (now, expected) in cases {
        assert_eq!(certificate.valid_at(now.parse().unwrap()), expected, "{now}");
    }
    assert_eq!(early.to_string(), "not valid before 2026-11-25T06:57:45Z");
    assert_eq!(late.to_string(), "expired on 2026-12-23T06:57:45Z");
}

#[test]
fn kinds_of_key_and_signature() {
    let sha1 = Some(WeakDigest::Sha1);
    let cases = [
        ("rsa-2048-sha1", "RSA 2048", sha1, "46:46:A7:07", "07:A3:9D:0E"),
        ("v1-root", "RSA 2048", None, "40:68:03:C6", "07:A3:9D:0E"),
        ("rsa-3072-pss", "RSA 3072", None, "11:3B:F1:07", "C7:FE:84:98"),
        ("ec-p521", "EC 521", None, "01:3A:79:68", "EB:21:F1:24"),
        ("ed25519", "Ed25519", None, "7F:28:FD:23", "CC:5D:7A:37"),
        ("ed448", "Ed448", None, "58:0B:B8:EB", "B3:B1:86:3B"),
        ("no-expiry", "EC 256", None, "25:B7:0B:4E", "F2:7E:02:41"),
    ];
    for (name, key, weak, fingerprint, key_fingerprint) in cases {
        let certificate = first_of(&tests().join(format!("certificates/{name}.pem")));
        assert_eq!(certificate.key().to_string(), key, "{name}");
        assert_eq!(certificate.weak_signature(), weak, "{name}");
        assert!(certificate.fingerprint().to_string().starts_with(fingerprint), "{name}");
        assert!(certificate.key_fingerprint().to_string().starts_with(key_fingerprint), "{name}");
    }
}

#[test]
fn oddities_that_openssl_accepts() {
    let root = first_of(&tests().join("certificates/v1-root.pem"));
    assert!(root.is_ca(), "a self-issued certificate of version 1");
    assert_eq!((root.common_name(), root.issuer()), (None, Some("Old Roots")));
    assert_eq!(root.subject(), "O=Old Roots, OU=v1");

    let eternal = first_of(&tests().join("certificates/no-expiry.pem"));
    assert_eq!(eternal.not_before(), "1950-01-01T00:00:00Z".parse().unwrap());
    assert_eq!(eternal.not_after(), jiff::Timestamp::MAX);
    assert_eq!(eternal.valid_at("9999-12-30T21:00:00Z".parse().unwrap()), Ok(()));

    let netscape = first_of(&tests().join("certificates/netscape-client.pem"));
    assert_eq!((netscape.purposes().server_auth, netscape.purposes().client_auth), (false, true));
}
