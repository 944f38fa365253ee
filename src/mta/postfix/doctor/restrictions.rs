//! Lists of access restrictions of smtpd(8), as far as it matters whether the daemon is asked.

use super::is;
use crate::mta::postfix::settings::tables;

/// A restriction with its argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Restriction<'l> {
    /// What it is called.
    pub(super) name: &'l str,
    /// What it is about, if it is one that is about something.
    pub(super) argument: Option<&'l str>,
    /// `warn_if_reject` stands before it: what it refuses is logged, and nothing else.
    pub(super) only_warns: bool,
}

impl Restriction<'_> {
    /// As it is written.
    pub(super) fn text(&self) -> String {
        let words =
            self.only_warns.then_some("warn_if_reject").into_iter().chain([self.name]).chain(self.argument);
        words.collect::<Vec<_>>().join(" ")
    }
}

/// The restrictions of a list (smtpd_check.c:generic_checks).
pub(super) fn restrictions(list: &str) -> Vec<Restriction<'_>> {
    let mut found = Vec::new();
    let mut words = tables(list).into_iter();
    let mut only_warns = false;
    while let Some(name) = words.next() {
        if is(name, "warn_if_reject") {
            only_warns = true;
            continue;
        }
        let argument = if has_argument(name) { words.next() } else { None };
        found.push(Restriction { name, argument, only_warns });
        only_warns = false;
    }
    found
}

fn has_argument(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    ["check_", "reject_rbl", "reject_rhsbl", "permit_dnswl", "permit_rhswl"]
        .iter()
        .any(|head| lower.starts_with(head))
        || lower == "sleep"
}

/// A policy service (SMTPD_POLICY_README, `check_policy_service { unix:path, default_action = 451 later }`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PolicyService<'l> {
    /// The path of its socket.
    pub(super) path: &'l str,
    /// What is done while it does not answer, if it is said here.
    pub(super) default_action: Option<&'l str>,
}

impl<'l> PolicyService<'l> {
    /// The one that a restriction asks, if it asks one at a socket.
    pub(super) fn of(restriction: &Restriction<'l>) -> Option<PolicyService<'l>> {
        let argument = restriction.argument.filter(|_| is(restriction.name, "check_policy_service"))?;
        let inner = argument.strip_prefix('{').and_then(|inner| inner.strip_suffix('}')).unwrap_or(argument);
        let mut parts = inner.split(',').map(str::trim);
        let path = parts.next()?.strip_prefix("unix:")?;
        let mut settings = parts.filter_map(|part| part.trim_matches(['{', '}', ' ']).split_once('='));
        let default_action =
            settings.find(|(name, _)| is(name.trim(), "default_action")).map(|(_, value)| value.trim());
        Some(PolicyService { path, default_action })
    }
}

/// Whether what is done refuses, if only for now (access(5)): a number, or a word that does.
pub(super) fn refuses(action: &str) -> bool {
    let first = action.split_whitespace().next().unwrap_or_default();
    action.starts_with(['4', '5'])
        || ["defer", "defer_if_permit", "reject"].iter().any(|word| is(first, word))
}
