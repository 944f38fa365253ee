//! What is refused: what an export has lost, and what has no form here.

use super::{REPORT, becomes, inbound, outbound};

#[test]
fn what_an_export_has_destroyed_is_refused_with_the_command() {
    for (name, value, words) in [
        ("RecipientDomains", "\"System.String[]\"", "`Get-OutboundConnector | Export-Clixml FILE`"),
        ("RecipientDomains", "\"System.Collections.ArrayList\"", "what was in it is lost"),
        (
            "RecipientDomains",
            "[\"Microsoft.Exchange.Data.MultiValuedProperty`1[Microsoft.Exchange.Data.SmtpDomainWithSubdomains]\"]",
            "what was in it is lost",
        ),
        ("RecipientDomains", "\"contoso.com contoso.net\"", "what was in it is lost"),
        ("RecipientDomains", "[1]", "no text"),
        ("RecipientDomains", "[null]", "no text"),
        ("TlsSettings", "2", "export the word: `Get-OutboundConnector | Export-Clixml FILE`"),
        ("TlsSettings", "{\"value\": 2}", "an object without a text"),
        ("TlsSettings", "true", "is no text"),
        ("TlsSettings", "\"Domain\"", "is \"Domain\"; EncryptionOnly"),
        ("Enabled", "1", "neither true nor false"),
        ("Enabled", "", "absent is not false"),
        ("TlsSettings", "", "absent is not false"),
        ("UseMXRecord", "", "absent is not false"),
        ("RecipientDomains", "", "absent is not false"),
        ("ConnectorType", "\"Other\"", "Partner and OnPremises"),
        ("SmtpDaneMode", "\"Other\"", "Opportunistic and Mandatory"),
        ("RecipientDomains", "[\"a.*.contoso.com\"]", "a star can only stand alone"),
        ("RecipientDomains", "[\"192.0.2.1\"]", "is an address, not a domain"),
        ("RecipientDomains", "[\".contoso.com\"]", "no domain in Exchange"),
        ("RecipientDomains", "[\"a@contoso.com\"]", "invalid character"),
    ] {
        becomes(&outbound(&[(name, value)]), &format!("refused: `{name}` "), &[words]);
    }
    let twice = outbound(&[]).replace("\"TestMode\"", "\"enabled\": false, \"TestMode\"");
    becomes(&twice, "refused: `enabled` is there twice", &["which one counts"]);
    for domain in ["system.example", "Microsoft.Exchange", "deserialized.example"] {
        let domains = format!("[\"{domain}\"]");
        becomes(&outbound(&[("RecipientDomains", &domains)]), "mode = \"report\"", &[&domain.to_lowercase()]);
    }
    // The words of true and false are as good.
    becomes(&outbound(&[("Enabled", "\"True\"")]), &format!("{REPORT}tls = \"encrypt\""), &[]);
    becomes(&outbound(&[("Enabled", "\"False\"")]), "mode = \"off\"", &["disabled"]);
}

#[test]
fn names_that_are_none() {
    let domain = ("TlsSettings", "\"DomainValidation\"");
    for (value, words) in [
        ("\"<I>CN=Contoso CA<S>CN=mail.contoso.com\"", "issuer and subject"),
        ("\"*\"", "accepts a certificate of anybody"),
        ("\"*.com\"", "everybody below"),
        ("\"com\"", "single label"),
        ("\"hostname\"", "strategy of Postfix"),
        ("\"192.0.2.1\"", "is an address"),
        ("\".contoso.com\"", "no domain in Exchange"),
        ("", "absent is not false"),
    ] {
        becomes(&outbound(&[domain, ("TlsDomain", value)]), "refused: `TlsDomain` is", &[words]);
    }
    let restricted = ("RestrictDomainsToCertificate", "true");
    for (value, words) in [
        ("\"<I>CN=Contoso CA<S>CN=mail.contoso.com\"", "issuer and subject"),
        ("\"*\"", "accepts a certificate of anybody"),
        ("null", "RestrictDomainsToCertificate demands one"),
        ("", "absent is not false"),
    ] {
        let others = [restricted, ("TlsSenderCertificateName", value)];
        becomes(&inbound(&others), "refused: `TlsSenderCertificateName` is", &[words]);
    }
}
