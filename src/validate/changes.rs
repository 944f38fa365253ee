//! What changed between a connector's last result and this one: all that `--changes` prints.
//!
//! It is for a timer and a mail: a quiet day makes no line. A date is told when it crosses one of
//! [`THRESHOLDS`], once for each, by comparing how much time was left then and how much is left
//! now; nothing else is remembered. A certificate is compared with the last one that was seen at
//! the same address, in whatever run that was: a server that did not answer is told by its verdict.
//! Hosts and addresses come and go only between two runs that saw them all.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::report::{AddressReport, CertificateReport, ConnectorReport, DaneReport, MtaStsReport, Verdict};
use super::seen::{self, Last};
use super::sight;
use super::state::{Record, date, days_until, in_days};
use crate::protocol::escape::printable;

/// Days before the end of a certificate at which it is told.
pub const THRESHOLDS: [i64; 5] = [1, 3, 7, 14, 30];

/// Characters of a text before it is cut.
const TEXT: usize = 300;

/// What kind of change it is: a stable word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// There is no earlier result to compare with.
    First,
    /// The verdict of the connector or of an address.
    Verdict,
    /// A host that mail goes to is new.
    HostAdded,
    /// A host is gone.
    HostRemoved,
    /// An address of a host is new.
    AddressAdded,
    /// An address of a host is gone.
    AddressRemoved,
    /// Another certificate.
    CertificateRenewed,
    /// Another issuer.
    IssuerChanged,
    /// The certificate no longer shows an agreed name.
    NameMismatch,
    /// Something new to be said.
    Reason,
    /// The TLS version.
    Tls,
    /// The end of a certificate came nearer than a threshold.
    Expires,
    /// What the TLSA records say.
    Tlsa,
    /// What the MTA-STS policy says.
    MtaSts,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The connector.
    pub connector: String,
    /// The host; `None` when it is about the whole connector.
    pub host: Option<String>,
    /// The addresses of the host that it is true of; empty when it is about the host.
    pub addresses: Vec<IpAddr>,
    /// What kind of change.
    pub change: Kind,
    /// The verdict of what it is about, now.
    pub verdict: Verdict,
    /// In words.
    pub text: String,
}

/// What changed. Without an earlier result it is one line, and what is wrong.
pub fn between(last: Option<&Record>, now: &ConnectorReport) -> Vec<Change> {
    let before = last.map(|last| &last.report);
    let mut changes = Changes { connector: &now.connector, all: Vec::new() };
    match before {
        None => changes.whole(
            Kind::First,
            now.verdict,
            format!("tested for the first time: {}", words(now.verdict)),
        ),
        Some(before) if before.verdict != now.verdict => {
            let text = format!("{}; it was: {}", words(now.verdict), words(before.verdict));
            changes.whole(Kind::Verdict, now.verdict, text);
        }
        Some(_) => {}
    }
    for finding in &now.findings {
        let known = before.is_some_and(|before| before.findings.iter().any(|old| old.code == finding.code));
        if !known && finding.verdict > Verdict::Pass {
            changes.whole(Kind::Reason, finding.verdict, finding.reason.clone());
        }
    }
    if let Some(before) = before.filter(|before| !sight::differs(before, now) && !sight::looked_further(now))
    {
        changes.hosts(before, now);
    }
    for address in &now.addresses {
        let old =
            before.and_then(|before| before.addresses.iter().find(|old| old.place() == address.place()));
        let last = last.and_then(|last| seen::last(last, address));
        changes.address(old, last, address, now.at);
    }
    changes.all
}

fn words(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "passes",
        Verdict::Warn => "passes with warnings",
        Verdict::Fail => "fails",
    }
}

struct Changes<'n> {
    connector: &'n str,
    all: Vec<Change>,
}

impl Changes<'_> {
    fn whole(&mut self, change: Kind, verdict: Verdict, text: String) {
        self.add(None, None, change, verdict, text);
    }

    /// The same change at another address of the host is the same change.
    fn add(
        &mut self,
        host: Option<&str>,
        address: Option<IpAddr>,
        change: Kind,
        verdict: Verdict,
        text: String,
    ) {
        let text = printable(&text, TEXT);
        let twin = self.all.iter_mut().find(|known| {
            known.host.as_deref() == host && known.change == change && known.text == text && host.is_some()
        });
        match twin {
            Some(twin) => {
                twin.addresses.extend(address);
                twin.verdict = twin.verdict.max(verdict);
            }
            None => self.all.push(Change {
                connector: self.connector.to_owned(),
                host: host.map(|host| printable(host, TEXT)),
                addresses: address.into_iter().collect(),
                change,
                verdict,
                text,
            }),
        }
    }

    /// Hosts and their addresses that came or went.
    fn hosts(&mut self, before: &ConnectorReport, now: &ConnectorReport) {
        let (old, new) = (hosts(before), hosts(now));
        let hidden = |host: &str| sight::hides_addresses(before, host) || sight::hides_addresses(now, host);
        for address in &now.addresses {
            let host = address.host.as_str();
            if !old.contains(host) {
                let text = "is a new host that mail goes to".to_owned();
                self.add(Some(host), address.address, Kind::HostAdded, address.verdict, text);
            } else if address.address.is_some()
                && !hidden(host)
                && !before.addresses.iter().any(|old| old.place() == address.place())
            {
                let text = "has a new address".to_owned();
                self.add(Some(host), address.address, Kind::AddressAdded, address.verdict, text);
            }
        }
        for address in &before.addresses {
            let host = address.host.as_str();
            if !new.contains(host) {
                let text = "is no longer a host that mail goes to".to_owned();
                self.add(Some(host), address.address, Kind::HostRemoved, now.verdict, text);
            } else if address.address.is_some()
                && !hidden(host)
                && !now.addresses.iter().any(|new| new.place() == address.place())
            {
                let text = "has lost an address".to_owned();
                self.add(Some(host), address.address, Kind::AddressRemoved, now.verdict, text);
            }
        }
    }

    fn address(
        &mut self,
        old: Option<&AddressReport>,
        last: Option<Last<'_>>,
        now: &AddressReport,
        at: Timestamp,
    ) {
        let mut tell = |change, verdict, text| self.add(Some(&now.host), now.address, change, verdict, text);
        let crossed = crossed(last, now, at);
        // A date is told by its threshold, whatever the judge makes of it meanwhile.
        let dated = |code: &str| crossed.is_some() && code.starts_with("expires");
        if let Some((kind, text)) = judged(old, now).filter(|_| !dated(&now.code)) {
            tell(kind, now.verdict, text);
        }
        for warning in &now.warnings {
            let known = old.is_some_and(|old| old.warnings.iter().any(|old| old.code == warning.code));
            if !known && warning.code != now.code && !dated(&warning.code) {
                tell(Kind::Reason, now.verdict.max(warning.verdict), warning.reason.clone());
            }
        }
        if let Some((not_after, days)) = crossed {
            let text = format!("certificate expires {}, on {}", in_days(days), date(not_after));
            tell(Kind::Expires, now.verdict.max(Verdict::Warn), text);
        }
        if let (Some(was), Some(is)) = (last.and_then(|last| last.certificate), &now.certificate) {
            for (kind, text) in certificates(was, is) {
                tell(kind, now.verdict, text);
            }
        }
        let Some(old) = old else {
            return;
        };
        if let (Some(was), Some(is)) = (&old.tls, &now.tls)
            && was != is
        {
            tell(Kind::Tls, now.verdict, format!("speaks {is}; it was {was}"));
        }
        if let (Some(was), Some(is)) = (old.dane.as_ref().map(tlsa), now.dane.as_ref().map(tlsa))
            && was != is
        {
            tell(Kind::Tlsa, now.verdict, format!("TLSA: {is}; it was: {was}"));
        }
        if let (Some(was), Some(is)) = (old.mta_sts.as_ref().map(policy), now.mta_sts.as_ref().map(policy))
            && was != is
        {
            tell(Kind::MtaSts, now.verdict, format!("MTA-STS: {is}; it was: {was}"));
        }
    }
}

/// A new reason says more than a new verdict; without a reason the verdict is what there is.
fn judged(old: Option<&AddressReport>, now: &AddressReport) -> Option<(Kind, String)> {
    if now.verdict > Verdict::Pass && old.is_none_or(|old| old.code != now.code) && !now.reason.is_empty() {
        let kind = if now.code == "name-mismatch" { Kind::NameMismatch } else { Kind::Reason };
        let AddressReport { reason, expected, presented, .. } = now;
        let seen = if expected.is_empty() {
            String::new()
        } else {
            format!(" (expected {expected}, presented {presented})")
        };
        return Some((kind, format!("{reason}{seen}")));
    }
    let old = old.filter(|old| old.verdict != now.verdict)?;
    Some((Kind::Verdict, format!("{}; it was: {}", words(now.verdict), words(old.verdict))))
}

fn hosts(report: &ConnectorReport) -> BTreeSet<&str> {
    report.addresses.iter().map(|address| address.host.as_str()).collect()
}

fn certificates(was: &CertificateReport, is: &CertificateReport) -> Vec<(Kind, String)> {
    let mut changes = Vec::new();
    if was.sha256 != is.sha256 {
        let key = if was.key_sha256 == is.key_sha256 { "the same key" } else { "another key" };
        let text = format!("certificate renewed, with {key}, until {}", date(is.not_after));
        changes.push((Kind::CertificateRenewed, text));
    }
    if was.issuer != is.issuer {
        changes.push((
            Kind::IssuerChanged,
            format!("certificate issued by {}; it was {}", is.issuer, was.issuer),
        ));
    }
    changes
}

/// The end of the chain and the days until it, when it came nearer than a threshold.
fn crossed(last: Option<Last<'_>>, now: &AddressReport, at: Timestamp) -> Option<(Timestamp, i64)> {
    let not_after = now.not_after?;
    let left = not_after.duration_since(at);
    let within = |left: SignedDuration| {
        THRESHOLDS.into_iter().find(|&days| left <= SignedDuration::from_hours(days.saturating_mul(24)))
    };
    let threshold = within(left)?;
    // What is over is a reason, and told as one.
    if left <= SignedDuration::ZERO {
        return None;
    }
    let told = last
        .filter(|last| last.not_after == Some(not_after))
        .and_then(|last| within(not_after.duration_since(last.at)));
    (told.is_none_or(|told| told > threshold)).then(|| (not_after, days_until(not_after, at)))
}

fn tlsa(dane: &DaneReport) -> &'static str {
    match (dane.present, dane.authenticated, dane.matches) {
        (false, _, _) => "no records",
        (true, false, _) => "records that DNSSEC does not authenticate",
        (true, true, Some(true)) => "records that match",
        (true, true, Some(false)) => "records that do not match",
        (true, true, None) => "records of which none is usable",
    }
}

fn policy(policy: &MtaStsReport) -> String {
    if !policy.found {
        return "no policy".to_owned();
    }
    let mode = policy.mode.as_deref().unwrap_or("unknown");
    match policy.covers {
        Some(true) => format!("mode {mode}, covers the host"),
        Some(false) => format!("mode {mode}, does not cover the host"),
        None => format!("mode {mode}"),
    }
}

impl fmt::Display for Change {
    /// One line: `contoso-bank: mx1.contoso.com 192.0.2.1 +1: certificate renewed, ..`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.connector)?;
        if let Some(host) = &self.host {
            write!(f, "{host}")?;
            if let Some((first, rest)) = self.addresses.split_first() {
                write!(f, " {first}")?;
                if !rest.is_empty() {
                    write!(f, " +{}", rest.len())?;
                }
            }
            f.write_str(": ")?;
        }
        f.write_str(&self.text)
    }
}

#[cfg(test)]
#[path = "changes_tests.rs"]
mod tests;
