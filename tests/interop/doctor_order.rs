//! `doctor` about the daemon as a unit of a real systemd: one that is started too late, and one that does not run.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::Value;

use crate::booted::Booted;
use crate::condition::wait_for;
use crate::newcomer::World;
use crate::postfix::settings_of;
use crate::root::{POSTFIX_HOST_12, POSTFIX_HOST_13, Release, possible};

const CONFIGURATION: &str = r#"
version = 1

[[listen]]
protocol = "socketmap"
path = "/var/spool/postfix/connectord/socketmap.sock"
group = "postfix"

[[outbound]]
name = "contoso"
mode = "enforce"
domains = ["contoso.com"]
tls = "encrypt"
"#;

/// A unit that somebody wrote, who did not think of the boot: its start takes as long as there is a certain file.
const UNIT: &str = "[Service]\nType=notify\nExecStart=/usr/sbin/connectord serve\n\
                    ExecStartPre=/bin/sh -c 'while [ -e /run/slow ]; do sleep 0.1; done'\n";

const DELIVERED: &str = "T mx1.contoso.com:25";

fn install(root: &Path) {
    let connectord = root.join("usr/sbin/connectord");
    fs::copy(env!("CARGO_BIN_EXE_connectord"), &connectord).unwrap();
    fs::set_permissions(&connectord, fs::Permissions::from_mode(0o755)).unwrap();
    for directory in ["etc/connectord", "var/spool/postfix/connectord"] {
        fs::create_dir_all(root.join(directory)).unwrap();
    }
    fs::write(root.join("etc/connectord/connectord.toml"), CONFIGURATION).unwrap();
    fs::write(root.join("etc/systemd/system/connectord.service"), UNIT).unwrap();
}

/// The only finding, if there is one: what it is, where, and by what it is mended.
fn found(machine: &Booted) -> Option<[String; 3]> {
    let said = machine.run(&["connectord", "doctor", "postfix", "--json"]);
    let report: Value = serde_json::from_slice(&said.stdout).unwrap();
    let findings = report["findings"].as_array().unwrap();
    assert!(findings.len() < 2, "{findings:#?}");
    let finding = findings.first()?;
    let mend: Vec<&str> = finding["mend"].as_array().unwrap().iter().flat_map(Value::as_str).collect();
    let text = |key: &str| finding[key].as_str().unwrap().to_owned();
    Some([text("id"), text("where"), mend.join("\n")])
}

/// Both are started as in a boot, with mail in the queue and a daemon that takes its time; it is there when this is done.
fn boot(machine: &Booted, unit: &str, recipient: &str, while_it_starts: impl FnOnce()) {
    machine.good(&["systemctl", "stop", unit, "connectord.service"]);
    let send = format!("echo hello | sendmail -f bob@ours.example {recipient}");
    machine.good(&["sh", "-ec", &format!("touch /run/slow; {send}")]);
    machine.good(&["systemctl", "start", "--no-block", "connectord.service", unit]);
    while_it_starts();
    machine.good(&["rm", "/run/slow"]);
    until_active(machine, "connectord.service");
    until_active(machine, unit);
}

fn until_active(machine: &Booted, unit: &str) {
    wait_for("a unit", || match machine.said(&["systemctl", "is-active", unit]) {
        said if said == "active\n" => Ok(()),
        said => Err(format!("{unit}: {said}")),
    });
}

fn ordered(release: Release, unit: &str) {
    let world = World::new(release);
    let machine = Booted::new(release, &world.network.ours, |root| {
        world.prepare(root);
        install(root);
    });
    let contrib = settings_of(include_str!("../../contrib/postfix/main.cf.outbound"));
    let contrib: Vec<&str> = contrib.iter().map(String::as_str).collect();
    machine.good(&[&["postconf", "-e"], &contrib[..]].concat());
    machine.good(&["postfix", "reload"]);
    machine.good(&["systemctl", "start", "connectord.service"]);
    world.send(&machine, [("first@contoso.com", DELIVERED)]);

    // Somebody who has it the other way round is told no command that would be a cycle.
    let place = format!("systemd: {unit}");
    let is = |mend: &str| Some(["postfix-unit-order".to_owned(), place.clone(), mend.to_owned()]);
    let own = machine.root().join("etc/systemd/system/connectord.service");
    let write = |text: &str| {
        fs::write(&own, text).unwrap();
        machine.good(&["systemctl", "daemon-reload"]);
    };
    write(&format!("[Unit]\nAfter=postfix.service\n{UNIT}"));
    assert_eq!(found(&machine), is(""));
    write(UNIT);
    boot(&machine, unit, "second@contoso.com", || {
        until_active(&machine, unit);
        world.met(&machine, [("second@contoso.com", "D client TLS configuration problem")]);
    });
    let [_, _, mend] = found(&machine).unwrap();
    assert_eq!(found(&machine), is(&mend));
    machine.good(&["sh", "-ec", &mend]);
    assert_eq!(found(&machine), None);
    boot(&machine, unit, "third@contoso.com", || {
        wait_for("Postfix that waits", || {
            let jobs = machine.said(&["systemctl", "list-jobs", "--plain", "--no-legend"]);
            let waits = |job: &str| job.contains(unit) && job.contains("waiting");
            if jobs.lines().any(waits) { Ok(()) } else { Err(jobs) }
        });
    });
    world.met(&machine, [("third@contoso.com", DELIVERED)]);
    world.retry(&machine, [("second@contoso.com", DELIVERED)]);

    // Somebody has stopped it.
    machine.good(&["systemctl", "stop", "connectord.service"]);
    world.send(&machine, [("fourth@contoso.com", "D client TLS configuration problem")]);
    let socket = "/var/spool/postfix/connectord/socketmap.sock";
    let start = "systemctl start connectord.service";
    assert_eq!(found(&machine), Some(["postfix-daemon-unreached", socket, start].map(str::to_owned)));
    machine.good(&["sh", "-ec", start]);
    assert_eq!(found(&machine), None);
    world.retry(&machine, [("fourth@contoso.com", DELIVERED)]);

    // The units of the packages have the order from the beginning.
    machine.good(&["rm", "-r", "/etc/systemd/system/connectord.service.d"]);
    write(include_str!("../../packaging/systemd/connectord.service"));
    assert_eq!(found(&machine), None);
}

#[test]
fn x2_order_postfix_3_7() {
    if possible() {
        ordered(POSTFIX_HOST_12, "postfix@-.service");
    }
}

#[test]
fn x2_order_postfix_3_10() {
    if possible() {
        ordered(POSTFIX_HOST_13, "postfix.service");
    }
}
