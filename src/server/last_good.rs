//! The last good configuration: `last-good` in the state directory.
//!
//! It is the configuration that was served last, every file of it, so that a start whose files do
//! not load has something to serve, and every start something to be compared with. It is looked at
//! before the first answer and written behind it; what goes wrong there is told and delays nobody.
//!
//! What counts: a regular file of root's or of our own, in a directory of root's or of our own, that
//! nobody else can write, neither of them, whole to the last bit, and of the same main file. Anything
//! else is as if there were none, with a warning: whoever can write to the directory could put back
//! one that was weaker.
//!
//! Files that were written less than a second before they were read, as only a start reads them, are
//! read once more when they are older, and kept if they are the same: a list that was cut short at
//! the end of a line is as good as another.
//!
//! A new one has its name when it is on disk whole. Before another configuration is served, the
//! old one becomes `last-good.replaced`, by one rename(2): whatever fails after that, and whenever
//! we are killed, it is not taken for what was served last, which may have been stronger. It is
//! still compared with, and it never answers for files that do not load. After a failure of the
//! whole system the rename may not have reached the disk.
//!
//! In a directory of another user's, who is not root, nothing is done to what is of another main file, or of the same
//! configuration: it is that of a daemon beside which somebody tries something out.
//!
//! Logs: `last_good_kept`, `last_good_not_kept` (once for each reason), `last_good_ignored`,
//! `last_good_outdated` (what is there is not what is served, and stays; once for each reason).

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;
use serde::Serialize;

use super::loader::{self, Loaded};
use crate::config::{self, Archive, Files, Head};
use crate::load::NotAsKept;
use crate::state_directory::{Directory, Others, Unreadable};

/// Its file.
const NAME: &str = "last-good";

/// The file of one that was replaced by a configuration that was served and is not, or not yet, kept.
const REPLACED: &str = "last-good.replaced";

/// The mode bits that let others write.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// The last good configuration of one main file.
#[derive(Debug)]
pub struct LastGood {
    state_directory: PathBuf,
    /// As an absolute path.
    main: PathBuf,
    /// What was looked through, or written, by this process.
    whole: Option<Identity>,
    /// Why it was not kept, as it was told.
    told: Option<String>,
    /// Why it could not make way, as it was told.
    outdated: Option<String>,
}

/// What another file, or a change of the same, does not have in common with what was looked at:
/// number, length and time of the last change.
type Identity = (u64, u64, i64, i64);

fn identity(metadata: &Metadata) -> Identity {
    (metadata.ino(), metadata.len(), metadata.mtime(), metadata.mtime_nsec())
}

/// What is there, and may be whole.
#[derive(Debug)]
pub(super) struct Found {
    file: File,
    /// What it claims to be.
    pub(super) head: Head,
    /// Another one was served after it.
    pub(super) is_replaced: bool,
}

/// What `status` says of it.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct State {
    /// It is what is served, because the files do not load, or are weaker.
    pub(super) served: bool,
    /// What is served is not it although it refuses weaker ones; somebody has yet to accept that.
    pub(super) unaccepted: bool,
    /// What is served would be there for the next start.
    pub(super) kept: bool,
    /// When its files were read; empty when none is kept.
    pub(super) at: String,
    /// Why what is served is not kept; empty when it is.
    pub(super) problem: String,
}

/// Why what is there is not used. The words follow "the last good configuration is not used: ".
#[derive(Debug, thiserror::Error)]
pub(super) enum NotUsed {
    /// The directory cannot be looked into.
    #[error("the state directory cannot be read: {0}")]
    Closed(io::Error),
    /// Somebody else could have put it there.
    #[error("{0}")]
    Shared(Others),
    /// The file cannot be read, or should not be.
    #[error("{0}")]
    Unreadable(#[from] Unreadable),
    /// Another user's.
    #[error("it belongs to user {0}")]
    Foreign(u32),
    /// Others can write it.
    #[error("others than its owner can write it (mode {0:04o})")]
    Exposed(u32),
    /// It is not whole.
    #[error("{0}")]
    Unusable(#[from] config::Unusable),
    /// It is of another daemon.
    #[error("it is of another configuration, {}", .0.display())]
    Other(PathBuf),
    /// It may be weaker than what was served last.
    #[error("another configuration was served after it, and could not be kept")]
    Replaced,
    /// It does not load.
    #[error("{0}")]
    NotAsKept(#[from] NotAsKept),
    /// A defect of ours.
    #[error("internal error while loading it")]
    Internal,
}

impl NotUsed {
    /// What to do.
    pub(super) fn help(&self) -> &'static str {
        match self {
            NotUsed::Closed(_) => "let the user that connectord runs as own the state directory",
            NotUsed::Shared(others) => others.help(),
            NotUsed::Other(_) => {
                "give each daemon a state directory of its own; this one is taken over by the next configuration that loads"
            }
            NotUsed::Replaced => {
                "mend the files; they are compared with it when they load; the log of the last run says why nothing was kept"
            }
            NotUsed::Unreadable(_)
            | NotUsed::Foreign(_)
            | NotUsed::Exposed(_)
            | NotUsed::Unusable(_)
            | NotUsed::NotAsKept(_)
            | NotUsed::Internal => {
                "find out who or what did this; the next configuration that loads takes its place, compared with nothing"
            }
        }
    }
}

/// Why what is served is not kept.
#[derive(Debug, thiserror::Error)]
enum NotKept {
    /// Somebody else could put another one there.
    #[error("{0}")]
    Shared(Others),
    /// Another daemon with the same directory is at it.
    #[error("another connectord is writing there")]
    Busy,
    /// What the system says.
    #[error("{0}")]
    System(io::Error),
    /// What is served may be half of what was meant.
    #[error("files were being written when they were read, and are others now")]
    HalfWritten,
    /// A defect of ours.
    #[error("internal error")]
    Internal,
}

impl NotKept {
    /// What to do.
    fn help(&self) -> &'static str {
        match self {
            NotKept::HalfWritten => {
                "what is served may be half of what was meant; when the files are written: connectord reload"
            }
            NotKept::Shared(_) | NotKept::Busy | NotKept::System(_) | NotKept::Internal => {
                "without it a start needs files that load, and is compared with nothing; let the user that connectord runs as write there, or name another directory with --state-dir; then: connectord reload"
            }
        }
    }
}

impl From<io::Error> for NotKept {
    fn from(error: io::Error) -> NotKept {
        if error.kind() == io::ErrorKind::WouldBlock { NotKept::Busy } else { NotKept::System(error) }
    }
}

impl LastGood {
    /// That of a main file, in a state directory, which is made when it is needed.
    pub fn new(state_directory: PathBuf, main: &Path) -> LastGood {
        LastGood { state_directory, main: config::absolute(main), whole: None, told: None, outdated: None }
    }

    /// The file that is there and what it claims to be; `None` when there is none.
    pub(super) fn find(&self) -> Result<Option<Found>, NotUsed> {
        match Directory::open(&self.state_directory).map_err(NotUsed::Closed)? {
            Some(directory) => self.find_in(&directory),
            None => Ok(None),
        }
    }

    fn find_in(&self, directory: &Directory) -> Result<Option<Found>, NotUsed> {
        let (there, is_replaced) = match directory.file(NAME)? {
            Some(there) => (Some(there), false),
            None => (directory.file(REPLACED)?, true),
        };
        let Some((file, metadata)) = there else {
            return Ok(None);
        };
        if let Some(others) = directory.others() {
            return Err(NotUsed::Shared(others));
        }
        trusted(&metadata)?;
        let head = Head::read(&file)?;
        if head.main() != self.main {
            return Err(NotUsed::Other(head.main().to_owned()));
        }
        Ok(Some(Found { file, head, is_replaced }))
    }

    /// Loads what was found as the first generation.
    pub(super) fn load(found: Found) -> Result<Loaded, NotUsed> {
        let load = || Ok(loader::of_archive(Archive::open(found.file)?, 1)?);
        catch_unwind(AssertUnwindSafe(load)).unwrap_or(Err(NotUsed::Internal))
    }

    /// Lets nothing be taken for what was served last that is another configuration than this one,
    /// which is about to be served.
    pub(super) fn make_way(&mut self, for_: &Head) {
        let made = (|| {
            let directory = match Directory::open(&self.state_directory) {
                Ok(Some(directory)) => directory,
                Ok(None) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::NotADirectory => return Ok(()),
                Err(error) => return Err(error),
            };
            match self.find_in(&directory) {
                Ok(None) => Ok(()),
                Ok(Some(found)) if found.is_replaced || found.head.is_of_the_same(for_) => Ok(()),
                // Somebody tries something out beside a daemon that this belongs to.
                Err(NotUsed::Shared(Others::Owner(_))) if is_another_daemons(&directory, for_) => Ok(()),
                // What counts for nothing now could count again by the next start.
                Ok(Some(_)) | Err(_) => {
                    directory.set_aside(NAME, REPLACED).or_else(|_| directory.remove(NAME))
                }
            }
        })();
        let outdated = made.err().map(|error| error.to_string());
        if let Some(reason) = outdated.as_ref().filter(|_| outdated != self.outdated) {
            let path = self.state_directory.join(NAME).display().to_string();
            let help = "unless what is served can be kept there, remove it: a start whose files do not load would serve it, and it may be weaker";
            tracing::warn!(path, reason, help, "last_good_outdated");
        }
        self.outdated = outdated;
    }

    /// Keeps what is served now, unless it is there already. Files that may have been half-written
    /// are kept if they are `still_the_same`, which may wait until they are older.
    pub(super) fn keep(&mut self, files: &Files, still_the_same: impl FnOnce() -> bool) -> State {
        let is_whole = || !files.may_be_half_written() || still_the_same();
        let kept = catch_unwind(AssertUnwindSafe(|| self.replace(files, is_whole)));
        let path = self.state_directory.join(NAME).display().to_string();
        match kept.unwrap_or(Err(NotKept::Internal)) {
            Ok(was_there) => {
                let head = was_there.as_ref().unwrap_or_else(|| {
                    tracing::info!(path, sha256 = files.head().sha256(), "last_good_kept");
                    files.head()
                });
                self.told = None;
                State { kept: true, at: head.at().to_string(), ..State::default() }
            }
            Err(error) => {
                let reason = error.to_string();
                if self.told.as_ref() != Some(&reason) {
                    tracing::warn!(path, reason, help = error.help(), "last_good_not_kept");
                    self.told = Some(reason.clone());
                }
                // That the old one is no longer there is to outlast a failure of the system.
                if let Ok(Some(directory)) = Directory::open(&self.state_directory) {
                    let _ = directory.sync();
                }
                let there = self.find().ok().flatten().filter(|found| !found.is_replaced);
                let at = there.map(|found| found.head.at().to_string());
                State { at: at.unwrap_or_default(), problem: reason, ..State::default() }
            }
        }
    }

    /// Writes it, unless it is there already: then what is there.
    fn replace(&mut self, files: &Files, is_whole: impl FnOnce() -> bool) -> Result<Option<Head>, NotKept> {
        let directory = Directory::create(&self.state_directory)?;
        if let Some(others) = directory.others() {
            return Err(NotKept::Shared(others));
        }
        if let Ok(Some(Found { file, head, is_replaced: false })) = self.find_in(&directory)
            && head.is_of_the_same(files.head())
        {
            // Looked through once, for it is as large as the files.
            let there = file.metadata().ok().map(|metadata| identity(&metadata));
            let is_known = there.is_some() && there == self.whole;
            match if is_known { Ok(()) } else { Archive::open(file).map(drop) } {
                Ok(()) => {
                    self.whole = there;
                    return Ok(Some(head));
                }
                Err(error) => ignored(&NotUsed::Unusable(error)),
            }
        }
        if !is_whole() {
            return Err(NotKept::HalfWritten);
        }
        self.whole = None;
        directory.replace_alone(NAME, |out| files.write(out))?;
        self.whole = directory.file(NAME).ok().flatten().map(|(_, metadata)| identity(&metadata));
        // Beside the new one it counts for nothing.
        let _ = directory.remove(REPLACED);
        Ok(None)
    }
}

/// Whether what is there does not claim to be of the same main file as this, or claims to be the same.
fn is_another_daemons(directory: &Directory, this: &Head) -> bool {
    let there = directory.file(NAME).ok().flatten();
    let head = there.and_then(|(file, _)| Head::read(&file).ok());
    head.is_none_or(|head| head.main() != this.main() || head.is_of_the_same(this))
}

/// Logs that what is there counts for nothing.
pub(super) fn ignored(why: &NotUsed) {
    let help = why.help();
    tracing::warn!(reason = %why, help, "last_good_ignored");
}

/// Whether nobody but those who are trusted anyway can have written it.
fn trusted(metadata: &Metadata) -> Result<(), NotUsed> {
    let user = metadata.uid();
    if user != 0 && user != geteuid().as_raw() {
        return Err(NotUsed::Foreign(user));
    }
    let mode = metadata.mode() & 0o7777;
    if mode & WRITABLE_BY_OTHERS != 0 { Err(NotUsed::Exposed(mode)) } else { Ok(()) }
}
