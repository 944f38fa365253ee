#![allow(clippy::unwrap_used)]
use super::sample::found_of;
use crate::model::sample::{agreements, connectors};

/// Kind, place, connectors and first command of what is found.
fn found(main: &str, own: &str, texts: &[&str]) -> Vec<[String; 4]> {
    found_of(main, own, &agreements(connectors(texts), Vec::new()))
}

/// The kinds alone.
fn ids(main: &str, own: &str, texts: &[&str]) -> Vec<String> {
    found(main, own, texts).into_iter().map(|[id, ..]| id).collect()
}

#[test]
fn mail_to_what_main_cf_takes_for_ours_leaves_by_smtp_alone() {
    let texts = ["encrypt of *.a.example", "encrypt of b.example"];
    let relay = "smtp:[relay.lab]";
    for (list, transport, way, names) in [
        ("virtual_mailbox_domains", "virtual_transport", relay, "c0 c1"),
        ("mydestination", "local_transport", relay, "c0 c1"),
        // The host is one that the connector is about.
        ("virtual_mailbox_domains", "virtual_transport", "smtp:[mx.a.example]", ""),
        ("virtual_mailbox_domains", "virtual_transport", "virtual", ""),
        ("virtual_mailbox_domains", "virtual_transport", "smtp:[127.0.0.1]:2526", ""),
        ("virtual_mailbox_domains", "virtual_transport", "lmtp:unix:private/dovecot", ""),
    ] {
        let value = "other.example, Sub.A.example b.example, hash:/etc/x";
        let main = format!("{list} = {value}\n{transport} = {way}");
        let found = found(&main, "", &texts);
        let found: Vec<_> =
            found.iter().map(|[id, place, names, command]| (&**id, &**place, &**names, &**command)).collect();
        let place = format!("main.cf: {list} = {value}");
        let command =
            "postconf -e 'relay_domains = hash:/etc/postfix/relay_domains, Sub.A.example, b.example'";
        let expected = ("postfix-other-way", place.as_str(), names, command);
        let expected: Vec<_> = Some(expected).into_iter().filter(|_| !names.is_empty()).collect();
        assert_eq!(found, expected, "{transport} = {way}");
    }
    // A service that asks nobody is one that mail leaves by.
    let main = "virtual_mailbox_domains = b.example\nvirtual_transport = smtp-amavis";
    let own = "smtp-amavis/unix/smtp_tls_policy_maps = \n";
    assert_eq!(ids(main, own, &texts), ["postfix-policy-missing"]);
}

#[test]
fn a_filter_without_a_host_is_a_way_out() {
    let own = "smtp-amavis/unix/smtp_tls_policy_maps = \n";
    for (value, expected) in [
        ("smtp-amavis:", vec!["postfix-policy-missing"]),
        ("smtp-amavis", vec!["postfix-policy-missing"]),
        ("smtp-amavis:[127.0.0.1]:10024", vec![]),
    ] {
        assert_eq!(
            ids(&format!("content_filter = {value}"), own, &["encrypt of a.example"]),
            expected,
            "{value}"
        );
    }
}

#[test]
fn a_filter_before_the_queue_is_on_this_host() {
    let texts = ["encrypt of a.example", "may of b.example"];
    for (value, is_found) in [
        ("", false),
        ("127.0.0.1:10024", false),
        ("inet:localhost:10024", false),
        ("unix:private/filter", false),
        (":10024", false),
        ("10024", false),
        ("INET:10024", false),
        ("192.0.2.1:10024", true),
        ("inet:filter.lab:10024", true),
    ] {
        let found = found(&format!("smtpd_proxy_filter = {value}"), "", &texts);
        let found: Vec<_> = found.iter().map(|[id, _, names, _]| (&**id, &**names)).collect();
        let expected = Some(("postfix-content-filter", "c0")).filter(|_| is_found);
        assert_eq!(found, expected.into_iter().collect::<Vec<_>>(), "{value}");
    }
}

#[test]
fn records_are_asked_for_and_obeyed_or_dane_is_nothing() {
    for (main, dane, dane_only) in [
        ("smtp_host_lookup = dns", 0, 0),
        ("smtp_host_lookup = native, DNS", 0, 0),
        ("smtp_host_lookup = native", 1, 1),
        ("ignore_mx_lookup_error = no", 0, 0),
        ("ignore_mx_lookup_error = yes", 1, 1),
        ("tls_dane_digests = sha512 sha256", 0, 0),
        ("tls_dane_digests = sha256=1, sha512=2", 0, 0),
        // `dane-only` waits then, as for any host whose records are of no use.
        ("tls_dane_digests = sha512", 1, 0),
    ] {
        for (text, kind, count) in [
            ("dane of a.example", "postfix-dane-ignored", dane),
            ("dane-only of a.example", "postfix-dane-waits", dane_only),
            ("encrypt of a.example", "", 0),
        ] {
            let main = format!("{main}\nsmtp_dns_support_level = dnssec");
            let found = ids(&main, "", &[text]);
            assert_eq!(found, vec![kind; count], "{main}: {text}");
        }
    }
}

#[test]
fn the_name_of_the_host_is_main_cfs_where_there_is_no_other() {
    let texts = ["verify of a.example", "secure x.example of b.example"];
    for (value, names) in
        [("hostname", ""), ("Hostname", ""), ("hostname, .example", "c0"), ("dot-nexthop, nexthop", "")]
    {
        let found = found(&format!("smtp_tls_verify_cert_match = {value}"), "", &texts);
        let found: Vec<_> = found.iter().map(|[id, _, names, _]| (&**id, &**names)).collect();
        let expected = Some(("postfix-host-name", names)).filter(|_| !names.is_empty());
        assert_eq!(found, expected.into_iter().collect::<Vec<_>>(), "{value}");
    }
}

#[test]
fn what_comes_back_stays_here() {
    for (value, count) in [
        ("", 0),
        ("local", 0),
        ("virtual:", 0),
        ("lmtp:unix:private/dovecot", 0),
        ("error:5.4.6 a loop", 0),
        ("smtp:[127.0.0.1]:10026", 0),
        ("smtp:[relay.lab]", 1),
    ] {
        let found = found(&format!("best_mx_transport = {value}"), "", &["encrypt of a.example"]);
        assert_eq!(found.len(), count, "{value}: {found:?}");
    }
}
