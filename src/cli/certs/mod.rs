//! `connectord certs`: every certificate that is known, and how.
//!
//! For people each certificate is shown once, with all that it is known from; `--json` and `--csv`
//! have one row for each way that it is known. What partners showed comes from the results that
//! `validate` keeps; one that cannot be used is told on stderr and left out. Who may read none of
//! them is told so once, gets what is in files, and the exit code for a missing permission.

mod csv;

use std::collections::BTreeMap;
use std::io::{self, Write};

use clap::Args;
use jiff::Timestamp;
use serde::Serialize;

use super::output::talk;
use super::validated::Forbidden;
use super::{Exit, Failure, Output, Settings, moment};
use crate::config;
use crate::model::Agreements;
use crate::protocol::escape::printable;
use crate::validate::inventory::{self, Known, Source};
use crate::validate::report::CertificateReport;
use crate::validate::state::Store;

/// Characters of a text before it is cut.
const TEXT: usize = 1000;

/// Characters of a label, with the space behind it.
const LABEL: usize = 12;

/// The options of `certs`.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// Write the list as CSV (RFC 4180), with a line of titles: for the inventory of an auditor. What
    /// a spreadsheet would take for a formula begins with an apostrophe
    #[arg(long, conflicts_with = "json")]
    csv: bool,
}

/// A row of `certs --json`.
#[derive(Serialize)]
struct Row<'k> {
    connector: &'k str,
    source: Source,
    place: &'k str,
    seen_at: Option<Timestamp>,
    #[serde(flatten)]
    certificate: &'k CertificateReport,
}

pub(super) fn run(options: &Options, settings: &Settings, out: &mut Output) -> Result<Exit, Failure> {
    let now = Timestamp::now();
    let loaded = config::load(&settings.config, now).map_err(Failure::Configuration)?;
    let store = Store::open(&settings.state_dir());
    // Without outbound connectors nothing was ever seen that could be missing.
    let forbidden =
        Forbidden::of(&store, &settings.state_dir()).filter(|_| !loaded.agreements.outbound.is_empty());
    let known = known(&loaded.agreements, (!store.is_forbidden()).then_some(&store));
    if settings.json {
        out.json(&known.iter().map(Row::of).collect::<Vec<_>>())?;
    } else if options.csv {
        csv::write(&known, out)?;
    } else if !known.is_empty() || forbidden.is_none() {
        table(&known, now, out)?;
    }
    if let Some(forbidden) = forbidden {
        talk(format_args!("{forbidden}"));
        return Ok(Exit::Permission);
    }
    Ok(Exit::Good)
}

/// Files first, then what was seen, each in the order of the configuration; every text printable.
fn known(agreements: &Agreements, store: Option<&Store>) -> Vec<Known> {
    let mut known = inventory::of_files(agreements);
    for outbound in &agreements.outbound {
        match store.map(|store| store.kept(outbound.name.as_str())) {
            Some(Ok(Some(record))) => known.extend(inventory::seen(&record)),
            Some(Ok(None)) | None => {}
            Some(Err(unusable)) => {
                talk(format_args!(
                    "connectord: the last result of {} cannot be used: {unusable}",
                    outbound.name
                ));
            }
        }
    }
    for Known { place, certificate, .. } in &mut known {
        let CertificateReport { subject, names, issuer, .. } = certificate;
        for text in [place, subject, issuer].into_iter().chain(names) {
            *text = printable(text, TEXT);
        }
    }
    known
}

impl<'k> Row<'k> {
    fn of(known: &'k Known) -> Self {
        let Known { connector, source, place, seen_at, certificate } = known;
        Row { connector, source: *source, place, seen_at: *seen_at, certificate }
    }
}

/// A paragraph for each certificate, that which expires first at the top.
fn table(known: &[Known], now: Timestamp, out: &mut Output) -> io::Result<()> {
    let mut paragraphs: BTreeMap<(Timestamp, &str), Vec<&Known>> = BTreeMap::new();
    for one in known {
        let CertificateReport { not_after, sha256, .. } = &one.certificate;
        paragraphs.entry((*not_after, sha256)).or_default().push(one);
    }
    for (i, ways) in paragraphs.values().enumerate() {
        if i > 0 {
            writeln!(out)?;
        }
        paragraph(ways, now, out)?;
    }
    if paragraphs.is_empty() {
        writeln!(out, "no certificate is known: none is in a file, and no partner was tested yet")?;
    }
    Ok(())
}

fn paragraph(ways: &[&Known], now: Timestamp, out: &mut Output) -> io::Result<()> {
    let Some(first) = ways.first() else {
        return Ok(());
    };
    let CertificateReport { subject, names, issuer, serial, sha256, key_sha256, key, not_after, .. } =
        &first.certificate;
    let title = if subject.is_empty() { "(no subject)" } else { subject };
    writeln!(out, "{title}")?;
    let until = if *not_after == Timestamp::MAX {
        "never".to_owned()
    } else {
        let days = not_after.duration_since(now).as_secs().div_euclid(24 * 60 * 60);
        let end = moment::of(*not_after);
        if *not_after <= now { format!("{end} (over)") } else { format!("{end} ({days} days)") }
    };
    let fields = [
        ("names", names.join(", ")),
        ("issuer", issuer.clone()),
        ("serial", serial.clone()),
        ("not after", until),
        ("key", key.clone()),
        ("sha256", sha256.clone()),
        ("key sha256", key_sha256.clone()),
    ];
    for (label, value) in fields.iter().filter(|(_, value)| !value.is_empty()) {
        writeln!(out, "  {label:<LABEL$}{value}")?;
    }
    for Known { connector, source, place, seen_at, .. } in ways {
        let when = seen_at.map_or_else(String::new, |at| format!(" on {}", moment::of(at)));
        let how = if *source == Source::Seen { "seen at" } else { source.word() };
        writeln!(out, "  {:<LABEL$}{connector}, {how} {place}{when}", "connector")?;
    }
    Ok(())
}
