//! An accepted configuration as one file: every file that it was made of, byte for byte.
//!
//! ```text
//! connectord last good 1\n
//! by 0 5\n0.1.0\n                           records: word, bytes of the name, bytes of the content
//! at 0 20\n2026-11-25T12:00:00Z\n           when it was read; certificates were judged by it
//! sha256 0 64\n..\n                         of the configuration
//! names 0 64\n..\n                          of all names below
//! of 0 31\n/etc/connectord/connectord.toml\n
//! in 0 1\n/\n                               the working directory
//! weaker 0 5\napply\n                      its `weaker_reload`
//! entries 0 1\n3\n
//! main 31 150\n/etc/connectord/connectord.toml...\n
//! match 17 40\nconnectors.d/*.toml..\0\n    which files an `include` pattern meant
//! same 8 12\n..\n                           where a path led
//! end 64 hex digits\n                       SHA-256 of all before this line
//! ```
//!
//! [`Files`](super::Files) writes it. What was cut, changed in a single bit, or written by another
//! version is [`Unusable`], and nothing of it is served: the digest is checked before anything else
//! counts. Files are read from it one by one as they are asked for, so that it is never whole in
//! memory.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::file::Unreadable;
use super::reading::MAX_TOTAL;
use super::records::{Records, Start, word};
use super::role::Role;
use super::server::WeakerReload;

/// Records of an archive: 20 000 included files, each with two more. Ours; with more it is neither
/// written nor read.
pub(super) const MAX_ENTRIES: u64 = 200_000;

/// Bytes of all names, patterns and paths that led elsewhere. As above.
pub(super) const MAX_NAMES: u64 = 64 << 20;

/// Bytes of the file: those of a configuration, its names, and the first lines of its records.
const LIMIT: u64 = MAX_TOTAL + MAX_NAMES + (16 << 20);

/// Bytes of a value of the head: the longest is a path (PATH_MAX).
const MAX_VALUE: u64 = 8192;

/// What an archive is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The version of connectord that wrote it.
    pub(super) by: String,
    /// When the files were read.
    pub(super) at: Timestamp,
    /// The digest of the configuration.
    pub(super) sha256: String,
    /// The digest of the names.
    pub(super) names: String,
    /// The main file, as an absolute path.
    pub(super) main: PathBuf,
    /// The working directory, which relative names are relative to.
    pub(super) directory: PathBuf,
    /// What it says of weaker ones.
    pub(super) weaker_reload: WeakerReload,
    /// How many records follow.
    pub(super) entries: u64,
}

/// Why an archive is none.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// It is not in the form that we write.
    #[error("it is damaged, or was cut short")]
    Damaged,
    /// It is in a form of another version.
    #[error("it was kept by another version of connectord (format {0})")]
    OtherFormat(String),
    /// It has more than we write.
    #[error("it is larger than any that is kept")]
    TooLarge,
    /// What the system says.
    #[error("{0}")]
    System(io::Error),
}

/// An archive that is whole.
#[derive(Debug)]
pub struct Archive {
    source: File,
    head: Head,
    files: HashMap<(Role, PathBuf), Extent>,
    matches: HashMap<Vec<u8>, Vec<PathBuf>>,
    identities: HashMap<PathBuf, PathBuf>,
}

/// Where the bytes of a file are.
#[derive(Clone, Copy, Debug)]
struct Extent {
    offset: u64,
    length: u64,
}

impl Head {
    /// Reads what a file claims to be, without looking at the rest of it.
    ///
    /// # Errors
    /// When it does not begin as an archive does.
    pub fn read(file: &File) -> Result<Head, Unusable> {
        Head::of(&mut Records::begin(file)?)
    }

    /// Reads what comes first.
    fn of(records: &mut Records<'_>) -> Result<Head, Unusable> {
        let mut value = |expected: &str| {
            let Start { word, name, content } = records.start()?;
            if word != expected || name != 0 || content > MAX_VALUE {
                return Err(Unusable::Damaged);
            }
            let bytes = records.bytes(content)?;
            records.line_end()?;
            Ok(bytes)
        };
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).map_err(|_| Unusable::Damaged);
        Ok(Head {
            by: text(value(word::BY)?)?,
            at: text(value(word::AT)?)?.parse().map_err(|_| Unusable::Damaged)?,
            sha256: text(value(word::SHA256)?)?,
            names: text(value(word::NAMES)?)?,
            main: path(&value(word::OF)?),
            directory: path(&value(word::IN)?),
            weaker_reload: WeakerReload::of_word(&text(value(word::WEAKER)?)?).ok_or(Unusable::Damaged)?,
            entries: text(value(word::ENTRIES)?)?.parse().map_err(|_| Unusable::Damaged)?,
        })
    }

    /// When the files were read.
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// The digest of the configuration.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// The main file, as an absolute path.
    pub fn main(&self) -> &Path {
        &self.main
    }

    /// What it says of weaker ones.
    pub fn weaker_reload(&self) -> WeakerReload {
        self.weaker_reload
    }

    /// Whether an archive with this head and one with the other mean the same.
    pub fn is_of_the_same(&self, other: &Head) -> bool {
        let parts = |head: &Head| (head.sha256.clone(), head.names.clone(), head.main.clone());
        parts(self) == parts(other)
    }

    /// Its records, in their order.
    pub(super) fn values(&self) -> [(&'static str, Vec<u8>); 8] {
        let Head { by, at, sha256, names, main, directory, weaker_reload, entries } = self;
        let bytes = |path: &Path| path.as_os_str().as_bytes().to_vec();
        [
            (word::BY, by.clone().into_bytes()),
            (word::AT, at.to_string().into_bytes()),
            (word::SHA256, sha256.clone().into_bytes()),
            (word::NAMES, names.clone().into_bytes()),
            (word::OF, bytes(main)),
            (word::IN, bytes(directory)),
            (word::WEAKER, weaker_reload.word().as_bytes().to_vec()),
            (word::ENTRIES, entries.to_string().into_bytes()),
        ]
    }
}

impl Archive {
    /// Looks through a file, which is then read from.
    ///
    /// # Errors
    /// When it is not whole, or not ours.
    pub fn open(source: File) -> Result<Archive, Unusable> {
        if source.metadata().map_err(Unusable::System)?.len() > LIMIT {
            return Err(Unusable::TooLarge);
        }
        let mut records = Records::begin(&source)?;
        let head = Head::of(&mut records)?;
        if head.entries > MAX_ENTRIES {
            return Err(Unusable::TooLarge);
        }
        let (mut files, mut matches, mut identities) = (HashMap::new(), HashMap::new(), HashMap::new());
        let mut names_left = MAX_NAMES;
        for _ in 0..head.entries {
            let Start { word, name, content } = records.start()?;
            let role = Role::ALL.into_iter().find(|role| role.word() == word);
            let in_memory = if role.is_some() { name } else { name.saturating_add(content) };
            names_left = names_left.checked_sub(in_memory).ok_or(Unusable::TooLarge)?;
            let name = records.bytes(name)?;
            match (role, word.as_str()) {
                (Some(role), _) => {
                    let extent = Extent { offset: records.offset, length: content };
                    records.skip(content)?;
                    files.insert((role, path(&name)), extent);
                }
                (None, word::MATCH) => {
                    let paths = records.bytes(content)?;
                    let paths = paths.split(|&byte| byte == 0).filter(|path| !path.is_empty());
                    matches.insert(name, paths.map(path).collect());
                }
                (None, word::SAME) => {
                    identities.insert(path(&name), path(&records.bytes(content)?));
                }
                (None, _) => return Err(Unusable::Damaged),
            }
            records.line_end()?;
        }
        records.end()?;
        Ok(Archive { source, head, files, matches, identities })
    }

    /// What it is of.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// The main file, as it was named.
    pub(super) fn main(&self) -> PathBuf {
        let main = self.files.keys().find(|(role, _)| *role == Role::Main);
        main.map(|(_, path)| path.clone()).unwrap_or_default()
    }

    /// A file.
    pub(super) fn file(&self, role: Role, path: &Path) -> Result<Vec<u8>, Unreadable> {
        let extent = self.files.get(&(role, path.to_owned())).ok_or(Unreadable::Missing)?;
        if extent.length > role.limit() {
            return Err(Unreadable::TooLarge(role.limit()));
        }
        let length = usize::try_from(extent.length).map_err(|_| Unreadable::TooLarge(role.limit()))?;
        let mut bytes = vec![0; length];
        self.source.read_exact_at(&mut bytes, extent.offset).map_err(Unreadable::Other)?;
        Ok(bytes)
    }

    /// The files that a pattern meant.
    pub(super) fn matching(&self, pattern: &str) -> &[PathBuf] {
        self.matches.get(pattern.as_bytes()).map_or(&[], Vec::as_slice)
    }

    /// What a path led to, if not to itself.
    pub(super) fn identity(&self, path: &Path) -> Option<&Path> {
        self.identities.get(path).map(PathBuf::as_path)
    }
}

fn path(bytes: &[u8]) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(bytes))
}

#[cfg(test)]
#[path = "archive_tests.rs"]
mod tests;
