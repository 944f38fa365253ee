//! Time to start and to reload, and memory, by the number of domains.

use super::Effort;

/// Measures and prints all of it.
pub fn measure(_effort: &Effort) {
    todo!()
}
