//! The units of `packaging/systemd` under a systemd that boots: who waits at a socket is answered, or
//! told soon that nobody will.
//!
//! The machine is a copy of a root, and its sockets are files in it, so clients ask from outside.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use crate::booted::Booted;
use crate::condition::{DEADLINE, wait_for};
use crate::network::Network;
use crate::root::{POSTFIX_HOST_12, POSTFIX_HOST_13, Release, possible};

const SOCKETS: [&str; 3] = ["connectord.socket", "connectord-exim.socket", "connectord-control.socket"];

/// What the units ask for, and one connector.
const GOOD: &str = r#"
version = 1
[[listen]]
protocol = "socketmap"
path = "/var/spool/postfix/connectord/socketmap.sock"
[[listen]]
protocol = "policy"
path = "/var/spool/postfix/connectord/policy.sock"
[[listen]]
protocol = "exim"
path = "/run/connectord/exim.sock"
[[outbound]]
name = "bank"
mode = "enforce"
domains = ["bank.example"]
tls = "encrypt"
"#;

/// Makes starts as slow as those with a configuration of millions of names.
const SLOW: &str = "etc/systemd/system/connectord.service.d/slow.conf";

/// A machine that has booted with the sockets open.
struct Machine(Booted);

impl Machine {
    fn boot(release: Release, configuration: &str) -> Machine {
        let machine = Machine(Booted::new(release, &Network::new().ours, |root| {
            install(root);
            fs::write(root.join("etc/connectord/connectord.toml"), configuration).unwrap();
            fs::create_dir(root.join(SLOW).parent().unwrap()).unwrap();
            // Five such starts do not fit into the interval of systemd's limit.
            fs::write(root.join(SLOW), "[Service]\nExecStartPre=/bin/sleep 2.4\n").unwrap();
        }));
        wait_for("the sockets", || {
            UnixStream::connect(machine.socketmap()).map_err(|error| error.to_string())
        });
        machine
    }

    fn root(&self) -> PathBuf {
        self.0.root()
    }

    fn socketmap(&self) -> PathBuf {
        self.root().join("var/spool/postfix/connectord/socketmap.sock")
    }

    /// Runs systemctl in there; what it says.
    fn systemctl(&self, arguments: &[&str]) -> String {
        self.0.said(&[&["systemctl"][..], arguments].concat())
    }

    /// A client that asked and waits.
    fn ask(&self) -> std::io::Result<UnixStream> {
        let mut stream = UnixStream::connect(self.socketmap())?;
        stream.set_read_timeout(Some(DEADLINE))?;
        stream.write_all(b"16:tls bank.example,")?;
        Ok(stream)
    }

    /// Asks, and waits for the answer.
    fn answer(&self) -> std::io::Result<String> {
        told(self.ask()?)
    }
}

/// What comes until the connection ends, or the first reply.
fn told(mut stream: UnixStream) -> std::io::Result<String> {
    let mut bytes = [0; 100];
    let count = stream.read(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes[..count]).into_owned())
}

/// Installs what the packages will: the programs, their units, its user and directories; and what stands
/// for the MTAs, whose units these wait for.
fn install(root: &Path) {
    let packaging = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging");
    for (from, to) in [
        ("systemd", "etc/systemd/system"),
        ("sysusers.d", "usr/lib/sysusers.d"),
        ("tmpfiles.d", "usr/lib/tmpfiles.d"),
    ] {
        for file in fs::read_dir(packaging.join(from)).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), root.join(to).join(file.file_name())).unwrap();
        }
    }
    let program = |name: &str, bytes: &[u8]| {
        fs::write(root.join(name), bytes).unwrap();
        fs::set_permissions(root.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    };
    program("usr/sbin/connectord", &fs::read(env!("CARGO_BIN_EXE_connectord")).unwrap());
    program("usr/sbin/connectord-validate", &fs::read(env!("CARGO_BIN_EXE_connectord-validate")).unwrap());
    for mta in ["usr/sbin/postfix", "usr/sbin/exim4"] {
        program(mta, b"#!/bin/sh\n");
    }
    fs::create_dir(root.join("usr/share/connectord")).unwrap();
    fs::copy(packaging.join("postfix.conf"), root.join("usr/share/connectord/postfix.conf")).unwrap();
    fs::write(root.join("usr/lib/sysusers.d/mta.conf"), "g postfix -\ng Debian-exim -\n").unwrap();
    for directory in ["etc/connectord", "var/spool/postfix", "etc/systemd/system/sockets.target.wants"] {
        fs::create_dir_all(root.join(directory)).unwrap();
    }
    for socket in SOCKETS {
        let wanted = root.join("etc/systemd/system/sockets.target.wants").join(socket);
        symlink(Path::new("..").join(socket), wanted).unwrap();
    }
}

#[test]
fn f15_who_waits_for_a_daemon_that_will_not_run_is_let_go() {
    if possible() {
        [POSTFIX_HOST_12, POSTFIX_HOST_13].into_iter().for_each(let_go);
    }
}

fn let_go(release: Release) {
    // The first connection, of the boot itself, starts it for the first time.
    let machine = Machine::boot(release, "version = 1\nbogus = 1\n");
    wait_for("nobody listening", || match machine.ask().and_then(told) {
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => Ok(()),
        // Cut while it waited, which is what Postfix takes for "later" too.
        Err(error) if error.kind() != std::io::ErrorKind::WouldBlock => Err(error.to_string()),
        other => panic!("{other:?}"),
    });
    let states = |machine: &Machine| machine.systemctl(&[&["is-active"][..], &SOCKETS].concat());
    assert_eq!(states(&machine), "inactive\ninactive\ninactive\n");
    assert!(machine.systemctl(&["show", "connectord", "-P", "Result"]).starts_with("exit-code"));

    // Mended, it opens them again.
    fs::remove_file(machine.root().join(SLOW)).unwrap();
    machine.systemctl(&["daemon-reload"]);
    fs::write(machine.root().join("etc/connectord/connectord.toml"), GOOD).unwrap();
    assert_eq!(machine.systemctl(&["restart", "connectord"]), "");
    assert_eq!(machine.answer().unwrap(), "10:OK encrypt,");
    assert_eq!(states(&machine), "active\nactive\nactive\n");

    // Killed, restarted, stopped: who asks then waits, and is answered by the next one.
    machine.systemctl(&["kill", "--signal=KILL", "connectord"]);
    assert_eq!(machine.answer().unwrap(), "10:OK encrypt,");
    let waiting = {
        machine.systemctl(&["stop", "connectord"]);
        machine.ask().unwrap()
    };
    assert_eq!(told(waiting).unwrap(), "10:OK encrypt,");
    assert_eq!(machine.systemctl(&["reload", "connectord"]), "");
}
