//! `new` at a terminal, as somebody would use it who has never seen it.

use std::fs;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::{Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::bench::Bench;
use crate::terminal::Terminal;

pub(crate) const MAIN: &str = "version = 1\ninclude = [\"connectors.d/*.toml\"]\n";

/// One that is there already.
pub(crate) const FABRIKAM: &str = "version = 1

[[outbound]]
name    = \"fabrikam\"
mode    = \"enforce\"
domains = [\"*.fabrikam.com\"]
tls     = \"encrypt\"
";

const CONTOSO: &str = "version = 1

[[outbound]]
name    = \"contoso.com\"
mode    = \"report\"
domains = [\"*.contoso.com\"]
tls     = \"secure\"
match   = [\"*.contoso.com\"]
comment = \"agreement 2026-114\"
contact = \"mail-ops@contoso.com\"
";

pub(crate) fn bench() -> Bench {
    let bench = Bench::new(MAIN);
    fs::create_dir(bench.path("connectors.d")).unwrap();
    fs::set_permissions(bench.path("connectors.d"), fs::Permissions::from_mode(0o755)).unwrap();
    bench.write("connectors.d/fabrikam.toml", FABRIKAM);
    bench
}

/// What is in the directory, hidden or not.
#[track_caller]
pub(crate) fn assert_files(bench: &Bench, expected: &[&str]) {
    let entries = fs::read_dir(bench.path("connectors.d")).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, expected);
}

#[test]
fn a_person_makes_a_connector_at_a_terminal() {
    let bench = bench();
    fs::set_permissions(bench.path("connectors.d/fabrikam.toml"), fs::Permissions::from_mode(0o640)).unwrap();
    let mut terminal = Terminal::start(&bench.command(&["new"]));
    terminal.answer("Mail to the partner (outbound), or from there (inbound)? [outbound]: ", "");
    terminal.answer("The partner's domains: ", "contoso..com");
    terminal.read("empty label in domain name");
    // Arrow up: there is no history.
    terminal.answer("The partner's domains: ", "\x1b[A");
    terminal.read("control character");
    terminal.answer("The partner's domains: ", "");
    terminal.answer("The partner's domains: ", "contoso");
    terminal.read("`contoso` has no dot; write it again if it is meant");
    terminal.answer("The partner's domains: ", "\"*.contoso.com\", \"contoso.net\"");
    terminal.read("separate with commas, without quotation marks");
    terminal.answer("The partner's domains: ", "*.contoso.com");
    terminal.answer("A name for it [contoso.com]: ", "fabrikam");
    terminal.read("there is a connector fabrikam");
    terminal.answer("A name for it [contoso.com]: ", "");
    terminal.answer("What it is for, for people [none]: ", "agreement 2026-114");
    terminal.answer("Whom to ask at the partner [none]: ", "mail-ops@contoso.com");
    terminal.answer("Their MX hosts (mx), or smart hosts", "[mail.contoso.com");
    terminal.read("unbalanced bracket");
    terminal.answer("? [mx]: ", "smtp.contoso.com:abc");
    terminal.read("`abc` is no number of a port; write it again if it is meant");
    terminal.answer("? [mx]: ", "");
    terminal.answer("TLS [secure]: ", "secur");
    terminal.read("encrypt, verify, secure, dane, dane-only; did you mean secure?");
    terminal.answer("TLS [secure]: ", "");
    terminal.answer("certificate may show [*.contoso.com]: ", "com");
    terminal.read("single label");
    terminal.answer("certificate may show [*.contoso.com]: ", "");
    terminal.answer("Mode [report]: ", "");
    terminal.read("+ domains = [\"*.contoso.com\"]");
    terminal.read("Nothing that is enforced changes.");
    assert_files(&bench, &["fabrikam.toml"]);
    terminal.answer("contoso.com.toml? [yes]: ", "");
    terminal.answer("Test the partner's mail servers now? No mail is sent [yes]: ", "no");
    terminal.answer("Let the running daemon load it now? [no]: ", "");
    terminal.read("The daemon knows it after `connectord reload --config ");
    let (code, text) = terminal.end();
    assert_eq!(code, 0, "{text}");
    assert_files(&bench, &["contoso.com.toml", "fabrikam.toml"]);
    let path = bench.path("connectors.d/contoso.com.toml");
    assert_eq!(fs::read_to_string(&path).unwrap(), CONTOSO);
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o640, "as its neighbour");
    assert_eq!(bench.run(&["check"]).expect(0).stderr, "");
}

#[test]
fn a_domain_that_has_a_connector_is_refused_at_once() {
    let bench = bench();
    bench.write("connectors.d/z.toml", &FABRIKAM.replace("enforce", "report").replace("fabrikam", "contoso"));
    let mut terminal = Terminal::start(&bench.command(&["new", "--tls", "encrypt"]));
    terminal.answer("[outbound]: ", "");
    terminal.answer("The partner's domains: ", "contoso.com");
    terminal.read("contoso.com belongs to the connector contoso already (");
    terminal.read("connectors.d/z.toml:3, mode report)");
    // The connector that is enforced may have another beside it that is on trial.
    terminal.answer("The partner's domains: ", "*.fabrikam.com");
    terminal.answer("A name for it [fabrikam.com]: ", "");
    for question in ["for people [none]: ", "at the partner [none]: ", "[mx]: "] {
        terminal.answer(question, "");
    }
    terminal.answer("Mode [report]: ", "enforce");
    terminal.read("*.fabrikam.com belongs to the connector fabrikam already (");
    terminal.answer("Mode [report]: ", "");
    terminal.answer("fabrikam.com.toml? [yes]: ", "no");
    assert_eq!(terminal.end().0, 0);
    for (domains, direction, mode, code) in [
        ("x.contoso.com", "outbound", "report", 0),
        (".contoso.com", "outbound", "report", 64),
        (".fabrikam.com", "outbound", "enforce", 64),
        ("contoso.com", "inbound", "report", 0),
    ] {
        let arguments = ["new", "--yes", "--domains", domains, "--direction", direction, "--mode", mode];
        let ended = bench.run(&arguments).expect(code);
        assert_eq!(ended.stderr.contains("--domains: "), code != 0, "{ended:?}");
    }
}

#[test]
fn a_conflict_is_shown_and_the_answers_are_kept() {
    let bench = bench();
    let mut terminal = Terminal::start(&bench.command(&["new", "--mode", "enforce", "--tls", "may"]));
    terminal.answer("[outbound]: ", "");
    terminal.answer("The partner's domains: ", "x.fabrikam.com");
    terminal.answer("A name for it [x.fabrikam.com]: ", "second");
    terminal.answer("for people [none]: ", "");
    terminal.answer("at the partner [none]: ", "");
    terminal.answer("[mx]: ", "");
    terminal.read("It cannot be written like that:");
    terminal.read("connectors.d/second.toml:");
    terminal.answer("Go through the questions again, with these answers? [yes]: ", "");
    terminal.answer("[outbound]: ", "");
    terminal.answer("The partner's domains [x.fabrikam.com]: ", "fabrikam.example");
    terminal.answer("A name for it [second]: ", "");
    terminal.answer("for people [none]: ", "");
    terminal.answer("at the partner [none]: ", "");
    terminal.answer("[mx]: ", "");
    terminal.read("added    second: fabrikam.example: ");
    terminal.answer("second.toml? [yes]: ", "no");
    terminal.read("Nothing was written.");
    assert_eq!(terminal.end().0, 0);
    assert_files(&bench, &["fabrikam.toml"]);
}

/// Takes every default of a connector for mail to these, but for the names of certificates.
fn round(terminal: &mut Terminal, domains: &str, name: &str, guess: &str, names: &str) {
    terminal.answer("[outbound]: ", "");
    terminal.answer("The partner's domains", domains);
    terminal.answer(&format!("A name for it [{name}]: "), "");
    terminal.answer("for people [none]: ", "");
    terminal.answer("at the partner [none]: ", "");
    terminal.answer("[mx]: ", "");
    terminal.answer("TLS [secure]: ", "");
    terminal.answer(&format!("certificate may show [{guess}]: "), names);
}

#[test]
fn what_was_guessed_for_one_partner_is_not_offered_for_another() {
    let bench = bench();
    let strict = FABRIKAM.replace("\"encrypt\"", "\"secure\"\nmatch = [\"mx.fabrikam.com\"]");
    bench.write("connectors.d/fabrikam.toml", &strict);
    let mut terminal = Terminal::start(&bench.command(&["new", "--mode", "enforce"]));
    let again = "Go through the questions again, with these answers? [yes]: ";
    round(&mut terminal, "*.x.fabrikam.com", "x.fabrikam.com", "*.x.fabrikam.com", "");
    terminal.answer(again, "");
    round(&mut terminal, "x.fabrikam.com", "x.fabrikam.com", "*.x.fabrikam.com", "mx.x.fabrikam.com");
    terminal.answer(again, "");
    // The same partner: what was written is offered.
    round(&mut terminal, "", "x.fabrikam.com", "mx.x.fabrikam.com", "");
    terminal.answer(again, "");
    round(&mut terminal, "contoso.net", "contoso.net", "*.contoso.net", "");
    terminal.answer("contoso.net.toml? [yes]: ", "");
    terminal.answer("No mail is sent [yes]: ", "no");
    terminal.answer("load it now? [no]: ", "");
    assert_eq!(terminal.end().0, 0);
    let written = fs::read_to_string(bench.path("connectors.d/contoso.net.toml")).unwrap();
    assert!(written.contains("match   = [\"*.contoso.net\"]\n"), "{written}");
}

#[test]
fn what_changes_while_a_question_stands_there_counts() {
    let bench = bench();
    let given = ["new", "--tls", "encrypt", "--mode", "enforce", "--domains", "contoso.com"];
    let mut terminal = Terminal::start(&bench.command(&given));
    terminal.answer("[outbound]: ", "");
    for question in ["[contoso.com]: ", "[none]: ", "[none]: ", "[mx]: "] {
        terminal.answer(question, "");
    }
    terminal.read("contoso.com.toml? [yes]: ");
    bench.write("connectors.d/other.toml", &FABRIKAM.replace("fabrikam", "contoso"));
    terminal.key("\n");
    let (code, text) = terminal.end();
    assert_eq!(code, 78, "{text}");
    // The one that is there already is not to blame, though its file is read later.
    let blamed = |file: &str| text.contains(&format!("connectors.d/{file}:"));
    assert!(blamed("contoso.com.toml") && !blamed("other.toml"), "{text}");
    assert!(text.contains("belongs to the connector `contoso` already"), "{text}");
    assert_files(&bench, &["fabrikam.toml", "other.toml"]);
}

#[test]
fn a_hangup_that_is_ignored_stays_so() {
    let bench = bench();
    let own = bench.command(&["new"]);
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' HUP; exec \"$@\"", "sh"]).arg(own.get_program()).args(own.get_args());
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = child.stderr.take().unwrap();
    let mut prompt = Vec::new();
    while !prompt.ends_with(b"[outbound]: ") {
        let mut byte = [0];
        said.read_exact(&mut byte).unwrap();
        prompt.extend(byte);
    }
    kill(Pid::from_raw(child.id().try_into().unwrap()), Signal::SIGHUP).unwrap();
    drop(child.stdin.take());
    assert_eq!(child.wait().unwrap().code(), Some(64), "the answers ended, and nothing before");
}

#[test]
fn whoever_stops_before_the_end_leaves_nothing_behind() {
    let bench = bench();
    let to_the_last = || {
        let mut terminal =
            Terminal::start(&bench.command(&["new", "--domains", "contoso.com", "--mode", "report"]));
        terminal.answer("[outbound]: ", "");
        for question in
            ["[contoso.com]: ", "[none]: ", "[none]: ", "[mx]: ", "[secure]: ", "[*.contoso.com]: "]
        {
            terminal.answer(question, "");
        }
        terminal.read("contoso.com.toml? [yes]: ");
        terminal
    };
    // Ctrl-C, and Ctrl-D.
    let mut terminal = to_the_last();
    terminal.key("\x03");
    assert_eq!(terminal.end().0, 128 + 2);
    let mut terminal = to_the_last();
    terminal.key("\x04");
    terminal.read("nothing was written");
    assert_eq!(terminal.end().0, 64);
    assert_files(&bench, &["fabrikam.toml"]);
    // Standard input that is none.
    let ended = bench.run(&["new"]).expect(64);
    assert!(ended.stderr.ends_with("nothing was written\n") && ended.stdout.is_empty(), "{ended:?}");
}

#[test]
fn whoever_stops_behind_the_end_has_made_a_connector() {
    let bench = bench();
    let mut terminal = Terminal::start(&bench.command(&[
        "new",
        "--direction",
        "inbound",
        "--domains",
        "contoso.com",
        "--addresses",
        "none",
        "--name",
        "contoso",
        "--comment",
        "none",
        "--contact",
        "none",
        "--require-tls",
        "true",
        "--certificate-names",
        "none",
        "--require-addresses",
        "none",
        "--on-violation",
        "hold",
        "--mode",
        "off",
    ]));
    terminal.answer("contoso.toml? [yes]: ", "y");
    terminal.read("load it now? [no]: ");
    terminal.key("\x04");
    terminal.read("The daemon knows it after `");
    assert_eq!(terminal.end().0, 0);
    assert_eq!(
        fs::read_to_string(bench.path("connectors.d/contoso.toml")).unwrap(),
        "version = 1

[[inbound]]
name             = \"contoso\"
mode             = \"off\"
identify.domains = [\"contoso.com\"]
require.tls      = true
on_violation     = \"hold\"
"
    );
}
