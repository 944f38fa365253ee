//! What an answer is to the configuration: read in a connector that has nothing else wrong.

use std::path::Path;

use jiff::Timestamp;

use crate::config::{self, Planned};
use crate::migrate::{Draft, Names, People, Terms, file};
use crate::model::{Host, Mode, NextHop, Pattern};

/// A name for a connector that is only made to read an answer.
const TRIAL: &str = "trial";

/// Characters of a file's name that are no letters and no digits; others become `-`.
const PLAIN: &str = "._-+@";

/// A text for people, if there is one.
pub(super) fn text(answer: &str) -> Result<Option<String>, String> {
    let answer = answer.trim();
    Ok((!is_none(answer)).then(|| answer.to_owned()))
}

/// The question shows `[none]`, and somebody may write that.
pub(super) fn is_none(answer: &str) -> bool {
    matches!(answer.trim(), "" | "none")
}

/// This name alone.
pub(super) fn named(name: &str) -> Names {
    Names::Of(vec![name.to_owned()])
}

/// `match`, of what was answered.
pub(super) fn patterns(names: Vec<String>) -> Names {
    match names.as_slice() {
        [] => Names::Unsaid,
        [word] if word == "domain" => Names::Domain,
        _ => Names::Of(names),
    }
}

/// Names in the partner's domains, which is what one agrees on; none for everybody.
pub(super) fn guessed(domains: &[String]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for domain in domains.iter().filter_map(|domain| Pattern::parse(domain).ok()) {
        let Some(domain) = domain.domain() else { return Vec::new() };
        let name = format!("*.{domain}");
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// The names of smart hosts; none if one is an address.
pub(super) fn hosts(route: &[String]) -> Vec<String> {
    let hosts = route.iter().map(|hop| match NextHop::parse(hop).ok()?.host() {
        Host::Name(name) => Some(name.to_string()),
        Host::Address(_) => None,
    });
    hosts.collect::<Option<_>>().unwrap_or_default()
}

/// What a connector's file is called.
pub(super) fn file_name(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || PLAIN.contains(c) { c } else { '-' };
    format!("{}.toml", name.chars().map(plain).collect::<String>())
}

/// What the configuration says of terms in a connector: nothing, or why they cannot be.
pub(super) fn accepted(terms: Terms) -> Result<(), String> {
    accepted_as(TRIAL, terms)
}

/// What the configuration says of a connector by itself: the first problem.
pub(super) fn accepted_as(name: &str, terms: Terms) -> Result<(), String> {
    let (mode, people) = (Mode::Report, People::default());
    let draft = Draft { name: name.to_owned(), mode, notes: Vec::new(), terms, people };
    let path = Path::new("/trial.toml").to_owned();
    let planned = Planned { path: path.clone(), text: file(&[], &[draft]) };
    let (_, problems) = config::read_planned(&path, Timestamp::now(), planned);
    match problems.iter().next() {
        None => Ok(()),
        Some(problem) if problem.help.is_empty() => Err(problem.message.clone()),
        Some(problem) => Err(format!("{}; {}", problem.message, problem.help)),
    }
}
