//! How much of an export is kept in memory, over all files of a run.

use super::broken::Broken;
use super::place::Place;

/// Octets of one file: an organisation with the 1 000 connectors that Exchange shows by default makes Clixml of some
/// 30 MB in UTF-16.
pub const MAX_FILE: usize = 64 << 20;

/// Connectors of all files.
const MAX_CONNECTORS: usize = 10_000;

/// Octets that all that is kept may take: every value with its text.
const MAX_KEPT: usize = 128 << 20;

/// What a value takes beside its text.
const VALUE: usize = 64;

/// What is left.
#[derive(Debug)]
pub struct Budget {
    connectors: usize,
    octets: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Budget { connectors: MAX_CONNECTORS, octets: MAX_KEPT }
    }
}

impl Budget {
    /// One connector more.
    pub(super) fn connector(&mut self, place: Place) -> Result<(), Broken> {
        self.connectors = self.connectors.checked_sub(1).ok_or_else(|| {
            Broken::new(
                place,
                format!("there are more than {MAX_CONNECTORS} connectors; import them in parts"),
            )
        })?;
        Ok(())
    }

    /// One value more, with so many octets of text.
    pub(super) fn value(&mut self, octets: usize, place: Place) -> Result<(), Broken> {
        self.octets = octets
            .checked_add(VALUE)
            .and_then(|cost| self.octets.checked_sub(cost))
            .ok_or_else(|| Broken::new(place, "there is more in it than can be kept; import it in parts"))?;
        Ok(())
    }
}
