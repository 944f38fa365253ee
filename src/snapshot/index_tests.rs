//! The order of specificity, what is found and what is not, and the index against a list.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

/// The index of these patterns, made for so many entries: with few of them they are far from their homes.
fn index_for(size: usize, patterns: &[(u32, &str)]) -> (Index, Vec<Duplicate>) {
    let parsed: Vec<(u32, Pattern)> =
        patterns.iter().map(|&(owner, text)| (owner, Pattern::parse(text).unwrap())).collect();
    Index::build(size, || parsed.iter().flat_map(|(owner, pattern)| Hit::of(*owner, pattern.names())))
}

fn index(patterns: &[(u32, &str)]) -> (Index, Vec<Duplicate>) {
    index_for(patterns.len(), patterns)
}

fn chain(index: &Index, name: &str) -> Vec<(u32, String)> {
    index.chain(name).map(|hit| (hit.owner, hit.to_string())).collect()
}

#[test]
fn the_most_specific_comes_first() {
    let (index, duplicates) = index(&[
        (1, "*"),
        (2, "*.contoso.com"),
        (3, ".eu.contoso.com"),
        (4, "mail.eu.contoso.com"),
        (5, "com"),
    ]);
    assert!(duplicates.is_empty());
    let table = [
        ("contoso.com", "2 *.contoso.com, 1 *"),
        ("mail.eu.contoso.com", "4 mail.eu.contoso.com, 3 .eu.contoso.com, 2 *.contoso.com, 1 *"),
        ("eu.contoso.com", "2 *.contoso.com, 1 *"),
        ("a.b.eu.contoso.com", "3 .eu.contoso.com, 2 *.contoso.com, 1 *"),
        ("evilcontoso.com", "1 *"),
        ("com", "5 com, 1 *"),
    ];
    for (name, expected) in table {
        let found: Vec<String> =
            chain(&index, name).into_iter().map(|(owner, pattern)| format!("{owner} {pattern}")).collect();
        assert_eq!(found.join(", "), expected, "{name}");
    }
    assert_eq!(index.entries().count(), 6);
}

#[test]
fn duplicates_are_of_compiled_entries() {
    let (_, duplicates) = index(&[(1, "*.a.b"), (2, "a.b"), (1, ".a.b"), (3, "*.a.b"), (4, "*"), (5, "*")]);
    let found: Vec<(u32, u32, &str)> =
        duplicates.iter().map(|d| (d.first, d.second, d.pattern.as_str())).collect();
    assert_eq!(found, [(1, 2, "a.b"), (1, 3, "*.a.b"), (1, 3, "*.a.b"), (4, 5, "*")]);
}

#[test]
fn above_leaves_the_entry_itself_out() {
    let (index, _) = index(&[(1, "*"), (2, ".b.c"), (3, ".a.b.c"), (4, "a.b.c")]);
    let above = |entry| index.above(entry).map(|hit| hit.owner).collect::<Vec<_>>();
    assert_eq!(above(Entry::Name("a.b.c")), [2, 1]);
    assert_eq!(above(Entry::Suffix("a.b.c")), [2, 1]);
    assert_eq!(above(Entry::Suffix("b.c")), [1]);
    assert!(above(Entry::Any).is_empty());
    assert_eq!(index.covering(Entry::Suffix("a.b.c")).map(|hit| hit.owner).collect::<Vec<_>>(), [3, 2, 1]);
}
#[test]
fn an_owner_may_repeat_itself() {
    let (index, duplicates) = index(&[(1, "*.a.b"), (2, "*"), (1, "a.b"), (1, "*.a.b"), (2, "*")]);
    assert_eq!(duplicates, []);
    assert_eq!(chain(&index, "x.a.b"), [(1, "*.a.b".to_owned()), (2, "*".to_owned())]);
}

#[test]
fn an_entry_is_found_by_itself_alone() {
    let (index, _) = index(&[(1, "a.b"), (2, ".c.d")]);
    for (entry, expected) in [
        (Entry::Name("a.b"), true),
        (Entry::Suffix("a.b"), false),
        (Entry::Name("c.d"), false),
        (Entry::Suffix("c.d"), true),
        (Entry::Suffix("x.c.d"), false),
        (Entry::Any, false),
    ] {
        assert_eq!(index.contains(entry), expected, "{entry}");
    }
    assert!(index.any().is_none());
    assert_eq!(index.name("a.b").map(|hit| hit.owner), Some(1));
    assert!(index.name("c.d").is_none() && index.name("x.c.d").is_none());
}

#[test]
fn entries_are_each_there_once_and_the_star_is_last() {
    let (index, _) =
        index(&[(7, "*"), (300, "*.a.b"), (33_554_431, "c"), (5, ".d.e"), (300, "a.b"), (7, "*")]);
    let mut all: Vec<(u32, String)> = index.entries().map(|hit| (hit.owner, hit.entry.to_string())).collect();
    assert_eq!(all.pop(), Some((7, "*".to_owned())));
    all.sort();
    let expected = [(5, ".d.e"), (300, ".a.b"), (300, "a.b"), (33_554_431, "c")];
    assert_eq!(all, expected.map(|(owner, entry)| (owner, entry.to_owned())));
}

#[test]
fn an_index_may_be_empty_or_nearly_so() {
    for (size, patterns) in [(0, &[][..]), (5, &[][..]), (0, &[(1, "a.b")][..]), (1, &[(1, "*")][..])] {
        let (index, duplicates) = index_for(size, patterns);
        assert_eq!(duplicates, []);
        assert!(!index.has_repeats());
        assert_eq!(index.entries().count(), patterns.len());
        assert_eq!(chain(&index, "a.b").len(), patterns.len(), "{patterns:?}");
        assert!(index.name("c.d").is_none());
    }
}

#[test]
fn a_name_is_as_long_as_a_name_may_be() {
    let longest = [["a"; 63].concat(), ["b"; 63].concat(), ["c"; 63].concat(), ["d"; 61].concat()].join(".");
    let middle = longest.get(..127).unwrap();
    let (tree, below) = (format!("*.{longest}"), format!(".{middle}"));
    let (index, duplicates) = index_for(1, &[(1, &tree), (2, middle), (3, &below)]);
    assert_eq!(duplicates, []);
    for (entry, owner) in [
        (Entry::Name(&longest), 1),
        (Entry::Suffix(&longest), 1),
        (Entry::Name(middle), 2),
        (Entry::Suffix(middle), 3),
    ] {
        assert_eq!(index.own(entry).map(|hit| (hit.owner, hit.entry)), Some((owner, entry)));
    }
    // Longer than any, and its length modulo 256 is that of one.
    assert!(index.name(&"x".repeat(256 + 127)).is_none());
}

#[test]
fn the_other_half_of_a_tree_is_of_the_same_pattern() {
    for (patterns, expected) in [
        (&[(1, "*.a.b")][..], Some(Entry::Name("a.b"))),
        (&[(1, ".a.b"), (1, "a.b")][..], None),
        // The name was another one's, or written by itself, before.
        (&[(2, "a.b"), (1, "*.a.b")][..], None),
        (&[(1, "a.b"), (1, "*.a.b")][..], None),
    ] {
        let (index, _) = index(patterns);
        let suffix = index.own(Entry::Suffix("a.b")).unwrap();
        assert_eq!(index.half(suffix), expected, "{patterns:?}");
        assert_eq!(index.own(Entry::Name("a.b")).and_then(|name| index.half(name)), None);
    }
}

#[test]
fn a_suffix_is_found_at_every_depth() {
    let labels = |count: usize| vec!["a"; count].join(".");
    for depth in [1, 2, 64, 125, 126] {
        let suffix = format!(".{}", labels(depth));
        let (index, _) = index(&[(1, &suffix)]);
        assert_eq!(chain(&index, &labels(depth)), [], "{depth}");
        for below in [depth + 1, 127] {
            assert_eq!(chain(&index, &labels(below)), [(1, suffix.clone())], "{depth} {below}");
        }
    }
}

#[test]
fn names_of_every_length_are_beside_one_another() {
    let name = |length: usize| {
        let mut name = "a".repeat(length);
        (63 - usize::from(length.is_multiple_of(64))..length)
            .step_by(64)
            .for_each(|dot| name.replace_range(dot..=dot, "."));
        name
    };
    let names: Vec<(u32, String)> =
        (1..=253).map(|length| (length, name(usize::try_from(length).unwrap()))).collect();
    let patterns: Vec<(u32, &str)> = names.iter().map(|(length, name)| (*length, name.as_str())).collect();
    for size in [0, 1, 2, 30, 250, 2000] {
        let (index, duplicates) = index_for(size, &patterns);
        assert_eq!(duplicates, []);
        for (length, name) in &patterns {
            assert_eq!(
                index.name(name).map(|hit| (hit.owner, hit.entry)),
                Some((*length, Entry::Name(name)))
            );
            assert_eq!(index.own(Entry::Suffix(name)), None);
            assert!(index.name(&name.replacen('a', "b", 1)).is_none(), "{size} {name}");
        }
        let mut found: Vec<u32> = index.entries().map(|hit| hit.owner).collect();
        found.sort_unstable();
        assert!(found.into_iter().eq(1..=253), "{size}");
    }
}

#[test]
fn every_one_of_many_is_found() {
    // Enough for the longest walks that a list has, most of them through homes that are full.
    let names: Vec<String> = (0..100_000)
        .map(|number| match number % 7 {
            0 => format!("{}{number}.example", "long".repeat(number % 13)),
            _ => format!("n{number}.example"),
        })
        .collect();
    // An owner is written with zeros in it, and where there is nothing are zeros too.
    let owners: [fn(u32) -> u32; 4] =
        [|_| 0, |number| number, |number| number << 4 & 0x1ff_ffff, |number| number << 11 & 0x1ff_ffff];
    for owner in owners {
        for size in [names.len(), names.len() / 4] {
            let patterns: Vec<(u32, &str)> =
                (0..).zip(&names).map(|(number, name)| (owner(number), name.as_str())).collect();
            let (index, duplicates) = index_for(size, &patterns);
            assert_eq!(duplicates, []);
            for (owner, name) in &patterns {
                let hit = Hit { owner: *owner, entry: Entry::Name(name), tree: false };
                assert_eq!(index.name(name), Some(hit));
            }
            assert_eq!(index.entries().count(), names.len());
        }
    }
}

#[test]
fn a_list_may_say_one_thing_again_and_again() {
    // Whatever was next to it has its place as if it had been said once.
    let names: Vec<String> = (0..1000).map(|number| format!("n{number}.example")).collect();
    let mut patterns: Vec<(u32, &str)> = names.iter().map(|name| (1, name.as_str())).collect();
    (0..5000).for_each(|_| patterns.insert(500, (1, "again.and.again")));
    let (index, duplicates) = index(&patterns);
    assert_eq!(duplicates, []);
    assert!(index.has_repeats());
    assert_eq!(index.entries().count(), 1001);
    for (_, name) in patterns {
        assert_eq!(index.name(name).map(|hit| hit.entry), Some(Entry::Name(name)));
    }
}

proptest! {
    /// Names of all lengths, most of them long, with homes for all and for few: against a map.
    #[test]
    fn it_is_a_map_of_names(
        written in proptest::collection::btree_map("[a-c]{1,3}|[ab]{1,60}|[ab]{40,63}([.][ab]{60}){0,3}", 0_u32..1 << 25, 0..80),
        others in proptest::collection::vec("[a-c]{1,3}|[ab]{40,63}", 20),
        size in 0_usize..100,
    ) {
        let patterns: Vec<(u32, &str)> = written.iter().map(|(name, owner)| (*owner, name.as_str())).collect();
        let (index, duplicates) = index_for(size, &patterns);
        prop_assert_eq!(duplicates, []);
        for name in written.keys().chain(&others) {
            let expected = written.get(name).map(|owner| (*owner, Entry::Name(name)));
            prop_assert_eq!(index.name(name).map(|hit| (hit.owner, hit.entry)), expected);
            prop_assert_eq!(index.own(Entry::Suffix(name)), None);
        }
        let mut entries: Vec<_> = index.entries().map(|hit| (hit.entry.to_string(), hit.owner)).collect();
        entries.sort();
        prop_assert!(entries.into_iter().eq(written.clone()));
    }

    /// With few homes and many, against a list that is searched from its beginning.
    #[test]
    fn it_is_a_list_of_first_ones(
        written in proptest::collection::vec((0_u32..3, "[*]?[.]?[ab]([.][ab]){0,2}|[*]"), 0..40),
        size in 0_usize..60,
    ) {
        let patterns: Vec<(u32, &str)> = written
            .iter()
            .map(|(owner, text)| (*owner, text.as_str()))
            .filter(|(_, text)| Pattern::parse(text).is_ok())
            .collect();
        let parsed: Vec<(u32, Pattern)> =
            patterns.iter().map(|&(owner, text)| (owner, Pattern::parse(text).unwrap())).collect();
        let mut known: Vec<Hit<'_>> = Vec::new();
        let (mut expected, mut repeats) = (Vec::new(), false);
        for hit in parsed.iter().flat_map(|(owner, pattern)| Hit::of(*owner, pattern.names())) {
            match known.iter().find(|other| other.entry == hit.entry) {
                Some(other) => {
                    repeats = true;
                    if other.owner != hit.owner {
                        let pattern = hit.to_string();
                        expected.push(Duplicate { first: other.owner, second: hit.owner, pattern });
                    }
                }
                None => known.push(hit),
            }
        }
        let (index, duplicates) = index_for(size, &patterns);
        prop_assert_eq!(duplicates, expected);
        prop_assert_eq!(index.has_repeats(), repeats);
        let mut entries: Vec<Hit<'_>> = index.entries().collect();
        entries.sort_by_key(|hit| hit.entry);
        known.sort_by_key(|hit| hit.entry);
        prop_assert_eq!(&entries, &known);
        for name in ["a", "b", "a.b", "b.a", "a.a.b", "b.b.b", "x", "x.a", "x.a.b", "x.x"] {
            let mut covering: Vec<Hit<'_>> =
                known.iter().copied().filter(|hit| hit.entry.covers(Entry::Name(name))).collect();
            // The name itself, then the longest.
            covering.sort_by_key(|hit| std::cmp::Reverse(match hit.entry {
                Entry::Name(name) => (2, name.len()),
                Entry::Suffix(name) => (1, name.len()),
                Entry::Any => (0, 0),
            }));
            prop_assert_eq!(index.chain(name).collect::<Vec<_>>(), covering);
        }
    }
}
