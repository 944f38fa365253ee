//! The real daemon, started for a test and stopped behind it.

use std::io::{Read, Write};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::process::{Child, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::bench::{Bench, Ended};

/// Far more than a start, a reply or a stop takes on any machine that runs tests.
const DEADLINE: Duration = Duration::from_secs(30);

pub struct Daemon<'b> {
    bench: &'b Bench,
    child: Option<Child>,
}

impl<'b> Daemon<'b> {
    /// Starts `serve`, and returns when it says that it is ready (sd_notify(3)).
    #[track_caller]
    pub fn start(bench: &'b Bench) -> Daemon<'b> {
        let path = bench.path("notify.sock");
        let _ = std::fs::remove_file(&path);
        let notified = UnixDatagram::bind(&path).unwrap();
        notified.set_read_timeout(Some(DEADLINE)).unwrap();
        let mut command = bench.command(&["serve"]);
        let log = std::fs::File::create(bench.path("log")).unwrap();
        let child = command.env("NOTIFY_SOCKET", &path).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let daemon = Daemon { bench, child: Some(child) };
        let mut message = [0; 4096];
        loop {
            let length =
                notified.recv(&mut message).unwrap_or_else(|error| panic!("{error}: {}", daemon.log()));
            let text = String::from_utf8_lossy(&message[..length]);
            if text.lines().any(|line| line == "READY=1") {
                return daemon;
            }
        }
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.bench.path("log")).unwrap()
    }

    pub fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    fn connect(&self, socket: &str) -> UnixStream {
        let stream = UnixStream::connect(self.bench.path("run").join(socket)).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream
    }

    pub fn socketmap(&self) -> Socketmap {
        Socketmap(self.connect("socketmap.sock"))
    }

    /// The bytes of the reply to one policy request.
    pub fn policy(&self, attributes: &[(&str, &str)]) -> String {
        let mut stream = self.connect("policy.sock");
        let mut request = String::from("request=smtpd_access_policy\n");
        for (name, value) in attributes {
            request.push_str(&format!("{name}={value}\n"));
        }
        request.push('\n');
        stream.write_all(request.as_bytes()).unwrap();
        let mut reply = Vec::new();
        let mut byte = [0];
        while !reply.ends_with(b"\n\n") {
            stream.read_exact(&mut byte).unwrap_or_else(|error| panic!("{error} behind {reply:?}"));
            reply.push(byte[0]);
        }
        String::from_utf8(reply).unwrap()
    }

    pub fn signal(&self, signal: Signal) {
        let id = self.child.as_ref().unwrap().id();
        kill(Pid::from_raw(i32::try_from(id).unwrap()), signal).unwrap();
    }

    /// Sends SIGTERM, and returns how it ended.
    pub fn stop(mut self) -> Ended {
        self.signal(Signal::SIGTERM);
        let mut child = self.child.take().unwrap();
        let code = child.wait().unwrap().code();
        Ended { code, stdout: String::new(), stderr: self.log() }
    }
}

impl Drop for Daemon<'_> {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A connection that asks as Postfix's dict_sockmap.c does.
pub struct Socketmap(UnixStream);

impl Socketmap {
    /// The bytes of the reply, netstring and all.
    pub fn ask(&mut self, map: &str, key: &str) -> String {
        let request = format!("{map} {key}");
        self.0.write_all(format!("{}:{request},", request.len()).as_bytes()).unwrap();
        let mut reply = Vec::new();
        let mut byte = [0];
        while !reply.ends_with(b":") {
            self.0
                .read_exact(&mut byte)
                .unwrap_or_else(|error| panic!("{error} behind {reply:?} for {request:?}"));
            reply.push(byte[0]);
        }
        let length: usize = std::str::from_utf8(&reply[..reply.len() - 1]).unwrap().parse().unwrap();
        let mut rest = vec![0; length + 1];
        self.0.read_exact(&mut rest).unwrap();
        reply.extend(rest);
        String::from_utf8(reply).unwrap()
    }
}
