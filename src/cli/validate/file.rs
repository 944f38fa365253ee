//! A file that an option names.

use std::fs::OpenOptions;
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use nix::fcntl::OFlag;

use crate::cli::Failure;
use crate::validate::options::Named;

/// Bytes of a file; a larger one is refused. The largest revocation lists of public authorities
/// have some tens of MiB.
const LIMIT: u64 = 64 << 20;

/// Reads it whole: a regular file, for which nothing has to be waited.
pub(super) fn read(option: &'static str, path: &Path) -> Result<Named, Failure> {
    match bytes(path) {
        Ok(bytes) => Ok(Named { path: path.to_owned(), bytes }),
        Err(error) => Err(Failure::OptionFile { option, path: path.to_owned(), error }),
    }
}

fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    let flags = OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits()).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "this is not a file"));
    }
    let mut bytes = Vec::new();
    file.take(LIMIT.saturating_add(1)).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > LIMIT {
        let message = format!("the file has more than {} MiB, which is the limit", LIMIT >> 20);
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    Ok(bytes)
}
