//! Where the files of a configuration come from: the disk, or an archive of one that was accepted.
//!
//! The code that makes a configuration of them is the same, so that an archive means what its
//! files meant. What depends on where they lie on the disk, which files a pattern means, which
//! paths lead to one file, what a relative path is relative to, an archive remembers. Who else can
//! write a file, and whether it is being written, is a question to the disk alone.

use std::path::{Path, PathBuf};

use super::archive::Archive;
use super::file::{self, Contents, Unreadable};
use super::planned::Planned;
use super::role::Role;

/// Where files come from.
#[derive(Debug)]
pub(super) enum Origin {
    /// The disk, as it is now.
    Disk,
    /// The disk, with a file that is not there yet.
    Planned(Box<Planned>),
    /// An archive, as the disk was then.
    Archive(Box<Archive>),
}

impl Origin {
    /// A file whole, no longer than its role allows.
    pub fn read(&self, role: Role, path: &Path) -> Result<Contents, Unreadable> {
        match self {
            Origin::Planned(planned) if planned.path == path => {
                let bytes = planned.text.clone().into_bytes();
                Ok(Contents { bytes, young_until: None, exposures: Vec::new() })
            }
            Origin::Disk | Origin::Planned(_) => file::read(path, role.limit()),
            Origin::Archive(archive) => {
                let bytes = archive.file(role, path)?;
                Ok(Contents { bytes, young_until: None, exposures: Vec::new() })
            }
        }
    }

    /// A name that every path to a file has in common: the path itself if there is none.
    pub fn identity(&self, path: &Path) -> PathBuf {
        let known = match self {
            Origin::Disk | Origin::Planned(_) => std::fs::canonicalize(path).ok(),
            Origin::Archive(archive) => archive.identity(path).map(Path::to_owned),
        };
        known.unwrap_or_else(|| path.to_owned())
    }

    /// A path that is not relative to the working directory.
    pub fn absolute(&self, path: &Path) -> PathBuf {
        match self {
            Origin::Disk | Origin::Planned(_) => absolute(path),
            Origin::Archive(archive) => absolute(&archive.head().directory.join(path)),
        }
    }

    /// The files that a pattern means, if that does not need to be looked up.
    pub fn matching(&self, pattern: &str) -> Option<Vec<PathBuf>> {
        match self {
            Origin::Disk | Origin::Planned(_) => None,
            Origin::Archive(archive) => Some(archive.matching(pattern).to_vec()),
        }
    }

    /// The file that is not there yet.
    pub fn planned(&self) -> Option<&Path> {
        match self {
            Origin::Planned(planned) => Some(&planned.path),
            Origin::Disk | Origin::Archive(_) => None,
        }
    }
}

/// A path that does not depend on the working directory; as it is if that does not exist.
pub(super) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
