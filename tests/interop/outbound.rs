//! What each kind of connector does with each kind of partner, when Postfix delivers and when Exim
//! does: one table for both, from the same connector file.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use crate::certificates::{Authority, Credentials, Purpose, Subject};
use crate::exim::Exim;
use crate::grid::{Cell, Seen, compare, expected};
use crate::lab::{Lab, Mta};
use crate::network::partner_address;
use crate::partner::{Host, Starttls};
use crate::postfix::Postfix;
use crate::resolver::Zone;
use crate::root::Release;
use crate::{on_each_exim, on_each_postfix};

/// T delivered over TLS, P in plaintext, D deferred; `D/P`: what Postfix does, then what Exim does.
///
/// Rows, the partner's server: its certificate has the `mx` name, a `wildcard`, the `domain`'s own
/// name only, the MX name as `cn` only, a `wrong` name; is `self`-signed, `expired`, of an
/// `unknown` CA, is for a `client` only; the server is `old` and knows no TLS 1.3; there is `no`
/// STARTTLS, it is `refused`, the handshake is `broken`.
///
/// Columns, the connector: none, one in `report` mode that would demand `secure`, one that is
/// `off`; the levels, `new` being `encrypt` with TLS 1.3 at least; `secure` with the `exact` MX
/// name, with `*.x` (`suffix`), with the name and a `ca` file that has only the unknown CA;
/// `fingerprint` of the partner's `cert` and of its `key`, and of `another`'s certificate file;
/// `dane-only` where nobody has TLSA records (`dane`); `encrypt` with a `cipher` grade; `verify`
/// through a smart host on another `port`, and through a `bare` one without MX records, and `secure`
/// through two of which only the `second` is the right one.
///
/// Where they differ:
///
/// * After a broken handshake that no connector forbids, Postfix falls back to plaintext only when
///   the message has waited for `minimal_backoff_time`; Exim does so at once, on another
///   connection (`tls_tempfail_tryclear`).
/// * No answer to Exim can carry a cipher grade, so it is told to wait.
const EXPECTED: &str = "
            none report off may encrypt new verify exact suffix ca cert key another dane cipher port bare second
  mx        T    T      T   T   T       T   T      T     T      D  T    T   D       D    T/D    T    T    T
  wildcard  T    T      T   T   T       T   T      T     T      D  T    T   D       D    T/D    T    T    T
  domain    T    T      T   T   T       T   D      D     T      D  T    T   D       D    T/D    D    D    D
  cn        T    T      T   T   T       T   T      T     T      D  T    T   D       D    T/D    T    T    T
  wrong     T    T      T   T   T       T   D      D     D      D  T    T   D       D    T/D    D    D    D
  self      T    T      T   T   T       T   D      D     D      D  T    T   D       D    T/D    D    D    D
  expired   T    T      T   T   T       T   D      D     D      D  T    T   D       D    T/D    D    D    D
  unknown   T    T      T   T   T       T   D      D     D      T  T    T   D       D    T/D    D    D    D
  client    T    T      T   T   T       T   D      D     D      D  T    T   D       D    T/D    D    D    D
  old       T    T      T   T   T       D   T      T     T      D  T    T   D       D    T/D    T    T    T
  no        P    P      P   P   D       D   D      D     D      D  D    D   D       D    D      D    D    D
  refused   P    P      P   P   D       D   D      D     D      D  D    D   D       D    D      D    D    D
  broken    D/P  D/P    D/P D/P D       D   D      D     D      D  D    D   D       D    D      D    D    D
";

/// The connectors that may let plaintext through.
const OPPORTUNISTIC: [&str; 4] = ["none", "report", "off", "may"];

/// The number of the smart host with a name of nobody's.
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
        "client" => authority.issue(Subject { purpose: Purpose::Client, ..Subject::server(&names) }),
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
        "bare" => enforce(&through(&level("verify"), &format!("\"mx.{row}.example\""))),
        "second" => enforce(&through(&secure, &both)),
        _ => panic!("no connector for the column {column}"),
    }
}

fn pin(digest: &str) -> String {
    format!("tls = \"fingerprint\"\nfingerprints = [\"sha256:{digest}\"]\n")
}

/// The table as one of the two has it: the first or the second word of a cell that has two.
fn table(pick: impl for<'c> Fn((&'c str, &'c str)) -> &'c str) -> BTreeMap<Cell, String> {
    let cells = expected(EXPECTED);
    let one = |word: String| word.split_once('/').map(&pick).map(str::to_owned).unwrap_or(word);
    cells.into_iter().map(|(cell, word)| (cell, one(word))).collect()
}

fn matrix<M: Mta>(release: Release, table: &BTreeMap<Cell, String>, settings: &[&str]) -> Lab<M> {
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

    let lab: Lab<M> = Lab::start(release, &authority, &hosts, zone, settings);
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
    compare(table, &seen);
    lab
}

fn x1_with_postfix(release: Release) {
    // The smart hosts are in the transport map.
    let route = "transport_maps=socketmap:unix:connectord/socketmap.sock:transport";
    let dane = "smtp_dns_support_level=dnssec";
    let _lab: Lab<Postfix> = matrix(release, &table(|(postfix, _)| postfix), &[route, dane]);
}

fn x5_with_exim(release: Release) {
    let lab: Lab<Exim> = matrix(release, &table(|(_, exim)| exim), &[]);
    assert_eq!(lab.mta.panics(&lab.machine), "");
}

on_each_postfix!(x1_with_postfix);
on_each_exim!(x5_with_exim);
