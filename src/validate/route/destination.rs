//! Where a connector's mail goes: the domains to look at, or its smart hosts. Pure.

use std::collections::HashSet;

use crate::model::outbound::Route;
use crate::model::{Domain, NextHop, Outbound, Pattern};
use crate::validate::report::{Finding, Verdict};

/// Domains of one connector that are looked at; the others are counted and said. Ours: each takes
/// several questions and connections.
pub const MAX_DOMAINS: usize = 1000;

/// What Postfix calls a next-hop destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// A recipient domain, by its MX records.
    Domain(Domain),
    /// These, whatever the recipient domain, one after the other.
    SmartHosts(Vec<NextHop>),
}

/// The destinations of a connector, in the order written, and what cannot be looked at.
pub fn destinations(connector: &Outbound) -> (Vec<Destination>, Vec<Finding>) {
    if let Route::SmartHosts(hosts) = &connector.route {
        return (vec![Destination::SmartHosts(hosts.clone())], Vec::new());
    }
    let mut findings = Vec::new();
    let mut seen = HashSet::new();
    let mut domains = Vec::new();
    let mut left_out = 0_usize;
    let (mut without, mut with_names_below) = (Vec::new(), Vec::new());
    for pattern in connector.domains.iter() {
        if matches!(pattern, Pattern::Tree(_)) {
            with_names_below.push(pattern);
        }
        match pattern {
            Pattern::Exact(name) | Pattern::Tree(name) => {
                if connector.except.covers_name(name) || !seen.insert(name) {
                    continue;
                }
                match Domain::parse(name) {
                    Ok(domain) if domains.len() < MAX_DOMAINS => domains.push(Destination::Domain(domain)),
                    Ok(_) | Err(_) => left_out += 1,
                }
            }
            Pattern::Below(_) | Pattern::Any => without.push(pattern),
        }
    }
    if let Some(patterns) = in_few_words(&with_names_below) {
        findings.push(Finding::new(
            Verdict::Pass,
            "names-below",
            format!(
                "Of {patterns} the domain itself was looked at. Names below it have MX records of their own; those of \
                 an address are looked at with --recipient ADDRESS."
            ),
            "",
        ));
    }
    if let Some(patterns) = in_few_words(&without) {
        findings.push(Finding::new(
            Verdict::Warn,
            "no-domain-to-test",
            format!("The pattern {patterns} names no domain of its own, so its mail was not tested."),
            "Add a domain that is covered by it to `domains` to have it tested.",
        ));
    }
    if left_out > 0 {
        let reason = format!("Only the first {MAX_DOMAINS} domains were tested, {left_out} were not.");
        findings.push(Finding::new(Verdict::Warn, "too-many-domains", reason, ""));
    }
    if domains.is_empty() && without.is_empty() && left_out == 0 {
        let reason = "Every domain of the connector is excepted, so nothing was tested.";
        findings.push(Finding::new(Verdict::Warn, "no-domain-to-test", reason, ""));
    }
    (domains, findings)
}

/// The first of these, and how many there are besides; `None` for none.
fn in_few_words(patterns: &[Pattern<&str>]) -> Option<String> {
    let first = patterns.first()?;
    Some(match patterns.len() {
        1 => first.to_string(),
        count => format!("{first} and {} more", count - 1),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::model::PatternSet;
    use crate::model::sample::{outbound, patterns, smart_hosts};

    #[test]
    fn domains_of_patterns() {
        type Row<'a> = (&'a [&'a str], &'a [&'a str], &'a [&'a str], &'a [&'a str]);
        let untested: &[&str] = &["no-domain-to-test"];
        let below: &[&str] = &["names-below"];
        let table: [Row<'_>; 8] = [
            (&["a.example"], &[], &["a.example"], &[]),
            (&["*.a.example"], &[], &["a.example"], below),
            (&["a.example", "*.a.example", "b.example"], &[], &["a.example", "b.example"], below),
            (&[".a.example"], &[], &[], untested),
            (&["*"], &[], &[], untested),
            (&["a.example", ".b.example", ".c.example"], &[], &["a.example"], untested),
            (&["*.a.example", "b.example"], &["a.example"], &["b.example"], below),
            (&["*.a.example"], &["a.example"], &[], &["names-below", "no-domain-to-test"]),
        ];
        for (domains, except, expected, codes) in table {
            let mut connector = outbound("a", domains, "encrypt");
            connector.except = PatternSet::new(patterns(except));
            let (destinations, findings) = super::destinations(&connector);
            let domain = |name: &&str| Destination::Domain(Domain::parse(name).unwrap());
            assert_eq!(destinations, expected.iter().map(domain).collect::<Vec<_>>(), "{domains:?}");
            assert_eq!(findings.iter().map(|f| f.code.as_str()).collect::<Vec<_>>(), codes, "{domains:?}");
            assert!(findings.iter().all(|f| (f.verdict == Verdict::Pass) == (f.code == "names-below")));
        }
    }

    #[test]
    fn smart_hosts_need_no_domain() {
        let mut connector = outbound("a", &[".a.example"], "encrypt");
        connector.route = smart_hosts(&["[mx.example]:587"]);
        let hosts = connector.route.smart_hosts().to_vec();
        assert_eq!(super::destinations(&connector), (vec![Destination::SmartHosts(hosts)], Vec::new()));
    }

    #[test]
    fn domains_are_counted_beyond_the_limit() {
        let names: Vec<String> = (0..MAX_DOMAINS + 7).map(|n| format!("d{n}.example")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let at_the_limit = outbound("a", names.get(..MAX_DOMAINS).unwrap(), "encrypt");
        assert_eq!(super::destinations(&at_the_limit).1, []);
        let (destinations, findings) = super::destinations(&outbound("a", &names, "encrypt"));
        assert_eq!(destinations.len(), MAX_DOMAINS);
        assert_eq!(findings.first().unwrap().reason, "Only the first 1000 domains were tested, 7 were not.");
    }
}
