//! `list`: the table, and its JSON.

use crate::bench::{Bench, CONFIGURATION, assert_keys};

const KEYS: [&str; 9] =
    ["name", "direction", "mode", "domains", "tls", "route", "validated", "comment", "contact"];

#[test]
fn the_table_is_aligned() {
    let bench = Bench::new(CONFIGURATION);
    let table = bench.run(&["list"]).expect(0).stdout;
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 7, "{table}");
    assert_eq!(
        lines[0].split_whitespace().collect::<Vec<_>>(),
        ["NAME", "DIRECTION", "MODE", "VALIDATED", "DOMAINS", "TLS", "ROUTE"]
    );
    let column = |title: &str| lines[0].find(title).unwrap();
    let bank = lines[1];
    assert!(bank.starts_with("contoso-bank "), "{table}");
    assert!(bank[column("DIRECTION")..].starts_with("outbound  "), "{table}");
    assert!(bank[column("MODE")..].starts_with("enforce  "), "{table}");
    assert!(bank[column("VALIDATED")..].starts_with("never  "), "{table}");
    assert!(lines[5][column("VALIDATED")..].starts_with("-  "), "nothing to validate: {table}");
    assert!(
        bank[column("DOMAINS")..].starts_with("*.contoso.com, contoso.net, xn--bcher-kva.example +1  "),
        "{table}"
    );
    assert!(bank[column("TLS")..].starts_with("secure, *.contoso.com  "), "{table}");
    assert_eq!(&bank[column("ROUTE")..], "[mail.contoso.com]:587, [192.0.2.7]");
    assert!(lines.iter().all(|line| !line.ends_with(' ')), "{table}");
}

#[test]
fn json_has_every_connector_whole() {
    let bench = Bench::new(CONFIGURATION);
    let json = bench.run(&["list", "--json"]).expect(0).json();
    let entries = json.as_array().unwrap();
    let summary: Vec<[&str; 3]> = entries
        .iter()
        .map(|entry| ["name", "direction", "mode"].map(|key| entry[key].as_str().unwrap()))
        .collect();
    assert_eq!(
        summary,
        [
            ["contoso-bank", "outbound", "enforce"],
            ["contoso-trial", "outbound", "report"],
            ["everyone", "outbound", "enforce"],
            ["not-yet", "outbound", "off"],
            ["contoso-bank-in", "inbound", "enforce"],
            ["contoso-in-trial", "inbound", "report"],
        ]
    );
    for entry in entries {
        assert_keys(entry, &KEYS, &["addresses", "requirement", "validation"]);
        assert!(entry["validated"].is_null(), "{entry}");
    }
    let bank = &entries[0];
    assert_eq!(
        bank["domains"],
        serde_json::json!(["*.contoso.com", "contoso.net", "xn--bcher-kva.example", "contoso.org"])
    );
    assert_eq!(bank["tls"], "secure");
    assert_eq!(bank["route"], "[mail.contoso.com]:587, [192.0.2.7]");
    assert_eq!(bank["comment"], "agreement 2026-114");
    assert_eq!(bank["contact"], "mail-ops@contoso.com");
    assert_eq!(entries[1]["route"], "mx");
    assert!(entries[1]["comment"].is_null());
    assert_eq!(entries[4]["tls"], ">=TLSv1.2");
    assert_eq!(entries[4]["addresses"], serde_json::json!(["203.0.113.0/24"]));
    assert_eq!(entries[5]["tls"], "true");
}
