//! Exim: an ACL for what we send, a router and a transport for what we receive.
//!
//! A domain list of Exim's has `x` for x alone and `*.x` for what is below. Which names a certificate may show cannot be
//! chosen: tls_verify_cert_hostnames compares with the name of the host.

use super::ours::Ours;
use super::page::Page;
use super::words;
use crate::model::{Inbound, Mode, Outbound, Pattern};

/// The side that takes our mail.
pub(super) fn receives(page: &mut Page, connector: &Outbound, ours: Ours<'_>) {
    page.talk("In the main part, with the certificate that is agreed on above:");
    page.commented("tls_advertise_hosts = *");
    page.commented("tls_certificate = <file with the certificate and the intermediate certificates>");
    page.commented("tls_privatekey = <file with the key>");
    if connector.requirement.level().allows_plaintext() {
        page.talk("Do not refuse plaintext from us: our connector allows it.");
        return;
    }
    page.blank();
    page.talk(
        "In the ACL of acl_smtp_rcpt, before anything that accepts; it refuses mail with our senders when \
         it comes without TLS:",
    );
    let senders = ours.senders(page).map(|domains| list(domains.iter()));
    let off = connector.mode != Mode::Enforce;
    for line in [
        "deny".to_owned(),
        format!("  sender_domains = {}", senders.as_deref().unwrap_or("<our domains>")),
        "  !encrypted     = *".to_owned(),
        "  message        = TLS is required".to_owned(),
    ] {
        if off || senders.is_none() { page.commented(&line) } else { page.line(&line) }
    }
    if off {
        page.talk("Our side is not in force: take the # away when we tell you that it is.");
    }
}

/// The side that sends mail to us.
pub(super) fn sends(page: &mut Page, connector: Option<&Inbound>, ours: Ours<'_>) {
    let domains = ours.recipients(page, connector).map(|domains| list(domains.into_iter()));
    let missing = domains.is_none();
    let name = ours.identifier();
    page.talk("A router, before the one for mail to the Internet:");
    for line in [
        format!("{name}:"),
        "  driver = dnslookup".to_owned(),
        format!("  domains = {}", domains.as_deref().unwrap_or("<our domains>")),
        format!("  transport = {name}"),
        "  ignore_target_hosts = <; 0.0.0.0 ; 127.0.0.0/8 ; ::1".to_owned(),
        "  no_more".to_owned(),
    ] {
        if missing { page.commented(&line) } else { page.line(&line) }
    }
    page.blank();
    page.talk("Its transport:");
    for line in [
        format!("{name}:").as_str(),
        "  driver = smtp",
        "  multi_domain = false",
        "  hosts_require_tls = *",
        "  tls_verify_hosts = *",
        "  tls_verify_certificates = system",
        "  tls_verify_cert_hostnames = *",
    ] {
        if missing { page.commented(line) } else { page.line(line) }
    }
    if connector.is_some_and(|connector| connector.require.certificate.is_some()) {
        page.talk("In it, the client certificate that is agreed on above:");
        page.commented("  tls_certificate = <file with the certificate and the intermediate certificates>");
        page.commented("  tls_privatekey = <file with the key>");
    }
    if let Some(names) = ours.certificates(page) {
        let names = words::certified(names.iter());
        page.talk(&format!("{} Our certificates show {names}.", words::COMPARED));
    }
}

fn list<'p>(patterns: impl Iterator<Item = &'p Pattern>) -> String {
    let keys = patterns.flat_map(|pattern| match pattern {
        Pattern::Exact(name) => vec![name.to_string()],
        Pattern::Tree(name) => vec![name.to_string(), format!("*.{name}")],
        Pattern::Below(name) => vec![format!("*.{name}")],
        Pattern::Any => Vec::new(),
    });
    keys.collect::<Vec<_>>().join(" : ")
}
