//! Our mail host: a Debian root in mount, PID and network namespaces of its own.
//!
//! The root is mounted read-only; what Postfix writes is a directory of this lab, bound into it,
//! and therefore visible outside: its queue directory is where the daemon puts its sockets, as it
//! would on a real host. The first process of the PID namespace is a `cat` that reads from us, so
//! however the test ends, the kernel ends everything in there.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use crate::network::Namespace;

/// Runs as first process of the new namespaces; $1 is the root, $2 the lab's directory.
/// `read` reads the process id as the outside sees it, from the outside's /proc.
const INIT: &str = r#"
set -e
read -r pid rest < /proc/self/stat
mount --bind "$1" "$1"
mount --bind "$2/spool" "$1/var/spool/postfix"
mount --bind "$2/data" "$1/var/lib/postfix"
mount --bind "$2/etc" "$1/etc/postfix"
mount --bind "$2/log" "$1/var/log"
mount --bind "$2/dns" "$1/etc/nsd"
mount --bind "$2/resolv.conf" "$1/etc/resolv.conf"
mount --rbind /dev "$1/dev"
mount -t tmpfs tmpfs "$1/run"
mount -t tmpfs tmpfs "$1/tmp"
mount -t proc proc "$1/proc"
mount -o remount,bind,ro "$1"
exec chroot "$1" sh -c 'echo "$1"; exec cat' init "$pid"
"#;

pub struct Machine {
    init: Child,
    /// The first process, as we see it.
    pid: u32,
    directory: PathBuf,
}

impl Machine {
    /// Starts the machine. `directory` is the lab's.
    pub fn boot(root: &Path, directory: &Path, network: &Namespace) -> Machine {
        copy(&root.join("var/spool/postfix"), &directory.join("spool"));
        copy(&root.join("var/lib/postfix"), &directory.join("data"));
        copy(&root.join("etc/postfix"), &directory.join("etc"));
        for name in ["log", "dns"] {
            fs::create_dir(directory.join(name)).unwrap();
        }
        fs::write(directory.join("resolv.conf"), "nameserver 127.0.0.1\n").unwrap();
        // What Debian's start script copies into the chroot for the resolver.
        let chroot_etc = directory.join("spool/etc");
        fs::create_dir_all(&chroot_etc).unwrap();
        for name in ["services", "nsswitch.conf", "hosts", "host.conf"] {
            let file = root.join("etc").join(name);
            if file.exists() {
                fs::copy(&file, chroot_etc.join(name)).unwrap();
            }
        }
        fs::copy(directory.join("resolv.conf"), chroot_etc.join("resolv.conf")).unwrap();

        let mut init = network.enter(|| {
            Command::new("unshare")
                .args(["--mount", "--pid", "--fork", "--kill-child", "--", "sh", "-c", INIT, "init"])
                .arg(root)
                .arg(directory)
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
        command.args([&target, "--mount", "--pid", "--net", "--root", "--wd=/", "--", program]);
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("LC_ALL", "C.UTF-8");
        command.stdin(Stdio::null());
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

/// With owners, modes and times.
fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(status.success(), "cp {} {}", from.display(), to.display());
}
