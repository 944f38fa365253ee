//! `serve`, and what the other commands say beside it: `explain` equals the sockets byte for byte.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;

use connectord::answer::{ClientCertificate, Mail};
use connectord::cli::explain::{Mta, inbound, outbound};
use connectord::load;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::bench::{BAD, Bench, CONFIGURATION, assert_keys};
use crate::daemon::Daemon;

/// Keys of every shape that Postfix can send, and some that it cannot.
fn keys() -> Vec<String> {
    let names = [
        "contoso.com",
        "a.contoso.com",
        "a.b.contoso.com",
        "lists.contoso.com",
        "x.lists.contoso.com",
        "our.contoso.com",
        "contoso.net",
        "sub.contoso.net",
        "evilcontoso.com",
        "com",
        "example",
        "a.example",
        "b\u{fc}cher.example",
        "xn--bcher-kva.example",
        "fabrikam.com",
        "mail.contoso.com",
        "elsewhere.test",
        "192.0.2.7",
        "2001:db8::7",
        "IPv6:2001:db8::7",
    ];
    let mut keys: Vec<String> = [
        "",
        ".",
        "..",
        "*",
        "[",
        "[]",
        "]:25",
        "a..b",
        "-a.b",
        "a b.c",
        "@",
        "a@",
        "@b",
        "/run/x.sock",
        "xn--.com",
        "[a]b",
        ":25",
    ]
    .map(str::to_owned)
    .into();
    for name in names {
        keys.extend([
            name.to_owned(),
            name.to_uppercase(),
            format!("{name}."),
            format!(".{name}"),
            format!("[{name}]"),
            format!("[{name}]:587"),
            format!("[{name}]:submission"),
            format!("[{name}]:0"),
            format!("{name}:25"),
            format!("bob@{name}"),
            format!("Bob+x@{}", name.to_uppercase()),
            format!("a@b@{name}"),
            format!("bob@[{name}]"),
        ]);
    }
    keys
}

#[test]
fn i11_explain_outbound_is_what_the_socket_says() {
    let bench = Bench::new(CONFIGURATION);
    let daemon = Daemon::start(&bench);
    let ready = load::load(&bench.path("connectord.toml"), 0, Timestamp::now()).unwrap();
    let mut socketmap = daemon.socketmap();
    let mut asked = 0;
    let mut verdicts = std::collections::BTreeSet::new();
    for key in keys() {
        for step in outbound::explanation(&ready.snapshot, &key).steps {
            let reply = socketmap.ask(step.map, &step.key);
            assert_eq!(reply, format!("{}:{},", step.reply.len(), step.reply), "{} {}", step.map, step.key);
            verdicts.insert(step.reply.split(' ').next().unwrap().to_owned());
            asked += 1;
        }
    }
    assert!(asked > 300, "{asked}");
    assert_eq!(verdicts.into_iter().collect::<Vec<_>>(), ["NOTFOUND", "OK", "PERM"]);
    for key in ["Bob@Sub.Contoso.com", "lists.contoso.com", "[192.0.2.7]:26", "a..b"] {
        let json = bench.run(&["explain", "outbound", key, "--json"]).expect(0).json();
        for step in json["steps"].as_array().unwrap() {
            let [map, key, reply] = ["map", "key", "reply"].map(|name| step[name].as_str().unwrap());
            assert_eq!(socketmap.ask(map, key), format!("{}:{reply},", reply.len()), "{map} {key}");
        }
    }
    daemon.stop().expect(0);
}

#[test]
fn i11_explain_inbound_is_what_the_socket_says() {
    let bench = Bench::new(CONFIGURATION);
    let daemon = Daemon::start(&bench);
    let ready = load::load(&bench.path("connectord.toml"), 0, Timestamp::now()).unwrap();
    let mut actions = std::collections::BTreeSet::new();
    for state in ["EHLO", "MAIL", "RCPT", "DATA", "END-OF-MESSAGE", "NEWS"] {
        for sender in ["", "bob@Contoso.com", "a%contoso.com", "contoso.com!a", "bob@elsewhere.test", "bob"] {
            for client in ["203.0.113.5", "::ffff:203.0.113.5", "198.51.100.1", "127.0.0.1", "unknown"] {
                for (tls, issuer, name) in [
                    ("", "", ""),
                    ("TLSv1.1", "", ""),
                    ("TLSv1.3", "Contoso CA", "mx.contoso.com"),
                    ("TLSv1.3", "Evil CA", "x.test"),
                ] {
                    let mail = Mail {
                        state: state.as_bytes(),
                        client_address: client.as_bytes(),
                        helo: b"mail.contoso.com",
                        sender: sender.as_bytes(),
                        recipient: b"us@ours.test",
                        sasl_username: b"",
                        tls_version: tls.as_bytes(),
                        certificate: ClientCertificate {
                            common_name: name.as_bytes(),
                            issuer: issuer.as_bytes(),
                            ..ClientCertificate::default()
                        },
                    };
                    let explained =
                        inbound::explanation(&ready.snapshot, &mail, state, Mta::Postfix, Timestamp::now())
                            .action;
                    let reply = daemon.policy(&[
                        ("protocol_state", state),
                        ("protocol_name", "ESMTP"),
                        ("client_address", client),
                        ("helo_name", "mail.contoso.com"),
                        ("sender", sender),
                        ("recipient", "us@ours.test"),
                        ("sasl_username", ""),
                        ("ccert_subject", name),
                        // xtext, as Postfix sends it
                        ("ccert_issuer", &issuer.replace(' ', "+20")),
                        ("encryption_protocol", tls),
                    ]);
                    assert_eq!(
                        reply,
                        format!("action={explained}\n\n"),
                        "{state} {sender} {client} {tls} {issuer}"
                    );
                    actions.insert(explained);
                }
            }
        }
    }
    assert!(actions.len() > 5, "{actions:?}");
    let arguments =
        ["explain", "inbound", "--json", "--sender", "bob@contoso.com", "--client-address", "198.51.100.1"];
    let explained = bench.run(&arguments).expect(0).json();
    let reply = daemon.policy(&[
        ("protocol_state", "RCPT"),
        ("sender", "bob@contoso.com"),
        ("client_address", "198.51.100.1"),
    ]);
    assert_eq!(reply, format!("action={}\n\n", explained["action"].as_str().unwrap()));
    daemon.stop().expect(0);
}

#[test]
fn status_has_the_keys_of_the_interface() {
    let bench = Bench::new(CONFIGURATION);
    let daemon = Daemon::start(&bench);
    daemon.socketmap().ask("tls", "contoso.com");
    let json = bench.run(&["status", "--json"]).expect(0).json();
    let keys = [
        "version",
        "pid",
        "generation",
        "sha256",
        "loaded_at",
        "degraded",
        "connectors",
        "last_reload",
        "listeners",
        "connections",
        "decisions",
        "log_lost",
    ];
    for key in keys {
        assert!(json.get(key).is_some(), "{key} in {json}");
    }
    assert_eq!(
        (&json["generation"], &json["degraded"], &json["log_lost"]),
        (&json!(1), &json!(false), &json!(0))
    );
    assert_eq!(json["version"], env!("CARGO_PKG_VERSION"));
    let protocols: Vec<&str> = json["listeners"]
        .as_array()
        .unwrap()
        .iter()
        .map(|listener| listener["protocol"].as_str().unwrap())
        .collect();
    assert_eq!(protocols, ["socketmap", "policy", "exim", "control"]);
    for listener in json["listeners"].as_array().unwrap() {
        assert_keys(listener, &["protocol", "path"], &[]);
    }
    let decisions = json["decisions"].as_array().unwrap();
    for decision in decisions {
        assert_keys(decision, &["connector", "verdict", "count"], &["reporting"]);
    }
    assert!(
        decisions.iter().any(|decision| decision["connector"] == "contoso-bank" && decision["count"] == 1),
        "{json}"
    );
    let text = bench.run(&["status"]).expect(0).stdout;
    assert!(
        text.contains("generation   1, loaded at ") && text.contains(json["sha256"].as_str().unwrap()),
        "{text}"
    );
    daemon.stop().expect(0);
    bench.run(&["status"]).expect(69);
}

fn reload(bench: &Bench, arguments: &[&str], code: i32) -> Value {
    let json = bench.run(&[&["reload", "--json"], arguments].concat()).expect(code).json();
    assert_keys(&json, &["ok", "generation", "changes", "problems"], &["refused", "internal"]);
    for change in json["changes"].as_array().unwrap() {
        assert_keys(change, &["connector", "change", "old", "new"], &[]);
    }
    for problem in json["problems"].as_array().unwrap() {
        assert_keys(problem, &["file", "line", "column", "message", "help"], &[]);
    }
    json
}

#[test]
fn r3_r5_a_reload_waits_and_tells() {
    let refuse = format!("{CONFIGURATION}\n[server]\nweaker_reload = \"refuse\"\n");
    let stronger = refuse
        .replace("domains = [\".example\"]\ntls = \"encrypt\"", "domains = [\".example\"]\ntls = \"verify\"");
    assert_ne!(refuse, stronger);
    let bench = Bench::new(&refuse);
    let daemon = Daemon::start(&bench);
    let mut socketmap = daemon.socketmap();
    assert_eq!(socketmap.ask("tls", "a.example"), "10:OK encrypt,");

    let same = reload(&bench, &[], 0);
    assert_eq!((&same["ok"], &same["changes"]), (&json!(true), &json!([])));
    bench.write("connectord.toml", &stronger);
    let json = reload(&bench, &[], 0);
    assert_eq!((&json["ok"], &json["changes"][0]["change"]), (&json!(true), &json!("stronger")));
    assert_eq!(json["changes"][0]["connector"], "everyone");
    assert_eq!(socketmap.ask("tls", "a.example"), "9:OK verify,");
    let generation = json["generation"].clone();

    bench.write("connectord.toml", BAD);
    let json = reload(&bench, &[], 78);
    assert_eq!((&json["ok"], &json["generation"]), (&json!(false), &generation));
    assert!(!json["problems"].as_array().unwrap().is_empty(), "{json}");
    let text = bench.run(&["reload"]).expect(78);
    assert!(
        text.stderr.contains("connectord.toml:10:1: ") && text.stdout.starts_with("not reloaded; "),
        "{text:?}"
    );
    fs::remove_file(bench.path("connectord.toml")).unwrap();
    reload(&bench, &[], 78);
    assert_eq!(bench.run(&["status", "--json"]).expect(0).json()["last_reload"]["ok"], false);
    assert_eq!(socketmap.ask("tls", "a.example"), "9:OK verify,");

    bench.write("connectord.toml", &refuse);
    let json = reload(&bench, &[], 1);
    assert_eq!(
        (&json["ok"], &json["generation"], &json["changes"][0]["change"]),
        (&json!(false), &generation, &json!("weaker"))
    );
    assert_eq!(socketmap.ask("tls", "a.example"), "9:OK verify,");
    let text = bench.run(&["reload"]).expect(1);
    assert!(text.stderr.contains("--accept-weaker"), "{text:?}");
    let json = reload(&bench, &["--accept-weaker"], 0);
    assert_eq!((&json["ok"], &json["changes"][0]["change"]), (&json!(true), &json!("weaker")));
    assert_eq!(socketmap.ask("tls", "a.example"), "10:OK encrypt,");
    daemon.stop().expect(0);
}

/// A connector in `report` changes nothing that is enforced, and decides nothing.
#[test]
fn a_connector_that_reports_is_told_apart() {
    let bench = Bench::new(CONFIGURATION);
    let daemon = Daemon::start(&bench);
    let trial = "[[outbound]]\nname = \"fabrikam-trial\"\nmode = \"report\"\ndomains = [\"fabrikam.net\"]\n\
                 tls = \"encrypt\"\n";
    bench.write("connectord.toml", &format!("{CONFIGURATION}{trial}"));
    let text = bench.run(&["reload"]).expect(0).stdout;
    assert_eq!(text, "reloaded as generation 2, nothing that is enforced changed\n");
    assert_eq!(daemon.socketmap().ask("tls", "fabrikam.net"), "9:NOTFOUND ,");
    let text = bench.run(&["status"]).expect(0).stdout;
    assert!(
        text.contains("would have   fabrikam-trial: ok 1 (in report: not what was answered)\n"),
        "{text}"
    );
    assert!(text.contains("decided      (no enforcing connector): notfound 1\n"), "{text}");
    // From now on it is what is answered, and what was not stays what it was.
    let enforced = trial.replace("report", "enforce");
    bench.write("connectord.toml", &format!("{CONFIGURATION}{enforced}"));
    bench.run(&["reload"]).expect(0);
    assert_eq!(daemon.socketmap().ask("tls", "fabrikam.net"), "10:OK encrypt,");
    let text = bench.run(&["status"]).expect(0).stdout;
    for line in ["decided      fabrikam-trial: ok 1\n", "would have   fabrikam-trial: ok 1 (in report: "] {
        assert!(text.contains(line), "{text}");
    }
    daemon.stop().expect(0);
}

#[test]
fn a_start_that_cannot_be_says_why() {
    let bench = Bench::new(BAD);
    let ended = bench.run(&["serve"]).expect(78);
    assert!(ended.stderr.contains("connectord.toml:10:1: ") && ended.stderr.contains("help: "), "{ended:?}");
    fs::remove_file(bench.path("connectord.toml")).unwrap();
    bench.run(&["serve"]).expect(66);
    // Nothing is left behind that a later start would stumble over.
    bench.write("connectord.toml", CONFIGURATION);
    Daemon::start(&bench).stop().expect(0);
}

#[test]
fn f3_a_second_instance_is_refused() {
    let bench = Bench::new(CONFIGURATION);
    let daemon = Daemon::start(&bench);
    let second = bench.run(&["serve"]).expect(73);
    assert!(second.stderr.contains("another connectord runs"), "{second:?}");
    assert_eq!(daemon.socketmap().ask("tls", "a.example"), "10:OK encrypt,");
    daemon.stop().expect(0);
}

#[test]
fn f4_a_socket_of_somebody_else_is_not_taken() {
    let bench = Bench::new(CONFIGURATION);
    let _other = UnixListener::bind(bench.path("run/policy.sock")).unwrap();
    let ended = bench.run(&["serve"]).expect(73);
    assert!(ended.stderr.contains("policy.sock"), "{ended:?}");
}

#[test]
fn f7_a_runtime_directory_of_somebody_else_is_a_matter_of_permission() {
    let bench = Bench::new(CONFIGURATION);
    fs::set_permissions(bench.path("run"), fs::Permissions::from_mode(0o555)).unwrap();
    let ended = bench.run_unprivileged(&["serve"]).expect(77);
    assert!(ended.stderr.contains("/run"), "{ended:?}");
}

/// A start whose files do not load, as the commands tell of it.
#[test]
fn a_degraded_start_is_told_by_every_command_that_should() {
    let bench = Bench::new(CONFIGURATION);
    let daemon = Daemon::start(&bench);
    // A reload waits until what it gave is kept.
    bench.run(&["reload"]).expect(0);
    let status = bench.run(&["status"]).expect(0).stdout;
    assert!(status.contains("\nlast good    kept, of ") && !status.contains("degraded"), "{status}");
    let expected = daemon.socketmap().ask("tls", "contoso.net");
    daemon.stop().expect(0);

    bench.write("connectord.toml", BAD);
    let daemon = Daemon::start(&bench);
    assert_eq!(daemon.socketmap().ask("tls", "contoso.net"), expected);
    let status = bench.run(&["status"]).expect(0).stdout;
    for words in [
        "\ndegraded     yes: what is served is not what the files say\n",
        "\n             it is the last good configuration, of ",
        "\nlast load    FAILED at ",
        "/connectord.toml:10:1: unknown key `domain`\n",
    ] {
        assert!(status.contains(words), "{words} in {status}");
    }
    let json = bench.run(&["status", "--json"]).expect(0).json();
    assert_eq!((&json["degraded"], &json["last_good"]["served"]), (&json!(true), &json!(true)));
    bench.run(&["check"]).expect(78);
    bench.run(&["explain", "outbound", "contoso.net"]).expect(78);
    bench.run(&["reload"]).expect(78);
    bench.write("connectord.toml", CONFIGURATION);
    bench.run(&["reload"]).expect(0);
    let status = bench.run(&["status"]).expect(0).stdout;
    assert!(!status.contains("degraded"), "{status}");
    daemon.stop().expect(0);
}
