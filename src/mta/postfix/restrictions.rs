//! Lists of access restrictions of smtpd(8), as far as it matters whether the daemon is asked, and which tables are.

use super::settings::tables;

/// Postfix compares restrictions without case.
fn is(value: &str, word: &str) -> bool {
    value.eq_ignore_ascii_case(word)
}

/// A restriction with its argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restriction<'l> {
    /// What it is called.
    pub name: &'l str,
    /// What it is about, if it is one that is about something.
    pub argument: Option<&'l str>,
    /// `warn_if_reject` stands before it: what it refuses is logged, and nothing else.
    pub only_warns: bool,
}

impl Restriction<'_> {
    /// As it is written.
    pub fn text(&self) -> String {
        let words =
            self.only_warns.then_some("warn_if_reject").into_iter().chain([self.name]).chain(self.argument);
        words.collect::<Vec<_>>().join(" ")
    }
}

/// The restrictions of a list (smtpd_check.c:generic_checks).
pub fn restrictions(list: &str) -> Vec<Restriction<'_>> {
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

/// Restrictions that are looked at in one list with its classes. Whoever has more does not have them from hand.
const ALL: usize = 10_000;

/// As deep as Postfix goes (smtpd_check.c:check_table_result).
const DEPTH: usize = 100;

/// The restrictions of a list, with those of a class (smtpd_restriction_classes) where its name is: they are judged as if
/// they stood there. `class` has the list of a class.
pub fn in_full<'l>(list: &'l str, class: &dyn Fn(&str) -> Option<&'l str>) -> Vec<Restriction<'l>> {
    let mut found = Vec::new();
    // What is still to be looked at, the next one last, with how deep it is.
    let mut left: Vec<(Restriction<'l>, usize)> = Vec::new();
    let push = |left: &mut Vec<_>, list, only_warns, depth| {
        let inner = restrictions(list).into_iter().rev();
        left.extend(
            inner.map(|one| (Restriction { only_warns: one.only_warns || only_warns, ..one }, depth)),
        );
    };
    push(&mut left, list, false, 0);
    for _ in 0..ALL {
        let Some((restriction, depth)) = left.pop() else { break };
        match class(restriction.name).filter(|_| depth < DEPTH) {
            Some(list) => push(&mut left, list, restriction.only_warns, depth.saturating_add(1)),
            None => found.push(restriction),
        }
    }
    found
}

/// Whom the keys of an access table are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// By its address, or its name where both lookups agree.
    Client,
    /// What anybody can say or have others say.
    Anything,
    /// The envelope's sender.
    Sender,
    /// A recipient.
    Recipient,
}

/// The access table that a restriction of this list asks. Those for clients who have logged in are left out, for the
/// daemon lets these pass as well, and those for ETRN.
pub fn access_table<'l>(restriction: &Restriction<'l>, list: &str) -> Option<(Subject, &'l str)> {
    let name = restriction.name.to_ascii_lowercase();
    // Short for the one that fits the list (smtpd_check.c:generic_checks, `def_acl`); others have none, and refuse.
    if name.contains(':') {
        let subject = match list {
            "smtpd_client_restrictions" => Subject::Client,
            "smtpd_helo_restrictions" => Subject::Anything,
            "smtpd_sender_restrictions" => Subject::Sender,
            "smtpd_relay_restrictions" | "smtpd_recipient_restrictions" => Subject::Recipient,
            _ => return None,
        };
        return Some((subject, restriction.name));
    }
    let subject = match name.as_str() {
        "check_client_access" => Subject::Client,
        "check_sender_access" => Subject::Sender,
        "check_recipient_access" => Subject::Recipient,
        "check_sasl_access" | "check_etrn_access" => return None,
        other if other.starts_with("check_") && other.ends_with("_access") => Subject::Anything,
        _ => return None,
    };
    // `{ type:table, { search_order = ... } }`
    let argument = restriction.argument?;
    let inner = argument.strip_prefix('{').and_then(|inner| inner.strip_suffix('}')).unwrap_or(argument);
    let table = tables(inner).into_iter().next()?;
    table.contains(':').then_some((subject, table))
}

/// What the answer of an access table does (smtpd_check.c:check_table_result).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It ends the list in favour of the client.
    Permits,
    /// It does something else, and refuses or goes on.
    GoesOn,
    /// It is a list of restrictions.
    Restrictions,
}

impl Outcome {
    /// That of this answer, as a table has it.
    pub fn of(answer: &str) -> Outcome {
        const ACTIONS: [&str; 15] = [
            "dunno",
            "reject",
            "defer",
            "hangup",
            "info",
            "warn",
            "filter",
            "hold",
            "discard",
            "redirect",
            "bcc",
            "defer_if_permit",
            "defer_if_reject",
            "prepend",
            "delay",
        ];
        let (first, rest) = answer.split_once([' ', '\t']).unwrap_or((answer, ""));
        if ACTIONS.iter().any(|action| is(first, action)) {
            return Outcome::GoesOn;
        }
        let is_number = |word: &str| word.bytes().all(|octet| octet.is_ascii_digit());
        // A number without a text is a time to somebody, and permits. So does nothing at all.
        if is_number(answer) || is(first, "ok") || is(first, "relay") {
            return Outcome::Permits;
        }
        let is_reply = first.len() == 3 && is_number(first) && first.starts_with(['4', '5']);
        if is_reply && !rest.trim().is_empty() || answer.contains(':') {
            return Outcome::GoesOn;
        }
        Outcome::Restrictions
    }
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
pub struct PolicyService<'l> {
    /// The path of its socket.
    pub path: &'l str,
    /// What is done while it does not answer, if it is said here.
    pub default_action: Option<&'l str>,
}

impl<'l> PolicyService<'l> {
    /// The one that a restriction asks, if it asks one at a socket.
    pub fn of(restriction: &Restriction<'l>) -> Option<PolicyService<'l>> {
        let argument = restriction.argument.filter(|_| is(restriction.name, "check_policy_service"))?;
        // Of a list the items are separated as everywhere; what has blanks in it is in braces of its own.
        let inner = argument.strip_prefix('{').and_then(|inner| inner.strip_suffix('}')).unwrap_or(argument);
        let mut parts = tables(inner).into_iter();
        let path = parts.next()?.strip_prefix("unix:")?;
        let settings = parts.filter_map(|part| part.trim_matches(['{', '}', ' ']).split_once('='));
        let named = settings.filter(|(name, _)| is(name.trim(), "default_action"));
        Some(PolicyService { path, default_action: named.map(|(_, value)| value.trim()).next_back() })
    }

    /// Whether it is said here that mail passes while the service does not answer.
    pub fn lets_pass(&self) -> bool {
        self.default_action.is_some_and(|action| !refuses(action))
    }
}

/// Whether what is done refuses, if only for now (access(5)): a number with a text, or a word that does. A number alone
/// permits.
pub fn refuses(action: &str) -> bool {
    let action = action.trim();
    let first = action.split_whitespace().next().unwrap_or_default();
    action.starts_with(['4', '5']) && Outcome::of(action) != Outcome::Permits
        || ["defer", "defer_if_permit", "reject"].iter().any(|word| is(first, word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(list: &str) -> Vec<String> {
        let class = |name: &str| match name {
            "inner" => Some("permit_a, inmost"),
            "inmost" => Some("check_client_access hash:{ a = inner }"),
            "empty" => Some(""),
            "endless" => Some("endless endless"),
            _ => None,
        };
        in_full(list, &class).iter().map(Restriction::text).collect()
    }

    #[test]
    fn a_class_is_what_is_in_it() {
        assert_eq!(
            texts("empty, x warn_if_reject inner y"),
            ["x", "warn_if_reject permit_a", "warn_if_reject check_client_access hash:{ a = inner }", "y"]
        );
        // Postfix does not come to an end either.
        assert!(texts("x endless y").len() < ALL);
    }

    #[test]
    fn an_answer_permits_goes_on_or_is_a_list() {
        use Outcome::{GoesOn, Permits, Restrictions};
        for (answer, expected) in [
            ("OK", Permits),
            ("ok whatever", Permits),
            ("RELAY", Permits),
            ("", Permits),
            ("550", Permits),
            ("1732612345", Permits),
            ("550 no", GoesOn),
            ("450\tlater", GoesOn),
            ("REJECT", GoesOn),
            ("DUNNO", GoesOn),
            ("FILTER smtp:[a]", GoesOn),
            ("reject_unverified_sender hash:/x", GoesOn),
            ("permit_mynetworks, reject", Restrictions),
            ("insiders", Restrictions),
            ("250 ok", Restrictions),
        ] {
            assert_eq!(Outcome::of(answer), expected, "{answer}");
        }
    }
}
