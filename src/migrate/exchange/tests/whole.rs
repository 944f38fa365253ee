//! Connectors beside each other, and exports beside each other.

use super::{Imported, import, inbound, outbound};

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
        outbound(&[name("\"third\""), ("RecipientDomains", "[\"other.example\", \"Contoso.com\"]")]),
        outbound(&[name("\"below\""), ("RecipientDomains", "[\"*.a.contoso.com\"]")]),
        // The other direction is another matter.
        inbound(&[]),
    ];
    let Imported { drafts, refused, .. } = import(&[&format!("[{}]", all.join(","))]);
    let modes: Vec<(&str, &str)> =
        drafts.iter().map(|draft| (draft.name.as_str(), draft.mode.word())).collect();
    assert_eq!(
        modes,
        [("To Contoso", "report"), ("second", "off"), ("below", "report"), ("From Contoso", "report")]
    );
    assert!(
        drafts
            .iter()
            .any(|draft| draft.notes.iter().any(|note| note.contains("`To Contoso` is about the same mail")))
    );
    assert!(
        refused.iter().all(|refused| refused.subject == "third" && refused.reason.contains("choose one"))
    );
    assert_eq!(refused.len(), 1);
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
    let Imported { drafts, refused, .. } = import(&[&cut, "Name : To Contoso", "", &good]);
    assert_eq!(drafts.len(), 1);
    let told: Vec<String> = refused.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 2);
    assert!(
        told.iter().any(|told| told.contains("cut short") && told.starts_with("e.json:1: column ")),
        "{told:?}"
    );
    assert!(told.iter().any(|told| told.contains("neither JSON nor Clixml")), "{told:?}");
}
