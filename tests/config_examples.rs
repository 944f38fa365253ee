//! What is made of good configurations.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::fs;
use std::path::Path;

use connectord::answer::Answered as _;
use connectord::config::{
    self, Archive, At, Decisions, Listen, ListenProtocol, LogFormat, LogLevel, ServerSettings, WeakerReload,
};
use connectord::load::{self, Ready};
use connectord::model::mta::PostfixVersion;
use connectord::model::{Organisation, Pattern};
use connectord::mta::postfix::tables;
use connectord::snapshot::diff::diff;

#[path = "config/fixture.rs"]
#[allow(dead_code)] // each test file uses its part
mod fixture;
#[path = "../src/snapshot/postfix_reader.rs"]
mod postfix_reader;
use fixture::{copy, directory, examples, now, root};

#[test]
fn c12_every_example_loads() {
    for example in examples() {
        let checked = load::check(&example.main, 1, now());
        if let Err(problems) = checked.result {
            panic!("{problems}");
        }
    }
}

/// An archive of the last good configuration means what its files meant, when they are gone.
#[test]
fn every_example_means_the_same_from_an_archive() {
    let policies = |ready: &Ready| {
        let tables = [tables::tls(&ready.snapshot), tables::transport(&ready.snapshot)];
        (tables.map(|table| table.to_string()), ready.snapshot.sha256().to_owned())
    };
    for example in examples() {
        let ready = load::load(&example.main, 1, now()).unwrap();
        let mut file = tempfile::tempfile().unwrap();
        ready.files.write(&mut file).unwrap();
        drop(example.directory);
        assert!(load::load(&example.main, 1, now()).is_err());
        let kept = load::load_archive(Archive::open(file).unwrap(), 1).unwrap();
        assert_eq!(policies(&kept), policies(&ready));
        // Both ways, for what no table shows: exempt addresses, inbound connectors, settings.
        assert_eq!(diff(&kept.snapshot, &ready.snapshot), []);
        assert_eq!(diff(&ready.snapshot, &kept.snapshot), []);
        assert_eq!((kept.server, kept.listen), (ready.server, ready.listen));
        assert_eq!((kept.organisation, kept.warnings), (ready.organisation, ready.warnings));
        for (kept, ready) in kept.snapshot.outbound().iter().zip(ready.snapshot.outbound()) {
            assert_eq!(format!("{:?}", kept.agreement), format!("{:?}", ready.agreement));
        }
        for (kept, ready) in kept.snapshot.inbound().iter().zip(ready.snapshot.inbound()) {
            assert_eq!(format!("{kept:?}"), format!("{ready:?}"));
        }
    }
}

/// What is rendered for a Postfix has no part that is newer: such a key is refused where it stands.
#[test]
fn s15_no_attribute_is_newer_than_the_postfix_declared() {
    // The key, the attribute that it becomes, and the first 3.x that takes it (postconf(5)).
    let keys = [
        ("protocols = \">=TLSv1.2\"", "protocols", 6),
        ("servername = \"nexthop\"", "servername", 4),
        ("ciphers = \"high\"", "ciphers", 0),
        ("match = [\"a.b\"]", "match", 0),
    ];
    let mut refused = 0;
    for minor in 0..13_u8 {
        for (key, attribute, since) in keys {
            let text = format!(
                "version = 1\n[mta]\npostfix = \"3.{minor}\"\n[[outbound]]\nname = \"a\"\nmode = \"enforce\"\n\
                 domains = [\"a.example\"]\ntls = \"verify\"\n{key}\n"
            );
            let directory = directory(&[("connectord.toml", &text)]);
            match load::load(&directory.path().join("connectord.toml"), 1, now()) {
                Ok(ready) => {
                    let reply = connectord::answer::tls(&ready.snapshot, b"a.example").reply;
                    let payload = reply.payload();
                    let (_, attributes) =
                        postfix_reader::policy(payload.strip_prefix("OK ").unwrap()).unwrap();
                    assert_eq!(attributes.into_keys().collect::<Vec<_>>(), [attribute], "{payload}");
                    assert!(minor >= since, "3.{minor}: {payload}");
                }
                Err(problems) => {
                    refused += 1;
                    assert!(minor < since, "3.{minor}: {problems}");
                    assert!(problems.to_string().contains(":9:1: "), "{problems}");
                }
            }
        }
    }
    assert_eq!(refused, 6 + 4, "protocols and servername");
}

/// The keys of the parser, each at the beginning of a line below the header of its table.
#[test]
fn c12_every_key_stands_in_an_example() {
    let examples = examples();
    let mut table = String::new();
    let mut written = Vec::new();
    for file in examples.iter().flat_map(|example| &example.files) {
        "the main file".clone_into(&mut table);
        for line in fs::read_to_string(file).unwrap().lines() {
            if line.starts_with('[') {
                table = line.trim_end().to_owned();
                written.push(("the main file".to_owned(), table.trim_matches(['[', ']']).to_owned()));
            } else if let Some((key, _)) = line.split_once('=').filter(|_| !line.starts_with('#')) {
                written.push((table.clone(), key.trim().to_owned()));
            }
        }
    }
    let keys: Vec<_> = config::keys().map(|(table, key, _)| (table.to_owned(), key)).collect();
    let missing: Vec<_> = keys.iter().filter(|key| !written.contains(key)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    let known = ("[[inbound]]".to_owned(), "require.certificate.names".to_owned());
    assert!(keys.len() > 60 && keys.contains(&known));
}

#[test]
fn what_is_left_out_has_its_default() {
    let directory = directory(&[("connectord.toml", "version = 1\n")]);
    let loaded = config::load(&directory.path().join("connectord.toml"), now()).unwrap();
    assert_eq!(
        loaded.server,
        ServerSettings {
            weaker_reload: WeakerReload::Apply,
            max_connections: 1024,
            log: LogLevel::Info,
            log_format: LogFormat::Text,
            decisions: Decisions::Connector
        }
    );
    let listener = |protocol, path: &str, mode| Listen {
        protocol,
        at: At::Path(path.into()),
        group: None,
        mode,
        is_written: false,
    };
    assert_eq!(
        loaded.listen,
        [
            listener(ListenProtocol::Socketmap, "socketmap.sock", 0o660),
            listener(ListenProtocol::Policy, "policy.sock", 0o660),
            listener(ListenProtocol::Exim, "exim.sock", 0o660),
            listener(ListenProtocol::Control, "control.sock", 0o600)
        ]
    );
    let mta = &loaded.agreements.mta;
    assert_eq!(Some(mta.postfix), PostfixVersion::parse("3.6"));
    assert_eq!(
        (mta.level.word(), mta.transport.to_string(), &mta.queue_directory),
        ("may", "smtp".to_owned(), &None)
    );
    let exempt: Vec<String> = loaded.agreements.inbound_exempt.iter().map(ToString::to_string).collect();
    assert_eq!(exempt, ["127.0.0.0/8", "::1/128"]);
    assert_eq!(loaded.organisation, Organisation::default());
    let warnings: Vec<&str> = loaded.warnings.iter().map(|warning| warning.message.as_str()).collect();
    assert_eq!(warnings, ["no connector: nothing is enforced"]);
}

#[test]
fn what_is_written_is_taken() {
    let directory = copy(&root().join("good"));
    let loaded = config::load(&directory.path().join("every-key.toml"), now()).unwrap();
    assert_eq!(
        loaded.server,
        ServerSettings {
            weaker_reload: WeakerReload::Refuse,
            max_connections: 64,
            log: LogLevel::Debug,
            log_format: LogFormat::Json,
            decisions: Decisions::All
        }
    );
    let groups: Vec<Option<&str>> = loaded.listen.iter().map(|listener| listener.group.as_deref()).collect();
    assert_eq!(groups, [Some("postfix"), Some("110"), None, None]);
    let addresses: Vec<&At> = loaded.listen.iter().map(|listener| &listener.at).collect();
    assert!(addresses.contains(&&At::Address("[::1]:9899".parse().unwrap())), "{addresses:?}");
    let exempt: Vec<String> = loaded.agreements.inbound_exempt.iter().map(ToString::to_string).collect();
    assert_eq!(exempt, ["127.0.0.0/8", "::1/128", "192.0.2.0/24"]);
    assert_eq!(loaded.agreements.mta.postfix.to_string(), "3.7");
    assert_eq!(
        loaded.organisation.domains.iter().map(Pattern::to_string).collect::<Vec<_>>(),
        ["ours.example"]
    );

    let bank = &loaded.agreements.outbound[0];
    assert_eq!(
        bank.domains.iter().map(|pattern| pattern.to_string()).collect::<Vec<_>>(),
        ["*.contoso.com", ".xn--bcher-kva.example"]
    );
    assert_eq!(
        bank.requirement.to_string(),
        "secure, *.contoso.com or .contoso.example or mx.contoso.net, TLSv1.3 or newer, ciphers high, servername nexthop"
    );
    let hosts: Vec<String> = bank.route.smart_hosts().iter().map(ToString::to_string).collect();
    assert_eq!(hosts, ["[mail.contoso.com]:587", "contoso.net:submission", "[192.0.2.7]"]);
    assert_eq!(bank.transport.as_ref().map(ToString::to_string).as_deref(), Some("contoso-smtp"));
    assert_eq!(bank.notes.comment.as_deref(), Some("agreement 2026-114"));
    let mut notes: Vec<(&str, &str)> =
        bank.notes.others.iter().map(|(key, text)| (key.as_str(), text.as_str())).collect();
    notes.sort_unstable();
    let expected = [
        ("agreement", "2026-114"),
        ("owner", "messaging"),
        ("review_by", "2027-06-30"),
        ("x-cost", "1_000"),
        ("x-ticket", "CHG-1"),
    ];
    assert_eq!(notes, expected);
    assert_eq!(bank.validate_recipients, ["postmaster@contoso.com"]);
    assert!(bank.place.file.ends_with("every-key.toml"));
    let text = fs::read_to_string(directory.path().join("every-key.toml")).unwrap();
    assert_eq!(text.lines().nth(bank.place.line - 1), Some("[[outbound]]"));

    let inbound = &loaded.agreements.inbound[0];
    let addresses: Vec<String> = inbound.identify.addresses.iter().map(ToString::to_string).collect();
    assert_eq!(addresses, ["203.0.113.0/24", "2001:db8::/32"]);
    assert_eq!(inbound.on_violation.word(), "defer");
    assert_eq!(loaded.agreements.inbound[2].overrides, ["fabrikam-in"]);
    let certificate = inbound.require.certificate.as_ref().unwrap();
    assert_eq!(certificate.issuers.iter().flatten().collect::<Vec<_>>(), ["Contoso CA"]);
}

#[test]
fn a_registered_file_gives_both_digests() {
    let toml = "version = 1\n[[outbound]]\nname = \"a\"\nmode = \"enforce\"\ndomains = [\"a.example\"]\ntls = \"fingerprint\"\ncertificates = [\"a.pem\"]\n";
    let directory = directory(&[("connectord.toml", toml)]);
    let captures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures/certificates");
    let pem = fs::read(captures.join("cn-only.pem")).unwrap();
    fs::write(directory.path().join("a.pem"), &pem).unwrap();
    let loaded = config::load(&directory.path().join("connectord.toml"), now()).unwrap();
    let certificate = &connectord::model::certificate::pem::certificates(&pem).unwrap()[0];
    let mut both = [certificate.fingerprint(), certificate.key_fingerprint()];
    both.sort_unstable();
    let pins: Vec<_> = loaded.agreements.outbound[0].requirement.pins().unwrap().iter().copied().collect();
    assert_eq!(pins, both);
}
