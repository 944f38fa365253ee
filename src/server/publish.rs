//! Trust anchors where a chrooted smtp(8) can open them: under Postfix's queue directory.
//!
//! Each file is named by its digest, so it is written once and never changed, and replies of two
//! generations can name different files side by side. A file is complete, on disk and readable for
//! all before it has its name. Removed are only files that this process has published and that
//! neither the current generation nor the one before it refers to: a delivery that was answered a
//! moment ago may still open its file, and another daemon may have files of its own there.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::loader::Failure;
use crate::snapshot::Snapshot;

/// smtp(8) reads them as the user postfix, and they are public.
const FILE_MODE: u32 = 0o644;

/// As above.
const DIRECTORY_MODE: u32 = 0o755;

/// A file that could not be published.
#[derive(Debug, thiserror::Error)]
#[error("{}: cannot publish for smtp(8): {source}", .path.display())]
pub(super) struct PublishError {
    path: PathBuf,
    source: io::Error,
}

impl From<&PublishError> for Failure {
    fn from(error: &PublishError) -> Failure {
        Failure::internal(
            error.to_string(),
            "the user that connectord runs as must be allowed to write there",
        )
    }
}

/// Publishes every file that replies of the snapshot name. Those that are there already stay.
pub(super) fn publish(snapshot: &Snapshot) -> Result<(), PublishError> {
    let Some(queue_directory) = &snapshot.mta().queue_directory else {
        return Ok(());
    };
    for (relative, file) in snapshot.published() {
        let path = queue_directory.join(relative);
        write(&path, &file.pem).map_err(|source| PublishError { path: path.clone(), source })?;
    }
    Ok(())
}

fn write(path: &Path, pem: &[u8]) -> io::Result<()> {
    let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    match DirBuilder::new().mode(DIRECTORY_MODE).create(directory) {
        // Once more, because the umask took part.
        Ok(()) => fs::set_permissions(directory, Permissions::from_mode(DIRECTORY_MODE))?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    if fs::read(path).is_ok_and(|there| there == pem) {
        return fs::set_permissions(path, Permissions::from_mode(FILE_MODE));
    }
    let temporary = directory.join(format!(".{}.{}", name.to_string_lossy(), std::process::id()));
    let written = (|| {
        match fs::remove_file(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        file.write_all(pem)?;
        file.set_permissions(Permissions::from_mode(FILE_MODE))?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        File::open(directory)?.sync_all()
    })();
    if written.is_err() {
        // Best effort: the error is what matters.
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// Removes files that were published and are needed no more. What cannot be removed is logged and
/// does no harm.
pub(super) fn retire<'p>(paths: impl Iterator<Item = &'p PathBuf>) {
    for path in paths {
        match fs::remove_file(path) {
            Ok(()) => tracing::info!(path = %path.display(), "ca_file_retired"),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => tracing::warn!(path = %path.display(), %error, "ca_file_not_retired"),
        }
    }
}

/// The paths that replies of the snapshot name.
pub(super) fn paths(snapshot: &Snapshot) -> BTreeSet<PathBuf> {
    let Some(queue_directory) = &snapshot.mta().queue_directory else {
        return BTreeSet::new();
    };
    snapshot.published().into_keys().map(|relative| queue_directory.join(relative)).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::snapshot::render::CA_DIRECTORY;

    #[test]
    fn written_whole_readable_and_only_once() {
        let queue = tempfile::tempdir().unwrap();
        let path = queue.path().join(CA_DIRECTORY).join("00112233445566778899aabbccddeeff.pem");
        write(&path, b"first").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (FILE_MODE, DIRECTORY_MODE));
        let before = fs::metadata(&path).unwrap().modified().unwrap();
        write(&path, b"first").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), before);
        fs::write(&path, b"damaged").unwrap();
        write(&path, b"first").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"first");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn only_what_was_published_is_retired() {
        let queue = tempfile::tempdir().unwrap();
        let [ours, others] = ["a", "b"].map(|digit| queue.path().join(format!("{}.pem", digit.repeat(32))));
        for path in [&ours, &others] {
            write(path, b"x").unwrap();
        }
        let gone = queue.path().join("gone.pem");
        retire([&ours, &gone].into_iter());
        assert_eq!((ours.exists(), others.exists()), (false, true));
    }

    #[test]
    fn a_directory_that_is_not_there_is_said() {
        let queue = tempfile::tempdir().unwrap();
        let path = queue.path().join("nowhere").join(CA_DIRECTORY).join("x.pem");
        assert_eq!(write(&path, b"").unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
