//! A file that an option names.

use std::fs::OpenOptions;
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use nix::fcntl::OFlag;

use crate::cli::Failure;

/// Bytes of a file; a larger one is refused. The largest revocation lists of public authorities
/// have some tens of MiB.
const LIMIT: u64 = 64 << 20;

/// Reads it whole: a regular file, for which nothing has to be waited.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    bytes(path).map_err(|error| Failure::File { path: path.to_owned(), error })
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
