//! Postfix: `reject_plaintext_session` for what we send, a policy table for what we receive.
//!
//! In a policy table `x` is x alone and `.x` what is below (smtp_tls_policy.c: the name, then its parents with a dot);
//! in an access table `x` has what is below as well while smtpd_access_maps stands in
//! parent_domain_matches_subdomains, which it does by default, and `.x` has it otherwise: so both are written. By
//! default `.x` is not asked for (smtpd_check.c:check_domain_access): nothing can take what is below out of `x`.

use super::ours::Ours;
use super::page::Page;
use crate::model::inbound::TlsRequirement;
use crate::model::{Inbound, Mode, Outbound, Pattern};

/// The side that takes our mail.
pub(super) fn receives(page: &mut Page, connector: &Outbound, ours: Ours<'_>) {
    page.talk("In main.cf, with the certificate that is agreed on above:");
    page.commented("smtpd_tls_security_level = may");
    page.commented(
        "smtpd_tls_chain_files = <file with the key, the certificate and the intermediate certificates>",
    );
    if connector.requirement.level().allows_plaintext() {
        page.talk("Do not refuse plaintext from us: our connector allows it.");
        return;
    }
    page.blank();
    page.talk(
        "/etc/postfix/tls_senders, which refuses mail with our senders when it comes without TLS; then: \
         postmap /etc/postfix/tls_senders",
    );
    let off = connector.mode != Mode::Enforce;
    match ours.senders(page) {
        Some(domains) => {
            for key in domains.iter().flat_map(access_keys) {
                let line = format!("{key} reject_plaintext_session");
                if off { page.commented(&line) } else { page.line(&line) }
            }
        }
        None => page.commented("<our domain> reject_plaintext_session"),
    }
    let whole = |pattern: &Pattern| matches!(pattern, Pattern::Tree(_) | Pattern::Any);
    if ours.senders(page).is_some_and(|domains| !domains.iter().all(whole)) {
        page.talk(
            "(Postfix takes a name here for what is below it too, unless smtpd_access_maps is taken out of \
             parent_domain_matches_subdomains; then only a name with a dot in front is that.)",
        );
    }
    page.blank();
    page.talk("In main.cf, before anything in this list that permits:");
    page.commented(
        "smtpd_recipient_restrictions = ... check_sender_access hash:/etc/postfix/tls_senders ...",
    );
    if off {
        page.talk("Our side is not in force: take the # away when we tell you that it is.");
    }
}

fn access_keys(pattern: &Pattern) -> Vec<String> {
    match pattern {
        Pattern::Exact(name) => vec![name.to_string()],
        Pattern::Tree(name) | Pattern::Below(name) => vec![name.to_string(), format!(".{name}")],
        Pattern::Any => Vec::new(),
    }
}

/// The side that sends mail to us.
pub(super) fn sends(page: &mut Page, connector: Option<&Inbound>, ours: Ours<'_>) {
    page.talk("/etc/postfix/tls_policy, then: postmap /etc/postfix/tls_policy");
    let names = ours.certificates(page).map(match_names);
    let tls = connector.and_then(|connector| connector.require.tls);
    let version = match tls {
        Some(TlsRequirement::AtLeast(version)) => format!(" protocols=>={version}"),
        Some(TlsRequirement::Any) | None => String::new(),
    };
    match (ours.recipients(page, connector), &names) {
        (Some(domains), Some(names)) => {
            for key in domains.into_iter().flat_map(policy_keys) {
                page.line(&format!("{key} secure match={}{version}", names.join(":")));
            }
        }
        (Some(domains), None) => {
            for key in domains.into_iter().flat_map(policy_keys) {
                page.commented(&format!(
                    "{key} secure match=<the names that our certificates show>{version}"
                ));
            }
        }
        (None, _) => page.commented(&format!(
            "<our domain> secure match={}{version}",
            names
                .as_ref()
                .map_or_else(|| "<the names that our certificates show>".to_owned(), |names| names.join(":"))
        )),
    }
    if !version.is_empty() {
        page.talk("(`protocols=>=` is understood by Postfix 3.6 and newer.)");
    }
    page.blank();
    page.talk(
        "In main.cf, behind the tables that are there: without their names here they would count for \
         nothing. (An entry for our domains in one of them counts before this one: take it out.) The file \
         of authorities is Debian's, and elsewhere on other systems; keep yours if you have one. Where \
         Postfix has no hash:, take what `postconf default_database_type` says:",
    );
    page.commented("smtp_tls_policy_maps = <what is there>, hash:/etc/postfix/tls_policy");
    page.commented("smtp_tls_CAfile = /etc/ssl/certs/ca-certificates.crt");
    page.talk(
        "Postfix 3.10 and newer, or else anybody who writes the header `TLS-Required: no` sends without TLS:",
    );
    page.commented("tls_required_enable = no");
    page.talk(
        "A relayhost, a transport table or smtp_fallback_relay would go round the table: it is asked for \
         the next-hop.",
    );
    if connector.is_some_and(|connector| connector.require.certificate.is_some()) {
        page.talk("The client certificate that is agreed on above:");
        page.commented(
            "smtp_tls_chain_files = <file with the key, the certificate and the intermediate certificates>",
        );
    }
}

fn policy_keys(pattern: &Pattern) -> Vec<String> {
    match pattern {
        Pattern::Exact(name) => vec![name.to_string()],
        Pattern::Tree(name) => vec![name.to_string(), format!(".{name}")],
        Pattern::Below(name) => vec![format!(".{name}")],
        Pattern::Any => Vec::new(),
    }
}

/// A star in `match` is literal in Postfix. Each once.
fn match_names(patterns: &[Pattern]) -> Vec<String> {
    let mut names = Vec::new();
    for name in patterns.iter().flat_map(policy_keys) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}
