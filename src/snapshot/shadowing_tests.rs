//! Who hides whom, and which of it is refused.

use crate::model::sample::{agreements, connectors};
use crate::model::{Agreements, Level};
use crate::snapshot::{Conflict, compile};

fn conflicts(agreements: &Agreements) -> Vec<Conflict> {
    compile(agreements, 1, String::new()).err().unwrap_or_default()
}

/// `c1 at PATTERN under c0`, and how many places more.
fn told(agreements: &Agreements) -> Vec<String> {
    let told = conflicts(agreements).into_iter().map(|conflict| {
        let (_, wide) = conflict.message.split_once("wider `").unwrap_or_default();
        let (wide, _) = wide.split_once('`').unwrap_or_default();
        let (place, _) = conflict.message.split_once(" this connector").unwrap_or_default();
        let place = place.trim_start_matches("for ");
        assert_eq!(conflict.key, "domains");
        assert!(place.starts_with(conflict.text.as_deref().unwrap_or("?")), "{place}");
        format!("c{} at {place} under {wide}", conflict.connector)
    });
    told.collect()
}

#[test]
fn a_connector_is_at_least_as_strong_as_what_it_hides_or_says_so() {
    let table: [(&str, &[&str], &[&str]); 19] = [
        ("weaker", &["verify of *", "encrypt of a.b"], &["c1 at a.b under c0"]),
        ("not comparable", &["dane of *", "encrypt of a.b"], &["c1 at a.b under c0"]),
        ("the same", &["verify of *", "verify of a.b"], &[]),
        ("stronger", &["encrypt of *", "verify of a.b"], &[]),
        ("beside it", &["verify of *.c", "encrypt of a.b", "encrypt of c.b"], &[]),
        ("it says so", &["verify of *", "encrypt of a.b, overrides c0"], &[]),
        (
            "it says so of another one",
            &["verify of *", "encrypt of a.b, overrides c2", "encrypt of x.y, overrides c0"],
            &["c1 at a.b under c0"],
        ),
        ("in the order of the file or not", &["encrypt of a.b", "verify of *.b"], &["c0 at a.b under c1"]),
        (
            "what lies behind was hidden by the nearest already",
            &["dane-only of *", "encrypt of *.b, overrides c0", "verify of a.b"],
            &[],
        ),
        (
            "one that is overridden lets the next be seen",
            &["verify of *", "secure x of *.b", "encrypt of a.b, overrides c1"],
            &["c2 at a.b under c0"],
        ),
        (
            "both are told",
            &["verify of *", "secure x of *.b", "encrypt of a.b"],
            &["c2 at a.b under c0", "c2 at a.b under c1"],
        ),
        ("an excepted place is not hidden by it", &["verify of *.b, except a.b", "encrypt of a.b"], &[]),
        (
            "there the next one is seen",
            &["verify of *", "encrypt of *.b, except *.a.b, overrides c0", "encrypt of *.a.b"],
            &["c2 at *.a.b and 1 more under c0"],
        ),
        (
            "through an exception inside the place too",
            &["verify of *", "encrypt of *.b, except x.a.b, overrides c0", "encrypt of .a.b"],
            &["c2 at .a.b under c0"],
        ),
        ("an exception beside it is none", &["encrypt of *.b, except c.b", "encrypt of .a.b"], &[]),
        ("its own wider pattern", &["encrypt of *.b a.b .a.b"], &[]),
        (
            "places are counted",
            &["verify of *", "encrypt of a.b c.b d.b"],
            &["c1 at a.b and 2 more under c0"],
        ),
        (
            "names that depend on the place are compared at each",
            &["secure *.a.b of *.b", "secure domain of a.b c.b d.b"],
            &["c1 at c.b and 1 more under c0"],
        ),
        (
            "on the other side too",
            &["secure domain of *.b", "secure a.b of a.b c.b"],
            &["c1 at c.b under c0"],
        ),
    ];
    for (name, texts, expected) in table {
        assert_eq!(told(&agreements(connectors(texts), Vec::new())), expected, "{name}");
    }
}

#[test]
fn a_place_that_is_written_twice_is_told_of_once() {
    for (texts, expected) in [
        (&["verify of *", "encrypt of a.b c.b a.b"][..], "c1 at a.b and 1 more under c0"),
        (&["verify of *", "encrypt of d.b *.a.b a.b *.a.b"], "c1 at d.b and 2 more under c0"),
        (&["verify of * z.y z.y", "encrypt of b.b a.b"], "c1 at b.b and 1 more under c0"),
    ] {
        assert_eq!(told(&agreements(connectors(texts), Vec::new())), [expected], "{texts:?}");
    }
    // It is the other connector's.
    let found = conflicts(&agreements(
        connectors(&["verify of * a.b", "encrypt of a.b c.b", "encrypt of c.b"]),
        Vec::new(),
    ));
    let messages: Vec<&str> = found.iter().map(|conflict| conflict.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "a.b belongs to the connector `c0` already",
            "c.b belongs to the connector `c1` already",
            "for c.b this connector (encrypt) is not at least as strong as the wider `c0` (verify, the name of \
             the MX host)",
        ]
    );
}

#[test]
fn what_main_cf_gives_is_the_widest() {
    let at = |level, texts: &[&str]| {
        let mut agreements = agreements(connectors(texts), Vec::new());
        agreements.mta.level = level;
        told(&agreements)
    };
    assert!(at(Level::May, &["may of a.b"]).is_empty());
    assert_eq!(at(Level::Encrypt, &["may of a.b", "encrypt of c.d"]), ["c0 at a.b under main.cf"]);
    assert!(at(Level::Encrypt, &["may of a.b, overrides main.cf"]).is_empty());
    assert_eq!(at(Level::Secure, &["secure *.b of a.b c.b"]), ["c0 at a.b and 1 more under main.cf"]);
    assert!(at(Level::Secure, &["secure domain of a.b", "secure c.b of c.b"]).is_empty());
    // A connector that hides main.cf already answers for what is behind it.
    assert!(at(Level::Encrypt, &["may of *, overrides main.cf", "may of a.b"]).is_empty());
}

#[test]
fn the_message_says_both_demands_and_what_to_write() {
    let found = conflicts(&agreements(connectors(&["verify of *", "encrypt of a.b c.b"]), Vec::new()));
    let messages: Vec<&str> = found.iter().map(|conflict| conflict.message.as_str()).collect();
    assert_eq!(
        messages,
        ["for a.b and 1 more this connector (encrypt) is not at least as strong as the wider `c0` \
             (verify, the name of the MX host)"]
    );
    let mut plain = agreements(connectors(&["may of a.b"]), Vec::new());
    plain.mta.level = Level::Encrypt;
    let found = conflicts(&plain);
    let words: Vec<(&str, &str)> =
        found.iter().map(|conflict| (conflict.message.as_str(), conflict.help.as_str())).collect();
    assert_eq!(
        words,
        [(
            "for a.b this connector (may) is not at least as strong as the wider `main.cf` (encrypt, by [mta] level)",
            "make it as strong, or say that it may be weaker: overrides = [\"main.cf\"]"
        )]
    );
}
