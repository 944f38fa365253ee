//! Drafts as a file of the configuration, which reads as if somebody had written it.
//!
//! Whatever stands in a text cannot end it: control characters and those that turn the direction of writing are written as
//! escapes, and a comment is made of [`printable`] text alone.
//!
//! The order of the keys is such that a connector that was cut short lacks a mandatory key, and is refused, instead of
//! being one that demands less: what only strengthens stands before `tls` and `on_violation`. `match` may follow `secure`,
//! which is nothing without it.

use std::fmt::Write as _;

use super::draft::{Draft, InboundTerms, Names, OutboundTerms, People, Terms};
use crate::model::Level;
use crate::protocol::escape::printable;

/// Longest line of a comment and of a list that is on one line, in characters.
const WIDTH: usize = 100;

/// Longest note, in characters. Ours; what was imported is quoted within it.
pub const NOTE: usize = 2000;

/// A file that can be included: these lines as its first comment, and the connectors.
pub fn file(head: &[String], drafts: &[Draft]) -> String {
    let mut out = String::new();
    for line in head {
        comment(&mut out, line);
    }
    out.push_str("version = 1\n");
    for draft in drafts {
        out.push('\n');
        out.push_str(&table(draft));
    }
    out
}

/// A text of TOML, in its double quotes.
pub fn text(value: &str) -> String {
    let mut out = String::from("\"");
    for c in value.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            ' '..='~' => out.push(c),
            c if !c.is_ascii() && c.is_alphanumeric() => out.push(c),
            c if u32::from(c) <= 0xffff => drop(write!(out, "\\u{:04X}", u32::from(c))),
            c => drop(write!(out, "\\U{:08X}", u32::from(c))),
        }
    }
    out.push('"');
    out
}

fn comment(out: &mut String, note: &str) {
    let mut line = String::from("#");
    for word in printable(note, NOTE).split_whitespace() {
        if line.len() > 1 && line.chars().count() + 1 + word.chars().count() > WIDTH {
            out.push_str(&line);
            line = String::from("\n#");
        }
        line.push(' ');
        line.push_str(word);
    }
    out.push_str(&line);
    out.push('\n');
}

fn table(draft: &Draft) -> String {
    let mut out = String::new();
    for note in &draft.notes {
        comment(&mut out, note);
    }
    let mut keys = Keys::default();
    keys.text("name", Some(&draft.name));
    keys.text("mode", Some(draft.mode.word()));
    match &draft.terms {
        Terms::Outbound(terms) => {
            out.push_str("[[outbound]]\n");
            outbound(&mut keys, terms);
        }
        Terms::Inbound(terms) => {
            out.push_str("[[inbound]]\n");
            inbound(&mut keys, terms);
        }
    }
    people(&mut keys, &draft.people);
    out.push_str(&keys.aligned());
    out
}

fn outbound(keys: &mut Keys, terms: &OutboundTerms) {
    keys.texts("domains", &terms.domains);
    keys.texts("except", &terms.except);
    keys.texts("overrides", &terms.overrides);
    keys.text("protocols", terms.protocols.as_deref());
    keys.text("ciphers", terms.ciphers.as_deref());
    keys.text("servername", terms.servername.as_deref());
    keys.texts("route", &terms.route);
    keys.text("transport", terms.transport.as_deref());
    keys.text("ca_file", terms.ca_file.as_deref());
    keys.texts("certificates", &terms.certificates);
    keys.texts("fingerprints", &terms.fingerprints);
    // `verify` alone is a connector too.
    let after = terms.tls == Level::Secure;
    if !after {
        names(keys, &terms.names);
    }
    keys.text("tls", Some(terms.tls.word()));
    if after {
        names(keys, &terms.names);
    }
    keys.texts("validate.recipients", &terms.test_recipients);
}

fn names(keys: &mut Keys, names: &Names) {
    match names {
        Names::Unsaid => {}
        Names::Domain => keys.text("match", Some("domain")),
        Names::Of(patterns) => keys.texts("match", patterns),
    }
}

fn inbound(keys: &mut Keys, terms: &InboundTerms) {
    keys.texts("identify.domains", &terms.domains);
    keys.texts("identify.addresses", &terms.addresses);
    keys.texts("identify.except_addresses", &terms.except_addresses);
    keys.texts("recipients", &terms.recipients);
    keys.texts("overrides", &terms.overrides);
    match &terms.tls {
        None => {}
        Some(None) => keys.add("require.tls", "true".to_owned()),
        Some(Some(oldest)) => keys.text("require.tls", Some(oldest)),
    }
    keys.texts("require.certificate.names", &terms.certificate_names);
    keys.texts("require.certificate.issuers", &terms.certificate_issuers);
    keys.texts("require.certificate.files", &terms.certificate_files);
    keys.texts("require.addresses", &terms.required_addresses);
    keys.text("on_violation", Some(&terms.on_violation));
}

fn people(keys: &mut Keys, people: &People) {
    keys.text("comment", people.comment.as_deref());
    keys.text("contact", people.contact.as_deref());
    keys.text("owner", people.owner.as_deref());
    keys.text("agreement", people.agreement.as_deref());
}

/// Keys and their values, in the order in which they are written.
#[derive(Default)]
struct Keys {
    all: Vec<(&'static str, String)>,
}

impl Keys {
    fn add(&mut self, key: &'static str, value: String) {
        self.all.push((key, value));
    }

    fn text(&mut self, key: &'static str, value: Option<&str>) {
        if let Some(value) = value {
            self.add(key, text(value));
        }
    }

    /// On one line where there is room, otherwise one on each.
    fn texts(&mut self, key: &'static str, values: &[String]) {
        if values.is_empty() {
            return;
        }
        let quoted: Vec<String> = values.iter().map(|value| text(value)).collect();
        let line = quoted.join(", ");
        let list = if key.len() + line.chars().count() <= WIDTH {
            format!("[{line}]")
        } else {
            format!("[\n    {},\n]", quoted.join(",\n    "))
        };
        self.add(key, list);
    }

    fn aligned(&self) -> String {
        let width = self.all.iter().map(|(key, _)| key.len()).max().unwrap_or_default();
        self.all.iter().fold(String::new(), |mut out, (key, value)| {
            let _ = writeln!(out, "{key:width$} = {value}");
            out
        })
    }
}
