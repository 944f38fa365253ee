//! There and back: settings of Exchange become a connector that the configuration accepts, and that one is the same
//! settings of Exchange again.

#![allow(clippy::unwrap_used)]

use std::fmt::Write as _;
use std::fs;

use jiff::Timestamp;

use super::{import, inbound, outbound};
use crate::config;
use crate::migrate::file;
use crate::migrate::kit::{Connector, same};
use crate::model::Agreements;

/// What the configuration makes of an export.
#[track_caller]
fn accepted(export: &str) -> Agreements {
    let imported = import(&[export]);
    assert!(imported.refused.is_empty(), "{:?}", imported.refused);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("connectord.toml");
    fs::write(&path, file(&[], &imported.drafts)).unwrap();
    config::load(&path, Timestamp::now()).unwrap_or_else(|problems| panic!("{problems}")).agreements
}

/// The command that a connector is in Exchange, on one line and without its comments.
#[track_caller]
fn command(connector: Connector<'_>) -> String {
    let kit = same(connector);
    assert!(kit.lacks.is_empty(), "{kit:?}");
    let lines = kit.text.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.trim().trim_end_matches(" `")).collect::<Vec<_>>().join(" ").trim().to_owned()
}

/// Exchange looks at `TlsDomain` with `DomainValidation` only, and without one it takes the recipient's domain, which is
/// said: that is the one difference that there may be.
#[test]
fn outbound_settings_come_back() {
    let mut all = 0;
    for settings in ["null", "\"EncryptionOnly\"", "\"CertificateValidation\"", "\"DomainValidation\""] {
        for tls_domain in ["null", "\"mail.contoso.com\"", "\"*.contoso.com\""] {
            for hosts in [&[][..], &["mx.contoso.com"], &["mx.contoso.com", "192.0.2.1"]] {
                for enabled in ["true", "false"] {
                    let list = format!(
                        "[{}]",
                        hosts.iter().map(|host| format!("\"{host}\"")).collect::<Vec<_>>().join(", ")
                    );
                    let mx = if hosts.is_empty() { "true" } else { "false" };
                    let export = outbound(&[
                        ("TlsSettings", settings),
                        ("TlsDomain", tls_domain),
                        ("UseMXRecord", mx),
                        ("SmartHosts", &list),
                        ("Enabled", enabled),
                    ]);
                    let agreements = accepted(&export);
                    let [connector] = agreements.outbound.as_slice() else { panic!("{agreements:?}") };
                    let mut expected = format!(
                        "New-OutboundConnector -Name 'To Contoso' -ConnectorType Partner -RecipientDomains 'contoso.com' \
                         -UseMXRecord ${mx}"
                    );
                    if !hosts.is_empty() {
                        let hosts: Vec<String> = hosts.iter().map(|host| format!("'{host}'")).collect();
                        let _ = write!(expected, " -SmartHosts {}", hosts.join(", "));
                    }
                    if settings != "null" {
                        let _ = write!(expected, " -TlsSettings {}", settings.trim_matches('"'));
                    }
                    if settings == "\"DomainValidation\"" {
                        match tls_domain {
                            "null" => expected.push_str(" -TlsDomain 'contoso.com'"),
                            name => drop(write!(expected, " -TlsDomain '{}'", name.trim_matches('"'))),
                        }
                    }
                    let _ = write!(expected, " -Enabled ${enabled}");
                    assert_eq!(command(Connector::Outbound(connector)), expected, "{export}");
                    all += 1;
                }
            }
        }
    }
    assert_eq!(all, 4 * 3 * 3 * 2);
}

#[test]
fn inbound_settings_come_back() {
    for tls in ["true", "false"] {
        for certificate in ["true", "false"] {
            for addresses in ["true", "false"] {
                for enabled in ["true", "false"] {
                    if [tls, certificate, addresses] == ["false"; 3] {
                        continue;
                    }
                    let export = inbound(&[
                        ("RequireTls", tls),
                        ("RestrictDomainsToCertificate", certificate),
                        ("TlsSenderCertificateName", "\"*.contoso.com\""),
                        ("RestrictDomainsToIPAddresses", addresses),
                        ("SenderIPAddresses", "[\"203.0.113.0/25\", \"192.0.2.7\"]"),
                        ("SenderDomains", "[\"smtp:*.contoso.com;1\"]"),
                        ("AssociatedAcceptedDomains", "[\"ours.example\"]"),
                        ("Enabled", enabled),
                    ]);
                    let agreements = accepted(&export);
                    let [connector] = agreements.inbound.as_slice() else { panic!("{agreements:?}") };
                    // A certificate is shown over TLS alone, so it demands that too.
                    let needs_tls = tls == "true" || certificate == "true";
                    let mut expected = format!(
                        "New-InboundConnector -Name 'From Contoso' -ConnectorType Partner -SenderDomains '*.contoso.com' \
                         -AssociatedAcceptedDomains 'ours.example' -RequireTls ${needs_tls}"
                    );
                    if certificate == "true" {
                        expected.push_str(
                            " -RestrictDomainsToCertificate $true -TlsSenderCertificateName '*.contoso.com'",
                        );
                    }
                    if addresses == "true" {
                        expected.push_str(
                            " -RestrictDomainsToIPAddresses $true -SenderIPAddresses '203.0.113.0/25', '192.0.2.7'",
                        );
                    }
                    let _ = write!(expected, " -Enabled ${enabled}");
                    assert_eq!(command(Connector::Inbound(connector)), expected, "{export}");
                }
            }
        }
    }
}
