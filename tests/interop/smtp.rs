//! The bytes of SMTP, for both ends: lines over a connection that may change to TLS.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};

use openssl::ssl::{Ssl, SslContext, SslStream};
use rustls::{ClientConnection, HandshakeKind, ServerConnection, StreamOwned};

use crate::condition::DEADLINE;

/// What a TLS session turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// `TLSv1_3`; from OpenSSL `TLSv1.3`
    pub version: String,
    pub resumed: bool,
}

enum Wire {
    Plain(TcpStream),
    Server(Box<StreamOwned<ServerConnection, TcpStream>>),
    Client(Box<StreamOwned<ClientConnection, TcpStream>>),
    /// For what rustls would not serve: any certificate, any version.
    OpenSsl(Box<SslStream<TcpStream>>),
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Wire::Plain(stream) => stream.read(buffer),
            Wire::Server(stream) => stream.read(buffer),
            Wire::Client(stream) => stream.read(buffer),
            Wire::OpenSsl(stream) => stream.read(buffer),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match self {
            Wire::Plain(stream) => stream.write(buffer),
            Wire::Server(stream) => stream.write(buffer),
            Wire::Client(stream) => stream.write(buffer),
            Wire::OpenSsl(stream) => stream.write(buffer),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Wire::Plain(stream) => stream.flush(),
            Wire::Server(stream) => stream.flush(),
            Wire::Client(stream) => stream.flush(),
            Wire::OpenSsl(stream) => stream.flush(),
        }
    }
}

/// A connection that speaks in lines.
pub struct Conversation(BufReader<Wire>);

impl Conversation {
    pub fn new(stream: TcpStream) -> io::Result<Conversation> {
        stream.set_read_timeout(Some(DEADLINE))?;
        stream.set_nodelay(true)?;
        Ok(Conversation(BufReader::new(Wire::Plain(stream))))
    }

    /// The next line without its end; an error when the other side is gone.
    pub fn line(&mut self) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        self.0.read_until(b'\n', &mut line)?;
        if line.pop() != Some(b'\n') {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        Ok(line)
    }

    /// That many bytes, which are not looked at.
    pub fn octets(&mut self, count: usize) -> io::Result<Vec<u8>> {
        let mut octets = vec![0; count];
        self.0.read_exact(&mut octets)?;
        Ok(octets)
    }

    /// A line as text.
    pub fn text(&mut self) -> io::Result<String> {
        Ok(String::from_utf8_lossy(&self.line()?).into_owned())
    }

    pub fn say(&mut self, line: &str) -> io::Result<()> {
        let wire = self.0.get_mut();
        wire.write_all(format!("{line}\r\n").as_bytes())?;
        wire.flush()
    }

    fn plain(self) -> io::Result<TcpStream> {
        match self.0.into_inner() {
            Wire::Plain(stream) => Ok(stream),
            Wire::Server(_) | Wire::Client(_) | Wire::OpenSsl(_) => Err(io::Error::other("TLS inside TLS")),
        }
    }

    /// Goes on over TLS as the server.
    pub fn accept_tls(self, mut connection: ServerConnection) -> io::Result<(Conversation, Session)> {
        let mut stream = self.plain()?;
        while connection.is_handshaking() {
            connection.complete_io(&mut stream)?;
        }
        let session = session(connection.protocol_version(), connection.handshake_kind());
        let wire = Wire::Server(Box::new(StreamOwned::new(connection, stream)));
        Ok((Conversation(BufReader::new(wire)), session))
    }

    /// The same with OpenSSL.
    pub fn accept_openssl(self, context: &SslContext) -> io::Result<(Conversation, Session)> {
        let stream = self.plain()?;
        let stream = Ssl::new(context)?.accept(stream).map_err(io::Error::other)?;
        let session = Session {
            version: stream.ssl().version_str().to_owned(),
            resumed: stream.ssl().session_reused(),
        };
        Ok((Conversation(BufReader::new(Wire::OpenSsl(Box::new(stream)))), session))
    }

    /// Goes on over TLS as the client.
    pub fn start_tls(self, mut connection: ClientConnection) -> io::Result<Conversation> {
        let mut stream = self.plain()?;
        while connection.is_handshaking() {
            connection.complete_io(&mut stream)?;
        }
        let wire = Wire::Client(Box::new(StreamOwned::new(connection, stream)));
        Ok(Conversation(BufReader::new(wire)))
    }

    /// Answers the client's hello with what no TLS library understands.
    pub fn break_handshake(self) -> io::Result<()> {
        let mut stream = self.plain()?;
        let mut hello = [0; 64];
        let _ = stream.read(&mut hello)?;
        stream.write_all(b"500 what did you say?\r\n")?;
        stream.shutdown(Shutdown::Write)
    }
}

fn session(version: Option<rustls::ProtocolVersion>, kind: Option<HandshakeKind>) -> Session {
    Session {
        version: format!("{:?}", version.expect("the handshake is over")),
        resumed: kind == Some(HandshakeKind::Resumed),
    }
}
