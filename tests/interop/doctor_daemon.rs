//! `doctor` about the daemon itself: mail that waits because Postfix does not get to it, and an agreement that is in the
//! files and not in force.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::PermissionsExt as _;

use crate::certificates::Authority;
use crate::client::Client;
use crate::on_each_postfix;
use crate::partner::{Host, Starttls};
use crate::practice::Practice;
use crate::resolver::Zone;
use crate::root::Release;

const WAITS: &str = "D client TLS configuration problem";

const PLAIN: &str = "P mx.plain.example:25";

const NO_TLS: &str = "D TLS is required, but was not offered";

const SOCKETMAP: &str = "/var/spool/postfix/connectord/socketmap.sock";

const POLICY: &str = "/var/spool/postfix/connectord/policy.sock";

fn open(release: Release) -> Practice {
    let authority = Authority::new("Lab CA");
    let plain = Host { name: "mx.plain.example".to_owned(), number: 10, starttls: Starttls::Absent };
    let mut zone = Zone::default();
    zone.mx("open.example", "mx.plain.example");
    zone.mx("free.example", "mx.plain.example");
    let practice = Practice::open(release, &authority, &[plain], zone);
    practice.agree(&agreed("encrypt", INBOUND));
    practice
}

fn agreed(level: &str, inbound: &str) -> String {
    format!(
        "[[outbound]]\nname = \"open\"\nmode = \"enforce\"\ndomains = [\"open.example\"]\ntls = {level:?}\n{inbound}"
    )
}

const INBOUND: &str = r#"
[[inbound]]
name = "open-in"
mode = "enforce"
identify.domains = ["open.example"]
require.tls = true
on_violation = "reject"
"#;

/// What somebody of ours is told who has mail for the partner.
fn told(practice: &Practice) -> String {
    let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let mut client = Client::connect(&practice.lab.network.ours, loopback, loopback);
    client.expect("250", "EHLO localhost");
    client.expect("250", "MAIL FROM:<sender@ours.example>");
    client.ask("RCPT TO:<someone@free.example>")
}

/// Who may go where on the way to the sockets.
fn x2_way(release: Release) {
    let practice = open(release);
    let sockets = practice.lab.machine.directory().join("spool/connectord");
    let set =
        |name: &str, mode| fs::set_permissions(sockets.join(name), fs::Permissions::from_mode(mode)).unwrap();
    let daemon = practice.serve();
    practice.is_well();
    // A directory that is closed, for both sockets.
    set("", 0o700);
    assert!(told(&practice).starts_with("451"));
    practice.stands_still(&[SOCKETMAP, POLICY], "not use /var/spool/postfix/connectord,");
    practice.findings().iter().for_each(|finding| practice.obey(finding));
    practice.is_well();
    assert!(told(&practice).starts_with("250"));
    // What is further up may be closed for a reason.
    let spool = practice.lab.machine.directory().join("spool");
    let mode = fs::metadata(&spool).unwrap().permissions();
    fs::set_permissions(&spool, fs::Permissions::from_mode(0o700)).unwrap();
    practice.stands_still(&[SOCKETMAP, POLICY], "not use /var/spool/postfix,");
    assert!(practice.findings().iter().all(|finding| finding["mend"] == serde_json::json!([])));
    fs::set_permissions(&spool, mode).unwrap();
    // From here on mail is taken in without the daemon.
    practice.postconf(&["-e", "smtpd_recipient_restrictions=", "smtpd_data_restrictions="]);
    practice.agree_from_now_on(&agreed("encrypt", ""));
    let is_let_in = |word: &str| {
        // Who is connected stays so.
        practice.reload_postfix();
        practice.send("Subject: doctor", &format!("closed-{word}@free.example"), WAITS);
        practice.stands_still(&[SOCKETMAP], "may not use /var/spool/postfix/connectord/socketmap.sock,");
        practice.is_mended("postfix-daemon-unreached", SOCKETMAP);
        practice.send("Subject: doctor", &format!("open-{word}@free.example"), PLAIN);
    };
    set("socketmap.sock", 0o600);
    is_let_in("mode");
    practice.lab.machine.run("chgrp", &["root", SOCKETMAP]);
    is_let_in("group");
    // Another one owns it, and the directory, in which nothing is safe to touch for root.
    practice.lab.machine.run("chown", &["-R", "daemon:daemon", "/var/spool/postfix/connectord"]);
    set("", 0o755);
    is_let_in("owner");
    // To be in its group by the list of members is not enough; and somebody has chosen that.
    practice.lab.machine.run("chgrp", &["mail", SOCKETMAP]);
    practice.reload_postfix();
    practice.send("Subject: doctor", "group@free.example", WAITS);
    practice.stands_still(&[SOCKETMAP], "may not use /var/spool/postfix/connectord/socketmap.sock,");
    assert_eq!(practice.findings()[0]["mend"], serde_json::json!([]));
    practice.lab.machine.run("chgrp", &["postfix", SOCKETMAP]);
    practice.is_well();
    practice.send("Subject: doctor", "again@free.example", PLAIN);
    drop(daemon);
    practice.send("Subject: doctor", "away@free.example", WAITS);
    practice.stands_still(&[SOCKETMAP], "/socketmap.sock is not there");
}

/// A path to the map of ways that is right outside of the chroot of trivial-rewrite(8).
fn x2_path(release: Release) {
    let practice = open(release);
    let _daemon = practice.serve();
    let table = format!("socketmap:unix:{SOCKETMAP}:transport");
    practice.postconf(&["-e", &format!("transport_maps={table}")]);
    assert!(told(&practice).starts_with("451"));
    practice.is_mended("postfix-socket-path", &format!("main.cf: transport_maps = {table}"));
    assert!(told(&practice).starts_with("250"));
}

/// An agreement that the daemon has not read.
fn x2_unread(release: Release) {
    let practice = open(release);
    practice.agree(&agreed("may", ""));
    let _daemon = practice.serve();
    practice.is_well();
    practice.agree(&agreed("encrypt", ""));
    practice.send("Subject: doctor", "unread@open.example", PLAIN);
    practice.is_mended("postfix-daemon-other", "the running daemon");
    practice.send("Subject: doctor", "read@open.example", NO_TLS);
}

/// Somebody who may read the files and not ask the daemon: it is shown by root.
fn x2_unseen(release: Release) {
    let practice = open(release);
    practice.agree(&agreed("may", INBOUND));
    let _daemon = practice.serve();
    practice.is_well();
    practice.agree(&agreed("encrypt", INBOUND));
    practice.send("Subject: doctor", "unread@open.example", PLAIN);
    let nobody = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"];
    let findings = practice.findings_of(&nobody);
    let places: Vec<&str> = findings.iter().flat_map(|finding| finding["where"].as_str()).collect();
    assert_eq!(places, [POLICY, SOCKETMAP, "the running daemon"], "{findings:#?}");
    let command = "connectord doctor postfix --config /etc/postfix/connectord.toml";
    for finding in &findings {
        assert_eq!(finding["id"], "postfix-daemon-unseen");
        assert!(finding["message"].as_str().unwrap().contains("root"), "{finding:#?}");
        assert_eq!(finding["mend"], serde_json::json!([command]));
    }
    // It shows what could not be seen.
    let shown = practice.typed(command);
    let text = String::from_utf8_lossy(&shown.stdout);
    let reload = text.lines().find_map(|line| line.strip_prefix("    # "));
    assert!(shown.status.code() == Some(1) && text.contains("postfix-daemon-other"), "{text}");
    assert!(practice.typed(reload.unwrap()).status.success());
    practice.send("Subject: doctor", "read@open.example", NO_TLS);
    let shown = practice.typed(command);
    assert!(
        shown.status.success() && String::from_utf8_lossy(&shown.stdout).contains(": none of the"),
        "{shown:?}"
    );
    practice.is_well();
}

on_each_postfix!(x2_way, x2_path, x2_unread, x2_unseen);
