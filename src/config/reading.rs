//! One reading of the configuration: the files it took, and what was found in them.
//!
//! Every file goes through here, so that the limits hold over all of them, each is read once, and
//! the digest of the effective configuration covers what was really used. Problems are added as
//! they are found and nothing stops at one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::file::{Contents, Exposure, Unreadable, YOUNG};
use super::files::{Content, Files, Taken};
use super::hex;
use super::origin::Origin;
use super::problem::{Cause, Problem, Problems, shown};
use super::role::Role;
use super::server::WeakerReload;
use super::source::{Place, Source};
use crate::model::certificate::{Certificate, pem};
use crate::model::requirement::CaFile;

/// Bytes of all files together; a file beyond is refused.
pub(super) const MAX_TOTAL: u64 = 256 << 20;

/// A PEM file with at least one certificate.
#[derive(Debug)]
pub(super) struct PemFile {
    /// The file as named, relative to the working directory.
    pub path: PathBuf,
    /// Its certificates, in its order; never empty.
    pub certificates: Vec<Certificate>,
    /// The file as a set of trust anchors.
    pub anchors: Arc<CaFile>,
}

/// A file that may still be half-written.
#[derive(Debug)]
struct Young {
    path: PathBuf,
    role: Role,
    named: Option<Place>,
    until: SystemTime,
    sha256: [u8; 32],
}

/// Files and findings of one reading.
#[derive(Debug)]
pub(super) struct Reading {
    /// The time that certificates are judged by.
    pub now: Timestamp,
    /// Text files, in the order of reading; a [`Place`] refers to one by its rank.
    pub sources: Vec<Arc<Source>>,
    /// What stands in the way.
    pub problems: Problems,
    /// What does not.
    pub warnings: Problems,
    /// Whether Postfix can ask at all, on the sockets that are written.
    pub postfix_asks: bool,
    origin: Origin,
    taken: Taken,
    digest: Sha256,
    total: u64,
    pem: BTreeMap<PathBuf, Option<Arc<PemFile>>>,
    young: Vec<Young>,
    exposed: Vec<(PathBuf, Exposure)>,
}

impl Reading {
    /// Nothing read yet.
    pub fn new(now: Timestamp, origin: Origin) -> Self {
        Reading {
            now,
            sources: Vec::new(),
            problems: Problems::default(),
            warnings: Problems::default(),
            postfix_asks: true,
            origin,
            taken: Taken::default(),
            digest: Sha256::new_with_prefix(b"connectord configuration 1\n"),
            total: 0,
            pem: BTreeMap::new(),
            young: Vec::new(),
            exposed: Vec::new(),
        }
    }

    /// Something that stands in the way.
    pub fn problem(&mut self, place: Place, message: impl Into<String>, help: impl Into<String>) {
        if self.problems.is_full() {
            self.problems.count();
        } else {
            let problem = self.finding(place, message.into(), help.into());
            self.problems.add(problem);
        }
    }

    /// Something to know that does not stand in the way.
    pub fn warn(&mut self, place: Place, message: impl Into<String>, help: impl Into<String>) {
        if self.warnings.is_full() {
            self.warnings.count();
        } else {
            let warning = self.finding(place, message.into(), help.into());
            self.warnings.add(warning);
        }
    }

    /// As [`Reading::warn`], about a file as a whole.
    pub fn warn_of_file(&mut self, path: &Path, message: &str, help: &str) {
        let warning = self.about_file(path, message.to_owned(), help.to_owned(), Cause::Configuration);
        self.warnings.add(warning);
    }

    fn finding(&self, place: Place, message: String, help: String) -> Problem {
        finding(&self.sources, place, message, help)
    }

    fn about_file(&self, path: &Path, message: String, help: String, cause: Cause) -> Problem {
        Problem {
            file: path.display().to_string().into(),
            line: 0,
            column: 0,
            message,
            help,
            source_line: None,
            cause,
            order: self.sources.len(),
        }
    }

    /// Reads a text file. What is wrong with it is shown at `named`, the place that names it, or
    /// for the main file by itself.
    pub fn text(&mut self, path: &Path, role: Role, named: Option<Place>) -> Option<(usize, Arc<Source>)> {
        let bytes = self.bytes(path, role, named)?;
        if let Some(message) = other_encoding(&bytes) {
            let problem = self.about_file(
                path,
                message.to_owned(),
                "save the file as UTF-8".to_owned(),
                Cause::Configuration,
            );
            self.problems.add(problem);
            return None;
        }
        let rank = self.sources.len();
        match String::from_utf8(bytes) {
            Ok(mut text) => {
                let mark = text.starts_with('\u{feff}');
                if mark {
                    text.drain(..'\u{feff}'.len_utf8());
                }
                let mut source = Source::new(path.to_owned(), text);
                source.mark = mark;
                let source = Arc::new(source);
                self.sources.push(Arc::clone(&source));
                self.take(role, path, Content::Text(Arc::clone(&source)), named);
                Some((rank, source))
            }
            Err(error) => {
                let at = error.utf8_error().valid_up_to();
                let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
                self.sources.push(Arc::new(Source::new(path.to_owned(), text)));
                self.problem(Place::new(rank, at..at + 1), "this is not UTF-8", "save the file as UTF-8");
                None
            }
        }
    }

    /// Reads a PEM file, or has it at hand. What is wrong with it is shown at `named`.
    pub fn pem(&mut self, path: &Path, named: Place) -> Option<Arc<PemFile>> {
        let identity = self.identity(path);
        // What could not be read is read again: the problem belongs to this place too.
        if let Some(Some(known)) = self.pem.get(&identity) {
            return Some(Arc::clone(known));
        }
        let bytes = self.bytes(path, Role::Pem, Some(named))?;
        let file = match pem::certificates(&bytes) {
            Ok(certificates) => {
                let anchors = CaFile {
                    path: self.origin.absolute(path),
                    sha256: hex(&Sha256::digest(&bytes)),
                    pem: bytes,
                    certificates: certificates.iter().map(Certificate::fingerprint).collect(),
                };
                let anchors = Arc::new(anchors);
                let file = Arc::new(PemFile { path: path.to_owned(), certificates, anchors });
                self.take(Role::Pem, path, Content::Pem(Arc::clone(&file)), Some(named));
                Some(file)
            }
            Err(error) => {
                let message = format!("{}: {error}", shown(&path.display().to_string()));
                self.problem(named, message, "the file must hold certificates as PEM, and nothing else");
                None
            }
        };
        self.pem.insert(identity, file.clone());
        file
    }

    fn bytes(&mut self, path: &Path, role: Role, named: Option<Place>) -> Option<Vec<u8>> {
        match self.origin.read(role, path) {
            Ok(Contents { bytes, young_until, exposures }) => {
                let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
                self.total = self.total.saturating_add(length);
                if self.total > MAX_TOTAL {
                    self.unreadable(path, named, &Unreadable::TooLargeTogether(MAX_TOTAL));
                    return None;
                }
                for exposure in exposures {
                    self.exposure(path, exposure);
                }
                self.digest.update(format!("{} {length}\n", role.word()));
                self.digest.update(&bytes);
                if let Some(until) = young_until {
                    let sha256 = Sha256::digest(&bytes).into();
                    self.young.push(Young { path: path.to_owned(), role, named, until, sha256 });
                }
                Some(bytes)
            }
            Err(error) => {
                self.unreadable(path, named, &error);
                None
            }
        }
    }

    /// Remembers a file for the archive. One that is used twice must be the same both times.
    fn take(&mut self, role: Role, path: &Path, content: Content, named: Option<Place>) {
        if !self.taken.file(role, path, content) {
            self.unreadable(path, named, &Unreadable::Changing);
        }
    }

    /// A name that every path to a file has in common: the path itself if there is none.
    pub fn identity(&mut self, path: &Path) -> PathBuf {
        let identity = self.origin.identity(path);
        self.taken.identity(path, &identity);
        identity
    }

    /// The file that is read as if it were there.
    pub fn planned(&self) -> Option<&Path> {
        self.origin.planned()
    }

    /// The files that an `include` pattern means: known, or as `look` finds them.
    pub fn matching(&mut self, pattern: &str, look: impl FnOnce(&mut Self) -> Vec<PathBuf>) -> Vec<PathBuf> {
        let paths = self.origin.matching(pattern).unwrap_or_else(|| look(self));
        self.taken.matching(pattern, &paths);
        paths
    }

    /// Reads the files that were young once more, when none is any longer, and tells of those that
    /// are not what they were. `pause` waits for that, once and not longer than [`YOUNG`].
    pub fn settle(&mut self, pause: &mut dyn FnMut(Duration)) {
        let young = std::mem::take(&mut self.young);
        let Some(until) = young.iter().map(|file| file.until).max() else {
            return;
        };
        if let Ok(rest) = until.duration_since(SystemTime::now()) {
            pause(rest.min(YOUNG));
        }
        for file in young {
            match self.origin.read(file.role, &file.path) {
                Ok(contents) if Sha256::digest(&contents.bytes)[..] == file.sha256 => {}
                Ok(_) => self.unreadable(&file.path, file.named, &Unreadable::Changing),
                Err(error) => self.unreadable(&file.path, file.named, &error),
            }
        }
    }

    fn unreadable(&mut self, path: &Path, named: Option<Place>, error: &Unreadable) {
        let problem = match named {
            Some(place) => {
                let message = format!("{}: {error}", shown(&path.display().to_string()));
                self.finding(place, message, error.help().to_owned())
            }
            None => {
                let cause = match error {
                    Unreadable::Missing => Cause::MissingFile,
                    Unreadable::Permission => Cause::Permission,
                    Unreadable::Directory
                    | Unreadable::Special(_)
                    | Unreadable::TooLarge(_)
                    | Unreadable::TooLargeTogether(_)
                    | Unreadable::Changing
                    | Unreadable::Other(_) => Cause::Configuration,
                };
                self.about_file(path, error.to_string(), error.help().to_owned(), cause)
            }
        };
        self.problems.add(problem);
    }

    fn exposure(&mut self, path: &Path, exposure: Exposure) {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let (path, what, who) = match exposure {
            Exposure::World => (path, "file", "o"),
            Exposure::Group => (path, "file", "g"),
            Exposure::WorldDirectory => (parent, "directory", "o"),
            Exposure::GroupDirectory => (parent, "directory", "g"),
        };
        let key = (path.to_owned(), exposure);
        if self.exposed.contains(&key) {
            return;
        }
        self.exposed.push(key);
        let whom = if who == "o" { "everybody" } else { "its group" };
        let message = format!("{whom} can write this {what}, and so decide which mail needs TLS");
        let help = format!("chmod {who}-w {}", path.display());
        let finding = self.about_file(path, message, help, Cause::Configuration);
        if who == "o" { self.problems.add(finding) } else { self.warnings.add(finding) }
    }

    /// The digest of all that was read, in lower-case hex, and the files.
    pub fn files(&mut self, weaker_reload: WeakerReload) -> (String, Files) {
        let sha256 = hex(&self.digest.clone().finalize());
        let mut files = std::mem::take(&mut self.taken).files(self.now, &sha256, weaker_reload);
        // Those that were looked at again are young no more.
        files.is_young = !self.young.is_empty();
        (sha256, files)
    }
}

/// A problem at a place in one of these files.
pub(super) fn finding(sources: &[Arc<Source>], place: Place, message: String, help: String) -> Problem {
    let source = sources.get(place.source);
    let (line, column) = source.map_or((0, 0), |source| source.position(place.start));
    Problem {
        file: source.map_or_else(|| "".into(), |source| Arc::clone(&source.name)),
        line,
        column,
        message,
        help,
        source_line: source.map(|source| source.line(place)),
        cause: Cause::Configuration,
        order: place.source,
    }
}

/// UTF-16 and UTF-32, which editors of other systems write, told by their mark or by the zero
/// bytes of their first letters.
fn other_encoding(bytes: &[u8]) -> Option<&'static str> {
    let marked = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
    let zeros = bytes.iter().take(4).any(|&byte| byte == 0) && bytes.iter().take(4).any(|&byte| byte != 0);
    (marked || zeros).then_some("this is UTF-16 or UTF-32, not UTF-8")
}
