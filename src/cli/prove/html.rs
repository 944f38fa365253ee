//! A proof as a page for auditors: what was tried, how it ended, and with what. It needs nothing beside itself, and
//! prints.

use clap::CommandFactory as _;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::text::{end, part, verdict};
use crate::cli::CommandLine;
use crate::prove::proof::{ConnectorProof, Described, End, Proof, Try, Verdict};

const STYLE: &str = "
@page { size: A4; margin: 14mm 12mm }
body { font: 10pt/1.35 'DejaVu Sans', Verdana, sans-serif; color: #111; max-width: 62em; margin: 2em auto; padding: 0 1em }
h1 { font-size: 16pt; margin: 0 0 .2em } h2 { font-size: 11pt; margin: 1.2em 0 .4em; break-after: avoid }
p { margin: .3em 0 } code { font: .92em 'DejaVu Sans Mono', monospace; overflow-wrap: anywhere }
table { border-collapse: collapse; width: 100% } tr, li { break-inside: avoid }
th, td { border: 1px solid #bbb; padding: .15em .3em; text-align: left; vertical-align: top }
th { background: #f2f2f2; font-weight: 600 } thead { display: table-header-group }
.tries { table-layout: fixed } .tries th, .tries td { font-size: 7pt; text-align: center; padding: .15em .1em; overflow-wrap: anywhere }
.tries th:first-child, .tries td:first-child { width: 25%; text-align: left; padding: .15em .3em }
.tries th:nth-child(2) { width: 6% } .tries thead th:nth-child(n+3) { height: 8.5em; vertical-align: bottom }
.tries th span { writing-mode: vertical-rl; transform: rotate(180deg); white-space: nowrap }
.holds { color: #075e1f; font-weight: 600 } .fails { color: #a40000; font-weight: 700 } .not-shown { color: #7a5200; font-weight: 600 }
td.weak { background: #a40000; color: #fff; font-weight: 700; print-color-adjust: exact; -webkit-print-color-adjust: exact }
td.odd { background: #fbe9c0 } .facts td:first-child { width: 11em; overflow-wrap: anywhere } .small { font-size: 8pt }
ul { margin: .2em 0; padding-left: 1.3em }
@media print { body { margin: 0; padding: 0; max-width: none; font-size: 8.5pt } .tries th, .tries td { font-size: 6.5pt } }
";

/// Columns of the table: a server, and whether the daemon answered.
type Column = (&'static str, bool);

/// The page.
pub(super) fn page(proof: &Proof) -> String {
    let columns = columns(proof);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width";
                title { "connectord prove: " (proof.machine) ", " (day(proof)) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { "TLS connectors of " (proof.machine) }
                p {
                    "Tried on " (moment(proof)) ": "
                    span class=(class(proof.verdict)) { (verdict(proof.verdict)) }
                    ". " (sum(proof))
                }
                h2 { "What came of each connector" }
                (table(proof, &columns))
                (legend())
                (remarks(proof))
                h2 { "What was tried" }
                p {
                    "A copy of this machine's " (proof.mta_name) ", with its settings, and a daemon of the connectors as they are in the files sent "
                    "mail of each connector to mail servers of these kinds, in a network of their own: as it is, with the header "
                    code { "TLS-Required: no" } ", and as a bounce; to two kinds with the daemon stopped too. A connector "
                    "holds when nothing arrived weaker than it demands, and what was right arrived."
                }
                p { (not_seen()) }
                (servers(proof))
                h2 { "With what" }
                (facts(proof))
                h2 { "In what the copy differs from this machine" }
                p class="small" {
                    "All names lead to the servers of the proof; their authority is trusted beside the others; the queue is empty; and:"
                }
                p class="small" {
                    @for (number, difference) in proof.differences.iter().enumerate() {
                        @if number > 0 { "; " }
                        code { (difference) }
                    }
                }
            }
        }
    };
    page.into_string()
}

/// What a proof does not show, as the help says it.
fn not_seen() -> String {
    let line = CommandLine::command();
    let help =
        line.find_subcommand("prove").and_then(|prove| prove.get_long_about()).map(ToString::to_string);
    help.unwrap_or_default().rsplit("\n\n").next().unwrap_or_default().to_owned()
}

fn class(found: Verdict) -> &'static str {
    match found {
        Verdict::Holds => "holds",
        Verdict::NotShown => "not-shown",
        Verdict::Fails => "fails",
    }
}

fn moment(proof: &Proof) -> String {
    proof.at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

fn day(proof: &Proof) -> String {
    proof.at.strftime("%Y-%m-%d").to_string()
}

fn sum(proof: &Proof) -> String {
    let of = |found| proof.connectors.iter().filter(|connector| connector.verdict == found).count();
    let tries: usize = proof.connectors.iter().map(|connector| connector.tries.len()).sum();
    format!(
        "{} connectors: {} hold, {} fail, {} not shown; {tries} mails in {} seconds.",
        proof.connectors.len(),
        of(Verdict::Holds),
        of(Verdict::Fails),
        of(Verdict::NotShown),
        proof.seconds
    )
}

fn columns(proof: &Proof) -> Vec<Column> {
    let mut columns: Vec<Column> = Vec::new();
    for tried in proof.connectors.iter().flat_map(|connector| &connector.tries) {
        let column = (tried.server, tried.daemon);
        if !columns.contains(&column) {
            columns.push(column);
        }
    }
    columns
}

fn table(proof: &Proof, columns: &[Column]) -> Markup {
    html! {
        table class="tries" {
            thead {
                tr {
                    th { "Connector" }
                    th { "Verdict" }
                    @for (server, is_answered) in columns {
                        th { span { (server) @if !is_answered { br; "daemon stopped" } } }
                    }
                }
            }
            tbody {
                @for connector in &proof.connectors {
                    tr {
                        td { strong { (connector.connector) } br; (connector.mode) "; " (connector.demands) @if let Some(part) = part(connector) { br; (part) } }
                        td class=(class(connector.verdict)) { (verdict(connector.verdict)) }
                        @for column in columns { (cell(connector, *column)) }
                    }
                }
            }
        }
    }
}

/// How the mails of a connector to a server ended; the worst of them.
fn cell(connector: &ConnectorProof, (server, is_answered): Column) -> Markup {
    let is_here = |tried: &&Try| tried.server == server && tried.daemon == is_answered;
    let here: Vec<&Try> = connector.tries.iter().filter(is_here).collect();
    if let Some(weak) = here.iter().find(|tried| tried.weaker.is_some()) {
        return html! { td class="weak" { (short(weak)) } };
    }
    if here.is_empty() {
        return html! { td { "–" } };
    }
    let mut ends: Vec<String> = here.iter().map(|tried| short(tried)).collect();
    ends.sort();
    ends.dedup();
    let is_odd = here
        .iter()
        .any(|tried| matches!(tried.end, End::Elsewhere | End::Refused | End::Unknown | End::Returned));
    html! { td class=[is_odd.then_some("odd")] { (ends.join(", ")) } }
}

fn short(tried: &Try) -> String {
    match (tried.end, &tried.tls) {
        (End::Arrived, None) => "plain".to_owned(),
        (End::Arrived, Some(version)) => version.clone(),
        (End::Waits | End::Returned | End::Elsewhere | End::Refused | End::Unknown, _) => end(tried),
    }
}

fn legend() -> Markup {
    html! {
        p class="small" {
            "“waits”: the mail stayed in the queue. “plain”: it arrived in plaintext; “TLSv1.3” and the like: over that. Red: weaker "
            "than the connector demands."
        }
    }
}

fn remarks(proof: &Proof) -> Markup {
    let with: Vec<&ConnectorProof> =
        proof.connectors.iter().filter(|connector| !connector.reasons.is_empty()).collect();
    html! {
        @if !with.is_empty() {
            h2 { "What is to be mended" }
            ul {
                @for connector in with {
                    @for reason in &connector.reasons {
                        li { strong { (connector.connector) } ": " (reason) }
                    }
                }
            }
        }
    }
}

/// What the servers did, and what the MTA said of one mail that stayed.
fn servers(proof: &Proof) -> Markup {
    let said = |server| {
        let mut tries = proof.connectors.iter().flat_map(|connector| &connector.tries);
        let waits = |tried: &&Try| tried.end == End::Waits && tried.daemon && tried.server == server;
        tries.find(waits).map(|tried| &tried.reason)
    };
    html! {
        table class="facts small" {
            thead { tr { th { "Server" } th { "What it does" } th { "What " (proof.mta_name) " said of a mail that waits" } } }
            @for Described { server, about } in &proof.servers {
                tr {
                    td { code { (server) } }
                    td { (about) }
                    td { @if let Some(reason) = said(*server) { (reason) } @else { "–" } }
                }
            }
        }
    }
}

fn facts(proof: &Proof) -> Markup {
    html! {
        table class="facts small" {
            tr { td { "connectord" } td { (proof.connectord) } }
            tr { td { (proof.mta_name) } td { (proof.mta_version) } }
            @for file in &proof.files {
                tr { td { (file.path) } td { code { "sha256 " (file.sha256) } } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_seen_is_what_the_help_says() {
        let text = not_seen();
        assert!(text.contains("Not seen is what only the MTA that runs has"), "{text}");
        assert!(text.contains("inbound connectors"), "{text}");
    }
}
