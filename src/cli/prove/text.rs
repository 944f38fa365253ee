//! A proof in words, for a terminal.

use std::collections::BTreeMap;
use std::io::{self, Write};

use crate::protocol::escape::printable;
use crate::prove::proof::{ConnectorProof, End, Proof, Try, Verdict};

/// Enough of a reason to know it again.
const WORDS: usize = 300;

/// What the verdict is called.
pub(super) fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Holds => "holds",
        Verdict::NotShown => "not shown",
        Verdict::Fails => "FAILS",
    }
}

/// What an end is called.
pub(super) fn end(tried: &Try) -> String {
    match (tried.end, &tried.tls) {
        (End::Arrived, None) => "arrived in plaintext".to_owned(),
        (End::Arrived, Some(version)) => format!("arrived over {version}"),
        (End::Waits, _) => "waits".to_owned(),
        (End::Returned, _) => "returned".to_owned(),
        (End::Elsewhere, _) => "went elsewhere".to_owned(),
        (End::Refused, _) => "was refused".to_owned(),
        (End::Unknown, _) => "unknown".to_owned(),
    }
}

/// How many of its domains were tried, where that is not all of them.
pub(super) fn part(connector: &ConnectorProof) -> Option<String> {
    let ConnectorProof { domains_tried: tried, domains_known: known, .. } = connector;
    (tried < known).then(|| format!("{tried} of {known} domains were tried; others: --domain"))
}

/// Writes it.
pub(super) fn write(proof: &Proof, out: &mut impl Write) -> io::Result<()> {
    for connector in &proof.connectors {
        of_connector(connector, out)?;
    }
    if proof.verdict == Verdict::Fails {
        writeln!(
            out,
            "What goes round connectors is found, and mended, with `connectord doctor {}`.",
            proof.mta
        )?;
    }
    writeln!(
        out,
        "{}: {} {} of {}, {} connectors, {} s",
        verdict(proof.verdict),
        proof.mta_name,
        printable(&proof.mta_version, WORDS),
        printable(&proof.machine, WORDS),
        proof.connectors.len(),
        proof.seconds
    )
}

fn of_connector(connector: &ConnectorProof, out: &mut impl Write) -> io::Result<()> {
    let ConnectorProof { connector: name, mode, demands, verdict: found, reasons, tries, .. } = connector;
    // The path of a file of authorities is among them.
    writeln!(out, "{name}: {} ({mode}; {})", verdict(*found), printable(demands, usize::MAX))?;
    if let Some(part) = part(connector) {
        writeln!(out, "  {part}")?;
    }
    for reason in reasons {
        writeln!(out, "  {}", printable(reason, WORDS))?;
    }
    // By how it ended: what ended alike is one line.
    let mut ends: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for tried in tries.iter().filter(|tried| tried.weaker.is_none()) {
        let stopped = if tried.daemon { "" } else { " (daemon stopped)" };
        let server = format!("{}{stopped}", tried.server);
        let servers = ends.entry(end(tried)).or_default();
        if !servers.contains(&server) {
            servers.push(server);
        }
    }
    for (end, servers) in ends {
        writeln!(out, "  {end}: {}", servers.join(", "))?;
    }
    Ok(())
}
