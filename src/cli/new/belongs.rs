//! Whether there is a connector for a domain already.
//!
//! The configuration refuses one domain in two connectors of one direction and mode. Here that is told while the domain is
//! asked for, and it is the connector that is there which is named, with its place.

use crate::model::pattern::Entry;
use crate::model::{Agreements, Mode, Pattern, Place};
use crate::protocol::escape::printable;
use crate::snapshot::Direction;

/// Characters of a path that are shown.
const PATH: usize = 4096;

/// Whether these domains have no connector of that direction and mode.
///
/// # Errors
/// The first that has one, with its name and place.
pub(super) fn free(
    agreements: &Agreements,
    direction: Direction,
    mode: Mode,
    domains: &[String],
) -> Result<(), String> {
    let patterns: Vec<Pattern> = domains.iter().filter_map(|domain| Pattern::parse(domain).ok()).collect();
    let ours: Vec<(Entry<'_>, &Pattern)> =
        patterns.iter().flat_map(|pattern| pattern.entries().map(move |entry| (entry, pattern))).collect();
    let same = |entry: Entry<'_>| ours.iter().find(|(own, _)| *own == entry).map(|(_, pattern)| *pattern);
    let refused = |pattern: &Pattern, name: &str, place: &Place| {
        let file = printable(&place.file, PATH);
        let mode = mode.word();
        Err(format!("{pattern} belongs to the connector {name} already ({file}:{}, mode {mode})", place.line))
    };
    match direction {
        Direction::Outbound => {
            for own in agreements.outbound.iter().filter(|own| own.mode == mode) {
                if let Some(pattern) = own.domains.entries().find_map(same) {
                    return refused(pattern, own.name.as_str(), &own.place);
                }
            }
        }
        Direction::Inbound => {
            for own in agreements.inbound.iter().filter(|own| own.mode == mode) {
                if let Some(pattern) = own.identify.domains.iter().flat_map(Pattern::entries).find_map(same) {
                    return refused(pattern, own.name.as_str(), &own.place);
                }
            }
        }
    }
    Ok(())
}
