//! What each kind of client is told by each kind of inbound connector.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::IpAddr;
use std::sync::Arc;

use rustls::version::{TLS12, TLS13};
use rustls::{ALL_VERSIONS, ClientConfig};

use crate::certificates::{Authority, Credentials, Purpose, Subject};
use crate::client::{Client, queue_id, tls};
use crate::grid::{Cell, Seen, compare, expected};
use crate::lab::{Lab, Mta as _};
use crate::network::{OURS, OURS_V6, partner_address, partner_address_v6};
use crate::on_each_postfix;
use crate::resolver::Zone;
use crate::root::Release;

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

/// The last number of the agreed addresses, and of others.
const AGREED: u8 = 66;
const ELSEWHERE: u8 = 77;

/// What connectors do about a violation: `report` is the mode.
const ACTIONS: [&str; 4] = ["reject", "defer", "hold", "report"];

/// The words of a violation, and the codes of a rejection and a deferral.
fn reply(violation: &str) -> (&'static str, &'static str, &'static str) {
    const TLS: (&str, &str) = ("530 5.7.0", "450 4.7.0");
    const OTHER: (&str, &str) = ("550 5.7.1", "450 4.7.1");
    let ((reject, defer), text) = match violation {
        "tls" => (TLS, "TLS is required"),
        "old" => (TLS, "TLSv1.3 or newer is required, TLSv1.2 was used"),
        "none" => (OTHER, "no client certificate was presented"),
        "untrusted" => (OTHER, "client certificate is not trusted"),
        "unregistered" => (OTHER, "client certificate is not registered"),
        "unnamed" => (OTHER, "client certificate shows no name, *.contoso.example is required"),
        "name" => (OTHER, "certificate name mail.elsewhere.example does not match *.contoso.example"),
        "address" => (OTHER, "client address is not in the agreed ranges"),
        _ => panic!("no violation is called {violation}"),
    };
    (reject, defer, text)
}

/// The keys of the requirement in a column.
fn requirement(column: &str) -> String {
    let version = "require.tls = \">=TLSv1.3\"\n";
    let names = "require.certificate.names = [\"*.contoso.example\"]\n";
    let files =
        "require.certificate.files = [\"registered.pem\", \"san.pem\", \"server.pem\", \"other.pem\"]\n";
    let without_other = "require.certificate.files = [\"registered.pem\", \"san.pem\", \"server.pem\"]\n";
    let addresses = format!(
        "require.addresses = [\"{}/32\", \"{}/128\"]\n",
        partner_address(AGREED),
        partner_address_v6(AGREED)
    );
    match column {
        "tls" => "require.tls = true\n".to_owned(),
        "min" => version.to_owned(),
        "names" => names.to_owned(),
        "files" => without_other.to_owned(),
        "both" => format!("{names}{files}"),
        "addresses" => addresses,
        "several" => format!("{version}{names}{addresses}"),
        _ => panic!("no requirement is called {column}"),
    }
}

fn connector(column: &str, action: &str) -> String {
    let (mode, on_violation) = match action {
        "report" => ("report", "reject"),
        action => ("enforce", action),
    };
    format!(
        "[[inbound]]\nname = \"{column}-{action}\"\nmode = \"{mode}\"\n\
         identify.domains = [\"{column}-{action}.example\"]\n\
         on_violation = \"{on_violation}\"\n{}",
        requirement(column)
    )
}

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

/// A client: where from, and with what TLS, if any.
struct Visitor {
    source: IpAddr,
    tls: Option<Arc<ClientConfig>>,
}

/// The certificates that clients show or the administrator has registered.
struct Wallet(BTreeMap<&'static str, Credentials>);

impl Wallet {
    fn new(authority: &Authority) -> Wallet {
        let stranger = Authority::new("Unknown CA");
        let right = Subject::client(&"mail.contoso.example");
        let registered = stranger.issue(right);
        let renewed = stranger.renew(right, &registered);
        let expired = Subject { expired: true, ..right };
        let san = Subject { common_name: None, ..right };
        let server = Subject { purpose: Purpose::Server, ..right };
        Wallet(BTreeMap::from([
            ("right", authority.issue(right)),
            ("other", authority.issue(Subject::client(&"mail.elsewhere.example"))),
            ("san", authority.issue(san)),
            ("self", right.self_signed()),
            ("expired", authority.issue(expired)),
            ("registered", registered),
            ("renewed", renewed),
            ("server", authority.issue(server)),
        ]))
    }

    fn visitor(&self, row: &str) -> Visitor {
        let elsewhere = partner_address(ELSEWHERE);
        match row {
            "plaintext" => Visitor { source: elsewhere, tls: None },
            "agreed" => Visitor { source: partner_address(AGREED), tls: None },
            "agreed6" => Visitor { source: partner_address_v6(AGREED), tls: None },
            "tls12" => Visitor { source: elsewhere, tls: Some(tls(None, &[&TLS12])) },
            "anonymous" => Visitor { source: elsewhere, tls: Some(tls(None, &[&TLS13])) },
            "all" => {
                Visitor { source: partner_address(AGREED), tls: Some(tls(self.0.get("right"), ALL_VERSIONS)) }
            }
            row => Visitor { source: elsewhere, tls: Some(tls(Some(&self.0[row]), ALL_VERSIONS)) },
        }
    }
}

/// Connects as `visitor`, up to the second EHLO.
fn connect(lab: &Lab, visitor: &Visitor) -> Client {
    let destination = match visitor.source {
        IpAddr::V4(_) => IpAddr::V4(OURS),
        IpAddr::V6(_) => IpAddr::V6(OURS_V6),
    };
    let mut client = Client::connect(&lab.network.partner, visitor.source, destination);
    client.expect("250", "EHLO mail.contoso.example");
    if let Some(config) = &visitor.tls {
        client = client.starttls(config);
        client.expect("250", "EHLO mail.contoso.example");
    }
    client
}

fn requirements(release: Release) {
    let table = expected(EXPECTED);
    let authority = Authority::new("Lab CA");
    let wallet = Wallet::new(&authority);
    let lab: Lab = Lab::start(release, &authority, &[], Zone::default(), &[]);
    let mut connectors = String::new();
    let mut rows: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (row, column) in table.keys() {
        rows.entry(row).or_default().push(column);
    }
    for (column, action) in rows["all"].iter().flat_map(|column| ACTIONS.map(|action| (column, action))) {
        writeln!(connectors, "{}", connector(column, action)).unwrap();
    }
    for (name, credentials) in &wallet.0 {
        lab.site.write(&format!("{name}.pem"), &credentials.pem());
    }
    lab.site.configure(&connectors);
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
    let wanted = table
        .iter()
        .flat_map(|((row, column), violation)| {
            ACTIONS.map(|action| {
                let cell = (row.clone(), format!("{column}-{action}"));
                (cell, outcome(column, action, violation))
            })
        })
        .collect();
    compare(&wanted, &seen);
}

on_each_postfix!(requirements);
