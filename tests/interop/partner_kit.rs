//! What a kit says for Postfix and for Exim is what they take, and does what it says.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::certificates::Authority;
use crate::daemon::CONNECTORD;
use crate::examiner::Absent;
use crate::lab::Lab;
use crate::resolver::Zone;
use crate::root::Release;
use crate::{on_each_exim, on_each_postfix};

const CONFIGURATION: &str = r#"
[organisation]
name = "Ours"
contact = "postmaster@ours.example"
domains = ["ours.example", "*.mail.ours.example"]
certificate_names = ["mx.ours.example", "*.hosts.ours.example"]
addresses = ["192.0.2.25"]

[[outbound]]
name = "bank"
mode = "enforce"
domains = ["*.contoso.com"]
tls = "secure"
match = ["*.contoso.com"]

[[inbound]]
name = "bank-in"
mode = "enforce"
identify.domains = ["*.contoso.com"]
require.tls = ">=TLSv1.2"
on_violation = "reject"
"#;

/// A kit.
fn text(lab: &Lab<Absent>, name: &str, product: &str) -> String {
    let mut command = Command::new(CONNECTORD);
    command.args(["partner-kit", name, "--for", product]);
    lab.site.arguments(&mut command);
    let output = command.output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// What is no comment of it.
fn lines(lab: &Lab<Absent>, name: &str, product: &str) -> Vec<String> {
    let text = text(lab, name, product);
    text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect()
}

fn lab(release: Release) -> Lab<Absent> {
    let lab = Lab::start(release, &Authority::new("Lab CA"), &[], Zone::default(), &[]);
    lab.site.configure(CONFIGURATION);
    lab
}

fn the_tables_of_a_kit_are_postfix_s(release: Release) {
    let lab = lab(release);
    let policies = lines(&lab, "bank-in", "postfix");
    let etc = lab.machine.directory().join("etc");
    fs::write(etc.join("tls_policy"), policies.join("\n") + "\n").unwrap();
    fs::write(etc.join("tls_senders"), lines(&lab, "bank", "postfix").join("\n") + "\n").unwrap();
    let asked = |table: &str, key: &str| {
        let output = lab.machine.output("postmap", &["-q", key, &format!("texthash:/etc/postfix/{table}")]);
        assert!(output.stderr.is_empty(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    };
    let policy = "secure match=mx.ours.example:hosts.ours.example:.hosts.ours.example protocols=>=TLSv1.2";
    for (key, expected) in [
        ("ours.example", policy),
        (".ours.example", ""),
        ("mail.ours.example", policy),
        (".mail.ours.example", policy),
        ("contoso.com", ""),
    ] {
        assert_eq!(asked("tls_policy", key), expected, "{key}");
    }
    for (key, expected) in [
        ("ours.example", "reject_plaintext_session"),
        ("mail.ours.example", "reject_plaintext_session"),
        ("contoso.com", ""),
    ] {
        assert_eq!(asked("tls_senders", key), expected, "{key}");
    }
    // As somebody does who has no table yet.
    let whole = text(&lab, "bank-in", "postfix");
    let settings: Vec<String> = whole
        .lines()
        .filter_map(|line| line.strip_prefix("# "))
        .filter(|line| {
            ["smtp_tls_policy_maps = ", "smtp_tls_CAfile = "].iter().any(|name| line.starts_with(name))
        })
        .map(|line| line.replace("<what is there>, ", ""))
        .collect();
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    lab.machine.run("postconf", &[&["-e"][..], &settings].concat());
    let checked = lab.machine.output("postconf", &["smtp_tls_policy_maps", "smtp_tls_CAfile"]);
    assert_eq!(
        String::from_utf8(checked.stdout).unwrap(),
        "smtp_tls_policy_maps = hash:/etc/postfix/tls_policy\nsmtp_tls_CAfile = /etc/ssl/certs/ca-certificates.crt\n"
    );
    assert!(checked.stderr.is_empty());
}

on_each_postfix!(the_tables_of_a_kit_are_postfix_s);

fn the_parts_of_a_kit_are_exim_s(release: Release) {
    let lab = lab(release);
    let sends = lines(&lab, "bank-in", "exim");
    let transport = sends.iter().rposition(|line| line == "tls_bank_in:").unwrap();
    let configuration = format!(
        "keep_environment =\nacl_smtp_rcpt = rcpt\nbegin acl\nrcpt:\n{}\naccept\nbegin routers\n{}\nbegin transports\n{}\n",
        lines(&lab, "bank", "exim").join("\n"),
        sends[..transport].join("\n"),
        sends[transport..].join("\n"),
    );
    fs::write(lab.machine.directory().join("etc/kit.conf"), &configuration).unwrap();
    let exim = |arguments: &[&str]| {
        let mut command = lab.machine.command("exim4");
        command.args(["-C", "/etc/exim4/kit.conf"]).args(arguments);
        command
    };
    let shown = |arguments: &[&str]| {
        let output = exim(arguments).output().unwrap();
        assert!(output.status.success(), "{configuration}\n{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let transport = shown(&["-bP", "transport", "tls_bank_in"]);
    for option in ["hosts_require_tls = *\n", "tls_verify_hosts = *\n", "no_multi_domain\n"] {
        assert!(transport.contains(option), "{option} in {transport}");
    }
    assert!(shown(&["-bP", "router", "tls_bank_in"]).contains("\ntransport = tls_bank_in\n"));
    // A session that is only played, without TLS.
    let mut child = exim(&["-bh", "192.0.2.25"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut session = String::from("EHLO mx.ours.example\r\n");
    let senders = ["a@ours.example", "a@b.mail.ours.example", "a@mail.ours.example", "a@sub.ours.example"];
    for sender in senders {
        session += &format!("MAIL FROM:<{sender}>\r\nRCPT TO:<b@contoso.com>\r\nRSET\r\n");
    }
    child.stdin.take().unwrap().write_all(format!("{session}QUIT\r\n").as_bytes()).unwrap();
    let output = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    let answers: Vec<bool> = output
        .lines()
        .filter_map(|line| match line {
            "550 TLS is required" => Some(false),
            "250 Accepted" => Some(true),
            _ => None,
        })
        .collect();
    assert_eq!(answers, [false, false, false, true], "{output}");
}

on_each_exim!(the_parts_of_a_kit_are_exim_s);
