use std::collections::BTreeSet;
use std::process::Command;

use clap::CommandFactory as _;
use connectord::answer::{ClientCertificate, Mail, inbound};
use connectord::cli::Exit;
use connectord::mta::{exim, postfix};
use connectord::{config, load};
use jiff::Timestamp;
use toml::de::DeTable;

use super::*;

fn page(name: &str) -> String {
    let page = pages().into_iter().find(|(file, _)| file == name);
    page.unwrap_or_else(|| panic!("there is no {name}")).1
}

/// A page as man(1) shows it, its words one space apart; `None` where there is no man(1).
fn shown(directory: &Path, name: &str) -> Option<String> {
    let mut command = Command::new("man");
    // `-P cat` and not a terminal: the words without overstriking.
    command.args(["--warnings=w", "-E", "UTF-8", "-P", "cat", "-l"]).arg(directory.join(name));
    let output = match command.env("MANWIDTH", "80").env_remove("MANROFFOPT").output() {
        Ok(output) => output,
        Err(error) => {
            assert!(std::env::var_os("CONNECTORD_TESTS_MUST_NOT_SKIP").is_none(), "man: {error}");
            eprintln!("skipped: man: {error}");
            return None;
        }
    };
    assert!(output.status.success(), "{name}");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{name}");
    Some(String::from_utf8(output.stdout).unwrap().split_whitespace().collect::<Vec<_>>().join(" "))
}

#[test]
fn man_shows_each_page_without_a_warning_and_whole() {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path()).unwrap();
    // Of each page something from its end.
    let ends = [
        ("connectord.8", "connectord-validate(8), postconf(5), exim4(8)"),
        ("connectord.toml.5", "connectord-check(8), connectord-postfix(7)"),
        ("connectord-postfix.7", "SMTPD_POLICY_README, socketmap_table(5)"),
        ("connectord-exim.7", "connectord-postfix(7), exim4(8)"),
        ("connectord-monitoring.7", "systemd.socket(5)"),
    ];
    for (name, _) in pages() {
        let Some(text) = shown(directory.path(), &name) else { return };
        let end = ends.iter().find(|(page, _)| *page == name).map_or("connectord.toml(5)", |(_, end)| end);
        assert!(text.contains(end), "{name}: {text}");
    }
}

/// What `.TP` is followed by: the tags of a page.
fn tags(page: &str) -> BTreeSet<String> {
    let lines: Vec<&str> = page.lines().collect();
    let tags = lines.windows(2).filter(|pair| pair[0] == ".TP").map(|pair| pair[1]);
    tags.map(|tag| tag.replace("\\fB", "").replace("\\fR", "").replace("\\-", "-")).collect()
}

#[test]
fn every_key_is_documented_with_an_example_that_is_one() {
    let page = page("connectord.toml.5");
    let tags = tags(&page);
    let mut count = 0;
    for (table, name, key) in config::keys() {
        assert!(
            page.contains(&format!(".SH \"{}\"", table.to_uppercase()))
                || page.contains(&format!(".SH {table}\n")),
            "{table}"
        );
        let prefix = format!("{name} = ");
        assert!(tags.iter().any(|tag| tag.starts_with(&prefix)), "{table} {name}: {tags:?}");
        assert!(!key.about.is_empty() && !key.value.is_empty() && key.default != Some(""), "{table} {name}");
        let example = DeTable::parse(key.example).unwrap_or_else(|error| panic!("{name}: {error}"));
        let written: Vec<_> = example.get_ref().keys().map(|written| written.get_ref().as_ref()).collect();
        assert_eq!(written, [key.name], "{table} {name}: {}", key.example);
        count += 1;
    }
    assert!(count > 60);
}

/// A configuration in which each key may stand: what is before it, and what goes with it.
fn around(table: &str, name: &str) -> Option<String> {
    let outbound = |tls: &str| {
        let domains = if name == "domains_file" { "" } else { "domains = [\"*.contoso.com\"]\n" };
        format!("[[outbound]]\nname = \"contoso-bank\"\nmode = \"report\"\n{domains}tls = \"{tls}\"\n")
    };
    let inbound = "[[inbound]]\nname = \"contoso-bank\"\nmode = \"report\"\nidentify.domains = [\"a.example\"]\n\
                   require.tls = true\non_violation = \"defer\"\n";
    let text = match table {
        "the main file" => String::new(),
        "[[listen]]" if name == "address" => "[[listen]]\nprotocol = \"metrics\"\n".to_owned(),
        "[[listen]]" => "[[listen]]\nprotocol = \"policy\"\npath = \"policy.sock\"\n".to_owned(),
        "[[outbound]]" => match name {
            "match" => outbound("secure"),
            "tls" => format!("{}match = \"domain\"\n", outbound("secure")),
            "ca_file" => outbound("verify"),
            "certificates" | "fingerprints" => outbound("fingerprint"),
            _ => outbound("encrypt"),
        },
        "[[inbound]]" if name.ends_with("issuers") => {
            format!("{inbound}require.certificate.names = [\"*.contoso.com\"]\n")
        }
        "[[inbound]]" => inbound.to_owned(),
        table => format!("{table}\n"),
    };
    // Tables are what the others stand in; the one that overrides needs another one.
    let is_table =
        ["listen", "mta", "inbound_exempt", "server", "organisation", "outbound", "inbound", "overrides"];
    (!is_table.contains(&name)).then_some(text)
}

#[test]
fn every_example_is_accepted() {
    let directory = tempfile::tempdir().unwrap();
    let pem = include_bytes!("../../contrib/examples/rich/certificates/contoso-client-2026.pem");
    for name in ["contoso-ca.pem", "contoso.pem", "contoso-client.pem"] {
        fs::write(directory.path().join(name), pem).unwrap();
    }
    for inner in ["lists", "connectors.d"] {
        fs::create_dir(directory.path().join(inner)).unwrap();
    }
    fs::write(directory.path().join("lists/contoso.list"), "contoso.com\n").unwrap();
    let file = directory.path().join("connectord.toml");
    let now: Timestamp = "2026-11-01T00:00:00Z".parse().unwrap();
    let mut count = 0;
    for (table, name, key) in config::keys() {
        let Some(around) = around(table, &name) else { continue };
        // `identify.domains`, where the page has `domains`.
        let example = format!("{}{}", name.strip_suffix(key.name).unwrap(), key.example);
        let written = format!("{name} = ");
        let mut text: String = format!("version = 1\n{around}")
            .lines()
            .filter(|line| !line.replace(' ', "").starts_with(&written.replace(' ', "")))
            .map(|line| format!("{line}\n"))
            .collect();
        text.push_str(&example);
        text.push('\n');
        fs::write(&file, &text).unwrap();
        if let Err(problems) = load::load(&file, 1, now) {
            panic!("{table} {name}: {problems}\n{text}");
        }
        count += 1;
    }
    assert!(count > 50, "{count}");
}

#[test]
fn every_command_has_a_page_that_connectord_8_leads_to() {
    let files: BTreeSet<String> = pages().into_iter().map(|(name, _)| name).collect();
    let root = page("connectord.8").replace("\\-", "-");
    for command in CommandLine::command().get_subcommands().filter(|command| command.get_name() != "help") {
        let name = format!("connectord-{}", command.get_name());
        assert!(root.contains(&format!("{name}(8)")), "{name}");
        let text = page(&format!("{name}.8"));
        for option in command.get_arguments().filter_map(|argument| argument.get_long()) {
            assert!(text.replace("\\-", "-").contains(&format!("--{option}")), "{name} --{option}");
        }
        for inner in command.get_subcommands().filter(|inner| inner.get_name() != "help") {
            let inner = format!("{name}-{}.8", inner.get_name());
            assert!(files.contains(&inner), "{inner}: {files:?}");
        }
    }
}

#[test]
fn every_finding_is_documented() {
    for (mta, kinds) in [("postfix", postfix::doctor::KINDS), ("exim", exim::doctor::KINDS)] {
        let tags = tags(&page(&format!("connectord-doctor-{mta}.8")));
        for kind in kinds {
            assert!(tags.contains(&format!("{} ({})", kind.id, kind.severity.word())), "{kind:?}: {tags:?}");
            assert!(kind.id.starts_with(&format!("{mta}-")) && kind.about.ends_with('.'), "{kind:?}");
        }
        let ids: BTreeSet<&str> = kinds.iter().map(|kind| kind.id).collect();
        assert_eq!(ids.len(), kinds.len());
    }
}

#[test]
fn every_exit_code_is_documented() {
    let tags = tags(&page("connectord.8"));
    for exit in Exit::ALL {
        assert!(tags.contains(&exit.code().to_string()), "{exit:?}: {tags:?}");
    }
}

/// What the daemon says to Postfix of mail that lacks each part of what three connectors demand.
fn codes() -> BTreeSet<String> {
    let directory = tempfile::tempdir().unwrap();
    let mut text = "version = 1\n".to_owned();
    for action in ["reject", "defer", "hold"] {
        text.push_str(&format!(
            "[[inbound]]\nname = \"{action}\"\nmode = \"enforce\"\non_violation = \"{action}\"\n\
             identify.domains = [\"{action}.example\"]\nrequire.tls = true\n\
             require.certificate.names = [\"mx.example\"]\nrequire.certificate.issuers = [\"CA\"]\n"
        ));
    }
    let file = directory.path().join("connectord.toml");
    fs::write(&file, text).unwrap();
    let ready = load::load(&file, 1, Timestamp::now()).unwrap();
    let mut codes = BTreeSet::new();
    for action in ["reject", "defer", "hold", "none"] {
        for tls_version in ["", "TLSv1.3"] {
            let sender = format!("a@{action}.example");
            let mail = Mail {
                state: b"RCPT",
                client_address: b"192.0.2.1",
                helo: b"mx.example",
                sender: sender.as_bytes(),
                recipient: b"b@ours.example",
                sasl_username: b"",
                tls_version: tls_version.as_bytes(),
                certificate: ClientCertificate::default(),
            };
            let decision = inbound(&ready.snapshot, &mail, Timestamp::now);
            let words: Vec<&str> = decision.action().split(' ').collect();
            let is_code = words[0].starts_with(|first: char| first.is_ascii_digit());
            codes.insert(words[..if is_code { 2 } else { 1 }].join(" "));
        }
    }
    codes
}

#[test]
fn every_reply_code_is_documented() {
    let codes = codes();
    let expected = ["450 4.7.0", "450 4.7.1", "530 5.7.0", "550 5.7.1", "DUNNO", "HOLD"];
    assert_eq!(codes.iter().map(String::as_str).collect::<Vec<_>>(), expected);
    let page = page("connectord-postfix.7");
    for code in codes.iter().map(String::as_str).chain(["OK", "NOTFOUND", "PERM", "TEMP"]) {
        assert!(page.contains(&format!("\\fB{code}")), "{code}");
    }
}

#[test]
fn the_same_source_gives_the_same_files() {
    let [one, two] = [(); 2].map(|()| {
        let directory = tempfile::tempdir().unwrap();
        write(directory.path()).unwrap();
        let mut files: Vec<_> = fs::read_dir(directory.path())
            .unwrap()
            .map(|file| file.unwrap().path())
            .map(|path| (path.file_name().unwrap().to_owned(), fs::read(path).unwrap()))
            .collect();
        files.sort();
        files
    });
    assert_eq!(one, two);
    // The pages, and the completions of three shells.
    assert_eq!(one.len(), pages().len() + 3);
}
