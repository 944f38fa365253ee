//! Names for imported connectors: what others allow in a name and we do not is replaced, and none is there twice.

use std::collections::{HashMap, HashSet};

use crate::model::{ConnectorName, MAX_NAME_LENGTH};

/// Gives each connector of a file a name of its own.
#[derive(Debug, Default)]
pub struct Unique {
    taken: HashSet<String>,
    /// The last number that was appended to a name.
    last: HashMap<String, usize>,
}

impl Unique {
    /// A name as near to this one as [`ConnectorName`] allows, that was not given before: a character outside its
    /// alphabet becomes `-`, what is too long is cut, and a number is appended to what is taken. Without a letter or a digit
    /// in it the name is as near to `otherwise`.
    pub fn name(&mut self, wanted: &str, otherwise: &str) -> String {
        let base = near(wanted).or_else(|| near(otherwise)).unwrap_or_else(|| "connector".to_owned());
        let mut name = base.clone();
        // Names that differ in case only are two to the configuration, and one to most people.
        let number = self.last.entry(base.to_lowercase()).or_insert(1);
        while !self.taken.insert(name.to_lowercase()) {
            *number += 1;
            let suffix = format!("-{number}");
            name = format!("{}{suffix}", cut(&base, MAX_NAME_LENGTH - suffix.len()));
        }
        name
    }
}

fn near(wanted: &str) -> Option<String> {
    let allowed = |c: char| if ConnectorName::parse(&format!("a{c}a")).is_ok() { c } else { '-' };
    let all: String = wanted.chars().take(4 * MAX_NAME_LENGTH).map(allowed).collect();
    let name = cut(all.trim_start_matches(|c: char| !c.is_ascii_alphanumeric()), MAX_NAME_LENGTH);
    if name.is_empty() {
        return None;
    }
    Some(if ConnectorName::parse(name).is_ok() {
        name.to_owned()
    } else {
        format!("{}-", cut(name, MAX_NAME_LENGTH - 1))
    })
}

/// The first characters of an ASCII text, without a space at the end.
fn cut(text: &str, length: usize) -> &str {
    text.get(..length).unwrap_or(text).trim_end()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn as_near_as_can_be() {
        let mut unique = Unique::default();
        let cases = [
            ("contoso", "contoso"),
            ("Contoso", "Contoso-2"),
            ("To Contoso: TLS", "To Contoso- TLS"),
            ("  (a) ", "a)"),
            ("main.cf", "main.cf-"),
            ("Zürich", "Z-rich"),
            ("\u{202e}\n", "other"),
            ("", "other-2"),
        ];
        for (wanted, expected) in cases {
            assert_eq!(unique.name(wanted, "other"), expected, "{wanted:?}");
        }
        let long = "x".repeat(70);
        assert_eq!(unique.name(&long, "other"), "x".repeat(64));
        assert_eq!(unique.name(&long, "other"), format!("{}-2", "x".repeat(62)));
        assert_eq!(unique.name("-", "main.cf"), "main.cf--2");
        assert_eq!(unique.name("", "?"), "connector");
    }

    /// Each begins where the last one ended: from the beginning this would not end.
    #[test]
    fn one_name_for_all() {
        let mut unique = Unique::default();
        let last = (0..100_000).map(|_| unique.name("x", "other")).last();
        assert_eq!(last.as_deref(), Some("x-100000"));
    }

    proptest! {
        #[test]
        fn whatever_is_wanted_a_name_comes_of_it(wanted: Vec<String>) {
            let mut unique = Unique::default();
            let names: Vec<String> = wanted.iter().map(|text| unique.name(text, "connector")).collect();
            for name in &names {
                prop_assert!(ConnectorName::parse(name).is_ok(), "{name:?}");
            }
            let different: HashSet<&String> = names.iter().collect();
            prop_assert_eq!(different.len(), names.len());
        }
    }
}
