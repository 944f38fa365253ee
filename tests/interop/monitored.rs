//! The guide connectord-monitoring(7) on a host with the package: the port that systemd hands over to a daemon which may
//! have no network, and the plugin.

use std::fs;

use crate::booted::Booted;
use crate::condition::wait_for;

/// Where the package has the files of the guide.
const FILES: &str = "/usr/share/doc/connectord/contrib/monitoring";

/// As the guide's first way; what it has left behind is removed again.
pub fn monitored(machine: &Booted) {
    let unit = "/etc/systemd/system/connectord-metrics.socket";
    machine.good(&["cp", &format!("{FILES}/connectord-metrics.socket"), unit]);
    let systemctl = |words: &[&str]| machine.good(&[&["systemctl"][..], words].concat());
    systemctl(&["daemon-reload"]);
    systemctl(&["enable", "connectord-metrics.socket"]);
    // A test restarts it more often than the unit allows (StartLimitBurst=); this forgets how often.
    systemctl(&["reset-failed", "connectord"]);
    systemctl(&["restart", "connectord"]);
    asked(machine);
    // The same daemon: it was given the port, and opens none.
    assert!(machine.good(&["connectord", "status"]).contains("listens      metrics on 127.0.0.1:9899\n"));
    assert_eq!(systemctl(&["show", "connectord", "-P", "RestrictAddressFamilies"]), "AF_UNIX\n");
    // By root too, without a scrape.
    let text = machine.good(&["connectord", "status", "--prometheus"]);
    assert!(text.ends_with("# EOF\n"), "{text}");
    // Its partner passed or not, it is no OK without a word.
    let output = machine.run(&["sh", &format!("{FILES}/check_connectord")]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.starts_with("CONNECTORD ") && said.contains(" | connections="), "{said}");
    assert!(matches!(output.status.code(), Some(0..=2)), "{said}");

    // Once more, as an upgrade does it: the socket stays.
    systemctl(&["restart", "connectord"]);
    asked(machine);
    systemctl(&["disable", "--now", "connectord-metrics.socket"]);
    fs::remove_file(machine.root().join(&unit[1..])).unwrap();
    systemctl(&["daemon-reload"]);
    systemctl(&["restart", "connectord"]);
    assert!(!machine.good(&["connectord", "status"]).contains("listens      metrics"));
    systemctl(&["reset-failed", "connectord"]);
}

fn asked(machine: &Booted) {
    let scrape = "exec 3<>/dev/tcp/127.0.0.1/9899; printf 'GET /metrics HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3";
    let text = wait_for("metrics", || {
        let output = machine.run(&["bash", "-c", scrape]);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if said.ends_with("# EOF\n") { Ok(said) } else { Err(format!("{said}{output:?}")) }
    });
    assert!(
        text.starts_with("HTTP/1.1 200 OK\r\n") && text.contains("\nconnectord_generation 1\n"),
        "{text}"
    );
}
