//! The tables that main.cf names, in whatever form: as connectors, and those are as the tables were.

use std::fs;

use crate::certificates::Authority;
use crate::on_each_postfix;
use crate::practice::{PROGRAM, Practice};
use crate::resolver::Zone;
use crate::root::Release;

const FIRST: &str = "\
# policies
contoso.com\tsecure
[mail.contoso.com]:587 secure match=nexthop:mail.contoso.net
[192.0.2.7]\t\tfingerprint
plain.example none
";

/// Behind it: what is in the first table counts.
const SECOND: &str = "contoso.com may\nfabrikam.example verify\n";

const TRANSPORT: &str = "\
smart.example smtp:[mail.contoso.com]:587
.smart.example partner:[mail.contoso.com]:587
address.example :[192.0.2.7]
plain.example smtp:[nobody.example]
local.example local:
contoso.com smtp:[mail.contoso.com]:587
bob@smart.example smtp:[mail.contoso.com]:587
";

const SENDERS: &str = "\
senders.example reject_plaintext_session
class.example tls
free.example OK
";

const EXPECTED: &str = r#"
[[outbound]]
name    = "contoso.com"
mode    = "report"
domains = ["contoso.com"]
tls     = "secure"
match   = ["mx.contoso.com", ".contoso.com"]

[[outbound]]
name    = "fabrikam.example"
mode    = "report"
domains = ["fabrikam.example"]
match   = "domain"
tls     = "verify"

[[outbound]]
name    = "smart.example"
mode    = "report"
domains = ["smart.example"]
route   = ["[mail.contoso.com]:587"]
tls     = "secure"
match   = ["mail.contoso.com", "mail.contoso.net"]

[[outbound]]
name      = "smart.example-2"
mode      = "report"
domains   = [".smart.example"]
route     = ["[mail.contoso.com]:587"]
transport = "partner"
tls       = "secure"
match     = ["mail.contoso.com", "mail.contoso.net"]

[[outbound]]
name         = "address.example"
mode         = "report"
domains      = ["address.example"]
route        = ["[192.0.2.7]"]
fingerprints = [
    "sha256:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB",
]
tls          = "fingerprint"
"#;

const INBOUND: &str = r#"[[inbound]]
name             = "senders over TLS"
mode             = "report"
identify.domains = ["*.senders.example", "*.class.example", "*.short.example"]
require.tls      = true
on_violation     = "reject"
"#;

const NOT_IMPORTED: [&str; 3] = [
    "not imported: /etc/postfix/first:5: plain.example: `none` is no TLS at all",
    "not imported: /etc/postfix/second:1: contoso.com: line 2 of /etc/postfix/first has another policy",
    "not imported: /etc/postfix/transport:",
];

fn the_tables_of_an_installed_postfix_become_connectors(release: Release) {
    let lab = Practice::open(release, &Authority::new("Lab CA"), &[], Zone::default()).lab;
    let machine = &lab.machine;
    let kind = machine.run("postconf", &["-h", "default_database_type"]).trim().to_owned();
    for (name, text) in [("first", FIRST), ("second", SECOND), ("transport", TRANSPORT), ("senders", SENDERS)]
    {
        fs::write(machine.directory().join("etc").join(name), text).unwrap();
        if name != "second" {
            machine.run("postmap", &[&format!("{kind}:/etc/postfix/{name}")]);
        }
    }
    fs::write(machine.directory().join("etc/own"), "x.example may\n").unwrap();
    fs::write(machine.directory().join("etc/more"), "short.example reject_plaintext_session\n").unwrap();
    let policies = format!(
        "smtp_tls_policy_maps=socketmap:unix:connectord/socketmap.sock:tls, {kind}:$config_directory/first \
         texthash:/etc/postfix/second, static:may"
    );
    let pin = "smtp_tls_fingerprint_cert_match=".to_owned() + &"ab".repeat(32);
    machine.run(
        "postconf",
        &[
            "-e",
            &policies,
            &pin,
            "smtp_tls_secure_cert_match=mx.contoso.com, dot-nexthop",
            "smtp_tls_verify_cert_match=nexthop, dot-nexthop",
            &format!("transport_maps={kind}:/etc/postfix/transport"),
            "smtpd_restriction_classes=tls, senders",
            "tls=reject_plaintext_session",
            &format!("senders=Check_Sender_Access {kind}:/etc/postfix/senders"),
            "smtpd_sender_restrictions=permit_mynetworks, senders, texthash:/etc/postfix/more, \
             warn_if_reject check_sender_access static:tls, \
             check_sender_access { texthash:/etc/postfix/second, { search_order = sender } }",
            "plaintext_reject_code=554",
        ],
    );
    machine.run("postconf", &["-M", "partner/unix=partner unix - - y - - smtp"]);
    machine.run("postconf", &["-P", "partner/unix/smtp_tls_policy_maps=texthash:/etc/postfix/own"]);

    let output = machine.output(PROGRAM, &["import", "postfix"]);
    let (text, told) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(text.contains(EXPECTED) && text.ends_with(INBOUND), "{text}\n{told}");
    for line in NOT_IMPORTED {
        assert!(told.lines().any(|told| told.starts_with(line)), "{line}\n{told}");
    }
    let others = [
        "static:may",
        "bob@smart.example",
        "partner/unix: its own smtp_tls_policy_maps",
        "next-hop",
        "second, { search_order = sender } } was not looked at",
    ];
    for other in others {
        assert!(told.contains(other), "{other}\n{told}");
    }
    assert!(text.contains("1 entries of transport_maps lead to smart hosts that have no policy"), "{text}");
    // An instance with another directory.
    machine.run("cp", &["-r", "/etc/postfix", "/run/other"]);
    machine.run("postconf", &["-c", "/run/other", "-e", "transport_maps="]);
    let other =
        machine.output(PROGRAM, &["import", "postfix", "--config-dir", "/run/other", "--mode", "enforce"]);
    let text = String::from_utf8(other.stdout).unwrap();
    assert!(text.contains("mode    = \"enforce\"") && !text.contains("route"), "{text}");
    let none = machine.output(PROGRAM, &["import", "postfix", "--config-dir", "/run/nowhere"]);
    assert_eq!(none.status.code(), Some(66), "{none:?}");

    lab.site.write("imported.toml", &text);
    lab.site.configure("");
    let main = fs::read_to_string(lab.site.configuration()).unwrap();
    lab.site.write(
        "connectord.toml",
        &main.replacen("version = 1\n", "version = 1\ninclude = [\"imported.toml\"]\n", 1),
    );
    let checked = lab.site.run(&["check"]);
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}

on_each_postfix!(the_tables_of_an_installed_postfix_become_connectors);
