//! An inbound connector: mail from a partner to us.
//!
//! It has two halves. *Identify* says which mail it is about: the domain of the sender, or the
//! client's address. *Require* says what that mail must show. Every enforcing connector that
//! identifies a mail applies and their requirements add up; nothing shadows.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;

use super::certificate::{Certificate, Fingerprint, PresentedName};
use super::name::ConnectorName;
use super::names;
use super::pattern::{Pattern, PatternSet};
use super::requirement::TlsVersion;
use super::{Mode, Notes, Place};

/// An inbound connector of any mode.
#[derive(Clone, Debug)]
pub struct Inbound {
    /// Its name.
    pub name: ConnectorName,
    /// Whether it decides.
    pub mode: Mode,
    /// Which mail it is about.
    pub identify: Identify,
    /// Only mail to these; `None`: to anybody.
    pub recipients: Option<PatternSet>,
    /// What the mail must show.
    pub require: Require,
    /// What is done with mail that does not show it.
    pub on_violation: Action,
    /// Names of the connectors that do not apply where this one does.
    pub overrides: Vec<String>,
    /// What people wrote for people.
    pub notes: Notes,
    /// Where it is written.
    pub place: Place,
}

/// Which mail an inbound connector is about: either half is enough.
#[derive(Clone, Debug, Default)]
pub struct Identify {
    /// Domains of the sender; for the null sender, of the HELO name.
    pub domains: Vec<Pattern>,
    /// Addresses of the client.
    pub addresses: Vec<IpNet>,
    /// Clients that it is not about, whatever the rest says: known forwarders and lists.
    pub except_addresses: Vec<IpNet>,
}

/// What mail must show; at least one part is there.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Require {
    /// TLS, of any version or from a minimum on.
    pub tls: Option<TlsRequirement>,
    /// A client certificate.
    pub certificate: Option<CertificateRequirement>,
    /// The client's address.
    pub addresses: Option<Vec<IpNet>>,
}

impl Require {
    /// Whether TLS is needed: a certificate can only be shown over it.
    pub fn needs_tls(&self) -> bool {
        self.tls.is_some() || self.certificate.is_some()
    }
}

/// How good TLS must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsRequirement {
    /// Any version that the MTA accepts.
    Any,
    /// This version or a newer one.
    AtLeast(TlsVersion),
}

/// What a client certificate must be: trusted with a name, or one that is registered.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CertificateRequirement {
    /// Names; `None` when being registered is enough.
    pub names: Option<PatternSet>,
    /// Issuers whose word on a name is taken, by common name or organisation; `None`: any that
    /// the MTA trusts.
    pub issuers: Option<BTreeSet<String>>,
    /// Registered certificates.
    pub registered: Vec<Registered>,
}

/// A certificate from a file, known by either of its digests.
#[derive(Clone, Debug)]
pub struct Registered {
    /// The file it was read from, as written.
    pub file: String,
    /// Its facts.
    pub certificate: Certificate,
}

impl PartialEq for Registered {
    fn eq(&self, other: &Self) -> bool {
        self.certificate.fingerprint() == other.certificate.fingerprint()
    }
}

impl Registered {
    /// Whether a presented digest, of a certificate or of a key, is one of its own.
    pub fn has(&self, digest: &Fingerprint) -> bool {
        *digest == self.certificate.fingerprint() || *digest == self.certificate.key_fingerprint()
    }
}

impl CertificateRequirement {
    /// Whether a name satisfies `names`; without any, every name does.
    pub fn accepts_name(&self, presented: &PresentedName) -> bool {
        self.names.as_ref().is_none_or(|wanted| names::satisfied_by(wanted, presented))
    }
}

/// What is done with mail that does not comply, mildest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Put aside in the queue for somebody to look at.
    Hold,
    /// Refused for now.
    Defer,
    /// Refused.
    Reject,
}

impl Action {
    /// The word in the configuration, in logs and in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Action::Hold => "hold",
            Action::Defer => "defer",
            Action::Reject => "reject",
        }
    }
}

/// Whether an address is in one of the ranges. IPv4-mapped addresses are IPv4.
pub fn in_ranges(ranges: &[IpNet], address: IpAddr) -> bool {
    let address = address.to_canonical();
    ranges.iter().any(|range| range.contains(&address))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::model::sample::patterns;

    fn registered(file: &str, name: &str) -> Registered {
        let params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = Certificate::from_der(params.self_signed(&key).unwrap().der()).unwrap();
        Registered { file: file.to_owned(), certificate }
    }

    #[test]
    fn a_certificate_is_shown_over_tls_only() {
        let tls = Some(TlsRequirement::Any);
        let certificate = Some(CertificateRequirement::default());
        let addresses = Some(vec!["192.0.2.0/24".parse().unwrap()]);
        for (require, expected) in [
            (Require { addresses, ..Require::default() }, false),
            (Require { tls, ..Require::default() }, true),
            (Require { certificate: certificate.clone(), ..Require::default() }, true),
            (Require { tls, certificate, ..Require::default() }, true),
        ] {
            assert_eq!(require.needs_tls(), expected, "{require:?}");
        }
    }

    #[test]
    fn a_registered_certificate_is_known_by_its_digests_alone() {
        let (one, other) = (registered("a.pem", "a.example"), registered("a.pem", "a.example"));
        let elsewhere = Registered { file: "b.pem".to_owned(), ..one.clone() };
        assert_eq!(one, elsewhere, "the same bytes in another file");
        assert_ne!(one, other, "another key");
        for (digest, expected) in [
            (one.certificate.fingerprint(), true),
            (one.certificate.key_fingerprint(), true),
            (other.certificate.fingerprint(), false),
            (other.certificate.key_fingerprint(), false),
        ] {
            assert_eq!(one.has(&digest), expected, "{digest}");
        }
    }

    #[test]
    fn without_names_every_name_is_accepted() {
        let named = |texts| CertificateRequirement {
            names: Some(PatternSet::new(patterns(texts))),
            ..CertificateRequirement::default()
        };
        let presented = PresentedName::Exact("a.example".to_owned());
        assert!(CertificateRequirement::default().accepts_name(&presented));
        assert!(named(&["b.example", "*.a.example"]).accepts_name(&presented));
        assert!(!named(&["b.example", ".a.example"]).accepts_name(&presented));
    }

    #[test]
    fn actions_from_the_mildest_on() {
        let actions = [Action::Hold, Action::Defer, Action::Reject];
        assert!(actions.is_sorted());
        assert_eq!(actions.map(Action::word), ["hold", "defer", "reject"]);
    }

    #[test]
    fn ranges_are_of_one_family_but_for_mapped_addresses() {
        let ranges = ["192.0.2.0/30", "2001:db8::/64"].map(|range| range.parse().unwrap());
        for (address, expected) in [
            ("192.0.2.0", true),
            ("192.0.2.3", true),
            ("192.0.2.4", false),
            ("::ffff:192.0.2.3", true),
            ("::192.0.2.3", false),
            ("2001:db8::ffff", true),
            ("2001:db8:0:1::", false),
        ] {
            assert_eq!(in_ranges(&ranges, address.parse().unwrap()), expected, "{address}");
            assert!(!in_ranges(&[], address.parse().unwrap()));
        }
    }
}
