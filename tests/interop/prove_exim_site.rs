//! `prove` with an Exim of a site that does more than send: nothing of what it writes and runs touches the machine, what
//! keeps the proof from being whole is told, and when it is killed nothing is left.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Stdio};

use serde_json::Value;

use crate::condition::wait_for;
use crate::exim_practice::Practice;
use crate::on_each_exim;
use crate::prove::{each, running};
use crate::root::Release;

on_each_exim!(
    killed_it_leaves_nothing,
    what_the_site_runs_touches_nothing,
    what_an_acl_refuses_is_told,
    room_that_is_not_there_is_told,
    logs_in_the_spool_are_read,
);

const CONNECTORS: &str = r#"
[[outbound]]
name = "good"
mode = "enforce"
domains = ["good.example"]
tls = "secure"
match = ["mx.good.example"]

[[outbound]]
name = "open"
mode = "enforce"
domains = ["open.example"]
tls = "encrypt"
"#;

fn practice(release: Release) -> Practice {
    let practice: Practice = Practice::prover(release);
    practice.agree(CONNECTORS);
    practice
}

fn killed_it_leaves_nothing(release: Release) {
    const PROGRAM: &str = "connectord-vali";
    let practice = practice(release);
    let machine = &practice.lab.machine;
    assert_eq!(running(machine, "exim4").len(), 1);
    let before = practice.all_files();
    let mut proof = machine.command("/etc/exim4/bin/connectord");
    proof.args(["prove", "--config", "/etc/exim4/connectord.toml"]).stdout(Stdio::null());
    let mut proof = proof.spawn().unwrap();
    wait_for("a second Exim, and a daemon", || {
        let there = [running(machine, "connectord").len(), running(machine, "exim4").len()];
        if there[0] > 0 && there[1] > 1 { Ok(()) } else { Err(format!("{there:?}")) }
    });
    // At once, and whatever it says: the end of one ends others before they are killed. What counts is that none is left.
    let mut kill = vec!["-c".to_owned(), "kill -9 \"$@\"".to_owned(), "sh".to_owned()];
    kill.extend(running(machine, PROGRAM));
    assert!(kill.len() > 3, "it runs");
    machine.output("sh", &kill.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(!proof.wait().unwrap().success());
    wait_for("the end of all that it had started", || {
        let left = ["connectord", PROGRAM, "exim4"].map(|name| running(machine, name).len());
        if left == [0, 0, 1] { Ok(()) } else { Err(format!("{left:?}")) }
    });
    let mounts = machine.run("cat", &["/proc/self/mounts"]);
    assert!(!mounts.contains("connectord-prove"), "{mounts}");
    assert_eq!(machine.run("exim4", &["-bpc"]), "0\n");
    assert_eq!(practice.all_files(), before);
}

/// Every message goes into a file, to a program and to a FIFO too.
const SITE: &str = r#"
install -d -o Debian-exim /var/lib/exim4/out
mkfifo -m 600 /var/lib/exim4/out/fifo
chown Debian-exim /var/lib/exim4/out/fifo
cd /etc/exim4
for name in file program fifo; do
    printf 'site_%s:\n driver = accept\n domains = ! +local_domains\n unseen\n transport = site_%s\n\n' $name $name
done > conf.d/router/03_site
cat > conf.d/transport/40_site <<END
site_file:
  driver = appendfile
  file = /var/lib/exim4/out/archive
  user = Debian-exim

site_fifo:
  driver = appendfile
  file = /var/lib/exim4/out/fifo
  allow_fifo
  no_use_lockfile
  user = Debian-exim

site_program:
  driver = pipe
  command = /bin/sh /etc/exim4/site-program
  user = Debian-exim
  ignore_status
END
cat > site-program <<END
for place in /var/lib/exim4/out /tmp /var/spool/exim4 /var/log/exim4; do echo touched > \$place/by-\$\$; done 2>/dev/null
perl -MIO::Socket::UNIX -e 'IO::Socket::UNIX->new(Peer => "/var/lib/exim4/out/x.sock")'
true
END
update-exim4.conf
"#;

/// Writes a line for each connection.
const LISTENER: &str = r#"
$path = "/var/lib/exim4/out/x.sock";
$socket = IO::Socket::UNIX->new(Local => $path, Listen => 9) or die;
chmod 0666, $path;
while ($client = $socket->accept) {
    open $heard, ">>", "/var/log/heard-by-socket"; print $heard "x\n"; close $heard; close $client;
}"#;

/// The same for each message that comes by the FIFO.
const READER: &str = "while cat /var/lib/exim4/out/fifo >> /var/log/heard-by-fifo; do :; done";

/// A process of the machine, until the end of this value.
struct Beside(Child);

impl Beside {
    fn start(practice: &Practice, program: &str, arguments: &[&str]) -> Beside {
        let mut command = practice.lab.machine.command(program);
        Beside(command.args(arguments).stdout(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn what_the_site_runs_touches_nothing(release: Release) {
    let practice = practice(release);
    practice.shell(SITE);
    let _listener = Beside::start(&practice, "perl", &["-MIO::Socket::UNIX", "-e", LISTENER]);
    let _reader = Beside::start(&practice, "sh", &["-c", READER]);
    let path = |name: &str| -> PathBuf { practice.lab.machine.directory().join(name) };
    wait_for("a listener", || path("data/out/x.sock").exists().then_some(()).ok_or_else(String::new));
    // Mail of this machine does all that.
    practice.lab.send_now("control@good.example");
    let written = ["data/out/archive", "log/heard-by-socket", "log/heard-by-fifo"];
    wait_for("what mail does", || {
        let empty = |name: &&&str| fs::read(path(name)).unwrap_or_default().is_empty();
        let missing: Vec<_> = written.iter().filter(empty).collect();
        if missing.is_empty() { Ok(()) } else { Err(format!("{missing:?}")) }
    });
    let by = practice
        .lab
        .machine
        .run("sh", &["-c", "ls -d /var/lib/exim4/out/by-* /tmp/by-* /var/log/exim4/by-*"]);
    assert_eq!(by.lines().count(), 3, "{by}");

    let files = || practice.all_files() + &practice.lab.machine.run("ls", &["-lR", "--full-time", "/tmp"]);
    let before = files();
    let proof = practice.proof(&[]);
    let after = files();
    let changed: Vec<&str> = after.lines().filter(|line| !before.contains(line)).collect();
    assert_eq!((changed, after.len()), (vec![], before.len()));
    // The program was given the mail: what it does with it is not known, and nothing came weaker.
    assert_eq!(proof["verdict"], "not-shown", "{proof:#}");
    let seen = each(&proof).any(|(_, tried)| tried["reason"].as_str().unwrap().contains("site_program"));
    assert!(seen, "{proof:#}");
}

/// The reasons of a connector.
fn reasons<'p>(proof: &'p Value, name: &str) -> Vec<&'p str> {
    let mut all = proof["connectors"].as_array().unwrap().iter();
    let found = all.find(|connector| connector["connector"] == name).unwrap();
    found["reasons"].as_array().unwrap().iter().flat_map(Value::as_str).collect()
}

fn what_an_acl_refuses_is_told(release: Release) {
    let practice = practice(release);
    practice.shell("echo 'acl_not_smtp = acl_site_local' >> /etc/exim4/conf.d/main/000_localmacros");
    // What is said to whoever sends, and what is said to nobody but the log.
    for (acl, words) in [
        ("deny senders = connectord-prove@ours.example\n message = no such senders", "no such senders"),
        (
            "defer senders = connectord-prove@ours.example\n log_message = the scanner is away",
            "the scanner is away",
        ),
        (
            "discard senders = connectord-prove@ours.example\n log_message = we know you",
            "discarded, we know you",
        ),
        ("discard senders = connectord-prove@ours.example", "discarded, no reason given"),
        (
            "deny senders = connectord-prove@ours.example\n message = $message_exim_id is unwanted",
            "is unwanted",
        ),
    ] {
        let write = |first: &str| {
            let text = format!("acl_site_local:\n {first}\n {acl}\n accept\n");
            fs::write(practice.path("conf.d/acl/70_site"), text).unwrap();
            practice.shell("update-exim4.conf");
        };
        write("");
        let proof = practice.proof(&[]);
        assert_eq!(proof["verdict"], "not-shown", "{proof:#}");
        for name in ["good", "open"] {
            let [reason] = reasons(&proof, name)[..] else { panic!("{proof:#}") };
            assert!(reason.contains("acl_not_smtp = acl_site_local") && reason.contains(words), "{reason}");
            // Bounces were let in, and tried.
            let ends: Vec<&Value> =
                each(&proof).filter(|(of, _)| of == name).map(|(_, tried)| &tried["end"]).collect();
            assert!(
                ends.iter().any(|end| **end == "refused") && ends.iter().any(|end| **end == "arrived"),
                "{ends:?}"
            );
        }
        // What it tells to do makes the proof a whole one.
        let advice = reasons(&proof, "good")[0].rsplit('`').nth(1).unwrap().to_owned();
        write(&advice);
        let proof = practice.proof(&[]);
        assert_eq!(proof["verdict"], "holds", "{advice}: {proof:#}");
    }
}

/// Where they are is made by Exim, and not there yet.
fn logs_in_the_spool_are_read(release: Release) {
    let practice = practice(release);
    for setting in ["log_file_path =", "log_file_path = /var/spool/exim4/own/%slog"] {
        practice.shell(&format!("echo '{setting}' > /etc/exim4/conf.d/main/90_site; update-exim4.conf"));
        let proof = practice.proof(&[]);
        assert_eq!(proof["verdict"], "holds", "{setting}: {proof:#}");
    }
}

fn room_that_is_not_there_is_told(release: Release) {
    let practice = practice(release);
    let set = |setting: &str| {
        practice.shell(&format!("echo '{setting}' > /etc/exim4/conf.d/main/90_site; update-exim4.conf"));
    };
    for setting in ["check_spool_space = 300M", "check_log_space = 1G", "check_spool_inodes = 200000"] {
        set(setting);
        let arguments = ["prove", "--config", "/etc/exim4/connectord.toml"];
        let output = practice.lab.machine.output("/etc/exim4/bin/connectord", &arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && output.stdout.is_empty(), "{output:?}");
        for part in [setting.split(" = ").next().unwrap(), "where less is free", "256 MB", "lower value"] {
            assert!(said.contains(part), "{part}: {said}");
        }
    }
    set("check_spool_space = 200M");
    let proof = practice.proof(&[]);
    assert_eq!(proof["verdict"], "holds", "{proof:#}");
}
