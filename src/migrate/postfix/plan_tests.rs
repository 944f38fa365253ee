//! Tables as connectors, and what stays in them.

#![allow(clippy::unwrap_used)]

use std::collections::HashSet;

use super::*;
use crate::migrate::file;
use crate::migrate::postfix::routes;
use crate::migrate::postfix::table::lines;

/// The file that tables become, and what is refused of them.
fn imported(policies: &str, transport: &str, main_cf: &MainCf) -> (String, Vec<String>) {
    let written = lines("policies", policies.as_bytes());
    let ways = lines("transport", transport.as_bytes());
    let ways = routes::read(ways, &HashSet::from(["smtp".to_owned(), "partner".to_owned()]));
    let Import { drafts, refused, .. } =
        outbound(written, ways, main_cf, Mode::Enforce, &mut Unique::default());
    (file(&[], &drafts), refused.iter().map(ToString::to_string).collect())
}

#[test]
fn what_stays_is_left_out_by_all_around_it() {
    let policies = ".a.example encrypt\n.b.a.example verify\nx.b.a.example none\n.c.b.a.example none\ny.c.b.a.example may\n";
    let (text, refused) = imported(policies, "", &MainCf::default());
    assert_eq!(refused.len(), 2, "{refused:?}");
    let except = "except  = [\"x.b.a.example\", \".c.b.a.example\"]\n";
    assert_eq!(text.matches(except).count(), 2, "{text}");
    // Nobody hides anything from it any more.
    assert!(text.contains("domains = [\"y.c.b.a.example\"]\ntls     = \"may\"\n"), "{text}");
}

#[test]
fn who_is_weaker_says_so_and_nothing_runs_in_a_circle() {
    let pin = "AB".repeat(32);
    let policies = format!(
        ".a.example fingerprint match={pin}\n.b.example secure\nx.b.example fingerprint match={pin}\nx.a.example secure\n"
    );
    let (text, refused) = imported(&policies, "", &MainCf::default());
    assert_eq!(refused, Vec::<String>::new());
    assert!(text.contains("domains      = [\"x.b.example\"]\noverrides    = [\"b.example\"]\n"), "{text}");
    assert!(text.contains("domains   = [\"x.a.example\"]\noverrides = [\"a.example\"]\n"), "{text}");
    let encrypt = MainCf { level: Level::Encrypt, ..MainCf::default() };
    let (text, _) = imported("a.example may\nb.example secure\n", "", &encrypt);
    assert!(
        text.contains("domains   = [\"a.example\"]\noverrides = [\"main.cf\"]\ntls       = \"may\"\n"),
        "{text}"
    );
    assert_eq!(text.matches("overrides").count(), 2, "a key and a note: {text}");
}

#[test]
fn a_smart_host_has_one_policy() {
    const HOPS: &str =
        "[m.x.example]:587 encrypt\n[n.x.example] secure\n[n.x.example]:25 verify\n[192.0.2.1]:25 verify\n";
    for (more, transport, expected) in [
        ("", "a.example smtp:[m.x.example]:587", ""),
        ("", "a.example smtp:[m.x.example]:588", ""),
        ("", ".a.example partner:[192.0.2.1]:25", ""),
        ("a.example encrypt\n", "a.example smtp:[m.x.example]:587", ""),
        ("", "a.example smtp:[n.x.example]", "[n.x.example] has other policies on other ports"),
        ("", "a.example smtp:[m.x.example]:587, [o.x.example]", "[o.x.example] has no policy"),
        ("", "a.example smtp:[m.x.example]:587, [192.0.2.1]:25", "different policies"),
        ("a.example secure\n", "a.example smtp:[m.x.example]:587", "another policy for the domain itself"),
        (".x.example may\n", "a.example smtp:[m.x.example]:587", "another policy for the domain of the name"),
        (
            "[p.a.example]:1 may\n",
            ".a.example smtp:[m.x.example]:587",
            "a host in this domain has another policy",
        ),
        ("[o.x.example] none\n", "a.example smtp:[o.x.example]", "[o.x.example] is not imported"),
        ("", "a@b.example smtp:[m.x.example]:587", "not for an address"),
        ("", "* smtp:[m.x.example]:587", "not for an address or for everything"),
    ] {
        let (text, refused) =
            imported(&format!("{more}{HOPS}"), &format!("{transport}\n"), &MainCf::default());
        let told: Vec<&String> = refused.iter().filter(|line| line.starts_with("transport:1: ")).collect();
        match (expected, told.as_slice()) {
            ("", []) => {
                assert_eq!(text.contains("route "), !transport.ends_with("588"), "{transport}: {text}");
                assert_eq!(text.contains("\"partner\""), transport.contains("partner"), "{text}");
            }
            (expected, [told]) => {
                assert!(!expected.is_empty() && told.contains(expected), "{transport}: {told}");
                assert!(!text.contains("route "), "{transport}: {text}");
            }
            (expected, told) => panic!("{transport}: {expected}, {told:?}"),
        }
    }
}

#[test]
fn the_first_of_two_lines_counts() {
    let (text, refused) =
        imported("A.example may\na.example encrypt\nb.example may\nb.example MAY\n", "", &MainCf::default());
    assert!(text.contains("domains = [\"a.example\", \"b.example\"]\ntls     = \"may\""), "{text}");
    assert!(
        matches!(refused.as_slice(), [line] if line.starts_with("policies:2: a.example: line 1")),
        "{refused:?}"
    );
}

#[test]
fn what_is_told_twice_is_told() {
    let (text, refused) = imported("a.example may\na.example MAY\n", "", &MainCf::default());
    assert!(text.contains("# line 2 of policies says the same again") && refused.is_empty(), "{text}");
    let (_, refused) = imported("a.example none\na.example none\n", "", &MainCf::default());
    let lines: Vec<&str> = refused.iter().filter_map(|line| line.get(..11)).collect();
    assert_eq!(lines, ["policies:1:", "policies:2:"]);
}

#[test]
fn what_cannot_be_read_is_left_out_and_what_may_be_missing_is_missing_nowhere() {
    const WIDE: &str = ".contoso.com encrypt\n";
    for (line, is_imported) in [
        ("hr.contoso.com secure match=m\0x\n", true),
        ("\u{feff}hr.contoso.com secure\n", true),
        ("hr.contoso.com secure match=mx", false),
        ("hr.contoso.com secu", false),
        ("hr.contoso.co", false),
        ("# the end", false),
    ] {
        let (text, refused) = imported(&format!("{WIDE}{line}"), "", &MainCf::default());
        assert_eq!(text.contains("domains = [\".contoso.com\"]"), is_imported, "{line}: {text}");
        assert_eq!(text.contains("except  = [\"hr.contoso.com\"]"), is_imported, "{line}: {text}");
        assert!(matches!(refused.as_slice(), [line] if line.starts_with("policies:2: ")), "{refused:?}");
    }
    // Another table that is not known.
    let mut table =
        lines("policies", b".contoso.com encrypt\ncontoso.com encrypt\n[mx.contoso.net] verify\n");
    table.is_whole = false;
    let Import { drafts, refused, .. } =
        outbound(table, Vec::new(), &MainCf::default(), Mode::Enforce, &mut Unique::default());
    assert!(file(&[], &drafts).contains("domains = [\"contoso.com\"]"));
    assert_eq!((drafts.len(), refused.len()), (1, 2), "{refused:?}");
}

#[test]
fn a_domain_that_is_left_out_for_its_host_has_its_line() {
    let (text, refused) =
        imported(".contoso.com encrypt\n[mail.contoso.com]:587 verify\n", "", &MainCf::default());
    assert!(
        text.contains(
            "# line 1 of policies has to stay in the table too: mail to the domain mail.contoso.com"
        ),
        "{text}"
    );
    let [line] = refused.as_slice() else { panic!("{refused:?}") };
    assert!(
        line.ends_with("line 1 of policies has to stay too, for mail to the domain mail.contoso.com"),
        "{line}"
    );
}

#[test]
fn so_many_exceptions_are_no_connectors() {
    let mut parent = "example".to_owned();
    let mut table = String::new();
    for _ in 0..100 {
        table.push_str(&format!(".{parent} encrypt\n"));
        parent = format!("a.{parent}");
    }
    table.extend((0..=EXCEPTIONS / 100).map(|number| format!("b{number}.{parent} none\n")));
    let (text, refused) = imported(&table, "", &MainCf::default());
    assert_eq!(text, "version = 1\n");
    assert!(refused.last().is_some_and(|line| line.contains("nothing is imported")));
}

#[test]
fn two_spellings_have_one_policy() {
    const U: &str = "b\u{fc}.example";
    const A: &str = "xn--b-eha.example";
    // What the table has, who has a connector, and what is refused.
    for (table, domains, count) in [
        (format!("{U} may\n"), vec![A], 0),
        (format!("{U} may\n{A} may\n.example secure\n"), vec![A, ".example"], 0),
        (format!("{A} may\n.example secure\n"), vec![A, ".example"], 0),
        (format!("{U} may\n.example secure\n"), vec![".example"], 1),
        (format!("{U} may\n.example may\n"), vec![A, ".example"], 0),
        (format!("{U} may\n{A} secure\n.example may\n"), vec![".example"], 2),
        (format!("{A} secure\n{U} none\n.example may\n"), vec![".example"], 2),
    ] {
        let (text, refused) = imported(&table, "", &MainCf::default());
        for domain in [A, ".example"] {
            let listed = text
                .lines()
                .filter(|line| line.starts_with("domains"))
                .any(|line| line.contains(&format!("\"{domain}\"")));
            assert_eq!(listed, domains.contains(&domain), "{table}: {domain}\n{text}");
        }
        assert_eq!(refused.len(), count, "{table}: {refused:?}");
        assert_eq!(text.contains("except"), count > 0, "{table}: {text}");
    }
}

/// What is asked of each line is not asked of each pair: with that this would not end.
#[test]
fn a_table_that_is_half_exceptions() {
    const HALF: usize = 20_000;
    let half = |number: usize| {
        format!("a{number}.p.example secure\nb{number}.p.example none\n[c{number}.p.example]:25 may\n")
    };
    let policies = ".p.example encrypt\n".to_owned() + &(0..HALF).map(half).collect::<String>();
    let (text, refused) = imported(&policies, "", &MainCf::default());
    assert_eq!((refused.len(), text.matches("p.example\",\n").count()), (2 * HALF, 3 * HALF));
}
