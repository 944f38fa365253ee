//! Patterns as Exchange has them: `x`, `*.x` for x and what is below, `*`.

use super::page::Page;
use crate::model::Pattern;

/// The one pattern that stands for all of these: one of them that includes the others, where `x` and `.x`
/// together are `*.x`. Exchange compares a certificate with one name only.
pub(super) fn one(patterns: &[Pattern]) -> Option<Pattern> {
    let whole = |pattern: &Pattern| match pattern {
        Pattern::Below(name) if patterns.contains(&Pattern::Exact(name.clone())) => {
            Pattern::Tree(name.clone())
        }
        Pattern::Below(_) | Pattern::Exact(_) | Pattern::Tree(_) | Pattern::Any => pattern.clone(),
    };
    let mut wholes = patterns.iter().map(whole);
    wholes.find(|candidate| patterns.iter().all(|pattern| candidate.includes(pattern)))
}

/// A pattern in Exchange's form. Of `.x` that is `*.x`, which has x itself too.
pub(super) fn exchange(pattern: &Pattern<&str>) -> String {
    match pattern {
        Pattern::Below(name) => Pattern::Tree(*name).to_string(),
        Pattern::Exact(_) | Pattern::Tree(_) | Pattern::Any => pattern.to_string(),
    }
}

/// Those of several, each once.
pub(super) fn exchange_all<'p>(patterns: impl IntoIterator<Item = Pattern<&'p str>>) -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    patterns.into_iter().map(|pattern| exchange(&pattern)).filter(|text| seen.insert(text.clone())).collect()
}

/// Whether one of them is `.x`, for which Exchange has no form of its own.
pub(super) fn widened<'p>(patterns: impl IntoIterator<Item = Pattern<&'p str>>) -> bool {
    patterns.into_iter().any(|pattern| matches!(pattern, Pattern::Below(_)))
}

/// Says so above the command that has them.
pub(super) fn say_widened<'p>(page: &mut Page, patterns: impl IntoIterator<Item = Pattern<&'p str>>) {
    if widened(patterns) {
        page.talk_once("Exchange has no form for what is below a name alone: `*.x` there has x itself too.");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sample::patterns;

    #[test]
    fn one_name_for_several() {
        for (texts, expected) in [
            (&["mx.ours.example"][..], Some("mx.ours.example")),
            (&["mx.ours.example", "*.ours.example"], Some("*.ours.example")),
            (&["ours.example", ".ours.example"], Some("*.ours.example")),
            (&[".ours.example", "ours.example", "mx.ours.example"], Some("*.ours.example")),
            (&[".ours.example", "mx.ours.example"], Some(".ours.example")),
            (&["mx1.ours.example", "mx2.ours.example"], None),
            (&[], None),
        ] {
            let found = one(&patterns(texts)).map(|pattern| pattern.to_string());
            assert_eq!(found.as_deref(), expected, "{texts:?}");
        }
    }

    #[test]
    fn what_is_below_a_name_is_the_tree_in_exchange() {
        let own = patterns(&["a.example", ".b.example", "*.b.example", "*"]);
        let names = || own.iter().map(Pattern::names);
        assert_eq!(exchange_all(names()), ["a.example", "*.b.example", "*"]);
        assert!(widened(names()));
        assert!(!widened(names().take(1)));
    }
}
