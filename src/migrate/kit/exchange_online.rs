//! Exchange Online: `New-InboundConnector` for what we send, `New-OutboundConnector` for what we receive.
//!
//! The cmdlets and their limits are those of ExchangePowerShell's reference: an inbound connector knows us by
//! the domains of our senders and takes IPv4 ranges of /24 to /32; an outbound one compares our certificate with one name.

use ipnet::IpNet;

use super::names;
use super::ours::Ours;
use super::page::Page;
use super::powershell::quoted;
use super::words;
use crate::migrate::range::range;
use crate::model::names::Names;
use crate::model::pattern::Entry;
use crate::model::{Inbound, Level, Mode, Outbound, Pattern, PatternSet};

/// The name that the servers of Exchange Online show, as servers and as clients.
const MICROSOFT: &str = "mail.protection.outlook.com";

/// The certificate that is compared is that of the server which the mail is handed to.
const THROUGH: &str = "SmartHosts; TlsDomain is then the name that this server shows, and it is this server \
                       that compares ours";

/// The shortest range that SenderIPAddresses takes.
const SHORTEST: u8 = 24;

/// The side that takes our mail.
pub(super) fn receives(page: &mut Page, connector: &Outbound, ours: Ours<'_>) {
    own_certificate(page, connector);
    if connector.requirement.level().allows_plaintext() {
        page.talk(
            "An inbound connector that requires TLS would refuse what we send in plaintext: do not create \
             one.",
        );
        return;
    }
    let from = ours.object(page, "From");
    let off = connector.mode != Mode::Enforce;
    page.talk("The inbound connector that refuses mail with our senders when it comes without TLS:");
    page.blank();
    let command = ours.make("New-InboundConnector", &from).word("ConnectorType", "Partner");
    let command = match ours.senders(page) {
        Some(domains) => {
            names::say_widened(page, domains.iter().map(Pattern::names));
            command.texts("SenderDomains", names::exchange_all(domains.iter().map(Pattern::names)))
        }
        None => command.missing("SenderDomains", "our domains"),
    };
    command.truth("RequireTls", true).truth("Enabled", !off).write(page);
    page.blank();
    if off {
        page.talk(
            "It is created switched off, because our side is not in force. When we tell you that it is:",
        );
        page.commented(&format!("Set-InboundConnector -Identity {} -Enabled $true", quoted(&from)));
    }
    stricter(page, ours, &from);
}

/// What the partner may demand beyond TLS, as comments: whether our servers show a client certificate is not known here.
fn stricter(page: &mut Page, ours: Ours<'_>, from: &str) {
    let identity = quoted(from);
    if let Some(name) = names::one(ours.certificate_names()) {
        names::say_widened(page, [name.names()]);
        let name = quoted(&names::exchange(&name.names()));
        page.talk(
            "Stricter, if you like: only from clients that show our certificate. Ask us first whether our \
             servers show it when they send.",
        );
        page.commented(&format!(
            "Set-InboundConnector -Identity {identity} -RestrictDomainsToCertificate $true \
             -TlsSenderCertificateName {name}"
        ));
    }
    let addresses: Vec<String> =
        ours.addresses().iter().filter(|address| taken(address)).map(range).collect();
    if !addresses.is_empty() {
        let addresses: Vec<String> = addresses.iter().map(|address| quoted(address)).collect();
        page.talk(
            "Or: from our addresses alone. Ask us first, for mailing lists and services may send with our \
             senders too.",
        );
        page.commented(&format!(
            "Set-InboundConnector -Identity {identity} -RestrictDomainsToIPAddresses $true \
             -SenderIPAddresses {}",
            addresses.join(", ")
        ));
    }
    let left = ours.addresses().iter().filter(|address| !taken(address));
    if ours.addresses().iter().any(|address| !taken(address)) {
        page.talk(&format!(
            "(Our mail comes from {} as well, which SenderIPAddresses does not take.)",
            words::listed(left.map(range))
        ));
    }
}

/// Whether SenderIPAddresses takes it.
pub(super) fn taken(range: &IpNet) -> bool {
    matches!(range, IpNet::V4(range) if range.prefix_len() >= SHORTEST)
}

/// Whether a certificate of Microsoft's can show one of these names: it has [`MICROSOFT`] and names below it.
fn is_microsoft_s(names: &PatternSet) -> bool {
    let Ok(microsoft) = Pattern::parse(&format!("*.{MICROSOFT}")) else { return false };
    names.covers(Entry::Name(MICROSOFT)) || names.iter().any(|name| microsoft.includes(name))
}

/// The certificate of an MX host of Exchange Online is not the partner's to choose.
fn own_certificate(page: &mut Page, connector: &Outbound) {
    let requirement = &connector.requirement;
    let is_foreign = match (requirement.level(), requirement.names()) {
        (Level::Fingerprint, _) => true,
        (Level::Verify | Level::Secure, Names::Set(names)) => !is_microsoft_s(names),
        (Level::Verify | Level::Secure, Names::Domain) => true,
        (Level::Verify | Level::Secure, Names::MxHost | Names::Any)
        | (Level::May | Level::Encrypt | Level::Dane | Level::DaneOnly, _) => false,
    };
    if is_foreign {
        page.talk(&format!(
            "Mind that servers of Exchange Online show a certificate of Microsoft's ({MICROSOFT}), and not \
             the one that is agreed on above. If your MX records name them, our mail will wait: tell us, \
             and we agree on another name."
        ));
    }
    if requirement.level() == Level::DaneOnly {
        page.talk(
            "Exchange Online has TLSA records for domains with inbound SMTP DANE only \
             (Enable-SmtpDaneInbound).",
        );
    }
}

/// The side that sends mail to us.
pub(super) fn sends(page: &mut Page, connector: Option<&Inbound>, ours: Ours<'_>) {
    page.talk("The outbound connector for your mail to us:");
    page.blank();
    let recipients = ours.recipients(page, connector);
    let to = ours.object(page, "To");
    let command = ours.make("New-OutboundConnector", &to).word("ConnectorType", "Partner");
    let command = match &recipients {
        Some(domains) => {
            names::say_widened(page, domains.iter().map(|domain| domain.names()));
            command
                .texts("RecipientDomains", names::exchange_all(domains.iter().map(|domain| domain.names())))
        }
        None => command.missing("RecipientDomains", "our domains"),
    };
    let command = command.truth("UseMXRecord", true).word("TlsSettings", "DomainValidation");
    let command = match ours.certificate(page) {
        Ok(certificate) => command.text("TlsDomain", certificate),
        Err(missing) => command.missing("TlsDomain", missing),
    };
    command.truth("Enabled", true).write(page);
    page.blank();
    page.talk(
        "Validate it with Validate-OutboundConnector, and a mailbox of ours as recipient, before you rely \
         on it.",
    );
    let Some(require) = connector.map(|connector| &connector.require) else {
        return;
    };
    if let Some(wanted) = &require.certificate
        && wanted.names.as_ref().is_none_or(|names| !is_microsoft_s(names))
    {
        page.talk(&format!(
            "Mind that Exchange Online shows a client certificate of Microsoft's ({MICROSOFT}), and never \
             one of yours. Mail that comes from there directly does not meet what we demand: send it \
             through a server of yours ({THROUGH}), or tell us."
        ));
    }
    if require.addresses.is_some() {
        page.talk(&format!(
            "Mind that Exchange Online sends from many addresses of Microsoft's, which change. Mail from \
             others than those above does not meet what we demand: send it through a server of yours \
             ({THROUGH}), or tell us."
        ));
    }
}
