//! The program of an MTA that tells its settings, and why it did not.

use std::fmt;
use std::process::Command;

use super::program::{self, Error, LIMIT, PATIENCE};

/// A program that tells settings.
#[derive(Debug, PartialEq, Eq)]
pub struct Teller {
    /// What it is called in messages.
    pub name: &'static str,
    /// The MTA that it belongs to.
    pub mta: &'static str,
    /// Where somebody sees more of what it says.
    pub look: &'static str,
}

/// Why it told nothing, in words for its administrator.
#[derive(Debug)]
pub struct Silence {
    /// Which one.
    pub teller: &'static Teller,
    /// Why.
    pub why: Error,
}

impl Teller {
    /// What it says, of which the command has the arguments.
    ///
    /// # Errors
    /// It fails, hangs, or does not stop talking.
    pub fn ask(&'static self, command: &mut Command) -> Result<String, Silence> {
        program::output(command).map_err(|why| Silence { teller: self, why })
    }
}

impl std::error::Error for Silence {}

impl fmt::Display for Silence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Teller { name, mta, look } = self.teller;
        match &self.why {
            Error::Run(error) => write!(f, "{name}: {error}; is {mta} installed, and /usr/sbin in PATH?"),
            Error::Failed(said) => {
                // It begins with its name itself.
                let said = said.strip_prefix(name).and_then(|said| said.strip_prefix(": ")).unwrap_or(said);
                write!(f, "{name}: {}; see what {look}", said.escape_debug())
            }
            Error::Hangs => write!(f, "{name} has not ended after {} s", PATIENCE.as_secs()),
            Error::Long => write!(f, "{name} says more than {LIMIT} octets"),
        }
    }
}
