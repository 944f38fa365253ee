//! A certificate as the facts that matter here, owned and independent of its bytes.

use std::fmt;
use std::net::IpAddr;

use jiff::Timestamp;
use x509_parser::asn1_rs::{FromDer, Oid, Tag};
use x509_parser::certificate::{TbsCertificate, X509Certificate, X509CertificateParser};
use x509_parser::error::X509Error;
use x509_parser::extensions::{GeneralName, SubjectAlternativeName};
use x509_parser::nom::Parser;
use x509_parser::oid_registry::{
    OID_X509_COMMON_NAME, OID_X509_EXT_SUBJECT_ALT_NAME, OID_X509_ORGANIZATION_NAME,
};
use x509_parser::time::ASN1Time;
use x509_parser::x509::X509Name;

use super::error::Error;
use super::fingerprint::Fingerprint;
use super::key::{Key, WeakDigest};
use super::presented::PresentedName;
use super::purpose::Purposes;
use super::text;

/// Bytes of the largest certificate that is looked at; a larger one is refused. Ours: the largest
/// seen in public, with hundreds of names, stay below 32 KiB.
pub const MAX_DER: usize = 64 * 1024;

/// Alternative names of any kind that a certificate may have; one with more is refused. Ours:
/// names are compared one by one, and public authorities stop at a few hundred.
pub const MAX_ALTERNATIVE_NAMES: usize = 1000;

/// Octets of a serial number that are kept; RFC 5280 section 4.1.2.2 allows 20.
const MAX_SERIAL: usize = 32;

/// A certificate's facts. Two are equal when their bytes were.
#[derive(Clone)]
pub struct Certificate {
    fingerprint: Fingerprint,
    key_fingerprint: Fingerprint,
    common_name: Option<String>,
    issuer: Option<String>,
    subject: String,
    issuer_name: String,
    serial: String,
    dns_names: Vec<String>,
    identities: Vec<PresentedName>,
    odd_names: Vec<Vec<u8>>,
    addresses: Vec<IpAddr>,
    registered_identities: Vec<PresentedName>,
    not_before: Timestamp,
    not_after: Timestamp,
    self_issued: bool,
    purposes: Purposes,
    key: Key,
    weak_signature: Option<WeakDigest>,
}

impl Certificate {
    /// Reads one certificate from its DER, all of it.
    ///
    /// # Errors
    /// [`Error`] when it is too large, is no certificate or more than one, or has an unreadable
    /// or doubled extension among those that decide something.
    pub fn from_der(der: &[u8]) -> Result<Certificate, Error> {
        if der.len() > MAX_DER {
            return Err(Error::TooLarge);
        }
        // The other extensions stay unread: a certificate is not refused for what nobody asks.
        let mut parser = X509CertificateParser::new().with_deep_parse_extensions(false);
        let (rest, parsed) = parser.parse(der).map_err(|_| Error::NotACertificate)?;
        if !rest.is_empty() {
            return Err(Error::Trailing(rest.len()));
        }
        Certificate::of(der, &parsed)
    }

    fn of(der: &[u8], parsed: &X509Certificate<'_>) -> Result<Certificate, Error> {
        let (subject, issuer) = (parsed.subject(), parsed.issuer());
        let self_issued = subject.as_raw() == issuer.as_raw();
        let common_name = text::first(subject, &OID_X509_COMMON_NAME).filter(|name| !name.is_empty());
        let names = AlternativeNames::of(parsed)?;

        let common_identity = common_name.as_deref().and_then(PresentedName::of_dns_name);
        let (identities, odd_names) = if names.any_dns {
            (names.identities.clone(), names.odd)
        } else {
            let common_names = text::all(subject, &OID_X509_COMMON_NAME);
            sorted_out(common_names.iter().map(String::as_bytes))
        };
        let mut registered_identities = names.identities;
        registered_identities.extend(common_identity);
        registered_identities.sort();
        registered_identities.dedup();

        Ok(Certificate {
            fingerprint: Fingerprint::of(der),
            key_fingerprint: Fingerprint::of(parsed.public_key().raw),
            common_name,
            issuer: issuer_label(issuer),
            subject: text::rendered(subject),
            issuer_name: text::rendered(issuer),
            serial: serial(parsed.raw_serial()),
            dns_names: names.dns,
            identities,
            odd_names,
            addresses: names.addresses,
            registered_identities,
            not_before: timestamp(parsed.validity().not_before),
            not_after: timestamp(parsed.validity().not_after),
            self_issued,
            purposes: Purposes::of(parsed, self_issued)?,
            key: Key::of(parsed.public_key()),
            weak_signature: WeakDigest::under(&parsed.signature_algorithm),
        })
    }

    /// SHA-256 of the certificate, as in Postfix's `ccert_fingerprint`.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// SHA-256 of its public key (the DER of the SubjectPublicKeyInfo), as in Postfix's
    /// `ccert_pubkey_fingerprint`.
    pub fn key_fingerprint(&self) -> Fingerprint {
        self.key_fingerprint
    }

    /// The subject's first common name, as in `ccert_subject` before xtext: none when it is
    /// empty, over 255 bytes, or has a control character in it (tls_verify.c:tls_peer_CN).
    pub fn common_name(&self) -> Option<&str> {
        self.common_name.as_deref()
    }

    /// The issuer's first common name or, lacking a usable one, organisation, as in
    /// `ccert_issuer` before xtext (tls_verify.c:tls_issuer_CN).
    pub fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    /// The whole subject for people: one line of printable text, cut at 200 characters. Empty
    /// when the certificate has names in its extension alone.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The whole issuer, as [`Certificate::subject`].
    pub fn issuer_name(&self) -> &str {
        &self.issuer_name
    }

    /// The serial number, upper-case hexadecimal pairs with colons, the first 32 at most.
    pub fn serial(&self) -> &str {
        &self.serial
    }

    /// Every dNSName of the subjectAltName as written, in lower case. For people: it may hold
    /// what is no name. What may be compared is in [`Certificate::identities`].
    pub fn dns_names(&self) -> &[String] {
        &self.dns_names
    }

    /// The names by which a server's certificate is known to OpenSSL, and so to Postfix: its
    /// dNSNames; only if it has none at all, its common names (v3_utl.c:do_x509_check, RFC 6125
    /// section 6.4.4). A dNSName that is no name still keeps the common names out.
    pub fn identities(&self) -> &[PresentedName] {
        &self.identities
    }

    /// Whether a name that is none to rely on, such as `m*.partner.example`, lies below `suffix` (in
    /// lower case, without a dot before it) all the same. To OpenSSL such a suffix is the end of a
    /// text, and what is before it may be anything but a NUL (v3_utl.c:skip_prefix, equal_nocase);
    /// so it is to Postfix, with a `match` that begins with a dot.
    pub fn oddly_lies_below(&self, suffix: &str) -> bool {
        self.odd_names.iter().any(|name| {
            let before = name.strip_suffix(suffix.as_bytes()).and_then(|rest| rest.strip_suffix(b"."));
            before.is_some_and(|before| !before.contains(&0))
        })
    }

    /// The iPAddresses of the subjectAltName: what a host that is known by its address is compared
    /// with, and never with a name (v3_utl.c:X509_check_ip).
    pub fn addresses(&self) -> &[IpAddr] {
        &self.addresses
    }

    /// The names by which a registered certificate of an inbound connector is known: its dNSNames
    /// and its common name together, sorted. The operator gave us this very certificate, so no
    /// authority's habit of vouching for one or the other matters.
    pub fn registered_identities(&self) -> &[PresentedName] {
        &self.registered_identities
    }

    /// When it begins to be valid. Judged by [`Certificate::valid_at`].
    pub fn not_before(&self) -> Timestamp {
        self.not_before
    }

    /// When it ceases to be valid; [`Timestamp::MAX`] for RFC 5280's "no well-defined
    /// expiration date", 99991231235959Z.
    pub fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// Whether subject and issuer are the same, byte for byte: a root, or a self-signed
    /// certificate. The signature is not checked.
    pub fn is_self_issued(&self) -> bool {
        self.self_issued
    }

    /// What it may be used for, in OpenSSL's eyes.
    pub fn purposes(&self) -> Purposes {
        self.purposes
    }

    /// Whether it may sign other certificates.
    pub fn is_ca(&self) -> bool {
        self.purposes.certificate_signing
    }

    /// Kind and size of its key.
    pub fn key(&self) -> Key {
        self.key
    }

    /// The broken digest that its signature rests on, if it does. It says nothing about a
    /// self-issued certificate, whose signature nobody relies on.
    pub fn weak_signature(&self) -> Option<WeakDigest> {
        self.weak_signature
    }
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.fingerprint == other.fingerprint
    }
}

impl Eq for Certificate {}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({}, {})", self.subject, self.fingerprint)
    }
}

/// What the subjectAltName extension holds.
struct AlternativeNames {
    /// Whether there is a dNSName, usable or not.
    any_dns: bool,
    /// The dNSNames as written, in lower case.
    dns: Vec<String>,
    /// Those that are names.
    identities: Vec<PresentedName>,
    /// The others, in lower case.
    odd: Vec<Vec<u8>>,
    addresses: Vec<IpAddr>,
}

/// Four or sixteen octets (RFC 5280 section 4.2.1.6).
fn address(bytes: &[u8]) -> Option<IpAddr> {
    <[u8; 4]>::try_from(bytes)
        .map(IpAddr::from)
        .or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from))
        .ok()
}

/// Names to rely on, and the others in lower case.
fn sorted_out<'a>(names: impl Iterator<Item = &'a [u8]>) -> (Vec<PresentedName>, Vec<Vec<u8>>) {
    let mut identities = Vec::new();
    let mut odd = Vec::new();
    for name in names {
        match std::str::from_utf8(name).ok().and_then(PresentedName::of_dns_name) {
            Some(identity) => identities.push(identity),
            None => odd.push(name.to_ascii_lowercase()),
        }
    }
    (identities, odd)
}

impl AlternativeNames {
    fn of(certificate: &TbsCertificate<'_>) -> Result<AlternativeNames, Error> {
        let found: Option<SubjectAlternativeName<'_>> =
            extension(certificate, &OID_X509_EXT_SUBJECT_ALT_NAME, "subject alternative name")?;
        let names = found.map(|found| found.general_names).unwrap_or_default();
        if names.len() > MAX_ALTERNATIVE_NAMES {
            return Err(Error::TooManyNames(names.len()));
        }
        // An unreadable one counts too; [2] is the dNSName of RFC 5280 section 4.2.1.6.
        let is_dns = |name: &GeneralName<'_>| {
            matches!(name, GeneralName::DNSName(_) | GeneralName::Invalid(Tag(2), _))
        };
        let texts = names
            .iter()
            .filter_map(|name| if let GeneralName::DNSName(text) = name { Some(*text) } else { None });
        let written = names.iter().filter_map(|name| {
            if let GeneralName::DNSName(text) = name {
                Some(text.as_bytes())
            } else if let GeneralName::Invalid(Tag(2), bytes) = name {
                Some(*bytes)
            } else {
                None
            }
        });
        let (identities, odd) = sorted_out(written);
        let addresses = names
            .iter()
            .filter_map(|name| if let GeneralName::IPAddress(bytes) = name { address(bytes) } else { None });
        Ok(AlternativeNames {
            any_dns: names.iter().any(is_dns),
            dns: texts.map(str::to_ascii_lowercase).collect(),
            identities,
            odd,
            addresses: addresses.collect(),
        })
    }
}

/// Reads an extension that may be absent, but neither unreadable nor there twice: which of two
/// would count is for nobody to guess.
pub(super) fn extension<'a, T>(
    certificate: &TbsCertificate<'a>,
    oid: &Oid<'_>,
    name: &'static str,
) -> Result<Option<T>, Error>
where
    T: FromDer<'a, X509Error>,
{
    let found = certificate.get_extension_unique(oid).map_err(|_| Error::Extension(name))?;
    match found.map(|found| T::from_der(found.value)) {
        None => Ok(None),
        Some(Ok(([], value))) => Ok(Some(value)),
        Some(_) => Err(Error::Extension(name)),
    }
}

/// An unusable common name gives way to the organisation, an empty one does not.
fn issuer_label(issuer: &X509Name<'_>) -> Option<String> {
    text::first(issuer, &OID_X509_COMMON_NAME)
        .or_else(|| text::first(issuer, &OID_X509_ORGANIZATION_NAME))
        .filter(|label| !label.is_empty())
}

fn serial(bytes: &[u8]) -> String {
    let pairs: Vec<String> = bytes.iter().take(MAX_SERIAL).map(|byte| format!("{byte:02X}")).collect();
    pairs.join(":")
}

/// jiff ends a day before RFC 5280's last second; what is later never comes. It begins long before
/// the year 0 of ASN.1.
fn timestamp(time: ASN1Time) -> Timestamp {
    Timestamp::from_second(time.timestamp()).unwrap_or(Timestamp::MAX)
}
