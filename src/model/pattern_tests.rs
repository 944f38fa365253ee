//! What patterns are about, and in which order.

#![allow(clippy::unwrap_used)]
use super::*;

fn pattern(text: &str) -> Pattern {
    Pattern::parse(text).unwrap()
}

#[test]
fn each_form_covers_what_it_says() {
    // name: x, *.x, .x, *
    let table = [
        ("contoso.com", [true, true, false, true]),
        ("a.contoso.com", [false, true, true, true]),
        ("a.b.contoso.com", [false, true, true, true]),
        ("evilcontoso.com", [false, false, false, true]),
        ("com", [false, false, false, true]),
    ];
    for (name, expected) in table {
        let covered = ["contoso.com", "*.contoso.com", ".contoso.com", "*"].map(|p| pattern(p).covers(name));
        assert_eq!(covered, expected, "{name}");
    }
}

#[test]
fn a_star_inside_is_refused() {
    for text in ["a.*.com", "*a.com", "*.*.com", "**", "a*", ".*"] {
        assert_eq!(Pattern::parse(text), Err(Error::EmbeddedWildcard), "{text}");
    }
    assert_eq!(Pattern::parse("."), Err(Error::Domain(domain::Error::Empty)));
    assert_eq!(Pattern::parse("*."), Err(Error::Domain(domain::Error::Empty)));
    assert_eq!(Pattern::parse("a b"), Err(Error::Domain(domain::Error::Character)));
}

#[test]
fn it_prints_as_it_is_compared() {
    for (text, normal) in [
        ("*.Contoso.COM.", "*.contoso.com"),
        (".X", ".x"),
        ("*", "*"),
        ("b\u{fc}cher.example", "xn--bcher-kva.example"),
    ] {
        assert_eq!(pattern(text).to_string(), normal);
        let name = pattern(text).domain().map(Domain::to_string);
        assert_eq!(name, (text != "*").then(|| normal.trim_start_matches(['*', '.']).to_owned()));
    }
    let tree = pattern("*.contoso.com");
    let entries: Vec<String> = tree.entries().map(|entry| entry.to_string()).collect();
    assert_eq!(entries, ["contoso.com", ".contoso.com"]);
    assert_eq!(Entry::Any.to_string(), "*");
}

#[test]
fn a_set_is_what_was_written() {
    let set = |texts: &[&str]| texts.iter().map(|text| pattern(text)).collect::<PatternSet>();
    let written = set(&["b.example", "*.a.example"]);
    assert_eq!(written.iter().map(Pattern::to_string).collect::<Vec<_>>(), ["b.example", "*.a.example"]);
    assert_eq!(format!("{written:?}"), format!("{:?}", [pattern("b.example"), pattern("*.a.example")]));
    assert_eq!(written, set(&["B.example", "*.a.example"]));
    assert_ne!(written, set(&["*.a.example", "b.example"]), "another order is another text");
    assert!(!written.is_empty() && set(&[]).is_empty());
    for (name, expected) in [
        ("b.example", true),
        ("x.b.example", false),
        ("a.example", true),
        ("x.a.example", true),
        ("example", false),
    ] {
        assert_eq!(written.covers_name(name), expected, "{name}");
    }
}

#[test]
fn inclusion_of_sets() {
    let set = |texts: &[&str]| texts.iter().map(|text| pattern(text)).collect::<PatternSet>();
    for (wide, narrow, expected) in [
        (set(&["a", "b"]), set(&["b"]), true),
        (set(&["a", "b"]), set(&["b", "c"]), false),
        (set(&["*.a"]), set(&["a", ".a", "x.a"]), true),
        (set(&["a", ".a"]), set(&["*.a"]), true),
        (set(&[".a"]), set(&["*.a"]), false),
        (set(&["*"]), set(&["a", "*"]), true),
        (set(&["a"]), set(&[]), true),
        (set(&[]), set(&["a"]), false),
    ] {
        assert_eq!(wide.includes(&narrow), expected, "{wide:?} {narrow:?}");
    }
}

#[test]
fn inclusion_is_of_sets() {
    let cases = [
        ("*.x.com", "x.com", true),
        ("*.x.com", ".x.com", true),
        ("*.x.com", "*.a.x.com", true),
        (".x.com", "*.x.com", false),
        (".x.com", "*.a.x.com", true),
        ("x.com", "*.x.com", false),
        ("*", "*.x.com", true),
        ("*.x.com", "*", false),
    ];
    for (wide, narrow, expected) in cases {
        assert_eq!(pattern(wide).includes(&pattern(narrow)), expected, "{wide} {narrow}");
    }
}

#[test]
fn long_lists_are_counted() {
    let set = |texts: &[&str]| PatternSet::new(texts.iter().map(|text| pattern(text)).collect());
    assert_eq!(set(&["a.b"]).in_few_words(), "a.b");
    assert_eq!(set(&["a.b", "*.d", "e.f", "g.h"]).in_few_words(), "a.b or *.d or 2 more");
}

#[test]
fn a_set_agrees_with_a_scan_of_its_entries() {
    let texts = ["*", "b", "*.b", ".b", "a.b", "*.a.b", ".a.b", "x.a.b", "ab.b", "c"];
    for left in texts {
        for right in texts {
            let set = PatternSet::new(vec![pattern(left), pattern(right)]);
            for text in texts {
                let asked = pattern(text);
                for entry in asked.entries() {
                    let covers = set.entries().any(|own| own.covers(entry));
                    let meets = set.entries().any(|own| own.meets(entry));
                    assert_eq!(set.covers(entry), covers, "{set:?} {entry}");
                    assert_eq!(set.meets(entry), meets, "{set:?} {entry}");
                }
            }
        }
    }
}
