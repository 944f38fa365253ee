//! Several requirements as one.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use super::{Requirement, bound_order, grade_order};
use crate::model::certificate::Fingerprint;
use crate::model::names::Names;

/// Why requirements cannot be answered as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unjoinable {
    /// No level includes all others.
    #[error("their levels cannot be demanded in one answer")]
    Level,
    /// No name satisfies all.
    #[error("no certificate name satisfies all `match` lists")]
    Names,
    /// No set of trust anchors is within all others.
    #[error("their trust anchors differ")]
    Anchors,
    /// No digest satisfies all.
    #[error("they have no fingerprint in common")]
    Pins,
    /// `TLSv1` or `TLSv1.1` beside what main.cf has.
    #[error("only one of them leaves `protocols` to main.cf")]
    Version,
    /// `medium` beside what main.cf has.
    #[error("only one of them leaves `ciphers` to main.cf")]
    Ciphers,
    /// Different names to send.
    #[error("their `servername` differs")]
    ServerName,
}

/// The weakest requirement that is at least as strong as all of these, if one answer can say it.
/// The order of the list means nothing.
///
/// Names and digests are intersected, because a list can say that. Of what a list cannot say (the
/// level, the anchors, the version, the ciphers) one of the requirements must have the strongest.
///
/// # Errors
/// [`Unjoinable`] when no single answer can say all.
pub fn join(all: &[Requirement]) -> Result<Requirement, Unjoinable> {
    let Requirement { level, .. } =
        strongest(all, |a, b| a.level.partial_cmp(&b.level)).ok_or(Unjoinable::Level)?;
    let Requirement { anchors, .. } =
        strongest(all, |a, b| a.anchors.partial_cmp(&b.anchors)).ok_or(Unjoinable::Anchors)?;
    let Requirement { min_version, .. } = strongest(all, bound_order).ok_or(Unjoinable::Version)?;
    let Requirement { ciphers, .. } = strongest(all, grade_order).ok_or(Unjoinable::Ciphers)?;
    let names = all
        .iter()
        .try_fold(Names::Any, |so_far, other| so_far.meet(&other.names))
        .ok_or(Unjoinable::Names)?;
    let mut pins: Option<BTreeSet<Fingerprint>> = None;
    for other in all.iter().filter_map(|requirement| requirement.pins.as_ref()) {
        pins =
            Some(pins.map_or_else(|| other.clone(), |so_far| so_far.intersection(other).copied().collect()));
    }
    if pins.as_ref().is_some_and(BTreeSet::is_empty) {
        return Err(Unjoinable::Pins);
    }
    let mut server_names = all.iter().filter_map(|requirement| requirement.servername.as_ref());
    let servername = server_names.next();
    if server_names.any(|other| Some(other) != servername) {
        return Err(Unjoinable::ServerName);
    }
    Ok(Requirement {
        level: *level,
        names,
        anchors: anchors.clone(),
        pins,
        min_version: *min_version,
        ciphers: *ciphers,
        servername: servername.cloned(),
    })
}

/// The one that is at least as strong as every other, by one component.
fn strongest(
    all: &[Requirement],
    order: impl Fn(&Requirement, &Requirement) -> Option<Ordering>,
) -> Option<&Requirement> {
    let at_least = |a: &Requirement, b: &Requirement| order(a, b).is_some_and(Ordering::is_ge);
    all.iter().find(|candidate| all.iter().all(|other| at_least(candidate, other)))
}
