//! `prove`: on a correct installation every connector holds; each way round a connector is found, with the connector's
//! name and the server's.

use std::collections::BTreeSet;
use std::fs;
use std::process::Stdio;

use serde_json::Value;

use crate::certificates::Authority;
use crate::condition::wait_for;
use crate::machine::Machine;
use crate::on_each_postfix;
use crate::practice::Practice;
use crate::resolver::Zone;
use crate::root::Release;

on_each_postfix!(what_holds_and_what_goes_round, every_level_holds, killed_it_leaves_nothing);

/// What is tried: the connector `good` with this mode and these names, and beside it one that demands less.
pub fn connectors(mode: &str, names: &str) -> String {
    format!(
        r#"
[[outbound]]
name = "good"
mode = "{mode}"
domains = ["*.good.co.uk"]
tls = "secure"
match = [{names}]

[[outbound]]
name = "open"
mode = "enforce"
domains = ["open.example"]
tls = "encrypt"
"#
    )
}

pub const NAMES: &str = r#""mx.good.co.uk", "*.filter.example""#;

/// What `prove` of a program on a machine says; its exit code says the same.
pub fn proved(machine: &Machine, program: &str, arguments: &[&str]) -> Value {
    let all: Vec<&str> = ["prove", "--json"].iter().chain(arguments).copied().collect();
    let output = machine.output(program, &all);
    let proof: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    assert_eq!(output.status.code(), Some(i32::from(proof["verdict"] != "holds")), "{proof}");
    proof
}

/// A proof fails, for these connectors with these servers, and for no others.
#[track_caller]
pub fn failed(proof: &Value, what: &str, expected: &[(&str, &[&str])]) {
    let found: BTreeSet<(String, String)> = each(proof)
        .filter(|(_, tried)| !tried["weaker"].is_null())
        .map(|(name, tried)| (name, text_of(&tried["server"])))
        .collect();
    let expected: BTreeSet<(String, String)> = expected
        .iter()
        .flat_map(|(name, servers)| servers.iter().map(|server| ((*name).to_owned(), (*server).to_owned())))
        .collect();
    assert_eq!(found, expected, "{what}: {proof:#}");
    assert_eq!(proof["verdict"], "fails");
}

impl Practice {
    /// What `prove` says.
    pub fn proof(&self, arguments: &[&str]) -> Value {
        let mut all = vec!["--config", "/etc/postfix/connectord.toml"];
        all.extend(arguments);
        proved(&self.lab.machine, "/etc/postfix/connectord", &all)
    }

    #[track_caller]
    fn fails(&self, what: &str, expected: &[(&str, &[&str])]) {
        failed(&self.proof(&[]), what, expected);
    }
}

pub fn text_of(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Every try, with its connector.
pub fn each(proof: &Value) -> impl Iterator<Item = (String, &Value)> {
    let connectors = proof["connectors"].as_array().unwrap();
    connectors.iter().flat_map(|connector| {
        let name = text_of(&connector["connector"]);
        connector["tries"].as_array().unwrap().iter().map(move |tried| (name.clone(), tried))
    })
}

/// Without TLS, and with one that no agreement means. After a handshake that broke Postfix waits before it tries without.
pub const NO_TLS: [&str; 3] = ["no-starttls", "stripped", "refused"];
pub const ALL_WRONG: [&str; 9] = [
    "no-starttls",
    "stripped",
    "refused",
    "self-signed",
    "unknown-authority",
    "expired",
    "wrong-name",
    "own-name",
    "misled",
];

pub const ALL: [&str; 15] = [
    "right",
    "no-starttls",
    "stripped",
    "refused",
    "broken",
    "self-signed",
    "unknown-authority",
    "system-authority",
    "expired",
    "wrong-name",
    "own-name",
    "misled",
    "no-tlsa",
    "tls-1.2",
    "old-tls",
];

fn what_holds_and_what_goes_round(release: Release) {
    let authority = Authority::new("Lab CA");
    let practice = Practice::open(release, &authority, &[], Zone::default());
    practice.agree(&connectors("enforce", NAMES));
    holds(&practice);

    practice.agree(&connectors("report", NAMES));
    practice.fails("in report mode", &[("good", &ALL_WRONG)]);
    practice.agree(&connectors("enforce", r#""mx.good.co.uk", "*.co.uk""#));
    practice.fails("a weakened match", &[("good", &["wrong-name"])]);
    practice.agree(&connectors("enforce", NAMES));

    let both: [(&str, &[&str]); 2] = [("good", &ALL_WRONG), ("open", &NO_TLS)];
    for (what, setting, expected) in [
        ("a fallback relay", "smtp_fallback_relay=[relay.lab.example]", &both[..]),
        ("a relayhost", "relayhost=[relay.lab.example]:2525", &both[..]),
        (
            "a table before the daemon's",
            "smtp_tls_policy_maps=inline:{good.co.uk=none}, socketmap:unix:connectord/socketmap.sock:tls",
            // Nobody tries TLS then.
            &[("good", &ALL)],
        ),
        (
            "a weaker match before the daemon's",
            "smtp_tls_policy_maps=inline:{{good.co.uk=secure match=.co.uk}}, socketmap:unix:connectord/socketmap.sock:tls",
            &[("good", &["wrong-name"])],
        ),
    ] {
        practice.with_settings_restored(|| {
            practice.postconf(&["-e", setting]);
            practice.fails(what, expected);
        });
    }
    if release.version == "3.10" {
        practice.with_settings_restored(|| {
            practice.postconf(&["-e", "tls_required_enable=yes"]);
            practice.fails("the header TLS-Required", &both);
        });
    }
}

fn holds(practice: &Practice) {
    let log = || practice.lab.mta.log(&practice.lab.machine);
    // The lab looks whether smtpd(8) listens, which is in the log a while later.
    let before = wait_for("the end of the lab's own connection", || {
        let said = log();
        if said.contains("disconnect from localhost") { Ok(said) } else { Err(said) }
    });
    let proof = practice.proof(&["--report", "/var/log/proof.html"]);
    assert_eq!(proof["verdict"], "holds", "{proof:#}");
    let page = fs::read_to_string(practice.lab.machine.directory().join("log/proof.html")).unwrap();
    assert!(page.contains("mx.good.co.uk or *.filter.example") && page.contains("wrong-name"), "{page}");
    assert_eq!(log(), before, "the Postfix that runs has heard of it");
    assert_eq!(practice.lab.machine.run("postqueue", &["-j"]), "");
}

/// A connector for each level, and what only a route or a version makes.
pub const LEVELS: [(&str, &str); 9] = [
    ("names", "tls = \"secure\"\nmatch = [\"*.names.example\"]"),
    ("encrypted", "tls = \"encrypt\""),
    ("verified", "tls = \"verify\""),
    ("domain", "tls = \"secure\"\nmatch = \"domain\""),
    ("dane", "tls = \"dane\""),
    ("dane-only", "tls = \"dane-only\""),
    ("modern", "tls = \"encrypt\"\nprotocols = \">=TLSv1.3\""),
    (
        "routed",
        "tls = \"secure\"\nmatch = [\"mail.filter.example\"]\nroute = [\"[mail.filter.example]:2525\"]",
    ),
    ("authority", "tls = \"secure\"\nmatch = \"domain\"\nca_file = \"own.pem\""),
];

fn every_level_holds(release: Release) {
    let authority = Authority::new("Lab CA");
    let practice = Practice::open(release, &authority, &[], Zone::default());
    practice.write("own.pem", &Authority::new("a partner's own").pem());
    let connector = |(name, tls): &(&str, &str)| {
        format!(
            "[[outbound]]\nname = \"{name}\"\nmode = \"enforce\"\ndomains = [\"{name}.example\"]\n{tls}\n"
        )
    };
    let pinned = format!("tls = \"fingerprint\"\nfingerprints = [\"sha256:{}\"]", vec!["AA"; 32].join(":"));
    let text: String = LEVELS.iter().map(connector).chain([connector(&("pinned", &pinned))]).collect();
    practice.agree(&text);
    let routes = "transport_maps=socketmap:unix:connectord/socketmap.sock:transport";
    practice.postconf(&["-e", "smtp_dns_support_level=dnssec", routes]);
    let proof = practice.proof(&[]);
    assert_eq!(proof["verdict"], "holds", "{proof:#}");
    weakened(&practice);
    let arrived = |name: &str| -> BTreeSet<String> {
        let here = each(&proof).filter(|(connector, tried)| connector == name && tried["end"] == "arrived");
        here.map(|(_, tried)| text_of(&tried["server"])).collect()
    };
    let set = |servers: &[&str]| servers.iter().map(|server| (*server).to_owned()).collect::<BTreeSet<_>>();
    const RIGHT: [&str; 6] = ["right", "system-authority", "own-name", "no-tlsa", "tls-1.2", "old-tls"];
    for (name, _) in &LEVELS {
        let expected: &[&str] = match *name {
            "encrypted" => {
                &[&RIGHT[..], &["self-signed", "unknown-authority", "expired", "wrong-name", "misled"]]
                    .concat()
            }
            // Postfix 3.7 and 3.10 speak no version before 1.2 where a certificate is judged.
            "verified" => &["right", "system-authority", "own-name", "misled", "no-tlsa", "tls-1.2"],
            "names" | "domain" | "routed" => &RIGHT[..5],
            "dane" => &["right", "no-tlsa", "tls-1.2"],
            "dane-only" => &["right", "tls-1.2"],
            "modern" => {
                &[&RIGHT[..4], &["self-signed", "unknown-authority", "expired", "wrong-name", "misled"]]
                    .concat()
            }
            "authority" => &["right", "own-name", "no-tlsa", "tls-1.2"],
            other => panic!("{other}"),
        };
        assert_eq!(arrived(name), set(expected), "{name}");
    }
    assert_eq!(arrived("pinned"), set(&[]));
}

/// Every demand is tried: a table before the daemon's takes one thing off each.
fn weakened(practice: &Practice) {
    let tables = "{names.example=verify}, {domain.example=secure match=.example}, {dane-only.example=dane}, \
                  {modern.example=encrypt protocols=>=TLSv1.2}, {[mail.filter.example]:2525=secure match=nexthop}, \
                  {authority.example=secure match=nexthop:dot-nexthop}, {pinned.example=encrypt}";
    practice.with_settings_restored(|| {
        let setting =
            format!("smtp_tls_policy_maps=inline:{{{tables}}}, socketmap:unix:connectord/socketmap.sock:tls");
        practice.postconf(&["-e", &setting]);
        let over_tls = &ALL[5..];
        let pinned: Vec<&str> = [&["right"], over_tls].concat();
        practice.fails(
            "each a little weaker",
            &[
                ("names", &["misled"]),
                ("domain", &["wrong-name"]),
                ("dane-only", &["no-tlsa"]),
                ("modern", &["tls-1.2"]),
                ("authority", &["system-authority"]),
                ("pinned", &pinned),
            ],
        );
    });
}

/// Processes on a machine by their name, which the kernel cuts at 15 octets; those that have ended and that nobody asks
/// about do not count.
pub fn running(machine: &Machine, name: &str) -> Vec<String> {
    let script = format!(
        "cd /proc; for p in $(grep -lx {name} [0-9]*/comm); do p=${{p%/comm}}; \
         grep -q '^State:.Z' $p/status || echo $p; done; true"
    );
    machine.run("sh", &["-c", &script]).lines().map(str::to_owned).collect()
}

fn killed_it_leaves_nothing(release: Release) {
    const PROGRAM: &str = "connectord-vali";
    let authority = Authority::new("Lab CA");
    let practice = Practice::open(release, &authority, &[], Zone::default());
    practice.agree(&connectors("enforce", NAMES));
    let machine = &practice.lab.machine;
    let running = |name: &str| running(machine, name);
    assert_eq!(running("master").len(), 1);
    let mut proof = machine.command("/etc/postfix/connectord");
    proof.args(["prove", "--config", "/etc/postfix/connectord.toml"]).stdout(Stdio::null());
    let mut proof = proof.spawn().unwrap();
    wait_for("a second Postfix", || {
        let masters = running("master");
        if masters.len() == 2 { Ok(()) } else { Err(format!("{masters:?}")) }
    });
    // At once, and whatever it says: the end of one ends others before they are killed. What counts is that none is left.
    let mut kill = vec!["-c".to_owned(), "kill -9 \"$@\"".to_owned(), "sh".to_owned()];
    kill.extend(running(PROGRAM));
    machine.output("sh", &kill.iter().map(String::as_str).collect::<Vec<_>>());
    proof.wait().unwrap();
    wait_for("the end of all that it had started", || {
        let left = [running("master").len() - 1, running("connectord").len(), running(PROGRAM).len()];
        if left == [0, 0, 0] { Ok(()) } else { Err(format!("{left:?}")) }
    });
    let mounts = machine.run("cat", &["/proc/self/mounts"]);
    assert!(!mounts.contains("connectord-prove"), "{mounts}");
    assert_eq!(machine.run("postqueue", &["-j"]), "");
}
