//! Where results go.
//!
//! A reader that has seen enough (`connectord list | head`) closes its end: what comes after is
//! dropped, and the command still ends with its own exit code. Any other error of writing is
//! returned, because a result that is cut short must not look like a whole one.

use std::fmt;
use std::io::{self, BufWriter, Write};

use serde::Serialize;

/// Buffered results.
pub struct Output {
    inner: BufWriter<Box<dyn Write>>,
    closed: bool,
}

impl Output {
    /// Writes to stdout.
    pub fn stdout() -> Self {
        Output::to(io::stdout())
    }

    fn to(writer: impl Write + 'static) -> Self {
        Output { inner: BufWriter::new(Box::new(writer)), closed: false }
    }

    /// One JSON value and a line feed.
    ///
    /// # Errors
    /// What writing says, less that the reader has gone.
    pub fn json(&mut self, value: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut *self, value).map_err(io::Error::from)?;
        self.write_all(b"\n")
    }

    /// Writes out what is buffered.
    ///
    /// # Errors
    /// What writing says, less that the reader has gone.
    pub fn finish(&mut self) -> io::Result<()> {
        self.flush()
    }

    /// Whether the reader has gone, and something was dropped for it.
    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Takes note of a reader that has gone.
    fn unless_closed<T>(&mut self, result: io::Result<T>, otherwise: T) -> io::Result<T> {
        match result {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(otherwise)
            }
            result => result,
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.closed {
            return Ok(bytes.len());
        }
        let result = self.inner.write(bytes);
        self.unless_closed(result, bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.closed {
            return Ok(());
        }
        let result = self.inner.flush();
        self.unless_closed(result, ())
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Output").field("closed", &self.closed).finish_non_exhaustive()
    }
}

/// A line for people, on stderr. There is nobody left to tell when that fails.
pub(super) fn talk(text: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// A question for whoever is at the terminal, on stderr, without an end of line.
pub(super) fn prompt(text: fmt::Arguments<'_>) {
    let mut stderr = io::stderr();
    let _ = write!(stderr, "{text}").and_then(|()| stderr.flush());
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    struct Refusing(io::ErrorKind);

    impl Write for Refusing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_has_gone_is_no_error() {
        let mut out = Output::to(Refusing(io::ErrorKind::BrokenPipe));
        for _ in 0..3 {
            out.write_all(&[b'x'; 10_000]).unwrap();
        }
        out.finish().unwrap();
        assert!(out.is_closed());
    }

    #[test]
    fn a_full_disk_is_one() {
        let mut out = Output::to(Refusing(io::ErrorKind::StorageFull));
        out.json(&1).unwrap();
        assert_eq!(out.finish().unwrap_err().kind(), io::ErrorKind::StorageFull);
    }
}
