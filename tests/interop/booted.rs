//! A copy of a root in which a real systemd runs, for units and packages.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::cgroup::Group;
use crate::condition::wait_for;
use crate::network::Namespace;
use crate::root::Release;

/// A machine that has booted, and ends with this value.
pub struct Booted {
    container: Child,
    /// These end after it.
    _group: Group,
    directory: TempDir,
}

/// Enters as many control groups as the first argument says, and runs the rest of them.
const ENTER: &str = r#"
set -e
count=$1
shift
while [ "$count" -gt 0 ]; do
    echo $$ > "$1"
    shift
    count=$((count - 1))
done
exec "$@"
"#;

impl Booted {
    /// Boots a copy of this root with what `prepare` has put into it, in this network.
    pub fn new(release: Release, network: &Namespace, prepare: impl FnOnce(&Path)) -> Booted {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("root");
        let copied =
            Command::new("cp").args(["-a", "--reflink=auto"]).arg(release.root()).arg(&root).status();
        assert!(copied.unwrap().success());
        prepare(&root);
        let group = Group::new();
        let container = Command::new("sh")
            .args(["-c", ENTER, "enter", &group.doors().len().to_string()])
            .args(group.doors())
            // However this process ends, the machine is shut down then.
            .args(["setpriv", "--pdeathsig", "TERM", "systemd-nspawn"])
            .args(["--quiet", "--register=no", "--keep-unit", "--boot", "--resolv-conf=off", "-D"])
            .arg(&root)
            .arg(format!("--machine={}", group.name()))
            .arg(format!("--network-namespace-path={}", network.path()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let machine = Booted { container, _group: group, directory };
        wait_for("the boot", || {
            let state = machine.init().map(|_| machine.said(&["systemctl", "is-system-running"]));
            let is_up = state.as_deref().is_some_and(|state| ["running\n", "degraded\n"].contains(&state));
            if is_up { Ok(()) } else { Err(format!("{state:?}")) }
        });
        machine
    }

    /// Its files, as they are seen from here; what is mounted in there, such as /run, is not among them.
    pub fn root(&self) -> PathBuf {
        self.directory.path().join("root")
    }

    /// Everything that it sees.
    pub fn seen(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root", self.init().unwrap()))
    }

    /// The first process in there, as it is seen from here.
    fn init(&self) -> Option<u32> {
        let id = self.container.id();
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).ok()?;
        children.split_whitespace().next()?.parse().ok()
    }

    /// Runs a command in there.
    pub fn run(&self, command: &[&str]) -> Output {
        let init = self.init().unwrap().to_string();
        let mut nsenter = Command::new("nsenter");
        nsenter.args(["--target", &init, "--mount", "--uts", "--ipc", "--net", "--pid", "--root", "--wd"]);
        nsenter.env("LC_ALL", "C.UTF-8").args(command).output().unwrap()
    }

    /// What a command says in there.
    pub fn said(&self, command: &[&str]) -> String {
        let output = self.run(command);
        String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap()
    }

    /// What a command says in there that succeeds.
    #[track_caller]
    pub fn good(&self, command: &[&str]) -> String {
        let output = self.run(command);
        let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        if !output.status.success() {
            // What a unit did wrong is not said by the command that wanted something of it.
            let journal = self.said(&["journalctl", "--no-pager", "--lines=50"]);
            panic!("{command:?}: {said}\n{journal}");
        }
        said.into_owned()
    }
}

impl Drop for Booted {
    fn drop(&mut self) {
        // The kernel ends everything else in there with it.
        if let Some(init) = self.init().and_then(|init| i32::try_from(init).ok()) {
            let _ = kill(Pid::from_raw(init), Signal::SIGKILL);
        }
        let _ = self.container.wait();
    }
}
