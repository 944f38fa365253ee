//! What is made of good configurations: the examples, whole, with a bogus key, and cut short.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::fs;
use std::path::{Path, PathBuf};

use connectord::config::{
    self, Archive, Decisions, Listen, ListenProtocol, LogFormat, LogLevel, ServerSettings, WeakerReload,
};
use connectord::load::{self, Ready};
use connectord::model::Pattern;
use connectord::model::mta::PostfixVersion;
use connectord::mta::postfix::tables;
use connectord::snapshot::diff::diff;
use tempfile::TempDir;

#[path = "config/fixture.rs"]
#[allow(dead_code)] // each test file uses its part
mod fixture;
use fixture::{copy, directory, now, root};

/// A main file of an example, and the files that it consists of.
struct Example {
    directory: TempDir,
    main: PathBuf,
    files: Vec<PathBuf>,
}

/// Every example there is, each in a directory of its own.
fn examples() -> Vec<Example> {
    fn toml_files(directory: &Path, files: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                toml_files(&path, files);
            } else if path.extension().is_some_and(|extension| extension == "toml") {
                files.push(path);
            }
        }
    }
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut examples = Vec::new();
    for from in [root().join("good"), manifest.join("contrib/examples")] {
        let mains = fs::read_dir(&from).unwrap().map(|entry| entry.unwrap().path());
        for main in mains.filter(|path| path.extension().is_some_and(|extension| extension == "toml")) {
            let directory = copy(&from);
            let main = directory.path().join(main.file_name().unwrap());
            let mut files = Vec::new();
            toml_files(directory.path(), &mut files);
            let includes = fs::read_to_string(&main).unwrap().contains("\ninclude");
            files.retain(|path| *path == main || (includes && path.parent() != main.parent()));
            files.sort();
            examples.push(Example { directory, main, files });
        }
    }
    assert!(examples.len() >= 4, "{} examples", examples.len());
    examples
}

/// What a connector demands, without what is for people and where it stands.
fn demands(loaded: &config::Loaded) -> Vec<(String, String, usize, String)> {
    let outbound = loaded.agreements.outbound.iter().map(|connector| {
        let demand = format!(
            "{:?}",
            (
                connector.mode,
                &connector.domains,
                &connector.except,
                &connector.overrides,
                &connector.requirement,
                &connector.route,
                &connector.transport
            )
        );
        (connector.name.to_string(), connector.place.file.to_string(), connector.place.line, demand)
    });
    let inbound = loaded.agreements.inbound.iter().map(|connector| {
        let demand = format!(
            "{:?}",
            (
                connector.mode,
                &connector.identify,
                &connector.recipients,
                &connector.require,
                connector.on_violation,
                &connector.overrides
            )
        );
        (connector.name.to_string(), connector.place.file.to_string(), connector.place.line, demand)
    });
    outbound.chain(inbound).collect()
}

#[test]
fn every_example_loads() {
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

#[test]
fn an_unknown_key_is_refused_in_every_table() {
    let mut tables = 0;
    for example in examples() {
        for file in &example.files {
            let text = fs::read_to_string(file).unwrap();
            let lines: Vec<&str> = text.lines().collect();
            for (i, line) in lines.iter().enumerate() {
                let bogus = if line.starts_with('[') || line.starts_with("version") {
                    "bogus_key = 1".to_owned()
                } else {
                    // A table that is written as part of a key.
                    let key = line.split('=').next().unwrap_or_default().trim();
                    match key.rsplit_once('.') {
                        Some((table, _)) if !key.starts_with('#') => format!("{table}.bogus_key = 1"),
                        _ => continue,
                    }
                };
                tables += 1;
                let mut changed = lines.clone();
                changed.insert(i + 1, &bogus);
                fs::write(file, changed.join("\n")).unwrap();
                let problems = config::load(&example.main, now()).unwrap_err();
                let found = problems
                    .iter()
                    .any(|problem| problem.message == "unknown key `bogus_key`" && problem.line == i + 2);
                assert!(found, "after line {} of {}:\n{problems}", i + 1, file.display());
            }
            fs::write(file, &text).unwrap();
        }
        drop(example.directory);
    }
    assert!(tables > 60, "{tables} tables");
}

/// A file that is being written, or that a full disk cut short, is valid TOML at many lengths.
/// Every connector that is left must demand what it demands in the whole file. For that the examples
/// write mandatory keys behind the optional ones that strengthen.
#[test]
fn a_file_cut_anywhere_is_refused_or_means_the_same() {
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for worker in 0..workers {
            scope.spawn(move || {
                // Each with copies of its own, of which it takes its share.
                let examples = examples();
                let all =
                    examples.iter().flat_map(|example| example.files.iter().map(move |file| (example, file)));
                for (example, file) in all.skip(worker).step_by(workers) {
                    cut_everywhere(&example.main, file);
                }
            });
        }
    });
}

fn cut_everywhere(main: &Path, file: &Path) {
    let whole = demands(&config::load(main, now()).unwrap());
    let text = fs::read(file).unwrap();
    let cut = |length: usize| {
        fs::write(file, &text[..length]).unwrap();
        config::load(main, now()).ok().map(|loaded| demands(&loaded))
    };
    let mut refused = 0;
    for length in (0..text.len()).filter(|&length| !is_inside_comment(&text[..length])) {
        let Some(left) = cut(length) else {
            refused += 1;
            continue;
        };
        let other = left.iter().find(|connector| !whole.contains(connector));
        assert_eq!(other, None, "{} cut at {length}", file.display());
    }
    assert!(refused > 10, "{}", file.display());
    fs::write(file, &text).unwrap();
}

/// Whether the second or a later byte of a comment comes next: there a cut changes nothing.
fn is_inside_comment(text: &[u8]) -> bool {
    let line = text.rsplit(|&byte| byte == b'\n').next().unwrap_or_default();
    let mut quoted = false;
    line.iter().any(|&byte| {
        quoted ^= byte == b'"';
        byte == b'#' && !quoted
    })
}

/// The keys of the parser, each at the beginning of a line below the header of its table.
#[test]
fn every_key_stands_in_an_example() {
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
    let missing: Vec<_> = config::keys()
        .into_iter()
        .filter(|(table, key)| !written.contains(&((*table).to_owned(), key.clone())))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert!(
        config::keys().len() > 60
            && config::keys().contains(&("[[inbound]]", "require.certificate.names".to_owned()))
    );
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
    let listener = |protocol, path: &str, mode| Listen { protocol, path: path.into(), group: None, mode };
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
    assert_eq!(loaded.organisation, config::Organisation::default());
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
    assert_eq!(groups, [Some("postfix"), Some("110"), None]);
    let exempt: Vec<String> = loaded.agreements.inbound_exempt.iter().map(ToString::to_string).collect();
    assert_eq!(exempt, ["127.0.0.0/8", "::1/128", "192.0.2.0/24"]);
    assert_eq!(loaded.agreements.mta.postfix.to_string(), "3.7");
    assert_eq!(
        loaded.organisation.domains.iter().map(Pattern::to_string).collect::<Vec<_>>(),
        ["ours.example"]
    );

    let bank = &loaded.agreements.outbound[0];
    assert_eq!(
        bank.domains.iter().map(Pattern::to_string).collect::<Vec<_>>(),
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
