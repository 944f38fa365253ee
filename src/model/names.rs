//! The names that a partner's certificate must show one of.
//!
//! Fewer names are stronger. The host name of an MX record comes from DNS that nobody has signed,
//! so whoever can forge DNS can have a certificate for it: [`Names::MxHost`] is therefore weaker
//! than any names from configuration (Postfix's documentation of `verify` and `secure` says the
//! same), and stronger than no name at all.

use std::cmp::Ordering;
use std::fmt;

use super::certificate::PresentedName;
use super::domain::Domain;
use super::pattern::{Entry, Pattern, PatternSet};

/// What a certificate may be named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Names {
    /// Names do not matter at this level.
    Any,
    /// The name of the host that was connected to, from DNS (Postfix: `match=hostname`).
    MxHost,
    /// The domain asked for and what is below it (Postfix: `match=nexthop:dot-nexthop`).
    Domain,
    /// One of these; never empty.
    Set(PatternSet),
}

impl Names {
    /// The same, with [`Names::Domain`] spelt out for one domain.
    #[must_use]
    pub fn resolved(&self, domain: &Domain) -> Names {
        match self {
            Names::Domain => Names::Set(PatternSet::new(vec![Pattern::Tree(domain.clone())])),
            Names::Any | Names::MxHost | Names::Set(_) => self.clone(),
        }
    }

    /// The names that satisfy both, if any can.
    pub fn meet(&self, other: &Names) -> Option<Names> {
        match (self, other) {
            (Names::Set(a), Names::Set(b)) => {
                let narrower = |x: &PatternSet, y: &PatternSet| -> Vec<Pattern> {
                    x.entries().filter(|&entry| y.covers(entry)).filter_map(pattern_of).collect()
                };
                let mut both = narrower(a, b);
                for pattern in narrower(b, a) {
                    if !both.contains(&pattern) {
                        both.push(pattern);
                    }
                }
                if both.is_empty() { None } else { Some(Names::Set(PatternSet::new(both))) }
            }
            (a, b) => match a.partial_cmp(b)? {
                Ordering::Less => Some(b.clone()),
                Ordering::Equal | Ordering::Greater => Some(a.clone()),
            },
        }
    }
}

fn pattern_of(entry: Entry<'_>) -> Option<Pattern> {
    match entry {
        Entry::Name(name) => Domain::parse(name).ok().map(Pattern::Exact),
        Entry::Suffix(name) => Domain::parse(name).ok().map(Pattern::Below),
        Entry::Any => Some(Pattern::Any),
    }
}

impl PartialOrd for Names {
    /// Greater accepts less.
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        let rank = |names: &Names| match names {
            Names::Any => 0,
            Names::MxHost => 1,
            Names::Domain | Names::Set(_) => 2,
        };
        match (self, other) {
            (Names::Set(a), Names::Set(b)) => match (b.includes(a), a.includes(b)) {
                (true, true) => Some(Ordering::Equal),
                (true, false) => Some(Ordering::Greater),
                (false, true) => Some(Ordering::Less),
                (false, false) => None,
            },
            (Names::Domain, Names::Set(_)) | (Names::Set(_), Names::Domain) => None,
            (a, b) => Some(rank(a).cmp(&rank(b))),
        }
    }
}

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Names::Any => f.write_str("any name"),
            Names::MxHost => f.write_str("the name of the MX host"),
            Names::Domain => f.write_str("the domain asked for and what is below it"),
            Names::Set(patterns) => {
                for (i, pattern) in patterns.iter().enumerate() {
                    if i > 0 {
                        f.write_str(" or ")?;
                    }
                    write!(f, "{pattern}")?;
                }
                Ok(())
            }
        }
    }
}

/// Whether a name that a certificate presents is one of the patterns.
///
/// A wildcard of the certificate stands for any one label (RFC 6125 section 6.4.3): it satisfies
/// a pattern for all subdomains, and an exact name with one label more.
pub fn satisfied_by(patterns: &PatternSet, presented: &PresentedName) -> bool {
    patterns.entries().any(|entry| match (entry, presented) {
        (entry, PresentedName::Exact(name)) => entry.covers(Entry::Name(name)),
        (Entry::Any, PresentedName::Wildcard(_)) => true,
        (Entry::Name(own), PresentedName::Wildcard(base)) => {
            own.split_once('.').is_some_and(|(_, parent)| parent == base)
        }
        (Entry::Suffix(own), PresentedName::Wildcard(base)) => {
            own == base || Entry::Suffix(own).covers(Entry::Name(base))
        }
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn set(texts: &[&str]) -> Names {
        Names::Set(texts.iter().map(|text| Pattern::parse(text).unwrap()).collect())
    }

    #[test]
    fn fewer_names_are_stronger() {
        use Ordering::{Equal, Greater, Less};
        let cases = [
            (Names::Any, Names::MxHost, Some(Less)),
            (Names::MxHost, set(&["a.b"]), Some(Less)),
            (Names::MxHost, Names::Domain, Some(Less)),
            (set(&["a.b"]), set(&["a.b", "c.d"]), Some(Greater)),
            (set(&["*.b.c"]), set(&["b.c", ".b.c"]), Some(Equal)),
            (set(&["a.b.c"]), set(&[".b.c"]), Some(Greater)),
            (set(&["b.c"]), set(&[".b.c"]), None),
            (set(&["a.b"]), set(&["c.d"]), None),
            (Names::Domain, set(&["a.b"]), None),
            (Names::Domain, Names::Domain, Some(Equal)),
        ];
        for (a, b, expected) in cases {
            assert_eq!(a.partial_cmp(&b), expected, "{a} against {b}");
            assert_eq!(b.partial_cmp(&a), expected.map(Ordering::reverse), "{b} against {a}");
        }
    }

    #[test]
    fn meeting_keeps_what_both_accept() {
        let cases = [
            (set(&["*.b.c"]), set(&["a.b.c", "x.y"]), Some("a.b.c")),
            (set(&["a.b", "c.d"]), set(&["c.d", "e.f"]), Some("c.d")),
            (set(&["a.b"]), set(&["c.d"]), None),
            (Names::MxHost, set(&["c.d"]), Some("c.d")),
            (Names::Any, Names::MxHost, Some("the name of the MX host")),
        ];
        for (a, b, expected) in cases {
            for (x, y) in [(&a, &b), (&b, &a)] {
                assert_eq!(x.meet(y).map(|names| names.to_string()).as_deref(), expected, "{x} and {y}");
            }
        }
    }

    #[test]
    fn p_a_presented_wildcard_stands_for_one_label() {
        let wildcard = PresentedName::Wildcard("b.c".into());
        for (pattern, expected) in [
            ("a.b.c", true),
            ("x.a.b.c", false),
            ("b.c", false),
            (".b.c", true),
            (".c", true),
            (".a.b.c", false),
            ("*", true),
        ] {
            let patterns = PatternSet::new(vec![Pattern::parse(pattern).unwrap()]);
            assert_eq!(satisfied_by(&patterns, &wildcard), expected, "{pattern}");
        }
    }
    #[test]
    fn the_domain_asked_for_is_spelt_out() {
        let domain = Domain::parse("b.c").unwrap();
        assert_eq!(Names::Domain.resolved(&domain), set(&["*.b.c"]));
        for names in [Names::Any, Names::MxHost, set(&["x.y"])] {
            assert_eq!(names.resolved(&domain), names);
        }
    }

    #[test]
    fn names_in_words() {
        for (names, words) in [
            (Names::Any, "any name"),
            (Names::MxHost, "the name of the MX host"),
            (Names::Domain, "the domain asked for and what is below it"),
            (set(&["a.b"]), "a.b"),
            (set(&["a.b", "*.c.d", ".e.f"]), "a.b or *.c.d or .e.f"),
        ] {
            assert_eq!(names.to_string(), words);
        }
    }
}
