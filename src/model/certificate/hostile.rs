//! Tests with certificates made on the spot, broken ones and bytes that are none.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used)]

use proptest::prelude::*;
use rcgen::string::Ia5String;
use rcgen::{
    CertificateParams, CustomExtension, DistinguishedName, DnType, DnValue, ExtendedKeyUsagePurpose, KeyPair,
    KeyUsagePurpose, SanType,
};

use super::*;

const OID_SAN: &[u64] = &[2, 5, 29, 17];
const OID_EKU: &[u64] = &[2, 5, 29, 37];

fn with(change: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    change(&mut params);
    params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
}

fn parsed(change: impl FnOnce(&mut CertificateParams)) -> Certificate {
    Certificate::from_der(&with(change)).unwrap()
}

fn dns(name: &str) -> SanType {
    SanType::DnsName(Ia5String::try_from(name).unwrap())
}

/// The DER of a subjectAltName with these dNSNames, whatever their bytes.
fn raw_san(names: &[&[u8]]) -> CustomExtension {
    let mut content = Vec::new();
    for name in names {
        content.extend([0x82, u8::try_from(name.len()).unwrap()]);
        content.extend(*name);
    }
    let mut der = vec![0x30, u8::try_from(content.len()).unwrap()];
    der.extend(content);
    CustomExtension::from_oid_content(OID_SAN, der)
}

#[test]
fn purposes_as_openssl_verify_has_them() {
    use ExtendedKeyUsagePurpose as Extended;
    use KeyUsagePurpose as Usage;
    // What `openssl verify -purpose sslserver` and `-purpose sslclient` say of the like.
    type Case<'a> = (&'a [Extended], &'a [Usage], bool, bool);
    let cases: &[Case<'_>] = &[
        (&[], &[], true, true),
        (&[Extended::ServerAuth, Extended::ClientAuth], &[], true, true),
        (&[Extended::ServerAuth], &[], true, false),
        (&[Extended::ClientAuth], &[], false, true),
        (&[Extended::Any], &[], false, false),
        (&[Extended::Any, Extended::ServerAuth], &[], true, false),
        (&[Extended::EmailProtection], &[], false, false),
        (&[], &[Usage::KeyEncipherment], true, false),
        (&[], &[Usage::KeyAgreement], true, true),
        (&[], &[Usage::DigitalSignature], true, true),
        (&[], &[Usage::CrlSign], false, false),
        (&[Extended::ClientAuth], &[Usage::KeyEncipherment], false, false),
    ];
    for (extended, usage, server, client) in cases {
        let purposes = parsed(|params| {
            params.extended_key_usages = extended.to_vec();
            params.key_usages = usage.to_vec();
        })
        .purposes();
        assert_eq!(
            (purposes.server_auth, purposes.client_auth),
            (*server, *client),
            "{extended:?} {usage:?}"
        );
    }
}

#[test]
fn identities_are_the_dns_names_or_else_the_common_names() {
    // (common name, names in the extension, identities, identities when registered)
    type Case<'a> = (&'a str, Vec<SanType>, &'a [&'a str], &'a [&'a str]);
    let email = || SanType::Rfc822Name(Ia5String::try_from("bob@a.example").unwrap());
    let cases: Vec<Case<'_>> = vec![
        ("cn.example", vec![], &["cn.example"], &["cn.example"]),
        ("*.cn.example", vec![], &["*.cn.example"], &["*.cn.example"]),
        ("cn.example", vec![dns("san.example")], &["san.example"], &["cn.example", "san.example"]),
        ("san.example", vec![dns("SAN.Example")], &["san.example"], &["san.example"]),
        ("cn.example", vec![email()], &["cn.example"], &["cn.example"]),
        ("cn.example", vec![dns("f*o.san.example")], &[], &["cn.example"]),
        ("cn.example", vec![dns("a b"), dns("ok.example")], &["ok.example"], &["cn.example", "ok.example"]),
        ("a.example,b.example", vec![], &[], &[]),
        ("192.0.2.1", vec![], &[], &[]),
    ];
    for (common_name, names, identities, registered) in cases {
        let certificate = parsed(|params| {
            params.distinguished_name.push(DnType::CommonName, common_name);
            params.subject_alt_names = names.clone();
        });
        let shown = |names: &[PresentedName]| names.iter().map(|name| name.to_string()).collect::<Vec<_>>();
        assert_eq!(shown(certificate.identities()), identities, "{common_name} {names:?}");
        assert_eq!(shown(certificate.registered_identities()), registered, "{common_name} {names:?}");
    }
}

#[test]
fn names_that_lie_about_their_length_are_no_names() {
    let names: [&[u8]; 4] =
        [b"bank.example\0.evil.example", b"bank.example\0", b"\xff\xfe.example", "bänk.example".as_bytes()];
    for name in names {
        let certificate = parsed(|params| {
            params.distinguished_name.push(DnType::CommonName, "cn.example");
            params.custom_extensions.push(raw_san(&[name]));
        });
        assert_eq!(certificate.identities(), [], "{name:?}: and it keeps the common name out");
    }
    let certificate = parsed(|params| {
        params.distinguished_name.push(DnType::CommonName, "bank.example\0.evil.example");
    });
    assert_eq!(certificate.common_name(), None);
    assert_eq!(certificate.subject(), "CN=bank.example\\u{0}.evil.example");
}

#[test]
fn the_issuer_is_called_by_common_name_or_organisation() {
    let both = |cn: Option<&str>, organisation: Option<&str>| {
        parsed(|params| {
            for (kind, value) in [(DnType::CommonName, cn), (DnType::OrganizationName, organisation)] {
                if let Some(value) = value {
                    params.distinguished_name.push(kind, DnValue::Utf8String(value.to_owned()));
                }
            }
        })
    };
    let long = "x".repeat(256);
    let cases = [
        (Some("Lab CA"), Some("Lab"), Some("Lab CA")),
        (None, Some("Lab"), Some("Lab")),
        (Some("Lab\nCA"), Some("Lab"), Some("Lab")),
        (Some(long.as_str()), Some("Lab"), Some("Lab")),
        (Some("Lab\nCA"), None, None),
        (Some(""), Some("Lab"), None),
        (None, None, None),
    ];
    for (cn, organisation, expected) in cases {
        assert_eq!(both(cn, organisation).issuer(), expected, "{cn:?} {organisation:?}");
    }
}

#[test]
fn a_name_for_people_is_short_and_harmless() {
    let certificate = parsed(|params| {
        params.distinguished_name.push(DnType::OrganizationName, "\u{202e}knab\u{1b}[2J \"ä\"");
        params.distinguished_name.push(DnType::CommonName, "x".repeat(5000));
    });
    let subject = certificate.subject();
    assert!(subject.starts_with("O=\\u{202e}knab\\u{1b}[2J \"ä\", CN=xxx"), "{subject}");
    assert!(subject.ends_with("x…") && subject.chars().count() < 230, "{subject}");
}

#[test]
fn an_attribute_without_a_word_is_shown_by_its_number() {
    let shown = |oid: &[u64]| {
        let kind = DnType::CustomDnType(oid.to_vec());
        parsed(|params| params.distinguished_name.push(kind, "x")).subject().to_owned()
    };
    assert_eq!(shown(&[1, 3, 6, 1, 4, 1, 99_999, 1]), "1.3.6.1.4.1.99999.1=x");
    // One byte for the first two numbers, and one for each after them: 32 are shown, 33 are not.
    let long = |bytes: usize| [vec![1, 3], vec![6; bytes - 1]].concat();
    assert_eq!(shown(&long(32)), format!("1.3{}=x", ".6".repeat(31)));
    assert_eq!(shown(&long(33)), "?=x");
}

#[test]
fn a_certificate_of_version_3_says_that_it_is_an_authority() {
    let root = parsed(|params| params.distinguished_name.push(DnType::CommonName, "Root"));
    assert!(root.is_self_issued() && !root.is_ca(), "without basic constraints");
}

#[test]
fn extensions_that_decide_must_be_readable_and_single() {
    let twice = |params: &mut CertificateParams| {
        params.custom_extensions.push(raw_san(&[b"a.example"]));
        params.custom_extensions.push(raw_san(&[b"b.example"]));
    };
    let cut = |params: &mut CertificateParams| {
        params
            .custom_extensions
            .push(CustomExtension::from_oid_content(OID_SAN, vec![0x30, 0x05, 0x82, 0x01, b'a']));
    };
    let trailing = |params: &mut CertificateParams| {
        params.custom_extensions.push(CustomExtension::from_oid_content(OID_EKU, vec![0x30, 0x00, 0x00]));
    };
    let name = Error::Extension("subject alternative name");
    assert_eq!(Certificate::from_der(&with(twice)), Err(name.clone()));
    assert_eq!(Certificate::from_der(&with(cut)), Err(name));
    assert_eq!(Certificate::from_der(&with(trailing)), Err(Error::Extension("extended key usage")));
}

#[test]
fn limits() {
    let names = |count: usize| (0..count).map(|at| dns(&format!("a{at}.example"))).collect::<Vec<_>>();
    let most = parsed(|params| params.subject_alt_names = names(MAX_ALTERNATIVE_NAMES));
    assert_eq!(most.dns_names().len(), MAX_ALTERNATIVE_NAMES);
    let too_many = with(|params| params.subject_alt_names = names(MAX_ALTERNATIVE_NAMES + 1));
    assert_eq!(Certificate::from_der(&too_many), Err(Error::TooManyNames(MAX_ALTERNATIVE_NAMES + 1)));
    assert_eq!(Certificate::from_der(&vec![0x30; MAX_DER + 1]), Err(Error::TooLarge));
    let mut longer = with(|_| ());
    longer.extend([0, 0]);
    assert_eq!(Certificate::from_der(&longer), Err(Error::Trailing(2)));
}

#[test]
fn the_largest_certificate_is_read() {
    let key = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let padded = |bytes: usize| {
        let mut params = CertificateParams::default();
        params.custom_extensions.push(CustomExtension::from_oid_content(&[1, 3, 6, 1], vec![0; bytes]));
        params.self_signed(&key).unwrap()
    };
    let guess = MAX_DER - 1000;
    let fits = guess + MAX_DER - padded(guess).der().len();
    let (most, more) = (padded(fits), padded(fits + 1));
    assert_eq!(most.der().len(), MAX_DER);
    let read = Certificate::from_der(most.der()).unwrap();
    assert_eq!(pem::certificates(most.pem().as_bytes()), Ok(vec![read]));
    assert_eq!(Certificate::from_der(more.der()), Err(Error::TooLarge));
}

#[test]
fn certificates_are_equal_when_their_bytes_are() {
    let named = |params: &mut CertificateParams| {
        params.distinguished_name.push(DnType::CommonName, "a.example");
    };
    let (one, other) = (with(named), with(named));
    let [one, again, other] = [&one, &one, &other].map(|der| Certificate::from_der(der).unwrap());
    assert_eq!(one, again);
    assert_ne!(one, other, "the same names, another key");
    assert_eq!(format!("{one:?}"), format!("Certificate(CN=a.example, {})", one.fingerprint()));
}

/// A certificate with every extension that is read, and a name of every kind.
fn rich() -> Vec<u8> {
    with(|params| {
        params.distinguished_name.push(DnType::CommonName, "mail.partner.example");
        params.distinguished_name.push(DnType::OrganizationName, "Partner");
        let uri = SanType::URI(Ia5String::try_from("https://partner.example/").unwrap());
        params.subject_alt_names = vec![
            dns("mail.partner.example"),
            dns("*.partner.example"),
            uri,
            SanType::IpAddress([192, 0, 2, 1].into()),
        ];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
        params.is_ca = rcgen::IsCa::ExplicitNoCa;
    })
}

#[test]
fn every_truncation_is_refused() {
    let der = rich();
    for length in 0..der.len() {
        assert!(Certificate::from_der(&der[..length]).is_err(), "{length} bytes of {}", der.len());
    }
}

/// No flipped bit leads to a panic, nor to a certificate that passes for the original.
#[test]
fn every_flipped_bit_is_another_certificate_or_none() {
    let der = rich();
    let original = Certificate::from_der(&der).unwrap();
    let mut accepted = 0;
    for bit in 0..8 * der.len() {
        let mut flipped = der.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        if let Ok(certificate) = Certificate::from_der(&flipped) {
            assert_ne!(certificate, original, "bit {bit}");
            accepted += 1;
        }
    }
    assert!(accepted > 0, "flipping bits of the signature alone leaves a certificate");
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        let _ = Certificate::from_der(&bytes);
        let _ = pem::certificates(&bytes);
        let _ = Fingerprint::from_postfix(&bytes);
    }

    #[test]
    fn a_certificate_with_changed_bytes_never_panics(
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..12),
    ) {
        thread_local!(static DER: Vec<u8> = rich());
        let mut der = DER.with(Clone::clone);
        for (at, byte) in changes {
            let at = at.index(der.len());
            der[at] = byte;
        }
        let _ = Certificate::from_der(&der);
    }

    #[test]
    fn arbitrary_names_never_panic_and_stay_bounded(name in "\\PC{0,300}|[*.a-zA-Z0-9_-]{0,300}") {
        for presented in [PresentedName::of_dns_name(&name), PresentedName::of_common_name(&name)].into_iter().flatten() {
            let shown = presented.to_string();
            prop_assert!(shown.eq_ignore_ascii_case(&name));
            prop_assert!(!shown.bytes().any(|b| b.is_ascii_uppercase()));
        }
        let _ = Fingerprint::parse(&name);
    }

    #[test]
    fn a_fingerprint_reads_back_from_every_form(bytes in any::<[u8; 20]>()) {
        let fingerprint = Fingerprint::of(&bytes);
        let shown = fingerprint.to_string();
        prop_assert_eq!(Fingerprint::from_postfix(shown.as_bytes()), Presented::Sha256(fingerprint));
        prop_assert_eq!(Fingerprint::parse(&format!("sha256:{shown}")), Ok(fingerprint));
        prop_assert_eq!(Fingerprint::parse(&format!("sha256:{}", shown.replace(':', "").to_lowercase())), Ok(fingerprint));
    }
}
