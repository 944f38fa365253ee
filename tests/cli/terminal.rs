//! A person at a terminal: reads what is there, and types when there is a question.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

/// Far more than any answer takes.
const DEADLINE: Duration = Duration::from_secs(60);

/// A program on a pseudo-terminal of script(1).
pub struct Terminal {
    child: Child,
    keyboard: Option<ChildStdin>,
    screen: Receiver<Vec<u8>>,
    /// All that it showed.
    shown: Vec<u8>,
    /// How much of it was read.
    read: usize,
}

impl Terminal {
    pub fn start(program: &Command) -> Terminal {
        let words = std::iter::once(program.get_program()).chain(program.get_args());
        let quoted: Vec<String> =
            words.map(|word| format!("'{}'", word.to_str().unwrap().replace('\'', "'\\''"))).collect();
        let mut command = Command::new("script");
        command.args([
            "--quiet",
            "--return",
            "--command",
            &format!("exec {}", quoted.join(" ")),
            "/dev/null",
        ]);
        let set = program.get_envs().filter_map(|(name, value)| Some((name, value?)));
        command
            .envs(set)
            .env("SHELL", "/bin/sh")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command.spawn().expect("script(1) of bsdutils");
        let mut output = child.stdout.take().unwrap();
        let (send, screen) = channel();
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = output.read(&mut bytes) {
                if send.send(bytes[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        let keyboard = child.stdin.take();
        Terminal { child, keyboard, screen, shown: Vec::new(), read: 0 }
    }

    /// Waits until this is shown behind what was read before.
    #[track_caller]
    pub fn read(&mut self, text: &str) {
        let until = Instant::now() + DEADLINE;
        loop {
            let unread = &self.shown[self.read..];
            if let Some(at) = unread.windows(text.len()).position(|window| window == text.as_bytes()) {
                self.read += at + text.len();
                return;
            }
            match self.screen.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(more) => self.shown.extend(more),
                Err(why @ (RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected)) => {
                    panic!("{why}: no {text:?} in {}", self.text())
                }
            }
        }
    }

    /// Types these bytes.
    pub fn key(&mut self, keys: &str) {
        self.keyboard.as_mut().unwrap().write_all(keys.as_bytes()).unwrap();
    }

    /// Waits for a question and answers it.
    #[track_caller]
    pub fn answer(&mut self, question: &str, answer: &str) {
        self.read(question);
        self.key(&format!("{answer}\n"));
    }

    /// Waits for its end: the exit status, with a signal as 128 and its number, and all that it showed.
    #[track_caller]
    pub fn end(mut self) -> (i32, String) {
        let until = Instant::now() + DEADLINE;
        loop {
            match self.screen.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(more) => self.shown.extend(more),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("it does not end: {}", self.text()),
            }
        }
        self.keyboard = None;
        (self.child.wait().unwrap().code().unwrap(), self.text())
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.shown).replace("\r\n", "\n")
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
