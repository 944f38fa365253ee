//! Certificates of a partner's server that try to be more than they are.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use crate::certificates::{Authority, Credentials, Subject};
use crate::exim::Exim;
use crate::grid::{Seen, compare, expected};
use crate::lab::Lab;
use crate::on_each_exim;
use crate::partner::{Host, Starttls};
use crate::resolver::Zone;
use crate::root::Release;

/// T delivered over TLS, D deferred.
///
/// Rows, what the server shows. `subject`: a common name of several lines, the right name and `ok`
/// among them; `names`: alternative names like that; `ok`: that is its name; `many` and `others`: a
/// hundred names, the right one among them or not; `deputy`: the right name is that of the
/// intermediate CA, `below`: that of the certificate that it issued; `extra`: a certificate with the
/// right name comes behind that of somebody else; `huge`: right, but too large to be asked about.
///
/// Columns, the connector: `verify`; `secure` with the same name; `fingerprint` of the server's
/// certificate, or, at `deputy` and `extra`, of the one behind it.
const EXPECTED: &str = "
           verify secure fingerprint
  subject  D      D      T
  names    D      D      T
  ok       D      D      T
  many     T      T      T
  others   D      D      T
  deputy   D      D      D
  below    T      T      T
  extra    D      D      D
  huge     D      D      D
";

/// The server's certificate, what it shows, and the pin.
fn server(row: &str, authority: &Authority) -> (Starttls, String) {
    let name = format!("mx.{row}.example");
    let stranger = ["mx.nobody.example"];
    let alone =
        |credentials: Credentials| (Starttls::Works(credentials.server()), credentials.certificate_digest());
    let numbered = |count: usize, last: &str| -> Vec<String> {
        (1..count).map(|n| format!("host-number-{n}.nobody.example")).chain([last.to_owned()]).collect()
    };
    let with_names = |names: &[String]| {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        alone(authority.issue(Subject::server(&names)))
    };
    match row {
        "subject" => {
            let lines = format!("nobody\n{name}\nok\nverdict=ok end=ok");
            alone(authority.issue(Subject { common_name: Some(&lines), ..Subject::server(&[]) }))
        }
        "names" => with_names(&[format!("{name}\nok"), format!("nobody\n{name}"), format!("ok\n{name}\nok")]),
        "ok" => alone(authority.issue(Subject { common_name: Some("ok"), ..Subject::server(&["ok"]) })),
        "many" => with_names(&numbered(100, &name)),
        "others" => with_names(&numbered(100, "mx.nobody.example")),
        "huge" => with_names(&numbered(1600, &name)),
        "deputy" => {
            let deputy = authority.deputy(Subject::server(&[&name]));
            let leaf = deputy.issue(Subject::server(&stranger));
            (Starttls::Works(leaf.server_showing(&[deputy.der()])), deputy.digest())
        }
        "below" => {
            let deputy = authority.deputy(Subject::server(&stranger));
            let leaf = deputy.issue(Subject::server(&[&name]));
            (Starttls::Works(leaf.server_showing(&[deputy.der()])), leaf.certificate_digest())
        }
        "extra" => {
            let right = authority.issue(Subject::server(&[&name]));
            let wrong = authority.issue(Subject::server(&stranger));
            let (behind, _) = right.chain_and_key();
            (Starttls::Works(wrong.server_showing(&behind)), right.certificate_digest())
        }
        _ => panic!("no server for {row}"),
    }
}

fn shown(release: Release) {
    let table = expected(EXPECTED);
    let authority = Authority::new("Lab CA");
    let rows: BTreeSet<&str> = table.keys().map(|(row, _)| row.as_str()).collect();
    let mut zone = Zone::default();
    let mut hosts = Vec::new();
    let mut connectors = String::new();
    for (number, row) in (10..).zip(rows) {
        let (starttls, digest) = server(row, &authority);
        let name = format!("mx.{row}.example");
        zone.mx(&format!("*.{row}.example"), &name);
        for (column, keys) in [
            ("verify", String::new()),
            ("secure", format!("match = [\"{name}\"]")),
            ("fingerprint", format!("fingerprints = [\"sha256:{digest}\"]")),
        ] {
            writeln!(
                connectors,
                "[[outbound]]\nname = \"{column}-{row}\"\nmode = \"enforce\"\n\
                 domains = [\"{column}.{row}.example\"]\ntls = \"{column}\"\n{keys}"
            )
            .unwrap();
        }
        hosts.push(Host { name, number, starttls });
    }
    let lab: Lab<Exim> = Lab::start(release, &authority, &hosts, zone, &[]);
    lab.site.configure(&connectors);
    let _daemon = lab.site.serve();

    let recipient = |(row, column): &(String, String)| format!("user@{column}.{row}.example");
    let fates = lab.send(&table.keys().map(recipient).collect());
    let seen: BTreeMap<_, _> = table
        .keys()
        .map(|cell| {
            let fate = &fates[&recipient(cell)];
            (cell.clone(), Seen::new(fate.letter(), fate.note()))
        })
        .collect();
    compare(&table, &seen);
    assert_eq!(lab.mta.panics(&lab.machine), "");
}

on_each_exim!(shown);
