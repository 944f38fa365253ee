//! Exchange Server: `New-ReceiveConnector` for what we send, `New-SendConnector` for what we receive.
//!
//! A Receive connector is chosen by the client's address, so it takes our addresses and not our domains; which
//! certificate it shows is decided by its Fqdn, or by TlsCertificateName in the form `<I>issuer<S>subject`.

use super::names;
use super::ours::Ours;
use super::page::Page;
use super::powershell::quoted;
use crate::migrate::range::range;
use crate::model::names::Names;
use crate::model::{Inbound, Mode, Outbound};

/// How a connector is told its certificate. `$cert` is what is agreed on.
const CERTIFICATE: &str = "$cert = Get-ExchangeCertificate -Thumbprint <thumbprint of the certificate>";

/// The side that takes our mail.
pub(super) fn receives(page: &mut Page, connector: &Outbound, ours: Ours<'_>) {
    if connector.requirement.level().allows_plaintext() {
        page.talk(
            "A Receive connector that requires TLS would refuse what we send in plaintext: do not create \
             one.",
        );
        return;
    }
    let from = ours.object(page, "From");
    let off = connector.mode != Mode::Enforce;
    page.talk(
        "On each server that takes mail from the Internet, a Receive connector for our servers that \
         refuses plaintext (on an Edge server without -TransportRole):",
    );
    page.blank();
    let command = ours
        .make("New-ReceiveConnector", &from)
        .word("TransportRole", "FrontendTransport")
        .switch("Custom")
        .texts("Bindings", vec!["0.0.0.0:25".to_owned(), "[::]:25".to_owned()]);
    let command = match ours.needed_addresses(page) {
        Some(addresses) => command.texts("RemoteIPRanges", addresses.iter().map(range).collect()),
        None => command.missing("RemoteIPRanges", "the addresses of our servers"),
    };
    let command = command.word("PermissionGroups", "AnonymousUsers").word("AuthMechanism", "Tls");
    command.truth("RequireTLS", true).truth("Enabled", !off).write(page);
    page.blank();
    let identity = quoted(&format!("<SERVER>\\{from}"));
    if off {
        page.talk(
            "It is created switched off, because our side is not in force. When we tell you that it is:",
        );
        page.commented(&format!("Set-ReceiveConnector -Identity {identity} -Enabled $true"));
    }
    if !matches!(connector.requirement.names(), Names::Any) {
        page.talk("The certificate that it shows is the one that is agreed on above:");
        page.commented(CERTIFICATE);
        page.commented(&format!(
            "Set-ReceiveConnector -Identity {identity} -TlsCertificateName \
             \"<I>$($cert.Issuer)<S>$($cert.Subject)\""
        ));
    }
}

/// The side that sends mail to us.
pub(super) fn sends(page: &mut Page, connector: Option<&Inbound>, ours: Ours<'_>) {
    let to = ours.object(page, "To");
    page.talk("The Send connector for your mail to us:");
    page.blank();
    let command = ours.make("New-SendConnector", &to).switch("Custom");
    let command = match ours.recipients(page, connector) {
        Some(domains) => {
            names::say_widened(page, domains.iter().map(|domain| domain.names()));
            command.texts("AddressSpaces", names::exchange_all(domains.iter().map(|domain| domain.names())))
        }
        None => command.missing("AddressSpaces", "our domains"),
    };
    let command = command
        .truth("DNSRoutingEnabled", true)
        .truth("IgnoreSTARTTLS", false)
        .truth("RequireTLS", true)
        .word("TlsAuthLevel", "DomainValidation");
    let command = match ours.certificate(page) {
        Ok(certificate) => command.text("TlsDomain", certificate),
        Err(missing) => command.missing("TlsDomain", missing),
    };
    command.truth("Enabled", true).write(page);
    page.blank();
    if connector.is_some_and(|connector| connector.require.certificate.is_some()) {
        page.talk("It shows the client certificate that is agreed on above:");
        page.commented(CERTIFICATE);
        page.commented(&format!(
            "Set-SendConnector -Identity {} -TlsCertificateName \"<I>$($cert.Issuer)<S>$($cert.Subject)\"",
            quoted(&to)
        ));
    }
}
