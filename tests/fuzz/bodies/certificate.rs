//! Certificates: what is taken for a fact is what OpenSSL sees in the same bytes, and a judgement rests on nothing else.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use connectord::answer::Leaf;
use connectord::model::certificate::{Certificate, PresentedName, pem};
use connectord::model::names::Names;
use connectord::model::requirement::Parts;
use connectord::model::{Level, Pattern, PatternSet, Requirement, judgement};
use jiff::Timestamp;
use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::nid::Nid;
use openssl::x509::X509;

use super::naive;
use super::site::now;

/// The domain and the host that certificates are judged for.
const DOMAIN: &str = "partner.example";
const HOST: &str = "mail.partner.example";

/// Reads bytes as DER and as PEM.
pub fn certificate(data: &[u8]) {
    if data.starts_with(b"0") {
        der(data);
    }
    if let Ok(found) = pem::certificates(data) {
        assert!((1..=pem::MAX_CERTIFICATES).contains(&found.len()));
        // What is registered here must be what Postfix finds in the same file.
        if let Ok(seen) = X509::stack_from_pem(data) {
            let ours: Vec<String> =
                found.iter().map(|certificate| certificate.fingerprint().to_string()).collect();
            let seen: Vec<String> =
                seen.iter().filter_map(|seen| Some(Seen::digest(&seen.to_der().ok()?))).collect();
            assert_eq!(ours, seen, "the certificates of the file");
        }
    }
}

fn der(der: &[u8]) {
    let read = Certificate::from_der(der);
    let lines: Vec<String> =
        STANDARD.encode(der).as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line).into()).collect();
    let text = format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"));
    match (&read, pem::certificates(text.as_bytes())) {
        (Ok(certificate), Ok(found)) => assert_eq!(found.as_slice(), std::slice::from_ref(certificate)),
        (Err(_), Err(_)) => {}
        (read, found) => panic!("as DER {read:?}, as PEM {found:?}"),
    }
    if let Ok(certificate) = &read {
        facts(der, certificate);
        if let Some(seen) = Seen::of(der) {
            seen.agrees(certificate);
        }
    }
    for verified in [false, true] {
        let leaf = Leaf::read(der, verified, now());
        let shown = leaf.whole();
        let valid = read.as_ref().is_ok_and(|certificate| {
            certificate.not_before() <= now()
                && now() <= certificate.not_after()
                && certificate.purposes().client_auth
        });
        assert!(shown.is_presented(), "a certificate was shown");
        if !verified || !valid {
            let nothing = shown.common_name.is_empty() && shown.alternative_names.is_empty();
            assert!(nothing && !shown.is_trusted(), "trusted, and nobody vouches for it: {shown:?}");
        }
    }
}

/// What every certificate's facts are, whatever is in it.
fn facts(der: &[u8], certificate: &Certificate) {
    assert_eq!(certificate.fingerprint().to_string(), Seen::digest(der));
    for name in [certificate.common_name(), certificate.issuer()].into_iter().flatten() {
        assert!((1..=255).contains(&name.len()) && !name.chars().any(|c| c.is_ascii_control()), "{name:?}");
    }
    for text in [certificate.subject(), certificate.issuer_name(), certificate.serial()] {
        assert!(text.chars().count() <= 10 * 200 + 1 && !text.chars().any(is_dangerous), "{text:?}");
    }
    for name in certificate.identities().iter().chain(certificate.registered_identities()) {
        let (base, star) = match name {
            PresentedName::Exact(name) => (name, false),
            PresentedName::Wildcard(base) => (base, true),
        };
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.chars().all(|c| matches!(c, 'a'..='z' | '0'..='9' | '-' | '_'))
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        assert!(base.len() <= 253 && base.split('.').all(label), "{name}");
        assert!(base.parse::<IpAddr>().is_err() && (!star || base.contains('.')), "{name}");
    }
    assert!(certificate.registered_identities().is_sorted());
    let valid = certificate.not_before() <= now() && now() <= certificate.not_after();
    assert_eq!(certificate.valid_at(now()).is_ok(), valid);
}

/// Characters that move a cursor or turn the direction of writing.
fn is_dangerous(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// A certificate as OpenSSL sees it.
pub struct Seen {
    whole: X509,
    /// Its dNSNames or, if it has none, its common names; in lower case.
    names: BTreeSet<String>,
    /// Whether it has a name that is not told here: a dNSName that is not UTF-8, or a name of a kind that nobody uses.
    others: bool,
    addresses: Vec<IpAddr>,
}

impl Seen {
    /// `None` for what OpenSSL does not read, would write otherwise, or finds an unreadable name in (an x400Address that
    /// is none, say, which we pass over): no chain is good with it.
    pub fn of(der: &[u8]) -> Option<Seen> {
        const ALTERNATIVE_NAME: &[u8] = b"\x06\x03\x55\x1d\x11";
        let whole =
            X509::from_der(der).ok().filter(|whole| whole.to_der().is_ok_and(|again| again == der))?;
        let alternative = whole.subject_alt_names();
        if alternative.is_none() && der.windows(5).any(|window| window == ALTERNATIVE_NAME) {
            return None;
        }
        let alternative = || alternative.iter().flatten();
        let mut names: BTreeSet<String> =
            alternative().filter_map(|name| Some(name.dnsname()?.to_ascii_lowercase())).collect();
        let others = alternative().any(|name| {
            let texts = [name.dnsname(), name.email(), name.uri()];
            texts.iter().all(Option::is_none) && name.ipaddress().is_none() && name.directory_name().is_none()
        });
        if names.is_empty() {
            let common = whole.subject_name().entries_by_nid(Nid::COMMONNAME);
            names =
                common.filter_map(|name| Some(name.data().to_string().ok()?.to_ascii_lowercase())).collect();
        }
        let address = |bytes: &[u8]| {
            let four = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
            four.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
        };
        let addresses = alternative().filter_map(|name| address(name.ipaddress()?)).collect();
        Some(Seen { whole, names, others, addresses })
    }

    /// The SHA-256 of these bytes, as Postfix writes it.
    pub fn digest(bytes: &[u8]) -> String {
        openssl::sha::sha256(bytes).map(|byte| format!("{byte:02X}")).join(":")
    }

    /// Whether a name is one that a pattern for certificates covers: itself, by its star, or, below a suffix, by its end.
    pub fn shows(&self, pattern: &str) -> bool {
        self.others
            || self.names.iter().any(|name| {
                let starred = name.strip_prefix("*.").is_some_and(|base| {
                    let asked = pattern.strip_prefix("*.").unwrap_or(pattern);
                    base == asked || asked.split_once('.').is_some_and(|(_, parent)| parent == base)
                });
                starred || naive::covers(pattern, name)
            })
    }

    /// Whatever we take for a fact is there.
    fn agrees(&self, certificate: &Certificate) {
        for name in certificate.identities() {
            assert!(self.names.contains(&name.to_string()), "OpenSSL does not see {name}");
        }
        for address in certificate.addresses() {
            assert!(self.addresses.contains(address), "OpenSSL does not see {address}");
        }
        let mut common = self.whole.subject_name().entries_by_nid(Nid::COMMONNAME);
        if let Some(name) = certificate.common_name() {
            let first = common.next().and_then(|first| first.data().to_string().ok());
            let first = first.expect("OpenSSL sees a common name, too");
            assert_eq!(name, first.trim_end_matches('\0'), "the common name");
        }
        for (ours, theirs) in [
            (certificate.not_before(), self.whole.not_before()),
            (certificate.not_after(), self.whole.not_after()),
        ] {
            if let Some(theirs) = seconds(theirs).filter(|_| ours != Timestamp::MAX) {
                assert_eq!(ours.as_second(), theirs, "a date");
            }
        }
        for (requirement, pattern) in requirements() {
            let verdict = judgement::leaf(requirement, certificate, DOMAIN, HOST);
            assert!(verdict.is_err() || self.shows(pattern), "accepted for {pattern}");
        }
    }
}

/// Since 1970; `None` for a time that is none.
fn seconds(time: &Asn1TimeRef) -> Option<i64> {
    let since = Asn1Time::from_unix(0).ok()?.diff(time).ok()?;
    Some(i64::from(since.days) * 86_400 + i64::from(since.secs))
}

/// What is demanded of a certificate, and the pattern that a name must then be of.
fn requirements() -> &'static [(Requirement, &'static str); 4] {
    static REQUIREMENTS: OnceLock<[(Requirement, &str); 4]> = OnceLock::new();
    REQUIREMENTS.get_or_init(|| {
        let one = |text: &str| Names::Set(PatternSet::new(vec![Pattern::parse(text).expect("a pattern")]));
        let demand = |level, names| {
            Requirement::new(Parts { names, ..Parts::of_level(level) }).expect("a requirement")
        };
        [
            (demand(Level::Verify, None), HOST),
            (demand(Level::Secure, Some(Names::Domain)), "*.partner.example"),
            (demand(Level::Secure, Some(one(HOST))), HOST),
            (demand(Level::Secure, Some(one(".partner.example"))), ".partner.example"),
        ]
    })
}
