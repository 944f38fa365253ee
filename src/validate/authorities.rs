//! On whose word a chain is good: what a pass at `verify` or `secure` rests on.
//!
//! The MTA trusts the authorities of its own settings, which a run does not know. So the result
//! says whom the run trusted, and whoever reads it can compare.

use std::path::Path;

use crate::model::Requirement;
use crate::model::requirement::Anchors;

/// Those of the machine's store.
pub const SYSTEM: &str = "the system's authorities";

/// Those of the connector.
pub const OWN: &str = "its own ca_file";

/// Whom a run trusts where this is required; empty at levels that judge no chain. A file of the run
/// is named by its absolute path, which is none of the words above.
pub fn of(requirement: &Requirement, ca_file: Option<&Path>) -> String {
    if !requirement.level().judges_chain() {
        return String::new();
    }
    match (requirement.anchors(), ca_file) {
        (Anchors::File(_), _) => OWN.to_owned(),
        (Anchors::System | Anchors::Any, Some(path)) => {
            std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string()
        }
        (Anchors::System | Anchors::Any, None) => SYSTEM.to_owned(),
    }
}

/// The file that was named for the run alone: neither the MTA nor the connector need know of it.
pub fn given(trust: &str) -> Option<&str> {
    (!trust.is_empty() && trust != SYSTEM && trust != OWN).then_some(trust)
}
