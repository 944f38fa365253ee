//! Partners for `validate`: one for each thing that can be right, wrong or odd, and the connector
//! about it. The partner NAME has the domain `NAME.example`, and most have one host, `mx.NAME.example`.

use std::fmt::Write;

use connectord::model::certificate::Certificate;
use openssl::ssl::{SslContext, SslMethod, SslVersion};

use crate::certificates::Authority;
use crate::dnssec::Signing;
use crate::exhibits::Signers;
use crate::forge::{CLIENT_AUTH, Form, Made, YEAR};
use crate::network::{partner_address, partner_address_v6};
use crate::partner::{Host, NOBODY, Starttls};
use crate::resolver::Zone;

/// Numbers of the partner's addresses at which nobody listens, and at which somebody does who
/// never says a word.
const CLOSED: u8 = 98;
pub const TARPIT: u8 = 99;

/// Where the policies of MTA-STS are.
pub const POLICIES: u8 = 97;

const DAY: i64 = 24 * 60 * 60;

/// Partners as they are settled.
pub struct Partners {
    pub hosts: Vec<Host>,
    pub zone: Zone,
    /// The connectors, as a configuration has them.
    pub connectors: String,
    /// The names of policy hosts, each with its policy.
    pub policies: Vec<(String, String)>,
    pub signers: Signers,
}

impl Partners {
    pub fn new(authority: &Authority) -> Partners {
        let signing = Signing { insecure: vec!["unsigned.example"], bogus: vec!["servfail.example"] };
        Partners {
            hosts: Vec::new(),
            zone: Zone::signed(signing),
            connectors: String::new(),
            policies: Vec::new(),
            signers: Signers::new(authority),
        }
    }

    /// Adds the partner with that name.
    pub fn settle(&mut self, name: &str) {
        let domain = format!("{name}.example");
        let mx = format!("mx.{domain}");
        let pin = |digest: String| {
            format!("tls = \"fingerprint\"\nfingerprints = [\"sha256:{}\"]\n", digest.replace(':', ""))
        };
        let mut keys = format!("tls = \"secure\"\nmatch = [\"{mx}\"]\n");
        match name {
            "second" => {
                self.presents("mx1.second.example", "mx1.second.example");
                self.presents("mx2.second.example", "mx.elsewhere.example");
                self.zone.record(&domain, "MX 10 mx1.second.example.");
                self.zone.record(&domain, "MX 20 mx2.second.example.");
                keys = "tls = \"secure\"\nmatch = [\"*.second.example\"]\n".to_owned();
            }
            "v6" => {
                self.presents(&mx, &mx);
                let bad = self.presents("other.v6.example", "mx.elsewhere.example");
                self.zone.address(&mx, partner_address_v6(bad));
                self.zone.mx(&domain, &mx);
            }
            "half" => {
                self.presents(&mx, &mx);
                self.zone.address(&mx, partner_address(CLOSED));
                self.zone.mx(&domain, &mx);
            }
            "away" | "tarpit" => {
                self.zone.address(&mx, partner_address(if name == "away" { CLOSED } else { TARPIT }));
                self.zone.mx(&domain, &mx);
            }
            "homeless" => {
                self.presents("mx1.homeless.example", "mx1.homeless.example");
                self.zone.record(&domain, "MX 10 mx1.homeless.example.");
                self.zone.record(&domain, "MX 20 mx2.homeless.example.");
                keys = "tls = \"secure\"\nmatch = \"domain\"\n".to_owned();
            }
            "null" => self.zone.record(&domain, "MX 0 ."),
            "nxdomain" => {}
            "nomx" => {
                self.presents(&domain, &domain);
                keys = format!("tls = \"secure\"\nmatch = [\"{domain}\"]\n");
            }
            "alias" => {
                self.presents("real.alias.example", &mx);
                self.zone.record(&mx, "CNAME real.alias.example.");
                self.zone.mx(&domain, &mx);
            }
            "smart" => {
                self.presents("a.smart.example", "a.smart.example");
                self.presents("b.smart.example", "b.smart.example");
                keys = "tls = \"secure\"\nmatch = [\"*.smart.example\"]\n\
                        route = [\"[a.smart.example]:587\", \"[b.smart.example]:2525\"]\n"
                    .to_owned();
            }
            "self-pinned" | "mispinned" => {
                let leaf = right(&mx).self_signed();
                let key = Certificate::from_der(&leaf.der()).unwrap().key_fingerprint().to_string();
                keys = pin(if name == "mispinned" { "00".repeat(32) } else { key });
                self.host(&mx, Starttls::Shows(server(&leaf, &[], None)));
                self.zone.mx(&domain, &mx);
            }
            "dane" | "danger" | "dane-renewed" | "secure-renewed" | "unsigned" => {
                let leaf = right(&mx).issued_by(&self.signers.root);
                let other = right(&mx).issued_by(&self.signers.root);
                let promised = if name.ends_with("renewed") { &other } else { &leaf };
                let key = Certificate::from_der(&promised.der()).unwrap().key_fingerprint().to_string();
                let place = format!("_25._tcp.{mx}");
                if name != "danger" {
                    self.zone.record(&place, &format!("TLSA 3 1 1 {}", key.replace(':', "")));
                }
                self.host(&mx, Starttls::Shows(server(&leaf, &[], None)));
                self.zone.mx(&domain, &mx);
                if name != "secure-renewed" {
                    keys = "tls = \"dane-only\"\n".to_owned();
                }
            }
            "covered" | "uncovered" => {
                self.presents(&mx, &mx);
                self.zone.mx(&domain, &mx);
                self.zone.record(&format!("_mta-sts.{domain}"), "TXT \"v=STSv1; id=20260101;\"");
                self.zone.address(&format!("mta-sts.{domain}"), partner_address(POLICIES));
                let pattern = if name == "covered" { "*.covered.example" } else { "mx.filter.example" };
                let policy =
                    format!("version: STSv1\r\nmode: enforce\r\nmx: {pattern}\r\nmax_age: 604800\r\n");
                self.policies.push((format!("mta-sts.{domain}"), policy));
            }
            _ => {
                let starttls = self.starttls(name, &mx);
                self.host(&mx, starttls);
                self.zone.mx(&domain, &mx);
                match name {
                    "wildcard" => keys = "tls = \"secure\"\nmatch = [\"*.wildcard.example\"]\n".to_owned(),
                    "plain" | "old" => keys = "tls = \"encrypt\"\n".to_owned(),
                    "may" => keys = "tls = \"may\"\n".to_owned(),
                    "below" => keys.push_str("route = \"mx\"\n"),
                    "picky" => keys.push_str(&format!("validate.recipients = [\"{NOBODY}@{domain}\"]\n")),
                    _ => {}
                }
                if name == "old" {
                    keys.push_str("protocols = \">=TLSv1.3\"\n");
                }
            }
        }
        let mode = if name == "off" { "off" } else { "enforce" };
        let dot = if name == "below" { "." } else { "" };
        write!(
            self.connectors,
            "[[outbound]]\nname = \"{name}\"\nmode = \"{mode}\"\ndomains = [\"{dot}{domain}\"]\n{keys}"
        )
        .unwrap();
    }

    /// What the one host of a partner does.
    fn starttls(&self, name: &str, mx: &str) -> Starttls {
        let Signers { root, inter, other } = &self.signers;
        let right = right(mx);
        let now = right.from + YEAR;
        let mut newest = None;
        let leaf = match name {
            "plain" | "may" => return Starttls::Absent,
            "refused" => return Starttls::Refused,
            "broken" => return Starttls::Broken,
            "wildcard" => Form::server(&["*.wildcard.example"]).issued_by(root),
            "self" => right.self_signed(),
            "stranger" => return Starttls::Shows(server(&right.issued_by(other), &[other], None)),
            "incomplete" => right.with_location("http://ca.lab.example/inter.crt").issued_by(inter),
            "expired" => Form { to: now - 3 * DAY, ..right }.issued_by(root),
            // An hour more, so that ten days it stays.
            "expiring" => Form { to: now + 10 * DAY + 3600, ..right }.issued_by(root),
            "future" => Form { from: now + DAY, ..right }.issued_by(root),
            "wrong" => Form::server(&["mx.filter.example"]).issued_by(root),
            "cn" => Form::named(&[mx]).issued_by(root),
            "client" => Form { purposes: Some(vec![CLIENT_AUTH]), ..right }.issued_by(root),
            "old" => {
                newest = Some(SslVersion::TLS1_2);
                right.issued_by(root)
            }
            // Of the name of "servfail" the resolver believes nothing.
            "good" | "off" | "below" | "picky" | "servfail" => right.issued_by(root),
            _ => panic!("no partner {name}"),
        };
        Starttls::Shows(server(&leaf, &[], newest))
    }

    /// A host with a certificate of the authority for a name; its number.
    fn presents(&mut self, host: &str, certified: &str) -> u8 {
        let leaf = right(certified).issued_by(&self.signers.root);
        self.host(host, Starttls::Shows(server(&leaf, &[], None)))
    }

    fn host(&mut self, name: &str, starttls: Starttls) -> u8 {
        let number = 10 + u8::try_from(self.hosts.len()).unwrap();
        assert!(number < POLICIES);
        self.hosts.push(Host { name: name.to_owned(), number, starttls });
        number
    }
}

fn right(name: &str) -> Form {
    Form::server(&[name])
}

/// A server that presents this.
pub fn server(leaf: &Made, behind: &[&Made], newest: Option<SslVersion>) -> SslContext {
    let mut context = SslContext::builder(SslMethod::tls_server()).unwrap();
    context.set_max_proto_version(newest).unwrap();
    context.set_certificate(&leaf.certificate).unwrap();
    context.set_private_key(&leaf.key).unwrap();
    for made in behind {
        context.add_extra_chain_cert(made.certificate.clone()).unwrap();
    }
    context.build()
}
