//! Connectors of Exchange: what `Get-OutboundConnector`, `Get-InboundConnector`, `Get-SendConnector` and
//! `Get-ReceiveConnector` show, as JSON or Clixml.
//!
//! ```text
//! bytes -> encoding -> json | clixml -> Record -> outbound | inbound | send | receive -> Draft
//! ```
//!
//! Every draft is in the mode `report`, or `off` where Exchange has it off or decides by something that we do not know.
//! A level is never weaker than the one that Exchange is set to, and where there is none that is as strong there is no draft
//! but a reason. What Postfix cannot be told beside a level is said in a note: revocation, the partner's own policies (TLSA
//! records beside another level, MTA-STS), and that `match = "domain"` takes names below the domain too.
//!
//! A file that is broken anywhere is not imported at all: the rest of it may have had the connector that matters.

mod broken;
mod budget;
mod claims;
mod clixml;
mod encoding;
mod escapes;
mod inbound;
mod json;
mod making;
mod outbound;
mod place;
mod properties;
mod ranges;
mod receive;
mod record;
mod route;
mod security;
mod send;
mod spaces;
mod stricter;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use broken::Broken;
use budget::Budget;
pub use budget::MAX_FILE;
use claims::Made;
use properties::Refusal;
use record::{Record, Value};

use crate::protocol::escape::printable;

use super::{Draft, InboundTerms, OutboundTerms, Refused, Terms, Unique};

/// What to say about a file that is neither.
const NEITHER: &str = "this is neither JSON nor Clixml; export again: `Get-OutboundConnector | ConvertTo-Json -Depth 4 | \
    Out-File -Encoding utf8 FILE`, or `Get-OutboundConnector | Export-Clixml FILE` (Export-Csv and Format-List lose lists)";

/// What the plain command leaves out (Get-OutboundConnector).
const HIDDEN: &str = "Get-OutboundConnector does not show connectors for mail flow rules and in test mode; to have them \
    too, import what `Get-OutboundConnector -IsTransportRuleScoped $true` and `Get-OutboundConnector \
    -IncludeTestModeConnectors $true` show besides";

/// What a wildcard does for what was refused. Left out of it too, that mail would have what the MTA does without us.
const COVERED: &str = "what could not be imported goes by the connector around it, where there is one such as for \
    *.contoso.com: see whether more was agreed, and write that by hand";

/// Characters of a file's name in a remark.
const FILE: usize = 200;

/// Two states of one connector.
const DIFFERS: &str =
    "another one with its Guid was there before, and differs: import the later export alone";

/// Domains and ranges of all connectors: each is kept some times over.
const MAX_PATTERNS: usize = 100_000;

/// Exports, read one after the other.
#[derive(Debug, Default)]
pub struct Exports {
    budget: Budget,
    records: Vec<(String, Record)>,
    refused: Vec<Refused>,
    remarks: Vec<String>,
}

/// What came of them.
#[derive(Debug)]
pub struct Imported {
    /// The connectors.
    pub drafts: Vec<Draft>,
    /// What none was made of.
    pub refused: Vec<Refused>,
    /// What is to be said about the exports as a whole.
    pub remarks: Vec<String>,
}

impl Exports {
    /// Reads the bytes of a file.
    pub fn read(&mut self, file: &str, bytes: Vec<u8>) {
        match records(bytes, &mut self.budget) {
            Ok(records) if records.is_empty() => {
                self.remarks.push(format!("{} has no connectors", printable(file, FILE)));
            }
            Ok(records) => self.records.extend(records.into_iter().map(|record| (file.to_owned(), record))),
            Err(Broken { place, message }) => self.refused.push(Refused {
                file: file.to_owned(),
                line: Some(place.line),
                subject: format!("column {}", place.column),
                reason: message,
            }),
        }
    }

    /// Makes connectors of all that was read.
    pub fn finish(self) -> Imported {
        let Exports { records, mut refused, mut remarks, .. } = self;
        let mut unique = Unique::default();
        let mut made: Vec<Made> = Vec::new();
        let mut known: HashMap<String, &Record> = HashMap::new();
        let mut patterns = MAX_PATTERNS;
        let mut again = 0_usize;
        for (number, (file, record)) in records.iter().enumerate() {
            let id = text(record, "Guid").map(str::to_lowercase);
            let twin = id.as_ref().and_then(|id| known.get(id));
            if twin.is_some_and(|twin| twin.is_like(record)) {
                again += 1;
                continue;
            }
            let wanted = text(record, "Name").unwrap_or_default();
            let outcome = match twin {
                Some(_) => Err(Refusal { place: record.place, reason: DIFFERS.to_owned() }),
                None => connector(record, number, id.as_deref(), &mut patterns),
            };
            match outcome {
                Ok((mut draft, nowhere)) => {
                    draft.name = unique.name(wanted, "exchange");
                    if draft.name != wanted {
                        let note = format!("In Exchange its name is {}.", properties::shown(wanted));
                        draft.notes.insert(0, note);
                    }
                    let cost = spaces::cost(record);
                    made.push(Made { draft, file: file.clone(), place: record.place, nowhere, cost });
                }
                Err(Refusal { place, reason }) => refused.push(Refused {
                    file: file.clone(),
                    line: Some(place.line),
                    subject: wanted.to_owned(),
                    reason,
                }),
            }
            if let Some(id) = id {
                known.entry(id).or_insert(record);
            }
        }
        for (Made { draft, file, place, .. }, first) in claims::settle(&mut made) {
            let reason = format!("it is about the same mail as `{first}`, and off as that is: choose one");
            refused.push(Refused { file, line: Some(place.line), subject: draft.name, reason });
        }
        if again > 0 {
            remarks.push(format!("in more than one export, and imported once: {again}"));
        }
        if hides(&records) {
            remarks.push(HIDDEN.to_owned());
        }
        if !refused.is_empty() && made.iter().any(|made| is_wide(&made.draft.terms)) {
            remarks.push(COVERED.to_owned());
        }
        Imported { drafts: made.into_iter().map(|made| made.draft).collect(), refused, remarks }
    }
}

/// Whether it is about names below others.
fn is_wide(terms: &Terms) -> bool {
    let (Terms::Outbound(OutboundTerms { domains, .. }) | Terms::Inbound(InboundTerms { domains, .. })) =
        terms;
    domains.iter().any(|domain| domain.starts_with(['*', '.']))
}

/// A draft, and a domain that stands for none, of its own.
fn connector(
    record: &Record,
    number: usize,
    id: Option<&str>,
    patterns: &mut usize,
) -> Result<(Draft, String), Refusal> {
    let label = id.filter(|id| is_guid(id)).map_or_else(|| format!("no-domain-{number}"), str::to_owned);
    let nowhere = format!("{label}.invalid");
    let draft = draft(record, &nowhere)?;
    let count = match &draft.terms {
        Terms::Outbound(terms) => terms.domains.len(),
        Terms::Inbound(terms) => terms.domains.len() + terms.addresses.len(),
    };
    match patterns.checked_sub(count) {
        Some(left) => *patterns = left,
        None => {
            return Err(Refusal {
                place: record.place,
                reason: format!("the exports have more than {MAX_PATTERNS} domains; import them in parts"),
            });
        }
    }
    Ok((draft, nowhere))
}

fn records(bytes: Vec<u8>, budget: &mut Budget) -> Result<Vec<Record>, Broken> {
    if bytes.len() > MAX_FILE {
        return Err(Broken::at_start(format!(
            "the file is larger than {} MiB; export in parts",
            MAX_FILE >> 20
        )));
    }
    let text = encoding::text(bytes)?;
    match text.trim_start().chars().next() {
        None => Ok(Vec::new()),
        Some('{' | '[') => json::read(&text, budget),
        Some('<') => clixml::read(&text, budget),
        Some(_) => Err(Broken::at_start(NEITHER)),
    }
}

/// The kinds have properties of their own.
fn draft(record: &Record, nowhere: &str) -> Result<Draft, Refusal> {
    let kinds = [
        ["RecipientDomains", "UseMXRecord", "TlsSettings"],
        ["SenderDomains", "RestrictDomainsToCertificate", "RestrictDomainsToIPAddresses"],
        ["AddressSpaces", "DNSRoutingEnabled", "TlsAuthLevel"],
        ["RemoteIPRanges", "Bindings", "TlsDomainCapabilities"],
    ];
    match kinds.map(|own| own.iter().any(|name| record.has(name))) {
        [true, false, false, false] => outbound::draft(record, nowhere),
        [false, true, false, false] => inbound::draft(record, nowhere),
        [false, false, true, false] => send::draft(record),
        [false, false, false, true] => receive::draft(record),
        _ => Err(Refusal {
            place: record.place,
            reason: "it is none of what Get-OutboundConnector, Get-InboundConnector, Get-SendConnector and \
                     Get-ReceiveConnector show, with all properties"
                .to_owned(),
        }),
    }
}

/// Whether there are outbound connectors of the cloud, and none of those that the plain command hides.
fn hides(records: &[(String, Record)]) -> bool {
    let outbound =
        || records.iter().map(|(_, record)| record).filter(|record| record.has("RecipientDomains"));
    let is_set = |name| {
        outbound().any(|record| record.find(name).is_some_and(|field| field.value == Value::Bool(true)))
    };
    outbound().next().is_some() && !(is_set("IsTransportRuleScoped") && is_set("TestMode"))
}

fn text<'r>(record: &'r Record, name: &str) -> Option<&'r str> {
    match &record.find(name)?.value {
        Value::Text(text) => Some(text),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::List(_) | Value::Object => None,
    }
}

/// A label of a domain in any case.
fn is_guid(text: &str) -> bool {
    let plain = text.bytes().all(|octet| octet.is_ascii_hexdigit() || octet == b'-');
    text.len() == 36 && plain && !text.starts_with('-') && !text.ends_with('-')
}
