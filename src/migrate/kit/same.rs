//! A connector of ours in the terms of Exchange Online: what [`New-OutboundConnector`] and `New-InboundConnector` would
//! be told to have the same there.
//!
//! It is what an import is compared with, and the way back. What Exchange has no form for is said above the command; where
//! the command without it would demand less than ours, it is a comment that lacks something, and is no command at all.
//! One thing is less and is a command still: `CertificateValidation` for `verify` without names, which an import makes
//! of it.
//!
//! [`New-OutboundConnector`]: https://learn.microsoft.com/powershell/module/exchangepowershell/new-outboundconnector

use ipnet::IpNet;

use super::exchange_online::taken;
use super::page::{Page, shown};
use super::powershell::Command;
use super::{Connector, Kit, names};
use crate::migrate::range::range;
use crate::model::inbound::{CertificateRequirement, TlsRequirement};
use crate::model::names::Names;
use crate::model::outbound::Route;
use crate::model::requirement::{Anchors, Requirement, TlsVersion};
use crate::model::{Host, Inbound, Level, Mode, NextHop, Notes, Outbound, Pattern, PatternSet};

/// The same connector in Exchange Online.
pub fn same(connector: Connector<'_>) -> Kit {
    let mut page = Page::of_powershell();
    match connector {
        Connector::Outbound(connector) => outbound(&mut page, connector),
        Connector::Inbound(connector) => inbound(&mut page, connector),
    }
    Kit::of(page)
}

fn begin(page: &mut Page, cmdlet: &'static str, name: &str, notes: &Notes) -> Command {
    let command = Command::new(cmdlet).text("Name", name);
    let command = match &notes.comment {
        Some(comment) => {
            let text = shown(comment);
            if text != *comment || !text.is_ascii() {
                page.talk("The comment is ours in one line, in ASCII and no longer than a line should be.");
            }
            command.text("Comment", text)
        }
        None => command,
    };
    command.word("ConnectorType", "Partner")
}

/// On trial here is on there: Exchange has nothing between.
fn mode(page: &mut Page, mode: Mode) -> bool {
    if mode == Mode::Report {
        page.talk("Ours is on trial (mode = \"report\") and enforces nothing yet. This one would.");
    }
    mode != Mode::Off
}

fn outbound(page: &mut Page, connector: &Outbound) {
    let Outbound { name, domains, except, requirement, route, notes, .. } = connector;
    let enabled = mode(page, connector.mode);
    if !except.is_empty() {
        let except: Vec<String> = except.iter().map(ToString::to_string).collect();
        page.talk(&format!("Exchange has no exceptions; ours does not apply to {}.", except.join(", ")));
    }
    names::say_widened(page, domains.iter());
    let command = begin(page, "New-OutboundConnector", name.as_str(), notes);
    let command = command.texts("RecipientDomains", names::exchange_all(domains.iter()));
    let command = routed(page, command, route);
    demand(page, command, requirement).truth("Enabled", enabled).write(page);
}

fn routed(page: &mut Page, command: Command, route: &Route) -> Command {
    let Route::SmartHosts(hosts) = route else {
        return command.truth("UseMXRecord", true);
    };
    let with_port = |hop: &&NextHop| hop.port().is_some_and(|port| !["25", "smtp"].contains(&port));
    if let Some(hop) = hosts.iter().find(with_port) {
        page.talk(&format!("Exchange Online connects to port 25 alone; ours to {hop}."));
    }
    let host = |hop: &NextHop| match hop.host() {
        Host::Name(name) => name.to_string(),
        Host::Address(address) => address.to_string(),
    };
    command.truth("UseMXRecord", false).texts("SmartHosts", hosts.iter().map(host).collect())
}

/// The level. `TlsSettings` that are left out are opportunistic.
fn demand(page: &mut Page, command: Command, requirement: &Requirement) -> Command {
    let command = versioned(page, command, requirement.min_version());
    let command = match requirement.ciphers() {
        Some(ciphers) => {
            page.lacks("ciphers for a connector, which Exchange has no form for");
            page.talk(&format!("Exchange has no ciphers for a connector; ours are {}.", ciphers.word()));
            command.held_back()
        }
        None => command,
    };
    if matches!(requirement.anchors(), Anchors::File(_)) {
        page.lacks(
            "authorities for a connector, which Exchange has no form for: it trusts all that Windows trusts",
        );
        page.talk(
            "Ours trusts the authorities of one file alone; a connector of Exchange trusts all that \
             Windows trusts.",
        );
        return command.missing("TlsSettings", "nothing in Exchange is like ours");
    }
    let settings = |command: Command, word: &str| command.word("TlsSettings", word);
    match (requirement.level(), requirement.names()) {
        (Level::May, _) => {
            page.talk("Ours lets mail go in plaintext; so does Exchange without TlsSettings.");
            command
        }
        (Level::Encrypt, _) => settings(command, "EncryptionOnly"),
        (Level::Verify | Level::Secure, Names::Any | Names::MxHost) => {
            page.talk(
                "Exchange compares the certificate with no name at this level, which is less; ours with that of \
                 the host.",
            );
            settings(command, "CertificateValidation")
        }
        (Level::Verify | Level::Secure, Names::Domain) => {
            page.talk("Without TlsDomain the certificate is compared with the domain of the recipient.");
            settings(command, "DomainValidation")
        }
        (Level::Verify | Level::Secure, Names::Set(set)) => {
            let all: Vec<Pattern> = set.iter().cloned().collect();
            let command = settings(command, "DomainValidation");
            match names::one(&all) {
                Some(one) => compared(page, command, "TlsDomain", &one),
                None => {
                    page.lacks("one name for the certificate: Exchange compares with one only");
                    let all: Vec<String> = all.iter().map(ToString::to_string).collect();
                    command.missing("TlsDomain", format!("one of {}", all.join(", ")))
                }
            }
        }
        (Level::Fingerprint, _) => {
            page.lacks("a certificate known by its digest, which Exchange has no form for");
            page.talk("Ours takes certificates by their digests, which Exchange cannot.");
            command.missing("TlsSettings", "nothing in Exchange is like ours")
        }
        (Level::Dane, _) => command.word("SmtpDaneMode", "Opportunistic"),
        (Level::DaneOnly, _) => settings(command, "EncryptionOnly").word("SmtpDaneMode", "Mandatory"),
    }
}

fn versioned(page: &mut Page, command: Command, version: Option<TlsVersion>) -> Command {
    let Some(version) = version else { return command };
    page.lacks("a minimum version for a connector, which Exchange has no form for");
    page.talk(&format!("Exchange has no minimum version for a connector; ours is {version}."));
    command.held_back()
}

/// The one name for a certificate.
fn compared(page: &mut Page, command: Command, parameter: &'static str, one: &Pattern) -> Command {
    names::say_widened(page, [one.names()]);
    let is_wider = names::widened([one.names()]);
    let command = command.text(parameter, names::exchange(&one.names()));
    if !is_wider {
        return command;
    }
    page.lacks("a form for a certificate's name that is below another: `*.x` in Exchange has x itself too");
    command.held_back()
}

fn inbound(page: &mut Page, connector: &Inbound) {
    let Inbound { name, identify, recipients, require, notes, .. } = connector;
    let enabled = mode(page, connector.mode);
    names::say_widened(page, identify.domains.iter().map(Pattern::names));
    if !identify.addresses.is_empty() {
        page.lacks(
            "a partner known by addresses: a Partner connector of Exchange knows its own by sender domains",
        );
        let addresses: Vec<String> = identify.addresses.iter().map(range).collect();
        page.talk(&format!("Ours is for clients in {} too, whatever the sender.", addresses.join(", ")));
    }
    if !identify.except_addresses.is_empty() {
        let except: Vec<String> = identify.except_addresses.iter().map(range).collect();
        page.talk(&format!("Exchange has no exceptions; ours does not apply to {}.", except.join(", ")));
    }
    let command = begin(page, "New-InboundConnector", name.as_str(), notes);
    // It would let through what ours knows by the address alone.
    let command = if identify.addresses.is_empty() { command } else { command.held_back() };
    let version = match require.tls {
        Some(TlsRequirement::AtLeast(version)) => Some(version),
        Some(TlsRequirement::Any) | None => None,
    };
    let command = versioned(page, command, version);
    let command = if identify.domains.is_empty() {
        command.missing("SenderDomains", "the partner's domains")
    } else {
        let domains = names::exchange_all(identify.domains.iter().map(Pattern::names));
        command.texts("SenderDomains", domains)
    };
    let command = match recipients {
        Some(recipients) => associated(page, command, recipients),
        None => command,
    };
    let command = command.truth("RequireTls", require.needs_tls());
    let command = match &require.certificate {
        Some(wanted) => certified(page, command, wanted),
        None => command,
    };
    let command = match &require.addresses {
        Some(addresses) => from(page, command, addresses),
        None => command,
    };
    command.truth("Enabled", enabled).write(page);
}

/// AssociatedAcceptedDomains takes accepted domains by their names, and no patterns.
fn associated(page: &mut Page, command: Command, recipients: &PatternSet) -> Command {
    let parameter = "AssociatedAcceptedDomains";
    if recipients.iter().any(|pattern| *pattern == Pattern::Any) {
        return command;
    }
    let is_exact = |pattern: &Pattern| matches!(pattern, Pattern::Exact(_));
    let all: Vec<String> = recipients.iter().map(ToString::to_string).collect();
    if recipients.iter().all(is_exact) {
        return command.texts(parameter, all);
    }
    page.lacks(
        "a form for recipients below a domain: AssociatedAcceptedDomains takes domains by their names",
    );
    command.missing(parameter, format!("each accepted domain by its name; ours are {}", all.join(", ")))
}

fn certified(page: &mut Page, command: Command, wanted: &CertificateRequirement) -> Command {
    let mut command = command.truth("RestrictDomainsToCertificate", true);
    if wanted.issuers.is_some() {
        page.lacks("issuers for a connector, which Exchange has no form for");
        page.talk("Exchange takes the name from any issuer that it trusts; ours from some alone.");
        command = command.held_back();
    }
    if !wanted.registered.is_empty() {
        page.lacks("a client's certificate known by its digest, which Exchange has no form for");
        page.talk("Ours takes the certificates of its files alone, which Exchange cannot.");
        command = command.held_back();
    }
    let all: Vec<Pattern> = wanted.names.iter().flat_map(|names| names.iter().cloned()).collect();
    match names::one(&all) {
        Some(one) => compared(page, command, "TlsSenderCertificateName", &one),
        None => {
            page.lacks("one name for the client's certificate: Exchange compares with one only");
            let all: Vec<String> = all.iter().map(ToString::to_string).collect();
            command.missing("TlsSenderCertificateName", format!("one name; ours are {}", all.join(", ")))
        }
    }
}

/// SenderIPAddresses takes IPv4 alone, single addresses and ranges from /24 on.
fn from(page: &mut Page, command: Command, addresses: &[IpNet]) -> Command {
    let command = command.truth("RestrictDomainsToIPAddresses", true);
    if addresses.iter().all(taken) {
        return command.texts("SenderIPAddresses", addresses.iter().map(range).collect());
    }
    page.lacks("a form for our addresses: Exchange Online takes IPv4 and ranges of /24 to /32 only");
    let all: Vec<String> = addresses.iter().map(range).collect();
    command.missing("SenderIPAddresses", format!("IPv4, /24 to /32; ours are {}", all.join(", ")))
}
