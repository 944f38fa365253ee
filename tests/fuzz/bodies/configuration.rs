//! Configurations: whatever the text, it is refused in words that can be shown, or its answers keep its connectors'
//! promises.

use std::cell::OnceCell;
use std::fs;
use std::net::IpAddr;

use connectord::answer::{self, Answered as _, Mail};
use connectord::config::{MAX_PRINTED, Problems};
use connectord::load;
use connectord::model::{Agreements, Inbound, Mode, Outbound, Pattern};
use connectord::protocol::policy::encode_action;
use connectord::snapshot::{Snapshot, diff};
use tempfile::TempDir;

use super::site::{CLIENT, directory, now};
use super::vocabulary::{self, Severity};
use super::{naive, postfix};

/// Connectors and patterns that are asked about; a configuration of more is loaded all the same.
const ASKED: usize = 12;

/// What a configuration may name; all of it lies beside it.
const BESIDE: [(&str, &[u8]); 4] = [
    ("client.pem", CLIENT.as_bytes()),
    ("list", b"listed.example\n*.other.listed.example # all of it\n"),
    ("sub/a.toml", b"version = 1\n[[outbound]]\nname = \"a\"\ndomains = [\"a.sub.example\"]\ntls = \"encrypt\"\nmode = \"enforce\"\n"),
    ("sub/b.toml", b"version = 1\n"),
];

thread_local! {
    /// One for each thread, for a body runs thousands of times.
    static DIRECTORY: OnceCell<TempDir> = const { OnceCell::new() };
}

/// Loads the bytes as the main file of a configuration.
pub fn configuration(data: &[u8]) {
    if leads_away(data) {
        return;
    }
    DIRECTORY.with(|known| {
        let path = known.get_or_init(|| directory(&BESIDE)).path().join("connectord.toml");
        fs::write(&path, data).expect("a configuration that can be read");
        let checked = load::check(&path, 1, now());
        presentable(&checked.warnings);
        match checked.result {
            Ok(ready) => {
                keeps(&ready.snapshot, &checked.agreements);
                assert!(
                    diff::diff(&ready.snapshot, &ready.snapshot).is_empty(),
                    "a snapshot differs from itself"
                );
            }
            Err(problems) => {
                assert!(!problems.is_empty(), "refused without a word");
                presentable(&problems);
            }
        }
    });
}

/// Whether a path in it may lead out of the directory: what is there is no input, and may be anything.
fn leads_away(data: &[u8]) -> bool {
    let has = |part: &[u8]| data.windows(part.len()).any(|window| window == part);
    // Or a key that is one of these when its escapes are undone.
    let keys = ["include", "file", "certificates", "\\u", "\\U", "\\x"];
    let names_files = keys.iter().any(|key| has(key.as_bytes()));
    names_files && ["..", "\"/", "'/", "\\", "\n/"].iter().any(|way| has(way.as_bytes()))
}

/// Problems fit on a screen and do nothing to it.
fn presentable(problems: &Problems) {
    let text = problems.to_string();
    assert!(!text.chars().any(|c| c != '\n' && c.is_control()), "{text:?}");
    // Five lines each at the most: what and where, the line, the caret, and help of two.
    assert!(text.lines().count() <= 5 * MAX_PRINTED + 1, "{} lines", text.lines().count());
    for problem in problems {
        assert!(problem.message.len() < 2_000 && problem.help.len() < 2_000, "{problem}");
    }
}

fn keeps(snapshot: &Snapshot, agreements: &Agreements) {
    let outbound: Vec<&Outbound> =
        agreements.outbound.iter().filter(|connector| connector.mode == Mode::Enforce).collect();
    for connector in outbound.iter().take(ASKED) {
        for name in connector.domains.iter().take(ASKED).flat_map(asked) {
            of_a_name(snapshot, agreements, &outbound, &name);
        }
        for hop in connector.route.smart_hosts().iter().take(ASKED) {
            let key = hop.to_string();
            let payload = tls(snapshot, &key);
            let policy = payload.strip_prefix("OK ").unwrap_or_else(|| panic!("{key}: {payload}"));
            at_least(policy, connector, &key);
        }
    }
    for connector in agreements.inbound.iter().take(ASKED) {
        for name in connector.identify.domains.iter().take(ASKED).map(Pattern::names).flat_map(asked) {
            of_a_sender(snapshot, agreements, connector, &name);
        }
    }
}

/// Names that a pattern is about, and one that it may not be about.
fn asked(pattern: Pattern<&str>) -> Vec<String> {
    let base = pattern.domain().map_or("nobody.example".to_owned(), ToString::to_string);
    let below = format!("u.v.{base}");
    // One label more may be one too many.
    if below.len() > 253 { vec![base] } else { vec![base, below] }
}

/// The most specific connector that is about a name.
fn owner<'c>(outbound: &[&'c Outbound], name: &str) -> Option<(usize, &'c Outbound)> {
    let about = |connector: &&'c Outbound| {
        let excepted = connector.except.iter().any(|pattern| naive::covers(&pattern.to_string(), name));
        let patterns = connector.domains.iter().filter(|_| !excepted);
        let specific = patterns.filter_map(|pattern| naive::specificity(&pattern.to_string(), name)).max();
        specific.map(|specific| (specific, *connector))
    };
    outbound.iter().filter_map(about).max_by_key(|(specific, _)| *specific)
}

/// Nobody who is covered is told that he is not, by any map, and the policy is as strong as his connector.
fn of_a_name(snapshot: &Snapshot, agreements: &Agreements, outbound: &[&Outbound], name: &str) {
    let payload = tls(snapshot, name);
    let own = agreements.mta.own_domains.iter().any(|pattern| naive::covers(&pattern.to_string(), name));
    let owner = owner(outbound, name);
    match (owner, payload.strip_prefix("OK ")) {
        (Some((_, connector)), Some(policy)) => at_least(policy, connector, name),
        (Some((_, connector)), None) => panic!("{name} is {}'s, and is told {payload}", connector.name),
        (None, _) => {}
    }

    let answered = answer::exim::out(snapshot, name.as_bytes()).reply.payload();
    let line = vocabulary::exim(&answered, &[]);
    let by_star = owner.is_some_and(|(specific, _)| specific == 0);
    let covered = owner.is_some() && !(own && by_star);
    assert!(!covered || line.get("tls").is_none_or(|tls| tls != "default"), "{name}: {answered}");

    let address = format!("u@{name}");
    let payload = answer::transport(snapshot, address.as_bytes()).reply.payload();
    vocabulary::socketmap(b"transport", &payload);
    assert_eq!(payload.starts_with("OK "), owner.is_some() && !own && !by_star, "{address}: {payload}");
}

fn tls(snapshot: &Snapshot, key: &str) -> String {
    let payload = answer::tls(snapshot, key.as_bytes()).reply.payload();
    vocabulary::socketmap(b"tls", &payload);
    payload
}

/// A reply's level is the connector's own or one above it.
fn at_least(policy: &str, connector: &Outbound, key: &str) {
    let (told, _) = postfix::policy(policy).unwrap_or_else(|why| panic!("{why}: {policy}"));
    let demanded = connector.requirement.level().word();
    let above: &[&str] = match demanded {
        "may" => &["encrypt", "verify", "secure", "fingerprint", "dane", "dane-only"],
        "encrypt" => &["verify", "secure", "fingerprint", "dane-only"],
        "verify" => &["secure"],
        "dane" => &["dane-only"],
        _ => &[],
    };
    assert!(
        told == demanded || above.contains(&told),
        "{key}: {policy}, where {} demands {demanded}",
        connector.name
    );
}

/// Plaintext mail of a sender whose connector demands TLS is objected to, to everybody who has no domain.
fn of_a_sender(snapshot: &Snapshot, agreements: &Agreements, connector: &Inbound, name: &str) {
    const CLIENT_ADDRESS: &str = "198.51.100.9";
    let sender = format!("u@{name}");
    let mail = Mail {
        state: b"RCPT",
        client_address: CLIENT_ADDRESS.as_bytes(),
        helo: b"client.example",
        sender: sender.as_bytes(),
        recipient: b"postmaster",
        ..Mail::default()
    };
    let mut reply = Vec::new();
    encode_action(answer::inbound(snapshot, &mail, now).action(), &mut reply);
    let severity = vocabulary::policy(&reply, &[]);

    let client: IpAddr = CLIENT_ADDRESS.parse().expect("an address");
    let within = |ranges: &[ipnet::IpNet]| ranges.iter().any(|range| range.contains(&client));
    let covers = |pattern: &Pattern| naive::covers(&pattern.to_string(), name);
    let overridden = agreements
        .inbound
        .iter()
        .any(|other| other.overrides.iter().any(|overridden| *overridden == connector.name.to_string()));
    let demands = connector.mode == Mode::Enforce
        && (connector.require.tls.is_some() || connector.require.certificate.is_some())
        && connector.identify.domains.iter().any(covers)
        && !within(&connector.identify.except_addresses)
        && !within(&agreements.inbound_exempt)
        && !overridden;
    assert!(!demands || severity > Severity::Nothing, "{sender} in plaintext, past {}", connector.name);
}
