#![allow(clippy::unwrap_used)]
use super::leads_to;
use super::sample::found_of;
use crate::model::Pattern;
use crate::model::sample::{agreements, connectors};

const SOCKETMAP: &str = "socketmap:unix:connectord/socketmap.sock";

/// The kinds and the connectors of what is found with this line of main.cf.
fn found(main: &str, texts: &[&str]) -> Vec<String> {
    let all = agreements(connectors(texts), Vec::new());
    found_of(main, "", &all).into_iter().map(|[id, _, names, _]| format!("{id} {names}")).collect()
}

#[test]
fn a_next_hop_that_the_connector_knows_is_no_detour() {
    let texts = [
        "encrypt of a.example, through [relay.lab]:587",
        "secure .b.example of *.b.example",
        "encrypt of c.example, report",
    ];
    for (main, expected) in [
        // Its smart host at another port, but the way is not the one that it says.
        ("relayhost = [relay.lab]", vec!["postfix-other-way c0 c1"]),
        // What is demanded of that host is as much as c2 demands.
        ("relayhost = [mx.b.example]:25", vec!["postfix-other-way c0"]),
        ("relayhost = b.example, [mx.b.example]", vec!["postfix-other-way c0"]),
        ("relayhost = [mx.b.example], [other.lab]", vec!["postfix-other-way c0 c1 c2"]),
        ("default_transport = smtp:[mx.b.example]", vec!["postfix-other-way c0"]),
        ("smtp_fallback_relay = [relay.lab]:26", vec!["postfix-other-way c0", "postfix-fallback-relay c1"]),
    ] {
        let mut found = found(main, &texts);
        found.sort_by_key(|found| found.contains("fallback"));
        assert_eq!(found, expected, "{main}");
    }
}

#[test]
fn a_transport_table_counts_for_those_that_it_has_an_entry_for() {
    let texts = ["encrypt of a.example", "encrypt of *.b.example"];
    let ours = format!("{SOCKETMAP}:transport");
    for (value, expected) in [
        ("hash:other.example=smtp:[r.lab]", vec![]),
        ("hash:a.example=smtp:[r.lab]", vec!["postfix-other-way c0"]),
        ("hash:A.Example=smtp:[r.lab]", vec!["postfix-other-way c0"]),
        ("hash:.b.example=relay:[r.lab]", vec!["postfix-other-way c1"]),
        ("hash:deep.sub.b.example=:[r.lab]", vec!["postfix-other-way c1"]),
        ("hash:boss@a.example=smtp:[r.lab]", vec!["postfix-other-way c0"]),
        ("hash:.example=smtp:[r.lab]", vec!["postfix-other-way c0 c1"]),
        ("hash:*=smtp:[r.lab]", vec!["postfix-other-way c0 c1"]),
        // A static copy of the answers; what goes nowhere; what only names another service of smtp(8).
        ("texthash:{ a.example=smtp: .b.example=smtp: }", vec![]),
        ("hash:{ a.example=error:closed b.example=: }", vec![]),
        ("hash:a.example=lmtp:unix:/x", vec!["postfix-other-way c0"]),
        ("hash:a.example=connectord-smtp:", vec![]),
        // What cannot be listed, or asked.
        ("pcre:other=x:", vec!["postfix-way-unseen c0 c1"]),
        ("pcre:connectord-doctor@a.example=smtp:[r.lab]", vec!["postfix-other-way c0"]),
        ("pcre:a.example=smtp:[r.lab]", vec!["postfix-way-unseen c0 c1"]),
        ("cdb:a.example=smtp:[r.lab]", vec!["postfix-other-way c0"]),
        ("cdb:a.example=late", vec!["postfix-way-unseen c0 c1"]),
        ("fail:x", vec!["postfix-other-way c0 c1"]),
        ("proxy:hash:a.example=smtp:[r.lab]", vec!["postfix-other-way c0"]),
    ] {
        assert_eq!(found(&format!("transport_maps = {value}"), &texts), expected, "{value}");
        let after = format!("transport_maps = {ours}, {value}");
        assert_eq!(found(&after, &texts), [""; 0], "{after}");
    }
    // The daemon knows the whole address, which is asked for first: before it only other addresses count.
    for (value, expected) in [
        ("hash:a.example=smtp:[r.lab]", vec![]),
        ("hash:*=smtp:[r.lab]", vec![]),
        ("hash:boss@a.example=smtp:[r.lab]", vec!["postfix-other-way c0"]),
        ("pcre:other=x:", vec!["postfix-way-unseen c0 c1"]),
        ("fail:x", vec!["postfix-other-way c0 c1"]),
    ] {
        assert_eq!(found(&format!("transport_maps = {value}, {ours}"), &texts), expected, "{value} before");
    }
}

#[test]
fn who_is_not_relayed_has_nothing_to_do_with_the_transport_for_it() {
    let texts = ["encrypt of a.example", "encrypt of *.b.example", "encrypt of c.example"];
    for (domains, expected) in [
        ("other.example", vec![]),
        ("A.example", vec!["postfix-other-way c0"]),
        // Of those that are relayed some are below the connector's name, or the connector's below theirs.
        ("x.b.example other.example", vec!["postfix-other-way c1"]),
        (".b.example", vec!["postfix-other-way c1"]),
        ("example", vec!["postfix-other-way c0 c1 c2"]),
        ("other.example, hash:/etc/postfix/relay_domains", vec!["postfix-other-way c0 c1 c2"]),
        ("!a.example, other.example", vec!["postfix-other-way c0 c1 c2"]),
    ] {
        let main = format!("relay_domains = {domains}\nrelay_transport = relay:[r.lab]");
        let found = found(&main, &texts);
        assert_eq!(found, expected, "{domains}");
    }
}

#[test]
fn a_table_by_sender_counts_where_no_transport_table_does() {
    let texts = ["encrypt of a.example"];
    for (value, expected) in [
        ("hash:", vec![]),
        ("hash:me@ours.example=DUNNO", vec![]),
        ("hash:me@ours.example=[mx.a.example]", vec!["postfix-other-way c0"]),
        ("hash:me@ours.example=a.example", vec![]),
        ("pcre:other=[r.lab]", vec!["postfix-other-way c0"]),
        ("fail:x", vec!["postfix-other-way c0"]),
    ] {
        assert_eq!(found(&format!("sender_dependent_relayhost_maps = {value}"), &texts), expected, "{value}");
    }
    for (value, expected) in [
        ("hash:me@ours.example=smtp:", vec![]),
        ("hash:me@ours.example=smtp:[r.lab]", vec!["postfix-other-way c0"]),
    ] {
        let main = format!("sender_dependent_default_transport_maps = {value}");
        assert_eq!(found(&main, &texts), expected, "{value}");
    }
}

#[test]
fn a_policy_table_before_the_daemon_counts_for_those_that_it_has_an_entry_for() {
    let texts = [
        "encrypt of a.example, through [relay.lab]:587",
        "secure .b.example of *.b.example",
        "encrypt of *",
        "encrypt of c.example, report",
    ];
    for (value, expected) in [
        ("hash:", vec!["postfix-policy-before c0 c1 c2 c3"]),
        ("hash:a.example=none", vec!["postfix-policy-order c0"]),
        ("hash:a.example=secure", vec!["postfix-policy-before c0 c1 c2 c3"]),
        ("hash:sub.b.example=encrypt", vec!["postfix-policy-order c1"]),
        // For a name below b.example the daemon has the answer before anybody is asked for the parent.
        ("hash:.b.example=none", vec!["postfix-policy-before c0 c1 c2 c3"]),
        ("hash:other.example=may", vec!["postfix-policy-order c2"]),
        ("hash:[relay.lab]:587=may", vec!["postfix-policy-order c0 c2"]),
        ("hash:[relay.lab]:26=may", vec!["postfix-policy-order c0 c2"]),
        ("pcre:c.example=may", vec!["postfix-policy-order c2 c3"]),
        ("fail:x", vec!["postfix-policy-order c0 c1 c2 c3"]),
    ] {
        let main = format!("smtp_tls_policy_maps = {value}, {SOCKETMAP}:tls");
        let mut found = found(&main, &texts);
        found.retain(|found| !found.contains("other-way"));
        assert_eq!(found, expected, "{value}");
    }
}

#[test]
fn a_static_copy_of_the_answers_is_as_good_while_it_is_one() {
    let texts = ["encrypt of a.example", "secure *.b.example of *.b.example"];
    let policy = "{secure match=b.example:.b.example}";
    for (value, expected) in [
        ("{a.example=encrypt} { b.example = P } { .b.example = P }", vec![]),
        ("{ b.example = P } { .b.example = P }", vec!["postfix-policy-missing c0"]),
        ("{a.example=encrypt} { b.example = P }", vec!["postfix-policy-missing c1"]),
        (
            "{a.example=encrypt} { b.example = P } { .b.example = P } { x.b.example = may }",
            vec!["postfix-policy-missing c1"],
        ),
    ] {
        let value = value.replace('P', policy.trim_matches(['{', '}']));
        let main = format!("smtp_tls_policy_maps = texthash:{{ {value} }}");
        assert_eq!(found(&main, &texts), expected, "{value}");
    }
    // What is not listed could say anything of other names.
    let all = "{a.example=encrypt} { b.example = P } { .b.example = P }"
        .replace('P', policy.trim_matches(['{', '}']));
    let cdb = format!("smtp_tls_policy_maps = cdb:{{ {all} }}");
    assert_eq!(found(&cdb, &texts), ["postfix-policy-unseen c0 c1"]);
    let late = cdb.replace("a.example=encrypt", "a.example=late");
    assert_eq!(found(&late, &texts), ["postfix-policy-unseen c0 c1"]);
    assert_eq!(
        found("smtp_tls_policy_maps = pcre:a.example=encrypt", &texts),
        ["postfix-policy-missing c0 c1"]
    );
}

#[test]
fn what_is_ours_is_not_sent_out() {
    let texts = ["encrypt of *.a.example", "encrypt of b.example, report", "encrypt of *"];
    let ours = format!("\ntransport_maps = {SOCKETMAP}:transport");
    for (main, expected) in [
        ("mydestination = localhost, ours.example", vec![]),
        ("mydestination = localhost, sub.A.example", vec!["postfix-own-domain c0"]),
        ("mydestination = b.example sub.a.example", vec!["postfix-own-domain c0 c1"]),
        ("mydestination = hash:/etc/x, /etc/y !a.example", vec![]),
        ("virtual_mailbox_domains = a.example", vec!["postfix-own-domain c0"]),
    ] {
        assert_eq!(found(&format!("{main}{ours}"), &texts), expected, "{main}");
        assert_eq!(found(main, &texts), [""; 0], "without the map: {main}");
    }
}

#[test]
fn the_map_of_ways_is_where_trivial_rewrite_finds_it() {
    for (path, expected) in [
        ("connectord/socketmap.sock", vec![]),
        ("/connectord/socketmap.sock", vec![]),
        ("/var/spool/postfix/connectord/socketmap.sock", vec!["postfix-socket-path c0"]),
    ] {
        let main = format!("transport_maps = socketmap:unix:{path}:transport");
        assert_eq!(found(&main, &["encrypt of a.example"]), expected, "{path}");
    }
}

#[test]
fn tls_through_nobody_is_an_outage() {
    for (main, expected) in [
        ("smtp_tls_connection_reuse = no", vec![]),
        ("smtp_tls_connection_reuse = Yes", vec!["postfix-tlsproxy-missing c0"]),
    ] {
        assert_eq!(found(main, &["encrypt of a.example"]), expected, "{main}");
    }
}

#[test]
fn a_list_of_a_million_leaves_names_for_the_others() {
    let mut all = agreements(connectors(&["encrypt of a.example", "encrypt of b.example"]), Vec::new());
    let many = (0..30_000).map(|number| Pattern::parse(&format!("{number}.many.example")).unwrap());
    all.outbound.first_mut().unwrap().domains = many.collect::<Vec<_>>().into();
    let names = |main: &str| -> Vec<String> {
        let found = found_of(main, "", &all).into_iter();
        found.map(|[id, _, names, _]| format!("{id} {names}")).collect()
    };
    assert_eq!(names("transport_maps = hash:b.example=smtp:[r.lab]"), ["postfix-other-way c1"]);
    assert_eq!(names("transport_maps = hash:29999.many.example=smtp:[r.lab]"), ["postfix-other-way c0"]);
    assert_eq!(names("transport_maps = cdb:b.example=smtp:[r.lab]"), ["postfix-other-way c1"]);
    // Of those that nobody was asked for nothing is known.
    assert_eq!(names("transport_maps = cdb:29999.many.example=smtp:[r.lab]"), ["postfix-way-unseen c0 c1"]);
    assert_eq!(names("relayhost ="), [""; 0]);
    assert_eq!(names("smtp_tls_policy_maps ="), ["postfix-policy-missing c0 c1"]);
}

#[test]
fn a_long_table_leaves_names_for_the_connectors() {
    let texts = ["encrypt of z.example", "encrypt of *"];
    let entries = |first: &str| {
        let many: String = (0..25_000).map(|number| format!(" {number}.example=encrypt")).collect();
        format!("smtp_tls_policy_maps = texthash:{{ {first} connectord-doctor.invalid=encrypt{many} }}")
    };
    assert_eq!(found(&entries("z.example=encrypt"), &texts), ["postfix-policy-unseen c0 c1"]);
    assert_eq!(found(&entries("z.example=may"), &texts), ["postfix-policy-missing c0 c1"]);
}

#[test]
fn a_directory_may_have_two_names() {
    let top = tempfile::tempdir().unwrap();
    let at = |name: &str| top.path().join(name);
    std::fs::create_dir_all(at("real/connectord")).unwrap();
    std::fs::create_dir(at("run")).unwrap();
    for (target, link) in [("real", "queue"), ("run", "real/linked")] {
        std::os::unix::fs::symlink(at(target), at(link)).unwrap();
    }
    let absolute = at("real/connectord/s").display().to_string();
    for (path, is_chrooted, socket, expected) in [
        ("connectord/s", true, "real/connectord/s", true),
        ("connectord/s", false, "real/connectord/s", true),
        ("/connectord/s", true, "real/connectord/s", true),
        ("/connectord/s", false, "real/connectord/s", false),
        (absolute.as_str(), false, "queue/connectord/s", true),
        ("connectord/other", false, "real/connectord/s", false),
        // A link out of the chroot leads nowhere in it.
        ("linked/s", false, "run/s", true),
        ("linked/s", true, "run/s", false),
    ] {
        assert_eq!(
            leads_to(&at("queue"), path, is_chrooted, &[at(socket)]),
            expected,
            "{path} {is_chrooted}"
        );
    }
}
