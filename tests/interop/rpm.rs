//! The .rpm, looked at and lived with by rpm itself, on a Debian: what it depends on is not asked there.

use std::fs;

use crate::booted::Booted;
use crate::condition::wait_for;
use crate::network::Network;
use crate::package::{left, packages};
use crate::root::{POSTFIX_HOST_12, POSTFIX_HOST_13, Release, possible};

const PARTNER: &str = "version = 1\n[[outbound]]\nname = \"bank\"\nmode = \"enforce\"\ndomains = [\"bank.example\"]\n\
                       tls = \"encrypt\"\n";

const MAP: &str = "socketmap:unix:/var/spool/postfix/connectord/socketmap.sock:tls";

fn from_install_to_erasure(release: Release) {
    let [older, newer] = packages();
    let machine = Booted::new(release, &Network::new().ours, |root| {
        fs::copy(&older.rpm, root.join("older.rpm")).unwrap();
        fs::copy(&newer.rpm, root.join("newer.rpm")).unwrap();
    });
    let rpm = |arguments: &[&str]| machine.good(&[&["rpm"][..], arguments].concat());

    // What is in it, before it is installed.
    let files = rpm(&["-qpl", "/newer.rpm"]);
    for file in [
        "/usr/sbin/connectord",
        "/usr/sbin/connectord-validate",
        "/etc/connectord/connectord.toml",
        "/usr/lib/systemd/system/connectord.service",
        "/usr/lib/systemd/system/connectord.socket",
        "/usr/lib/systemd/system/connectord-validate.timer",
        "/usr/lib/sysusers.d/connectord.conf",
        "/usr/lib/tmpfiles.d/connectord.conf",
        "/usr/share/man/man8/connectord.8.gz",
        "/usr/share/man/man5/connectord.toml.5.gz",
        "/usr/share/doc/connectord/contrib/postfix/main.cf.outbound",
    ] {
        assert!(files.lines().any(|line| line == file), "{file} is not in it:\n{files}");
    }
    let kept = rpm(&["-qpc", "/newer.rpm"]);
    assert_eq!(kept, "/etc/connectord/connectord.toml\n/etc/connectord/connectors.d/README\n");
    let scripts = rpm(&["-qp", "--scripts", "/newer.rpm"]);
    for script in ["postinstall", "preuninstall", "postuninstall"] {
        assert!(scripts.contains(&format!("{script} scriptlet")), "{scripts}");
    }
    let facts = rpm(&["-qp", "--qf", "%{NAME} %{VERSION} %{LICENSE}", "/newer.rpm"]);
    assert_eq!(facts, format!("connectord {} MIT OR Apache-2.0", env!("CARGO_PKG_VERSION")));

    // Installed, nothing runs before somebody says so, as is usual where .rpm is; who says so is told how.
    let said = rpm(&["--nodeps", "-i", "/older.rpm"]);
    let (_, next) = said.split_once("connectord: systemctl ").unwrap_or_else(|| panic!("{said}"));
    let (next, _) = next.split_once(';').unwrap();
    assert_eq!(machine.said(&["systemctl", "is-active", "connectord.service"]), "inactive\n");
    fs::write(machine.root().join("etc/connectord/connectors.d/bank.toml"), PARTNER).unwrap();
    machine.good(&["sh", "-ec", &format!("systemctl {next}")]);
    let asked = || machine.good(&["postmap", "-q", "bank.example", MAP]);
    assert_eq!(asked(), "encrypt\n");
    assert_eq!(machine.said(&["systemctl", "is-active", "connectord-validate.timer"]), "active\n");

    // Another version keeps what was changed, and is what runs then.
    let changed = "version = 1\n# ours\ninclude = [\"connectors.d/*.toml\"]\n";
    fs::write(machine.root().join("etc/connectord/connectord.toml"), changed).unwrap();
    let process = || machine.good(&["systemctl", "show", "connectord", "-P", "MainPID"]);
    let before = process();
    rpm(&["--nodeps", "-U", "/newer.rpm"]);
    assert_eq!(asked(), "encrypt\n");
    assert_ne!(process(), before);
    let query = ["-q", "--qf", "%{VERSION}", "connectord"];
    assert_eq!(rpm(&query), env!("CARGO_PKG_VERSION"));
    assert_eq!(fs::read_to_string(machine.root().join("etc/connectord/connectord.toml")).unwrap(), changed);
    // `-V` fails when something differs: size, digest and time of the one file, and of nothing else.
    let differs = machine.said(&["rpm", "-V", "--nodeps", "connectord"]);
    assert_eq!(differs, "S.5....T.  c /etc/connectord/connectord.toml\n");

    // Erased while Postfix asks it.
    machine.good(&["postconf", "-e", &format!("smtp_tls_policy_maps={MAP}")]);
    let said = rpm(&["-e", "connectord"]);
    assert!(said.contains("Postfix still asks connectord"), "{said}");
    wait_for("its end", || match machine.said(&["systemctl", "is-active", "connectord.service"]) {
        state if state == "inactive\n" => Ok(()),
        state => Err(state),
    });
    // What somebody wrote stays, as rpm has it.
    assert_eq!(left(&machine), "/etc/connectord\n/etc/connectord/connectord.toml.rpmsave\n");
    assert!(machine.root().join("etc/connectord/connectors.d/bank.toml").exists());
}

#[test]
fn debian_12() {
    if possible() {
        from_install_to_erasure(POSTFIX_HOST_12);
    }
}

#[test]
fn debian_13() {
    if possible() {
        from_install_to_erasure(POSTFIX_HOST_13);
    }
}
