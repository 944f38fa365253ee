//! `validate` without a network: what is chosen, what is judged of files, what is kept.

use std::fs;

use serde_json::{Value, json};

use crate::bench::{Bench, CONFIGURATION, Ended, assert_keys, ended};

const REPORT: [&str; 2] = ["verdict", "connectors"];
const CONNECTOR: [&str; 4] = ["connector", "verdict", "level", "addresses"];
const ADDRESS: [&str; 13] = [
    "host",
    "address",
    "port",
    "verdict",
    "reason",
    "detail",
    "tls",
    "chain",
    "cipher",
    "certificate",
    "not_after",
    "dane",
    "mta_sts",
];

/// A certificate for `mail.contoso.com` that is good for so many days, or was until so many ago.
fn pem(days: i64) -> String {
    let mut params = rcgen::CertificateParams::new(vec!["mail.contoso.com".to_owned()]).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, "=cmd|' /C calc'!A0");
    let year = |offset: i64| {
        let at = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24 * offset);
        let text = at.strftime("%Y-%m-%d").to_string();
        let numbers: Vec<i32> = text.split('-').map(|number| number.parse().unwrap()).collect();
        rcgen::date_time_ymd(numbers[0], numbers[1].try_into().unwrap(), numbers[2].try_into().unwrap())
    };
    params.not_before = year(-400);
    // Midnight of that day.
    params.not_after = year(days + 1);
    params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().pem()
}

fn configuration(files: &[&str], names: &str) -> String {
    let files = files.iter().map(|file| format!("{file:?}")).collect::<Vec<_>>().join(", ");
    format!(
        "version = 1\n[[inbound]]\nname = \"contoso-in\"\nmode = \"report\"\nidentify.domains = [\"*.contoso.com\"]\n\
         require.certificate.files = [{files}]\n{names}\non_violation = \"reject\"\n"
    )
}

fn bench(days: &[i64], names: &str) -> Bench {
    let files: Vec<String> = (0..days.len()).map(|number| format!("{number}.pem")).collect();
    let names_of_files: Vec<&str> = files.iter().map(String::as_str).collect();
    let bench = Bench::new(&configuration(&names_of_files, names));
    for (file, days) in files.iter().zip(days) {
        bench.write(file, &pem(*days));
    }
    bench
}

#[track_caller]
fn json_of(ended: Ended) -> Value {
    let json = ended.json();
    assert_keys(&json, &REPORT, &[]);
    for connector in json["connectors"].as_array().unwrap() {
        assert_keys(connector, &CONNECTOR, &["at", "strictest", "findings", "trust"]);
        for address in connector["addresses"].as_array().unwrap() {
            let added =
                ["code", "expected", "presented", "warnings", "handshake_ms", "revocation", "test_mail"];
            assert_keys(address, &ADDRESS, &added);
        }
    }
    json
}

#[test]
fn registered_files_are_judged_and_the_verdict_is_the_exit_code() {
    let other = "require.certificate.names = [\"*.fabrikam.com\"]";
    let same = "require.certificate.names = [\"*.contoso.com\"]";
    type Row<'a> = (&'a [i64], &'a str, i32, &'a str, &'a [&'a str]);
    let table: [Row<'_>; 7] = [
        (&[80], "", 0, "pass", &["ok"]),
        (&[80], same, 0, "pass", &["ok"]),
        (&[10], "", 0, "warn", &["ok"]),
        (&[80, -5], "", 0, "warn", &["ok", "expired"]),
        (&[-5], "", 1, "fail", &["expired"]),
        (&[80], other, 1, "fail", &["name-mismatch"]),
        (&[-5, -9], same, 1, "fail", &["expired", "expired"]),
    ];
    for (days, names, code, verdict, codes) in table {
        let bench = bench(days, names);
        for which in ["--all", "contoso-in"] {
            let json = json_of(bench.run(&["validate", which, "--json"]).expect(code));
            assert_eq!(json["verdict"], verdict, "{days:?} {names}");
            let connector = &json["connectors"][0];
            assert_eq!(
                (&connector["connector"], &connector["level"]),
                (&json!("contoso-in"), &json!("inbound"))
            );
            let found: Vec<&Value> =
                connector["addresses"].as_array().unwrap().iter().map(|file| &file["code"]).collect();
            assert_eq!(found, codes, "{days:?} {names}");
        }
        let state = &bench.run(&["list", "--json"]).expect(0).json()[0]["validation"]["state"];
        let expected = match verdict {
            "pass" => "validated",
            "warn" => "warned",
            _ => "failed",
        };
        assert_eq!(state, expected);
    }
}

#[test]
fn the_report_for_people() {
    let bench = bench(&[80, -5], "");
    let text = bench.run(&["validate", "--all"]).expect(0).stdout;
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "contoso-in: passes with warnings (inbound; *.contoso.com)");
    assert_eq!(lines[1], "  passes   0.pem  expires in 80 days");
    assert!(lines[2].starts_with("  fails    1.pem  expired "), "{text}");
    assert!(lines[3].starts_with("           the certificate expired on "), "{text}");
    let end = "\n1 connector: 1 with warnings.\n2 files: 1 good, 1 failing.\nNext: mail is delivered as agreed today; see to the warnings of contoso-in.\n";
    assert!(text.ends_with(end), "{text}");
}

#[test]
fn only_changes_are_told() {
    let bench = bench(&[80], "");
    let changes = |code: i32| bench.run(&["validate", "--all", "--changes"]).expect(code).stdout;
    assert_eq!(changes(0), "contoso-in: tested for the first time: passes\n");
    assert_eq!(changes(0), "");
    let empty = bench.run(&["validate", "--all", "--changes", "--json"]).expect(0).json();
    assert_eq!(empty, json!({"verdict": "pass", "changes": []}));

    bench.write("0.pem", &pem(300));
    let text = changes(0);
    assert!(text.starts_with("contoso-in: 0.pem: certificate renewed, with another key, until "), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
    bench.write("0.pem", &pem(-5));
    let text = changes(1);
    assert!(
        text.starts_with("contoso-in: fails; it was: passes\ncontoso-in: 0.pem: the certificate expired on "),
        "{text}"
    );
    // The exit code says it as long as it lasts, the words once.
    assert_eq!(changes(1), "");
    bench.write("0.pem", &pem(80));
    let json = bench.run(&["validate", "--all", "--changes", "--json"]).expect(0).json();
    let kinds: Vec<&Value> =
        json["changes"].as_array().unwrap().iter().map(|change| &change["change"]).collect();
    assert_eq!(kinds, ["verdict", "verdict", "certificate-renewed"]);
    assert_keys(&json["changes"][0], &["connector", "host", "addresses", "change", "verdict", "text"], &[]);
}

/// Changes that went nowhere are told by the next run; a report that somebody stopped reading is kept.
#[test]
fn changes_that_nobody_read_are_told_again() {
    let bench = bench(&[80], "");
    let unread = |arguments: &[&str]| {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let ended = bench.command(arguments).stdout(writer).output().unwrap();
        (ended.status.code(), String::from_utf8(ended.stderr).unwrap())
    };
    let (code, stderr) = unread(&["validate", "--all", "--changes"]);
    assert!(code == Some(0) && stderr.contains("nobody read the changes"), "{code:?} {stderr}");
    let changes = || bench.run(&["validate", "--all", "--changes"]).expect(0).stdout;
    assert_eq!(changes(), "contoso-in: tested for the first time: passes\n");
    // A day without changes has nothing that could be lost.
    assert_eq!(unread(&["validate", "--all", "--changes"]), (Some(0), String::new()));
    bench.write("0.pem", &pem(300));
    assert_eq!(unread(&["validate", "--all"]), (Some(0), String::new()));
    assert_eq!(changes(), "");
}

/// One whose patterns name no domain asks nobody: that is no pass, and in need of no network.
#[test]
fn a_connector_that_met_nobody_is_not_tested() {
    let mut configuration =
        "version = 1\n[mta]\npostfix = \"3.7\"\nqueue_directory = \"/var/spool/postfix\"\n".to_owned();
    for (name, tls) in [("below", "verify"), ("own", "verify\"\nca_file = \"ca.pem"), ("open", "encrypt")] {
        let connector = format!(
            "[[outbound]]\nname = \"{name}\"\nmode = \"off\"\ndomains = [\".{name}.example\"]\ntls = \"{tls}\"\n"
        );
        configuration.push_str(&connector);
    }
    let bench = Bench::new(&configuration);
    bench.write("ca.pem", &pem(80));
    let authority = bench.write("my.pem", &pem(80));
    let text = bench.run(&["validate", "below"]).expect(1).stdout;
    assert!(text.starts_with("below: not tested (verify; .below.example)\n"), "{text}");
    assert!(text.contains("\n1 connector: 1 not tested.\n") && !text.contains("delivered"), "{text}");
    let all = bench.run(&["validate", "--all", "--json"]).expect(0).json();
    let trust = |json: &Value| {
        let connectors = json["connectors"].as_array().unwrap();
        connectors.iter().map(|connector| connector["trust"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(trust(&all), ["the system's authorities", "its own ca_file", ""]);

    // A relative path would name another file elsewhere.
    let mut command = bench.command(&["validate", "--all", "--json", "--ca-file", "my.pem"]);
    command.current_dir(authority.parent().unwrap());
    let json = ended(&mut command).expect(0).json();
    assert_eq!(trust(&json), [authority.to_str().unwrap(), "its own ca_file", ""]);
}

#[test]
fn a_spoilt_result_is_told_and_replaced() {
    let bench = bench(&[80], "");
    bench.run(&["validate", "--all"]).expect(0);
    let file = bench.path("state/validation/contoso-in.json");
    fs::write(&file, "{}").unwrap();
    let ended = bench.run(&["validate", "--all", "--changes"]).expect(0);
    assert_eq!(ended.stdout, "contoso-in: tested for the first time: passes\n");
    assert!(
        ended.stderr.contains("the last result of contoso-in cannot be used: it is damaged"),
        "{ended:?}"
    );
    let ended = bench.run(&["validate", "--all", "--changes"]).expect(0);
    assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("", ""));
}

#[test]
fn a_result_that_cannot_be_kept_is_shown_all_the_same() {
    let bench = bench(&[80], "");
    bench.write("state", "a file");
    let ended = bench.run(&["validate", "--all"]).expect(0);
    assert!(ended.stdout.starts_with("contoso-in: passes"), "{ended:?}");
    assert!(ended.stderr.contains("results cannot be kept"), "{ended:?}");
}

/// Before anybody is asked, so that no network is needed.
#[test]
fn a_file_of_no_use_is_named_with_its_option() {
    let bench = Bench::new(CONFIGURATION);
    let (words, nowhere) = (bench.write("words.pem", "mx1\n"), bench.path("nowhere.pem"));
    let table = [
        ("--ca-file", &words, 64, "the file has no certificate in it\n"),
        ("--crl", &words, 64, "this is no certificate revocation list, neither PEM nor DER\n"),
        ("--ca-file", &nowhere, 66, "No such file or directory"),
        ("--crl", &nowhere, 66, "No such file or directory"),
    ];
    for (option, path, code, problem) in table {
        let path = path.to_str().unwrap();
        let ended = bench.run(&["validate", "not-yet", option, path]).expect(code);
        let expected = format!("connectord: {option} {path}: {problem}");
        assert!(ended.stderr.starts_with(&expected) && ended.stdout.is_empty(), "{ended:?}");
    }
    assert!(!bench.path("state").exists());
}

#[test]
fn names_are_checked_before_anything_is_done() {
    let bench = Bench::new(CONFIGURATION);
    let table = [
        ("contoso-bnak", "did you mean `contoso-bank`?"),
        ("Contoso-Bank", "did you mean `contoso-bank`?"),
        ("nothing-like-it", "`connectord list` shows them"),
        ("contoso-bank-in", "registers no certificate files"),
    ];
    for (name, help) in table {
        let ended = bench.run(&["validate", name]).expect(64);
        assert!(ended.stderr.contains(help) && ended.stdout.is_empty(), "{ended:?}");
    }
    assert!(!bench.path("state").exists());
    let ended = bench.run(&["validate", "--all", "--ca-file", "/nonexistent.pem"]).expect(66);
    assert!(ended.stderr.contains("/nonexistent.pem"), "{ended:?}");
    bench.write("connectord.toml", "version = 2");
    bench.run(&["validate", "--all"]).expect(78);
}

/// As the timer of a package runs it before there is any partner.
#[test]
fn without_connectors_none_fails() {
    let bench = Bench::new("version = 1\n");
    assert_eq!(bench.run(&["validate", "--all", "--changes"]).expect(0).stdout, "");
    let report: Value =
        serde_json::from_str(&bench.run(&["validate", "--all", "--json"]).expect(0).stdout).unwrap();
    assert_eq!((&report["verdict"], &report["connectors"]), (&json!("pass"), &json!([])));
}
