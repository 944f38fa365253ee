//! The addresses of a connector: a line for each, and below it what is wrong there. What is the same
//! at several addresses of a host is said once, below the last of them.

use jiff::Timestamp;

use super::lines::Lines;
use super::{TEXT, few, short};
use crate::protocol::escape::printable;
use crate::validate::report::{AddressReport, CertificateReport, ConnectorReport, Finding, Verdict};
use crate::validate::state::{date, days_until, in_days};

/// Characters of the longest verdict.
pub(super) const VERDICT: usize = "warning".len();

/// Where the text below an address begins.
pub(super) const INDENT: usize = 2 + VERDICT + 2;

/// Characters up to which a column is widened; a longer cell pushes its own line only.
const COLUMN: usize = 40;

/// The port of SMTP, which is not worth a word.
const SMTP: u16 = 25;

/// Lines of a detail before the rest is counted.
const DETAIL: usize = 20;

/// The table.
pub(super) fn all(lines: &mut Lines, connector: &ConnectorReport) {
    let rows: Vec<[String; 4]> =
        connector.addresses.iter().map(|address| cells(address, connector.at)).collect();
    let widest = rows.iter().fold([0; 4], |mut widest, row| {
        for (width, cell) in widest.iter_mut().zip(row) {
            *width = cell.chars().count().min(COLUMN).max(*width);
        }
        widest
    });
    let mut addresses = connector.addresses.iter().zip(&rows).peekable();
    while let Some((address, row)) = addresses.next() {
        let cells = row.iter().zip(widest).filter(|(_, width)| *width > 0);
        let cells: Vec<String> = cells.map(|(cell, width)| format!("{cell:width$}")).collect();
        lines.line(&format!("  {:<VERDICT$}  {}", short(address.verdict), cells.join("  ")));
        let text = below(address);
        if addresses.peek().is_none_or(|(next, _)| !is_twin(address, next) || below(next) != text) {
            lines.add(&text);
        }
    }
}

/// The host, with its address where that is another text.
pub(super) fn place(address: &AddressReport) -> String {
    let host = host(address);
    address.address.map_or(host.clone(), |address| format!("{host} {address}"))
}

fn host(address: &AddressReport) -> String {
    let host = printable(&address.host, TEXT);
    if address.is_file() || address.port == SMTP { host } else { format!("{host}:{}", address.port) }
}

fn cells(address: &AddressReport, at: Timestamp) -> [String; 4] {
    let tls = match &address.tls {
        Some(version) => printable(version, TEXT),
        None if address.is_file() => String::new(),
        None => "no TLS".to_owned(),
    };
    [
        host(address),
        address.address.map_or_else(String::new, |address| address.to_string()),
        tls,
        address.not_after.map_or_else(String::new, |not_after| lasting(not_after, at)),
    ]
}

/// How long a certificate is still good for.
pub(super) fn lasting(not_after: Timestamp, at: Timestamp) -> String {
    if not_after == Timestamp::MAX {
        return "never expires".to_owned();
    }
    match days_until(not_after, at) {
        days @ 0.. => format!("expires {}", in_days(days)),
        -1 => "expired within the last day".to_owned(),
        -2 => "expired 1 day ago".to_owned(),
        days => format!("expired {} days ago", days.saturating_add(1).unsigned_abs()),
    }
}

fn is_twin(address: &AddressReport, other: &AddressReport) -> bool {
    (&address.host, address.port, address.verdict) == (&other.host, other.port, other.verdict)
}

fn below(address: &AddressReport) -> Lines {
    let mut lines = Lines::default();
    let AddressReport { reason, expected, presented, warnings, certificate, test_mail, .. } = address;
    if !reason.is_empty() {
        lines.wrapped(&" ".repeat(INDENT), INDENT, reason);
    }
    if !expected.is_empty() {
        lines.labelled(INDENT, "expected", expected);
        let presented = if presented.is_empty() { "nothing" } else { presented };
        lines.labelled(INDENT, "presented", presented);
    }
    if let Some(certificate) = certificate.as_ref().filter(|_| address.verdict == Verdict::Fail) {
        lines.labelled(INDENT, "certificate", &shown(certificate));
    }
    detail(&mut lines, &address.detail);
    // A warning that makes the verdict is its reason too.
    for Finding { reason, detail, .. } in warnings.iter().filter(|warning| warning.reason != *reason) {
        lines.labelled(INDENT, "warning", reason);
        self::detail(&mut lines, detail);
    }
    if let Some(test_mail) = test_mail {
        lines.labelled(INDENT, "test mail", test_mail);
    }
    lines
}

/// What SMTP or TLS said.
pub(super) fn detail(lines: &mut Lines, detail: &str) {
    let detail = detail.trim_end();
    if detail.is_empty() {
        return;
    }
    let mut label = "detail";
    for line in detail.lines().take(DETAIL) {
        lines.labelled(INDENT, label, line);
        label = "";
    }
    if let Some(more) = detail.lines().count().checked_sub(DETAIL).filter(|&more| more > 0) {
        lines.labelled(INDENT, label, &format!("and {more} lines more"));
    }
}

/// The certificate, so that its owner finds it.
fn shown(certificate: &CertificateReport) -> String {
    let CertificateReport { subject, names, issuer, serial, not_after, .. } = certificate;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let subject = if subject.is_empty() { few(&names) } else { subject.clone() };
    let until = if *not_after == Timestamp::MAX {
        "without end".to_owned()
    } else {
        format!("until {}", date(*not_after))
    };
    format!("{subject}, issued by {issuer}, {until}, serial {serial}")
}
