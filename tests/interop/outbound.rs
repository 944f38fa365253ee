//! What each kind of connector does with each kind of partner.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use crate::certificates::{Authority, Credentials, Subject};
use crate::grid::{Seen, compare, expected};
use crate::lab::Lab;
use crate::on_each_postfix;
use crate::partner::{Host, Starttls};
use crate::resolver::Zone;
use crate::root::Release;

/// T delivered over TLS, P in plaintext, D deferred.
///
/// Rows, the partner's server: its certificate has the `mx` name, a `wildcard`, the `domain`'s own
/// name only, the MX name as `cn` only, a `wrong` name; is `self`-signed, `expired`, of an
/// `unknown` CA; there is `no` STARTTLS, it is `refused`, the handshake is `broken`.
///
/// Columns, the connector: none, one in `report` mode that would demand `secure`, one that is
/// `off`; the levels; `secure` with the `exact` MX name, with `*.x` (`suffix`), with the name and a
/// `ca` file that has only the unknown CA; `fingerprint` of the partner's `cert` and of its `key`,
/// and of `another`'s certificate file.
///
/// A broken handshake at `may` is deferred at first: Postfix falls back to plaintext only when the
/// message has waited for `minimal_backoff_time`.
const EXPECTED: &str = "
            none report off may encrypt verify exact suffix ca cert key another
  mx        T    T      T   T   T       T      T     T      D  T    T   D
  wildcard  T    T      T   T   T       T      T     T      D  T    T   D
  domain    T    T      T   T   T       D      D     T      D  T    T   D
  cn        T    T      T   T   T       T      T     T      D  T    T   D
  wrong     T    T      T   T   T       D      D     D      D  T    T   D
  self      T    T      T   T   T       D      D     D      D  T    T   D
  expired   T    T      T   T   T       D      D     D      D  T    T   D
  unknown   T    T      T   T   T       D      D     D      T  T    T   D
  no        P    P      P   P   D       D      D     D      D  D    D   D
  refused   P    P      P   P   D       D      D     D      D  D    D   D
  broken    D    D      D   D   D       D      D     D      D  D    D   D
";

/// The connectors that may let plaintext through.
const OPPORTUNISTIC: [&str; 4] = ["none", "report", "off", "may"];

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
    let enforce = |keys: &str| Some(format!("mode = \"enforce\"\n{keys}"));
    match column {
        "none" => None,
        "report" | "off" => Some(format!("mode = \"{column}\"\n{secure}")),
        "may" | "encrypt" | "verify" => enforce(&format!("tls = \"{column}\"\n")),
        "exact" => enforce(&secure),
        "suffix" => enforce(&format!("tls = \"secure\"\nmatch = [\"*.{row}.example\"]\n")),
        "ca" => enforce(&format!("{secure}ca_file = \"unknown-ca.pem\"\n")),
        "cert" => enforce(&pin(&credentials.certificate_digest())),
        "key" => enforce(&pin(&credentials.key_digest())),
        "another" => enforce("tls = \"fingerprint\"\ncertificates = [\"another.pem\"]\n"),
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
                _ => Starttls::Works(credentials.server()),
            },
        };
        zone.mx(&format!("*.{row}.example"), &host.name);
        hosts.push(host);
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

    let lab: Lab = Lab::start(release, &authority, &hosts, zone, &[]);
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
}

on_each_postfix!(matrix);
