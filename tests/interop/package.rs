//! The Debian package on hosts with Postfix and with Exim, from its installation by the README to its purge, under
//! the systemd of each release.

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
use crate::monitored::monitored;
use crate::newcomer::{Newcomer, World};
use crate::package_fault::{self, Fault, suffers_and_heals};
use crate::root::{EXIM_HOST_12, EXIM_HOST_13, POSTFIX_HOST_12, POSTFIX_HOST_13, Release, possible};

/// Older than any version of ours.
const OLDER: &str = "0.0.1-1";

/// What differs with the mail server beside it.
struct Beside {
    release: Release,
    /// Where it asks, what, and a part of the answer for the README's partner.
    socket: &'static str,
    question: &'static str,
    answer: &'static str,
    /// The unit of that socket, and that of a mail server which is not there.
    unit: &'static str,
    other_unit: &'static str,
    /// What is said when connectord is removed while that is still in use.
    warning: &'static str,
    /// What the warning then tells to do.
    mend: &'static str,
    /// What goes round a connector, until `doctor` is obeyed.
    fault: &'static Fault,
}

impl Beside {
    const fn postfix(release: Release) -> Beside {
        Beside {
            release,
            socket: "var/spool/postfix/connectord/socketmap.sock",
            question: "15:tls contoso.com,",
            answer: ":OK secure match=",
            unit: "connectord.socket",
            other_unit: "connectord-exim.socket",
            warning: "Postfix still asks connectord: from now on it defers all mail. The settings that name it:\n\
                      connectord: warning:   smtp_tls_policy_maps = socketmap:unix:connectord/socketmap.sock:tls",
            mend: "postconf -e smtp_tls_policy_maps= && postfix reload",
            fault: &package_fault::POSTFIX,
        }
    }

    const fn exim(release: Release) -> Beside {
        Beside {
            release,
            socket: "run/connectord/exim.sock",
            question: "out domain=contoso.com sender=\"\"\n",
            answer: "status=ok tls=cert ",
            unit: "connectord-exim.socket",
            other_unit: "connectord.socket",
            warning: "the configuration of Exim in /etc/exim4 still asks connectord: from now on it defers mail.",
            mend: "rm -r /etc/exim4/connectord /etc/exim4/conf.d/*/*connectord*; \
                   update-exim4.conf && systemctl reload exim4",
            fault: &package_fault::EXIM,
        }
    }

    fn path(&self, machine: &Booted) -> PathBuf {
        machine.seen().join(self.socket)
    }

    fn ask(&self, path: &Path) -> std::io::Result<String> {
        let mut stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(DEADLINE))?;
        stream.write_all(self.question.as_bytes())?;
        let mut reply = [0; 1000];
        // A reply is written at once.
        let count = stream.read(&mut reply)?;
        let reply = String::from_utf8_lossy(&reply[..count]).into_owned();
        if reply.contains(self.answer) { Ok(reply) } else { Err(std::io::Error::other(reply)) }
    }
}

/// The packages of a version, with the programs that are tested everywhere.
pub struct Packages {
    pub deb: PathBuf,
    pub rpm: PathBuf,
}

/// Those of an older version, and those of this one.
pub fn packages() -> &'static [Packages; 2] {
    static PACKAGES: OnceLock<[Packages; 2]> = OnceLock::new();
    PACKAGES.get_or_init(|| {
        let build = |directory: &str, version: &[&str]| {
            let output = Path::new(env!("CARGO_TARGET_TMPDIR")).join(directory);
            let _ = fs::remove_dir_all(&output);
            let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/build"));
            command.args(["--profile", "dev", "--output"]).arg(&output).args(version);
            // What cargo tells a test of itself would make the cargo in there build everything again.
            let kept = ["CARGO_HOME", "CARGO_TARGET_DIR", "CARGO_INCREMENTAL", "CARGO_TERM_COLOR"];
            let told =
                |name: &str| name.starts_with("CARGO_") && !kept.contains(&name) || name == "LD_LIBRARY_PATH";
            std::env::vars().filter(|(name, _)| told(name)).for_each(|(name, _)| {
                command.env_remove(name);
            });
            let built = command.output().unwrap();
            assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
            let of = |kind: &str| {
                let mut files = fs::read_dir(&output).unwrap().map(|file| file.unwrap().path());
                files.find(|file| file.extension().is_some_and(|extension| extension == kind)).unwrap()
            };
            Packages { deb: of("deb"), rpm: of("rpm") }
        };
        [build("older", &["--version", OLDER]), build("newer", &[])]
    })
}

/// Asks again and again, in connections of their own, while something is done; each question must be answered.
fn under_load(beside: &Beside, path: &Path, work: impl FnOnce()) {
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
                    beside.ask(path).unwrap();
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
}

/// What systemd-analyze(1) says that a unit is exposed to, from 0 to 10.
fn exposure(machine: &Booted, unit: &str) -> f64 {
    let said = machine.good(&["systemd-analyze", "security", "--offline=true", unit]);
    let last = said.lines().find(|line| line.contains("Overall exposure level")).unwrap();
    let (_, level) = last.split_once("service: ").unwrap();
    level.split_whitespace().next().unwrap().parse().unwrap()
}

/// The daemon is killed, and then it hangs: systemd starts another one, and who asks is answered by that.
fn dies_and_hangs(machine: &Booted, beside: &Beside) {
    let socket = beside.path(machine);
    let process = || machine.good(&["systemctl", "show", "connectord", "-P", "MainPID"]);
    let another = |before: &str| {
        // Whoever it was talking to is cut off.
        wait_for("an answer", || beside.ask(&socket).map_err(|error| error.to_string()));
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

/// It runs, enforces nothing, says what to do next, and has the sockets of the MTA that is there.
fn installed(machine: &Booted, beside: &Beside, said: &str) {
    assert!(said.contains("connectord: next: /etc/connectord/connectord.toml"), "{said}");
    let units = ["connectord.service", beside.unit, "connectord-control.socket", "connectord-validate.timer"];
    assert_eq!(machine.said(&[&["systemctl", "is-active"][..], &units].concat()), "active\n".repeat(4));
    assert_eq!(machine.said(&["systemctl", "is-active", beside.other_unit]), "inactive\n");
    let status = machine.good(&["connectord", "status"]);
    assert!(status.contains("connectors   0\n"), "{status}");
    assert!(status.contains(&format!(" on /{}", beside.socket)), "{status}");
    // The daily run, without any partner.
    machine.good(&["systemctl", "start", "connectord-validate.service"]);
}

/// What systemd says of the units.
fn analyzed(machine: &Booted, release: Release) {
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
    assert!(exposure(machine, &unit("connectord.service")) <= 1.5);
    assert!(exposure(machine, &unit("connectord-validate.service")) <= 1.5);
}

/// Files with our name.
pub fn left(machine: &Booted) -> String {
    machine.good(&["find", "/etc", "/run", "/usr", "/var", "-name", "*connectord*"])
}

/// Removed while the MTA asks it: that is told, and mail waits until what was told is done. Then purged.
fn removed(machine: &Booted, beside: &Beside, world: &World) {
    let path = beside.path(machine);
    let said = machine.good(&["dpkg", "--remove", "connectord"]);
    assert!(said.contains(beside.warning), "{said}");
    assert!(beside.ask(&path).is_err() && !path.exists());
    let kept = |name: &str| machine.root().join(name).exists();
    assert!(kept("etc/connectord/connectors.d/contoso.toml") && kept("var/lib/connectord"));
    world.send(machine, [("removed@other.example", "D")]);
    machine.good(&["sh", "-ec", beside.mend]);
    world.retry(machine, [("removed@other.example", "P mx.other.example:25")]);

    machine.good(&["dpkg", "--purge", "connectord"]);
    assert_eq!(left(machine), "");
    for file in ["etc/passwd", "etc/group", "etc/shadow", "etc/gshadow"] {
        assert!(!fs::read_to_string(machine.root().join(file)).unwrap().contains("connectord"), "{file}");
    }
    // systemd forgets units when nothing is left of their processes, and that takes it a moment.
    wait_for("no unit of ours", || {
        let units = ["systemctl", "list-units", "--all", "--plain", "--no-legend", "connectord*"];
        match machine.said(&units) {
            said if said.is_empty() => Ok(()),
            said => Err(said),
        }
    });
}

fn from_install_to_purge(beside: &Beside) {
    let (packages, release, world) = (packages(), beside.release, World::new(beside.release));
    let machine = Booted::new(release, &world.network.ours, |root| {
        world.prepare(root);
        let built = root.join("checkout/target/packages");
        fs::create_dir_all(&built).unwrap();
        let [older, newer] = packages;
        fs::copy(&older.deb, built.join(older.deb.file_name().unwrap())).unwrap();
        fs::copy(&newer.deb, root.join("newer.deb")).unwrap();
    });
    let path = |name: &str| machine.root().join(name);

    let newcomer = Newcomer::new(&world, &machine, release);
    installed(&machine, beside, &newcomer.install());
    analyzed(&machine, release);
    newcomer.enforce();
    newcomer.sees_that_it_works();
    suffers_and_heals(&machine, &world, &newcomer, beside.fault);
    let socket = beside.path(&machine);
    beside.ask(&socket).unwrap();

    // What is refused fails visibly, and changes nothing.
    fs::write(path("etc/connectord/connectors.d/bad.toml"), "version = 2\n").unwrap();
    assert!(!machine.run(&["systemctl", "reload", "connectord"]).status.success());
    beside.ask(&socket).unwrap();
    fs::remove_file(path("etc/connectord/connectors.d/bad.toml")).unwrap();
    assert_eq!(machine.good(&["systemctl", "reload", "connectord"]), "");
    // The daily run reaches the partner: nothing of its unit stops it.
    machine.good(&["systemctl", "start", "connectord-validate.service"]);

    dies_and_hangs(&machine, beside);
    monitored(&machine);

    // An upgrade keeps the configuration, and loses no question.
    let configuration = fs::read_to_string(path("etc/connectord/connectord.toml")).unwrap();
    under_load(beside, &socket, || {
        machine.good(&["dpkg", "--install", "--force-confold", "/newer.deb"]);
    });
    assert_eq!(fs::read_to_string(path("etc/connectord/connectord.toml")).unwrap(), configuration);
    let version = machine.good(&["dpkg-query", "--show", "--showformat=${Version} ${Status}", "connectord"]);
    assert_eq!(version, format!("{}-1 install ok installed", env!("CARGO_PKG_VERSION")));
    newcomer.obeyed("upgraded");

    removed(&machine, beside, &world);
}

#[test]
fn debian_12_with_postfix() {
    if possible() {
        from_install_to_purge(&Beside::postfix(POSTFIX_HOST_12));
    }
}

#[test]
fn debian_13_with_postfix() {
    if possible() {
        from_install_to_purge(&Beside::postfix(POSTFIX_HOST_13));
    }
}

#[test]
fn debian_12_with_exim() {
    if possible() {
        from_install_to_purge(&Beside::exim(EXIM_HOST_12));
    }
}

#[test]
fn debian_13_with_exim() {
    if possible() {
        from_install_to_purge(&Beside::exim(EXIM_HOST_13));
    }
}
