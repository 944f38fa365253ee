//! Partners of each kind around our Exim, and what is agreed with them.

use std::collections::BTreeMap;

use crate::certificates::{Authority, Subject};
use crate::exim::Exim;
use crate::lab::Lab;
use crate::partner::{Host, Starttls};
use crate::resolver::Zone;
use crate::root::Release;

/// What becomes of mail while the daemon answers. Partners: one as agreed, one without TLS, with a
/// self-signed certificate, with another name, with the certificate that was registered, with
/// another one, and one with whom nothing is agreed.
const PARTNERS: [(&str, &str); 7] = [
    ("good", "T mx.good.example:25"),
    ("plain", "D a TLS session is required, but the server did not offer TLS support"),
    ("self", "D TLS session"),
    ("wrong", "D does not match"),
    ("pin", "T mx.good.example:25"),
    ("other", "D certificate and key have other fingerprints.>"),
    ("free", "P mx.plain.example:25"),
];

/// What becomes of mail to each of `recipients`, at `ANYTHING.PARTNER.example`, while the daemon answers.
pub fn agreed<'r>(recipients: impl Iterator<Item = &'r str>) -> BTreeMap<String, String> {
    let partners = BTreeMap::from(PARTNERS);
    recipients
        .map(|recipient| {
            let partner = recipient.rsplit('.').nth(1).unwrap();
            (recipient.to_owned(), partners[partner].to_owned())
        })
        .collect()
}

/// A lab with the partners, and the connectors.
pub fn lab(release: Release, settings: &[&str]) -> (Lab<Exim>, String) {
    let authority = Authority::new("Lab CA");
    let good = authority.issue(Subject::server(&["mx.good.example"]));
    let another = authority.issue(Subject::server(&["mx.good.example"]));
    let own = Subject::server(&["mx.self.example"]).self_signed();
    let wrong = authority.issue(Subject::server(&["mx.elsewhere.example"]));
    let host = |name: &str, number, starttls| Host { name: format!("mx.{name}.example"), number, starttls };
    let hosts = [
        host("good", 10, Starttls::Works(good.server())),
        host("plain", 11, Starttls::Absent),
        host("self", 12, Starttls::Works(own.server())),
        host("wrong", 13, Starttls::Works(wrong.server())),
    ];
    let mut zone = Zone::default();
    let mut connectors = String::new();
    for (partner, _) in PARTNERS {
        let host = match partner {
            "pin" | "other" => "mx.good.example".to_owned(),
            "free" => "mx.plain.example".to_owned(),
            partner => format!("mx.{partner}.example"),
        };
        zone.mx(&format!("*.{partner}.example"), &host);
        let pin = |digest: &str| format!("tls = \"fingerprint\"\nfingerprints = [\"sha256:{digest}\"]\n");
        let keys = match partner {
            "free" => continue,
            "pin" => pin(&good.certificate_digest()),
            "other" => pin(&another.certificate_digest()),
            _ => format!("tls = \"secure\"\nmatch = [\"{host}\"]\n"),
        };
        connectors.push_str(&format!(
            "[[outbound]]\nname = \"{partner}\"\nmode = \"enforce\"\ndomains = [\".{partner}.example\"]\n{keys}"
        ));
    }
    (Lab::start(release, &authority, &hosts, zone, settings), connectors)
}
