//! Whether an ACL obeys what it is told: in the words of contrib. What else somebody may write is too easily wrong to be
//! taken for right.

use super::Patient;
use super::acls::{is_condition, is_exempting};
use crate::mta::exim::question::Question;
use crate::mta::exim::written::Statement;

/// What becomes of mail when something is not so.
const REFUSALS: [&str; 3] = ["defer", "deny", "drop"];

/// What is done with the mail when all conditions of a statement hold.
fn is_refusal(statement: &Statement) -> bool {
    REFUSALS.contains(&statement.verb.as_str())
}

/// Why mail may go on without a whole answer, or against it, if it may: both are stopped by what stands behind the
/// question, or beside it, before anybody is accepted.
pub(super) fn unheard(
    patient: &Patient<'_>,
    statement: &Statement,
    behind: &[Statement],
    option: &str,
    value: &str,
) -> Option<&'static str> {
    if statement.verb == "warn" && Question::all(value, "in").any(|question| question.fail.is_none()) {
        return Some("without a fail string, this `warn` is skipped when the daemon does not answer");
    }
    let variable = option.strip_prefix("set ").unwrap_or("").trim();
    let ways = std::iter::once(statement).chain(behind);
    let is_passing = |statement: &&Statement| {
        ["accept", "discard"].contains(&statement.verb.as_str())
            && !is_exempting(patient, statement, statement.conditions.len())
    };
    let before: Vec<&Statement> = ways.take_while(|statement| !is_passing(statement)).collect();
    let stops =
        |is_stopped: &dyn Fn(&Statement) -> bool| before.iter().any(|statement| is_stopped(statement));
    if variable.is_empty() || !stops(&|statement| demands(statement, &whole(variable))) {
        return Some(
            "no `defer` behind this looks for end=ok: what is left of an answer that was cut short counts",
        );
    }
    let is_obeyed = stops(&|statement| demands(statement, &[is(variable, "action", "pass")]))
        || ["deny", "defer"].iter().all(|action| {
            stops(&|statement| {
                is_refusal(statement)
                    && only(statement, &[format!("${{if {}}}", is(variable, "action", action))])
            })
        });
    (!is_obeyed).then_some("nothing behind this refuses what is not action=pass: the answer is not obeyed")
}

/// Whether a pair of the answer has this value, as Exim writes it.
fn is(variable: &str, key: &str, value: &str) -> String {
    format!("eq{{${{extract{{{key}}}{{${variable}}}}}}}{{{value}}}")
}

/// How an answer is seen to be whole: by its last pair, or by that and what follows it.
fn whole(variable: &str) -> [String; 2] {
    let last = is(variable, "end", "ok");
    let exactly = format!(r"and{{{{{last}}}{{match{{${variable}}}{{\N end=ok $\N}}}}}}");
    [last, exactly]
}

/// Whether a statement refuses everything that none of these is true of.
fn demands(statement: &Statement, these: &[String]) -> bool {
    if statement.verb == "require" {
        let wanted =
            these.iter().flat_map(|one| [format!("${{if {one}}}"), format!("${{if {one}{{yes}}{{no}}}}")]);
        let wanted: Vec<String> = wanted.collect();
        return statement
            .conditions
            .iter()
            .any(|(option, value)| option == "condition" && wanted.contains(value));
    }
    let otherwise =
        these.iter().flat_map(|one| [format!("${{if {one}{{no}}{{yes}}}}"), format!("${{if !{one}}}")]);
    is_refusal(statement) && only(statement, &otherwise.collect::<Vec<_>>())
}

/// Whether one of these is the one condition of a statement.
fn only(statement: &Statement, values: &[String]) -> bool {
    let mut conditions = statement.conditions.iter().filter(|(option, _)| is_condition(option));
    let (Some((option, value)), None) = (conditions.next(), conditions.next()) else { return false };
    option == "condition" && values.contains(value)
}

/// Whether a refusal of the ACL that a condition calls is one of this statement (acl.c:acl_check_internal).
pub(super) fn obeys_inner(statement: &Statement, at: usize) -> bool {
    let is_negated = statement.conditions.get(at).is_some_and(|(option, _)| option.starts_with('!'));
    match statement.verb.as_str() {
        "require" => !is_negated,
        "accept" => {
            !is_negated && statement.conditions.iter().take(at).any(|(option, _)| option == "endpass")
        }
        // Another condition behind it makes it a refusal of some only.
        _ => {
            let mut behind = statement.conditions.iter().skip(at.saturating_add(1));
            is_negated && is_refusal(statement) && !behind.any(|(option, _)| is_condition(option))
        }
    }
}
