//! What becomes of Exchange's settings: the whole way from JSON to the text, and the reasons for what has none.

use std::fmt::Write as _;

mod back;
mod lost;
mod others;
mod outbound;
mod whole;

use super::*;
use crate::migrate::file;

/// A connector of Exchange Online to a partner, as it is shown, with other values of some properties.
fn outbound(others: &[(&str, &str)]) -> String {
    let usual = [
        ("Enabled", "true"),
        ("UseMXRecord", "true"),
        ("Comment", "\"\""),
        ("ConnectorType", "\"Partner\""),
        ("RecipientDomains", "[\"contoso.com\"]"),
        ("SmartHosts", "[]"),
        ("TlsDomain", "null"),
        ("TlsSettings", "\"EncryptionOnly\""),
        ("IsTransportRuleScoped", "false"),
        ("RouteAllMessagesViaOnPremises", "false"),
        ("CloudServicesMailEnabled", "false"),
        ("AllAcceptedDomains", "false"),
        ("SenderRewritingEnabled", "false"),
        ("MtaStsMode", "\"None\""),
        ("SmtpDaneMode", "\"None\""),
        ("TestMode", "false"),
        ("ValidationRecipients", "[]"),
        ("Name", "\"To Contoso\""),
    ];
    object(&usual, others)
}

fn inbound(others: &[(&str, &str)]) -> String {
    let usual = [
        ("Enabled", "true"),
        ("ConnectorType", "\"Partner\""),
        ("Comment", "\"\""),
        ("SenderIPAddresses", "[]"),
        ("SenderDomains", "[\"smtp:contoso.com;1\"]"),
        ("TrustedOrganizations", "[]"),
        ("AssociatedAcceptedDomains", "[]"),
        ("RequireTls", "true"),
        ("RestrictDomainsToIPAddresses", "false"),
        ("RestrictDomainsToCertificate", "false"),
        ("TlsSenderCertificateName", "null"),
        ("Name", "\"From Contoso\""),
    ];
    object(&usual, others)
}

fn send(others: &[(&str, &str)]) -> String {
    let usual = [
        ("AddressSpaces", "[\"SMTP:contoso.com;1\"]"),
        ("DNSRoutingEnabled", "true"),
        ("DomainSecureEnabled", "false"),
        ("Enabled", "true"),
        ("IgnoreSTARTTLS", "false"),
        ("Port", "25"),
        ("RequireTLS", "true"),
        ("SmartHosts", "[]"),
        ("SmartHostAuthMechanism", "\"None\""),
        ("TlsAuthLevel", "null"),
        ("TlsDomain", "null"),
        ("Name", "\"Send\""),
    ];
    object(&usual, others)
}

fn receive(others: &[(&str, &str)]) -> String {
    let usual = [
        ("Bindings", "[\"0.0.0.0:25\", \"[::]:25\"]"),
        ("Enabled", "true"),
        ("RemoteIPRanges", "[\"203.0.113.7\", \"192.0.2.0-192.0.2.255\"]"),
        ("RequireTLS", "true"),
        ("TlsDomainCapabilities", "[]"),
        ("Name", "\"Receive\""),
    ];
    object(&usual, others)
}

/// An empty value takes a property out.
fn object(usual: &[(&str, &str)], others: &[(&str, &str)]) -> String {
    let mut all = usual.to_vec();
    for &(name, value) in others {
        all.retain(|(known, _)| *known != name);
        if !value.is_empty() {
            all.push((name, value));
        }
    }
    let properties: Vec<String> = all.iter().map(|(name, value)| format!("\"{name}\": {value}")).collect();
    format!("{{{}}}", properties.join(", "))
}

fn import(exports: &[&str]) -> Imported {
    let mut all = Exports::default();
    for export in exports {
        all.read("e.json", export.as_bytes().to_vec());
    }
    all.finish()
}

/// The connector without its name and spaces, and its notes; or the reason.
fn outcome(export: &str) -> String {
    let Imported { drafts, refused, .. } = import(&[export]);
    let mut out = String::new();
    for draft in &drafts {
        let text = file(&[], std::slice::from_ref(draft));
        let keys = text.lines().filter(|line| {
            line.contains('=')
                && !line.starts_with(['#'])
                && !line.starts_with("version")
                && !line.starts_with("name ")
        });
        let keys: Vec<String> =
            keys.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        out.push_str(&keys.join("; "));
        for note in &draft.notes {
            let _ = write!(out, " # {note}");
        }
    }
    for refused in &refused {
        let _ = write!(out, "refused: {}", refused.reason);
    }
    out
}

/// The outcome begins so, and each of these words is in it.
#[track_caller]
fn becomes(export: &str, beginning: &str, words: &[&str]) {
    let outcome = outcome(export);
    assert!(outcome.starts_with(beginning), "{export}\n{outcome}\n{beginning}");
    for word in words {
        assert!(outcome.contains(word), "{export}\n{outcome}\n{word}");
    }
    if words.is_empty() {
        assert_eq!(outcome, beginning, "{export}");
    }
}

/// How an outbound connector begins.
const REPORT: &str = "mode = \"report\"; domains = [\"contoso.com\"]; ";
