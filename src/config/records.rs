//! The records that an archive consists of, one after the other, as they are read.
//!
//! Nothing is believed: a number is only a number of bytes when they are there, and what was read
//! counts when the digest at the end fits.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _};

use sha2::{Digest, Sha256};

use super::archive::Unusable;
use super::hex;

/// The first line.
pub(super) const MAGIC: &str = "connectord last good 1\n";

/// The first line of every version, up to its number.
pub(super) const EVERY_MAGIC: &str = "connectord last good ";

/// Bytes of the line that a record begins with.
const MAX_LINE: u64 = 100;

/// The words of records that are no file.
pub(super) mod word {
    pub const BY: &str = "by";
    pub const AT: &str = "at";
    pub const SHA256: &str = "sha256";
    pub const NAMES: &str = "names";
    pub const OF: &str = "of";
    pub const IN: &str = "in";
    pub const WEAKER: &str = "weaker";
    pub const ENTRIES: &str = "entries";
    pub const MATCH: &str = "match";
    pub const SAME: &str = "same";
    pub const END: &str = "end";
}

/// The line that a record begins with.
pub(super) struct Start {
    /// What it is.
    pub word: String,
    /// Bytes of the name.
    pub name: u64,
    /// Bytes of the content.
    pub content: u64,
}

/// A file read from its beginning, with the digest of what was read.
pub(super) struct Records<'f> {
    input: BufReader<&'f File>,
    digest: Sha256,
    /// How many bytes were read.
    pub offset: u64,
}

impl<'f> Records<'f> {
    /// From the beginning of a file, whose first line must be ours.
    pub fn begin(file: &'f File) -> Result<Self, Unusable> {
        let mut input = BufReader::with_capacity(64 << 10, file);
        input.rewind().map_err(Unusable::System)?;
        let mut records = Records { input, digest: Sha256::new(), offset: 0 };
        let first = records.line()?;
        match first.strip_prefix(EVERY_MAGIC).and_then(|rest| rest.strip_suffix('\n')) {
            Some(_) if first == MAGIC => Ok(records),
            Some(format) if format.bytes().all(|byte| byte.is_ascii_digit()) => {
                Err(Unusable::OtherFormat(format.to_owned()))
            }
            Some(_) | None => Err(Unusable::Damaged),
        }
    }

    /// The line that the next record begins with.
    pub fn start(&mut self) -> Result<Start, Unusable> {
        let line = self.line()?;
        let mut parts = line.trim_end_matches('\n').split(' ');
        let mut part = || parts.next().ok_or(Unusable::Damaged);
        let word = part()?.to_owned();
        let mut number = || part()?.parse().map_err(|_| Unusable::Damaged);
        Ok(Start { word, name: number()?, content: number()? })
    }

    /// The last line, behind which nothing may be.
    pub fn end(mut self) -> Result<(), Unusable> {
        let expected = format!("{} {}\n", word::END, hex(&self.digest.clone().finalize()));
        if self.line()? != expected {
            return Err(Unusable::Damaged);
        }
        match self.input.read(&mut [0]) {
            Ok(0) => Ok(()),
            Ok(_) => Err(Unusable::Damaged),
            Err(error) => Err(Unusable::System(error)),
        }
    }

    fn line(&mut self) -> Result<String, Unusable> {
        let mut line = Vec::new();
        let read = self.input.by_ref().take(MAX_LINE).read_until(b'\n', &mut line);
        read.map_err(Unusable::System)?;
        if line.last() != Some(&b'\n') {
            return Err(Unusable::Damaged);
        }
        self.seen(&line);
        String::from_utf8(line).map_err(|_| Unusable::Damaged)
    }

    /// The end of a record.
    pub fn line_end(&mut self) -> Result<(), Unusable> {
        if self.bytes(1)? == b"\n" { Ok(()) } else { Err(Unusable::Damaged) }
    }

    /// So many bytes; they are there before there is memory for them.
    pub fn bytes(&mut self, length: u64) -> Result<Vec<u8>, Unusable> {
        let mut bytes = Vec::new();
        self.input.by_ref().take(length).read_to_end(&mut bytes).map_err(Unusable::System)?;
        if u64::try_from(bytes.len()) != Ok(length) {
            return Err(Unusable::Damaged);
        }
        self.seen(&bytes);
        Ok(bytes)
    }

    /// Passes over so many bytes.
    pub fn skip(&mut self, length: u64) -> Result<(), Unusable> {
        let mut left = length;
        while left > 0 {
            let buffered = match self.input.fill_buf() {
                Ok([]) => return Err(Unusable::Damaged),
                Ok(buffered) => buffered,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Unusable::System(error)),
            };
            let most = usize::try_from(left).unwrap_or(usize::MAX);
            let part = buffered.get(..most).unwrap_or(buffered);
            let count = part.len();
            self.digest.update(part);
            self.input.consume(count);
            let count = u64::try_from(count).unwrap_or(u64::MAX);
            self.offset = self.offset.saturating_add(count);
            left = left.saturating_sub(count);
        }
        Ok(())
    }

    fn seen(&mut self, bytes: &[u8]) {
        self.digest.update(bytes);
        self.offset = self.offset.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
    }
}
