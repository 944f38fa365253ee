//! `new`: at a terminal as somebody would use it who has never seen it, and by a script.

use std::fs;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::{Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::bench::{Bench, ended as ended_of};
use crate::daemon::Daemon;
use crate::terminal::Terminal;

const MAIN: &str = "version = 1\ninclude = [\"connectors.d/*.toml\"]\n";

/// One that is there already.
const FABRIKAM: &str = "version = 1

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

fn bench() -> Bench {
    let bench = Bench::new(MAIN);
    fs::create_dir(bench.path("connectors.d")).unwrap();
    fs::set_permissions(bench.path("connectors.d"), fs::Permissions::from_mode(0o755)).unwrap();
    bench.write("connectors.d/fabrikam.toml", FABRIKAM);
    bench
}

/// What is in the directory, hidden or not.
#[track_caller]
fn assert_files(bench: &Bench, expected: &[&str]) {
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
    terminal.answer("The partner's domains: ", "*.contoso.com");
    terminal.answer("A name for it [contoso.com]: ", "fabrikam");
    terminal.read("there is a connector fabrikam");
    terminal.answer("A name for it [contoso.com]: ", "");
    terminal.answer("What it is for, for people [none]: ", "agreement 2026-114");
    terminal.answer("Whom to ask at the partner [none]: ", "mail-ops@contoso.com");
    terminal.answer("Their MX hosts (mx), or smart hosts", "[mail.contoso.com");
    terminal.read("unbalanced bracket");
    terminal.answer("? [mx]: ", "");
    terminal.answer("TLS [secure]: ", "top");
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
    terminal.read("The daemon does not know it before: connectord reload --config ");
    let (code, text) = terminal.end();
    assert_eq!(code, 0, "{text}");
    assert_files(&bench, &["contoso.com.toml", "fabrikam.toml"]);
    let path = bench.path("connectors.d/contoso.com.toml");
    assert_eq!(fs::read_to_string(&path).unwrap(), CONTOSO);
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o640, "as its neighbour");
    assert_eq!(bench.run(&["check"]).expect(0).stderr, "");
}

#[test]
fn a_conflict_is_shown_and_the_answers_are_kept() {
    let bench = bench();
    let mut terminal = Terminal::start(&bench.command(&["new", "--mode", "enforce", "--tls", "encrypt"]));
    terminal.answer("[outbound]: ", "");
    terminal.answer("The partner's domains: ", "*.fabrikam.com");
    terminal.answer("A name for it [fabrikam.com]: ", "second");
    terminal.answer("for people [none]: ", "");
    terminal.answer("at the partner [none]: ", "");
    terminal.answer("[mx]: ", "");
    terminal.read("It cannot be written like that:");
    terminal.read("connectors.d/second.toml:6:12: ");
    terminal.answer("Go through the questions again, with these answers? [yes]: ", "");
    terminal.answer("[outbound]: ", "");
    terminal.answer("The partner's domains [*.fabrikam.com]: ", "fabrikam.example");
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
    let mut terminal = Terminal::start(&bench.command(&["new", "--mode", "enforce"]));
    let again = "Go through the questions again, with these answers? [yes]: ";
    round(&mut terminal, "*.fabrikam.com", "fabrikam.com", "*.fabrikam.com", "");
    terminal.answer(again, "");
    round(&mut terminal, "fabrikam.com", "fabrikam.com", "*.fabrikam.com", "mx.fabrikam.com");
    terminal.answer(again, "");
    // The same partner: what was written is offered.
    round(&mut terminal, "", "fabrikam.com", "mx.fabrikam.com", "");
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
fn a_conflict_that_nobody_solves_is_the_end() {
    let bench = bench();
    let given = [
        "new",
        "--direction",
        "outbound",
        "--domains",
        "*.fabrikam.com",
        "--name",
        "second",
        "--contact",
        "none",
        "--route",
        "mx",
        "--tls",
        "encrypt",
        "--mode",
        "enforce",
    ];
    let ended = bench.run(&[&given[..], &["--comment", "none"]].concat()).expect(78);
    assert!(!ended.stderr.contains("Go through the questions again"), "{ended:?}");
    let answers = bench.write("answers", &"y\n".repeat(1000));
    let mut command = bench.command(&given);
    let ended = ended_of(command.stdin(fs::File::open(answers).unwrap())).expect(78);
    assert_eq!(ended.stderr.matches("Go through the questions again").count(), 10, "{ended:?}");
    assert_files(&bench, &["fabrikam.toml"]);
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
    assert_files(&bench, &["fabrikam.toml", "other.toml"]);
}

#[test]
fn only_warnings_that_are_new_are_shown() {
    let bench = bench();
    bench.write("connectors.d/may.toml", &FABRIKAM.replace("fabrikam", "old").replace("encrypt", "may"));
    let checked = bench.run(&["check"]).expect(0);
    assert!(format!("{}{}", checked.stdout, checked.stderr).contains("may.toml:"), "{checked:?}");
    let ended = bench.run(&["new", "--yes", "--domains", "contoso.com", "--tls", "may"]).expect(0);
    assert_eq!(ended.stderr.matches("warning: ").count(), 1, "{ended:?}");
    assert!(ended.stderr.contains("contoso.com.toml:"), "{ended:?}");
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
    terminal.read("The daemon does not know it before: ");
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

#[test]
fn a_script_answers_by_options() {
    let bench = bench();
    let path = bench.path("connectors.d/contoso-bank.toml");
    let ended = bench
        .run(&[
            "new",
            "--yes",
            "--name",
            "contoso-bank",
            "--domains",
            "*.contoso.com, contoso.net",
            "--route",
            "[mail.contoso.com]:587,[mail2.contoso.com]",
            "--mode",
            "enforce",
            "--comment",
            "say \"x\"",
        ])
        .expect(0);
    assert_eq!(ended.stdout, format!("{}\n", path.display()));
    assert!(ended.stderr.contains("added    contoso-bank: "), "{ended:?}");
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        "version = 1

[[outbound]]
name    = \"contoso-bank\"
mode    = \"enforce\"
domains = [\"*.contoso.com\", \"contoso.net\"]
route   = [\"[mail.contoso.com]:587\", \"[mail2.contoso.com]\"]
tls     = \"secure\"
match   = [\"mail.contoso.com\", \"mail2.contoso.com\"]
comment = \"say \\\"x\\\"\"
"
    );
    let inbound = [
        "new",
        "--yes",
        "--direction",
        "inbound",
        "--domains",
        "*.contoso.com",
        "--certificate-names",
        "*.contoso.com",
        "--require-addresses",
        "203.0.113.0/24",
        "--on-violation",
        "defer",
    ];
    bench.run(&inbound).expect(0);
    assert_eq!(
        fs::read_to_string(bench.path("connectors.d/contoso.com-in.toml")).unwrap(),
        "version = 1

[[inbound]]
name                      = \"contoso.com-in\"
mode                      = \"report\"
identify.domains          = [\"*.contoso.com\"]
require.tls               = \">=TLSv1.2\"
require.certificate.names = [\"*.contoso.com\"]
require.addresses         = [\"203.0.113.0/24\"]
on_violation              = \"defer\"
"
    );
    bench.run(&["new", "--yes", "--domains", "a.example", "--tls", "verify", "--route", "MX"]).expect(0);
    bench.run(&["new", "--yes", "--domains", "b.example", "--tls", "verify", "--match", "domain"]).expect(0);
    let last = |name: &str| {
        let text = fs::read_to_string(bench.path(name)).unwrap();
        text.split_once("]\n").unwrap().1.split_once("domains").unwrap().1.to_owned()
    };
    assert_eq!(last("connectors.d/a.example.toml"), " = [\"a.example\"]\ntls     = \"verify\"\n");
    assert_eq!(
        last("connectors.d/b.example.toml"),
        " = [\"b.example\"]\nmatch   = \"domain\"\ntls     = \"verify\"\n"
    );
    bench.run(&["check"]).expect(0);
}

#[test]
fn what_cannot_be_leaves_everything_as_it_was() {
    let bench = bench();
    bench.write("connectors.d/contoso.toml", "version = 1\n");
    for (arguments, code, said) in [
        (&["new", "--yes"][..], 64, "nothing says this, and it has no default: The partner's domains"),
        (&["new", "--yes", "--domains", "a b..c"], 64, "--domains: "),
        (&["new", "--yes", "--domains", "a.example", "--mode", "on"], 64, "--mode: answer report"),
        (
            &["new", "--yes", "--domains", "a.example", "--comment", "a\nb"],
            64,
            "--comment: there is a control",
        ),
        (
            &["new", "--yes", "--domains", "a.example", "--name", "fabrikam"],
            64,
            "--name: there is a connector",
        ),
        (
            &["new", "--yes", "--domains", "a.example", "--name", "contoso"],
            64,
            "contoso.toml is there already",
        ),
        (&["new", "--yes", "--domains", "*", "--route", "[a.example]"], 64, "--route: "),
        (&["new", "--yes", "--domains", "a.example", "--route", "Mx,[b.example]"], 64, "not both"),
        (
            &["new", "--yes", "--domains", "a.example", "--tls", "fingerprint"],
            64,
            "--tls: digests are not asked for",
        ),
        // It could be taken for a demand.
        (
            &["new", "--yes", "--domains", "a.example", "--tls", "encrypt", "--match", "a.example"],
            64,
            "--match has no",
        ),
        (&["new", "--yes", "--domains", "a.example", "--require-tls", "true"], 64, "--require-tls has no"),
        (
            &["new", "--yes", "--domains", "a.example", "--direction", "in", "--tls", "secure"],
            64,
            "--tls has no",
        ),
        (
            &["new", "--yes", "--domains", "a.example", "--direction", "in", "--validate"],
            64,
            "--validate has no",
        ),
        (&["new", "--yes", "--domains", "*"], 64, "certificate may show"),
        (&["new", "--yes", "--domains", "a.example", "--json"], 64, "--json"),
        // What only the whole configuration shows.
        (
            &["new", "--yes", "--domains", "x.fabrikam.com", "--tls", "may", "--mode", "enforce"],
            78,
            "fabrikam",
        ),
    ] {
        let ended = bench.run(arguments).expect(code);
        assert!(ended.stderr.contains(said) && ended.stdout.is_empty(), "{arguments:?}: {ended:?}");
    }
    assert_files(&bench, &["contoso.toml", "fabrikam.toml"]);
    let nowhere = Bench::new("version = 1\n[server]\n");
    let ended = nowhere.run(&["new", "--yes", "--domains", "a.example"]).expect(78);
    assert!(ended.stderr.contains("add include = "), "{ended:?}");
    bench.write("connectord.toml", &format!("{MAIN}nonsense = 1\n"));
    let ended = bench.run(&["new", "--yes", "--domains", "a.example"]).expect(78);
    assert!(ended.stderr.contains("unknown key `nonsense`"), "{ended:?}");
}

#[test]
fn the_running_daemon_loads_it() {
    let bench = bench();
    let daemon = Daemon::start(&bench);
    let arguments =
        ["new", "--yes", "--reload", "--domains", "contoso.com", "--tls", "encrypt", "--mode", "enforce"];
    let ended = bench.run(&arguments).expect(0);
    assert!(ended.stdout.contains("\nadded    contoso.com: "), "{ended:?}");
    assert!(ended.stdout.ends_with("reloaded as generation 2\n"), "{ended:?}");
    drop(daemon);
    let ended = bench.run(&["new", "--yes", "--reload", "--domains", "contoso.net"]).expect(69);
    assert!(ended.stderr.contains("It is written, and not loaded."), "{ended:?}");
    assert_files(&bench, &["contoso.com.toml", "contoso.net.toml", "fabrikam.toml"]);
}
