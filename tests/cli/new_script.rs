//! `new` by a script: options for answers, and nobody who is asked.

use std::fs;

use crate::bench::{Bench, ended as ended_of};
use crate::daemon::Daemon;
use crate::new::{FABRIKAM, MAIN, assert_files, bench};

#[test]
fn a_conflict_that_nobody_solves_is_the_end() {
    let bench = bench();
    let given = [
        "new",
        "--direction",
        "outbound",
        "--domains",
        "x.fabrikam.com",
        "--name",
        "second",
        "--contact",
        "none",
        "--route",
        "mx",
        "--tls",
        "may",
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
    for (version, written) in
        [("1.3", ">=TLSv1.3"), ("TLSv1.2", ">=TLSv1.2"), (">=TLSv1.3", ">=TLSv1.3"), ("yes", "true")]
    {
        let domain = format!("v{}.example", version.replace(|c: char| !c.is_ascii_alphanumeric(), "-"));
        let inbound = ["new", "--yes", "--direction", "inbound", "--domains", &domain];
        bench.run(&[&inbound[..], &["--require-tls", version]].concat()).expect(0);
        let text = fs::read_to_string(bench.path(&format!("connectors.d/{domain}-in.toml"))).unwrap();
        let tls = text.lines().find_map(|line| line.strip_prefix("require.tls ")).unwrap();
        assert_eq!(tls.trim_start_matches([' ', '=']).trim_matches('"'), written, "{text}");
    }
    bench.run(&["check"]).expect(0);
}

#[test]
fn what_cannot_be_leaves_everything_as_it_was() {
    let bench = bench();
    bench.write("connectors.d/contoso.toml", "version = 1\n");
    for (arguments, code, said) in [
        (
            &["new", "--yes"][..],
            64,
            "--domains: nothing says this, and it has no default: The partner's domains",
        ),
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
        (&["new", "--yes", "--domains", "*"], 64, "--match: nothing says this"),
        (&["new", "--yes", "--domains", "a.example", "--tls", "top"], 64, "--tls: the levels are "),
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
