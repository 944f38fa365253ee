//! The file that is imported, within bounds.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use crate::cli::Failure;
use crate::migrate::Refused;

/// Octets of a file: as many as a list of domains may have (`config::Role::List`).
const LIMIT: u64 = 64 << 20;

/// The whole file; or that it is larger than anything that is imported.
pub(super) fn read(path: &Path) -> Result<Result<Vec<u8>, Refused>, Failure> {
    let failure = |error| Failure::File { path: path.to_owned(), error };
    let file = File::open(path).map_err(failure)?;
    let length = file.metadata().map_err(failure)?.len();
    let mut octets = Vec::new();
    if length <= LIMIT {
        // What is no regular file has no length, and maybe no end.
        file.take(LIMIT + 1).read_to_end(&mut octets).map_err(failure)?;
    }
    if length > LIMIT || u64::try_from(octets.len()).is_ok_and(|length| length > LIMIT) {
        return Ok(Err(Refused {
            file: path.display().to_string(),
            line: None,
            subject: String::new(),
            reason: format!("larger than {} MiB: nothing of it was read; split it", LIMIT >> 20),
        }));
    }
    Ok(Ok(octets))
}
