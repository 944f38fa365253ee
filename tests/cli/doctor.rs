//! `doctor`, with a postconf that says what a test wants: how findings are written, and how it ends.

use std::fs;

use serde_json::json;

use crate::bench::{Bench, CONFIGURATION, Ended, ended};
use crate::daemon::Daemon;
use crate::prometheus_reader::read;

/// Prints files of the directory that it is in.
const POSTCONF: &str = r#"
[ "$1" = -c ] && { echo "$2" > "${0%/*}/directory"; shift 2; }
exec cat "${0%/*}/said$1"
"#;

const SERVICES: &str = "\
smtp inet n - y - - smtpd
rewrite unix - - y - - trivial-rewrite
tlsmgr unix - - y 1000? 1 tlsmgr
smtp unix - - y - - smtp
";

const RIGHT: &str = "\
mail_version = 3.7.11
queue_directory = BENCH
mail_owner = USER
smtp_tls_policy_maps = socketmap:unix:run/socketmap.sock:tls
smtp_tls_security_level = may
smtp_tls_CAfile = /etc/ssl/certs/ca-certificates.crt
smtp_tls_fingerprint_digest = sha256
smtp_tls_session_cache_database =
smtp_connection_cache_on_demand = no
smtp_connection_cache_destinations =
smtp_fallback_relay =
smtpd_delay_reject = yes
smtpd_recipient_restrictions = check_policy_service unix:run/policy.sock
smtpd_data_restrictions = check_policy_service unix:run/policy.sock
smtpd_policy_service_default_action = 451 4.3.5 Server configuration problem
smtpd_tls_security_level = may
smtpd_tls_ask_ccert = yes
smtpd_tls_fingerprint_digest = sha256
default_transport = smtp
relayhost =
transport_maps = socketmap:unix:run/socketmap.sock:transport
";

/// A bench with a Postfix that has these settings.
fn bench(main: &str) -> Bench {
    let bench = Bench::new(CONFIGURATION);
    let user = nix::unistd::User::from_uid(nix::unistd::geteuid()).unwrap().unwrap();
    let main = main.replace("USER", &user.name).replace("BENCH", bench.path("").to_str().unwrap());
    bench.write("said", &main);
    bench.write("said-x", &main);
    bench.write("said-M", SERVICES);
    bench.write("said-Px", "");
    bench.write("said-P", "");
    bench.write("postconf", POSTCONF);
    bench
}

fn doctor(bench: &Bench, options: &[&str]) -> Ended {
    const BIN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cli/bin:/usr/bin:/bin");
    let mut command = bench.command(&[&["doctor", "postfix"][..], options].concat());
    ended(command.env("PATH", BIN).env("POSTCONF", bench.path("postconf")))
}

#[test]
fn nothing_is_found_where_nothing_is() {
    let bench = bench(RIGHT);
    let _daemon = Daemon::start(&bench);
    let ended = doctor(&bench, &[]).expect(0);
    assert_eq!(ended.stdout, "Postfix 3.7.11: none of the findings of connectord-doctor-postfix(8)\n");
    let report = doctor(&bench, &["--json"]).expect(0).json();
    assert_eq!(report, json!({ "mta": "postfix", "version": "3.7.11", "findings": [] }));
}

#[test]
fn a_finding_says_where_it_is_whom_it_is_about_and_what_mends_it() {
    let bench = bench(&RIGHT.replace("smtp_fallback_relay =", "smtp_fallback_relay = [relay.test]"));
    let _daemon = Daemon::start(&bench);
    let ended = doctor(&bench, &[]).expect(1);
    assert_eq!(
        ended.stdout,
        "Postfix 3.7.11: 1 finding\n\
         \n\
         bypass  postfix-fallback-relay  main.cf: smtp_fallback_relay = [relay.test]\n    \
             mail that a connector stops is sent to this relay instead; what mends it takes the relay from all mail: \
             what can leave only by it needs a connector with that smart host first\n    \
             connectors: contoso-bank, contoso-trial, everyone\n    \
             # postconf -e 'smtp_fallback_relay = '\n    \
             # postfix reload\n"
    );
    let report = doctor(&bench, &["--json", "--config-dir", "/etc/postfix-out"]).expect(1).json();
    assert_eq!(fs::read_to_string(bench.path("directory")).unwrap(), "/etc/postfix-out\n");
    assert_eq!(
        report["findings"],
        json!([{
            "id": "postfix-fallback-relay",
            "severity": "bypass",
            "message": "mail that a connector stops is sent to this relay instead; what mends it takes the relay from all mail: \
             what can leave only by it needs a connector with that smart host first",
            "connectors": ["contoso-bank", "contoso-trial", "everyone"],
            "where": "main.cf: smtp_fallback_relay = [relay.test]",
            "mend": [
                "postconf -c /etc/postfix-out -e 'smtp_fallback_relay = '",
                "postfix -c /etc/postfix-out reload"
            ]
        }])
    );
}

#[test]
fn the_daemon_answers_by_the_files_or_that_is_told() {
    let bench = bench(RIGHT);
    let ids = || {
        let report = doctor(&bench, &["--json"]).json();
        let findings = report["findings"].as_array().unwrap().clone();
        findings.iter().map(|finding| finding["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    // Nobody is there, for the connectors of either direction.
    assert_eq!(ids(), ["postfix-daemon-unreached", "postfix-daemon-unreached"]);
    let daemon = Daemon::start(&bench);
    assert_eq!(ids(), [""; 0]);
    bench.write("connectord.toml", &CONFIGURATION.replace("2026-114", "2026-115"));
    let ended = doctor(&bench, &[]).expect(1);
    let mend = format!(
        "    # connectord reload --config {} --runtime-dir {}\n",
        bench.path("connectord.toml").display(),
        bench.path("run").display()
    );
    assert!(ended.stdout.contains("bypass  postfix-daemon-other  the running daemon\n"), "{ended:?}");
    assert!(ended.stdout.ends_with(&mend), "{ended:?}");
    drop(daemon);
}

#[test]
fn what_somebody_wrote_into_main_cf_does_nothing_to_the_terminal() {
    let bench = bench(&RIGHT.replace("smtp_fallback_relay =", "smtp_fallback_relay = \u{1b}[2J\u{202e}"));
    let ended = doctor(&bench, &[]).expect(1);
    assert!(!ended.stdout.contains(['\u{1b}', '\u{202e}']), "{:?}", ended.stdout);
    assert!(ended.stdout.contains(r"smtp_fallback_relay = \u{1b}[2J\u{202e}"), "{:?}", ended.stdout);
}

#[test]
fn without_the_settings_there_is_no_result() {
    let bench = bench(RIGHT);
    for (script, code, told) in [
        (
            "echo 'postconf: fatal: open /etc/x/main.cf: No such file' >&2; exit 1",
            66,
            "connectord: postconf: fatal: open /etc/x/main.cf: No such file; see what `postconf -x` says, with -c for \
             another directory\n",
        ),
        ("echo bogus", 70, "connectord: postconf -x: no line of settings: bogus\n"),
        ("exec head -c 5000000 /dev/zero", 70, "connectord: postconf says more than 4194304 octets\n"),
    ] {
        bench.write("postconf", script);
        let ended = doctor(&bench, &[]).expect(code);
        assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("", told));
    }
    let mut command = bench.command(&["doctor", "postfix"]);
    let ended = ended(command.env("PATH", bench.path("run"))).expect(69);
    assert!(ended.stderr.contains("is Postfix installed, and /usr/sbin in PATH?"), "{ended:?}");
}

#[test]
fn prometheus_is_told_how_many_there_are_of_each_severity() {
    let found = |main: &str, code: i32| {
        let bench = bench(main);
        let _daemon = Daemon::start(&bench);
        let ended = doctor(&bench, &["--prometheus"]).expect(code);
        let page = read(&ended.stdout);
        assert!(page.number("connectord_doctor_timestamp_seconds", &[("mta", "postfix")]) > 1.7e9);
        ["bypass", "outage", "evidence", "advice"].map(|severity| {
            page.number("connectord_doctor_findings", &[("mta", "postfix"), ("severity", severity)])
        })
    };
    assert_eq!(found(RIGHT, 0), [0.0; 4]);
    let relay = RIGHT.replace("smtp_fallback_relay =", "smtp_fallback_relay = [relay.example]");
    assert_eq!(found(&relay, 1), [1.0, 0.0, 0.0, 0.0]);
    let ended = doctor(&bench(RIGHT), &["--prometheus", "--json"]).expect(64);
    assert!(ended.stdout.is_empty() && ended.stderr.contains("two formats"), "{ended:?}");
}
