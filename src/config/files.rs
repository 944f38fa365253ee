//! The files that a configuration was made of, as they were read: what an archive is written from.
//!
//! They share their text with the reading, so that keeping them costs nothing until the reading
//! is gone, and a list of a million domains for as long as this lives.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::archive::{Head, MAX_ENTRIES, MAX_NAMES};
use super::hex;
use super::origin::absolute;
use super::reading::PemFile;
use super::records::{MAGIC, word};
use super::role::Role;
use super::server::WeakerReload;
use super::source::Source;

/// The byte-order mark that a source is kept without.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// A file as it was read.
#[derive(Debug)]
pub(super) enum Content {
    /// TOML, or a list.
    Text(Arc<Source>),
    /// Certificates.
    Pem(Arc<PemFile>),
}

impl Content {
    /// Its bytes, in two pieces.
    fn pieces(&self) -> [&[u8]; 2] {
        match self {
            Content::Text(source) => [if source.mark { MARK } else { &[] }, source.text.as_bytes()],
            Content::Pem(file) => [&[], &file.anchors.pem],
        }
    }
}

/// Every file that was read, and what the disk said of their names.
#[derive(Debug, Default)]
pub(super) struct Taken {
    contents: BTreeMap<(Role, PathBuf), Content>,
    matches: BTreeMap<String, Vec<PathBuf>>,
    identities: BTreeMap<PathBuf, PathBuf>,
}

impl Taken {
    /// Remembers a file. False if it was read before and is not what it was.
    pub fn file(&mut self, role: Role, path: &Path, content: Content) -> bool {
        match self.contents.entry((role, path.to_owned())) {
            Entry::Vacant(entry) => {
                entry.insert(content);
                true
            }
            Entry::Occupied(known) => known.get().pieces() == content.pieces(),
        }
    }

    /// Remembers which files a pattern meant.
    pub fn matching(&mut self, pattern: &str, paths: &[PathBuf]) {
        self.matches.insert(pattern.to_owned(), paths.to_vec());
    }

    /// Remembers what a path led to.
    pub fn identity(&mut self, path: &Path, identity: &Path) {
        if path != identity {
            self.identities.insert(path.to_owned(), identity.to_owned());
        }
    }

    /// The files of a configuration that was read at this time, with this digest and this setting.
    pub fn files(self, at: Timestamp, sha256: &str, weaker_reload: WeakerReload) -> Files {
        let Taken { contents, matches, identities } = self;
        let records = contents.into_iter().map(|((role, path), content)| Record {
            word: role.word(),
            name: bytes(&path),
            content: Held::File(content),
        });
        let matches = matches.into_iter().map(|(pattern, paths)| {
            // No path has a NUL in it.
            let paths: Vec<u8> = paths.iter().flat_map(|path| [&bytes(path)[..], b"\0"].concat()).collect();
            Record { word: word::MATCH, name: pattern.into_bytes(), content: Held::Names(paths) }
        });
        let identities = identities.into_iter().map(|(path, identity)| Record {
            word: word::SAME,
            name: bytes(&path),
            content: Held::Names(bytes(&identity)),
        });
        let records: Vec<Record> = records.chain(matches).chain(identities).collect();
        let main = records.iter().find(|record| record.word == Role::Main.word());
        let main = main.map(|record| PathBuf::from(std::ffi::OsStr::from_bytes(&record.name)));
        let head = Head {
            by: env!("CARGO_PKG_VERSION").to_owned(),
            at,
            sha256: sha256.to_owned(),
            names: names(&records),
            main: absolute(&main.unwrap_or_default()),
            directory: std::env::current_dir().unwrap_or_default(),
            weaker_reload,
            entries: u64::try_from(records.len()).unwrap_or(u64::MAX),
        };
        Files { head, records, is_young: false }
    }
}

/// The files of a configuration, ready to be written as one.
#[derive(Debug)]
pub struct Files {
    head: Head,
    records: Vec<Record>,
    /// One of them was written so shortly before that it may have been half-written.
    pub(super) is_young: bool,
}

#[derive(Debug)]
struct Record {
    word: &'static str,
    name: Vec<u8>,
    content: Held,
}

#[derive(Debug)]
enum Held {
    File(Content),
    Names(Vec<u8>),
}

impl Record {
    fn pieces(&self) -> [&[u8]; 2] {
        match &self.content {
            Held::File(content) => content.pieces(),
            Held::Names(names) => [&[], names],
        }
    }

    /// Bytes of names, of which there are fewer than of everything.
    fn names(&self) -> u64 {
        match &self.content {
            Held::File(_) => length(&self.name),
            Held::Names(names) => length(&self.name).saturating_add(length(names)),
        }
    }
}

impl Files {
    /// What they are.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Whether one of them was read so shortly after it was written that it may have been
    /// half-written.
    pub fn may_be_half_written(&self) -> bool {
        self.is_young
    }

    /// The main file with its text.
    pub fn main(&self) -> Option<(&str, &str)> {
        self.texts(Role::Main).next()
    }

    /// The files that it includes, by their paths as they were found, with their texts.
    pub fn included(&self) -> impl Iterator<Item = (&str, &str)> {
        self.texts(Role::Included)
    }

    fn texts(&self, role: Role) -> impl Iterator<Item = (&str, &str)> {
        self.records.iter().filter(move |record| record.word == role.word()).filter_map(
            |record| match &record.content {
                Held::File(Content::Text(source)) => Some((&*source.name, source.text.as_str())),
                Held::File(Content::Pem(_)) | Held::Names(_) => None,
            },
        )
    }

    /// Writes them as [`Archive`](super::Archive) reads them.
    ///
    /// # Errors
    /// What the writer says, or that there is more than an archive may have.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let names: u64 = self.records.iter().map(Record::names).sum();
        if self.head.entries > MAX_ENTRIES || names > MAX_NAMES {
            return Err(io::Error::other(
                "the configuration has more files, or longer names, than can be kept",
            ));
        }
        let mut out = Digesting { out, digest: Sha256::new() };
        out.all(MAGIC.as_bytes())?;
        for (word, value) in self.head.values() {
            out.record(word, &[], [&[], &value])?;
        }
        for record in &self.records {
            out.record(record.word, &record.name, record.pieces())?;
        }
        let digest = hex(&out.digest.finalize());
        writeln!(out.out, "{} {digest}", word::END)
    }
}

/// A writer, and the digest of what was written.
struct Digesting<'w> {
    out: &'w mut dyn Write,
    digest: Sha256,
}

impl Digesting<'_> {
    fn all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.digest.update(bytes);
        self.out.write_all(bytes)
    }

    fn record(&mut self, word: &str, name: &[u8], pieces: [&[u8]; 2]) -> io::Result<()> {
        let size: u64 = pieces.map(length).iter().sum();
        self.all(format!("{word} {} {size}\n", name.len()).as_bytes())?;
        self.all(name)?;
        for piece in pieces {
            self.all(piece)?;
        }
        self.all(b"\n")
    }
}

/// The digest of all names: files whose bytes are the same, elsewhere, are other files in answers.
fn names(records: &[Record]) -> String {
    let mut digest = Sha256::new();
    let mut part = |bytes: &[u8]| {
        digest.update(length(bytes).to_be_bytes());
        digest.update(bytes);
    };
    for record in records {
        part(record.word.as_bytes());
        part(&record.name);
        if let Held::Names(names) = &record.content {
            part(names);
        }
    }
    hex(&digest.finalize())
}

fn bytes(path: &Path) -> Vec<u8> {
    path.as_os_str().as_bytes().to_vec()
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}
