//! Whether a partner's certificate is the one that a requirement asks for.
//!
//! One function for everybody who has the certificate in hand: the answer to Exim's question
//! during a handshake, and `validate`. It judges the leaf alone, by its names or its digests, as
//! Postfix would at the same level (tls_client.c:tls_verify_certificate_chain and match_hostname,
//! tls_fprint.c). Chain, dates and purposes are judged by whoever builds the chain; at the level
//! `fingerprint` nobody asks for them, in Postfix neither.

use std::borrow::Cow;
use std::fmt;

use super::certificate::{Certificate, PresentedName};
use super::names::{Names, satisfied_by};
use super::pattern::{Entry, Pattern, PatternSet};
use super::{Domain, Requirement};

/// How many names of a certificate are shown before the rest is counted.
const SHOWN: usize = 3;

/// Why a certificate is not the one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Objection {
    /// It shows other names.
    Name {
        /// Those that it shows, as far as they can be relied on.
        presented: Vec<PresentedName>,
        /// What was wanted, in words.
        wanted: String,
    },
    /// Neither it nor its key has one of the digests.
    Fingerprint,
    /// The host it came from has no name that could be compared.
    Host,
    /// It is not for a server.
    Purpose,
}

/// Judges whether a certificate may be a server's (OpenSSL's v3_purp.c:check_purpose_ssl_server),
/// for an MTA whose library does not ask.
///
/// # Errors
/// [`Objection::Purpose`].
pub fn server(certificate: &Certificate) -> Result<(), Objection> {
    if certificate.purposes().server_auth { Ok(()) } else { Err(Objection::Purpose) }
}

/// Judges the leaf certificate that `host` showed for mail to `domain`, both normalised.
///
/// # Errors
/// [`Objection`] says what was shown and what was wanted.
pub fn leaf(
    requirement: &Requirement,
    certificate: &Certificate,
    domain: &str,
    host: &str,
) -> Result<(), Objection> {
    if let Some(pins) = requirement.pins() {
        let digests = [certificate.fingerprint(), certificate.key_fingerprint()];
        if !digests.iter().any(|digest| pins.contains(digest)) {
            return Err(Objection::Fingerprint);
        }
    }
    let (patterns, wanted) = match requirement.names() {
        Names::Any => return Ok(()),
        Names::MxHost if is_address(certificate, host) => return Ok(()),
        Names::MxHost => (Cow::Owned(only(Pattern::Exact, host)?), host.to_owned()),
        Names::Domain => (Cow::Owned(only(Pattern::Tree, domain)?), format!("*.{domain}")),
        Names::Set(patterns) => (Cow::Borrowed(patterns), patterns.in_few_words()),
    };
    let presented = certificate.identities();
    let oddly = |entry: Entry<'_>| matches!(entry, Entry::Suffix(own) if certificate.oddly_lies_below(own));
    if presented.iter().any(|name| satisfied_by(&patterns, name)) || patterns.entries().any(oddly) {
        return Ok(());
    }
    Err(Objection::Name { presented: presented.to_vec(), wanted })
}

/// Whether the host is known by an address that the certificate has (OpenSSL's `SSL_add1_host`
/// reads addresses too).
fn is_address(certificate: &Certificate, host: &str) -> bool {
    host.parse().is_ok_and(|address| certificate.addresses().contains(&address))
}

fn only(pattern: impl Fn(Domain) -> Pattern, name: &str) -> Result<PatternSet, Objection> {
    let domain = Domain::parse(name).map_err(|_| Objection::Host)?;
    Ok(PatternSet::new(vec![pattern(domain)]))
}

impl fmt::Display for Objection {
    /// In words of a closed list; names in it were parsed and written out again.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Objection::Fingerprint => f.write_str("certificate and key have other fingerprints"),
            Objection::Purpose => f.write_str("the certificate is not for a server"),
            Objection::Host => f.write_str("the host has no name to compare with the certificate"),
            Objection::Name { presented, wanted } if presented.is_empty() => {
                write!(f, "certificate shows no name, {wanted} is required")
            }
            Objection::Name { presented, wanted } => {
                let (shown, rest) = presented.split_at(presented.len().min(SHOWN));
                let shown: Vec<String> = shown.iter().map(ToString::to_string).collect();
                write!(f, "certificate name {}", shown.join(" or "))?;
                if !rest.is_empty() {
                    write!(f, " or {} more", rest.len())?;
                }
                write!(f, " does not match {wanted}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeSet;

    use super::*;
    use crate::model::Level;
    use crate::model::certificate::Fingerprint;
    use crate::model::requirement::Parts;
    use crate::model::sample::requirement;

    fn certificate(names: &[&str], common_name: Option<&str>) -> Certificate {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = rcgen::CertificateParams::new(names).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        if let Some(name) = common_name {
            params.distinguished_name.push(rcgen::DnType::CommonName, name);
        }
        let key = rcgen::KeyPair::generate().unwrap();
        Certificate::from_der(params.self_signed(&key).unwrap().der()).unwrap()
    }

    #[test]
    fn names_are_those_of_the_requirement() {
        let mx = "mx.partner.example";
        type Row<'a> = (&'a str, &'a [&'a str], Option<&'a str>, Option<&'a str>);
        let table: [Row<'_>; 19] = [
            ("encrypt", &["x.y"], None, None),
            ("verify", &[mx], None, None),
            ("verify", &["*.partner.example"], None, None),
            ("verify", &[], Some(mx), None),
            ("verify", &["x.y"], Some(mx), Some("certificate name x.y does not match mx.partner.example")),
            ("secure a.b", &["a.b"], None, None),
            ("secure a.b", &[mx], None, Some("certificate name mx.partner.example does not match a.b")),
            ("secure .b.c", &["*.b.c"], None, None),
            // Postfix's OpenSSL does so: tests/interop/agreement.rs.
            ("secure .b.c", &["m*.b.c"], None, None),
            ("secure .b.c", &[], Some("m x.b.c"), None),
            ("secure .b.c", &["xb.c"], None, Some("certificate name xb.c does not match .b.c")),
            ("secure m.b.c", &["m*.b.c"], None, Some("certificate shows no name, m.b.c is required")),
            ("secure .b.c", &["m.b.c."], None, Some("certificate shows no name, .b.c is required")),
            ("secure .b.c", &["x.y"], Some("m x.b.c"), Some("certificate name x.y does not match .b.c")),
            ("secure domain", &["partner.example"], None, None),
            ("secure domain", &["in.partner.example"], None, None),
            ("secure domain", &["x.y"], None, Some("certificate name x.y does not match *.partner.example")),
            ("secure a.b", &[], None, Some("certificate shows no name, a.b is required")),
            (
                "secure a.b",
                &["c.d", "e.f", "g.h", "i.j"],
                None,
                Some("certificate name c.d or e.f or g.h or 1 more does not match a.b"),
            ),
        ];
        for (demand, names, common_name, expected) in table {
            let certificate = certificate(names, common_name);
            let judged = leaf(&requirement(demand), &certificate, "partner.example", mx);
            let text = judged.err().map(|objection| objection.to_string());
            assert_eq!(text.as_deref(), expected, "{demand} {names:?} {common_name:?}");
        }
    }

    #[test]
    fn a_pin_is_of_the_certificate_or_its_key() {
        let certificate = certificate(&["x.y"], None);
        let table = [
            (certificate.fingerprint(), Ok(())),
            (certificate.key_fingerprint(), Ok(())),
            (Fingerprint::of(b"another"), Err(Objection::Fingerprint)),
        ];
        for (pin, expected) in table {
            let pins = BTreeSet::from([pin]);
            let requirement =
                Requirement::new(Parts { pins, ..Parts::of_level(Level::Fingerprint) }).unwrap();
            assert_eq!(leaf(&requirement, &certificate, "partner.example", "mx.partner.example"), expected);
        }
    }

    #[test]
    fn a_host_without_a_name_is_its_address() {
        let mut params =
            rcgen::CertificateParams::new(vec!["192.0.2.1".to_owned(), "2001:db8::1".to_owned()]).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = Certificate::from_der(params.self_signed(&key).unwrap().der()).unwrap();
        let judged = |demand, host| leaf(&requirement(demand), &certificate, "a.b", host);
        assert_eq!(judged("verify", "192.0.2.1"), Ok(()));
        assert_eq!(judged("verify", "2001:db8::1"), Ok(()));
        assert!(judged("verify", "192.0.2.2").is_err());
        assert!(judged("secure a.b", "192.0.2.1").is_err());
    }

    #[test]
    fn a_host_without_a_name_satisfies_nothing() {
        let certificate = certificate(&["x.y"], None);
        assert_eq!(leaf(&requirement("verify"), &certificate, "a.b", "192.0.2..1"), Err(Objection::Host));
    }
    #[test]
    fn a_certificate_may_be_for_clients_only() {
        use rcgen::ExtendedKeyUsagePurpose::{ClientAuth, ServerAuth};
        for (usages, expected) in [
            (vec![], Ok(())),
            (vec![ClientAuth, ServerAuth], Ok(())),
            (vec![ClientAuth], Err(Objection::Purpose)),
        ] {
            let mut params = rcgen::CertificateParams::new(vec!["x.y".to_owned()]).unwrap();
            params.extended_key_usages = usages;
            let key = rcgen::KeyPair::generate().unwrap();
            let certificate = Certificate::from_der(params.self_signed(&key).unwrap().der()).unwrap();
            assert_eq!(server(&certificate), expected, "{:?}", params.extended_key_usages);
        }
    }

    #[test]
    fn objections_are_in_words_of_a_closed_list() {
        for (objection, words) in [
            (Objection::Fingerprint, "certificate and key have other fingerprints"),
            (Objection::Purpose, "the certificate is not for a server"),
            (Objection::Host, "the host has no name to compare with the certificate"),
        ] {
            assert_eq!(objection.to_string(), words);
        }
    }
}
