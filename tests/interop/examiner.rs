//! `connectord validate` as an administrator runs it on our host: a process of its own in our
//! network, with our resolver and our authority.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;

use crate::daemon::{CONNECTORD, Site};
use crate::lab::{Lab, Mta, Queued};
use crate::machine::Machine;
use crate::network::{Namespace, Network};

/// In a mount namespace of its own: $1 is our resolv.conf.
const IN_PLACE: &str = "mount --bind \"$1\" /etc/resolv.conf; shift; exec \"$@\"";

/// A mail server that is not needed: `validate` speaks for itself.
pub struct Absent;

impl Mta for Absent {
    /// Only its place for the daemon's sockets is there.
    fn start(machine: &Machine, _: &Network, _: &[&str]) -> Absent {
        fs::create_dir(machine.directory().join("spool/connectord")).unwrap();
        Absent
    }

    fn submit<'r>(&self, _: &Machine, _: &Network, _: impl IntoIterator<Item = &'r str>) {
        unreachable!("nobody takes mail in")
    }

    fn queue(&self, _: &Machine) -> Vec<Queued> {
        Vec::new()
    }
}

/// What became of a run.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    fn of(output: &Output) -> Ended {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        Ended { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// What it wrote, in one line: where words are wrapped is another test's.
    pub fn words(&self) -> String {
        self.stdout.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

/// Runs it.
pub struct Examiner<'l> {
    network: &'l Namespace,
    site: &'l Site,
    resolvers: PathBuf,
    authority: PathBuf,
}

impl<'l> Examiner<'l> {
    pub fn of<M: Mta>(lab: &'l Lab<M>) -> Examiner<'l> {
        let directory = lab.machine.directory();
        Examiner {
            network: &lab.network.ours,
            site: &lab.site,
            resolvers: directory.join("resolv.conf"),
            authority: directory.join("etc/tls/ca.pem"),
        }
    }

    /// `connectord validate`, in our network and with our files.
    fn command(&self, arguments: &[&str]) -> Command {
        self.program(&[&["validate"][..], arguments].concat())
    }

    /// Any command, there.
    pub fn program(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--", "sh", "-ec", IN_PLACE, "sh"]).arg(&self.resolvers);
        command.arg(CONNECTORD).args(arguments);
        self.site.arguments(&mut command);
        command.env("SSL_CERT_FILE", &self.authority).env("SSL_CERT_DIR", "/nonexistent");
        command
    }

    /// Runs `connectord validate` with these arguments to its end.
    pub fn validate(&self, arguments: &[&str]) -> Ended {
        let mut command = self.command(arguments);
        Ended::of(&self.network.enter(|| command.output()).unwrap())
    }

    /// The same on a terminal; what the terminal shows, both streams as they come.
    pub fn on_terminal(&self, arguments: &[&str]) -> Ended {
        let words: Vec<String> = self
            .command(arguments)
            .get_args()
            .map(|word| format!("'{}'", word.to_str().unwrap().replace('\'', "'\\''")))
            .collect();
        let mut command = Command::new("script");
        command.args(["--quiet", "--return", "--command", &format!("unshare {}", words.join(" "))]);
        command.arg("/dev/null").stdin(std::process::Stdio::null());
        command.env("SSL_CERT_FILE", &self.authority).env("SSL_CERT_DIR", "/nonexistent");
        command.env("SHELL", "/bin/sh");
        Ended::of(&self.network.enter(|| command.output()).unwrap())
    }
}
