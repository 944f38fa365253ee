//! The control socket's commands, by which `connectord status` and `connectord reload` talk to the daemon.
//!
//! Promises: one line in, `status`, `metrics`, `reload` or `reload accept-weaker`, ended by a line feed; both ends use this
//! file. What comes back, one JSON object and a line feed, or of `metrics` an [`exposition`](super::exposition), is not
//! this file's business.
//!
//! Refuses: any other line to the letter (case, blanks, a carriage return), and a line that does not end in time.

use super::Error;

/// The longest line with its line feed. Ours: a longer one closes the connection.
pub const LINE_LIMIT: usize = 64;

/// What an administrator asks a running daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Say how you are.
    Status,
    /// The same for Prometheus.
    Metrics,
    /// Load the configuration anew, and say what came of it.
    Reload {
        /// Take the new configuration although it demands less than the old one.
        accept_weaker: bool,
    },
}

impl Command {
    const ALL: [Self; 4] = [
        Self::Status,
        Self::Metrics,
        Self::Reload { accept_weaker: false },
        Self::Reload { accept_weaker: true },
    ];

    const fn line(self) -> &'static str {
        match self {
            Self::Status => "status\n",
            Self::Metrics => "metrics\n",
            Self::Reload { accept_weaker: false } => "reload\n",
            Self::Reload { accept_weaker: true } => "reload accept-weaker\n",
        }
    }
}

/// Decodes the command that `buffer` begins with, and how many bytes it takes. `None`: the line has not ended yet.
///
/// # Errors
/// [`Error::CommandUnknown`] for another line, [`Error::CommandTooLong`] for one without an end in [`LINE_LIMIT`] bytes.
pub fn decode(buffer: &[u8]) -> Result<Option<(Command, usize)>, Error> {
    let window = buffer.get(..LINE_LIMIT).unwrap_or(buffer);
    match window.split_inclusive(|&byte| byte == b'\n').next() {
        Some(line) if line.ends_with(b"\n") => Command::ALL
            .into_iter()
            .find(|command| command.line().as_bytes() == line)
            .map(|command| Some((command, line.len())))
            .ok_or(Error::CommandUnknown),
        _ if window.len() == LINE_LIMIT => Err(Error::CommandTooLong { limit: LINE_LIMIT }),
        _ => Ok(None),
    }
}

/// Appends `command` to `out` as its line.
pub fn encode(command: Command, out: &mut Vec<u8>) {
    out.extend_from_slice(command.line().as_bytes());
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::type_complexity)]

    use proptest::prelude::*;

    use super::super::pieces;
    use super::*;

    const RELOAD: Command = Command::Reload { accept_weaker: false };

    #[test]
    fn accepted_and_refused() {
        let long = Error::CommandTooLong { limit: LINE_LIMIT };
        let table: &[(&str, &[u8], Result<Option<(Command, usize)>, Error>)] = &[
            ("status", b"status\n", Ok(Some((Command::Status, 7)))),
            ("metrics", b"metrics\n", Ok(Some((Command::Metrics, 8)))),
            ("reload", b"reload\n", Ok(Some((RELOAD, 7)))),
            (
                "accept-weaker",
                b"reload accept-weaker\n",
                Ok(Some((Command::Reload { accept_weaker: true }, 21))),
            ),
            ("more behind it", b"reload\nstatus\n", Ok(Some((RELOAD, 7)))),
            ("nothing", b"", Ok(None)),
            ("not ended", b"reload accept-weaker", Ok(None)),
            ("one byte short of the limit", &[b'x'; LINE_LIMIT - 1], Ok(None)),
            ("at the limit", &[b'x'; LINE_LIMIT], Err(long)),
            ("empty line", b"\n", Err(Error::CommandUnknown)),
            ("case", b"STATUS\n", Err(Error::CommandUnknown)),
            ("CRLF", b"status\r\n", Err(Error::CommandUnknown)),
            ("blank behind", b"reload \n", Err(Error::CommandUnknown)),
            ("two blanks", b"reload  accept-weaker\n", Err(Error::CommandUnknown)),
            ("part of a word", b"reload accept\n", Err(Error::CommandUnknown)),
            ("NUL", b"reload\x00\n", Err(Error::CommandUnknown)),
            ("HTTP", b"GET / HTTP/1.1\r\n\r\n", Err(Error::CommandUnknown)),
        ];
        for (name, bytes, expected) in table {
            assert_eq!(decode(bytes), *expected, "{name}");
        }
        let ends_at_the_limit = [&[b'x'; LINE_LIMIT - 1][..], b"\n"].concat();
        assert_eq!(decode(&ends_at_the_limit), Err(Error::CommandUnknown));
        let ends_behind_it = [&[b'x'; LINE_LIMIT][..], b"\n"].concat();
        assert_eq!(decode(&ends_behind_it), Err(long));
    }

    #[test]
    fn decode_is_the_inverse_of_encode() {
        for command in Command::ALL {
            let mut line = Vec::new();
            encode(command, &mut line);
            assert_eq!(decode(&line).unwrap(), Some((command, line.len())));
            for cut in 0..line.len() {
                assert_eq!(decode(&line[..cut]), Ok(None));
            }
        }
    }

    proptest! {
        #[test]
        fn cutting_changes_nothing(
            lines in prop::collection::vec("status\n|reload\n|reload accept-weaker\n|[a-z\n]{0,80}", 0..5),
            cuts in prop::collection::vec(1..30usize, 1..10),
        ) {
            let stream = lines.concat().into_bytes();
            prop_assert_eq!(pieces::decode_cut(&stream, &cuts, decode), pieces::decode_whole(&stream, decode));
        }

        #[test]
        fn arbitrary_bytes_do_not_panic(bytes in any::<Vec<u8>>()) {
            if let Ok(Some((command, consumed))) = decode(&bytes) {
                prop_assert_eq!(command.line().as_bytes(), &bytes[..consumed]);
            }
        }
    }
}
