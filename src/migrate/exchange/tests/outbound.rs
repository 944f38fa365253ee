//! `Get-OutboundConnector`: levels, ways, and what is off.

use super::{REPORT, becomes, inbound, outbound};

#[test]
fn levels_are_no_weaker_than_those_of_exchange() {
    let domain = ("TlsSettings", "\"DomainValidation\"");
    for (others, keys, words) in [
        (vec![("TlsSettings", "null")], "tls = \"may\"", &["never forced TLS"][..]),
        (vec![], "tls = \"encrypt\"", &[]),
        (
            vec![("TlsSettings", "\"certificatevalidation\"")],
            "tls = \"verify\"",
            &["name of the MX host", "revocation"],
        ),
        (
            vec![domain, ("TlsDomain", "\"Mail.Contoso.com\"")],
            "tls = \"secure\"; match = [\"mail.contoso.com\"]",
            &["revocation"],
        ),
        (
            vec![domain, ("TlsDomain", "\"*.contoso.com\"")],
            "tls = \"secure\"; match = [\"*.contoso.com\"]",
            &["revocation"],
        ),
        (vec![domain], "tls = \"secure\"; match = [\"contoso.com\"]", &["TlsDomain is empty"]),
        (vec![("TlsDomain", "\"contoso.com\"")], "tls = \"encrypt\"", &["with DomainValidation only"]),
        // DANE, beside the level.
        (
            vec![("SmtpDaneMode", "\"Opportunistic\"")],
            "tls = \"encrypt\"",
            &["TLSA records (SmtpDaneMode), "],
        ),
        (vec![("MtaStsMode", "\"Opportunistic\"")], "tls = \"encrypt\"", &["MTA-STS policy"]),
        (vec![("SmtpDaneMode", "\"Mandatory\"")], "tls = \"dane-only\"", &["SmtpDaneMode is Mandatory"]),
        (
            vec![("SmtpDaneMode", "\"Mandatory\""), ("TlsSettings", "null")],
            "tls = \"dane-only\" # SmtpDaneMode is Mandatory: `dane-only` demands it, and with it TLS.",
            &[],
        ),
        (
            vec![("SmtpDaneMode", "\"Mandatory\""), ("MtaStsMode", "\"Opportunistic\"")],
            "tls = \"dane-only\"",
            &["an MTA-STS policy (MtaStsMode), "],
        ),
        (
            vec![("SmtpDaneMode", "\"Opportunistic\""), ("TlsSettings", "null")],
            "tls = \"dane\"",
            &["TLSA records say, where there are some", "goes in plaintext"],
        ),
        // What Exchange has when nothing else is set.
        (
            vec![("SmtpDaneMode", ""), ("MtaStsMode", "")],
            "tls = \"encrypt\"",
            &["SmtpDaneMode is not in the export", "TLSA records (SmtpDaneMode) or an MTA-STS policy"],
        ),
        (vec![("SmtpDaneMode", ""), ("TlsSettings", "null")], "tls = \"dane\"", &["Opportunistic"]),
    ] {
        becomes(&outbound(&others), &format!("{REPORT}{keys}"), words);
    }
    becomes(
        &outbound(&[domain, ("TlsDomain", "\"contoso.com\""), ("SmtpDaneMode", "\"Mandatory\"")]),
        "mode = \"off\"; domains = [\"contoso.com\"]; tls = \"secure\"; match = [\"contoso.com\"]",
        &["neither says both"],
    );
}

#[test]
fn routes() {
    let hosts = |list| [("UseMXRecord", "false"), ("SmartHosts", list)];
    for (list, keys, words) in [
        (
            "[\"Mail.Contoso.com\"]",
            "route = [\"[mail.contoso.com]\"]; tls = \"encrypt\"",
            &["in brackets a name"][..],
        ),
        ("[\"192.0.2.1\", \"[192.0.2.1]\"]", "route = [\"[192.0.2.1]\"]; tls = \"encrypt\"", &[]),
        ("\"2001:db8::1\"", "route = [\"[2001:db8::1]\"]; tls = \"encrypt\"", &[]),
        (
            "{\"value\": [\"a.contoso.com\", \"b.contoso.com\"], \"Count\": 2}",
            "route = [\"[a.contoso.com]\", \"[b.contoso.com]\"]; tls = \"encrypt\"",
            &["in brackets a name"],
        ),
    ] {
        becomes(&outbound(&hosts(list)), &format!("{REPORT}{keys}"), words);
    }
    for (list, reason) in [
        ("[]", "refused: `SmartHosts` is empty"),
        ("\"\"", "refused: `SmartHosts` is empty"),
        ("null", "refused: `SmartHosts` is empty"),
        ("[\"192.168.0.1/25\"]", "refused: `SmartHosts` has the range \"192.168.0.1/25\""),
        (
            "[\"mail.contoso.com:587\"]",
            "refused: `SmartHosts` has \"mail.contoso.com:587\", which is neither",
        ),
        ("[\"a]:25\"]", "refused: `SmartHosts` has \"a]:25\", which is neither"),
        ("[\"*.contoso.com\"]", "refused: `SmartHosts` has \"*.contoso.com\", which is neither"),
        ("[{\"Domain\": \"contoso.com\"}]", "refused: `SmartHosts` has objects without a text"),
    ] {
        becomes(&outbound(&hosts(list)), reason, &["refused"]);
    }
    let many = format!("[{}\"a.b\"]", "\"a.b\",".repeat(50));
    becomes(&outbound(&hosts(&many)), "refused: `SmartHosts` has 51 hosts", &["50 are the most"]);
    let everybody = ("RecipientDomains", "[\"*\"]");
    let all = [everybody, ("UseMXRecord", "false"), ("SmartHosts", "[\"a.b\"]")];
    becomes(&outbound(&all), "refused: `RecipientDomains` has `*`", &["relayhost"]);
    becomes(&outbound(&[everybody]), "mode = \"report\"; domains = [\"*\"]; tls = \"encrypt\"", &[]);
    becomes(
        &outbound(&[("SmartHosts", "[\"a.b\"]")]),
        &format!("{REPORT}tls = \"encrypt\""),
        &["does not use with UseMXRecord"],
    );
}

#[test]
fn dane_at_an_address() {
    let dane = ("SmtpDaneMode", "\"Mandatory\"");
    let others = [dane, ("UseMXRecord", "false"), ("SmartHosts", "[\"192.0.2.1\"]")];
    becomes(
        &outbound(&others),
        &format!("{REPORT}route = [\"[192.0.2.1]\"]; tls = \"dane-only\""),
        &["no TLSA records"],
    );
}

#[test]
fn names_behind_smart_hosts() {
    let with = |settings, domains| {
        [
            ("TlsSettings", settings),
            ("RecipientDomains", domains),
            ("UseMXRecord", "false"),
            ("SmartHosts", "[\"192.0.2.1\"]"),
        ]
    };
    becomes(
        &outbound(&with("\"DomainValidation\"", "[\"contoso.com\"]")),
        &format!("{REPORT}route = [\"[192.0.2.1]\"]; tls = \"secure\"; match = [\"contoso.com\"]"),
        &["and so does this"],
    );
    // Any name of a list would do for each of the domains.
    for domains in ["[\"contoso.com\", \"contoso.net\"]", "[\"*.contoso.com\"]", "[\"*.com\"]"] {
        becomes(
            &outbound(&with("\"DomainValidation\"", domains)),
            "refused: `TlsDomain` is empty, and the connector is for more than one domain",
            &["set TlsDomain"],
        );
    }
    becomes(
        &outbound(&[("TlsSettings", "\"DomainValidation\""), ("RecipientDomains", "[\"*.contoso.com\"]")]),
        "mode = \"report\"; domains = [\"*.contoso.com\"]; tls = \"secure\"; match = \"domain\"",
        &["which is wider"],
    );
    becomes(
        &outbound(&with("\"CertificateValidation\"", "[\"contoso.com\"]")),
        &format!("{REPORT}route = [\"[192.0.2.1]\"]; tls = \"verify\""),
        &["name of the smart host", "no certificate is named like one"],
    );
}

#[test]
fn what_exchange_does_otherwise_is_off() {
    let no_domains = ("RecipientDomains", "[]");
    for (others, words) in [
        (vec![("Enabled", "false")], &["Exchange has it disabled"][..]),
        (vec![("IsTransportRuleScoped", "true")], &["mail flow rule"]),
        (vec![("AllAcceptedDomains", "true")], &["accepted domains"]),
        (vec![("RouteAllMessagesViaOnPremises", "true")], &["all mail of everybody"]),
        (vec![("TestMode", "true")], &["TestMode: what that does"]),
    ] {
        becomes(
            &outbound(&others),
            "mode = \"off\"; domains = [\"contoso.com\"]; tls = \"encrypt\" # Off: ",
            words,
        );
    }
    let guid = ("Guid", "\"11111111-2222-3333-4444-55555555555A\"");
    let rule = ("IsTransportRuleScoped", "true");
    becomes(
        &outbound(&[no_domains, rule, guid]),
        "mode = \"off\"; domains = [\"11111111-2222-3333-4444-55555555555a.invalid\"]; tls = \"encrypt\"",
        &["stands for those that it is to be for"],
    );
    becomes(
        &outbound(&[no_domains, rule]),
        "mode = \"off\"; domains = [\"no-domain-0.invalid\"]",
        &["no-domain-0.invalid"],
    );
    becomes(
        &outbound(&[no_domains]),
        "refused: `RecipientDomains` is empty: the connector is for no domain",
        &[],
    );
    becomes(&outbound(&[("ConnectorType", "\"OnPremises\"")]), REPORT, &["servers of one's own"]);
    becomes(&outbound(&[("AllAcceptedDomains", "")]), REPORT, &["taken for false: AllAcceptedDomains."]);
    for name in ["CloudServicesMailEnabled", "SenderRewritingEnabled"] {
        becomes(&outbound(&[(name, "true")]), REPORT, &[name, "no counterpart"]);
    }
    for (others, words) in [
        (vec![("Enabled", "false")], &["Exchange has it disabled"][..]),
        (vec![("ConnectorType", "\"OnPremises\"")], &["gives rights"]),
        (vec![("TrustedOrganizations", "[\"fabrikam.com\"]")], &["tenants"]),
    ] {
        becomes(
            &inbound(&others),
            "mode = \"off\"; identify.domains = [\"contoso.com\"]; require.tls = true",
            words,
        );
    }
}

#[test]
fn people_and_recipients() {
    becomes(
        &outbound(&[
            ("Comment", "\"line\\n\\\"two\\\"\""),
            ("ValidationRecipients", "[\"postmaster@contoso.com\", \"a@fabrikam.com\", \"nobody\"]"),
        ]),
        &format!(
            "{REPORT}tls = \"encrypt\"; validate.recipients = [\"postmaster@contoso.com\"]; comment = \
             \"line\\u000A\\\"two\\\"\""
        ),
        &["Left out 2 of ValidationRecipients"],
    );
    becomes(
        &outbound(&[("ValidationRecipients", "7"), ("SmartHosts", "7"), ("TlsDomain", "7")]),
        &format!("{REPORT}tls = \"encrypt\""),
        &["Left out ValidationRecipients", "with UseMXRecord", "TlsDomain is \"7\""],
    );
    let typed = ("Comment", "\"System.Mail partner\"");
    becomes(
        &outbound(&[typed]),
        &format!("{REPORT}tls = \"encrypt\"; comment = \"System.Mail partner\""),
        &[],
    );
    let long = format!("\"{}\"", "x".repeat(1001));
    becomes(&outbound(&[("Comment", &long)]), REPORT, &["The comment was longer"]);
}
