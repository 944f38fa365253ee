//! What `prove` leaves alone: nothing on the machine changes, whatever links lead out of the copy, and no daemon of the
//! machine is talked to, whatever settings name its socket.

use std::fs;
use std::process::{Child, Stdio};

use crate::certificates::Authority;
use crate::condition::wait_for;
use crate::on_each_postfix;
use crate::practice::Practice;
use crate::resolver::Zone;
use crate::root::Release;

on_each_postfix!(
    links_lead_to_no_change,
    no_socket_of_the_machine_is_found,
    a_directory_of_authorities,
    a_daemon_that_ends_is_quoted,
);

const CONNECTORS: &str = r#"
[[outbound]]
name = "good"
mode = "enforce"
domains = ["good.example"]
tls = "secure"
match = ["mx.good.example"]
"#;

fn practice(release: Release) -> Practice {
    let practice = Practice::open(release, &Authority::new("Lab CA"), &[], Zone::default());
    practice.agree(CONNECTORS);
    // What master(8) says of its start is written when it has started.
    wait_for("the start of Postfix in its log", || {
        let log = practice.lab.mta.log(&practice.lab.machine);
        if log.contains("daemon started") { Ok(()) } else { Err(log) }
    });
    practice
}

impl Practice {
    fn shell(&self, script: &str) -> String {
        self.lab.machine.run("sh", &["-ec", script])
    }

    /// Every file of the machine that could be written, with its owner, mode, time and content; but for the random octets
    /// that the machine's own tlsmgr(8) leaves behind when it has had nothing to do for a while.
    fn all_files(&self) -> String {
        self.shell(
            "all='/etc /var /run -not -path /var/lib/postfix/prng_exch'; \
             find $all -printf '%p %y %m %U %G %s %T@ %l\\n' | sort; \
             find $all -type f -exec sha256sum {} + | sort",
        )
    }

    /// There is no proof; why not. Not asked by `connectord`, whose place may be taken.
    fn refusal(&self) -> String {
        let mut command = self.lab.machine.command("/etc/postfix/connectord-validate");
        command.args(["prove", "--config", "/etc/postfix/connectord.toml"]);
        let output = command.env("CONNECTORD_VALIDATE_FOR", env!("CARGO_PKG_VERSION")).output().unwrap();
        assert!(output.stdout.is_empty() && !output.status.success(), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    /// A proof runs, and the machine is as before.
    #[track_caller]
    fn changes_nothing(&self, what: &str, verdict: &str) {
        let before = self.all_files();
        let proof = self.proof(&[]);
        assert_eq!(proof["verdict"], verdict, "{what}: {proof:#}");
        let after = self.all_files();
        let changed: Vec<&str> = after.lines().filter(|line| !before.contains(line)).collect();
        assert_eq!((changed, after.len()), (vec![], before.len()), "{what}");
    }
}

/// A new /etc; $1 is the root of the machine. What is mounted below the old one is below it too.
const NEW_ETC: &str = r#"
mkdir "$1/run/etc"
cp -a "$1/etc/." "$1/run/etc"
for name in postfix ssl/certs nsd; do mount --bind "$1/etc/$name" "$1/run/etc/$name"; done
mount --rbind "$1/run/etc" "$1/etc""#;

/// Resolv.conf leads to where nothing is, over another link.
const DANGLING: &str = "
rm /etc/resolv.conf
ln -s resolvers /etc/resolv.conf
ln -s ../run/resolvconf/resolv.conf /etc/resolvers";

fn links_lead_to_no_change(release: Release) {
    let practice = practice(release);
    practice.changes_nothing("as installed", "holds");
    let machine = &practice.lab.machine;
    let mut new_etc = machine.as_we_see_it("sh");
    new_etc.args(["-ec", NEW_ETC, "sh"]).arg(release.root());
    assert!(new_etc.status().unwrap().success());
    for (what, script) in [
        ("in the chroot", "ln -sf /etc/resolv.conf /var/spool/postfix/etc/resolv.conf"),
        (
            "the queue directory",
            "ln -s ../spool/postfix /var/log/queue; postconf -e queue_directory=/var/log/queue",
        ),
        (
            "main.cf and master.cf",
            "for name in main.cf master.cf; do \
             mv /etc/postfix/$name /var/log/$name; ln -s /var/log/$name /etc/postfix/$name; done",
        ),
        ("resolv.conf", DANGLING),
    ] {
        practice.shell(script);
        practice.changes_nothing(what, "holds");
    }
    // What cannot be replaced is not made.
    practice.shell("rm /etc/resolv.conf");
    let before = practice.all_files();
    let said = practice.refusal();
    assert!(said.contains("there is no file /etc/resolv.conf; make it a file"), "{said}");
    assert_eq!(practice.all_files(), before);
}

/// Instead of the daemon. It writes where it must not.
const ENDS: &str = r"#!/bin/sh
printf 'it is \033[31mbroken\n' >&2
touch /var/log/touched /proc/sys/kernel/domainname
exit 70
";

fn a_daemon_that_ends_is_quoted(release: Release) {
    let practice = practice(release);
    fs::write(practice.lab.machine.directory().join("etc/connectord"), ENDS).unwrap();
    let before = practice.all_files();
    let said = practice.refusal();
    for part in [
        r"ended with exit status: 70: it is \u{1b}[31mbroken ",
        "'/var/log/touched': Read-only file system",
        "'/proc/sys/kernel/domainname': Read-only file system",
        "connectord check",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert_eq!(practice.all_files(), before);
}

/// Writes a line for each connection, and knows nothing of anything (socketmap_table(5)).
const LISTENER: &str = r#"
$path = "/var/log/x.sock";
$socket = IO::Socket::UNIX->new(Local => $path, Listen => 9) or die;
chmod 0666, $path;
while ($client = $socket->accept) {
    open $heard, ">>", "/var/log/heard"; print $heard "x\n"; close $heard;
    print $client "9:NOTFOUND ,"; close $client;
}"#;

fn no_socket_of_the_machine_is_found(release: Release) {
    let practice = practice(release);
    let heard = || fs::read(practice.lab.machine.directory().join("log/heard")).unwrap_or_default().len();
    let mut listener: Child = practice
        .lab
        .machine
        .command("perl")
        .args(["-MIO::Socket::UNIX", "-e", LISTENER])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    wait_for("a listener", || {
        practice.lab.machine.directory().join("log/x.sock").exists().then_some(()).ok_or_else(String::new)
    });
    // Their processes see the whole machine.
    practice.shell("postconf -F smtp/unix/chroot=n relay/unix/chroot=n rewrite/unix/chroot=n");
    let lookup = |path: &str| format!("postmap -q x socketmap:unix:{path}:y || true");
    let policy = |path: &str| {
        format!("smtp_tls_policy_maps=socketmap:unix:{path}:y, socketmap:unix:connectord/socketmap.sock:tls")
    };
    let transport = |path: &str| format!("transport_maps=socketmap:unix:{path}:y");
    for (what, prepare, path, setting) in [
        ("by the path that the kernel knows", "true", "/var/log/x.sock", &policy as &dyn Fn(&str) -> String),
        ("by a link to it", "ln -s x.sock /var/log/link.sock", "/var/log/link.sock", &transport),
        ("by another path", "mv /var/log/x.sock /var/log/y.sock", "/var/log/y.sock", &policy),
    ] {
        practice.shell(prepare);
        let before = heard();
        practice.shell(&lookup(path));
        assert!(heard() > before, "{what}: the listener hears nobody");
        practice.with_settings_restored(|| {
            practice.shell(&format!("postconf -e '{}'", setting(path)));
            let before = heard();
            // Mail waits for an answer that does not come.
            practice.changes_nothing(what, "not-shown");
            assert_eq!(heard(), before, "{what}");
        });
    }
    listener.kill().unwrap();
    listener.wait().unwrap();
}

fn a_directory_of_authorities(release: Release) {
    let practice = practice(release);
    practice.shell(
        "postconf -e smtp_tls_CAfile= smtp_tls_CApath= tls_append_default_CA=no; \
         postconf -P smtp/unix/smtp_tls_CApath=/etc/ssl/certs relay/unix/smtp_tls_CApath=/etc/ssl/certs",
    );
    practice.changes_nothing("of a service", "holds");
    practice.shell("postconf -PX smtp/unix/smtp_tls_CApath relay/unix/smtp_tls_CApath");
    // Who trusts nobody does not trust us, and what is right does not arrive.
    practice.changes_nothing("nobody", "not-shown");
    practice.shell("postconf -e tls_append_default_CA=yes");
    practice.changes_nothing("of the system", "holds");
}
