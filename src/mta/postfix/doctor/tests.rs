#![allow(clippy::unwrap_used)]

use super::sample::{POLICY, RIGHT, Reached, SERVICES, SOCKET, Shelf, found_of, serving};
use super::written_tests::written;
use super::*;
use crate::model::Level;
use crate::model::mta::TransportName;
use crate::model::sample::{agreements, connectors};
use crate::mta::postfix::settings::Said;
use crate::snapshot;

/// As [`found_of`], of outbound connectors.
fn found(main: &str, services: &str, outbound: Vec<Outbound>) -> Vec<[String; 4]> {
    found_of(main, services, &agreements(outbound, Vec::new()))
}

fn ids(main: &str, services: &str, texts: &[&str]) -> Vec<String> {
    found(main, services, connectors(texts)).into_iter().map(|[id, ..]| id).collect()
}

#[test]
fn right_settings_have_no_finding() {
    let all = ["encrypt of a.example", "secure x.example of b.example", "verify of c.example"];
    assert_eq!(ids("relayhost =", "", &all), [""; 0]);
}

#[test]
fn without_a_connector_there_is_nothing_to_go_round() {
    let without = "smtp_tls_policy_maps =";
    assert_eq!(ids(without, "", &["encrypt of a.example, off"]), [""; 0]);
    assert_eq!(ids(without, "", &["encrypt of a.example, report"]), ["postfix-policy-missing"]);
}

#[test]
fn the_table_is_ours_however_its_path_is_written() {
    for (value, expected) in [
        // The services are chrooted, and proxymap(8) is not.
        ("socketmap:unix:/connectord/socketmap.sock:tls", None),
        ("socketmap:unix:/var/spool/postfix/connectord/socketmap.sock:tls", Some("postfix-socket-path")),
        ("proxy:socketmap:unix:connectord/socketmap.sock:tls", None),
        ("proxy:socketmap:unix:/var/spool/postfix/connectord/socketmap.sock:tls", None),
        ("proxy:socketmap:unix:/connectord/socketmap.sock:tls", Some("postfix-socket-path")),
        ("socketmap:unix:connectord/socketmap.sock:tls hash:/etc/postfix/other", None),
        ("socketmap:unix:connectord/socketmap.sock:transport", Some("postfix-policy-missing")),
        ("socketmap:unix:other/socketmap.sock:tls", Some("postfix-policy-missing")),
        (
            "hash:/etc/postfix/tls, socketmap:unix:connectord/socketmap.sock:tls",
            Some("postfix-policy-before"),
        ),
        ("", Some("postfix-policy-missing")),
    ] {
        let found = ids(&format!("smtp_tls_policy_maps = {value}"), "", &["encrypt of a.example"]);
        assert_eq!(found, expected.into_iter().collect::<Vec<_>>(), "{value}");
    }
}

#[test]
fn other_tables_stay_behind_ours() {
    let found = found("smtp_tls_policy_maps = hash:/etc/a", "", connectors(&["encrypt of a.example"]));
    let [[_, place, names, command]] = &found[..] else { panic!("{found:?}") };
    assert_eq!((place.as_str(), names.as_str()), ("main.cf: smtp_tls_policy_maps = hash:/etc/a", "c0"));
    assert_eq!(
        command,
        "postconf -e 'smtp_tls_policy_maps = socketmap:unix:connectord/socketmap.sock:tls, hash:/etc/a'"
    );
}

#[test]
fn a_service_with_its_own_value_is_found_and_the_others_are_not_blamed() {
    let own = "relay/unix/smtp_fallback_relay = [x.example]\n";
    let all = || connectors(&["encrypt of a.example"]);
    let one = found("relayhost =", own, all());
    let [[id, place, _, command]] = &one[..] else { panic!("{one:?}") };
    assert_eq!(
        (id.as_str(), place.as_str()),
        ("postfix-fallback-relay", "master.cf: relay/unix: smtp_fallback_relay = [x.example]")
    );
    assert_eq!(command, "postconf -PX relay/unix/smtp_fallback_relay");
    // What main.cf says is nobody's when each service has its own, and mended with the last of these.
    let own = |value: &str| -> String {
        let own = |name| format!("{name}/unix/smtp_fallback_relay = {value}\n");
        ["smtp", "relay"].map(own).concat()
    };
    assert_eq!(found("smtp_fallback_relay = [x.example]", &own(""), all()).len(), 0);
    let both = found("smtp_fallback_relay = [x.example]", &own("[y.example]"), all());
    assert_eq!(both.len(), 2);
    assert!(both.iter().all(|[_, _, _, first]| first == "postconf -e 'smtp_fallback_relay = '"), "{both:?}");
    // Nobody's mail leaves by one to a content filter.
    let filter =
        "smtp-amavis/unix/smtp_tls_policy_maps = \nsmtp-amavis/unix/smtp_fallback_relay = [x.example]\n";
    assert_eq!(found("relayhost =", filter, all()).len(), 0);
}

#[test]
fn a_list_of_a_service_keeps_its_other_entries() {
    let list = |value: &str| format!("relay/unix/smtp_tls_policy_maps = {value}\n");
    let one = |value: &str| {
        let found = found("relayhost =", &list(value), connectors(&["encrypt of a.example"]));
        let [[.., command]] = &found[..] else { panic!("{found:?}") };
        command.clone()
    };
    assert_eq!(
        one("hash:/etc/strict,socketmap:unix:connectord/socketmap.sock:tls"),
        "postconf -P relay/unix/smtp_tls_policy_maps=socketmap:unix:connectord/socketmap.sock:tls,hash:/etc/strict"
    );
    // Which master.cf has no form for.
    assert_eq!(one("inline:{ {a.example = none} }"), "");
    // What was no UTF-8 is not written back.
    assert_eq!(one("hash:/etc/b\u{fffd}cher"), "");
}

/// The stricter form of contrib: a service that main.cf cannot weaken.
const OURS: &str = "transport_maps = socketmap:unix:connectord/socketmap.sock:transport";

#[test]
fn a_connector_with_its_own_service_is_not_about_others() {
    let relay = |service: &str| format!("{service}/unix/smtp_fallback_relay = [x.example]\n");
    let mut all = agreements(connectors(&["encrypt of a.example"]), Vec::new());
    all.outbound.first_mut().unwrap().transport = TransportName::parse("connectord-smtp");
    assert_eq!(found_of(OURS, &relay("smtp"), &all).len(), 0);
    assert_eq!(found_of(OURS, &relay("connectord-smtp"), &all).len(), 1);
    // Nobody sends its mail there without the transport map.
    let found = found_of("transport_maps =", "", &all);
    assert_eq!(found.iter().map(|[id, ..]| id.as_str()).collect::<Vec<_>>(), ["postfix-other-way"]);
    // For `*` the map has no answer.
    all.outbound.extend(connectors(&["encrypt of *"]));
    all.outbound.last_mut().unwrap().transport = TransportName::parse("connectord-smtp");
    assert_eq!(found_of(OURS, "smtp/unix/smtp_tls_policy_maps = \n", &all).len(), 1);

    let mut all = agreements(connectors(&["encrypt of a.example"]), Vec::new());
    all.mta.transport = TransportName::parse("connectord-smtp").unwrap();
    assert_eq!(found_of(OURS, &relay("smtp"), &all).len(), 0);
    assert_eq!(found_of(OURS, &relay("connectord-smtp"), &all).len(), 1);
}

#[test]
fn more_than_what_was_told_is_no_fault() {
    let mut all = agreements(connectors(&["secure x.example of a.example"]), Vec::new());
    for (told, level, count) in [
        (Level::May, "dane", 0),
        (Level::May, "Encrypt", 0),
        (Level::May, "none", 1),
        (Level::May, "", 1),
        (Level::Encrypt, "may", 1),
        (Level::Encrypt, "dane", 1),
        (Level::Encrypt, "dane-only", 0),
    ] {
        all.mta.level = told;
        assert_eq!(
            found_of(&format!("smtp_tls_security_level = {level}"), "", &all).len(),
            count,
            "{told:?} {level}"
        );
    }
}

#[test]
fn booleans_are_what_postfix_takes_for_them() {
    for main in ["tls_required_enable = No", "smtp_connection_cache_on_demand = NO"] {
        assert_eq!(ids(main, "", &["encrypt of a.example"]), [""; 0], "{main}");
    }
}

#[test]
fn the_session_cache_is_that_of_tlsmgr() {
    let all = ["secure x.example of b.example"];
    let cache = "_tls_session_cache_database = btree:/x\n";
    assert_eq!(ids("relayhost =", &format!("relay/unix/smtp{cache}"), &all), [""; 0], "nobody reads it");
    assert_eq!(ids("relayhost =", &format!("tlsmgr/unix/smtp{cache}"), &all), ["postfix-session-cache"]);
    let own: String =
        ["smtp", "relay"].map(|name| format!("{name}/unix/smtp_tls_session_cache_database = \n")).concat();
    assert_eq!(ids("smtp_tls_session_cache_database = btree:/x", &own, &all), ["postfix-session-cache"]);
}

#[test]
fn who_decides_is_trivial_rewrite() {
    let own = "rewrite/unix/transport_maps = hash:a.example=smtp:[x.example]\n";
    let found = found(OURS, own, connectors(&["secure a.example of a.example", "encrypt of *"]));
    let [[id, place, names, command]] = &found[..] else { panic!("{found:?}") };
    assert_eq!(
        (id.as_str(), place.as_str(), names.as_str()),
        (
            "postfix-other-way",
            "master.cf: rewrite/unix: transport_maps = hash:a.example=smtp:[x.example]",
            "c0"
        )
    );
    assert_eq!(
        command,
        "postconf -P 'rewrite/unix/transport_maps=socketmap:unix:connectord/socketmap.sock:transport,\
         hash:a.example=smtp:[x.example]'"
    );
}

#[test]
fn only_those_are_named_that_miss_something() {
    let texts =
        ["encrypt of a.example", "secure x.example of b.example", "verify of c.example, through [h.example]"];
    for (main, id, names) in [
        ("smtp_tls_CAfile =", "postfix-authorities", "c1 c2"),
        ("relay_transport = relay:[x.example]", "postfix-other-way", "c0 c1"),
        ("smtp_tls_session_cache_database = btree:/x", "postfix-session-cache", "c1 c2"),
        ("default_transport = smtp:", "postfix-other-way", "c2"),
        ("default_transport = smtp:[x.example]", "postfix-other-way", "c0 c1 c2"),
        ("smtp_tls_security_level =", "postfix-level", "c0 c1 c2"),
    ] {
        let found = found(main, "", connectors(&texts));
        let found =
            found.iter().find(|[found, ..]| found == id).unwrap_or_else(|| panic!("{main}: {found:?}"));
        assert_eq!(found.get(2).map(String::as_str), Some(names), "{main}");
    }
}

#[test]
fn a_setting_that_this_version_does_not_have_is_no_fault() {
    let main: String = RIGHT
        .lines()
        .filter(|line| !line.starts_with("tls_required"))
        .map(|line| format!("{line}\n"))
        .collect();
    let said = Said { main: &main, main_written: &main, services: SERVICES, ..Said::default() };
    let settings = Settings::parse(&said).unwrap();
    let agreements = agreements(connectors(&["encrypt of a.example"]), Vec::new());
    let [socketmap, policy] = [SOCKET, POLICY].map(|path| [PathBuf::from(path)]);
    let snapshot = snapshot::compile(&agreements, 0, String::new()).unwrap();
    let mut patient = Patient {
        settings: &settings,
        agreements: &agreements,
        snapshot: &snapshot,
        tables: &Shelf,
        sockets: &Reached,
        serving: &serving(),
        written: &written(),
        order: &Order::Fine,
        socketmap: &socketmap,
        policy: &policy,
        authorities: None,
        config_directory: None,
    };
    assert_eq!(examine(&patient), []);
    patient.config_directory = Some(Path::new("/etc/postfix two"));
    assert_eq!(patient.set("relayhost", "it's"), r"postconf -c '/etc/postfix two' -e 'relayhost = it'\''s'");
    assert_eq!(patient.reload(), "postfix -c '/etc/postfix two' reload");
    // No path is right for a chrooted smtp(8).
    let outside = [PathBuf::from("/run/connectord/socketmap.sock")];
    patient.socketmap = &outside;
    assert_eq!(patient.as_asked(&outside, patient.clients(&Ways::of(&patient))), None);
    let [finding] = &examine(&patient)[..] else { panic!() };
    assert_eq!((finding.kind.id, finding.mend.len()), ("postfix-policy-missing", 0));
}
