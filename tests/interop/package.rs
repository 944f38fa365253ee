//! The Debian package on hosts with Postfix, from its installation to its purge, under the systemd of each
//! release.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use crate::booted::Booted;
use crate::condition::{DEADLINE, wait_for};
use crate::root::{HOST_12, HOST_13, Release, possible};

/// Older than any version of ours.
const OLDER: &str = "0.0.1-1";

const PARTNER: &str = "version = 1\n[[outbound]]\nname = \"bank\"\nmode = \"enforce\"\ndomains = [\"bank.example\"]\n\
                       tls = \"encrypt\"\n";

/// What answers for the partner.
const ANSWER: &str = "10:OK encrypt,";

/// Where Postfix asks.
const SOCKET: &str = "var/spool/postfix/connectord/socketmap.sock";

/// The packages, of an older version and of this one, with the programs that are tested everywhere.
fn packages() -> &'static [PathBuf; 2] {
    static PACKAGES: OnceLock<[PathBuf; 2]> = OnceLock::new();
    PACKAGES.get_or_init(|| {
        let build = |directory: &str, version: &[&str]| {
            let output = Path::new(env!("CARGO_TARGET_TMPDIR")).join(directory);
            let _ = fs::remove_dir_all(&output);
            let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/build"));
            command.args(["--profile", "dev", "--output"]).arg(&output).args(version).arg("deb");
            // What cargo tells a test of itself would make the cargo in there build everything again.
            let kept = ["CARGO_HOME", "CARGO_TARGET_DIR", "CARGO_INCREMENTAL", "CARGO_TERM_COLOR"];
            let told =
                |name: &str| name.starts_with("CARGO_") && !kept.contains(&name) || name == "LD_LIBRARY_PATH";
            std::env::vars().filter(|(name, _)| told(name)).for_each(|(name, _)| {
                command.env_remove(name);
            });
            let built = command.output().unwrap();
            assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
            let mut files = fs::read_dir(&output).unwrap();
            let package = files.next().unwrap().unwrap().path();
            assert!(files.next().is_none());
            package
        };
        [build("older", &["--version", OLDER]), build("newer", &[])]
    })
}

fn ask(path: &Path) -> std::io::Result<String> {
    let mut stream = UnixStream::connect(path)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    stream.write_all(b"16:tls bank.example,")?;
    let mut reply = vec![0; ANSWER.len()];
    stream.read_exact(&mut reply)?;
    Ok(String::from_utf8_lossy(&reply).into_owned())
}

/// Asks again and again, in connections of their own, while something is done; how many were answered.
fn under_load(path: &Path, work: impl FnOnce()) -> usize {
    /// Lets the others end however this ends.
    struct Over<'o>(&'o AtomicBool);
    impl Drop for Over<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let (is_over, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        let _over = Over(&is_over);
        for _ in 0..4 {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    assert_eq!(ask(path).unwrap(), ANSWER);
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        wait_for("answers before", || match answered.load(Ordering::Relaxed) {
            0 => Err("none".to_owned()),
            _ => Ok(()),
        });
        work();
        let before = answered.load(Ordering::Relaxed);
        wait_for("answers behind", || match answered.load(Ordering::Relaxed) {
            now if now <= before + 10 => Err(now.to_string()),
            _ => Ok(()),
        });
    });
    answered.into_inner()
}

/// What systemd-analyze(1) says that a unit is exposed to, from 0 to 10.
fn exposure(machine: &Booted, unit: &str) -> f64 {
    let said = machine.good(&["systemd-analyze", "security", "--offline=true", unit]);
    let last = said.lines().find(|line| line.contains("Overall exposure level")).unwrap();
    let (_, level) = last.split_once("service: ").unwrap();
    level.split_whitespace().next().unwrap().parse().unwrap()
}

/// The daemon is killed, and then it hangs: systemd starts another one, and who asks is answered by that.
fn dies_and_hangs(machine: &Booted) {
    let socket = machine.root().join(SOCKET);
    let process = || machine.good(&["systemctl", "show", "connectord", "-P", "MainPID"]);
    let another = |before: &str| {
        // Whoever it was talking to is cut off.
        wait_for("an answer", || {
            ask(&socket).map(|answer| assert_eq!(answer, ANSWER)).map_err(|error| error.to_string())
        });
        wait_for("another process", || match process() {
            now if now == before || now == "0\n" => Err(now),
            _ => Ok(()),
        });
    };
    let before = process();
    machine.good(&["systemctl", "kill", "--signal=KILL", "connectord"]);
    another(&before);

    // The unit waits 30 s before it takes a daemon for hanging.
    let sooner = machine.root().join("etc/systemd/system/connectord.service.d");
    fs::create_dir(&sooner).unwrap();
    fs::write(sooner.join("sooner.conf"), "[Service]\nWatchdogSec=2\n").unwrap();
    machine.good(&["systemctl", "daemon-reload"]);
    machine.good(&["systemctl", "restart", "connectord"]);
    let before = process();
    machine.good(&["systemctl", "kill", "--kill-whom=main", "--signal=STOP", "connectord"]);
    another(&before);
    assert!(machine.good(&["journalctl", "-u", "connectord"]).contains("Watchdog timeout"));
    fs::remove_dir_all(&sooner).unwrap();
    machine.good(&["systemctl", "daemon-reload"]);
}

fn from_install_to_purge(release: Release) {
    let packages = packages();
    let machine = Booted::new(release, |root| {
        for (package, name) in packages.iter().zip(["older.deb", "newer.deb"]) {
            fs::copy(package, root.join(name)).unwrap();
        }
    });
    let path = |name: &str| machine.root().join(name);

    // It runs, enforces nothing, says what to do next, and has the sockets of the MTA that is there.
    let said = machine.good(&["dpkg", "--install", "/older.deb"]);
    assert!(said.contains("connectord: next: /etc/connectord/connectord.toml"), "{said}");
    let units =
        ["connectord.service", "connectord.socket", "connectord-control.socket", "connectord-validate.timer"];
    assert_eq!(machine.said(&[&["systemctl", "is-active"][..], &units].concat()), "active\n".repeat(4));
    assert_eq!(machine.said(&["systemctl", "is-active", "connectord-exim.socket"]), "inactive\n");
    let status = machine.good(&["connectord", "status"]);
    assert!(
        status.contains("connectors   0\n") && status.contains("socketmap on /var/spool/postfix/"),
        "{status}"
    );
    assert!(!status.contains("exim"), "{status}");

    let unit = |name: &str| format!("/usr/lib/systemd/system/{name}");
    let files: Vec<String> = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/systemd"))
        .unwrap()
        .map(|file| unit(file.unwrap().file_name().to_str().unwrap()))
        .collect();
    let verify = ["systemd-analyze", "verify", "--man=no"];
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let verified = machine.good(&[&verify[..], &files].concat());
    // The unit says of that line that systemd 252 does not know it.
    let unknown = |line: &str| release.suite == "bookworm" && line.contains("Unknown key 'RestartMode'");
    assert!(verified.lines().all(unknown), "{verified}");
    assert!(exposure(&machine, &unit("connectord.service")) <= 1.5);
    assert!(exposure(&machine, &unit("connectord-validate.service")) <= 1.5);

    // The daily run, without any partner.
    machine.good(&["systemctl", "start", "connectord-validate.service"]);

    // A partner, and Postfix is told of it through the socket.
    fs::write(path("etc/connectord/connectors.d/bank.toml"), PARTNER).unwrap();
    let said = machine.good(&["systemctl", "reload", "connectord"]);
    assert_eq!(said, "");
    let map = "socketmap:unix:/var/spool/postfix/connectord/socketmap.sock:tls";
    assert_eq!(
        machine.good(&[
            "setpriv",
            "--reuid=postfix",
            "--regid=postfix",
            "--clear-groups",
            "postmap",
            "-q",
            "bank.example",
            map
        ]),
        "encrypt\n"
    );
    // What is refused fails visibly, and changes nothing.
    fs::write(path("etc/connectord/connectors.d/bad.toml"), "version = 2\n").unwrap();
    assert!(!machine.run(&["systemctl", "reload", "connectord"]).status.success());
    assert_eq!(ask(&path(SOCKET)).unwrap(), ANSWER);
    fs::remove_file(path("etc/connectord/connectors.d/bad.toml")).unwrap();
    // With one, who is not reached: there is no network. That is what stops it, and nothing of the unit.
    machine.good(&["systemctl", "start", "connectord-validate.service"]);
    let said = machine.good(&["journalctl", "-u", "connectord-validate"]);
    assert!(
        said.contains("no resolver in /etc/resolv.conf answers") && !said.contains("not permitted"),
        "{said}"
    );

    dies_and_hangs(&machine);

    // An upgrade keeps the configuration, and loses no question.
    fs::write(
        path("etc/connectord/connectord.toml"),
        "version = 1\n# ours\ninclude = [\"connectors.d/*.toml\"]\n",
    )
    .unwrap();
    let answered = under_load(&path(SOCKET), || {
        machine.good(&["dpkg", "--install", "--force-confold", "/newer.deb"]);
    });
    assert!(answered > 10);
    assert!(fs::read_to_string(path("etc/connectord/connectord.toml")).unwrap().contains("# ours"));
    let installed =
        machine.good(&["dpkg-query", "--show", "--showformat=${Version} ${Status}", "connectord"]);
    assert_eq!(installed, format!("{}-1 install ok installed", env!("CARGO_PKG_VERSION")));

    // Who removes it is told that Postfix still asks.
    machine.good(&["postconf", "-e", "smtp_tls_policy_maps=socketmap:unix:connectord/socketmap.sock:tls"]);
    let said = machine.good(&["dpkg", "--remove", "connectord"]);
    assert!(said.contains("Postfix still asks connectord"), "{said}");
    assert!(said.contains("smtp_tls_policy_maps = socketmap:unix:connectord/socketmap.sock:tls"), "{said}");
    assert!(ask(&path(SOCKET)).is_err() && !path(SOCKET).exists());
    assert!(path("etc/connectord/connectors.d/bank.toml").exists() && path("var/lib/connectord").exists());

    machine.good(&["dpkg", "--purge", "connectord"]);
    let left = machine.good(&["find", "/etc", "/run", "/usr", "/var", "-name", "*connectord*"]);
    assert_eq!(left, "");
    for file in ["etc/passwd", "etc/group", "etc/shadow", "etc/gshadow"] {
        assert!(!fs::read_to_string(path(file)).unwrap().contains("connectord"), "{file}");
    }
    assert_eq!(
        machine.said(&["systemctl", "list-units", "--all", "--plain", "--no-legend", "connectord*"]),
        ""
    );
}

#[test]
fn debian_12_with_postfix() {
    if possible() {
        from_install_to_purge(HOST_12);
    }
}

#[test]
fn debian_13_with_postfix() {
    if possible() {
        from_install_to_purge(HOST_13);
    }
}
