//! The server to compare with: it reads whole requests and always says the same.
//!
//! The same runtime, one task for a connection and one read buffer, and nothing else: no limits, no
//! seats, no deadlines, no log. What it takes is what sockets and the runtime take.

use std::path::{Path, PathBuf};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};

/// How requests end, and what is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Netstrings.
    Socketmap,
    /// Lines up to an empty one.
    Policy,
    /// One line, one answer, close.
    Line,
}

const VARIABLE: &str = "CONNECTORD_BENCH_BASELINE";

impl Kind {
    const ALL: [(Kind, &str); 3] =
        [(Kind::Socketmap, "socketmap"), (Kind::Policy, "policy"), (Kind::Line, "line")];

    /// What it always says: as long as an answer of the daemon.
    pub fn reply(self) -> &'static [u8] {
        match self {
            Kind::Socketmap => b"46:OK secure match=partner123.net:.partner123.net,",
            Kind::Policy => b"action=DUNNO\n\n",
            Kind::Line => b"tls=cert ca=system hosts= sni= min=tls1.2 end=ok\n",
        }
    }

    /// How many bytes the request takes that `input` begins with, if it is whole.
    fn request(self, input: &[u8]) -> Option<usize> {
        match self {
            Kind::Socketmap => {
                let colon = input.iter().position(|&byte| byte == b':')?;
                let length: usize = std::str::from_utf8(&input[..colon]).unwrap().parse().unwrap();
                (input.len() >= colon + length + 2).then_some(colon + length + 2)
            }
            Kind::Policy => input.windows(2).position(|pair| pair == b"\n\n").map(|at| at + 2),
            Kind::Line => input.iter().position(|&byte| byte == b'\n').map(|at| at + 1),
        }
    }
}

/// What this process is to be, if it was started as a baseline.
pub fn asked_for() -> Option<(Kind, PathBuf)> {
    let asked = std::env::var(VARIABLE).ok()?;
    let (word, path) = asked.split_once(' ')?;
    let (kind, _) = Kind::ALL.into_iter().find(|(_, known)| *known == word)?;
    Some((kind, path.into()))
}

/// What makes a process one, for its environment.
pub fn variable(kind: Kind, path: &Path) -> (&'static str, String) {
    let (_, word) = Kind::ALL.into_iter().find(|(known, _)| *known == kind).unwrap();
    (VARIABLE, format!("{word} {}", path.display()))
}

/// Serves until killed.
pub fn serve(kind: Kind, path: &Path) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    runtime.block_on(async {
        let listener = UnixListener::bind(path).unwrap();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(converse(kind, stream));
        }
    });
}

async fn converse(kind: Kind, mut stream: UnixStream) {
    let mut input = Vec::with_capacity(4096);
    loop {
        match stream.read_buf(&mut input).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        while let Some(consumed) = kind.request(&input) {
            if stream.write_all(kind.reply()).await.is_err() || kind == Kind::Line {
                return;
            }
            input.drain(..consumed);
        }
    }
}
