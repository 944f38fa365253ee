//! `partner-kit`.

use crate::bench::{BAD, Bench, CONFIGURATION};

const ORGANISATION: &str = r#"
[organisation]
name = "O'Hara"
contact = "postmaster@ours.example"
domains = ["*.ours.example"]
certificate_names = ["mx.ours.example"]
addresses = ["192.0.2.25"]
"#;

#[test]
fn a_kit_for_both_directions() {
    let bench = Bench::new(&format!("{CONFIGURATION}{ORGANISATION}"));
    let kit = |product: &str| {
        bench.run(&["partner-kit", "contoso-bank", "contoso-bank-in", "--for", product]).expect(0)
    };
    let online = kit("exchange-online");
    assert_eq!(online.stderr, "");
    for part in [
        "New-InboundConnector `\n    -Name 'From O''Hara (contoso-bank)' `\n    -ConnectorType Partner `\n    -SenderDomains '*.ours.example' `\n",
        "New-OutboundConnector `\n    -Name 'To O''Hara (contoso-bank-in)' `\n    -ConnectorType Partner `\n    -RecipientDomains '*.ours.example' `\n",
        "    -TlsDomain 'mx.ours.example' `\n",
        "# - from 203.0.113.0/24 only\n",
        "# Questions: postmaster@ours.example\n",
    ] {
        assert!(online.stdout.contains(part), "{part} in {}", online.stdout);
    }
    for (product, part) in [
        ("exchange", "\nNew-SendConnector `\n"),
        ("google", "\n- messages: outbound\n"),
        ("postfix", "\n.ours.example secure match=mx.ours.example protocols=>=TLSv1.2\n"),
        ("exim", "\n  hosts_require_tls = *\n"),
        ("text", "\n- a certificate with the name mx.ours.example\n"),
    ] {
        let kit = kit(product);
        assert!(kit.stdout.contains(part) && kit.stderr.is_empty(), "{product}: {kit:?}");
    }
}

#[test]
fn the_other_direction_is_in_a_kit_once() {
    let bench = Bench::new(&format!("{CONFIGURATION}{ORGANISATION}"));
    for (names, outbound, inbound) in [
        (&["contoso-bank"][..], 1, 1),
        (&["contoso-bank", "everyone"], 1, 2),
        (&["contoso-bank", "contoso-bank-in"], 1, 1),
    ] {
        let arguments = [&["partner-kit", "--both", "--for", "exchange-online"][..], names].concat();
        let kit = bench.run(&arguments).expect(0).stdout;
        assert_eq!(kit.matches("\nNew-OutboundConnector `").count(), outbound, "{names:?}: {kit}");
        assert_eq!(kit.matches("\nNew-InboundConnector `").count(), inbound, "{names:?}: {kit}");
    }
}

#[test]
fn what_is_lacking_is_said_and_cannot_be_run() {
    let bench = Bench::new(CONFIGURATION);
    let kit = bench.run(&["partner-kit", "contoso-bank-in", "--for", "exchange-online"]).expect(1);
    assert!(kit.stdout.lines().all(|line| line.is_empty() || line.starts_with('#')), "{}", kit.stdout);
    assert!(kit.stdout.contains("#     -RecipientDomains <our domains> `\n"), "{}", kit.stdout);
    for key in ["`name`", "`contact`", "`domains`", "`certificate_names`"] {
        let lack = kit.stderr.lines().find(|line| line.contains(key));
        let lack = lack.unwrap_or_else(|| panic!("{key} in {}", kit.stderr));
        assert!(lack.starts_with("connectord: contoso-bank-in: the kit lacks "), "{lack}");
    }
}

#[test]
fn an_own_connector_in_the_terms_of_exchange_online() {
    let bench = Bench::new(CONFIGURATION);
    let same = |name: &str, code| {
        bench.run(&["partner-kit", name, "--for", "exchange-online", "--side", "ours"]).expect(code)
    };
    let bank = same("contoso-bank", 0).stdout;
    for part in [
        "    -RecipientDomains '*.contoso.com', 'contoso.net', 'xn--bcher-kva.example', 'contoso.org' `\n",
        "    -SmartHosts 'mail.contoso.com', '192.0.2.7' `\n",
        "    -TlsSettings DomainValidation `\n    -TlsDomain '*.contoso.com' `\n    -Enabled $true\n",
        "# Exchange has no exceptions; ours does not apply to lists.contoso.com.\n",
    ] {
        assert!(bank.contains(part), "{part} in {bank}");
    }
    assert!(same("not-yet", 0).stdout.contains("    -SmtpDaneMode Mandatory `\n    -Enabled $false\n"));
    let known_by_address = same("contoso-bank-in", 1);
    assert!(known_by_address.stderr.contains("by addresses"), "{known_by_address:?}");
}

#[test]
fn a_configuration_with_problems_gives_no_kit() {
    let kit = Bench::new(BAD).run(&["partner-kit", "a", "--for", "text"]).expect(78);
    assert_eq!(kit.stdout, "");
    assert!(kit.stderr.contains("unknown key `domain`"), "{kit:?}");
}
