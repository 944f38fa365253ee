//! Every combination that a connector of Exchange Online can have comes back as it was.

use super::{Connector, same};
use crate::model::inbound::{CertificateRequirement, Require, TlsRequirement};
use crate::model::outbound::Route;
use crate::model::sample::{inbound, outbound, patterns, smart_hosts};
use crate::model::{Mode, PatternSet};

/// A command as a line: its comments left out.
fn command(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.trim().trim_end_matches(" `")).collect::<Vec<_>>().join(" ")
}

#[test]
fn every_combination_of_settings_route_and_state() {
    let demands = [
        ("may", ""),
        ("encrypt", " -TlsSettings EncryptionOnly"),
        ("verify", " -TlsSettings CertificateValidation"),
        ("secure domain", " -TlsSettings DomainValidation"),
        ("secure mail.contoso.com", " -TlsSettings DomainValidation -TlsDomain 'mail.contoso.com'"),
        ("secure *.contoso.com", " -TlsSettings DomainValidation -TlsDomain '*.contoso.com'"),
        ("verify contoso.com .contoso.com", " -TlsSettings DomainValidation -TlsDomain '*.contoso.com'"),
        ("dane", " -SmtpDaneMode Opportunistic"),
        ("dane-only", " -TlsSettings EncryptionOnly -SmtpDaneMode Mandatory"),
    ];
    let routes = [
        (Route::Mx, " -UseMXRecord $true"),
        (
            smart_hosts(&["[mail.contoso.com]", "192.0.2.1"]),
            " -UseMXRecord $false -SmartHosts 'mail.contoso.com', '192.0.2.1'",
        ),
    ];
    let modes = [
        (Mode::Enforce, " -Enabled $true"),
        (Mode::Report, " -Enabled $true"),
        (Mode::Off, " -Enabled $false"),
    ];
    for (demand, settings) in demands {
        for (route, way) in &routes {
            for (mode, enabled) in modes {
                let mut connector = outbound("contoso", &["contoso.com", "*.contoso.net"], demand);
                connector.route = route.clone();
                connector.mode = mode;
                let kit = same(Connector::Outbound(&connector));
                let expected = format!(
                    "New-OutboundConnector -Name 'contoso' -ConnectorType Partner -RecipientDomains \
                     'contoso.com', '*.contoso.net'{way}{settings}{enabled}"
                );
                assert_eq!(command(&kit.text), expected, "{demand}");
                assert!(kit.lacks.is_empty(), "{kit:?}");
                assert_eq!(kit.text.contains("on trial"), mode == Mode::Report, "{kit:?}");
            }
        }
    }
}

#[test]
fn what_exchange_cannot_demand_is_no_command() {
    for demand in ["secure a.contoso.com b.contoso.com", "verify a.contoso.com *.contoso.net"] {
        let kit = same(Connector::Outbound(&outbound("contoso", &["contoso.com"], demand)));
        assert_eq!(command(&kit.text), "", "{demand}");
        assert_eq!(kit.lacks.len(), 1, "{kit:?}");
    }
    let v6 = vec!["2001:db8::/32".parse().expect("a range")];
    let wide = vec!["203.0.0.0/16".parse().expect("a range")];
    for addresses in [v6, wide] {
        let require = Require { addresses: Some(addresses), ..Require::default() };
        let kit = same(Connector::Inbound(&inbound("contoso-in", &["contoso.com"], require)));
        assert_eq!(command(&kit.text), "", "{kit:?}");
        assert_eq!(kit.lacks.len(), 1, "{kit:?}");
    }
}

#[test]
fn inbound_connectors_come_back_too() {
    let named = |names: &[&str]| CertificateRequirement {
        names: Some(PatternSet::new(patterns(names))),
        ..CertificateRequirement::default()
    };
    let tls = Some(TlsRequirement::Any);
    let addresses =
        || Some(vec!["203.0.113.0/25".parse().expect("a range"), "192.0.2.1/32".parse().expect("one")]);
    for (require, expected) in [
        (Require { tls, ..Require::default() }, "-RequireTls $true"),
        (
            Require { certificate: Some(named(&["*.contoso.com"])), ..Require::default() },
            "-RequireTls $true -RestrictDomainsToCertificate $true -TlsSenderCertificateName '*.contoso.com'",
        ),
        (
            Require { addresses: addresses(), ..Require::default() },
            "-RequireTls $false -RestrictDomainsToIPAddresses $true -SenderIPAddresses '203.0.113.0/25', \
             '192.0.2.1'",
        ),
    ] {
        let kit = same(Connector::Inbound(&inbound("contoso-in", &["*.contoso.com"], require)));
        let expected = format!(
            "New-InboundConnector -Name 'contoso-in' -ConnectorType Partner -SenderDomains '*.contoso.com' \
             {expected} -Enabled $true"
        );
        assert_eq!(command(&kit.text), expected);
        assert!(kit.lacks.is_empty(), "{kit:?}");
    }
}
