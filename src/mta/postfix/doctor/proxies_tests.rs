#![allow(clippy::unwrap_used, clippy::indexing_slicing)]
use super::inbound_tests::partners;
use super::sample::found_of;
use crate::model::inbound::Action;

#[test]
fn only_exempt_hosts_may_say_who_they_are() {
    for (hosts, command) in [
        ("", None),
        ("127.0.0.1, [::1]/128 !192.0.2.1", None),
        ("127.0.0.1 192.0.2.7", Some("127.0.0.1")),
        ("!192.0.2.1, 192.0.2.0/24 !!192.0.2.2", Some("!192.0.2.1")),
        ("cidr:/etc/postfix/proxies", Some("")),
        ("static:all, .a.example", Some("")),
    ] {
        let found = found_of(&format!("smtpd_authorized_xclient_hosts = {hosts}"), "", &partners());
        let found: Vec<_> = found.iter().map(|[id, .., command]| (id.as_str(), command.clone())).collect();
        let command = command.map(|kept| match kept {
            "!192.0.2.1" => "postconf -P 'smtp/inet/smtpd_authorized_xclient_hosts=!192.0.2.1'".to_owned(),
            kept => format!("postconf -P smtp/inet/smtpd_authorized_xclient_hosts={kept}"),
        });
        assert_eq!(
            found,
            command.map(|command| ("postfix-xclient", command)).into_iter().collect::<Vec<_>>(),
            "{hosts}"
        );
    }
    // Its own value is for this service, and nobody else's is anybody's here.
    for (service, expected) in [("smtp", 1), ("submission", 1), ("127.0.0.1:10025", 0)] {
        let own = format!("{service}/inet/smtpd_authorized_xclient_hosts = 192.0.2.7\n");
        let found = found_of("relayhost =", &own, &partners());
        assert_eq!(found.len(), expected, "{service}");
        assert!(found.iter().all(|[.., command]| command.is_empty()), "{found:?}");
    }
}

#[test]
fn hold_is_nothing_before_a_proxy_filter() {
    let held = || {
        let mut all = partners();
        all.inbound[1].on_violation = Action::Hold;
        all
    };
    for (own, all, names) in [
        ("smtp/inet/smtpd_proxy_filter = 127.0.0.1:10024\n", held(), Some("shows")),
        ("smtp/inet/smtpd_proxy_filter = 127.0.0.1:10024\n", partners(), None),
        ("smtp/inet/smtpd_proxy_filter = \n", held(), None),
        ("submission/inet/smtpd_proxy_filter = 127.0.0.1:10024\n", held(), Some("shows")),
        (
            "submission/inet/smtpd_proxy_filter = 127.0.0.1:10024\n\
             submission/inet/smtpd_client_restrictions = permit_sasl_authenticated,reject\n\
             submission/inet/smtpd_delay_reject = no\n",
            held(),
            None,
        ),
    ] {
        let found = found_of("relayhost =", own, &all);
        let found: Vec<_> = found.iter().map(|[id, _, names, _]| (id.as_str(), names.as_str())).collect();
        assert_eq!(found, names.map(|names| ("postfix-hold-dropped", names)).into_iter().collect::<Vec<_>>());
    }
}
