//! What each kind of connector does with each kind of partner when Exim delivers.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use crate::certificates::{Authority, Credentials, Subject};
use crate::exim::Exim;
use crate::grid::{Seen, compare, expected};
use crate::lab::Lab;
use crate::network::partner_address;
use crate::on_each_exim;
use crate::partner::{Host, Starttls};
use crate::resolver::Zone;
use crate::root::Release;

/// T delivered over TLS, P in plaintext, D deferred.
///
/// Rows, the partner's server: as in `outbound.rs`; `old` knows no TLS 1.3.
///
/// Columns, the connector: as in `outbound.rs`; `new` is `encrypt` with TLS 1.3 at least, `dane` is
/// `dane-only` without any TLSA record, `cipher` has a cipher grade, which no answer to Exim can
/// carry. `port` is `verify` through the partner's host as a smart host on port 587; `second` is
/// `secure` through a host with another name first, and `last` the same without a name of its own
/// but that of each host.
///
/// A broken handshake at `may` is tried again in plaintext, on another connection: that is Exim's
/// tls_tempfail_tryclear, and differs from Postfix, which waits first.
const EXPECTED: &str = "
            none report off may encrypt new verify exact suffix ca cert key another dane cipher port second
  mx        T    T      T   T   T       T   T      T     T      D  T    T   D       D    D      T    T
  wildcard  T    T      T   T   T       T   T      T     T      D  T    T   D       D    D      T    T
  domain    T    T      T   T   T       T   D      D     T      D  T    T   D       D    D      D    D
  cn        T    T      T   T   T       T   T      T     T      D  T    T   D       D    D      T    T
  wrong     T    T      T   T   T       T   D      D     D      D  T    T   D       D    D      D    D
  self      T    T      T   T   T       T   D      D     D      D  T    T   D       D    D      D    D
  expired   T    T      T   T   T       T   D      D     D      D  T    T   D       D    D      D    D
  unknown   T    T      T   T   T       T   D      D     D      T  T    T   D       D    D      D    D
  old       T    T      T   T   T       D   T      T     T      D  T    T   D       D    D      T    T
  no        P    P      P   P   D       D   D      D     D      D  D    D   D       D    D      D    D
  refused   P    P      P   P   D       D   D      D     D      D  D    D   D       D    D      D    D
  broken    P    P      P   P   D       D   D      D     D      D  D    D   D       D    D      D    D
";

/// The connectors that may let plaintext through.
const OPPORTUNISTIC: [&str; 4] = ["none", "report", "off", "may"];

/// The number of the host with another name, that of nobody.
const STRANGER: u8 = 60;

/// The certificate behind a row; rows without a working STARTTLS have one that is never seen.
fn credentials(row: &str, authority: &Authority, unknown: &Authority) -> Credentials {
    let mx = format!("mx.{row}.example");
    let names = [mx.as_str()];
    match row {
        "wildcard" => authority.issue(Subject::server(&["*.wildcard.example"])),
        "domain" => authority.issue(Subject::server(&["domain.example"])),
        "cn" => authority.issue(Subject { common_name: Some(&mx), ..Subject::server(&[]) }),
        "wrong" => authority.issue(Subject::server(&["mx.elsewhere.example"])),
        "self" => Subject::server(&names).self_signed(),
        "expired" => authority.issue(Subject { expired: true, ..Subject::server(&names) }),
        "unknown" => unknown.issue(Subject::server(&names)),
        _ => authority.issue(Subject::server(&names)),
    }
}

/// The keys of the connector for a cell; none for no connector.
fn connector(row: &str, column: &str, credentials: &Credentials) -> Option<String> {
    let secure = format!("tls = \"secure\"\nmatch = [\"mx.{row}.example\"]\n");
    let through = |level: &str, hosts: &str| format!("{level}route = [{hosts}]\n");
    let host = format!("\"[mx.{row}.example]:587\"");
    let both = format!("\"[a.second.{row}.example]:587\", \"[b.second.{row}.example]:587\"");
    let enforce = |keys: &str| Some(format!("mode = \"enforce\"\n{keys}"));
    let level = |word: &str| format!("tls = \"{word}\"\n");
    match column {
        "none" => None,
        "report" | "off" => Some(format!("mode = \"{column}\"\n{secure}")),
        "may" | "encrypt" | "verify" => enforce(&level(column)),
        "new" => enforce("tls = \"encrypt\"\nprotocols = \">=TLSv1.3\"\n"),
        "dane" => enforce(&level("dane-only")),
        "cipher" => enforce("tls = \"encrypt\"\nciphers = \"high\"\n"),
        "exact" => enforce(&secure),
        "suffix" => enforce(&format!("tls = \"secure\"\nmatch = [\"*.{row}.example\"]\n")),
        "ca" => enforce(&format!("{secure}ca_file = \"unknown-ca.pem\"\n")),
        "cert" => enforce(&pin(&credentials.certificate_digest())),
        "key" => enforce(&pin(&credentials.key_digest())),
        "another" => enforce("tls = \"fingerprint\"\ncertificates = [\"another.pem\"]\n"),
        "port" => enforce(&through(&level("verify"), &host)),
        "second" => enforce(&through(&secure, &both)),
        _ => panic!("no connector for the column {column}"),
    }
}

fn pin(digest: &str) -> String {
    format!("tls = \"fingerprint\"\nfingerprints = [\"sha256:{digest}\"]\n")
}

fn matrix(release: Release) {
    let table = expected(EXPECTED);
    let authority = Authority::new("Lab CA");
    let unknown = Authority::new("Unknown CA");
    let rows: BTreeSet<&str> = table.keys().map(|(row, _)| row.as_str()).collect();
    let mut zone = Zone::default();
    let mut hosts = Vec::new();
    let mut connectors = String::new();
    for (number, row) in (10..).zip(&rows) {
        let credentials = credentials(row, &authority, &unknown);
        let host = Host {
            name: format!("mx.{row}.example"),
            number,
            starttls: match *row {
                "no" => Starttls::Absent,
                "refused" => Starttls::Refused,
                "broken" => Starttls::Broken,
                "old" => Starttls::Works(credentials.server_of_tls_1_2()),
                _ => Starttls::Works(credentials.server()),
            },
        };
        zone.mx(&format!("*.{row}.example"), &host.name);
        hosts.push(host);
        // Smart hosts with names of their own: connectors that share one share its demands.
        zone.address(&format!("a.second.{row}.example"), partner_address(STRANGER));
        zone.address(&format!("b.second.{row}.example"), partner_address(number));
        for (_, column) in table.keys().filter(|(name, _)| name == row) {
            if let Some(keys) = connector(row, column, &credentials) {
                write!(
                    connectors,
                    "[[outbound]]\nname = \"{column}-{row}\"\ndomains = [\"{column}.{row}.example\"]\n{keys}"
                )
                .unwrap();
            }
        }
    }
    let stranger = authority.issue(Subject::server(&["mx.nobody.example"]));
    hosts.push(Host {
        name: "mx.stranger.example".to_owned(),
        number: STRANGER,
        starttls: Starttls::Works(stranger.server()),
    });

    let lab: Lab<Exim> = Lab::start(release, &authority, &hosts, zone, &[]);
    lab.site.write("unknown-ca.pem", &unknown.pem());
    let another = authority.issue(Subject::server(&["another.example"]));
    lab.site.write("another.pem", &another.pem());
    lab.site.configure(&connectors);
    let _daemon = lab.site.serve();

    let recipients: BTreeMap<_, _> =
        table.keys().map(|cell| (format!("user@{}.{}.example", cell.1, cell.0), cell.clone())).collect();
    let fates = lab.send(&recipients.keys().cloned().collect());
    for mail in lab.partner.mail().iter().filter(|mail| mail.tls.is_none()) {
        let column = &recipients[&mail.recipients[0]].1;
        assert!(OPPORTUNISTIC.contains(&column.as_str()), "in plaintext: {mail:?}");
    }
    let seen = fates
        .iter()
        .map(|(recipient, fate)| (recipients[recipient].clone(), Seen::new(fate.letter(), fate.note())))
        .collect();
    compare(&table, &seen);
    assert_eq!(lab.mta.panics(&lab.machine), "");
}

on_each_exim!(matrix);
