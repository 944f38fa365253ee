//! A report for people: on a terminal, in a mail, in a ticket.
//!
//! Plain text without colour. Lines end before column 100 where their words allow it; the name of a
//! host is never cut, because it is what somebody has to look for. Everything of a partner is
//! escaped and cut, so that no reply can forge a line. The reasons are written for the partner's
//! administrator; what SMTP or TLS said stands below them.

mod address;
mod lines;
#[cfg(test)]
mod tests;
mod total;

use std::collections::BTreeMap;

use lines::Lines;

use super::authorities;
use super::report::{AddressReport, ConnectorReport, Finding, Report, Verdict};
use super::sight;
use crate::protocol::escape::printable;

/// Characters of one text of a report before it is cut.
const TEXT: usize = 1000;

/// Hosts or names in a line before the rest is counted.
const SHOWN: usize = 3;

/// The domains of each connector in few words, for the head lines.
pub type Domains<'c> = BTreeMap<&'c str, String>;

/// The whole report.
pub fn report(report: &Report, domains: &Domains<'_>) -> String {
    let mut lines = Lines::default();
    for connector in &report.connectors {
        self::connector(&mut lines, connector, domains, report.trust(&connector.connector));
        lines.blank();
    }
    total::of(&mut lines, report);
    lines.finish()
}

/// One line for an address that was just tested.
pub fn progress(connector: &str, address: &AddressReport) -> String {
    let AddressReport { code, verdict, .. } = address;
    let place = address::place(address);
    let reason =
        if *verdict == Verdict::Pass { String::new() } else { format!(" ({})", printable(code, TEXT)) };
    format!("{}: {place}: {}{reason}", printable(connector, TEXT), short(*verdict))
}

fn connector(lines: &mut Lines, connector: &ConnectorReport, domains: &Domains<'_>, trust: &str) {
    let ConnectorReport { connector: name, level, .. } = connector;
    let about = domains.get(name.as_str()).filter(|domains| !domains.is_empty());
    let about = about.map_or_else(String::new, |domains| format!("; {domains}"));
    lines.wrapped("", 4, &format!("{name}: {} ({level}{about})", whole(connector)));
    for Finding { verdict, reason, detail, .. } in &connector.findings {
        let verdict = format!("  {:<address$}  ", short(*verdict), address = address::VERDICT);
        lines.wrapped(&verdict, address::INDENT, reason);
        address::detail(lines, detail);
    }
    address::all(lines, connector);
    for (label, told) in [
        ("DANE", told_once(&connector.addresses, dane)),
        ("MTA-STS", told_once(&connector.addresses, mta_sts)),
        ("revocation", told_once(&connector.addresses, revocation)),
    ] {
        if let Some(told) = told {
            lines.labelled(2, label, &told);
        }
    }
    if !trust.is_empty() && !connector.addresses.is_empty() {
        lines.labelled(2, "trust", &trusted(trust));
    }
    if let Some(strictest) = &connector.strictest {
        lines.labelled(2, "strictest", &format!("{strictest}, of what every address would pass today"));
    }
}

/// What can be said of a connector.
fn whole(connector: &ConnectorReport) -> &'static str {
    if sight::met_nobody(connector) {
        return "not tested";
    }
    match connector.verdict {
        Verdict::Pass => "passes",
        Verdict::Warn => "passes with warnings",
        Verdict::Fail => "fails",
    }
}

/// Whom the run trusted. Which authorities the MTA has is not known here.
fn trusted(trust: &str) -> String {
    if trust == authorities::SYSTEM {
        format!("{trust}; the MTA's own (smtp_tls_CAfile) must be the same")
    } else {
        trust.to_owned()
    }
}

/// For a line of the table.
fn short(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "passes",
        Verdict::Warn => "warning",
        Verdict::Fail => "fails",
    }
}

/// What is the same of all hosts is said once; what is not, with the hosts that it is true of.
fn told_once(addresses: &[AddressReport], tell: fn(&AddressReport) -> Option<String>) -> Option<String> {
    let mut told: Vec<(String, Vec<&str>)> = Vec::new();
    for address in addresses {
        let Some(words) = tell(address) else {
            continue;
        };
        match told.iter_mut().find(|(known, _)| *known == words) {
            Some((_, hosts)) if hosts.contains(&address.host.as_str()) => {}
            Some((_, hosts)) => hosts.push(&address.host),
            None => told.push((words, vec![&address.host])),
        }
    }
    match told.as_slice() {
        [] => None,
        [(words, _)] => Some(words.clone()),
        several => {
            let with_hosts = several.iter().map(|(words, hosts)| format!("{words} ({})", few(hosts)));
            Some(with_hosts.collect::<Vec<_>>().join("; "))
        }
    }
}

/// The first ones, and how many more.
fn few(items: &[&str]) -> String {
    let (shown, rest) = items.split_at(items.len().min(SHOWN));
    let more = if rest.is_empty() { String::new() } else { format!(" +{}", rest.len()) };
    format!("{}{more}", shown.join(", "))
}

fn dane(address: &AddressReport) -> Option<String> {
    let dane = address.dane.as_ref()?;
    let said = match (dane.present, dane.authenticated, dane.matches) {
        (false, _, _) => "no TLSA records",
        (true, false, _) => "TLSA records that DNSSEC does not authenticate: they count for nothing",
        (true, true, Some(true)) => "TLSA records match",
        (true, true, Some(false)) => "TLSA records do NOT match",
        (true, true, None) => "TLSA records, none of them usable",
    };
    Some(said.to_owned())
}

fn mta_sts(address: &AddressReport) -> Option<String> {
    let policy = address.mta_sts.as_ref()?;
    if !policy.found {
        return Some("no policy".to_owned());
    }
    let covers = match policy.covers {
        Some(true) => ", covers the host",
        Some(false) => ", does NOT cover the host",
        None => "",
    };
    Some(format!("mode {}{covers}", policy.mode.as_deref().unwrap_or("unknown")))
}

fn revocation(address: &AddressReport) -> Option<String> {
    (address.certificate.is_some() && !address.is_file()).then(|| address.revocation.clone())
}
