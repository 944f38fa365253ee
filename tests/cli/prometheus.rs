//! `status --prometheus`: the daemon's metrics as a file would have them.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixListener;
use std::thread;

use jiff::Timestamp;

use crate::bench::{Bench, CONFIGURATION};
use crate::daemon::Daemon;
use crate::kept::{DAY, keep, report};
use crate::prometheus_reader::{Page, read};

/// What a command writes, read.
#[track_caller]
fn page(bench: &Bench) -> Page {
    let ended = bench.run(&["status", "--prometheus"]).expect(0);
    assert_eq!(ended.stderr, "");
    read(&ended.stdout)
}

fn state(page: &Page, connector: &str) -> Vec<String> {
    let of = page.series.keys().filter(|(family, labels)| {
        family == "connectord_validation_state"
            && labels.get("connector").is_some_and(|name| name == connector)
    });
    of.map(|(_, labels)| labels["state"].clone()).collect()
}

#[test]
fn what_is_known_of_partners_is_what_status_says() {
    let bench = Bench::new(CONFIGURATION);
    let daemon = Daemon::start(&bench);
    // A whole second: more is not told.
    let now = Timestamp::from_second(Timestamp::now().as_second()).unwrap();
    keep(&bench, report("contoso-bank", "pass", now));
    keep(&bench, report("everyone", "fail", now - DAY));
    let all = page(&bench);
    let told: Vec<(String, String)> = ["contoso-bank", "contoso-trial", "everyone", "not-yet"]
        .iter()
        .flat_map(|name| state(&all, name).into_iter().map(|state| ((*name).to_owned(), state)))
        .collect();
    let json = bench.run(&["status", "--json"]).expect(0).json();
    let expected: Vec<(String, String)> = json["validation"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["connector"].as_str().unwrap().to_owned(), one["state"].as_str().unwrap().to_owned()))
        .collect();
    assert_eq!(told, expected);
    assert!(told.contains(&("contoso-bank".to_owned(), "validated".to_owned())), "{told:?}");
    assert!(told.contains(&("everyone".to_owned(), "failed".to_owned())), "{told:?}");
    assert!(told.contains(&("not-yet".to_owned(), "never".to_owned())), "{told:?}");
    let time = |what: &str, connector: &str| {
        all.find(&format!("connectord_validation_{what}timestamp_seconds"), &[("connector", connector)])
    };
    let seconds = |at: Timestamp| at.as_second() as f64;
    assert_eq!(time("", "contoso-bank"), Some(seconds(now)));
    assert_eq!(time("", "everyone"), Some(seconds(now - DAY)));
    assert_eq!(time("", "not-yet"), None);
    assert_eq!(time("certificate_expiry_", "contoso-bank"), Some(seconds(now + DAY * 80)));
    assert_eq!(time("certificate_expiry_", "everyone"), None);

    // Another agreement is served: what was tested says nothing about it.
    bench.write("connectord.toml", &CONFIGURATION.replace("\"contoso.org\"", "\"contoso.info\""));
    bench.run(&["reload"]).expect(0);
    assert_eq!(state(&page(&bench), "contoso-bank"), ["stale"]);
    // Files with problems are not what is served, and of those that are served nothing more is known.
    bench.write("connectord.toml", "version = 1\nnonsense");
    bench.run(&["reload"]).expect(78);
    let all = page(&bench);
    assert_eq!(all.number("connectord_config_last_reload_successful", &[]), 0.0);
    assert_eq!(state(&all, "contoso-bank"), ["stale"]);
    assert_eq!(daemon.stop().code, Some(0));
}

#[test]
fn results_that_are_of_no_use_are_said_to_be() {
    let bench = Bench::new(CONFIGURATION);
    let daemon = Daemon::start(&bench);
    // Somebody is at work on the files: which agreements were tested cannot be known from them.
    bench.write("connectord.toml", &format!("{CONFIGURATION}# more\n"));
    let all = page(&bench);
    assert_eq!(all.number("connectord_validation_readable", &[]), 0.0);
    assert!(all.values("connectord_validation_state", "connector").is_empty());
    assert!(all.families.contains_key("connectord_validation_state"));
    bench.run(&["reload"]).expect(0);
    fs::create_dir_all(bench.path("state/validation")).unwrap();
    let all = page(&bench);
    assert_eq!(all.number("connectord_validation_readable", &[]), 1.0);
    assert_eq!(state(&all, "contoso-bank"), ["never"]);
    drop(daemon);
}

/// Whatever goes wrong, nothing is written that could be taken for a daemon that is well.
#[test]
fn without_a_whole_answer_nothing_is_written() {
    let bench = Bench::new(CONFIGURATION);
    let ended = bench.run(&["status", "--prometheus"]).expect(69);
    assert!(ended.stdout.is_empty() && ended.stderr.contains("no daemon listens there"), "{ended:?}");
    for arguments in [["status", "--prometheus", "--json"], ["--json", "status", "--prometheus"]] {
        let ended = bench.run(&arguments).expect(64);
        assert!(ended.stdout.is_empty() && ended.stderr.contains("two formats"), "{ended:?}");
    }
    let socket = bench.path("run/control.sock");
    for answer in ["", "# HELP a b\n", "connectord_generation 1", "a 1\n# EOF", "{}\n", "# EOF\n"] {
        let listener = UnixListener::bind(&socket).unwrap();
        let daemon = thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let mut asked = String::new();
            BufReader::new(&stream).read_line(&mut asked).unwrap();
            (&stream).write_all(answer.as_bytes()).unwrap();
            asked
        });
        let ended = bench.run(&["status", "--prometheus"]).expect(69);
        assert_eq!((daemon.join().unwrap().as_str(), ended.stdout.as_str()), ("metrics\n", ""), "{answer:?}");
        fs::remove_file(&socket).unwrap();
    }
}
