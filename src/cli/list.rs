//! `connectord list`: the connectors as the administrator knows them from
//! `Get-OutboundConnector` and `Get-InboundConnector`.
//!
//! It shows what is written, and whether that was validated; what a running daemon serves is said by
//! `status`.

use std::io::{self, Write};

use jiff::Timestamp;
use serde::Serialize;

use super::validated::{Shown, Validated};
use super::{Exit, Failure, Output, Settings};
use crate::config;
use crate::model::inbound::{Require, TlsRequirement};
use crate::model::outbound::Route;
use crate::model::{Inbound, Notes, Outbound};
use crate::snapshot::Direction;

/// Domains in a line of the table before the rest is counted.
const SHOWN: usize = 3;

/// Columns of the table.
const COLUMNS: usize = 7;

/// Characters of a cell before it is cut: a connector with many smart hosts or fingerprints would
/// push the others apart. `--json` cuts nothing.
const CELL: usize = 60;

/// A connector in `list --json`.
#[derive(Serialize)]
struct Entry<'c> {
    name: &'c str,
    direction: &'static str,
    mode: &'static str,
    domains: Vec<String>,
    /// Address ranges that identify the partner; inbound only.
    addresses: Vec<String>,
    /// Outbound the TLS level; inbound what is required of TLS, null when nothing is.
    tls: Option<String>,
    /// The whole requirement in words.
    requirement: String,
    /// Outbound `mx` or the smart hosts; inbound null.
    route: Option<String>,
    /// When it was validated last; null unless that counts today.
    validated: Option<Timestamp>,
    /// All that is known of it; null for an inbound connector without certificate files.
    validation: Option<Shown>,
    comment: Option<&'c str>,
    contact: Option<&'c str>,
}

pub(super) fn run(settings: &Settings, out: &mut Output) -> Result<Exit, Failure> {
    let loaded = config::load(&settings.config, Timestamp::now()).map_err(Failure::Configuration)?;
    let validated = Validated::open(&settings.state_dir(), Timestamp::now(), &loaded.agreements);
    let (outbound, inbound) = (&loaded.agreements.outbound, &loaded.agreements.inbound);
    let outbound =
        outbound.iter().map(|connector| Entry::of_outbound(connector, validated.outbound(connector)));
    let inbound = inbound.iter().map(|connector| Entry::of_inbound(connector, validated.inbound(connector)));
    let entries: Vec<Entry<'_>> = outbound.chain(inbound).collect();
    if settings.json {
        out.json(&entries)?
    } else {
        table(&entries, out)?
    }
    Ok(Exit::Good)
}

impl<'c> Entry<'c> {
    fn of_outbound(connector: &'c Outbound, validation: Shown) -> Self {
        let Outbound { name, mode, domains, requirement, route, notes, .. } = connector;
        let Notes { comment, contact, .. } = notes;
        let route = match route {
            Route::Mx => "mx".to_owned(),
            Route::SmartHosts(hosts) => listed(hosts),
        };
        Entry {
            name: name.as_str(),
            direction: Direction::Outbound.word(),
            mode: mode.word(),
            domains: domains.iter().map(|pattern| pattern.to_string()).collect(),
            addresses: Vec::new(),
            tls: Some(requirement.level().word().to_owned()),
            requirement: requirement.to_string(),
            route: Some(route),
            validated: validation.at.filter(|_| validation.valid),
            validation: Some(validation),
            comment: comment.as_deref(),
            contact: contact.as_deref(),
        }
    }

    fn of_inbound(connector: &'c Inbound, validation: Option<Shown>) -> Self {
        let Inbound { name, mode, identify, require, notes, .. } = connector;
        let Notes { comment, contact, .. } = notes;
        Entry {
            name: name.as_str(),
            direction: Direction::Inbound.word(),
            mode: mode.word(),
            domains: identify.domains.iter().map(ToString::to_string).collect(),
            addresses: identify.addresses.iter().map(ToString::to_string).collect(),
            tls: require.needs_tls().then(|| tls(require)),
            requirement: required(require),
            route: None,
            validated: validation.as_ref().and_then(|shown| shown.at.filter(|_| shown.valid)),
            validation,
            comment: comment.as_deref(),
            contact: contact.as_deref(),
        }
    }

    fn row(&self) -> [String; COLUMNS] {
        let partner: Vec<&str> = self.domains.iter().chain(&self.addresses).map(String::as_str).collect();
        let (shown, rest) = partner.split_at(partner.len().min(SHOWN));
        let more = if rest.is_empty() { String::new() } else { format!(" +{}", rest.len()) };
        [
            self.name.to_owned(),
            self.direction.to_owned(),
            self.mode.to_owned(),
            self.validation.as_ref().map_or_else(|| "-".to_owned(), |shown| shown.cell.clone()),
            format!("{}{more}", cut(&shown.join(", "))),
            cut(&self.requirement),
            self.route.as_deref().map_or_else(|| "-".to_owned(), cut),
        ]
    }
}

fn cut(cell: &str) -> String {
    match cell.char_indices().nth(CELL) {
        Some((end, _)) => format!("{}…", cell.get(..end).unwrap_or(cell)),
        None => cell.to_owned(),
    }
}

fn listed<T: ToString>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn tls(require: &Require) -> String {
    match require.tls {
        Some(TlsRequirement::AtLeast(version)) => format!(">={version}"),
        // A certificate requirement implies TLS.
        Some(TlsRequirement::Any) | None => "true".to_owned(),
    }
}

/// What an inbound connector requires, in words.
fn required(require: &Require) -> String {
    let mut parts = Vec::new();
    match require.tls {
        Some(TlsRequirement::AtLeast(version)) => parts.push(format!("{version} or newer")),
        Some(TlsRequirement::Any) => parts.push("TLS".to_owned()),
        None => {}
    }
    if let Some(certificate) = &require.certificate {
        let mut words = String::from("certificate");
        if let Some(names) = &certificate.names {
            let names: Vec<String> = names.iter().map(ToString::to_string).collect();
            words.push_str(&format!(" named {}", names.join(" or ")));
        }
        if let Some(issuers) = &certificate.issuers {
            let issuers: Vec<&str> = issuers.iter().map(String::as_str).collect();
            words.push_str(&format!(" issued by {}", issuers.join(" or ")));
        }
        if !certificate.registered.is_empty() {
            words.push_str(&format!(", {} registered", certificate.registered.len()));
        }
        parts.push(words);
    }
    if let Some(ranges) = &require.addresses {
        parts.push(format!("from {}", listed(ranges)));
    }
    parts.join(", ")
}

fn table(entries: &[Entry<'_>], out: &mut Output) -> io::Result<()> {
    let title = ["NAME", "DIRECTION", "MODE", "VALIDATED", "DOMAINS", "TLS", "ROUTE"].map(str::to_owned);
    let rows: Vec<[String; COLUMNS]> = std::iter::once(title).chain(entries.iter().map(Entry::row)).collect();
    let widest = rows.iter().fold([0; COLUMNS], |mut widest, row| {
        for (width, cell) in widest.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
        widest
    });
    for row in &rows {
        let cells = row.iter().zip(widest).map(|(cell, width)| format!("{cell:width$}"));
        let line = cells.collect::<Vec<_>>().join("  ");
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}
