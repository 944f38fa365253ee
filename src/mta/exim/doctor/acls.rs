//! Whether the daemon is asked about mail that comes in, and its answer obeyed.

use std::net::IpAddr;

use ipnet::IpNet;

use super::Patient;
use super::answers::{obeys_inner, unheard};
use super::kinds::{ACL_ANSWER, ACL_LATE, ACL_MISSING};
use crate::model::Inbound;
use crate::mta::exim::lists::{items, takes_the_rest};
use crate::mta::exim::question::Question;
use crate::mta::exim::written::Statement;
use crate::mta::finding::{Finding, Kind};

/// ACLs within ACLs, and lists within lists, that are followed: ours are two deep. Exim's own limit is 20
/// (acl.c:acl_check_internal), but an ACL may call another several times, and that one too.
pub(super) const DEPTH: usize = 5;

/// How the daemon is asked in an ACL.
enum Asked {
    /// Before anybody is let in, and the answer is obeyed.
    Well,
    /// In another way.
    Badly(Fault),
    Never,
}

/// What is wrong with an ACL that asks.
struct Fault {
    kind: &'static Kind,
    message: &'static str,
    acl: String,
    statement: String,
}

pub(super) fn acls(patient: &Patient<'_>) -> Option<Finding> {
    const OPTION: &str = "acl_smtp_rcpt";
    let of = |name: &str| asked_by(patient, patient.settings.main(name));
    let at_mail = of("acl_smtp_mail");
    let is_decided_at_mail = matches!(at_mail, Asked::Well);
    let about = |connector: &Inbound| !is_decided_at_mail || connector.recipients.is_some();
    let message = match (of(OPTION), &at_mail, of("acl_smtp_predata")) {
        (Asked::Well, ..) => return without_recipient(patient, patient.settings.main(OPTION)),
        (Asked::Badly(Fault { kind, message, acl, statement }), ..) => {
            let mend = patient.restore_part("acl", &acl, "acl");
            return patient.coming(kind, about, message, format!("ACL {acl}: {statement}"), mend);
        }
        (Asked::Never, Asked::Well, _) => {
            "the daemon is not asked at RCPT, where connectors with `recipients` are decided"
        }
        (Asked::Never, _, Asked::Never) => "the daemon is not asked: no connector is in force",
        (Asked::Never, ..) => {
            "the daemon is not asked here, and for mail that comes by BDAT acl_smtp_predata is not run"
        }
    };
    let place = format!("{OPTION} = {}", patient.settings.main(OPTION));
    patient.coming(&ACL_MISSING, about, message, place, patient.ask_in_acls(is_decided_at_mail))
}

/// Asked at RCPT as at MAIL: without the recipient, connectors for some of them are not decided.
fn without_recipient(patient: &Patient<'_>, value: &str) -> Option<Finding> {
    if words(value)
        .filter(|name| patient.settings.written.acl(name).is_some())
        .all(|name| tells_recipient(patient, name, DEPTH))
    {
        return None;
    }
    let message = "the daemon is asked at RCPT, but not told the recipient: connectors with `recipients` are not in force";
    let mend = patient.restore_part("acl", value, "acl");
    let place = format!("acl_smtp_rcpt = {value}");
    patient.coming(&ACL_MISSING, |connector| connector.recipients.is_some(), message, place, mend)
}

/// Whether an ACL, or one that it calls, has the recipient in its question: in the request, or in what it is called with.
fn tells_recipient(patient: &Patient<'_>, name: &str, depth: usize) -> bool {
    const KEY: &str = "recipient=";
    let Some((statements, depth)) = patient.settings.written.acl(name).zip(depth.checked_sub(1)) else {
        return false;
    };
    statements.iter().flat_map(|statement| &statement.conditions).any(|(option, value)| {
        let inner = value.split_whitespace().next().filter(|_| is_acl(option));
        Question::all(value, "in").any(|question| question.request.contains(KEY))
            || inner.is_some_and(|inner| {
                tells_recipient(patient, inner, depth)
                    || value.contains(KEY) && !matches!(asked(patient, inner, depth), Asked::Never)
            })
    })
}

/// Words that may be names of ACLs.
fn words(value: &str) -> impl Iterator<Item = &str> {
    value.split(|c: char| !c.is_ascii_alphanumeric() && !"_-.".contains(c))
}

/// How the ACL asks that an option has. One that is chosen in a session is taken for the worst of those that it names;
/// `accept` is an ACL as well, written in its place.
fn asked_by(patient: &Patient<'_>, value: &str) -> Asked {
    if !value.contains('$') {
        return asked(patient, value, DEPTH);
    }
    let named = words(value).filter(|word| *word == "accept" || patient.settings.written.acl(word).is_some());
    let rank = |asked: &Asked| match asked {
        Asked::Never => 0,
        Asked::Badly(_) => 1,
        Asked::Well => 2,
    };
    named.map(|word| asked(patient, word, DEPTH)).min_by_key(rank).unwrap_or(Asked::Never)
}

fn asked(patient: &Patient<'_>, name: &str, depth: usize) -> Asked {
    let Some((statements, depth)) = patient.settings.written.acl(name).zip(depth.checked_sub(1)) else {
        return Asked::Never;
    };
    let mut passed: Option<&Statement> = None;
    let mut rest = statements;
    while let [statement, behind @ ..] = rest {
        rest = behind;
        let badly = |kind, message, statement: &Statement| {
            Asked::Badly(Fault { kind, message, acl: name.to_owned(), statement: in_words(statement) })
        };
        let conditions = &statement.conditions;
        let questions = conditions.iter().enumerate().find_map(|(at, (option, value))| {
            if Question::is_in(value, "in") {
                let fault = unheard(patient, statement, behind, option, value);
                return Some((
                    at,
                    fault.map_or(Asked::Well, |message| badly(&ACL_ANSWER, message, statement)),
                ));
            }
            let inner = value.split_whitespace().next().filter(|_| is_acl(option))?;
            match asked(patient, inner, depth) {
                Asked::Never => None,
                Asked::Well if !obeys_inner(statement, at) => {
                    let message = "a refusal of the ACL that asks does not count where this calls it";
                    Some((at, badly(&ACL_ANSWER, message, statement)))
                }
                asked @ (Asked::Well | Asked::Badly(_)) => Some((at, asked)),
            }
        });
        if let Some((at, asked)) = questions {
            let before = conditions.iter().take(at);
            let is_for_some = before.clone().any(|(option, _)| is_condition(option))
                && !(statement.verb == "require" && is_exempting(patient, statement, at));
            return match (passed, asked) {
                (Some(passing), _) => {
                    badly(&ACL_LATE, "this accepts mail before the daemon is asked", passing)
                }
                (None, _) if is_for_some => {
                    badly(&ACL_LATE, "the daemon is asked only where this applies", statement)
                }
                (None, asked) => asked,
            };
        }
        if passed.is_none()
            && statement.verb == "accept"
            && !is_exempting(patient, statement, conditions.len())
        {
            passed = Some(statement);
        }
    }
    Asked::Never
}

/// What decides whether a statement applies; all else does or says something (acl.c, `conditions`).
pub(super) fn is_condition(option: &str) -> bool {
    const MODIFIERS: [&str; 12] = [
        "add_header",
        "continue",
        "control",
        "debug_print",
        "delay",
        "endpass",
        "log_message",
        "log_reject_target",
        "logwrite",
        "message",
        "queue",
        "remove_header",
    ];
    !option.starts_with("set ") && !MODIFIERS.contains(&option) && option != "udpsend"
}

fn is_acl(option: &str) -> bool {
    option.trim_start_matches(['!', ' ']) == "acl"
}

/// Whether one of the first conditions lets nobody pass but those whom the daemon would let pass too.
pub(super) fn is_exempting(patient: &Patient<'_>, statement: &Statement, first: usize) -> bool {
    statement.conditions.iter().take(first).any(|(option, value)| match option.as_str() {
        "authenticated" => true,
        "hosts" => are_exempt(patient, value, DEPTH),
        _ => false,
    })
}

/// Whether all hosts of a list are exempt from judgement; what names no addresses may hold any.
fn are_exempt(patient: &Patient<'_>, list: &str, depth: usize) -> bool {
    let Some(depth) = depth.checked_sub(1) else { return false };
    let items = items(list);
    !takes_the_rest(&items)
        && items.iter().all(|item| {
            if let Some(name) = item.strip_prefix('+') {
                return patient
                    .settings
                    .written
                    .host_list(name)
                    .is_some_and(|list| are_exempt(patient, list, depth));
            }
            // What is taken out makes the list smaller; the empty item is for processes on the host.
            item.is_empty()
                || item.starts_with('!')
                || network(item).is_some_and(|network| is_exempt(patient, &network))
        })
}

/// The addresses that an item of a list of hosts is.
pub(super) fn network(item: &str) -> Option<IpNet> {
    item.parse().ok().or_else(|| item.parse::<IpAddr>().ok().map(IpNet::from))
}

/// Whether nobody at these addresses is judged.
pub(super) fn is_exempt(patient: &Patient<'_>, network: &IpNet) -> bool {
    patient.agreements.inbound_exempt.iter().any(|exempt| exempt.contains(network))
}

/// A statement, enough to find it.
fn in_words(statement: &Statement) -> String {
    let conditions = statement
        .conditions
        .iter()
        .take(1)
        .map(|(name, value)| if value.is_empty() { name.clone() } else { format!("{name} = {value}") });
    std::iter::once(statement.verb.clone()).chain(conditions).collect::<Vec<_>>().join(" ")
}
