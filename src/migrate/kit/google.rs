//! Google Workspace: the setting "Secure transport (TLS) compliance" of the Admin console.
//!
//! There is no command for it. What it compares a certificate with cannot be chosen: it is the name of the MX host.

use super::ours::Ours;
use super::page::Page;
use super::words;
use crate::model::names::Names;
use crate::model::{Inbound, Level, Mode, Outbound, Pattern};

const WHERE: &str = "In the Admin console: Apps, Google Workspace, Gmail, Compliance, Secure transport \
 (TLS) compliance, Configure.";

/// The side that takes our mail.
pub(super) fn receives(page: &mut Page, connector: &Outbound, ours: Ours<'_>) {
    if connector.requirement.level().allows_plaintext() {
        page.talk("The setting for inbound messages would refuse what we send in plaintext: leave it alone.");
        return;
    }
    let requirement = &connector.requirement;
    let is_foreign = match requirement.level() {
        Level::Fingerprint => true,
        Level::Verify | Level::Secure => *requirement.names() != Names::MxHost,
        Level::May | Level::Encrypt | Level::Dane | Level::DaneOnly => false,
    };
    if is_foreign {
        page.talk(
            "Mind that servers of Google show certificates of Google's. If your MX records name them, and \
             what is agreed on above is another name, our mail will wait: tell us, and we agree on theirs.",
        );
    }
    if requirement.level() == Level::DaneOnly {
        page.talk(
            "Mind that MX hosts of Google have no TLSA records. If your MX records name them, our mail \
             will wait: tell us, and we agree on something else.",
        );
    }
    page.talk(WHERE);
    let name = ours.name(page);
    page.item(&format!("description: mail from {name}"));
    page.item("messages: inbound");
    let senders = ours.senders(page).map(|domains| domains.iter().collect());
    domains(page, senders);
    page.item("save");
    if connector.mode != Mode::Enforce {
        page.talk("Do so when we tell you that our side is in force, and not before.");
    }
}

/// The side that sends mail to us.
pub(super) fn sends(page: &mut Page, connector: Option<&Inbound>, ours: Ours<'_>) {
    page.talk(WHERE);
    let name = ours.name(page);
    page.item(&format!("description: mail to {name}"));
    page.item("messages: outbound");
    let recipients = ours.recipients(page, connector);
    domains(page, recipients);
    page.item("require a certificate signed by an authority, and validate its host name");
    page.item("test the TLS connection, then save");
    if let Some(names) = ours.certificates(page) {
        let names = words::certified(names.iter());
        page.talk(&format!("{} Our certificates show {names}.", words::COMPARED));
    }
    page.talk("Google tries once: what cannot be sent over TLS goes back to its sender at once.");
    let Some(require) = connector.map(|connector| &connector.require) else {
        return;
    };
    if require.certificate.is_some() || require.addresses.is_some() {
        page.talk(
            "Mind that Google sends from its own addresses and shows no certificate of yours. Mail that \
             comes from there directly does not meet what we demand: send it through a server of yours (an \
             outbound gateway), or tell us.",
        );
    }
}

fn domains(page: &mut Page, domains: Option<Vec<&Pattern>>) {
    match domains {
        Some(domains) => {
            let domains = domains.iter().map(|domain| words::described(&domain.names()));
            page.item(&format!("only for an address list with {}", words::listed(domains)));
        }
        None => page.item("only for an address list with <our domains>"),
    }
}
