//! Usage errors, help, and readers that go away.

use std::fs::OpenOptions;
use std::io::Read;
use std::process::{Command, Stdio};

use crate::bench::{BINARY, Bench, CONFIGURATION, ended};

#[test]
fn what_is_typed_wrong_is_a_usage_error() {
    let bench = Bench::new(CONFIGURATION);
    let table: [&[&str]; 36] = [
        &[],
        &["explain"],
        &["explain", "outbound"],
        &["nonsense"],
        &["check", "--nonsense"],
        &["export", "postfix"],
        &["export", "postfix", "--map", "aliases"],
        &["export", "postfix", "--map", "tls", "--json"],
        &["partner-kit", "contoso-bank"],
        &["partner-kit", "--for", "text"],
        &["partner-kit", "nobody", "--for", "text"],
        &["partner-kit", "contoso-bank", "--for", "text", "--side", "ours"],
        &["partner-kit", "contoso-bank", "--for", "text", "--json"],
        &["explain", "inbound", "--sender", "a@b"],
        &["explain", "inbound", "--sender", "a@b", "--client-address", "somewhere"],
        &["explain", "inbound", "--sender", "a@b", "--client-address", "::1", "--tls", "SSLv3"],
        &["explain", "inbound", "--sender", "a@b", "--client-address", "::1", "--state", "rcpt"],
        &["explain", "inbound", "--sender", "a@b", "--client-address", "::1", "--cert-cn", "a.b"],
        &["explain", "outbound", "a.b", "--mta", "sendmail"],
        &["certs", "--csv", "--json"],
        &["validate"],
        &["validate", "--all", "contoso-bank"],
        &["validate", "--all", "--timeout", "0"],
        &["validate", "--all", "--timeout", "3601"],
        &["validate", "--all", "--no-data"],
        &["validate", "--all", "--sender", "a@ours.example"],
        &["validate", "--all", "--recipient", "nobody"],
        &["validate", "--all", "--recipient", "a@contoso.com\r\nDATA"],
        &["validate", "--all", "--recipient", "a@fabrikam.org"],
        &["validate", "--all", "--recipient", "a@contoso.com", "--sender", "<>"],
        &["validate", "contoso-bank", "--recipient", "a@lists.contoso.com"],
        &["validate", "--all", "--test-mail"],
        &["validate", "--all", "--helo", "mail ours"],
        &["validate", "contoso-bank", "nobody"],
        &["validate", "contoso-bank-in"],
        &["validate", "--all", "--crl", "/"],
    ];
    for arguments in table {
        let ended = bench.run(arguments).expect(64);
        assert_eq!(ended.stdout, "", "{arguments:?}");
        assert!(!ended.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn help_and_version_are_results() {
    let bench = Bench::new("");
    for arguments in [&["--help"][..], &["-h"], &["help", "check"], &["explain", "inbound", "--help"]] {
        let ended = ended(Command::new(BINARY).args(arguments)).expect(0);
        assert!(ended.stdout.contains("Usage: connectord"), "{arguments:?}");
    }
    let version = bench.run(&["--version"]).expect(0).stdout;
    assert_eq!(version, format!("connectord {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let mut many = CONFIGURATION.to_owned();
    for number in 0..3000 {
        many.push_str(&format!(
            "[[outbound]]\nname = \"n{number}\"\nmode = \"off\"\ndomains = [\"n{number}.test\"]\ntls = \"encrypt\"\n"
        ));
    }
    let bench = Bench::new(&many);
    let mut child = bench.command(&["list"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let mut first = [0; 4];
    stdout.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"NAME");
    drop(stdout);
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap().as_str()), (Some(0), ""));
}

#[test]
fn output_that_cannot_be_written_is_one() {
    let bench = Bench::new(CONFIGURATION);
    let full = || OpenOptions::new().write(true).open("/dev/full").unwrap();
    for arguments in [&["list"][..], &["check", "--json"], &["--help"]] {
        let mut command = bench.command(arguments);
        let ended =
            command.stdout(full()).stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap();
        assert_eq!(ended.status.code(), Some(70), "{arguments:?}");
        let stderr = String::from_utf8(ended.stderr).unwrap();
        assert!(stderr.contains("the output cannot be written"), "{stderr}");
    }
}

#[test]
fn the_environment_names_the_runtime_directory() {
    let bench = Bench::new(CONFIGURATION);
    let mut command = Command::new(BINARY);
    command.arg("status").arg("--config").arg(bench.path("connectord.toml"));
    let ended = ended(command.env("RUNTIME_DIRECTORY", bench.path("elsewhere"))).expect(69);
    assert!(ended.stderr.contains("/elsewhere/control.sock: no daemon listens there"), "{ended:?}");
}
