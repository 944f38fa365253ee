//! `doctor exim`, with an exim that says what a test wants: how findings are written, and how it ends.

use std::fs;

use serde_json::json;

use crate::bench::{Bench, CONFIGURATION, Ended, ended};

/// Prints files of the directory that it is in.
const EXIM: &str = r#"
[ "$1" = -C ] && { echo "$2" > "${0%/*}/file"; shift 2; }
exec cat "${0%/*}/said$1$2"
"#;

const VERSION: &str = "Exim version 4.98.2 #2 built\nConfiguration file is /etc/exim4/exim4.conf\n";

/// An Exim that has never heard of us.
fn bench() -> Bench {
    let bench = Bench::new(CONFIGURATION);
    for (name, text) in [
        ("-bV", VERSION),
        (
            "-bP",
            "acl_smtp_rcpt = \ntls_advertise_hosts = *\ntls_try_verify_hosts = *\nlog_selector = +tls_peerdn\n",
        ),
        ("-bProuters", ""),
        ("-bPtransports", ""),
        ("-bPconfig", "begin acl\n"),
    ] {
        bench.write(&format!("said{name}"), text);
    }
    bench.write("exim", EXIM);
    bench
}

fn doctor(bench: &Bench, options: &[&str]) -> Ended {
    const BIN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cli/bin:/usr/bin:/bin");
    let mut command = bench.command(&[&["doctor", "exim"][..], options].concat());
    ended(command.env("PATH", BIN).env("EXIM", bench.path("exim")))
}

#[test]
fn a_finding_says_where_it_is_and_whom_it_is_about() {
    let bench = bench();
    let ended = doctor(&bench, &[]).expect(1);
    let message = "no router asks the daemon: no connector is in force";
    let shown = format!(
        "bypass  exim-routers-missing  begin routers\n    {message}\n    connectors: contoso-bank, contoso-trial, everyone\n"
    );
    assert!(ended.stdout.starts_with("Exim 4.98.2: ") && ended.stdout.contains(&shown), "{}", ended.stdout);
    let report = doctor(&bench, &["--json"]).expect(1).json();
    assert_eq!((&report["mta"], &report["version"]), (&json!("exim"), &json!("4.98.2")));
    assert_eq!(
        report["findings"][0],
        json!({
            "id": "exim-routers-missing",
            "severity": "bypass",
            "message": message,
            "connectors": ["contoso-bank", "contoso-trial", "everyone"],
            "where": "begin routers",
            "mend": [],
        })
    );
}

#[test]
fn what_somebody_wrote_does_nothing_to_the_terminal() {
    let bench = bench();
    let listen = "\n[[listen]]\nprotocol = \"exim\"\npath = \"exim\\u202E.sock\"\n";
    bench.write("connectord.toml", &format!("{CONFIGURATION}{listen}"));
    let acl = "begin acl\n  judge:\n    defer set acl_m_c = ${readsocket{/run/x.sock}{in ip=x\\n}{3s}{ }{end=no}}\n";
    bench.write("said-bPconfig", acl);
    let ended = doctor(&bench, &[]).expect(1);
    assert!(!ended.stdout.contains('\u{202e}'), "{:?}", ended.stdout);
    let message = r"exim\u{202e}.sock, and not here: nobody answers";
    assert!(ended.stdout.contains(message), "{:?}", ended.stdout);
}

#[test]
fn another_file_is_named_to_exim_by_root_alone() {
    let bench = bench();
    let file = "/etc/exim4/other.conf";
    if nix::unistd::geteuid().is_root() {
        doctor(&bench, &["--config-file", file]).expect(1);
        assert_eq!(fs::read_to_string(bench.path("file")).unwrap(), format!("{file}\n"));
    } else {
        doctor(&bench, &["--config-file", file]).expect(77);
        assert!(!bench.path("file").exists());
    }
}

#[test]
fn without_the_settings_there_is_no_result() {
    let bench = bench();
    for (script, code, told) in [
        ("echo 'exim: permission denied; not admin' >&2; exit 1", 77, "connectord: exim: permission denied"),
        (
            "echo 'LOG: MAIN PANIC DIE' >&2; exit 1",
            66,
            "connectord: exim: LOG: MAIN PANIC DIE; see what `exim -bV` says",
        ),
        (
            "echo 'acl_x = <value not displayable>'",
            77,
            "connectord: Exim shows values that are marked `hide`",
        ),
        ("echo bogus", 70, "connectord: exim -bP: no option of a router or transport: bogus\n"),
        ("exec head -c 5000000 /dev/zero", 70, "connectord: exim says more than 4194304 octets\n"),
    ] {
        let version = format!("[ \"$1\" = -bV ] && exec cat \"${{0%/*}}/said-bV\"\n{script}");
        bench.write("exim", &version);
        let ended = doctor(&bench, &[]).expect(code);
        assert!(ended.stdout.is_empty() && ended.stderr.starts_with(told), "{ended:?}");
    }
    let mut command = bench.command(&["doctor", "exim"]);
    let ended = ended(command.env("PATH", bench.path("run"))).expect(69);
    assert!(ended.stderr.contains("is Exim installed, and /usr/sbin in PATH?"), "{ended:?}");
}
