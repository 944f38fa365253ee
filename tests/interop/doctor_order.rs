//! `doctor` about the order in which a real systemd starts Postfix and connectord.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::Value;

use crate::booted::Booted;
use crate::network::Network;
use crate::postfix::settings_of;
use crate::root::{POSTFIX_HOST_12, POSTFIX_HOST_13, Release, possible};

const CONFIGURATION: &str = r#"
version = 1
[[outbound]]
name = "open"
mode = "enforce"
domains = ["open.example"]
tls = "encrypt"
"#;

/// A unit that somebody wrote, who did not think of the boot.
const UNIT: &str = "[Service]\nExecStart=/usr/sbin/connectord serve\n";

fn install(root: &Path) {
    let connectord = root.join("usr/sbin/connectord");
    fs::copy(env!("CARGO_BIN_EXE_connectord"), &connectord).unwrap();
    fs::set_permissions(&connectord, fs::Permissions::from_mode(0o755)).unwrap();
    fs::create_dir_all(root.join("etc/connectord")).unwrap();
    fs::write(root.join("etc/connectord/connectord.toml"), CONFIGURATION).unwrap();
    fs::write(root.join("etc/systemd/system/connectord.service"), UNIT).unwrap();
}

/// What is found about the order: where, and by what it is mended.
fn found(machine: &Booted) -> Option<(String, Vec<String>)> {
    let report: Value =
        serde_json::from_slice(&machine.run(&["connectord", "doctor", "postfix", "--json"]).stdout).unwrap();
    let findings = report["findings"].as_array().unwrap().iter();
    let mut about = findings.filter(|finding| finding["id"] == "postfix-unit-order");
    let found = about.next()?;
    let mend = found["mend"].as_array().unwrap().iter().map(|command| command.as_str().unwrap().to_owned());
    Some((found["where"].as_str().unwrap().to_owned(), mend.collect()))
}

fn ordered(release: Release, unit: &str) {
    let machine = Booted::new(release, &Network::new().ours, install);
    let contrib = settings_of(include_str!("../../contrib/postfix/main.cf.outbound"));
    let contrib: Vec<&str> = contrib.iter().map(String::as_str).collect();
    machine.good(&[&["postconf", "-e"], &contrib[..]].concat());
    let before = || machine.good(&["systemctl", "show", "-P", "Before", "connectord.service"]);
    assert!(!before().contains("postfix"), "{}", before());
    let (place, mend) = found(&machine).unwrap();
    assert_eq!(place, format!("systemd: {unit}"));
    // Somebody who has it the other way round is told no command that would be a cycle.
    let own = machine.root().join("etc/systemd/system/connectord.service");
    fs::write(&own, format!("[Unit]\nAfter=postfix.service\n{UNIT}")).unwrap();
    machine.good(&["systemctl", "daemon-reload"]);
    assert_eq!(found(&machine), Some((place, Vec::new())));
    fs::write(&own, UNIT).unwrap();
    machine.good(&["systemctl", "daemon-reload"]);
    for command in &mend {
        machine.good(&["sh", "-ec", command]);
    }
    assert!(before().split_whitespace().any(|name| name == unit), "{}", before());
    assert_eq!(found(&machine), None);
    // The units of the packages have it from the beginning.
    machine.good(&["rm", "-r", "/etc/systemd/system/connectord.service.d"]);
    let unit = include_str!("../../packaging/systemd/connectord.service");
    fs::write(machine.root().join("etc/systemd/system/connectord.service"), unit).unwrap();
    machine.good(&["systemctl", "daemon-reload"]);
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
