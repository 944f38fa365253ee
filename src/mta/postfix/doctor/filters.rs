//! Content filters behind the queue (FILTER_README). All mail goes to the filter first, under the name of its host; what it
//! gives back is sent on as if it were new, and the connectors are asked then.

use std::net::IpAddr;

use super::kinds::CONTENT_FILTER;
use super::ways::{Ways, hops};
use super::{Patient, Set, finding};
use crate::model::Mode;
use crate::model::host::{Key, KeyHost};
use crate::mta::finding::Finding;
use crate::mta::postfix::settings::{Service, tables};
use crate::protocol::escape::printable;

/// Programs that put mail into the queue, and say by which filter it has to go.
const TAKES_IN: [&str; 3] = ["smtpd", "pickup", "qmqpd"];

/// Enough of a value to know it again.
const WORDS: usize = 100;

/// Filters that are asked by smtp(8) on another host: on the way there mail is as safe as that host's connector makes it. A
/// filter on this one, or one that a program is run for, is nobody's here.
pub(super) fn filters(patient: &Patient<'_>, ways: &mut Ways) -> Vec<Finding> {
    let taking_in = TAKES_IN.iter().flat_map(|program| patient.settings.running(program));
    taking_in.filter_map(|service| filter(patient, ways, service)).collect()
}

fn filter<'p>(patient: &Patient<'p>, ways: &mut Ways, taking_in: &'p Service) -> Option<Finding> {
    const NAME: &str = "content_filter";
    let value = patient.settings.of(taking_in, NAME);
    let (service, next) = value.split_once(':').unwrap_or((value, ""));
    let program = &patient.settings.service(&format!("{service}/unix"))?.program;
    // Without a next hop it is the recipient's domain (qmgr_message.c:qmgr_message_resolve), and its connector is asked.
    let next = if next.is_empty() { patient.settings.main("default_filter_nexthop") } else { next };
    let elsewhere: Vec<&str> = hops(next).filter(|hop| !patient.is_here(hop)).collect();
    if program != "smtp" || elsewhere.is_empty() {
        return None;
    }
    let all = patient.agreements.outbound.iter().enumerate();
    let outbound = all.filter(|(_, connector)| connector.mode != Mode::Off);
    let mut unprotected = Vec::new();
    for (number, connector) in outbound {
        ways.leaves(number, service);
        if elsewhere.iter().any(|hop| !patient.knows_host(number, hop)) {
            unprotected.push(connector.name.as_str());
        }
    }
    let message = format!(
        "all mail goes to {} first, and for that host no connector that demands as much is asked: give it one of its own, \
         with its name in `domains`",
        printable(next, WORDS)
    );
    let set = Set { place: patient.place(taking_in, NAME), name: NAME, value };
    finding(&CONTENT_FILTER, unprotected.into_iter(), &message, set, Vec::new())
}

impl Patient<'_> {
    /// Whether mail for a host stays on this one, by the names and addresses that main.cf has for it.
    fn is_here(&self, hop: &str) -> bool {
        match Key::parse(hop).map(|key| key.host) {
            Ok(KeyHost::Address(address)) => {
                let own = tables(self.settings.main("inet_interfaces")).into_iter();
                let mut own = own.filter_map(|own| own.trim_matches(['[', ']']).parse::<IpAddr>().ok());
                address.is_loopback() || own.any(|own| own == address)
            }
            Ok(KeyHost::Name(name)) => {
                name == "localhost" || name.eq_ignore_ascii_case(self.settings.main("myhostname"))
            }
            Err(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::found_of;
    use crate::model::sample::{agreements, connectors};

    #[test]
    fn only_a_filter_elsewhere_that_nobody_knows_is_one() {
        let all =
            agreements(connectors(&["encrypt of a.example", "secure x.example of f.example"]), Vec::new());
        for (filter, names) in [
            ("", None),
            ("smtp-amavis:[127.0.0.1]:10024", None),
            ("smtp:[::1]:10024", None),
            ("smtp:localhost:10024", None),
            ("lmtp:unix:/run/filter", None),
            ("smtp:", None),
            ("nobody:[192.0.2.1]:10024", None),
            ("smtp-amavis:[192.0.2.1]:10024", Some("c0 c1")),
            ("smtp:[f.example]:10024", None),
            ("smtp:[f.example]:10024, [g.example]:10024", Some("c0 c1")),
        ] {
            let found = found_of(&format!("content_filter = {filter}"), "", &all);
            let found: Vec<_> = found.iter().map(|[id, _, names, _]| (id.as_str(), names.as_str())).collect();
            let expected: Vec<_> = names.map(|names| ("postfix-content-filter", names)).into_iter().collect();
            assert_eq!(found, expected, "{filter}");
        }
        for (main, hop) in [
            ("myhostname = Mail.ours.example", "[mail.ours.example]:10024"),
            ("inet_interfaces = 192.0.2.1, [2001:db8::1]", "[192.0.2.1]:10024"),
            ("inet_interfaces = 192.0.2.1, [2001:db8::1]", "[2001:db8::1]:10024"),
        ] {
            let own = format!("submission/inet/content_filter = smtp:{hop}\n");
            assert_eq!(found_of(main, &own, &all).len(), 0, "{main}: {hop}");
        }
        let own = "submission/inet/content_filter = smtp:[192.0.2.1]:10024\n";
        let found = found_of("relayhost =", own, &all);
        let places: Vec<&str> = found.iter().map(|[_, place, ..]| place.as_str()).collect();
        assert_eq!(
            places,
            ["master.cf: submission/inet: content_filter = smtp:[192.0.2.1]:10024"],
            "{found:?}"
        );
        // The service that mail goes to the filter by is one that it leaves by.
        let own = "smtp-amavis/unix/smtp_tls_policy_maps = \n";
        let found = found_of("content_filter = smtp-amavis:[f.example]:10024", own, &all);
        let ids: Vec<&str> = found.iter().map(|[id, ..]| id.as_str()).collect();
        assert_eq!(ids, ["postfix-policy-missing"], "{found:?}");
    }
}
