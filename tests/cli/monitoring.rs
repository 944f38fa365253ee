//! contrib/monitoring: its files name what there is, and the plugin says what is so.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::Value;

use crate::bench::{BINARY, Bench, CONFIGURATION, Ended, ended};
use crate::daemon::Daemon;
use crate::kept::{DAY, keep, report};
use crate::prometheus_reader::read;

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("contrib/monitoring").join(name)
}

/// The families that a text names.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_lowercase() || c == '_'));
    words.filter(|word| word.starts_with("connectord_")).map(str::to_owned).collect()
}

#[test]
fn every_metric_that_is_named_exists_and_each_is_described() {
    let bench = Bench::new(CONFIGURATION);
    let _daemon = Daemon::start(&bench);
    let page = read(&bench.run(&["status", "--prometheus"]).expect(0).stdout);
    let mut there: BTreeSet<String> = page.families.into_keys().collect();
    there.extend(["findings", "timestamp_seconds"].map(|what| format!("connectord_doctor_{what}")));
    for (name, least) in
        [("connectord.rules.yml", 12), ("connectord.grafana.json", 10), ("check_connectord", 10)]
    {
        let named = named(&fs::read_to_string(file(name)).unwrap());
        let unknown: Vec<_> = named.difference(&there).collect();
        assert!(unknown.is_empty() && named.len() >= least, "{name}: {unknown:?} {}", named.len());
    }
    assert_eq!(named(&fs::read_to_string(file("README.md")).unwrap()), there);
}

/// Asked of Prometheus: each alert that alerts.yml has numbers for fires as it says there, and only then.
#[test]
#[allow(clippy::print_stderr)]
fn alerts_fire_as_they_should() {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/usr/bin/promtool");
    let tool = if kept.exists() { kept } else { PathBuf::from("promtool") };
    let directory = tempfile::tempdir().unwrap();
    fs::copy(file("connectord.rules.yml"), directory.path().join("connectord.rules.yml")).unwrap();
    fs::write(directory.path().join("alerts.yml"), include_str!("alerts.yml")).unwrap();
    let tried =
        Command::new(tool).args(["test", "rules", "alerts.yml"]).current_dir(directory.path()).output();
    let output = match tried {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            assert!(std::env::var_os("CONNECTORD_TESTS_MUST_NOT_SKIP").is_none(), "promtool: tests/setup");
            eprintln!("skipped: promtool is missing (tests/setup as root, or Debian: prometheus)");
            return;
        }
        tried => tried.unwrap(),
    };
    let told =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    assert!(output.status.success(), "{told}");
}

#[test]
fn the_dashboard_is_one() {
    let dashboard: Value =
        serde_json::from_str(&fs::read_to_string(file("connectord.grafana.json")).unwrap()).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<u64> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert!(ids.len() == panels.len() && panels.len() >= 10);
    for panel in panels {
        let targets = panel["targets"].as_array().unwrap();
        assert!(
            !targets.is_empty()
                && targets.iter().all(|target| target["expr"].as_str().unwrap().contains("connectord_"))
        );
    }
}

fn plugin(bench: &Bench, options: &[&str]) -> Ended {
    let mut command = Command::new("sh");
    command.arg(file("check_connectord")).args(options).args(["-p", BINARY]);
    command.arg("--config").arg(bench.path("connectord.toml")).arg("--runtime-dir").arg(bench.path("run"));
    let ended = ended(command.arg("--state-dir").arg(bench.path("state")));
    assert_eq!((ended.stdout.lines().count(), ended.stderr.as_str()), (1, ""), "{ended:?}");
    ended
}

/// The line for this state, with the code that goes with it.
#[track_caller]
fn says(bench: &Bench, options: &[&str], code: i32, parts: &[&str]) -> String {
    let line = plugin(bench, options).expect(code).stdout;
    let word = ["OK", "WARNING", "CRITICAL", "UNKNOWN"][code as usize];
    assert!(line.starts_with(&format!("CONNECTORD {word} - ")), "{line}");
    for part in parts {
        assert!(line.contains(part), "{part}: {line}");
    }
    line
}

#[test]
fn the_plugin_says_what_is_so() {
    let bench = Bench::new(CONFIGURATION);
    says(&bench, &[], 2, &["no daemon answers: mail waits"]);
    let now = Timestamp::now();
    keep(&bench, report("contoso-bank", "pass", now));
    keep(&bench, report("everyone", "pass", now));
    let daemon = Daemon::start(&bench);
    assert!(daemon.socketmap().ask("tls", "contoso.net").contains("OK secure"));
    let reply = daemon.policy(&[
        ("protocol_state", "RCPT"),
        ("sender", "a@contoso.com"),
        ("client_address", "192.0.2.1"),
    ]);
    assert!(reply.starts_with("action=5"), "{reply}");
    // What is kept for the next start is written behind the first answer.
    let begin = Instant::now();
    let ok = loop {
        let ended = plugin(&bench, &[]);
        if !ended.stdout.contains("is not kept") {
            break ended.expect(0).stdout;
        }
        assert!(begin.elapsed() < Duration::from_secs(30), "{ended:?}");
    };
    assert_eq!(
        ok,
        "CONNECTORD OK - generation 1, 3 connectors in force | connections=0;;;0;1024 decisions=2c refused=1c \
         validated=2 failed=0 panics=0c lost=0c\n"
    );
    // The certificates of the kept results have 79 days and some hours.
    says(&bench, &["-w", "80"], 1, &["certificates expire in less than 80 days: contoso-bank, everyone | "]);
    says(
        &bench,
        &["-w", "100", "-c", "90"],
        2,
        &["certificates expire in less than 90 days: contoso-bank, everyone | "],
    );

    bench.write("connectord.toml", "version = 1\nnonsense");
    bench.run(&["reload"]).expect(78);
    says(&bench, &[], 1, &["the last reload failed | "]);
    // Both at once; a connector that only reports is nobody's alarm.
    keep_failed(&bench, &["everyone", "contoso-trial"], now);
    bench.run(&["reload"]).expect(0);
    let line = says(&bench, &[], 2, &["partners fail: everyone | ", "validated=1 failed=2"]);
    assert!(!line.contains("trial"), "{line}");
    drop(daemon);
}

/// The files are good again, another text of the same agreements, and these partners fail.
fn keep_failed(bench: &Bench, connectors: &[&str], at: Timestamp) {
    bench.write("connectord.toml", &format!("{CONFIGURATION}# once more\n"));
    for connector in connectors {
        keep(bench, report(connector, "fail", at - DAY));
    }
}

#[test]
fn the_plugin_says_what_it_cannot_know() {
    let bench = Bench::new(CONFIGURATION);
    for options in [&["-w"][..], &["-w", "soon"], &["-c", "-1"], &["--no-such-option"]] {
        let mut command = Command::new("sh");
        let ended = ended(command.arg(file("check_connectord")).args(["-p", BINARY]).args(options)).expect(3);
        assert!(ended.stdout.starts_with("CONNECTORD UNKNOWN - "), "{ended:?}");
    }
    // Programs that say something else, and what is made of it.
    for (said, code, expected) in [
        ("exit 77", 3, "no permission"),
        ("exit 70", 3, "failed"),
        ("echo connectord_generation 1", 3, "not whole"),
        ("exit 127", 3, "cannot be run"),
        (
            "printf 'connectord_generation 1\\nconnectord_last_good_unaccepted 1\\n# EOF\\n'",
            2,
            "may be weaker",
        ),
        (
            "printf 'connectord_generation 1\\nconnectord_connector_info{connector=\"a|b`$(c)\",mode=\"enforce\"} 1\\n\
             connectord_validation_state{connector=\"a|b`$(c)\",state=\"failed\"} 1\\n# EOF\\n'",
            2,
            "partners fail: a?b??(c)",
        ),
    ] {
        let text = bench.write("text", &format!("#!/bin/sh\n{said}\n"));
        let program = bench.path("program");
        // Not by this process: as in `Bench::run_unprivileged`.
        let mut install = Command::new("install");
        assert!(install.args(["-m", "755"]).args([&text, &program]).status().unwrap().success());
        let mut command = Command::new("sh");
        let ended = ended(command.arg(file("check_connectord")).arg("-p").arg(&program)).expect(code);
        assert!(ended.stdout.contains(expected) && ended.stdout.lines().count() == 1, "{ended:?}");
    }
}

/// The script as it is, but for where it finds `connectord`.
fn textfile(bench: &Bench, directory: &Path) -> Command {
    let text = fs::read_to_string(file("connectord-textfile")).unwrap();
    let changed = text.replace("\nPATH=/usr/sbin:", &format!("\nPATH={}:/usr/sbin:", directory.display()));
    assert_ne!(changed, text);
    let mut command = Command::new("sh");
    command.arg(bench.write("connectord-textfile", &changed));
    command
}

#[test]
fn what_doctor_found_stays_when_it_fails() {
    let bench = Bench::new(CONFIGURATION);
    for directory in ["collected", "bin"] {
        fs::create_dir(bench.path(directory)).unwrap();
    }
    let write = |word: &str, said: &str| {
        let text = bench.write("text", &format!("#!/bin/sh\n{said}\n"));
        // Not by this process: as in `Bench::run_unprivileged`.
        let mut install = Command::new("install");
        let program = bench.path("bin/connectord");
        assert!(install.args(["-m", "755"]).args([&text, &program]).status().unwrap().success());
        let mut command = textfile(&bench, &bench.path("bin"));
        ended(command.arg(bench.path("collected")).args([word, "postfix"])).code
    };
    let kept = |word: &str| {
        fs::read_to_string(bench.path(&format!("collected/connectord-{word}-postfix.prom"))).ok()
    };
    // 1: there are findings.
    assert_eq!(write("doctor", "echo found; exit 1"), Some(0));
    assert_eq!(write("doctor", "echo half; exit 70"), Some(70));
    assert_eq!(kept("doctor").as_deref(), Some("found\n"));
    assert_eq!(write("status", "echo well"), Some(0));
    assert_eq!(kept("status").as_deref(), Some("well\n"));
    assert_eq!(write("status", "echo half; exit 70"), Some(70));
    assert_eq!(kept("status"), None);
    // Where a link was put in its place, that is replaced, and not what it leads to.
    fs::create_dir(bench.path("elsewhere")).unwrap();
    let link = bench.path("collected/connectord-status-postfix.prom");
    std::os::unix::fs::symlink(bench.path("elsewhere"), &link).unwrap();
    assert_eq!(write("status", "echo well"), Some(0));
    assert!(link.symlink_metadata().unwrap().is_file());
    assert_eq!(fs::read_dir(bench.path("elsewhere")).unwrap().count(), 0);
    assert_eq!(fs::read_dir(bench.path("collected")).unwrap().count(), 2, "nothing is left over");
}

#[test]
fn a_file_is_whole_or_not_there() {
    let bench = Bench::new(CONFIGURATION);
    let collected = bench.path("collected");
    fs::create_dir(&collected).unwrap();
    let write = |words: &[&str]| {
        let directory = Path::new(BINARY).parent().unwrap();
        ended(textfile(&bench, directory).arg(&collected).args(words))
    };
    let runtime = format!("--runtime-dir={}", bench.path("run").display());
    let files = || {
        let files = fs::read_dir(&collected).unwrap();
        files.map(|file| file.unwrap().path()).collect::<Vec<_>>()
    };
    assert_eq!(write(&["status", &runtime]).code, Some(69));
    assert!(files().is_empty());
    let daemon = Daemon::start(&bench);
    assert_eq!(write(&["status", &runtime]).code, Some(0));
    let [file] = files().try_into().unwrap();
    assert_eq!(file.extension().unwrap(), "prom");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o644);
    read(&fs::read_to_string(&file).unwrap());
    assert_eq!(daemon.stop().code, Some(0));
    // It would look as if all were well.
    assert_eq!(write(&["status", &runtime]).code, Some(69));
    assert!(files().is_empty());
}
