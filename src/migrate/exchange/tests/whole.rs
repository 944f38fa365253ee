//! Connectors beside each other, and exports beside each other.

use super::{Draft, HIDDEN, Imported, Terms, import, inbound, outbound, send};

#[test]
fn one_and_the_same_connector_is_imported_once() {
    let guid = ("Guid", "\"11111111-2222-3333-4444-555555555555\"");
    let one = outbound(&[guid]);
    let Imported { drafts, refused, remarks } = import(&[&one, &format!("[{one}]")]);
    assert_eq!((drafts.len(), refused.len()), (1, 0));
    assert!(remarks.iter().any(|remark| remark.contains("more than one export")), "{remarks:?}");
    let Imported { drafts, refused, .. } = import(&[&one, &outbound(&[guid, ("Enabled", "false")])]);
    assert_eq!((drafts.len(), refused.len()), (1, 1));
    assert!(refused.iter().all(|refused| refused.reason.contains("differs")), "{refused:?}");
}

#[test]
fn connectors_about_the_same_mail() {
    let name = |name| ("Name", name);
    let all = [
        outbound(&[]),
        outbound(&[name("\"second\""), ("RecipientDomains", "[\"*.contoso.com\"]")]),
        outbound(&[
            name("\"third\""),
            ("RecipientDomains", "[\"other.example\", \"Contoso.com\"]"),
            ("TlsSettings", "null"),
        ]),
        outbound(&[name("\"below\""), ("RecipientDomains", "[\"*.a.contoso.com\"]")]),
        // The other direction is another matter.
        inbound(&[]),
    ];
    let Imported { drafts, refused, .. } = import(&[&format!("[{}]", all.join(","))]);
    let modes: Vec<(&str, &str)> =
        drafts.iter().map(|draft| (draft.name.as_str(), draft.mode.word())).collect();
    assert_eq!(
        modes,
        [
            ("To Contoso", "report"),
            ("second", "report"),
            ("third", "off"),
            ("below", "report"),
            ("From Contoso", "report")
        ]
    );
    assert!(refused.is_empty(), "{refused:?}");
    // A domain of its own goes before a wildcard.
    assert_eq!(domains(drafts.get(1)), [".contoso.com"]);
    assert!(notes(drafts.get(1)).contains("`To Contoso` is for contoso.com"));
    assert!(notes(drafts.get(2)).contains("Off: `To Contoso` is about the same mail and demands no less"));
}

fn domains(draft: Option<&Draft>) -> &[String] {
    match draft.map(|draft| &draft.terms) {
        Some(Terms::Outbound(terms)) => &terms.domains,
        Some(Terms::Inbound(terms)) => &terms.domains,
        None => &[],
    }
}

fn notes(draft: Option<&Draft>) -> String {
    draft.map(|draft| draft.notes.join("\n")).unwrap_or_default()
}

fn modes(all: &[String]) -> Vec<&'static str> {
    import(&[&format!("[{}]", all.join(","))]).drafts.iter().map(|draft| draft.mode.word()).collect()
}

/// Whichever comes first.
#[test]
fn of_two_for_the_same_mail_the_one_that_demands_more_stays() {
    let outbound = |settings| outbound(&[("TlsSettings", settings)]);
    let (may, encrypt) = (outbound("null"), outbound("\"EncryptionOnly\""));
    assert_eq!(modes(&[may.clone(), encrypt.clone()]), ["off", "report"]);
    assert_eq!(modes(&[encrypt.clone(), may.clone()]), ["report", "off"]);
    assert_eq!(modes(&[encrypt.clone(), encrypt.clone()]), ["report", "off"]);
    let dane = super::outbound(&[("SmtpDaneMode", "\"Mandatory\"")]);
    let chain = outbound("\"CertificateValidation\"");
    // Neither includes the other, and what comes later does not take their place.
    assert_eq!(modes(&[dane.clone(), chain.clone(), may.clone()]), ["off", "off", "off"]);
    // Nor does a wildcard.
    let tree = super::outbound(&[("RecipientDomains", "[\"*.contoso.com\"]")]);
    let all = import(&[&format!("[{dane},{chain},{tree}]")]).drafts;
    assert_eq!(domains(all.get(2)), [".contoso.com"]);
    let elsewhere = super::outbound(&[("UseMXRecord", "false"), ("SmartHosts", "[\"192.0.2.1\"]")]);
    assert_eq!(modes(&[encrypt, elsewhere]), ["off", "off"]);

    let restricted = [("RestrictDomainsToIPAddresses", "true"), ("SenderIPAddresses", "[\"192.0.2.1\"]")];
    assert_eq!(modes(&[inbound(&[]), inbound(&restricted)]), ["off", "report"]);
    let without_tls = [("RequireTls", "false"), restricted[0], restricted[1]];
    assert_eq!(modes(&[inbound(&[]), inbound(&without_tls)]), ["off", "off"]);
    // On premises the lower cost goes first.
    let cost = |cost: &str, level| {
        send(&[("AddressSpaces", &format!("[\"smtp:contoso.com;{cost}\"]")), ("TlsAuthLevel", level)])
    };
    assert_eq!(modes(&[cost("10", "\"CertificateValidation\""), cost("2", "null")]), ["off", "report"]);
}

#[test]
fn two_that_are_off_are_both_there() {
    let off = |name| outbound(&[("Name", name), ("Enabled", "false")]);
    let Imported { drafts, refused, .. } = import(&[&format!("[{},{}]", off("\"a\""), off("\"b\""))]);
    assert!(refused.is_empty(), "{refused:?}");
    assert_eq!(domains(drafts.get(1)), ["no-domain-1.invalid"]);
    assert!(notes(drafts.get(1)).contains("no-domain-1.invalid stands for contoso.com."));
    let taken = outbound(&[("RecipientDomains", "[\"no-domain-2.invalid\"]"), ("Enabled", "false")]);
    let Imported { drafts, refused, .. } = import(&[&format!("[{},{taken},{}]", off("\"a\""), off("\"b\""))]);
    assert_eq!((drafts.len(), refused.len()), (2, 1));
}

#[test]
fn names_of_connectors() {
    let all = [
        outbound(&[("Name", "\"T\u{fc}r: auf\"")]),
        outbound(&[("Name", "\"T\u{fc}r: auf\""), ("RecipientDomains", "[\"fabrikam.com\"]")]),
        outbound(&[("Name", ""), ("RecipientDomains", "[\"other.example\"]")]),
    ];
    let Imported { drafts, .. } = import(&[&format!("[{}]", all.join(","))]);
    let names: Vec<&str> = drafts.iter().map(|draft| draft.name.as_str()).collect();
    assert_eq!(names, ["T-r- auf", "T-r- auf-2", "exchange"]);
    assert!(
        drafts
            .iter()
            .all(|draft| draft.notes.iter().any(|note| note.starts_with("In Exchange its name is \"")))
    );
}

#[test]
fn what_the_plain_command_hides_is_told() {
    let told = |exports: &[&str]| {
        import(exports).remarks.iter().any(|remark| remark.contains("-IsTransportRuleScoped $true"))
    };
    let scoped = outbound(&[("IsTransportRuleScoped", "true"), ("RecipientDomains", "[\"a.example\"]")]);
    let test = outbound(&[("TestMode", "true"), ("RecipientDomains", "[\"b.example\"]")]);
    assert!(told(&[&outbound(&[])]));
    assert!(told(&[&outbound(&[]), &scoped]));
    assert!(!told(&[&outbound(&[]), &scoped, &test]));
    assert!(!told(&[&inbound(&[])]) && !told(&[]));
}

#[test]
fn a_broken_file_has_no_connectors_and_the_others_do() {
    let good = outbound(&[]);
    let cut = format!("[{good},{{\"Name\": ");
    let Imported { drafts, refused, remarks } = import(&[&cut, "Name : To Contoso", "", &good]);
    assert_eq!(drafts.len(), 1);
    assert_eq!(remarks, ["e.json has no connectors", HIDDEN]);
    let told: Vec<String> = refused.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 2);
    assert!(
        told.iter().any(|told| told.contains("cut short") && told.starts_with("e.json:1: column ")),
        "{told:?}"
    );
    assert!(told.iter().any(|told| told.contains("neither JSON nor Clixml")), "{told:?}");
}

/// A wildcard is about what was refused below it, and that is said; nothing is said of it where there is none.
#[test]
fn what_a_wildcard_is_about_too_is_said() {
    let refused = outbound(&[("RecipientDomains", "\"System.String[]\"")]);
    for (domains, is_said) in [("[\"*.contoso.com\"]", true), ("[\"contoso.com\"]", false)] {
        let Imported { refused, remarks, .. } =
            import(&[&outbound(&[("RecipientDomains", domains)]), &refused]);
        assert_eq!(refused.len(), 1);
        assert_eq!(remarks.iter().any(|remark| remark.contains("goes by the connector around it")), is_said);
    }
}
