//! What is told of the last load.

use jiff::Timestamp;
use serde::Serialize;

use super::loader::Problem;

/// The last load, as the interface gives it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct LastReload {
    /// When it was.
    pub(super) at: Timestamp,
    /// Whether it succeeded.
    pub(super) ok: bool,
    /// What stood in the way.
    pub(super) problems: Vec<Problem>,
}
