//! One SMTP conversation as a client, bounded in every direction.
//!
//! A reply has at most [`MAX_LINES`] lines of at most [`MAX_LINE`] bytes, all with the same code;
//! whatever is not of that form ends the conversation with a [`Trouble`]. Every reply and every
//! write has a deadline for the whole of it, so a peer that sends a byte a second gains nothing.
//! Replies are kept as they came; whoever shows them escapes them.
//!
//! Nothing is guessed: no pipelining, no second try. Bytes that a peer sends before the handshake
//! are thrown away, as Postfix does (smtp_proto.c:smtp_start_tls, `vstream_fpurge`).

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout};

use super::observation::Trouble;

/// Lines of a reply. Ours: the longest EHLO replies in public have about twenty.
pub const MAX_LINES: usize = 100;

/// Bytes of a line with its end: Postfix's `line_length_limit`.
pub const MAX_LINE: usize = 2048;

/// Bytes of a reply that are kept; the codes of the rest are still read.
const MAX_KEPT: usize = 8 * 1024;

/// How long things may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// One step: a write, or a whole reply.
    pub step: Duration,
    /// Everything.
    pub until: Instant,
}

impl Limits {
    /// Does one step, which begins now.
    ///
    /// # Errors
    /// [`Trouble::Timeout`] when it is not over in time.
    pub async fn in_time<T>(&self, work: impl Future<Output = T>) -> Result<T, Trouble> {
        let allowed = self.step.min(self.until.saturating_duration_since(Instant::now()));
        timeout(allowed, work).await.map_err(|_| Trouble::Timeout(Some(allowed)))
    }
}

/// A whole reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Its three digits.
    pub code: u16,
    /// The text behind the code, line by line, up to a bound.
    pub lines: Vec<String>,
}

impl Reply {
    /// Whether it is of the kind 2xx.
    pub fn is_positive(&self) -> bool {
        (200..300).contains(&self.code)
    }

    /// All of it, as it came.
    pub fn text(&self) -> String {
        let last = self.lines.len().saturating_sub(1);
        let line = |(i, text): (usize, &String)| {
            let mark = if i == last { ' ' } else { '-' };
            format!("{}{mark}{text}", self.code).trim_end().to_owned()
        };
        self.lines.iter().enumerate().map(line).collect::<Vec<_>>().join("\n")
    }

    /// The reply itself if it is positive.
    ///
    /// # Errors
    /// [`Trouble::Reply`] with its text if it is not.
    pub fn positive(self) -> Result<Reply, Trouble> {
        if self.is_positive() { Ok(self) } else { Err(Trouble::Reply(self.text())) }
    }
}

/// A client's end of a conversation.
pub struct Conversation<S> {
    stream: S,
    /// What has arrived and was not read yet: never more than one line and one read.
    arrived: Vec<u8>,
    limits: Limits,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Conversation<S> {
    /// Over a stream on which nothing was said yet.
    pub fn new(stream: S, limits: Limits) -> Self {
        Conversation { stream, arrived: Vec::new(), limits }
    }

    /// The stream; what has arrived on it and was not read is gone.
    pub fn into_stream(self) -> S {
        self.stream
    }

    /// Waits for one whole reply.
    ///
    /// # Errors
    /// [`Trouble`] when none comes in time, or what comes is none.
    pub async fn reply(&mut self) -> Result<Reply, Trouble> {
        let limits = self.limits;
        limits.in_time(self.whole_reply()).await.unwrap_or_else(Err)
    }

    /// Says one command, and waits for the reply.
    ///
    /// # Errors
    /// [`Trouble`] when it cannot be said, or no reply comes.
    pub async fn command(&mut self, command: &str) -> Result<Reply, Trouble> {
        self.send(format!("{command}\r\n").as_bytes()).await?;
        self.reply().await
    }

    /// Sends bytes.
    ///
    /// # Errors
    /// [`Trouble`] when they are not taken in time.
    pub async fn send(&mut self, bytes: &[u8]) -> Result<(), Trouble> {
        let limits = self.limits;
        let sent = limits.in_time(async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        });
        sent.await?.map_err(|error| of_io(&error))
    }

    async fn whole_reply(&mut self) -> Result<Reply, Trouble> {
        let mut reply: Option<Reply> = None;
        let mut kept = 0;
        for _ in 0..MAX_LINES {
            let line = self.line().await?;
            let (code, more, text) = parts(&line)?;
            let reply = reply.get_or_insert_with(|| Reply { code, lines: Vec::new() });
            if reply.code != code {
                return Err(Trouble::Protocol("the lines of a reply have different codes".to_owned()));
            }
            kept += line.len();
            if kept <= MAX_KEPT || reply.lines.is_empty() {
                reply.lines.push(String::from_utf8_lossy(text).into_owned());
            }
            if !more {
                return Ok(reply.clone());
            }
        }
        Err(Trouble::Protocol(format!("a reply of more than {MAX_LINES} lines")))
    }

    /// The next line without its end.
    async fn line(&mut self) -> Result<Vec<u8>, Trouble> {
        loop {
            let end = self.arrived.iter().take(MAX_LINE).position(|&byte| byte == b'\n');
            if let Some(end) = end {
                let mut line: Vec<u8> = self.arrived.drain(..=end).collect();
                line.pop();
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                return Ok(line);
            }
            if self.arrived.len() >= MAX_LINE {
                return Err(Trouble::Protocol(format!("a line of more than {MAX_LINE} bytes")));
            }
            let mut read = [0; MAX_LINE];
            let count = self.stream.read(&mut read).await.map_err(|error| of_io(&error))?;
            if count == 0 {
                return Err(Trouble::Closed);
            }
            self.arrived.extend(read.iter().take(count));
        }
    }
}

/// Code, whether more lines follow, text.
fn parts(line: &[u8]) -> Result<(u16, bool, &[u8]), Trouble> {
    let not_smtp = || {
        let shown: String = String::from_utf8_lossy(line).chars().take(200).collect();
        Trouble::Protocol(format!("no SMTP reply: {shown}"))
    };
    let (digits, rest) = line.split_at_checked(3).ok_or_else(not_smtp)?;
    let code = digits
        .iter()
        .try_fold(0u16, |code, digit| digit.is_ascii_digit().then(|| code * 10 + u16::from(digit - b'0')))
        .filter(|code| (200..600).contains(code))
        .ok_or_else(not_smtp)?;
    match rest.split_first() {
        None => Ok((code, false, rest)),
        Some((b' ', text)) => Ok((code, false, text)),
        Some((b'-', text)) => Ok((code, true, text)),
        Some(_) => Err(not_smtp()),
    }
}

/// What an error of the system means for a session.
pub fn of_io(error: &io::Error) -> Trouble {
    let kind = error.kind();
    if matches!(kind, io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe) {
        Trouble::Closed
    } else if kind == io::ErrorKind::TimedOut {
        Trouble::Timeout(None)
    } else {
        Trouble::System(words(error))
    }
}

/// `Connection refused`, without the number behind it.
fn words(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use tokio::io::DuplexStream;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn run<T>(future: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(future)
    }

    fn conversation(step: Duration) -> (Conversation<DuplexStream>, DuplexStream) {
        let (ours, theirs) = tokio::io::duplex(1 << 20);
        (Conversation::new(ours, Limits { step, until: Instant::now() + LONG }), theirs)
    }

    /// What the client makes of a peer that says this and then closes.
    fn heard(said: &[u8]) -> Result<Reply, Trouble> {
        run(async {
            let (mut client, mut peer) = conversation(LONG);
            peer.write_all(said).await.expect("room in the pipe");
            drop(peer);
            client.reply().await
        })
    }

    #[test]
    fn replies() {
        let reply = |code, lines: &[&str]| {
            Ok(Reply { code, lines: lines.iter().map(|line| (*line).to_owned()).collect() })
        };
        let not_smtp = |text: &str| Err(Trouble::Protocol(format!("no SMTP reply: {text}")));
        let lines = |count: usize| "250-x\r\n".repeat(count) + "250 x\r\n";
        let table: &[(&str, &[u8], Result<Reply, Trouble>)] = &[
            ("one line", b"220 mx ESMTP\r\n", reply(220, &["mx ESMTP"])),
            ("bare line end", b"220 mx\n", reply(220, &["mx"])),
            ("no text", b"250\r\n", reply(250, &[""])),
            (
                "several lines",
                b"250-mx\r\n250-STARTTLS\r\n250 HELP\r\n",
                reply(250, &["mx", "STARTTLS", "HELP"]),
            ),
            ("only the first reply", b"220 a\r\n220 b\r\n", reply(220, &["a"])),
            ("no UTF-8", b"550 \xff\r\n", reply(550, &["\u{fffd}"])),
            ("nothing", b"", Err(Trouble::Closed)),
            ("cut in a line", b"220 mx", Err(Trouble::Closed)),
            ("cut between lines", b"250-mx\r\n", Err(Trouble::Closed)),
            ("HTTP", b"HTTP/1.1 400 Bad Request\r\n", not_smtp("HTTP/1.1 400 Bad Request")),
            ("TLS", b"\x15\x03\x01\0\x02\x02\x50\r\n", not_smtp("\x15\x03\x01\0\x02\x02\x50")),
            ("two digits", b"22 mx\r\n", not_smtp("22 mx")),
            ("four digits", b"2200 mx\r\n", not_smtp("2200 mx")),
            ("too great", b"650 mx\r\n", not_smtp("650 mx")),
            ("too small", b"120 mx\r\n", not_smtp("120 mx")),
            ("empty line", b"\r\n", not_smtp("")),
            (
                "codes differ",
                b"250-mx\r\n550 no\r\n",
                Err(Trouble::Protocol("the lines of a reply have different codes".to_owned())),
            ),
        ];
        for (name, said, expected) in table {
            assert_eq!(heard(said), *expected, "{name}");
        }
        assert_eq!(heard(lines(99).as_bytes()).map(|reply| reply.lines.len()), Ok(100));
        let too_many = Trouble::Protocol("a reply of more than 100 lines".to_owned());
        assert_eq!(heard(lines(100).as_bytes()), Err(too_many));
    }

    #[test]
    fn long_lines() {
        let line = |length: usize| [b"250 ".as_slice(), &vec![b'x'; length - 6], b"\r\n"].concat();
        assert_eq!(heard(&line(2048)).map(|reply| reply.text().len()), Ok(2046));
        let too_long = Err(Trouble::Protocol("a line of more than 2048 bytes".to_owned()));
        for length in [2049, 100_000] {
            assert_eq!(heard(&line(length)), too_long, "{length}");
        }
        let endless = vec![b'2'; 100_000];
        assert_eq!(heard(&endless), too_long);
    }

    #[test]
    fn a_long_reply_is_kept_in_part() {
        let line = format!("250-{}\r\n", "x".repeat(1000));
        let reply = heard((line.repeat(50) + "250 end\r\n").as_bytes()).expect("a reply");
        assert_eq!(reply.lines.len(), 8);
    }

    #[test]
    fn a_peer_that_never_answers_or_drips_runs_into_the_deadline() {
        let step = Duration::from_millis(20);
        run(async {
            let (mut client, peer) = conversation(step);
            assert_eq!(client.reply().await, Err(Trouble::Timeout(Some(step))), "silence");
            drop(peer);
        });
        run(async {
            let (mut client, mut peer) = conversation(step);
            let dripping = tokio::spawn(async move {
                // Each byte comes well within a step, the end of the line never.
                let mut interval = tokio::time::interval(step / 10);
                while peer.write_all(b"2").await.is_ok() {
                    interval.tick().await;
                }
            });
            let heard = client.reply().await;
            assert_eq!(heard, Err(Trouble::Timeout(Some(step))));
            drop(client);
            dripping.await.expect("the peer ends");
        });
        run(async {
            let (ours, _peer) = tokio::io::duplex(16);
            let limits = Limits { step, until: Instant::now() + LONG };
            let mut client = Conversation::new(ours, limits);
            assert_eq!(client.send(&[b'x'; 100]).await, Err(Trouble::Timeout(Some(step))), "nobody reads");
        });
        let over = Limits { step: LONG, until: Instant::now() };
        run(async {
            let (ours, _peer) = tokio::io::duplex(16);
            let heard = Conversation::new(ours, over).reply().await;
            assert_eq!(heard, Err(Trouble::Timeout(Some(Duration::ZERO))), "no time left");
        });
    }

    #[test]
    fn what_came_before_the_handshake_is_thrown_away() {
        run(async {
            let (mut client, mut peer) = conversation(LONG);
            peer.write_all(b"220 go ahead\r\n250 injected\r\n").await.expect("room in the pipe");
            assert_eq!(client.reply().await.map(|reply| reply.code), Ok(220));
            let mut stream = client.into_stream();
            peer.write_all(b"tls").await.expect("room in the pipe");
            let mut next = [0; 3];
            stream.read_exact(&mut next).await.expect("three bytes");
            assert_eq!(&next, b"tls");
        });
    }

    #[test]
    fn text_is_written_as_it_came() {
        let table = [
            ("250-a\r\n250 b\r\n", "250-a\n250 b"),
            ("550\r\n", "550"),
            ("421 4.3.2 no\r\n", "421 4.3.2 no"),
        ];
        for (said, text) in table {
            assert_eq!(heard(said.as_bytes()).map(|reply| reply.text()).as_deref(), Ok(text));
        }
        let refused = heard(b"550-a\r\n550 b\r\n").and_then(Reply::positive);
        assert_eq!(refused, Err(Trouble::Reply("550-a\n550 b".to_owned())));
    }
}
