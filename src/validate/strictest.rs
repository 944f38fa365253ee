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

/// What an address can do today.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capability {
    host: String,
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
    /// The host's own name would do.
    host: bool,
    /// The first name that can be written in `match`.
    first: Option<String>,
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
    Capability { host: seen.target.host.trim_end_matches('.').to_ascii_lowercase(), kind }
}

fn shown(case: &Case<'_>, leaf: &Certificate) -> Shown {
    let trusted = matches!(case.trust, Some(Ok(_)));
    let satisfies = |patterns: PatternSet| leaf.identities().iter().any(|name| satisfied_by(&patterns, name));
    let host = Domain::parse(&case.observation.target.host).ok();
    let names = Names {
        domain: satisfies(PatternSet::new(vec![Pattern::Tree(case.domain.clone())])),
        host: host
            .is_some_and(|host| host.labels() > 1 && satisfies(PatternSet::new(vec![Pattern::Exact(host)]))),
        first: leaf.identities().iter().find_map(entry),
    };
    let any = names.domain || names.host || names.first.is_some();
    Shown {
        names: (trusted && any).then_some(names),
        key: Some(leaf.key_fingerprint().to_string()),
        dane: case.dane.is_some_and(|dane| dane.present && dane.authenticated && dane.matches == Some(true)),
    }
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
            Kind::Tls(session) => shown.push((one.host.as_str(), &**session)),
            Kind::Plain | Kind::Nothing => return Some("may".to_owned()),
        }
    }
    let dane = shown.iter().all(|(_, session)| session.dane);
    let level = secure(&shown).or_else(|| fingerprint(&shown));
    Some(match (level, dane) {
        (Some(level), true) => format!("{level}; dane-only would pass too"),
        (Some(level), false) => level,
        (None, true) => "dane-only".to_owned(),
        (None, false) => "encrypt".to_owned(),
    })
}

fn secure(shown: &[(&str, &Shown)]) -> Option<String> {
    let names: Vec<(&str, &Names)> =
        shown.iter().map(|(host, session)| Some((*host, session.names.as_ref()?))).collect::<Option<_>>()?;
    if names.iter().all(|(_, names)| names.domain) {
        return Some("secure, match = \"domain\"".to_owned());
    }
    let entries: BTreeSet<String> = names
        .iter()
        .map(|(host, names)| if names.host { Some((*host).to_owned()) } else { names.first.clone() })
        .collect::<Option<_>>()?;
    Some(format!("secure, match = [{}]", quoted(&entries)))
}

fn fingerprint(shown: &[(&str, &Shown)]) -> Option<String> {
    let keys: BTreeSet<String> = shown
        .iter()
        .map(|(_, session)| Some(format!("sha256:{}", session.key.clone()?)))
        .collect::<Option<_>>()?;
    Some(format!("fingerprint, fingerprints = [{}]", quoted(&keys)))
}

fn quoted(entries: &BTreeSet<String>) -> String {
    entries.iter().map(|entry| format!("\"{entry}\"")).collect::<Vec<_>>().join(", ")
}
