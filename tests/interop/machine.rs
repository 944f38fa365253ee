//! Our mail host: a Debian root in mount, PID and network namespaces of its own.
//!
//! The root is mounted read-only; what the mail server writes is a directory of this lab, bound into
//! it, and therefore visible outside: Postfix's queue directory is where the daemon puts its
//! sockets, as it would on a real host, and Exim's machine has them in /run/connectord. The first
//! process of the PID namespace is a `cat` that reads from us, so however the test ends, the kernel
//! ends everything in there.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use crate::network::Namespace;
use crate::root::{Release, Software};

/// Runs as first process of the new namespaces; $1 is the root, $2 the lab's directory, then pairs
/// of a name in that and the path where it is on the machine.
/// `read` reads the process id as the outside sees it, from the outside's /proc.
const INIT: &str = r#"
set -e
read -r pid rest < /proc/self/stat
root=$1
lab=$2
shift 2
mount --bind "$root" "$root"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/tmp"
mount -t proc proc "$root/proc"
while [ $# -gt 0 ]; do
    [ -e "$root$2" ] || mkdir -p "$root$2"
    mount --bind "$lab/$1" "$root$2"
    shift 2
done
mount -o remount,bind,ro "$root"
exec chroot "$root" sh -c 'echo "$1"; exec cat' init "$pid"
"#;

/// What is in the lab's directory, and where on the machine it is: first what is copied from the
/// root, then what begins empty.
type Places = &'static [(&'static str, &'static str)];

fn places(software: Software) -> (Places, Places) {
    match software {
        Software::Postfix => (
            &[
                ("spool", "/var/spool/postfix"),
                ("data", "/var/lib/postfix"),
                ("etc", "/etc/postfix"),
                ("certificates", "/etc/ssl/certs"),
            ],
            &[("log", "/var/log"), ("dns", "/etc/nsd")],
        ),
        Software::Exim => (
            &[
                ("spool", "/var/spool/exim4"),
                ("data", "/var/lib/exim4"),
                ("etc", "/etc/exim4"),
                ("log", "/var/log"),
                ("certificates", "/etc/ssl/certs"),
            ],
            &[
                ("dns", "/etc/nsd"),
                ("programs", "/usr/local/sbin"),
                ("connectord-run", "/run/connectord"),
                ("contrib", "/usr/share/doc/connectord/contrib/exim"),
            ],
        ),
        Software::PostfixHost | Software::EximHost => (&[], &[]),
    }
}

pub struct Machine {
    init: Child,
    /// The first process, as we see it.
    pid: u32,
    directory: PathBuf,
}

impl Machine {
    /// Starts the machine. `directory` is the lab's.
    pub fn boot(release: Release, directory: &Path, network: &Namespace) -> Machine {
        let root = release.root();
        let (copied, empty) = places(release.software);
        for (name, place) in copied {
            copy(&root.join(&place[1..]), &directory.join(name));
        }
        for (name, _) in empty {
            fs::create_dir(directory.join(name)).unwrap();
        }
        // Exim's resolver is glibc's, which hides the AD bit unless it is told that it may trust it.
        fs::write(directory.join("resolv.conf"), "nameserver 127.0.0.1\noptions edns0 trust-ad\n").unwrap();
        if release.software == Software::Postfix {
            fill_chroot(&root, directory);
        }
        // The daemon names files of trust anchors by their paths on the host.
        let own = directory.join("connectord");
        fs::create_dir(&own).unwrap();
        let own = own.to_str().unwrap();
        let binds = copied.iter().chain(empty).copied();
        let binds = binds.chain([("resolv.conf", "/etc/resolv.conf"), ("connectord", own)]);
        let mut init = network.enter(|| {
            Command::new("unshare")
                .args(["--mount", "--pid", "--fork", "--kill-child", "--", "sh", "-c", INIT, "init"])
                .args([root.as_path(), directory])
                .args(binds.flat_map(|(name, place)| [name, place].map(str::to_owned)))
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap()
        });
        let mut line = String::new();
        BufReader::new(init.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let pid = line.trim().parse().expect("the machine did not come up, see above");
        Machine { init, pid, directory: directory.to_owned() }
    }

    /// The lab's directory, with `spool`, `etc`, `log` and `dns` of the machine in it.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// A command on the machine.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        let target = format!("--target={}", self.pid);
        command.args([&target, "--mount", "--pid", "--net", "--root", "--wdns=/", "--", program]);
        command.env("PATH", "/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin").env("LC_ALL", "C.UTF-8");
        command.stdin(Stdio::null());
        command
    }

    /// A command of ours in the mount namespace of the machine: its paths are those that we see.
    pub fn as_we_see_it(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args([&format!("--target={}", self.pid), "--mount", "--", program]).stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub fn output(&self, program: &str, arguments: &[&str]) -> Output {
        self.command(program).args(arguments).output().unwrap()
    }

    /// Runs a command that must succeed; what it wrote.
    pub fn run(&self, program: &str, arguments: &[&str]) -> String {
        let output = self.output(program, arguments);
        assert!(
            output.status.success(),
            "{program} {arguments:?}: {}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        drop(self.init.stdin.take());
        let _ = self.init.wait();
    }
}

/// What Debian's start script of Postfix copies into the chroot for the resolver.
fn fill_chroot(root: &Path, directory: &Path) {
    let chroot_etc = directory.join("spool/etc");
    fs::create_dir_all(&chroot_etc).unwrap();
    for name in ["services", "nsswitch.conf", "hosts", "host.conf"] {
        let file = root.join("etc").join(name);
        if file.exists() {
            fs::copy(&file, chroot_etc.join(name)).unwrap();
        }
    }
    fs::copy(directory.join("resolv.conf"), chroot_etc.join("resolv.conf")).unwrap();
}

/// With owners, modes and times.
fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(status.success(), "cp {} {}", from.display(), to.display());
}
