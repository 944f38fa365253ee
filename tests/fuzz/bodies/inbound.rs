//! What must be decided about a mail at [`super::site`], connector by connector, from its file.

use std::net::IpAddr;

use ipnet::IpNet;

use super::naive::{self, Host};
use super::vocabulary::Severity;

/// What is known of a mail.
#[derive(Debug, Default)]
pub struct Mail<'a> {
    /// Where in the session.
    pub state: &'a [u8],
    /// The client.
    pub client: &'a [u8],
    /// Its HELO name.
    pub helo: &'a [u8],
    /// MAIL FROM.
    pub sender: &'a [u8],
    /// RCPT TO.
    pub recipient: &'a [u8],
    /// Whether somebody has logged in.
    pub authenticated: bool,
    /// In Postfix's words; empty in plaintext.
    pub tls: &'a [u8],
    /// Whether the certificate is trusted, from the right authority, and named below partner.example.
    pub partner: Known,
    /// Whether the certificate is the registered one, within its dates.
    pub registered: Known,
}

/// What can be said of a certificate without reading it as the code under test does.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Known {
    /// It is so.
    Yes,
    /// It is not so.
    #[default]
    No,
    /// Either.
    Maybe,
}

/// The mildest and the most severe that may be objected to a mail.
pub fn expected(mail: &Mail<'_>) -> (Severity, Severity) {
    (decided(mail, true), decided(mail, false))
}

/// `doubt`: how [`Known::Maybe`] is taken.
fn decided(mail: &Mail<'_>, doubt: bool) -> Severity {
    match mail.state {
        b"CONNECT" | b"EHLO" | b"HELO" | b"VRFY" | b"ETRN" => return Severity::Nothing,
        b"MAIL" | b"RCPT" | b"DATA" | b"END-OF-MESSAGE" => {}
        _ => return Severity::Defer,
    }
    let text = |bytes| std::str::from_utf8(bytes).ok();
    let client: Option<IpAddr> = text(mail.client).and_then(|text| text.parse().ok());
    let client = client.map(|address| address.to_canonical());
    let within = |ranges: &[&str]| {
        let within = |client: &IpAddr| {
            ranges.iter().any(|range| range.parse::<IpNet>().is_ok_and(|range| range.contains(client)))
        };
        client.as_ref().is_some_and(within)
    };
    if mail.authenticated || within(&["127.0.0.0/8", "::1/128"]) {
        return Severity::Nothing;
    }
    let from = match mail.sender {
        b"" => text(mail.helo),
        sender => text(sender).and_then(naive::domain_of),
    };
    let from = from.and_then(of_a_person);
    let sent_by = |pattern: &str| matches!(&from, Some(Host::Name(name)) if naive::covers(pattern, name));
    let known = |known: Known| match known {
        Known::Yes => true,
        Known::No => false,
        Known::Maybe => doubt,
    };
    let tls = !mail.tls.is_empty();
    let recent = [&b"TLSv1.2"[..], b"TLSv1.3"].contains(&mail.tls);

    let mut worst = Severity::Nothing;
    let mut object = |severity: Severity, identified: bool, satisfied: bool| {
        if identified && !satisfied {
            worst = worst.max(severity);
        }
    };
    let inner = sent_by("*.inner.partner.example");
    object(Severity::Defer, inner, tls);
    object(Severity::Reject, sent_by("*.partner.example") && !inner, recent && known(mail.partner));
    let range = within(&["203.0.113.0/24", "2001:db8::/32"]) && !within(&["203.0.113.7/32"]);
    object(Severity::Defer, range, tls);
    object(Severity::Hold, sent_by("registered.example"), tls && known(mail.registered));
    object(Severity::Reject, sent_by("scoped.example") && is_in_scope(mail), tls);
    object(Severity::Defer, sent_by("here.example"), within(&["192.0.2.0/24"]));
    if from.is_none() || client.is_none() {
        worst = worst.max(Severity::Defer);
    }
    worst
}

/// A domain, or an address literal with or without its brackets.
fn of_a_person(text: &str) -> Option<Host> {
    match text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(literal) => naive::host(literal).filter(|host| matches!(host, Host::Address(_))),
        None => naive::host(text),
    }
}

/// At MAIL nobody is named; at DATA nobody when there are several; whoever has no domain is one of us.
fn is_in_scope(mail: &Mail<'_>) -> bool {
    match mail.state {
        b"RCPT" => {}
        b"DATA" | b"END-OF-MESSAGE" if !mail.recipient.is_empty() => {}
        _ => return false,
    }
    let domain = std::str::from_utf8(mail.recipient).ok().and_then(naive::domain_of).and_then(naive::name);
    domain.is_none_or(|domain| naive::covers("*.our.example", &domain))
}
