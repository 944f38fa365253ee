//! The strictest level that an address would pass today, and that all of them would.
//!
//! `secure` with names is preferred, because it survives the renewal of a certificate; then
//! `fingerprint` of the key, `encrypt`, `may`. `dane-only` is not comparable with the first two and
//! is named beside them. An address that cannot be reached passes nothing; it is left out when
//! others can be, and reported for itself.

use std::collections::BTreeSet;

use super::judge::{Case, leaf};
use super::observation::{Stage, Trouble};
use super::trust::allows_key;
use crate::model::certificate::{Certificate, PresentedName};
use crate::model::names::satisfied_by;
use crate::model::requirement::TlsVersion;
use crate::model::{Domain, Pattern, PatternSet};

/// What is said of names and keys that only the partner can vouch for.
const CONFIRM: &str = " (only if the partner confirms it)";

/// What an address can do today.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capability {
    kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    /// Nothing: it cannot be reached, or breaks off.
    Nothing,
    /// Plaintext.
    Plain,
    /// TLS; what follows is empty for versions before 1.2, which only go up to `encrypt`.
    Tls(Box<Shown>),
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Shown {
    /// The names under which a trusted chain certifies it, as entries of `match`.
    names: Option<Names>,
    /// The digest of its key.
    key: Option<String>,
    /// Whether usable TLSA records match.
    dane: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Names {
    /// `match = "domain"` would do.
    domain: bool,
    /// What could be written in `match`: the host's own name where that would do, else one of the
    /// partner's domain, else the first.
    entry: Option<String>,
    /// Whether that is the partner's domain or lies below it. Whoever can forge the DNS shows a good
    /// certificate of another name.
    is_theirs: bool,
}

/// What the address of a case can do, whatever its connector demands. The chain must have been
/// judged with the anchors that the connector has, or would have.
pub fn strictest(case: &Case<'_>) -> Capability {
    let seen = case.observation;
    let kind = match (&seen.trouble, &seen.tls) {
        (Some((Stage::StartTls, Trouble::NotOffered | Trouble::Reply(_))), _) => Kind::Plain,
        // With a session of its second visit, which was made at `encrypt`.
        (Some((Stage::Handshake, _)), Some(_)) => Kind::Tls(Box::default()),
        (Some((stage, _)), _) if *stage < Stage::Mail => Kind::Nothing,
        (_, None) => Kind::Nothing,
        (_, Some(session)) => {
            let modern =
                TlsVersion::from_word(&session.version).is_some_and(|version| version >= TlsVersion::Tls12);
            let strong = session.chain.first().is_some_and(|der| allows_key(der).is_ok());
            let shown = leaf(Some(session)).filter(|_| modern && strong).map(|leaf| shown(case, &leaf));
            Kind::Tls(Box::new(shown.unwrap_or_default()))
        }
    };
    Capability { kind }
}

fn shown(case: &Case<'_>, leaf: &Certificate) -> Shown {
    let trusted = matches!(case.trust, Some(Ok(_)));
    let satisfies = |pattern| satisfied_by_any(leaf, &PatternSet::new(vec![pattern]));
    let theirs = || Pattern::Tree(case.domain.clone());
    let host = Domain::parse(&case.observation.target.host).ok().filter(|host| host.labels() > 1);
    let host = host.filter(|host| satisfies(Pattern::Exact(host.clone()))).map(|host| host.to_string());
    let all = || leaf.identities().iter().filter_map(entry);
    let is_theirs = |name: &String| theirs().covers(name.trim_start_matches("*."));
    let entry = host.or_else(|| all().find(is_theirs)).or_else(|| all().next());
    let names =
        Names { domain: satisfies(theirs()), is_theirs: entry.as_ref().is_some_and(is_theirs), entry };
    let any = names.domain || names.entry.is_some();
    Shown {
        names: (trusted && any).then_some(names),
        key: Some(leaf.key_fingerprint().to_string()),
        dane: case.dane.is_some_and(|dane| dane.present && dane.authenticated && dane.matches == Some(true)),
    }
}

fn satisfied_by_any(leaf: &Certificate, patterns: &PatternSet) -> bool {
    leaf.identities().iter().any(|name| satisfied_by(patterns, name))
}

/// A name as it can be written in `match`, which wants two labels.
fn entry(name: &PresentedName) -> Option<String> {
    let text = name.to_string();
    let base = text.strip_prefix("*.").unwrap_or(&text);
    Domain::parse(base).ok().filter(|domain| domain.labels() > 1).map(|_| text)
}

/// The strictest level, in words that can be copied into a connector, that every address which
/// can be reached would pass today; `None` when none can be.
pub fn combined(capabilities: &[Capability]) -> Option<String> {
    let reached: Vec<&Capability> = capabilities.iter().filter(|one| one.kind != Kind::Nothing).collect();
    if reached.is_empty() {
        return None;
    }
    let mut shown = Vec::new();
    for one in &reached {
        match &one.kind {
            Kind::Tls(session) => shown.push(&**session),
            Kind::Plain | Kind::Nothing => return Some("may".to_owned()),
        }
    }
    let dane = shown.iter().all(|session| session.dane);
    let level = secure(&shown).or_else(|| fingerprint(&shown));
    Some(match (level, dane) {
        (Some(level), true) => format!("{level}; dane-only would pass too"),
        (Some(level), false) => level,
        (None, true) => "dane-only".to_owned(),
        (None, false) => "encrypt".to_owned(),
    })
}

fn secure(shown: &[&Shown]) -> Option<String> {
    let names: Vec<&Names> = shown.iter().map(|session| session.names.as_ref()).collect::<Option<_>>()?;
    if names.iter().all(|names| names.domain) {
        return Some("secure, match = \"domain\"".to_owned());
    }
    let entries: BTreeSet<String> = names.iter().map(|names| names.entry.clone()).collect::<Option<_>>()?;
    let confirm = if names.iter().all(|names| names.is_theirs) { "" } else { CONFIRM };
    Some(format!("secure, match = [{}]{confirm}", quoted(&entries)))
}

fn fingerprint(shown: &[&Shown]) -> Option<String> {
    let keys: BTreeSet<String> = shown
        .iter()
        .map(|session| Some(format!("sha256:{}", session.key.clone()?)))
        .collect::<Option<_>>()?;
    Some(format!("fingerprint, fingerprints = [{}]{CONFIRM}", quoted(&keys)))
}

fn quoted(entries: &BTreeSet<String>) -> String {
    entries.iter().map(|entry| format!("\"{entry}\"")).collect::<Vec<_>>().join(", ")
}
