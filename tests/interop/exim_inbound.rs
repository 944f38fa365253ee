//! What each kind of client is told by each kind of inbound connector when Exim asks.

use std::collections::BTreeMap;

use crate::certificates::Authority;
use crate::exim::Exim;
use crate::grid::{Cell, Seen, compare, expected};
use crate::lab::Lab;
use crate::on_each_exim;
use crate::requirement::{ACTIONS, connectors, reply, with_actions};
use crate::resolver::Zone;
use crate::root::Release;
use crate::transaction::Transaction;
use crate::visitor::{Wallet, connect};

/// Which violation each client is told of; `ok`: none. Rows and columns as in `inbound.rs`.
///
/// What differs from Postfix is the row `san`: Exim hands over the whole certificate, so a name in
/// the SAN counts, and nobody is `unnamed`. The words are the same, but they come at MAIL, not at
/// RCPT, and without "Recipient address rejected" before them; and Exim cannot hold a mail, so
/// `hold` is told as `defer` is.
const EXPECTED: &str = "
               tls  min  names     files        both         addresses several
    plaintext  tls  tls  tls       tls          tls          address   tls
    tls12      ok   old  none      none         none         address   old
    anonymous  ok   ok   none      none         none         address   none
    right      ok   ok   ok        unregistered ok           address   address
    other      ok   ok   name      unregistered name         address   name
    san        ok   ok   ok        ok           ok           address   address
    self       ok   ok   untrusted unregistered unregistered address   untrusted
    expired    ok   ok   untrusted unregistered unregistered address   untrusted
    registered ok   ok   untrusted ok           ok           address   untrusted
    renewed    ok   ok   untrusted ok           ok           address   untrusted
    server     ok   ok   untrusted ok           ok           address   untrusted
    agreed     tls  tls  tls       tls          tls          ok        tls
    agreed6    tls  tls  tls       tls          tls          ok        tls
    all        ok   ok   ok        unregistered ok           ok        ok
";

/// What the client is told, and at which command.
fn outcome(column: &str, action: &str, violation: &str) -> String {
    if violation == "ok" || action == "report" {
        return "taken".to_owned();
    }
    let (reject, defer, text) = reply(violation);
    let code = if action == "reject" { reject } else { defer };
    format!("MAIL {code} connector {column}-{action}: {text}")
}

fn requirements(release: Release) {
    let table = expected(EXPECTED);
    let authority = Authority::new("Lab CA");
    let wallet = Wallet::new(&authority);
    // A refusal at RCPT would be followed by RSET.
    let settings = ["queue_only", "smtp_accept_max_nonmail = 1000"];
    let lab: Lab<Exim> = Lab::start(release, &authority, &[], Zone::default(), &settings);
    for (name, credentials) in &wallet.0 {
        lab.site.write(&format!("{name}.pem"), &credentials.pem());
    }
    lab.site.configure(&connectors(&table));
    let _daemon = lab.site.serve();

    let mut rows: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (row, column) in table.keys() {
        rows.entry(row).or_default().push(column);
    }
    let mut seen: BTreeMap<Cell, Seen> = BTreeMap::new();
    for (row, columns) in &rows {
        let mut client = connect(&lab, &wallet.visitor(row));
        for (column, action) in columns.iter().flat_map(|column| ACTIONS.map(|action| (column, action))) {
            let sender = format!("bob@{column}-{action}.example");
            let fate = Transaction::new(&sender, &["carol@ours.example"]).run(&mut client);
            seen.insert(((*row).to_owned(), format!("{column}-{action}")), Seen::new(fate, ""));
        }
    }
    compare(&with_actions(&table, outcome), &seen);
    assert_eq!(lab.mta.panics(&lab.machine), "");
}

on_each_exim!(requirements);
