//! What inbound connectors require, what they do about a violation, and how they tell it.

use std::collections::{BTreeMap, BTreeSet};

use crate::grid::Cell;
use crate::network::{partner_address, partner_address_v6};
use crate::visitor::AGREED;

/// What connectors do about a violation: `report` is the mode.
pub const ACTIONS: [&str; 4] = ["reject", "defer", "hold", "report"];

/// The words of a violation, and the codes of a rejection and a deferral.
pub fn reply(violation: &str) -> (&'static str, &'static str, &'static str) {
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

/// The connectors that a table is about: one for each column and action, known by senders in
/// `COLUMN-ACTION.example`.
pub fn connectors(table: &BTreeMap<Cell, String>) -> String {
    let columns: BTreeSet<&str> = table.keys().map(|(_, column)| column.as_str()).collect();
    let each = |column| ACTIONS.map(|action| connector(column, action));
    columns.into_iter().flat_map(each).collect()
}

/// The same table with a column for each action. `outcome` knows what comes of column, action and
/// violation.
pub fn with_actions(
    table: &BTreeMap<Cell, String>,
    outcome: impl Fn(&str, &str, &str) -> String,
) -> BTreeMap<Cell, String> {
    let each = |((row, column), violation): (&Cell, &String)| {
        ACTIONS
            .map(|action| ((row.clone(), format!("{column}-{action}")), outcome(column, action, violation)))
    };
    table.iter().flat_map(each).collect()
}
