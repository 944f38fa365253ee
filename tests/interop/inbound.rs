//! What each kind of client is told by each kind of inbound connector.

use std::collections::BTreeMap;

use crate::certificates::Authority;
use crate::client::queue_id;
use crate::grid::{Cell, Seen, compare, expected};
use crate::lab::{Lab, Mta as _};
use crate::on_each_postfix;
use crate::requirement::{ACTIONS, connectors, reply, with_actions};
use crate::resolver::Zone;
use crate::root::Release;
use crate::visitor::{Wallet, connect};

/// Which violation each client is told of; `ok`: none.
///
/// Rows, the client: in `plaintext`; with TLS 1.2 (`tls12`) or 1.3 (`anonymous`) and no
/// certificate; with a trusted certificate with the `right` or an`other` CN, or with the right SAN
/// and no CN (`san`); with a `self`-signed one, an `expired` one; with a `registered` one of a CA
/// that nobody here knows; with a `renewed` one of the same key; with a trusted one for `server`s
/// only; in plaintext from an `agreed` address, in both families; with `all` that is asked for.
///
/// Columns, the requirement: `tls`; a `min`imum version; certificate `names`; registered `files`;
/// `both` of them; `addresses`; `several` together.
const EXPECTED: &str = "
               tls  min  names     files        both         addresses several
    plaintext  tls  tls  tls       tls          tls          address   tls
    tls12      ok   old  none      none         none         address   old
    anonymous  ok   ok   none      none         none         address   none
    right      ok   ok   ok        unregistered ok           address   address
    other      ok   ok   name      unregistered name         address   name
    san        ok   ok   unnamed   ok           ok           address   unnamed
    self       ok   ok   untrusted unregistered unregistered address   untrusted
    expired    ok   ok   untrusted unregistered unregistered address   untrusted
    registered ok   ok   untrusted ok           ok           address   untrusted
    renewed    ok   ok   untrusted ok           ok           address   untrusted
    server     ok   ok   untrusted ok           ok           address   untrusted
    agreed     tls  tls  tls       tls          tls          ok        tls
    agreed6    tls  tls  tls       tls          tls          ok        tls
    all        ok   ok   ok        unregistered ok           ok        ok
";

/// What the client is told, or what becomes of its mail.
fn outcome(column: &str, action: &str, violation: &str) -> String {
    if violation == "ok" || action == "report" {
        return "taken".to_owned();
    }
    let (reject, defer, text) = reply(violation);
    let code = match action {
        "hold" => return "held".to_owned(),
        "defer" => defer,
        _ => reject,
    };
    format!("{code} <carol@ours.example>: Recipient address rejected: connector {column}-{action}: {text}")
}

fn x4_requirements(release: Release) {
    let table = expected(EXPECTED);
    let authority = Authority::new("Lab CA");
    let wallet = Wallet::new(&authority);
    let lab: Lab = Lab::start(release, &authority, &[], Zone::default(), &[]);
    let mut rows: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (row, column) in table.keys() {
        rows.entry(row).or_default().push(column);
    }
    for (name, credentials) in &wallet.0 {
        lab.site.write(&format!("{name}.pem"), &credentials.pem());
    }
    lab.site.configure(&connectors(&table));
    let _daemon = lab.site.serve();

    let mut replies: BTreeMap<Cell, String> = BTreeMap::new();
    for (row, columns) in &rows {
        let mut client = connect(&lab, &wallet.visitor(row));
        for (column, action) in columns.iter().flat_map(|column| ACTIONS.map(|action| (column, action))) {
            client.expect("250", &format!("MAIL FROM:<bob@{column}-{action}.example>"));
            let mut reply = client.ask("RCPT TO:<carol@ours.example>");
            if reply.starts_with("250") {
                reply = client.data();
            } else {
                client.expect("250", "RSET");
            }
            replies.insert(((*row).to_owned(), format!("{column}-{action}")), reply);
        }
    }
    let held: Vec<String> = lab
        .mta
        .queue(&lab.machine)
        .into_iter()
        .filter(|queued| queued.queue == "hold")
        .map(|queued| queued.id)
        .collect();
    let seen = replies
        .into_iter()
        .map(|(cell, reply)| match queue_id(&reply) {
            Some(id) if held.iter().any(|held| held == id) => (cell, Seen::new("held", "")),
            Some(_) => (cell, Seen::new("taken", "")),
            None => (cell, Seen::new(reply, "")),
        })
        .collect();
    compare(&with_actions(&table, outcome), &seen);
}

on_each_postfix!(x4_requirements);
