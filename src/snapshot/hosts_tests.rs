//! What is demanded at a smart host, and of whom.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use super::*;
use crate::model::NextHop;
use crate::model::sample::{agreements, connectors};
use crate::snapshot::{Snapshot, compile};

fn load(texts: &[&str]) -> Snapshot {
    compile(&agreements(connectors(texts), Vec::new()), 1, String::new()).unwrap()
}

/// `POLICY by c0 c1`, or nothing.
fn told(hosts: &Hosts, host: &str, bare: bool) -> String {
    let host = NextHop::parse(host).unwrap().host().clone();
    hosts.find(&host, bare).map_or_else(String::new, |answer| {
        let owners: Vec<String> = answer.connectors.iter().map(|number| format!("c{number}")).collect();
        format!("{} by {}", answer.policy, owners.join(" "))
    })
}

#[test]
fn a_host_is_answered_with_the_join_of_who_uses_it_and_who_owns_it() {
    let h = "[h.q]";
    // the connectors; at the host h.q by keys with brackets or a port, and by the bare key
    let table: [(&str, &[&str], &str, &str); 17] = [
        ("one user", &["encrypt of a.x, through [h.q]"], "encrypt by c0", ""),
        ("whatever the port", &["encrypt of a.x, through [h.q]:587"], "encrypt by c0", ""),
        (
            "one that is asked for as a domain",
            &["encrypt of a.x, through h.q"],
            "encrypt by c0",
            "encrypt by c0",
        ),
        ("by MX, but with a port", &["encrypt of a.x, through h.q:26"], "encrypt by c0", ""),
        ("another host", &["encrypt of a.x, through [i.q]"], "", ""),
        (
            "all users",
            &["encrypt of a.x, through [h.q]", "verify of b.x, through [h.q]:587"],
            "verify by c0 c1",
            "",
        ),
        (
            "the bare key can only come from some of them",
            &["verify of a.x, through [h.q]", "encrypt of b.x, through h.q"],
            "verify by c0 c1",
            "encrypt by c1",
        ),
        (
            "one user in two ways is one user",
            &["encrypt of a.x, through h.q [h.q]"],
            "encrypt by c0",
            "encrypt by c0",
        ),
        ("in whichever order", &["encrypt of a.x, through [h.q] h.q"], "encrypt by c0", "encrypt by c0"),
        ("on two ports", &["encrypt of a.x, through [h.q]:25 [h.q]:26"], "encrypt by c0", ""),
        (
            "the owner of the host's name",
            &["encrypt of a.x, through [h.q]", "secure h.q of *.q"],
            "secure match=h.q by c0 c1",
            "",
        ),
        ("the user is the owner", &["encrypt of *.q, through [h.q]"], "encrypt by c0", ""),
        (
            "an owner that excepts the name is none; then the next wider one is",
            &["encrypt of a.x, through [h.q]", "secure h.q of *.q, except h.q", "encrypt of *"],
            "encrypt by c0 c2",
            "",
        ),
        (
            "an owner that the user overrides is left out, but not for the bare key",
            &["encrypt of a.x, through h.q, overrides c1", "secure h.q of *.q"],
            "encrypt by c0",
            "secure match=h.q by c0 c1",
        ),
        (
            "then the next wider one is asked",
            &["encrypt of a.x, through [h.q], overrides c1", "secure h.q of *.q", "encrypt of *"],
            "encrypt by c0 c2",
            "",
        ),
        (
            "all users must override it",
            &[
                "encrypt of a.x, through [h.q], overrides c2",
                "encrypt of b.x, through [h.q]",
                "secure h.q of *.q",
            ],
            "secure match=h.q by c0 c1 c2",
            "",
        ),
        (
            "the domain asked for is the host, where it is compared",
            &["secure domain of a.x, through [h.q]", "encrypt of b.x, through [h.q]"],
            "secure match=h.q:.h.q by c0 c1",
            "",
        ),
    ];
    for (name, texts, routed, bare) in table {
        let snapshot = load(texts);
        let hosts = snapshot.enforced().hosts();
        assert_eq!([told(hosts, h, false), told(hosts, h, true)], [routed, bare], "{name}");
    }
}

#[test]
fn an_address_is_owned_by_the_connector_for_everything() {
    let alone = load(&["secure domain of a.x, through [192.0.2.1]:587", "verify of *.b.x"]);
    let among = load(&["secure domain of a.x, through [192.0.2.1]", "verify of *"]);
    for (snapshot, expected) in [
        (&alone, "secure match=nexthop:dot-nexthop by c0"),
        // No name of a host, so the domain asked for cannot be spelt out.
        (&among, "secure match=nexthop:dot-nexthop by c0 c1"),
    ] {
        let hosts = snapshot.enforced().hosts();
        assert_eq!(told(hosts, "[192.0.2.1]", false), expected);
        assert_eq!(told(hosts, "[192.0.2.1]", true), "", "a bare address is no next-hop of a domain");
        assert_eq!(told(hosts, "[192.0.2.2]", false), "");
        assert!(hosts.find_address("192.0.2.1".parse().unwrap()).is_some());
        assert!(hosts.find_address("192.0.2.2".parse().unwrap()).is_none());
    }
}

#[test]
fn the_domain_asked_for_stays_where_one_connector_answers() {
    let snapshot = load(&["secure domain of a.x, through [h.q]"]);
    assert_eq!(told(snapshot.enforced().hosts(), "[h.q]", false), "secure match=nexthop:dot-nexthop by c0");
}

#[test]
fn reporting_connectors_are_listed_and_not_joined() {
    let snapshot = load(&[
        "encrypt of a.x, through [h.q], report",
        "verify of b.x, through [h.q] i.q, report",
        "verify of c.x, through [j.q]",
        "verify of d.x, through [h.q], off",
    ]);
    let reported = snapshot.reported().hosts();
    assert_eq!(told(reported, "[h.q]", false), "encrypt by c0 c1", "the first one's demand");
    assert_eq!(told(reported, "i.q", true), "verify by c1");
    assert_eq!(told(reported, "[j.q]", false), "");
    let enforced = snapshot.enforced().hosts();
    assert_eq!([told(enforced, "[h.q]", false), told(enforced, "i.q", true)], ["", ""]);
    assert_eq!(told(enforced, "[j.q]", false), "verify by c2");
}

#[test]
fn every_host_is_named_with_the_keys_that_it_answers() {
    let snapshot = load(&["encrypt of a.x, through [h.q]:587 i.q [192.0.2.1]"]);
    let hosts = snapshot.enforced().hosts();
    let all = |bare| hosts.iter(bare).map(|host| host.to_string()).collect::<BTreeSet<_>>();
    assert_eq!(all(false), ["192.0.2.1", "h.q", "i.q"].map(str::to_owned).into());
    assert_eq!(all(true), ["i.q".to_owned()].into());
    assert!(hosts.find_name("i.q", true).is_some() && hosts.find_name("h.q", true).is_none());
    assert!(hosts.find_name("h.q", false).is_some() && hosts.find_name("x.q", false).is_none());
}

#[test]
fn demands_that_cannot_be_one_answer_are_a_conflict_of_the_first_user() {
    let texts = [
        "encrypt of x.x",
        "secure a.b of a.x, through [h.q]",
        "secure c.d of b.x, through [h.q]",
        "secure e.f of *.q",
    ];
    let conflicts = compile(&agreements(connectors(&texts), Vec::new()), 1, String::new()).err().unwrap();
    let told: Vec<(usize, &str, &str)> =
        conflicts.iter().map(|found| (found.connector, found.key, found.message.as_str())).collect();
    let message = "mail through h.q must satisfy `c2` and `c3` too, and no certificate name satisfies all `match` lists";
    assert_eq!(told, [(1, "route", message)]);
}

#[test]
fn a_reply_has_a_longest_length() {
    // A connector whose reply has so many bytes: `secure match=` and names with colons between.
    let connector = |bytes: usize| {
        let names = bytes - "secure match=".len();
        let hundreds = (0..names / 100).map(|number| format!("{number:060}.{}.c", "b".repeat(36)));
        let rest = format!("{}.{}.c", "a".repeat(40), "a".repeat(names % 100 - 43));
        let names: Vec<String> = hundreds.chain([rest]).collect();
        connectors(&[&format!("secure {} of a.x, through [h.q]", names.join(" "))])
    };
    let conflicts = |bytes: usize| match compile(&agreements(connector(bytes), Vec::new()), 1, String::new())
    {
        Ok(snapshot) => {
            assert_eq!(snapshot.policy(0).len(), bytes);
            Vec::new()
        }
        Err(conflicts) => conflicts.into_iter().map(|found| (found.key, found.message)).collect(),
    };
    assert_eq!(conflicts(60_000), []);
    let host = "the reply for h.q would have 60001 bytes; 60000 is the most".to_owned();
    let own = "the reply to Postfix would have 60001 bytes; 60000 is the most".to_owned();
    assert_eq!(conflicts(60_001), [("route", host), ("tls", own)]);
}
