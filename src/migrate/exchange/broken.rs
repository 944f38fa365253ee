//! Why a file as a whole is no export.

use std::fmt;

use super::place::Place;

/// A file that cannot be read to its end. None of it is imported: what is missing might be a connector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Where it stops to be an export.
    pub place: Place,
    /// Why, and what to do.
    pub message: String,
}

impl Broken {
    pub(super) fn new(place: Place, message: impl Into<String>) -> Broken {
        Broken { place, message: message.into() }
    }

    pub(super) fn at_start(message: impl Into<String>) -> Broken {
        Broken::new(Place::START, message)
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}
