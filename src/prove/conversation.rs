//! One SMTP session with a server of a proof, in lines, in plaintext and then over TLS.

use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::TcpStream;

use openssl::ssl::{Ssl, SslContext, SslStream};

/// The header that has the number of a probe: recipients may be rewritten on the way.
pub const HEADER: &str = "X-Connectord-Probe";

/// Longer lines end a connection (RFC 5321 section 4.5.3.1.6 allows 1 000).
const LONGEST: u64 = 4096;

/// A larger message ends a connection.
const LARGEST: usize = 1 << 20;

pub(super) enum Wire {
    Plain(TcpStream),
    Tls(Box<SslStream<TcpStream>>),
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Wire::Plain(stream) => stream.read(buffer),
            Wire::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match self {
            Wire::Plain(stream) => stream.write(buffer),
            Wire::Tls(stream) => stream.write(buffer),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Wire::Plain(stream) => stream.flush(),
            Wire::Tls(stream) => stream.flush(),
        }
    }
}

/// A session in lines.
pub(super) struct Conversation(BufReader<Wire>);

impl Conversation {
    pub(super) fn new(wire: Wire) -> Conversation {
        Conversation(BufReader::new(wire))
    }

    /// The next line without its end.
    pub(super) fn line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        self.0.by_ref().take(LONGEST).read_until(b'\n', &mut line)?;
        if line.pop() != Some(b'\n') {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        Ok(String::from_utf8_lossy(&line).into_owned())
    }

    pub(super) fn say(&mut self, line: &str) -> io::Result<()> {
        let wire = self.0.get_mut();
        wire.write_all(format!("{line}\r\n").as_bytes())?;
        wire.flush()
    }

    /// All lines to the dot; the number of the probe that it is. A bounce has the header of what it is about in its text.
    pub(super) fn message(&mut self) -> io::Result<Option<usize>> {
        let (mut size, mut probe, mut is_header) = (0, None, true);
        loop {
            let line = self.line()?;
            size += line.len();
            if line == "." {
                return Ok(probe);
            }
            if size > LARGEST {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
            is_header &= !line.is_empty();
            if let Some((name, value)) = line.split_once(": ")
                && is_header
                && probe.is_none()
                && name.eq_ignore_ascii_case(HEADER)
            {
                probe = value.trim().parse().ok();
            }
        }
    }

    fn plain(self) -> io::Result<TcpStream> {
        match self.0.into_inner() {
            Wire::Plain(stream) => Ok(stream),
            Wire::Tls(_) => Err(io::Error::other("TLS in TLS")),
        }
    }

    /// Goes on over TLS; its version.
    pub(super) fn accept(self, context: &SslContext) -> io::Result<(Conversation, String)> {
        let stream = Ssl::new(context)?.accept(self.plain()?).map_err(io::Error::other)?;
        let version = stream.ssl().version_str().to_owned();
        Ok((Conversation::new(Wire::Tls(Box::new(stream))), version))
    }

    /// Says that nothing comes any more, and waits for the same (RFC 8446 section 6.1): else the client takes the connection
    /// for cut off, and logs that.
    pub(super) fn end(mut self) -> io::Result<()> {
        if let Wire::Tls(stream) = self.0.get_mut() {
            stream.shutdown().map_err(io::Error::other)?;
            self.0.by_ref().take(LONGEST).read_to_end(&mut Vec::new())?;
        }
        Ok(())
    }

    /// Answers the client's hello with what is no TLS.
    pub(super) fn break_off(self) -> io::Result<()> {
        let mut stream = self.plain()?;
        let _ = stream.read(&mut [0; 64])?;
        stream.write_all(b"500 what did you say?\r\n")?;
        stream.shutdown(std::net::Shutdown::Write)
    }
}
