//! `certs`: every certificate that is known, in its three forms.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde_json::json;

use crate::bench::{Bench, assert_keys};
use crate::kept::{DAY, certificate, keep, keep_both, report};

const CONFIGURATION: &str = r#"version = 1
[mta]
postfix = "3.7"
queue_directory = "/var/spool/postfix"
[[outbound]]
name = "with-ca"
mode = "off"
domains = ["a.example"]
tls = "secure"
match = ["*.a.example"]
ca_file = "ca.pem"
[[outbound]]
name = "pinned"
mode = "off"
domains = ["b.example"]
tls = "fingerprint"
certificates = ["pinned.pem"]
[[outbound]]
name = "plain"
mode = "off"
domains = ["c.example"]
tls = "encrypt"
[[inbound]]
name = "partner-in"
mode = "off"
identify.domains = ["a.example"]
require.certificate.files = ["registered.pem"]
on_violation = "reject"
"#;

fn bench() -> Bench {
    let bench = Bench::new(CONFIGURATION);
    let certificates = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/captures/certificates");
    for (name, from) in [("ca", "ca"), ("pinned", "special-cn"), ("registered", "good-sans")] {
        let text = fs::read_to_string(certificates.join(format!("{from}.pem"))).unwrap();
        bench.write(&format!("{name}.pem"), &text);
    }
    bench
}

#[test]
fn files_and_what_was_seen() {
    let bench = bench();
    let at: Timestamp = Timestamp::now();
    let mut seen = report("plain", "pass", at);
    seen.addresses[0].certificate = Some(certificate("captures/certificates/good-sans.pem"));
    keep(&bench, seen);
    let json = bench.run(&["certs", "--json"]).expect(0).json();
    let rows = json.as_array().unwrap();
    for row in rows {
        let keys = [
            "connector",
            "source",
            "place",
            "seen_at",
            "subject",
            "names",
            "issuer",
            "serial",
            "sha256",
            "key_sha256",
            "key",
            "not_before",
            "not_after",
        ];
        assert_keys(row, &keys, &[]);
    }
    let summary: Vec<[&str; 3]> = rows
        .iter()
        .map(|row| ["connector", "source", "subject"].map(|key| row[key].as_str().unwrap()))
        .collect();
    assert_eq!(
        summary,
        [
            ["with-ca", "ca_file", "CN=Lab Partner CA"],
            ["pinned", "certificates", "CN=A+B=C, 100% <x@y> \"q\""],
            ["partner-in", "registered", "CN=mail.partner.example"],
            ["plain", "seen", "CN=mail.partner.example"],
        ]
    );
    assert_eq!(
        rows[2]["names"],
        json!(["mail.partner.example", "mx2.partner.example", "*.out.partner.example"])
    );
    assert_eq!(rows[2]["place"], "registered.pem");
    assert!(rows[2]["seen_at"].is_null());
    assert_eq!((&rows[3]["place"], &rows[3]["seen_at"]), (&json!("mx1.contoso.com 192.0.2.1"), &json!(at)));
    assert_eq!(rows[2]["sha256"], rows[3]["sha256"]);

    // For people it is one certificate, known in two ways, and seconds are exact enough.
    let at = at.strftime("%Y-%m-%dT%H:%M:%SZ");
    let text = bench.run(&["certs"]).expect(0).stdout;
    assert_eq!(text.matches("CN=mail.partner.example\n").count(), 1, "{text}");
    let ways = format!(
        "  connector   partner-in, registered registered.pem\n  connector   plain, seen at mx1.contoso.com 192.0.2.1 on {at}\n"
    );
    assert!(text.contains(&ways), "{text}");
    let ends: Vec<&str> = text.lines().filter(|line| line.starts_with("  not after")).collect();
    assert!(ends.len() == 3 && ends.is_sorted(), "{text}");
}

#[test]
fn csv_is_for_a_spreadsheet() {
    let bench = bench();
    let text = bench.run(&["certs", "--csv"]).expect(0).stdout;
    assert!(text.ends_with("\r\n") && text.matches("\r\n").count() == 4, "{text}");
    let lines: Vec<&str> = text.split("\r\n").collect();
    assert_eq!(
        lines[0],
        "\"connector\",\"source\",\"place\",\"seen_at\",\"subject\",\"names\",\"issuer\",\"serial\",\"sha256\",\
         \"key_sha256\",\"key\",\"not_before\",\"not_after\""
    );
    assert!(
        lines[2].starts_with(
            "\"pinned\",\"certificates\",\"pinned.pem\",\"\",\"CN=A+B=C, 100% <x@y> \"\"q\"\"\","
        ),
        "{text}"
    );
    assert!(
        lines.iter().filter(|line| !line.is_empty()).all(|line| line.starts_with('"') && line.ends_with('"'))
    );
}

/// A run that met a closed port knows no certificate; the inventory does.
#[test]
fn the_last_one_seen_is_known_after_an_outage() {
    let bench = bench();
    let yesterday = Timestamp::now() - DAY;
    let seen = report("plain", "pass", yesterday);
    let mut away = report("plain", "fail", Timestamp::now());
    away.addresses[0].certificate = None;
    keep_both(&bench, seen, away);
    let json = bench.run(&["certs", "--json"]).expect(0).json();
    let rows: Vec<_> = json.as_array().unwrap().iter().filter(|row| row["connector"] == "plain").collect();
    assert_eq!(rows.len(), 1, "{json}");
    assert_eq!((&rows[0]["source"], &rows[0]["seen_at"]), (&json!("seen"), &json!(yesterday)));
    assert_eq!(rows[0]["place"], "mx1.contoso.com 192.0.2.1");
    assert_eq!(rows[0]["sha256"], json!(certificate("certificates/ec-p521.pem").sha256));
}

#[test]
fn a_partner_cannot_start_a_formula() {
    let bench = bench();
    let mut seen = report("plain", "pass", Timestamp::now());
    let certificate = seen.addresses[0].certificate.as_mut().unwrap();
    certificate.subject = "=HYPERLINK(\"http://evil.example\")".to_owned();
    certificate.names = vec!["@SUM(A1)\u{1b}[2J".to_owned()];
    certificate.issuer = "+1\r\n\"x\",=2".to_owned();
    keep(&bench, seen);
    let text = bench.run(&["certs", "--csv"]).expect(0).stdout;
    let row = text.split("\r\n").find(|line| line.contains("HYPERLINK")).unwrap();
    assert!(
        row.contains(
            "\"'=HYPERLINK(\"\"http://evil.example\"\")\",\"'@SUM(A1)\\u{1b}[2J\",\"'+1\\r\\n\"\"x\"\",=2\","
        ),
        "{row}"
    );
    for arguments in [&["certs"][..], &["certs", "--json"]] {
        let text = bench.run(arguments).expect(0).stdout;
        assert!(!text.contains('\u{1b}') && !text.contains("\r"), "{text}");
    }
}

/// What the files hold is listed; of the rest it is said once that it is missing.
#[test]
fn who_may_not_read_the_results_is_told_so_once() {
    let with_files = bench();
    let without = "version = 1\n".to_owned()
        + &["a", "b", "c"].map(|name| format!("[[outbound]]\nname = {name:?}\nmode = \"off\"\ndomains = [\"{name}.example\"]\ntls = \"encrypt\"\n")).concat();
    let without_files = Bench::new(&without);
    for (bench, connector, files) in [(with_files, "plain", 3), (without_files, "a", 0)] {
        keep(&bench, report(connector, "pass", Timestamp::now()));
        let told = format!(
            "connectord: {}: what was seen from partners cannot be read: permission denied; ask as root, or as \
             the user that connectord runs as\n",
            bench.path("state").display()
        );
        // The state directory, what is in it, the key alone.
        for closed in ["state/validation/key", "state/validation", "state"] {
            set_mode(&bench.path(closed), 0o000);
            let text = bench.run_unprivileged(&["certs"]).expect(77);
            assert_eq!(text.stdout.matches("  sha256 ").count(), files, "{text:?}");
            assert!(files > 0 || text.stdout.is_empty(), "{text:?}");
            assert_eq!(text.stderr, told);
            let json = bench.run_unprivileged(&["certs", "--json"]).expect(77);
            assert_eq!((json.json().as_array().unwrap().len(), json.stderr.as_str()), (files, told.as_str()));
            let csv = bench.run_unprivileged(&["certs", "--csv"]).expect(77);
            assert_eq!((csv.stdout.lines().count(), csv.stderr.as_str()), (files + 1, told.as_str()));
        }
        for path in ["state", "state/validation"] {
            set_mode(&bench.path(path), 0o755);
        }
    }
    let only_inbound = Bench::new("version = 1\n");
    fs::create_dir(only_inbound.path("state")).unwrap();
    set_mode(&only_inbound.path("state"), 0o000);
    assert_eq!(only_inbound.run_unprivileged(&["certs"]).expect(0).stderr, "");
    set_mode(&only_inbound.path("state"), 0o755);
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn nothing_is_known() {
    let bench = Bench::new(
        "version = 1\n[[outbound]]\nname = \"a\"\nmode = \"off\"\ndomains = [\"a.example\"]\ntls = \"encrypt\"\n",
    );
    assert_eq!(
        bench.run(&["certs"]).expect(0).stdout,
        "no certificate is known: none is in a file, and no partner was tested yet\n"
    );
    assert_eq!(bench.run(&["certs", "--json"]).expect(0).stdout, "[]\n");
    assert_eq!(bench.run(&["certs", "--csv"]).expect(0).stdout.lines().count(), 1);
}
