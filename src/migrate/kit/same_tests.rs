//! Every combination that a connector of Exchange Online can have comes back as it was.

use super::{Connector, Kit, same};
use crate::model::inbound::{CertificateRequirement, Require, TlsRequirement};
use crate::model::outbound::Route;
use crate::model::requirement::{CipherGrade, Parts, Requirement, TlsVersion};
use crate::model::sample::{inbound, outbound, patterns, smart_hosts};
use crate::model::{Inbound, Level, Mode, Outbound, PatternSet};

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
            // With smart hosts there is no such thing: Postfix would compare with the smart host's name.
            if demand == "secure domain" && *route != Route::Mx {
                continue;
            }
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

/// Text of which nothing can be run.
#[track_caller]
fn assert_held_back(kit: &Kit) {
    assert_eq!(command(&kit.text), "", "{kit:?}");
    assert_eq!(kit.lacks.len(), 1, "{kit:?}");
}

#[test]
fn what_exchange_cannot_demand_is_no_command() {
    for demand in
        ["secure a.contoso.com b.contoso.com", "verify a.contoso.com *.contoso.net", "secure .contoso.com"]
    {
        assert_held_back(&same(Connector::Outbound(&outbound("contoso", &["contoso.com"], demand))));
    }
    for level in [Level::Encrypt, Level::Verify, Level::DaneOnly] {
        let version = Parts { min_version: Some(TlsVersion::Tls12), ..Parts::of_level(level) };
        let ciphers = Parts { ciphers: Some(CipherGrade::High), ..Parts::of_level(level) };
        for parts in [version, ciphers] {
            let requirement = Requirement::new(parts).expect("a requirement");
            let connector = Outbound { requirement, ..outbound("contoso", &["contoso.com"], "may") };
            assert_held_back(&same(Connector::Outbound(&connector)));
        }
    }
    let v6 = vec!["2001:db8::/32".parse().expect("a range")];
    let wide = vec!["203.0.0.0/16".parse().expect("a range")];
    for addresses in [v6, wide] {
        let require = Require { addresses: Some(addresses), ..Require::default() };
        assert_held_back(&same(Connector::Inbound(&inbound("contoso-in", &["contoso.com"], require))));
    }
    let tls = Some(TlsRequirement::Any);
    let names = |names: &[&str]| Some(PatternSet::new(patterns(names)));
    let issued = CertificateRequirement {
        names: names(&["*.contoso.com"]),
        issuers: Some(["Contoso CA".to_owned()].into()),
        ..CertificateRequirement::default()
    };
    let below =
        CertificateRequirement { names: names(&[".contoso.com"]), ..CertificateRequirement::default() };
    for require in [
        Require { tls: Some(TlsRequirement::AtLeast(TlsVersion::Tls12)), ..Require::default() },
        Require { certificate: Some(issued), ..Require::default() },
        Require { certificate: Some(below), ..Require::default() },
    ] {
        assert_held_back(&same(Connector::Inbound(&inbound("contoso-in", &["contoso.com"], require))));
    }
    let of = || inbound("contoso-in", &["contoso.com"], Require { tls, ..Require::default() });
    let mut known_by_address = of();
    known_by_address.identify.addresses = vec!["203.0.113.0/24".parse().expect("a range")];
    assert_held_back(&same(Connector::Inbound(&known_by_address)));
    for scope in ["*.ours.example", ".ours.example"] {
        assert_held_back(&same(Connector::Inbound(&Inbound { recipients: names(&[scope]), ..of() })));
    }
    for (scope, expected) in [("*", false), ("ours.example", true)] {
        let kit = same(Connector::Inbound(&Inbound { recipients: names(&[scope]), ..of() }));
        assert_eq!(command(&kit.text).contains("-AssociatedAcceptedDomains 'ours.example'"), expected);
        assert_eq!(command(&kit.text).contains("-AssociatedAcceptedDomains"), expected);
        assert!(kit.lacks.is_empty(), "{kit:?}");
    }
}

#[test]
fn a_comment_that_is_not_the_same_is_said_to_be_another() {
    for (comment, is_same) in [("agreement 7", true), ("\u{dc}bereinkunft", false), ("a\nb", false)] {
        let mut connector = outbound("contoso", &["contoso.com"], "encrypt");
        connector.notes.comment = Some(comment.to_owned());
        let kit = same(Connector::Outbound(&connector));
        assert_eq!(!kit.text.contains("# The comment is ours in one line"), is_same, "{kit:?}");
        assert!(kit.text.is_ascii(), "{kit:?}");
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
