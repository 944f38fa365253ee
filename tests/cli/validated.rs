//! What `list`, `status` and `explain` say of kept results, whoever wrote them.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::bench::{Bench, CONFIGURATION, assert_keys};
use crate::daemon::Daemon;
use crate::kept::{DAY, keep, keep_with, report};

const KEYS: [&str; 6] = ["connector", "state", "at", "expires", "days", "reason"];

const ADDED: [&str; 1] = ["authorities"];

/// What `list --json` says of a connector: `validated` and `validation`.
#[track_caller]
fn listed(bench: &Bench, connector: &str) -> (Value, Value) {
    let json = bench.run(&["list", "--json"]).expect(0).json();
    let entry = json.as_array().unwrap().iter().find(|entry| entry["name"] == connector).unwrap();
    assert_keys(&entry["validation"], &KEYS, &ADDED);
    (entry["validated"].clone(), entry["validation"].clone())
}

#[track_caller]
fn assert_not_validated(bench: &Bench, case: &str, state: &str, reason: &str) {
    let (validated, validation) = listed(bench, "contoso-bank");
    assert!(validated.is_null(), "{case}: {validation}");
    assert_eq!(validation["state"], state, "{case}");
    assert_eq!((&validation["expires"], &validation["days"]), (&Value::Null, &Value::Null), "{case}");
    let told = validation["reason"].as_str().unwrap_or_default();
    assert!(told.contains(reason), "{case}: {told}");
    let table = bench.run(&["list"]).expect(0).stdout;
    let line = table.lines().find(|line| line.starts_with("contoso-bank ")).unwrap();
    let cell = &line[table.find("VALIDATED").unwrap()..];
    assert!(cell.starts_with("no, ") || cell.starts_with("failed "), "{case}: {line}");
}

#[test]
fn a_kept_result_is_shown_with_its_date() {
    let bench = Bench::new(CONFIGURATION);
    let at = Timestamp::now() - DAY;
    keep(&bench, report("contoso-bank", "pass", at));
    keep(&bench, report("contoso-trial", "warn", at));
    keep(&bench, report("everyone", "fail", at));

    let (validated, validation) = listed(&bench, "contoso-bank");
    assert_eq!(validated, json!(at));
    assert_eq!((&validation["state"], &validation["days"]), (&json!("validated"), &json!(78)));
    assert_eq!(validation["expires"], json!(at + DAY * 80));
    let (validated, validation) = listed(&bench, "contoso-trial");
    assert_eq!((validated, &validation["state"]), (json!(at), &json!("warned")));
    let (validated, validation) = listed(&bench, "everyone");
    assert_eq!((validated, &validation["state"]), (Value::Null, &json!("failed")));
    assert_eq!(validation["reason"], "mx1.contoso.com: The names differ.");
    assert_eq!(listed(&bench, "not-yet").1["state"], "never");

    let table = bench.run(&["list"]).expect(0).stdout;
    let day = at.strftime("%Y-%m-%d").to_string();
    let column = table.find("VALIDATED").unwrap();
    let cells: Vec<&str> =
        table.lines().skip(1).map(|line| line[column..].split("  ").next().unwrap()).collect();
    let expected = [
        format!("{day}, 78 days"),
        format!("{day}, 78 days, warnings"),
        format!("failed {day}"),
        "never".to_owned(),
        "-".to_owned(),
        "-".to_owned(),
    ];
    assert_eq!(cells, expected, "{table}");
}

#[test]
fn switching_on_keeps_it_and_other_settings_do_not() {
    let bench = Bench::new(CONFIGURATION);
    keep(&bench, report("contoso-bank", "pass", Timestamp::now()));
    let table = [
        (
            "mode = \"enforce\"\ndomains = [\"*.contoso.com\", \"contoso.net\"",
            "mode = \"report\"\ndomains = [\"*.contoso.com\", \"contoso.net\"",
            true,
        ),
        ("comment = \"agreement 2026-114\"", "comment = \"another\"", true),
        ("match = [\"*.contoso.com\"]", "match = [\"*.contoso.com\", \"contoso.net\"]", false),
        ("[mail.contoso.com]:587", "[mail.contoso.com]:25", false),
        ("\"contoso.net\", ", "", false),
        ("except = [\"lists.contoso.com\"]\n", "", false),
    ];
    for (old, new, stays) in table {
        assert!(CONFIGURATION.contains(old), "{old}");
        bench.write("connectord.toml", &CONFIGURATION.replacen(old, new, 1));
        if stays {
            assert_eq!(listed(&bench, "contoso-bank").1["state"], "validated", "{new}");
        } else {
            assert_not_validated(&bench, new, "stale", "settings changed since");
        }
    }
}

#[test]
fn old_and_failed_results_do_not_count() {
    let bench = Bench::new(CONFIGURATION);
    keep(&bench, report("contoso-bank", "pass", Timestamp::now() - DAY * 31));
    assert_not_validated(&bench, "old", "stale", "older than 30 days");
    keep(&bench, report("contoso-bank", "fail", Timestamp::now()));
    assert_not_validated(&bench, "failed", "failed", "The names differ.");
    keep(&bench, report("contoso-bank", "pass", Timestamp::now() + DAY * 2));
    assert_not_validated(&bench, "of tomorrow", "stale", "in the future");
    let mut expired = report("contoso-bank", "pass", Timestamp::now() - DAY);
    expired.addresses[0].not_after = Some(Timestamp::now() - DAY / 2);
    keep(&bench, expired);
    assert_not_validated(&bench, "expired", "stale", "has expired");
}

/// Somebody else's hand in the file. No command fails for it, or shows a validation.
#[test]
fn what_was_written_by_hand_is_never_a_validation() {
    type Change = fn(&Bench);
    fn file(bench: &Bench) -> std::path::PathBuf {
        bench.path("state/validation/contoso-bank.json")
    }
    fn edit(bench: &Bench, change: impl Fn(&str) -> String) {
        let text = fs::read_to_string(file(bench)).unwrap();
        let changed = change(&text);
        assert_ne!(text, changed);
        fs::write(file(bench), changed).unwrap();
    }
    let table: [(&str, Change, &str); 9] = [
        ("verdict", |bench| edit(bench, |text| text.replace("\"fail\"", "\"pass\"")), "changed by hand"),
        ("by hand", |bench| fs::write(file(bench), r#"{"validated":true}"#).unwrap(), "is damaged"),
        ("cut", |bench| edit(bench, |text| text[..text.len() / 3].to_owned()), "cut short"),
        ("empty", |bench| edit(bench, |_| String::new()), "is damaged"),
        (
            "of another connector",
            |bench| {
                keep(bench, report("everyone", "pass", Timestamp::now()));
                fs::copy(bench.path("state/validation/everyone.json"), file(bench)).unwrap();
            },
            "the result of another connector",
        ),
        (
            "of another machine",
            |bench| {
                let other = Bench::new(CONFIGURATION);
                keep(&other, report("contoso-bank", "pass", Timestamp::now()));
                fs::copy(other.path("state/validation/contoso-bank.json"), file(bench)).unwrap();
            },
            "comes from another machine",
        ),
        (
            "too large",
            |bench| fs::File::create(file(bench)).unwrap().set_len(1 << 34).unwrap(),
            "more than 16777216 bytes",
        ),
        (
            "a link",
            |bench| {
                fs::rename(file(bench), bench.path("elsewhere")).unwrap();
                symlink(bench.path("elsewhere"), file(bench)).unwrap();
            },
            "symbolic link",
        ),
        (
            "without the key",
            |bench| fs::remove_file(bench.path("state/validation/key")).unwrap(),
            "is missing",
        ),
    ];
    for (case, change, reason) in table {
        let bench = Bench::new(CONFIGURATION);
        keep(&bench, report("contoso-bank", "fail", Timestamp::now()));
        change(&bench);
        assert_not_validated(&bench, case, "unusable", reason);
        let text = bench.run(&["explain", "outbound", "contoso.com"]).expect(0).stdout;
        let line = text.lines().find(|line| line.starts_with("validated    contoso-bank: ")).unwrap();
        assert!(
            line.contains("not validated: the kept result cannot be used: ") && line.contains(reason),
            "{line}"
        );
        let ended = bench.run(&["certs"]).expect(0);
        assert!(ended.stderr.contains(reason), "{case}: {ended:?}");
    }
}

#[test]
fn explain_mentions_it() {
    let bench = Bench::new(CONFIGURATION);
    let at = Timestamp::now();
    keep(&bench, report("contoso-bank", "pass", at));
    let text = bench.run(&["explain", "outbound", "bob@contoso.com"]).expect(0).stdout;
    let day = at.strftime("%Y-%m-%d");
    let expected = format!(
        "\nvalidated    contoso-bank: passed on {day}, certificate expires in 79 days\nvalidated    contoso-trial: never tested\n"
    );
    assert!(text.ends_with(&expected), "{text}");
    let json = bench.run(&["explain", "outbound", "bob@contoso.com", "--json"]).expect(0).json();
    for shown in json["validation"].as_array().unwrap() {
        assert_keys(shown, &KEYS, &ADDED);
    }
    assert_eq!(json["validation"][0]["at"], json!(at));
    assert_eq!(json["validation"][1]["state"], "never");
    let nobody = bench.run(&["explain", "outbound", "other.org"]).expect(0).stdout;
    assert!(!nobody.contains("validated"), "{nobody}");
}

/// A pass that rests on a file of the command line is never shown without it.
#[test]
fn authorities_of_the_command_line_are_told() {
    let bench = Bench::new(CONFIGURATION);
    let at = Timestamp::now();
    keep_with(&bench, report("contoso-bank", "pass", at), "/root/my.pem");
    keep(&bench, report("contoso-trial", "pass", at));
    let day = at.strftime("%Y-%m-%d");
    let words =
        format!("passed on {day} with the authorities in /root/my.pem, certificate expires in 79 days");
    let (_, validation) = listed(&bench, "contoso-bank");
    assert_eq!(
        (&validation["state"], &validation["authorities"]),
        (&json!("validated"), &json!("/root/my.pem"))
    );
    assert!(listed(&bench, "contoso-trial").1["authorities"].is_null());
    let table = bench.run(&["list"]).expect(0).stdout;
    assert!(table.contains(&format!("{day} with the authorities in /root/my.pem, 79 days")), "{table}");
    let text = bench.run(&["explain", "outbound", "bob@contoso.com"]).expect(0).stdout;
    assert!(text.contains(&format!("validated    contoso-bank: {words}\n")), "{text}");
    let daemon = Daemon::start(&bench);
    let text = bench.run(&["status"]).expect(0).stdout;
    assert!(text.ends_with(&format!("validated    2 of 4\n  contoso-bank: {words}\n")), "{text}");
    daemon.stop();
}

#[test]
fn who_may_not_read_the_results_is_told_so_once() {
    let bench = Bench::new(CONFIGURATION);
    keep(&bench, report("contoso-bank", "pass", Timestamp::now()));
    let state = bench.path("state");
    let close = |mode| fs::set_permissions(&state, fs::Permissions::from_mode(mode)).unwrap();
    close(0o000);
    let told = format!(
        "connectord: {}: what was seen from partners cannot be read: permission denied; ask as root, or as \
         the user that connectord runs as\n",
        state.display()
    );
    let table = bench.run_unprivileged(&["list"]).expect(0);
    assert_eq!((table.stdout.matches(" not known ").count(), table.stderr.as_str()), (4, told.as_str()));
    let json = bench.run_unprivileged(&["list", "--json"]).expect(0);
    assert_eq!(json.stderr, told);
    assert_eq!(
        (&json.json()[0]["validated"], &json.json()[0]["validation"]["state"]),
        (&Value::Null, &json!("unusable"))
    );
    let reason = json.json()[0]["validation"]["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("Permission denied"), "{reason}");
    let explained = bench.run_unprivileged(&["explain", "outbound", "bob@contoso.com"]).expect(0);
    let expected = "\nvalidated    contoso-bank: not known: the kept results cannot be read\n\
                    validated    contoso-trial: not known: the kept results cannot be read\n";
    assert!(explained.stdout.ends_with(expected), "{explained:?}");
    assert_eq!(explained.stderr, told);
    // Nobody asked.
    assert_eq!(bench.run_unprivileged(&["explain", "outbound", "other.org"]).expect(0).stderr, "");
    close(0o755);
}

#[test]
fn status_counts_them() {
    let bench = Bench::new(CONFIGURATION);
    keep(&bench, report("contoso-bank", "pass", Timestamp::now()));
    keep(&bench, report("everyone", "fail", Timestamp::now()));
    let daemon = Daemon::start(&bench);
    let text = bench.run(&["status"]).expect(0).stdout;
    let day = Timestamp::now().strftime("%Y-%m-%d");
    let expected =
        format!("validated    1 of 4\n  everyone: failed on {day}: mx1.contoso.com: The names differ.\n");
    assert!(text.ends_with(&expected), "{text}");
    let json = bench.run(&["status", "--json"]).expect(0).json();
    let states: Vec<&Value> =
        json["validation"].as_array().unwrap().iter().map(|shown| &shown["state"]).collect();
    assert_eq!(states, ["validated", "never", "failed", "never"]);
    assert_eq!(json["generation"], 1);
    // The daemon is well though its files no longer are.
    bench.write("connectord.toml", "version = 2");
    let text = bench.run(&["status"]).expect(0).stdout;
    assert!(text.ends_with("validated    not known: the configuration has problems\n"), "{text}");
    assert!(bench.run(&["status", "--json"]).expect(0).json()["validation"].is_null());
    daemon.stop();
}

/// Before the reload is the time to know.
#[test]
fn check_says_of_a_connector_in_force_that_its_partner_failed() {
    let bench = Bench::new(CONFIGURATION);
    let note = "note: contoso-bank is enforced, and its partner failed on ";
    for (verdict, told) in [("pass", false), ("fail", true)] {
        keep(&bench, report("contoso-bank", verdict, Timestamp::now()));
        let checked = bench.run(&["check"]).expect(0);
        assert_eq!(checked.stderr.contains(note), told, "{verdict}: {}", checked.stderr);
    }
    // One that is not in force may fail.
    keep(&bench, report("contoso-bank", "pass", Timestamp::now()));
    keep(&bench, report("contoso-trial", "fail", Timestamp::now()));
    assert!(!bench.run(&["check"]).expect(0).stderr.contains("note: "));
}
