//! A directory with a configuration, and the binary run on it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

pub const BINARY: &str = env!("CARGO_BIN_EXE_connectord");

/// A configuration with a connector of every kind that answers tell apart.
pub const CONFIGURATION: &str = r#"version = 1

[mta]
postfix = "3.7"
own_domains = ["our.contoso.com"]

[[outbound]]
name = "contoso-bank"
mode = "enforce"
domains = ["*.contoso.com", "contoso.net", "b\u00fccher.example", "contoso.org"]
except = ["lists.contoso.com"]
tls = "secure"
match = ["*.contoso.com"]
route = ["[mail.contoso.com]:587", "[192.0.2.7]"]
comment = "agreement 2026-114"
contact = "mail-ops@contoso.com"

[[outbound]]
name = "contoso-trial"
mode = "report"
domains = ["*.contoso.com"]
tls = "encrypt"

[[outbound]]
name = "everyone"
mode = "enforce"
domains = [".example"]
tls = "encrypt"

[[outbound]]
name = "not-yet"
mode = "off"
domains = ["fabrikam.com"]
tls = "dane-only"

[[inbound]]
name = "contoso-bank-in"
mode = "enforce"
identify.domains = ["*.contoso.com"]
identify.addresses = ["203.0.113.0/24"]
require.tls = ">=TLSv1.2"
require.certificate.names = ["*.contoso.com"]
require.certificate.issuers = ["Contoso CA"]
require.addresses = ["203.0.113.0/24"]
on_violation = "reject"

[[inbound]]
name = "contoso-in-trial"
mode = "report"
identify.domains = ["*.contoso.com"]
require.tls = true
on_violation = "defer"
"#;

/// A configuration with a problem and a warning.
pub const BAD: &str = r#"version = 1
[[outbound]]
name = "a"
mode = "enforce"
domains = ["contoso.com"]
tls = "may"
[[outbound]]
name = "b"
mode = "enforce"
domain = ["contoso.net"]
tls = "encrypt"
"#;

/// What a command left behind.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    /// The one JSON value on stdout.
    #[track_caller]
    pub fn json(&self) -> Value {
        assert!(self.stdout.ends_with('\n'), "{self:?}");
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    #[track_caller]
    pub fn expect(self, code: i32) -> Ended {
        assert_eq!(self.code, Some(code), "{self:?}");
        self
    }
}

/// A directory for one test: `connectord.toml` and, below `run`, the sockets.
pub struct Bench {
    directory: tempfile::TempDir,
}

impl Bench {
    pub fn new(configuration: &str) -> Bench {
        let directory = tempfile::tempdir().unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let bench = Bench { directory };
        fs::create_dir(bench.path("run")).unwrap();
        bench.write("connectord.toml", configuration);
        bench
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        path
    }

    /// The binary with the options that name this directory.
    pub fn command(&self, arguments: &[&str]) -> Command {
        self.command_of(Path::new(BINARY), arguments)
    }

    /// Runs the binary as somebody who is not root, from where they can reach it: root may read and
    /// connect to everything.
    pub fn run_unprivileged(&self, arguments: &[&str]) -> Ended {
        let binary = self.path("connectord");
        // Not by this process: a test beside this one may fork while the copy is open for writing,
        // and then it cannot be executed (ETXTBSY).
        assert!(Command::new("cp").arg(BINARY).arg(&binary).status().unwrap().success());
        let mut command = self.command_of(&binary, arguments);
        if nix::unistd::geteuid().is_root() {
            command.uid(65534).gid(65534);
        }
        ended(&mut command)
    }

    fn command_of(&self, binary: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary);
        command.args(arguments).arg("--config").arg(self.path("connectord.toml"));
        command.arg("--runtime-dir").arg(self.path("run"));
        command.arg("--state-dir").arg(self.path("state")).stdin(Stdio::null());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ended {
        ended(&mut self.command(arguments))
    }
}

pub fn ended(command: &mut Command) -> Ended {
    let output = command.output().unwrap();
    Ended {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// An object has the keys of the interface, and of the keys added since exactly these.
#[track_caller]
pub fn assert_keys(value: &Value, interface: &[&str], added: &[&str]) {
    let object = value.as_object().unwrap_or_else(|| panic!("no object: {value}"));
    let mut expected: Vec<&str> = interface.iter().chain(added).copied().collect();
    let mut found: Vec<&str> = object.keys().map(String::as_str).collect();
    expected.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, expected, "{value}");
}
