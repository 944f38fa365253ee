//! A policy table as connectors: what Postfix finds in the table, it is told by the daemon, for every name.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::process::Stdio;

use crate::certificates::Authority;
use crate::effective::effective;
use crate::lab::Lab;
use crate::machine::Machine;
use crate::on_each_postfix;
use crate::policy_table::{Expected, Line, NOT_SAID, PolicyTable};
use crate::resolver::Zone;
use crate::root::Release;

const DAEMON: &str = "socketmap:unix:/var/spool/postfix/connectord/socketmap.sock:tls";

/// What postmap(1) finds for each of these keys.
fn postmap(machine: &Machine, table: &str, keys: &BTreeSet<String>) -> BTreeMap<String, String> {
    let mut command = machine.command("postmap");
    let mut child = command
        .args(["-q", "-", table])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let text: String = keys.iter().flat_map(|key| [key.as_str(), "\n"]).collect();
    let writer = std::thread::spawn(move || stdin.write_all(text.as_bytes()).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.is_empty(), "{table}: {errors}");
    let lines = String::from_utf8(output.stdout).unwrap();
    lines
        .lines()
        .map(|line| line.split_once('\t').unwrap())
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

/// The keys that Postfix asks for, in their order (smtp_tls_policy.c:tls_policy_lookup).
fn walk(next_hop: &str) -> Vec<String> {
    let mut keys = vec![next_hop.to_owned()];
    if !next_hop.contains([':', '[']) {
        let dots = next_hop.match_indices('.').map(|(at, _)| next_hop[at..].to_owned());
        keys.extend(dots);
    }
    keys
}

/// What Postfix finds in a table for each of these next-hops, and by which key.
fn found(machine: &Machine, table: &str, next_hops: &BTreeSet<String>) -> BTreeMap<String, (String, String)> {
    let keys: BTreeSet<String> = next_hops.iter().flat_map(|next_hop| walk(next_hop)).collect();
    let answers = postmap(machine, table, &keys);
    let first = |next_hop: &String| {
        let hit =
            walk(next_hop).into_iter().find_map(|key| Some((key.clone(), answers.get(&key)?.clone())))?;
        Some((next_hop.clone(), hit))
    };
    next_hops.iter().filter_map(first).collect()
}

/// The lines that are said not to be imported, with the reasons.
fn refused(errors: &str) -> BTreeMap<usize, String> {
    let lines = errors.lines().filter_map(|line| line.strip_prefix("not imported: "));
    lines
        .map(|line| {
            let (place, reason) = line.split_once(": ").unwrap();
            (place.rsplit_once(':').unwrap().1.parse().unwrap(), reason.to_owned())
        })
        .collect()
}

fn ten_thousand_policies_become_connectors(release: Release) {
    let lab: Lab = Lab::start(release, &Authority::new("Lab CA"), &[], Zone::default(), &[]);
    let queue = lab.machine.directory().join("spool");
    let ca = lab.machine.directory().join("etc/tls/ca.pem");
    let table = PolicyTable::new(&ca);
    let file = lab.machine.directory().join("etc/tls_policy");
    fs::write(&file, &table.text).unwrap();

    // What is refused is refused with its line, and nothing else is.
    let output = lab.site.run(&["import", "postfix", file.to_str().unwrap(), "--mode", "enforce"]);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{errors}");
    let refused = refused(&errors);
    for Line { number, key, expected, .. } in &table.lines {
        match (expected, refused.get(number)) {
            (Expected::Said, None) => {}
            (Expected::NotSaid(why), Some(reason)) if reason.contains(why) => {}
            (expected, reason) => panic!("line {number}, {key}: {expected:?}, {reason:?}"),
        }
    }
    let classes: BTreeSet<&str> = table.lines.iter().map(|line| line.policy).collect();
    for (policy, _) in NOT_SAID {
        assert!(classes.contains(policy), "{policy} is in no line");
    }

    lab.site.write("imported.toml", &String::from_utf8(output.stdout).unwrap());
    lab.site.configure("");
    let main = fs::read_to_string(lab.site.configuration()).unwrap();
    lab.site.write(
        "connectord.toml",
        &main.replacen("version = 1\n", "version = 1\ninclude = [\"imported.toml\"]\n", 1),
    );
    let _daemon = lab.site.serve();

    // Every name is answered as the table answers it; what stays in the table is not answered.
    let names: BTreeSet<String> = table.names.iter().cloned().collect();
    let hops: BTreeSet<String> = table.hops.iter().cloned().collect();
    let both: BTreeSet<String> = names.union(&hops).cloned().collect();
    let original = found(&lab.machine, "texthash:/etc/postfix/tls_policy", &both);
    let answers = postmap(&lab.machine, DAEMON, &both);
    let stays: BTreeSet<&str> = table
        .lines
        .iter()
        .filter(|line| line.expected != Expected::Said)
        .map(|line| line.key.as_str())
        .collect();
    let hosts: BTreeSet<&str> =
        table.lines.iter().filter_map(|line| line.key.strip_prefix('[')?.split(']').next()).collect();
    let mut counts = BTreeMap::from([
        ("equal", 0),
        ("stays", 0),
        ("nobody", 0),
        ("domain of a host's name", 0),
        ("other spelling of a host", 0),
    ]);
    for asked in &both {
        let of = |asked: &str| answers.get(asked).map(|policy| effective(policy, asked, &queue));
        let ours = of(asked);
        let host = asked.trim_start_matches('[').split([']', ':']).next().unwrap();
        let class = match original.get(asked) {
            Some((key, _)) if stays.contains(key.to_lowercase().as_str()) => {
                assert_eq!(ours, None, "{asked}: {key} stays in the table");
                "stays"
            }
            Some((key, policy)) => {
                // A host with other policies as a next-hop stays as a domain too.
                let left_out = hosts.contains(host) && ours.is_none() && key != asked;
                assert!(
                    left_out || ours == Some(effective(policy, asked, &queue)),
                    "{asked}: {key} {policy}, {ours:?}"
                );
                if left_out {
                    assert!(
                        stays.contains(format!("[{host}]:587").as_str()),
                        "{asked} is left out for nothing"
                    );
                    "stays"
                } else {
                    "equal"
                }
            }
            // Postfix knows a host by the text that it is asked with, and the daemon by its name: with `may` in main.cf, as
            // here, that is no weaker.
            None if asked.contains([':', '[']) => {
                assert_eq!(ours, of(host), "{asked}");
                "other spelling of a host"
            }
            None if hosts.contains(host) => {
                let hop = format!("[{host}]:587");
                let policy = &original.get(&hop).unwrap().1;
                let said = (!stays.contains(hop.as_str())).then(|| effective(policy, asked, &queue));
                assert_eq!(ours, said, "{asked} as a domain, and {hop} {policy}");
                "domain of a host's name"
            }
            None => {
                assert_eq!(ours, None, "{asked}");
                "nobody"
            }
        };
        *counts.get_mut(class).unwrap() += 1;
    }
    assert!(counts.values().all(|&count| count > 30), "{counts:?}");
    let as_the_table: usize = ["equal", "stays", "nobody"].iter().map(|class| counts[class]).sum();
    assert!(as_the_table > 100_000, "{counts:?}");

    // The way back: a table of the daemon's answers.
    let exported = lab.site.run(&["export", "postfix", "--map", "tls"]);
    assert!(exported.status.success());
    fs::write(lab.machine.directory().join("etc/exported"), exported.stdout).unwrap();
    let exported = found(&lab.machine, "texthash:/etc/postfix/exported", &names);
    for name in &names {
        match (exported.get(name), answers.get(name)) {
            (Some((_, policy)), Some(answer)) => assert_eq!(policy, answer, "{name}"),
            // What an exception is said to have is main.cf's level, of which nothing else is known.
            (Some((_, policy)), None) => assert_eq!(policy, "may", "{name}"),
            (None, None) => {}
            (None, Some(answer)) => panic!("{name}: {answer} is not in the table"),
        }
    }
    the_ways_are_the_same(&lab, &names);
}

/// The same of the map `transport`, which is asked for addresses, and the table for their domains.
fn the_ways_are_the_same(lab: &Lab, names: &BTreeSet<String>) {
    let exported = lab.site.run(&["export", "postfix", "--map", "transport"]);
    assert!(exported.status.success());
    fs::write(lab.machine.directory().join("etc/ways"), exported.stdout).unwrap();
    let exported = found(&lab.machine, "texthash:/etc/postfix/ways", names);
    let addresses = names.iter().map(|name| format!("bob@{name}")).collect();
    let answers = postmap(&lab.machine, &DAEMON.replace(":tls", ":transport"), &addresses);
    for name in names {
        // `:` changes nothing, as no answer does.
        let way = exported.get(name).map(|(_, way)| way.as_str()).filter(|way| *way != ":");
        assert_eq!(way, answers.get(&format!("bob@{name}")).map(String::as_str), "{name}");
    }
    assert!(answers.len() > 10_000, "{}", answers.len());
}

on_each_postfix!(ten_thousand_policies_become_connectors);
