//! What is written is what is read back, whatever stands in it; and it reads well.

#![allow(clippy::unwrap_used)]

use std::fs;

use jiff::Timestamp;
use proptest::prelude::*;
use toml::de::DeTable;

use super::draft::{Draft, InboundTerms, Names, OutboundTerms, People, Terms};
use super::written::{file, text};
use crate::config;
use crate::model::{Level, Mode};

fn drafts() -> Vec<Draft> {
    let secure = OutboundTerms {
        names: Names::Of(vec!["*.contoso.com".to_owned(), "mx.contoso.example".to_owned()]),
        protocols: Some(">=TLSv1.2".to_owned()),
        route: vec!["[mail.contoso.com]:587".to_owned()],
        test_recipients: vec!["postmaster@contoso.com".to_owned()],
        ..OutboundTerms::new(vec!["*.contoso.com".to_owned()], Level::Secure)
    };
    let verify = OutboundTerms {
        names: Names::Domain,
        ..OutboundTerms::new((0..12).map(|n| format!("branch{n}.fabrikam.example")).collect(), Level::Verify)
    };
    let inbound = InboundTerms {
        domains: vec!["*.contoso.com".to_owned()],
        tls: Some(None),
        certificate_names: vec!["*.contoso.com".to_owned()],
        required_addresses: vec!["203.0.113.0/25".to_owned()],
        on_violation: "reject".to_owned(),
        ..InboundTerms::default()
    };
    let draft = |name: &str, notes: &[&str], terms| Draft {
        name: name.to_owned(),
        mode: Mode::Report,
        notes: notes.iter().map(|&note| note.to_owned()).collect(),
        terms,
        people: People::default(),
    };
    vec![
        draft(
            "contoso",
            &[
                "The names were two, and the second is the one that their provider shows; it is not in the domain of theirs, \
               which somebody should look at.",
            ],
            Terms::Outbound(secure),
        ),
        draft("fabrikam", &[], Terms::Outbound(verify)),
        Draft {
            people: People { comment: Some("a \"quoted\" one".to_owned()), ..People::default() },
            ..draft("contoso-in", &[], Terms::Inbound(inbound))
        },
    ]
}

#[test]
fn it_reads_as_if_somebody_had_written_it() {
    let written = file(&["Imported from connectors.json, 2 connectors.".to_owned()], &drafts());
    assert_eq!(
        written,
        r#"# Imported from connectors.json, 2 connectors.
version = 1

# The names were two, and the second is the one that their provider shows; it is not in the domain
# of theirs, which somebody should look at.
[[outbound]]
name                = "contoso"
mode                = "report"
domains             = ["*.contoso.com"]
protocols           = ">=TLSv1.2"
route               = ["[mail.contoso.com]:587"]
tls                 = "secure"
match               = ["*.contoso.com", "mx.contoso.example"]
validate.recipients = ["postmaster@contoso.com"]

[[outbound]]
name    = "fabrikam"
mode    = "report"
domains = [
    "branch0.fabrikam.example",
    "branch1.fabrikam.example",
    "branch2.fabrikam.example",
    "branch3.fabrikam.example",
    "branch4.fabrikam.example",
    "branch5.fabrikam.example",
    "branch6.fabrikam.example",
    "branch7.fabrikam.example",
    "branch8.fabrikam.example",
    "branch9.fabrikam.example",
    "branch10.fabrikam.example",
    "branch11.fabrikam.example",
]
match   = "domain"
tls     = "verify"

[[inbound]]
name                      = "contoso-in"
mode                      = "report"
identify.domains          = ["*.contoso.com"]
require.tls               = true
require.certificate.names = ["*.contoso.com"]
require.addresses         = ["203.0.113.0/25"]
on_violation              = "reject"
comment                   = "a \"quoted\" one"
"#
    );
}

#[test]
fn the_configuration_takes_it() {
    let directory = tempfile::tempdir().unwrap();
    let main = directory.path().join("connectord.toml");
    fs::write(&main, file(&[], &drafts())).unwrap();
    let loaded = config::load(&main, Timestamp::now()).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(loaded.agreements.outbound.len(), 2);
    assert_eq!(loaded.agreements.inbound.len(), 1);
}

/// What cuts a file at a line end takes a connector away or makes it a problem, and never makes it weaker.
#[test]
fn cut_short_it_is_refused_or_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let main = directory.path().join("connectord.toml");
    let whole = file(&[], &drafts());
    fs::write(&main, &whole).unwrap();
    let expected =
        config::load(&main, Timestamp::now()).unwrap_or_else(|problems| panic!("{problems}")).agreements;
    let lines: Vec<&str> = whole.split_inclusive('\n').collect();
    let mut accepted = 0;
    for count in 1..lines.len() {
        fs::write(&main, lines.get(..count).unwrap().concat()).unwrap();
        let Ok(loaded) = config::load(&main, Timestamp::now()) else { continue };
        accepted += 1;
        for (found, expected) in loaded.agreements.outbound.iter().zip(&expected.outbound) {
            assert_eq!(found.requirement, expected.requirement, "{count} lines");
        }
        for (found, expected) in loaded.agreements.inbound.iter().zip(&expected.inbound) {
            assert_eq!(found.require, expected.require, "{count} lines");
        }
    }
    assert!(accepted > 5, "{accepted}");
}

/// The text of a key.
fn found<'t>(table: &'t DeTable<'_>, key: &str) -> Option<&'t str> {
    table.get(key)?.get_ref().as_str()
}

proptest! {
    #[test]
    fn a_text_is_read_back_as_it_was(value: String) {
        let document = format!("key = {}\n", text(&value));
        let read = DeTable::parse(&document).unwrap();
        prop_assert_eq!(found(read.get_ref(), "key"), Some(value.as_str()));
        prop_assert!(document.chars().all(|c| c == '\n' || !c.is_control()));
    }

    #[test]
    fn nothing_gets_out_of_its_place(note: String, name: String, domain: String) {
        let mut draft = drafts().remove(0);
        draft.notes = vec![note.clone()];
        draft.name.clone_from(&name);
        draft.people.comment = Some(note.clone());
        if let Terms::Outbound(terms) = &mut draft.terms {
            terms.domains = vec![domain.clone(), domain.clone()];
        }
        let document = file(std::slice::from_ref(&note), &[draft]);
        let read = DeTable::parse(&document).unwrap();
        prop_assert_eq!(read.get_ref().len(), 2);
        let tables = read.get_ref().get("outbound").unwrap().get_ref().as_array().unwrap();
        prop_assert_eq!(tables.len(), 1);
        let outbound = tables.first().unwrap().get_ref().as_table().unwrap();
        prop_assert_eq!(outbound.len(), 9);
        prop_assert_eq!(found(outbound, "name"), Some(name.as_str()));
        prop_assert_eq!(found(outbound, "comment"), Some(note.as_str()));
        prop_assert_eq!(found(outbound, "mode"), Some("report"));
        let domains = outbound.get("domains").unwrap().get_ref().as_array().unwrap();
        prop_assert_eq!(domains.len(), 2);
        prop_assert_eq!(domains.last().unwrap().get_ref().as_str(), Some(domain.as_str()));
    }
}
