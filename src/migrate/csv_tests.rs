//! Lists as spreadsheets write them.

use super::*;
use crate::migrate::file;

/// The file that a list becomes, and what is refused of it.
fn imported(text: &[u8]) -> (String, Vec<String>) {
    let Import { drafts, refused, .. } = outbound("list.csv", text, Mode::Report, &mut Unique::default());
    (file(&[], &drafts), refused.iter().map(ToString::to_string).collect())
}

const EXPECTED: &str = r#"version = 1

[[outbound]]
name    = "Contoso"
mode    = "report"
domains = ["*.contoso.com", "contoso.net"]
tls     = "secure"
match   = ["*.contoso.com", "mail.contoso.net"]
contact = "Zoë, the \"boss\" <mail-ops@contoso.com>"

# The list has no names for it: the certificate must show the domain of the mail or a name below it,
# as with `secure` in Postfix
[[outbound]]
name    = "fabrikam.example"
mode    = "report"
domains = ["fabrikam.example"]
tls     = "secure"
match   = "domain"

[[outbound]]
name    = "encrypt"
mode    = "report"
domains = ["a.example", "b.example"]
tls     = "encrypt"
"#;

#[test]
fn whatever_separates_the_fields() {
    let list = "Domain,TLS level,Names,Contact,Name\r\n\
        *.contoso.com,secure,\"*.contoso.com;mail.contoso.net\",\"Zoë, the \"\"boss\"\" <mail-ops@contoso.com>\",Contoso\r\n\
        \r\n\
        contoso.net,Secure,\"*.contoso.com mail.contoso.net\",\"Zoë, the \"\"boss\"\" <mail-ops@contoso.com>\",Contoso\r\n\
        fabrikam.example , secure,,,\r\n\
        a.example,encrypt\r\n\
        b.example,encrypt,,,\r\n";
    assert_eq!(imported(list.as_bytes()), (EXPECTED.to_owned(), vec![]));
    assert_eq!(imported(&[b"\xef\xbb\xbf", list.as_bytes()].concat()), (EXPECTED.to_owned(), vec![]));
    assert_eq!(imported(list.replace("\r\n", "\n").as_bytes()), (EXPECTED.to_owned(), vec![]));
    // A comma and a semicolon in a quoted field are none that separate.
    for separator in [";", "\t"] {
        let other =
            list.replace("\"Zoë, the", "\"Zoë\u{1} the").replace(',', separator).replace('\u{1}', ",");
        assert_eq!(imported(other.as_bytes()), (EXPECTED.to_owned(), vec![]), "{separator:?}");
    }
}

#[test]
fn what_cannot_be_read_is_told_with_its_line() {
    for (row, expected) in [
        ("a.example,none", "list.csv:2: a.example: `none` is no TLS level"),
        ("a.example,", "list.csv:2: a.example: `` is no TLS level"),
        ("a.example,fingerprint", "list.csv:2: a.example: `fingerprint` needs digests"),
        (",encrypt", "list.csv:2: no domain"),
        ("a@b.example,encrypt", "list.csv:2: a@b.example: "),
        ("a.example,encrypt,mail.example", "list.csv:2: a.example: names mean nothing"),
        ("a.example,secure,com", "list.csv:2: a.example: "),
        ("a.example,encrypt,,x", "list.csv:2: a.example: 4 fields"),
        ("\"a.example\"x,encrypt", "list.csv:2: a quote"),
        ("a \"b\".example,encrypt", "list.csv:2: a quote"),
        ("\"a.example,encrypt", "list.csv:2: a field that begins with a quote"),
        ("b\0.example,encrypt", "list.csv:2: a NUL octet"),
    ] {
        let (text, refused) = imported(format!("domain,level,names\n{row}\n").as_bytes());
        let [refused] = refused.as_slice() else { panic!("{row}: {refused:?}") };
        assert!(refused.starts_with(expected), "{row}: {refused}");
        assert_eq!(text, "version = 1\n", "{row}");
    }
}

#[test]
fn what_is_no_list_is_told() {
    for (text, expected) in [
        (&b""[..], "list.csv: there is no row in it"),
        (b"a.example,encrypt\n", "list.csv:1: no column `domain`"),
        (b"domain,names\n", "list.csv:1: no column `level`"),
        (b"domain,level,Domains\n", "list.csv:1: the column Domains is there twice"),
        (
            b"domain,level,Protocols\na.example,secure,>=TLSv1.3\n",
            "list.csv:1: Protocols: a connector can say",
        ),
        (b"domain,level,CA file\na.example,secure,x\n", "list.csv:1: CA file: a connector can say"),
        (b"domain,level,TLS version\na.example,secure,x\n", "list.csv:1: TLS version: a connector can say"),
        (b"\xff\xfed\0o\0", "list.csv:1: UTF-16"),
        (b"domain,level\na.example,secu", "list.csv:2: no line feed"),
        (b"domain,level\n\xe4.example,secure\n", "list.csv:2: not UTF-8"),
    ] {
        let (_, refused) = imported(text);
        let [refused] = refused.as_slice() else { panic!("{}: {refused:?}", text.escape_ascii()) };
        assert!(refused.starts_with(expected), "{refused}");
    }
    let long =
        [b"domain,level\na.example,\"".as_slice(), &vec![b'x'; 1 << 17], b"\"\nb.example,may\n"].concat();
    let (text, refused) = imported(&long);
    assert_eq!(refused, ["list.csv:2: longer than 65536 octets"]);
    assert!(text.contains("b.example"));
}

#[test]
fn of_rows_that_differ_none_counts() {
    const A: &str = "list.csv:2: a.example: line 3 says";
    for (rows, expected, is_there) in [
        ("a.example,may\nA.example,encrypt", vec![A, "list.csv:3: a.example: line 2 says"], false),
        (
            "*.a.example,encrypt\na.example,may",
            vec!["list.csv:2: *.a.example: line 3 says", "list.csv:3: a.example: line 2 says"],
            false,
        ),
        (
            "a.example,may\na.example,encrypt\na.example,secure",
            vec![A, "list.csv:3: a.example: line 2 says", "list.csv:4: a.example: line 3 says"],
            false,
        ),
        (
            "a.example,secure\na.example,encrypt\n*.a.example,encrypt",
            vec![A, "list.csv:3: a.example: line 2 says", "list.csv:4: *.a.example: line 3 says"],
            false,
        ),
        ("a.example,may\nA.example,MAY", vec![], true),
        ("*.a.example,may\na.example,may\na.example,may", vec![], true),
        ("a.example,may\n*.a.example,may\n.a.example,may", vec![], true),
    ] {
        let (text, refused) = imported(format!("domain,level\n{rows}\n").as_bytes());
        assert_eq!(refused.len(), expected.len(), "{rows}: {refused:?}");
        for (refused, expected) in refused.iter().zip(expected) {
            assert!(refused.starts_with(expected), "{rows}: {refused}");
        }
        assert_eq!(text.matches("a.example\"]").count(), usize::from(is_there), "{rows}: {text}");
    }
}

#[test]
fn a_wider_row_says_what_it_is_about_too() {
    let rows = "*.a.example,encrypt\nb.a.example,secur\nc.a.example,may\nc.a.example,encrypt\nd.example,may";
    let (text, refused) = imported(format!("domain,level\n{rows}\n").as_bytes());
    assert_eq!(refused.len(), 3, "{refused:?}");
    assert_eq!(text.matches("# It is about b.a.example and 1 more too").count(), 1, "{text}");
}

#[test]
fn a_row_that_ends_early_has_no_names_by_accident() {
    let (text, refused) =
        imported(b"domain,level,names\na.example,verify\nb.example,verify,\nc.example,encrypt\n");
    assert!(
        matches!(refused.as_slice(), [line] if line.starts_with("list.csv:2: a.example: the row ends")),
        "{refused:?}"
    );
    assert!(!text.contains("a.example") && text.contains("c.example"), "{text}");
    assert!(text.contains("the certificate must show the name of the MX host"), "{text}");
}

#[test]
fn lines_are_counted_in_quoted_fields_too() {
    let (_, refused) = imported(b"domain,level,comment\na.example,may,\"one\ntwo\"\nb.example,x,\n");
    assert_eq!(refused.len(), 1);
    assert!(refused.iter().all(|refused| refused.starts_with("list.csv:4: b.example")), "{refused:?}");
}
