//! Rows as CSV, RFC 4180: a line of titles, every field in double quotes, lines end with CRLF.
//!
//! A partner chooses what stands in its certificate, and an auditor opens the file in a
//! spreadsheet, which takes a cell that begins with `=`, `+`, `-` or `@` for a formula. An
//! apostrophe before it makes it text. All fields are quoted, so that a program that separates at
//! semicolons finds no field of its own in a value.

use std::io::{self, Write};

use jiff::Timestamp;

use crate::validate::inventory::Known;
use crate::validate::report::CertificateReport;

const TITLES: [&str; 13] = [
    "connector",
    "source",
    "place",
    "seen_at",
    "subject",
    "names",
    "issuer",
    "serial",
    "sha256",
    "key_sha256",
    "key",
    "not_before",
    "not_after",
];

/// Writes all rows.
pub(super) fn write(known: &[Known], out: &mut impl Write) -> io::Result<()> {
    line(&TITLES.map(str::to_owned), out)?;
    known.iter().try_for_each(|known| line(&row(known), out))
}

fn row(known: &Known) -> [String; 13] {
    let Known { connector, source, place, seen_at, certificate } = known;
    let CertificateReport { subject, names, issuer, serial, sha256, key_sha256, key, not_before, not_after } =
        certificate;
    [
        connector.clone(),
        source.word().to_owned(),
        place.clone(),
        seen_at.map_or_else(String::new, time),
        subject.clone(),
        names.join(" "),
        issuer.clone(),
        serial.clone(),
        sha256.clone(),
        key_sha256.clone(),
        key.clone(),
        time(*not_before),
        time(*not_after),
    ]
}

fn time(at: Timestamp) -> String {
    at.to_string()
}

fn line(fields: &[String], out: &mut impl Write) -> io::Result<()> {
    let fields: Vec<String> = fields.iter().map(|field| quoted(field)).collect();
    write!(out, "{}\r\n", fields.join(","))
}

fn quoted(field: &str) -> String {
    let apostrophe = if is_formula(field) { "'" } else { "" };
    format!("\"{apostrophe}{}\"", field.replace('"', "\"\""))
}

/// What begins a formula in one spreadsheet or another, blanks before it or not; the wide forms are
/// those of East Asian keyboards.
fn is_formula(field: &str) -> bool {
    let first = field.trim_start().chars().next();
    field.starts_with(['\t', '\r', '\n']) || first.is_some_and(|c| "=+-@|%＝＋－＠".contains(c))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::validate::inventory::Source;
    use crate::validate::sample::certificate;

    #[test]
    fn fields_are_defused_and_quoted() {
        let table = [
            ("CN=mail.contoso.com, O=Contoso", "\"CN=mail.contoso.com, O=Contoso\""),
            ("", "\"\""),
            ("a \"b\"", "\"a \"\"b\"\"\""),
            ("=HYPERLINK(\"http://x\")", "\"'=HYPERLINK(\"\"http://x\"\")\""),
            ("+1", "\"'+1\""),
            ("-1", "\"'-1\""),
            ("@SUM(A1)", "\"'@SUM(A1)\""),
            (" =1", "\"' =1\""),
            ("\t=1", "\"'\t=1\""),
            ("＝1", "\"'＝1\""),
            ("a;=1", "\"a;=1\""),
            ("*.contoso.com", "\"*.contoso.com\""),
        ];
        for (field, expected) in table {
            assert_eq!(quoted(field), expected, "{field:?}");
        }
    }

    #[test]
    fn rows_have_every_title() {
        let known = Known {
            connector: "bank, the".to_owned(),
            source: Source::Seen,
            place: "mx1.contoso.com 192.0.2.1".to_owned(),
            seen_at: Some("2026-11-25T12:00:00Z".parse().unwrap()),
            certificate: certificate(&["=a.b", "*.b"], "01", "2027-06-01T12:00:00Z"),
        };
        let mut text = Vec::new();
        write(&[known], &mut text).unwrap();
        let expected = "\"connector\",\"source\",\"place\",\"seen_at\",\"subject\",\"names\",\"issuer\",\"serial\",\
                        \"sha256\",\"key_sha256\",\"key\",\"not_before\",\"not_after\"\r\n\
                        \"bank, the\",\"seen\",\"mx1.contoso.com 192.0.2.1\",\"2026-11-25T12:00:00Z\",\"CN==a.b\",\
                        \"'=a.b *.b\",\"CN=Contoso CA\",\"01\",\"AA:01\",\"BB:01\",\"RSA 2048\",\
                        \"2026-01-01T00:00:00Z\",\"2027-06-01T12:00:00Z\"\r\n";
        assert_eq!(String::from_utf8(text).unwrap(), expected);
    }
}
