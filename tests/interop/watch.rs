//! Watching partners with `connectord validate`: what is kept of a run, what `list`, `status` and
//! `explain` make of it, and what `--changes` tells when a partner has changed.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::behaviours::server;
use crate::certificates::Authority;
use crate::daemon::Site;
use crate::examiner::{Absent, Examiner};
use crate::exhibits::Signers;
use crate::forge::{Form, Made, YEAR};
use crate::lab::Lab;
use crate::partner::{Host, Starttls};
use crate::resolver::Zone;
use crate::root::{POSTFIX_3_10, possible};

const DAY: i64 = 24 * 60 * 60;

/// What each partner does later: nothing; a new certificate for the same host; one more mail host;
/// one of its two is no longer named; a certificate that ends in five days; a certificate for
/// another name; a certificate of another authority that is trusted too.
const PARTNERS: [&str; 7] = ["steady", "renewed", "grown", "shrunk", "ending", "moved", "issued"];

fn connectors(extra: &str) -> String {
    let connector = |name: &str| {
        format!(
            "[[outbound]]\nname = \"{name}\"\nmode = \"enforce\"\ndomains = [\"{name}.example\"]\n\
             tls = \"secure\"\nmatch = [\"*.{name}.example\"]\n"
        )
    };
    PARTNERS.iter().map(|name| connector(name)).collect::<String>() + extra
}

/// The partners before and after, with the certificates of both times.
struct Times {
    authority: Authority,
    signers: Signers,
    first: BTreeMap<String, Made>,
}

impl Times {
    fn new() -> Times {
        let authority = Authority::new("Lab CA");
        let signers = Signers::new(&authority);
        let first = PARTNERS
            .iter()
            .flat_map(|name| [1, 2].map(|place| format!("mx{place}.{name}.example")))
            .map(|host| (host.clone(), Form::server(&[&host]).issued_by(&signers.root)))
            .collect();
        Times { authority, signers, first }
    }

    /// The certificate of a host later, with what is sent behind it.
    fn later(&self, name: &str, host: &str) -> (Made, Vec<&Made>) {
        let Signers { root, inter, .. } = &self.signers;
        let form = Form::server(&[host]);
        match name {
            "renewed" => (form.issued_by(root), Vec::new()),
            "ending" => {
                let now = form.from + YEAR;
                (Form { to: now + 5 * DAY + 3600, ..form }.issued_by(root), Vec::new())
            }
            "moved" => (Form::server(&["mx.filter.example"]).issued_by(root), Vec::new()),
            // With the old key.
            "issued" => {
                let key = &self.first[host].key;
                (Made { certificate: form.certify(key, inter).certificate, key: key.clone() }, vec![inter])
            }
            _ => (self.first[host].clone(), Vec::new()),
        }
    }

    /// A lab at the one time or the other. Hosts keep their addresses.
    fn lab(&self, is_later: bool) -> Lab<Absent> {
        let mut zone = Zone::default();
        let mut hosts = Vec::new();
        for (number, (host, certificate)) in (10..).zip(&self.first) {
            let (place, domain) = host.split_once('.').unwrap();
            let name = domain.trim_end_matches(".example");
            let is_second = place == "mx2";
            let is_named = match name {
                "grown" => !is_second || is_later,
                "shrunk" => !is_second || !is_later,
                _ => !is_second,
            };
            if is_named {
                zone.mx(domain, host);
            }
            let (leaf, behind) =
                if is_later { self.later(name, host) } else { (certificate.clone(), Vec::new()) };
            let starttls = Starttls::Shows(server(&leaf, &behind, None));
            hosts.push(Host { name: host.clone(), number, starttls });
        }
        let lab = Lab::start(POSTFIX_3_10, &self.authority, &hosts, zone, &[]);
        lab.site.configure(&connectors(""));
        lab
    }
}

/// What `list` says of each connector.
fn states(site: &Site) -> BTreeMap<String, String> {
    let word = |value: &Value| value.as_str().unwrap().to_owned();
    let list = site.json(&["list", "--json"]);
    list.as_array()
        .unwrap()
        .iter()
        .map(|connector| {
            let state = word(&connector["validation"]["state"]);
            // The date is there when it counts, and not otherwise.
            let counts = ["validated", "warned"].contains(&state.as_str());
            assert_eq!(connector["validated"].is_string(), counts, "{connector}");
            (word(&connector["name"]), state)
        })
        .collect()
}

/// All in one state, but for some.
fn all_but(state: &str, others: &[(&str, &str)]) -> BTreeMap<String, String> {
    let mut states: BTreeMap<String, String> =
        PARTNERS.iter().map(|name| ((*name).to_owned(), state.to_owned())).collect();
    states.extend(others.iter().map(|(name, state)| ((*name).to_owned(), (*state).to_owned())));
    states
}

#[test]
fn what_was_seen_is_kept_and_compared() {
    if !possible() {
        return;
    }
    let times = Times::new();
    let lab = times.lab(false);
    let Lab { site, .. } = &lab;
    let examiner = Examiner::of(&lab);
    assert_eq!(states(site), all_but("never", &[]));

    let ended = examiner.validate(&["--all", "--changes"]);
    let expected: String =
        PARTNERS.iter().map(|name| format!("{name}: tested for the first time: passes\n")).collect();
    assert_eq!((ended.code, ended.stdout, ended.stderr), (Some(0), expected, String::new()));
    let ended = examiner.validate(&["--all", "--changes"]);
    assert_eq!((ended.code, ended.stdout, ended.stderr), (Some(0), String::new(), String::new()));

    assert_eq!(states(site), all_but("validated", &[]));
    let words = "certificate expires in 364 days";
    let text = |arguments: &[&str]| String::from_utf8(site.run(arguments).stdout).unwrap();
    let explained = text(&["explain", "outbound", "bob@steady.example"]);
    let line = explained.lines().find(|line| line.starts_with("validated    steady: passed on ")).unwrap();
    assert!(line.ends_with(words), "{line}");
    let daemon = site.serve();
    let status = text(&["status"]);
    assert!(status.contains("\nvalidated    7 of 7\n"), "{status}");
    daemon.stop();

    // Another agreement: what was tested is not what is configured.
    let old = "match = [\"*.steady.example\"]";
    let changed = connectors("").replace(old, "match = [\"mx1.steady.example\"]");
    site.configure(&changed);
    assert_eq!(states(site), all_but("validated", &[("steady", "stale")]));
    let ended = examiner.validate(&["steady"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(states(site), all_but("validated", &[]));
    site.configure(&connectors(""));
    assert_eq!(states(site), all_but("validated", &[("steady", "stale")]));
    examiner.validate(&["steady"]);

    // Somebody else's hand, in a result that was good already.
    let file = site.state().join("validation/steady.json");
    let kept = fs::read_to_string(&file).unwrap();
    let edited = kept.replacen("steady.example", "friend.example", 1);
    assert_ne!(kept, edited);
    fs::write(&file, edited).unwrap();
    assert_eq!(states(site), all_but("validated", &[("steady", "unusable")]));
    fs::write(&file, kept).unwrap();
    assert_eq!(states(site), all_but("validated", &[]));
    later(&times, lab);
}

/// The same site, after the partners have changed.
fn later(times: &Times, before: Lab<Absent>) {
    let lab = times.lab(true);
    fs::remove_dir_all(lab.site.state()).unwrap();
    let copied = Command::new("cp").arg("-a").args([before.site.state(), lab.site.state()]).status();
    assert!(copied.unwrap().success());
    drop(before);
    assert_eq!(states(&lab.site), all_but("validated", &[]));

    let examiner = Examiner::of(&lab);
    let ended = examiner.validate(&["--all", "--changes"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(1), ""), "{ended:?}");
    let expected: [(&str, &[&str]); 7] = [
        ("steady", &[]),
        ("renewed", &["mx1.renewed.example 192.0.2.14: certificate renewed, with another key, until "]),
        ("grown", &["mx2.grown.example 192.0.2.18: is a new host that mail goes to"]),
        ("shrunk", &["mx2.shrunk.example 192.0.2.22: is no longer a host that mail goes to"]),
        (
            "ending",
            &[
                "passes with warnings; it was: passes",
                "mx1.ending.example 192.0.2.10: certificate expires in 5 days, on ",
                "mx1.ending.example 192.0.2.10: certificate renewed, with another key, until ",
            ],
        ),
        (
            "moved",
            &[
                "fails; it was: passes",
                "mx1.moved.example 192.0.2.13: the server's certificate is for another name",
                "mx1.moved.example 192.0.2.13: certificate renewed, with another key, until ",
            ],
        ),
        (
            "issued",
            &[
                "mx1.issued.example 192.0.2.12: certificate renewed, with the same key, until ",
                "mx1.issued.example 192.0.2.12: certificate issued by CN=Lab Intermediate; it was CN=Lab CA",
            ],
        ),
    ];
    for (name, changes) in expected {
        let prefix = format!("{name}: ");
        let told: Vec<&str> = ended.stdout.lines().filter_map(|line| line.strip_prefix(&prefix)).collect();
        assert_eq!(told.len(), changes.len(), "{name}: {told:#?}");
        for (told, expected) in told.iter().zip(changes) {
            assert!(told.starts_with(expected), "{name}: expected {expected:?}, and it is {told:?}");
        }
    }
    assert_eq!(states(&lab.site), all_but("validated", &[("ending", "warned"), ("moved", "failed")]));
    // Told once; the exit code says it as long as it lasts.
    let ended = examiner.validate(&["--all", "--changes"]);
    assert_eq!((ended.code, ended.stdout, ended.stderr), (Some(1), String::new(), String::new()));
}
