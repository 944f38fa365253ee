//! The mode that what is imported is in.

use clap::ValueEnum;

use crate::model::Mode;

/// As the configuration has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Imported {
    Report,
    Enforce,
    Off,
}

impl From<Imported> for Mode {
    fn from(mode: Imported) -> Mode {
        match mode {
            Imported::Report => Mode::Report,
            Imported::Enforce => Mode::Enforce,
            Imported::Off => Mode::Off,
        }
    }
}
