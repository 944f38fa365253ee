//! The daemon under test: the binary that was just built, as its own process.

use std::fs::{self, File, OpenOptions};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::condition::wait_for;
use crate::root::{Release, Software};

/// The program.
pub const CONNECTORD: &str = env!("CARGO_BIN_EXE_connectord");

/// Where an instance has its files, on the host beside the machine of the lab.
#[derive(Clone)]
pub struct Site {
    directory: PathBuf,
    /// The directory of the lab.
    lab: PathBuf,
    release: Release,
}

impl Site {
    /// In the directory of a lab.
    pub fn new(lab: &Path, release: Release) -> Site {
        let directory = lab.join("connectord");
        for name in ["run", "state"] {
            fs::create_dir_all(directory.join(name)).unwrap();
        }
        Site { directory, lab: lab.to_owned(), release }
    }

    pub fn socketmap(&self) -> PathBuf {
        self.lab.join("spool/connectord/socketmap.sock")
    }

    pub fn policy(&self) -> PathBuf {
        self.lab.join("spool/connectord/policy.sock")
    }

    /// On Exim's machine: /run/connectord/exim.sock.
    pub fn exim(&self) -> PathBuf {
        self.lab.join("connectord-run/exim.sock")
    }

    /// Where the daemon listens while something else sits in its place: see `impostor`.
    pub fn behind(&self) -> PathBuf {
        self.lab.join("connectord-run/behind.sock")
    }

    pub fn control(&self) -> PathBuf {
        self.directory.join("run/control.sock")
    }

    /// The configuration file.
    pub fn configuration(&self) -> PathBuf {
        self.directory.join("connectord.toml")
    }

    /// Writes a file beside the configuration, which may name it.
    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.directory.join(name), text).unwrap();
    }

    /// Writes the configuration: the sockets and the mail server of this lab, and `connectors`.
    pub fn configure(&self, connectors: &str) {
        self.configure_at(&self.exim(), connectors);
    }

    /// The same with another socket for Exim.
    pub fn configure_at(&self, exim: &Path, connectors: &str) {
        // By its number: the host has no such group. The mode is the default, 0660.
        let group = self.release.group();
        let listen = |protocol: &str, path: &Path| {
            format!("[[listen]]\nprotocol = {protocol:?}\npath = {path:?}\ngroup = \"{group}\"\n")
        };
        let (sockets, mta) = match self.release.software {
            Software::Postfix => (
                listen("socketmap", &self.socketmap()) + &listen("policy", &self.policy()),
                format!(
                    "postfix = {:?}\nqueue_directory = {:?}\n",
                    self.release.version,
                    self.lab.join("spool")
                ),
            ),
            Software::Exim => (listen("exim", exim), String::new()),
            Software::PostfixHost | Software::EximHost => (String::new(), String::new()),
        };
        self.write(
            "connectord.toml",
            &format!(
                "version = 1\n{sockets}\
                 [[listen]]\nprotocol = \"control\"\npath = {:?}\n\
                 [mta]\nlevel = \"may\"\nown_domains = [\"ours.example\"]\n{mta}\
                 {connectors}",
                self.control(),
            ),
        );
    }

    /// Where results are kept.
    pub fn state(&self) -> PathBuf {
        self.directory.join("state")
    }

    /// Tells a command where this instance has its files.
    pub fn arguments(&self, command: &mut Command) {
        for (option, name) in
            [("--config", "connectord.toml"), ("--runtime-dir", "run"), ("--state-dir", "state")]
        {
            command.arg(option).arg(self.directory.join(name));
        }
    }

    fn log_file(&self) -> File {
        let path = self.directory.join("stderr");
        OpenOptions::new().append(true).create(true).open(path).unwrap()
    }

    /// What all instances at this site logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.directory.join("stderr")).unwrap_or_default()
    }

    /// Starts the daemon, which binds its sockets itself; it serves when this returns.
    pub fn serve(&self) -> Daemon {
        let mut command = mortal(CONNECTORD);
        command.arg("serve");
        self.arguments(&mut command);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(self.log_file());
        self.started(command)
    }

    /// Binds the sockets as systemd does before it starts the daemon: socketmap, policy, control.
    pub fn sockets(&self) -> [UnixListener; 3] {
        [self.socketmap(), self.policy(), self.control()].map(|path| {
            let listener = UnixListener::bind(&path).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
            listener
        })
    }

    /// Starts the daemon on inherited sockets. A shell puts them where systemd does: from
    /// descriptor 3 on, with the process id of the daemon in the environment.
    pub fn serve_on(&self, sockets: &[UnixListener; 3]) -> Daemon {
        const SYSTEMD: &str = "export LISTEN_PID=$$ LISTEN_FDS=3; \
            exec \"$@\" 3<&0 4<&1 5<&2 0</dev/null 1>/dev/null 2>>\"$STDERR\"";
        let mut command = mortal("sh");
        command.args(["-c", SYSTEMD, "sh", CONNECTORD, "serve"]);
        self.arguments(&mut command);
        command.env("STDERR", self.directory.join("stderr"));
        let [socketmap, policy, control] =
            sockets.each_ref().map(|socket| OwnedFd::from(socket.try_clone().unwrap()));
        command.stdin(socketmap).stdout(policy).stderr(control);
        self.started(command)
    }

    /// Waits until the daemon answers on its control socket.
    fn started(&self, mut command: Command) -> Daemon {
        let mut daemon = Daemon(command.spawn().unwrap());
        wait_for("connectord", || {
            if let Some(status) = daemon.0.try_wait().unwrap() {
                panic!("connectord ended with {status}:\n{}", self.log());
            }
            let status = self.run(&["status", "--json"]);
            let text = || String::from_utf8_lossy(&status.stderr).into_owned();
            if status.status.success() { Ok(()) } else { Err(text()) }
        });
        daemon
    }

    /// Runs a subcommand against this instance.
    pub fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(CONNECTORD);
        command.args(arguments);
        self.arguments(&mut command);
        command.output().unwrap()
    }

    /// A subcommand that prints JSON and must succeed.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(arguments);
        assert!(
            output.status.success(),
            "{arguments:?}: {}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

/// A program that the kernel ends when the thread that started it is gone, even if the whole test
/// was killed.
fn mortal(program: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--", program]);
    command
}

/// A running daemon; killed when dropped. It does not outlive the thread that started it.
pub struct Daemon(Child);

impl Daemon {
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.0.id().try_into().unwrap());
        kill(pid, signal).unwrap();
    }

    /// Ends it as a service manager does.
    pub fn stop(mut self) -> ExitStatus {
        self.signal(Signal::SIGTERM);
        self.0.wait().unwrap()
    }

    /// Ends it as an accident does.
    pub fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
