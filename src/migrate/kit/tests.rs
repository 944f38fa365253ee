//! The mirror: which side of theirs belongs to which of ours, what it lacks, and what a hostile text can do.

#![allow(clippy::indexing_slicing)]

use proptest::prelude::*;

use super::{Connector, Kit, Product, same, theirs};
use crate::model::inbound::{Require, TlsRequirement};
use crate::model::outbound::Route;
use crate::model::sample::{inbound, outbound, patterns};
use crate::model::{Inbound, Mode, NextHop, Organisation, Outbound, PatternSet};

const PRODUCTS: [Product; 6] = [
    Product::ExchangeOnline,
    Product::Exchange,
    Product::Google,
    Product::Postfix,
    Product::Exim,
    Product::Text,
];

/// Those whose lines are commands or settings.
const MACHINES: [Product; 4] = [Product::ExchangeOnline, Product::Exchange, Product::Postfix, Product::Exim];

fn organisation() -> Organisation {
    Organisation {
        name: Some("Ours".to_owned()),
        contact: Some("postmaster@ours.example".to_owned()),
        domains: patterns(&["ours.example", "*.mail.ours.example"]),
        certificate_names: patterns(&["mx.ours.example"]),
        addresses: vec!["192.0.2.25/32".parse().expect("an address")],
    }
}

fn bank() -> Outbound {
    outbound("bank", &["*.contoso.com"], "secure *.contoso.com")
}

fn bank_in() -> Inbound {
    inbound("bank-in", &["*.contoso.com"], Require { tls: Some(TlsRequirement::Any), ..Require::default() })
}

/// The lines that are no comment.
fn lines(kit: &Kit) -> Vec<&str> {
    kit.text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
}

#[test]
fn our_outbound_connector_is_their_receiving_side() {
    let kit = |product| theirs(Connector::Outbound(&bank()), &organisation(), product, false);
    let online = kit(Product::ExchangeOnline);
    assert_eq!(
        lines(&online),
        [
            "New-InboundConnector `",
            "    -Name 'From Ours (bank)' `",
            "    -ConnectorType Partner `",
            "    -SenderDomains 'ours.example', '*.mail.ours.example' `",
            "    -RequireTls $true `",
            "    -Enabled $true",
        ]
    );
    assert!(online.text.contains("certificate of Microsoft's"), "{}", online.text);
    let exchange = kit(Product::Exchange);
    assert_eq!(lines(&exchange)[0], "New-ReceiveConnector `");
    assert!(exchange.text.contains("    -RemoteIPRanges '192.0.2.25' `\n"), "{}", exchange.text);
    assert_eq!(
        lines(&kit(Product::Postfix)),
        [
            "ours.example reject_plaintext_session",
            "mail.ours.example reject_plaintext_session",
            ".mail.ours.example reject_plaintext_session",
        ]
    );
    assert_eq!(
        lines(&kit(Product::Exim))[..2],
        ["deny", "  sender_domains = ours.example : mail.ours.example : *.mail.ours.example"]
    );
    for product in PRODUCTS {
        let kit = kit(product);
        assert!(kit.lacks.is_empty(), "{kit:?}");
        assert!(kit.text.contains("postmaster@ours.example"), "{kit:?}");
        assert!(kit.text.contains("contoso.com and every name below it"), "{kit:?}");
    }
}

#[test]
fn our_inbound_connector_is_their_sending_side() {
    let kit = |product| theirs(Connector::Inbound(&bank_in()), &organisation(), product, false);
    assert_eq!(
        lines(&kit(Product::ExchangeOnline)),
        [
            "New-OutboundConnector `",
            "    -Name 'To Ours (bank-in)' `",
            "    -ConnectorType Partner `",
            "    -RecipientDomains 'ours.example', '*.mail.ours.example' `",
            "    -UseMXRecord $true `",
            "    -TlsSettings DomainValidation `",
            "    -TlsDomain 'mx.ours.example' `",
            "    -Enabled $true",
        ]
    );
    assert_eq!(lines(&kit(Product::Exchange))[0], "New-SendConnector `");
    assert_eq!(
        lines(&kit(Product::Postfix)),
        [
            "ours.example secure match=mx.ours.example",
            "mail.ours.example secure match=mx.ours.example",
            ".mail.ours.example secure match=mx.ours.example",
        ]
    );
    for product in PRODUCTS {
        let kit = kit(product);
        assert!(kit.lacks.is_empty() && kit.text.contains("mx.ours.example"), "{kit:?}");
    }
}

#[test]
fn a_scope_is_kept_and_a_star_is_none() {
    let of = |recipients: &[&str]| {
        let connector = Inbound { recipients: Some(PatternSet::new(patterns(recipients))), ..bank_in() };
        theirs(Connector::Inbound(&connector), &organisation(), Product::ExchangeOnline, false).text
    };
    assert!(of(&["pay.ours.example"]).contains("-RecipientDomains 'pay.ours.example' `\n"));
    assert!(of(&["*"]).contains("-RecipientDomains 'ours.example', '*.mail.ours.example' `\n"));
}

#[test]
fn what_is_not_in_force_or_allows_plaintext_refuses_nothing_of_ours() {
    for mode in [Mode::Report, Mode::Off] {
        let connector = Outbound { mode, ..bank() };
        for product in MACHINES {
            let kit = theirs(Connector::Outbound(&connector), &organisation(), product, false);
            match product {
                Product::ExchangeOnline | Product::Exchange => {
                    assert_eq!(lines(&kit).last(), Some(&"    -Enabled $false"), "{kit:?}");
                }
                Product::Google | Product::Postfix | Product::Exim | Product::Text => {
                    assert!(lines(&kit).is_empty(), "{kit:?}");
                }
            }
        }
    }
    for level in ["may", "dane"] {
        let connector = outbound("bank", &["*.contoso.com"], level);
        for product in MACHINES {
            let kit = theirs(Connector::Outbound(&connector), &organisation(), product, false);
            assert!(lines(&kit).is_empty(), "{kit:?}");
        }
    }
}

#[test]
fn a_certificate_shows_one_name_of_several() {
    let text = |connector: &Outbound| {
        let kit = theirs(Connector::Outbound(connector), &organisation(), Product::Text, false);
        // Lines are wrapped.
        kit.text.replace("\n  ", " ")
    };
    for (demand, said) in [
        ("secure *.contoso.com", "with the name contoso.com or one below it (such as mx1.contoso.com)\n"),
        ("secure .contoso.com", "with a name below contoso.com (such as mx1.contoso.com)\n"),
        ("secure mx.contoso.com", "with the name mx.contoso.com\n"),
        ("verify", "with the name of the MX host that has it\n"),
    ] {
        let text = text(&outbound("bank", &["*.contoso.com"], demand));
        assert!(text.contains(&format!("show a certificate {said}")), "{demand}: {text}");
    }
    let host = NextHop::parse("[mail.contoso.com]").expect("a host");
    let route = Route::SmartHosts(vec![host]);
    let text = text(&Outbound { route, ..outbound("bank", &["*.contoso.com"], "verify") });
    assert!(text.contains("with the name of the smart host that has it\n"), "{text}");
}

#[test]
fn what_is_not_in_force_is_said_first() {
    let connector = Outbound { mode: Mode::Report, ..bank() };
    let text = theirs(Connector::Outbound(&connector), &organisation(), Product::Text, false).text;
    assert!(text.contains("below it:\n- not yet: our side is on trial"), "{text}");
    assert!(text.contains("\nWhen we tell you that our side is in force, and not before"), "{text}");
}

#[test]
fn the_partner_s_name_does_not_stand_for_ours() {
    let nameless = Organisation { name: None, domains: Vec::new(), ..organisation() };
    for product in PRODUCTS {
        let kit = theirs(Connector::Outbound(&bank()), &nameless, product, false);
        assert!(kit.text.contains("agreement bank with <our name>."), "{kit:?}");
        assert!(kit.lacks.iter().any(|lack| lack.contains("`name`")), "{kit:?}");
    }
    let domain = Organisation { name: None, ..organisation() };
    let kit = theirs(Connector::Outbound(&bank()), &domain, Product::Exchange, false);
    assert!(kit.text.contains("-Name 'From ours.example (bank)'") && kit.lacks.is_empty(), "{kit:?}");
}

#[test]
fn both_adds_the_other_direction() {
    let kit = theirs(Connector::Outbound(&bank()), &organisation(), Product::ExchangeOnline, true);
    assert!(kit.text.contains("\nNew-InboundConnector `") && kit.text.contains("\nNew-OutboundConnector `"));
}

#[test]
fn what_exchange_has_wider_is_said() {
    let ours = Organisation { domains: patterns(&[".ours.example"]), ..organisation() };
    for product in [Product::ExchangeOnline, Product::Exchange] {
        let kit = theirs(Connector::Inbound(&bank_in()), &ours, product, false);
        assert!(kit.text.contains("'*.ours.example'") && kit.text.contains("has x itself too"), "{kit:?}");
        let kit = theirs(Connector::Inbound(&bank_in()), &organisation(), product, false);
        assert!(!kit.text.contains("has x itself too"), "{kit:?}");
    }
}

#[test]
fn names_that_the_partner_s_provider_cannot_show_are_pointed_out() {
    for (demand, microsoft, google) in [
        ("encrypt", false, false),
        ("verify", false, false),
        ("verify *.contoso.com", true, true),
        ("secure domain", true, true),
        ("secure contoso-com.mail.protection.outlook.com", false, true),
        ("secure mail.protection.outlook.com", false, true),
        ("dane-only", false, true),
    ] {
        let connector = outbound("bank", &["contoso.com"], demand);
        let says = |product, text| {
            let kit = theirs(Connector::Outbound(&connector), &organisation(), product, false);
            // Lines are wrapped.
            kit.text.replace("\n# ", " ").replace('\n', " ").contains(text)
        };
        assert_eq!(says(Product::ExchangeOnline, "a certificate of Microsoft's"), microsoft, "{demand}");
        assert_eq!(says(Product::Google, "our mail will wait"), google, "{demand}");
    }
}

#[test]
fn a_policy_table_stands_beside_those_that_are_there() {
    let kit = theirs(Connector::Inbound(&bank_in()), &organisation(), Product::Postfix, false);
    assert!(kit.text.contains("\n# smtp_tls_policy_maps = <what is there>, hash:"), "{kit:?}");
    let names = |domains: &[&str]| {
        let ours = Organisation { domains: patterns(domains), ..organisation() };
        theirs(Connector::Outbound(&bank()), &ours, Product::Postfix, false).text
    };
    assert!(names(&["ours.example"]).contains("parent_domain_matches_subdomains"));
    assert!(!names(&["*.ours.example"]).contains("parent_domain_matches_subdomains"));
}

#[test]
fn what_is_not_known_of_us_cannot_be_run() {
    let nothing = Organisation::default();
    for product in MACHINES {
        let receives = theirs(Connector::Outbound(&bank()), &nothing, product, false);
        assert!(lines(&receives).is_empty() && receives.lacks.len() >= 2, "{receives:?}");
        let sends = theirs(Connector::Inbound(&bank_in()), &nothing, product, false);
        assert!(lines(&sends).is_empty(), "{sends:?}");
        assert_eq!(sends.lacks.len(), 4, "{sends:?}");
    }
    let two = Organisation {
        certificate_names: patterns(&["mx1.ours.example", "mx2.ours.example"]),
        ..organisation()
    };
    let kit = theirs(Connector::Inbound(&bank_in()), &two, Product::ExchangeOnline, false);
    assert!(lines(&kit).is_empty(), "{kit:?}");
    assert_eq!(kit.lacks.len(), 1, "{kit:?}");
}

/// What PowerShell sees outside of quotes; a quote that is not closed is left open at the end.
fn skeleton(kit: &Kit) -> String {
    let is_quote = |c: char| matches!(c, '\'' | '\u{2018}'..='\u{201b}');
    let mut quoted = false;
    let text = lines(kit).join("\n");
    let mut characters = text.chars().peekable();
    let mut out = String::new();
    while let Some(c) = characters.next() {
        if quoted && is_quote(c) && characters.peek().is_some_and(|&next| is_quote(next)) {
            characters.next();
        } else if is_quote(c) {
            quoted = !quoted;
            out.push('\'');
        } else if !quoted {
            out.push(c);
        }
    }
    out
}

proptest! {
    #[test]
    fn no_text_gets_out_of_its_quotes_or_its_line(
        name in prop_oneof![any::<String>(), "['\u{2018}\u{2019}\u{201b}\"$`;\n\r#()| a-z]{0,80}"],
        contact: String,
        comment in prop_oneof![any::<String>(), "['\u{2019}\"$`;\n# a-z]{0,400}"],
    ) {
        let hostile = Organisation { name: Some(name), contact: Some(contact), ..organisation() };
        let mut own = bank();
        own.notes.comment = Some(comment);
        let mut plain = bank();
        plain.notes.comment = Some("plain".to_owned());
        let kits = |organisation: &Organisation, outbound: &Outbound| {
            let mut kits: Vec<String> = MACHINES
                .iter()
                .flat_map(|&product| {
                    [Connector::Outbound(outbound), Connector::Inbound(&bank_in())]
                        .map(|connector| skeleton(&theirs(connector, organisation, product, true)))
                })
                .collect();
            kits.push(skeleton(&same(Connector::Outbound(outbound))));
            kits
        };
        prop_assert_eq!(kits(&hostile, &own), kits(&organisation(), &plain));
        for product in PRODUCTS {
            let text = theirs(Connector::Outbound(&own), &hostile, product, true).text;
            prop_assert!(text.chars().all(|c| c == '\n' || !c.is_control()));
            if matches!(product, Product::ExchangeOnline | Product::Exchange) {
                prop_assert!(text.is_ascii());
            }
        }
    }
}
