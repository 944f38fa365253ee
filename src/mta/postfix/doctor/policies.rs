//! What a list of policy tables says of the connectors, whether the daemon is in it or not
//! (smtp_tls_policy.c:tls_policy_lookup).

use std::collections::BTreeSet;

use super::Patient;
use super::chain::{Chain, Found, Key};
use super::names::Whose;
use super::tables::MAP;
use crate::answer::{self, Applied, Reply};
use crate::model::host::Key as HostKey;
use crate::model::{Level, Mode, domain};
use crate::protocol::escape::printable;

/// Enough of a value to know it again.
const WORDS: usize = 100;

/// Next hops that are looked at, besides names.
const HOSTS: usize = 20_000;

/// What a list of tables makes of the connectors.
#[derive(Default)]
pub(super) struct Policies {
    /// Connectors of which less is demanded, and the first case of it.
    pub(super) weaker: BTreeSet<usize>,
    pub(super) first: String,
    /// All that the tables say was seen.
    pub(super) is_whole: bool,
}

impl Policies {
    /// Reads the tables of a list.
    pub(super) fn of(patient: &Patient<'_>, list: &str) -> Policies {
        let mut chain = Chain::open(patient, list, MAP);
        let (hops, is_cut) = next_hops(patient, &chain);
        chain.ask(patient, || hops.iter().flat_map(|hop| keys(hop)).map(Key::whole).collect());
        let mut policies = Policies { is_whole: !is_cut && chain.is_listed(), ..Policies::default() };
        for hop in &hops {
            for (number, wanted) in demands(patient, hop) {
                let Some(what) = falls_short(&chain, hop, wanted) else { continue };
                if policies.weaker.is_empty() {
                    policies.first = what;
                }
                policies.weaker.insert(number);
            }
        }
        policies
    }
}

/// What Postfix could ask for: the connectors' domains and smart hosts, and the keys of the tables.
fn next_hops(patient: &Patient<'_>, chain: &Chain<'_>) -> (BTreeSet<String>, bool) {
    let names = patient.names(chain.keys(), Whose::Anybody);
    let mut hops: BTreeSet<String> = names.names.into_iter().map(|name| name.domain).collect();
    // One that nobody has an entry for stands for all that only `*` is about.
    hops.insert("connectord-doctor.invalid".to_owned());
    let outbound = patient.agreements.outbound.iter().filter(|connector| connector.mode != Mode::Off);
    let smart = outbound.flat_map(|connector| connector.route.smart_hosts()).map(ToString::to_string);
    let listed = chain.keys().filter(|key| !key.starts_with('.') && HostKey::parse(key).is_ok());
    let mut others = smart.chain(listed.map(str::to_owned));
    hops.extend(others.by_ref().take(HOSTS));
    (hops, names.is_cut || others.next().is_some())
}

/// The keys for a next hop: itself, and what a name is below.
fn keys(hop: &str) -> Vec<String> {
    let parents = domain::parents(hop).filter(|_| domain::normalise(hop).is_ok());
    let mut keys = vec![hop.to_owned()];
    keys.extend(parents.map(|parent| format!(".{parent}")));
    keys
}

/// What the connectors demand of a next hop, the reporting ones as if they were in force.
fn demands<'p>(patient: &Patient<'p>, hop: &str) -> Vec<(usize, &'p str)> {
    let lookup = answer::tls(patient.snapshot, hop.as_bytes());
    let number = |applied: &Applied<'_>| usize::try_from(applied.number()).ok();
    let mut demands = Vec::new();
    if let Reply::Ok(policy) = lookup.reply {
        demands.extend(lookup.applies.iter().filter_map(number).map(|number| (number, policy)));
    }
    for report in &lookup.report {
        if let (Reply::Ok(policy), Some(number)) = (&report.would_reply, number(&report.applied)) {
            demands.push((number, *policy));
        }
    }
    demands
}

/// Why what is found for a next hop is not what is wanted.
fn falls_short(chain: &Chain<'_>, hop: &str, wanted: &str) -> Option<String> {
    let shown = printable(hop, WORDS);
    for (number, key) in keys(hop).into_iter().enumerate() {
        // The daemon answers for the whole name.
        return match chain.find(&Key::whole(key), number == 0) {
            Found::Nothing => continue,
            // Which the list is not whole with.
            Found::Ours | Found::Unseen => None,
            Found::Value { value, .. } if is_as_strong(value, wanted) => None,
            Found::Value { value, .. } => Some(format!(
                "for {shown} another table says `{}`, and no connector counts",
                printable(value, WORDS)
            )),
            Found::Unknown { table, reason } => {
                let (table, reason) = (printable(table, WORDS), printable(reason, WORDS));
                Some(format!(
                    "what {table} says cannot be known, and it counts before the connectors: {reason}"
                ))
            }
        };
    }
    Some(format!("for {shown} there is no policy"))
}

/// Whether a policy is at least as strong as what a connector wants. Of two that differ in more than the level nothing is
/// said, for a list of names, a file of authorities or a grade of ciphers could be the weaker one.
fn is_as_strong(value: &str, wanted: &str) -> bool {
    let words = |policy: &str| -> Vec<String> {
        let words = policy.split([',', ' ', '\t', '\r', '\n']).filter(|word| !word.is_empty());
        words
            .enumerate()
            .map(|(number, word)| if number == 0 { word.to_ascii_lowercase() } else { word.to_owned() })
            .collect()
    };
    let (value, wanted) = (words(value), words(wanted));
    if value == wanted {
        return true;
    }
    let level = |policy: &[String]| policy.first().and_then(|word| Level::from_word(word));
    let strengthens = |word: &String| {
        let name = word.split('=').next().unwrap_or_default();
        ["match", "servername"].iter().any(|attribute| name.eq_ignore_ascii_case(attribute))
    };
    let is_stronger = level(&value).zip(level(&wanted)).is_some_and(|(value, wanted)| value > wanted);
    is_stronger && wanted.len() == 1 && value.iter().skip(1).all(strengthens)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_sure_to_be_as_strong_is() {
        for (value, wanted, expected) in [
            ("encrypt", "encrypt", true),
            ("Encrypt", "encrypt", true),
            ("secure, match=.a:a", "secure match=.a:a", true),
            ("none", "may", false),
            ("may", "encrypt", false),
            ("secure match=x", "encrypt", true),
            ("dane-only", "encrypt", true),
            ("dane", "encrypt", false),
            ("encrypt", "may", true),
            // A name more, another version or grade, something that nobody knows.
            ("secure match=a:b", "secure match=a", false),
            ("secure match=a protocols=>=TLSv1", "encrypt", false),
            ("secure match=a", "encrypt protocols=>=TLSv1.3", false),
            ("secure match=a ciphers=low", "encrypt", false),
            ("encrypt exclude=x", "encrypt", false),
            ("", "encrypt", false),
        ] {
            assert_eq!(is_as_strong(value, wanted), expected, "{value} for {wanted}");
        }
    }
}
