//! Content filters behind the queue (FILTER_README). All mail goes to the filter first, under the name of its host; what it
//! gives back is sent on as if it were new, and the connectors are asked then.

use std::net::IpAddr;

use super::kinds::CONTENT_FILTER;
use super::names::Whose;
use super::ways::{Ways, hops};
use super::{Patient, Set, finding, is};
use crate::answer;
use crate::model::host::{Key, KeyHost};
use crate::model::names::Names;
use crate::model::pattern::Entry;
use crate::model::requirement::Parts;
use crate::model::{Level, Mode, Outbound, Pattern, PatternSet, Requirement};
use crate::mta::finding::Finding;
use crate::mta::postfix::settings::{Service, tables};
use crate::protocol::escape::printable;

/// Programs that put mail into the queue, and say by which filter it has to go.
const TAKES_IN: [&str; 3] = ["smtpd", "pickup", "qmqpd"];

/// Enough of a value to know it again.
const WORDS: usize = 100;

/// What the connector for a filter is called.
const NAME_OF_CONNECTOR: &str = "content-filter";

/// Filters that are asked by smtp(8) on another host: on the way there mail is as safe as that host's connector makes it. A
/// filter on this one, or one that a program is run for, is nobody's here.
pub(super) fn filters(patient: &Patient<'_>, ways: &mut Ways) -> Vec<Finding> {
    let taking_in = TAKES_IN.iter().flat_map(|program| patient.settings.running(program));
    let behind: Vec<Finding> = taking_in.filter_map(|service| filter(patient, ways, service)).collect();
    behind
        .into_iter()
        .chain(patient.settings.running("smtpd").filter_map(|service| before(patient, service)))
        .collect()
}

/// A filter that mail goes through before it is in the queue: smtpd(8) gives it all of it in plaintext
/// (smtpd_proxy.c:smtpd_proxy_connect).
fn before<'p>(patient: &Patient<'p>, smtpd: &'p Service) -> Option<Finding> {
    const NAME: &str = "smtpd_proxy_filter";
    let value = patient.settings.of(smtpd, NAME);
    let after = |prefix: &str| {
        let (head, rest) = value.split_at_checked(prefix.len())?;
        is(head, prefix).then_some(rest)
    };
    let filter = after("inet:").unwrap_or(value);
    // A port alone is one of this host (inet_connect.c).
    let has_host = filter.contains([':', '[']) && !filter.starts_with(':');
    if after("unix:").is_some() || !has_host || patient.is_here(filter) {
        return None;
    }
    let plain = Requirement::of_main_cf(Level::May);
    let unprotected = patient
        .outbound_connectors()
        .filter(|connector| !plain.is_as_strong_elsewhere(&connector.requirement));
    let message = format!(
        "all mail goes to {} first, and always in plaintext: such a filter belongs on this host",
        printable(filter, WORDS)
    );
    let set = Set { place: patient.place(smtpd, NAME), name: NAME, value };
    let names = unprotected.map(|connector| connector.name.as_str());
    finding(&CONTENT_FILTER, names, &message, set, Vec::new())
}

fn filter<'p>(patient: &Patient<'p>, ways: &mut Ways, taking_in: &'p Service) -> Option<Finding> {
    const NAME: &str = "content_filter";
    let value = patient.settings.of(taking_in, NAME);
    let (service, next) = value.split_once(':').unwrap_or((value, ""));
    let program = &patient.settings.service(&format!("{service}/unix"))?.program;
    // Without a next hop it is the recipient's domain (qmgr_message.c:qmgr_message_resolve), and its connector is asked, if
    // this service asks.
    let next = if next.is_empty() { patient.settings.main("default_filter_nexthop") } else { next };
    let elsewhere: Vec<&str> = hops(next).filter(|hop| !patient.is_here(hop)).collect();
    if program != "smtp" || elsewhere.is_empty() && hops(next).next().is_some() {
        return None;
    }
    let all = patient.agreements.outbound.iter().enumerate();
    let outbound = all.filter(|(_, connector)| connector.mode != Mode::Off);
    let mut unprotected = Vec::new();
    for (number, connector) in outbound {
        ways.leaves(number, service);
        if elsewhere.iter().any(|hop| !patient.protects(connector, hop)) {
            unprotected.push(connector);
        }
    }
    let message = format!(
        "all mail goes to {} first, and for that host no connector that demands as much is asked: give it one of its own, \
         with its name in `domains`; all mail waits then, if the filter does not do what that says",
        printable(next, WORDS)
    );
    let set = Set { place: patient.place(taking_in, NAME), name: NAME, value };
    let mend = match elsewhere[..] {
        [hop] => patient.connector_for(hop, &unprotected),
        _ => Vec::new(),
    };
    finding(&CONTENT_FILTER, unprotected.iter().map(|connector| connector.name.as_str()), &message, set, mend)
}

impl Patient<'_> {
    /// Whether mail is as safe on its way to a filter as a connector demands of the partner. Who is there is another one.
    fn protects(&self, connector: &Outbound, hop: &str) -> bool {
        let lookup = answer::tls(self.snapshot, hop.as_bytes());
        let reported = lookup.report.iter().map(|report| &report.applied);
        // Of two that report, each will be in force when the other is.
        let reported = reported.filter(|_| connector.mode == Mode::Report);
        lookup.applies.iter().chain(reported).any(|applied| {
            let requirement = &applied.connector.agreement.requirement;
            requirement.is_as_strong_elsewhere(&connector.requirement)
        })
    }

    /// The command that gives a filter a connector, where one that can be made in a line is enough for these.
    fn connector_for(&self, hop: &str, unprotected: &[&Outbound]) -> Vec<String> {
        let Ok(Key { host: KeyHost::Name(host), .. }) = Key::parse(hop) else { return Vec::new() };
        // One that is there already would be another one for the same name.
        if !self.owners(&host, Whose::Named).is_empty() {
            return Vec::new();
        }
        let outbound = self.agreements.outbound.iter().map(|connector| &connector.name);
        let mut taken = outbound.chain(self.agreements.inbound.iter().map(|connector| &connector.name));
        if taken.any(|taken| taken.as_str() == NAME_OF_CONNECTOR) {
            return Vec::new();
        }
        let lookup = answer::tls(self.snapshot, hop.as_bytes());
        let wider = lookup.applies.iter().map(|applied| &applied.connector.agreement.requirement);
        let main_cf = Requirement::of_main_cf(self.agreements.mta.level);
        let wider: Vec<&Requirement> = wider.chain([&main_cf]).collect();
        // What is weaker than a wider one is refused.
        let is_enough = |parts: Parts| {
            Requirement::new(parts).is_ok_and(|requirement| {
                unprotected.iter().all(|connector| requirement.is_as_strong_elsewhere(&connector.requirement))
                    && wider.iter().all(|wider| requirement.holds_against(wider, Entry::Name(&host)))
            })
        };
        // No authority certifies a single label.
        let name = Pattern::parse(&host).ok().filter(|_| host.contains('.'));
        let names = name.map(|name| Names::Set(PatternSet::new(vec![name])));
        let demands = if is_enough(Parts::of_level(Level::Encrypt)) {
            vec!["--tls", Level::Encrypt.word()]
        } else if names.is_some() && is_enough(Parts { names, ..Parts::of_level(Level::Secure) }) {
            vec!["--tls", Level::Secure.word(), "--match", &host]
        } else {
            return Vec::new();
        };
        let enforces = unprotected.iter().any(|connector| connector.mode == Mode::Enforce);
        let mode = if enforces { Mode::Enforce } else { Mode::Report };
        self.written.connector(NAME_OF_CONNECTOR, &host, &demands, mode)
    }

    /// Whether mail for a host stays on this one, by the names and addresses that main.cf has for it.
    pub(super) fn is_here(&self, hop: &str) -> bool {
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
    #![allow(clippy::indexing_slicing)]
    use super::super::sample::found_of;
    use crate::model::Level;
    use crate::model::name::ConnectorName;
    use crate::model::sample::{agreements, connectors};

    /// What is made for a filter demands as much as any of the connectors, and is made where that can be said in a line.
    #[test]
    fn a_filter_is_given_what_the_partners_have() {
        let new =
            "connectord new --yes --direction outbound --name content-filter --domains f.example --tls ";
        for (demands, hop, expected) in [
            (vec!["encrypt of a.example", "may of b.example"], "[f.example]:10024", Some("encrypt")),
            (vec!["encrypt of a.example, report"], "F.example", Some("encrypt --mode report")),
            (vec!["dane of a.example"], "F.example", Some("secure --match f.example")),
            (
                vec!["encrypt of a.example", "verify of b.example"],
                "[f.example]",
                Some("secure --match f.example"),
            ),
            (vec!["dane-only of a.example"], "[f.example]", Some("secure --match f.example")),
            (vec!["encrypt of a.example"], "[192.0.2.1]:10024", None),
            (vec!["encrypt of a.example"], "[f.example], [g.example]", None),
            // There is one that demands less, or a wider one that demands something else.
            (vec!["encrypt of a.example", "may of f.example"], "[f.example]", None),
            (
                vec!["secure x.example of a.example", "verify of *"],
                "[f.example]",
                Some("secure --match f.example"),
            ),
            (vec!["secure x.example of a.example"], "[filter]", None),
        ] {
            let all = agreements(connectors(&demands), Vec::new());
            let found = found_of(&format!("content_filter = smtp:{hop}"), "", &all);
            let [[id, _, _, command]] = &found[..] else { panic!("{hop}: {found:?}") };
            let expected = expected.map(|demands| {
                let mode = if demands.contains("--mode") { "" } else { " --mode enforce" };
                format!("{new}{demands}{mode} --reload")
            });
            assert_eq!(
                (id.as_str(), command),
                ("postfix-content-filter", &expected.unwrap_or_default()),
                "{hop}"
            );
        }
        let mut all = agreements(connectors(&["encrypt of a.example"]), Vec::new());
        all.outbound[0].name = ConnectorName::parse("content-filter").unwrap_or_else(|_| panic!("a name"));
        let found = found_of("content_filter = smtp:[f.example]", "", &all);
        assert_eq!(found[0][3], "");
        // Connectors may not demand less than what was told of main.cf.
        let mut all = agreements(connectors(&["dane-only of a.example"]), Vec::new());
        all.mta.level = Level::DaneOnly;
        let found = found_of("content_filter = smtp:[f.example]", "", &all);
        let ours: Vec<_> = found.iter().filter(|[id, ..]| id == "postfix-content-filter").collect();
        assert_eq!(ours[0][3], "");
    }

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
