//! One connector: from its domains to the report.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::mpsc::UnboundedSender;

use super::ground::Ground;
use super::mail::Round;
use super::place::{Place, Policies, Seen, Way};
use super::subject::Subject;
use crate::validate::at_once::at_once;
use crate::validate::dane::{self, Tlsa};
use crate::validate::dns;
use crate::validate::observation::Target;
use crate::validate::report::{AddressReport, ConnectorReport, Finding, Verdict};
use crate::validate::route::{self, Destination, Found, Hop};
use crate::validate::sight::OUT_OF_TIME;
use crate::validate::strictest::combined;

/// Addresses of one connector that are visited; the others are counted and said. Ours: a partner
/// has some tens at most.
pub(super) const MAX_ADDRESSES: usize = 1000;

/// Addresses that Postfix tries of one domain (postconf(5), `smtp_mx_address_limit`).
const MX_ADDRESS_LIMIT: usize = 5;

/// The code of an address that this machine cannot reach, whatever the partner does.
const NO_ROUTE: &str = "no-route";

/// Where the progress goes.
pub(super) type Teller = UnboundedSender<(String, AddressReport)>;

/// Tests one connector.
pub(super) async fn test(
    subject: Arc<Subject>,
    ground: Arc<Ground>,
    now: Timestamp,
    teller: Teller,
) -> ConnectorReport {
    let mut findings = subject.findings.clone();
    let (hops, policies) = tokio::join!(hops(&subject, &ground), policies(&subject, &ground));
    let (hops, more) = hops;
    findings.extend(more);
    let (ways, mut addresses) = ways(hops, &ground).await;
    let (places, left_out) = places(ways);
    if left_out > 0 {
        let reason = format!("Only the first {MAX_ADDRESSES} addresses were tested, {left_out} were not.");
        findings.push(Finding::new(Verdict::Warn, "too-many-addresses", reason, ""));
    }
    let places: Vec<Arc<Place>> = places.into_iter().map(Arc::new).collect();
    let policies = Arc::new(policies);
    let visits = places.iter().map(|place| {
        let (place, subject, ground) = (place.clone(), subject.clone(), ground.clone());
        let (policies, teller) = (policies.clone(), teller.clone());
        async move {
            let seen = match place.visit(&subject, &ground, None).await {
                Some(seen) => place.judge(&seen, &subject, &ground, &policies, now),
                None => place.unfinished(&ground),
            };
            // Nobody listens any more: then nobody has to be told.
            let _ = teller.send((subject.name.clone(), seen.report.clone()));
            seen
        }
    });
    let mut seen = at_once(visits).await;
    soften(&places, &mut seen);
    let round = Round { subject: &subject, ground: &ground, policies: &policies, now };
    findings.extend(round.send(&places, &mut seen).await);
    let capabilities: Vec<_> = seen.iter().flat_map(|seen| seen.capabilities.clone()).collect();
    addresses.extend(seen.into_iter().map(|seen| seen.report));
    let verdicts = addresses.iter().map(|address| address.verdict);
    // Nothing found and nothing said is no pass.
    let verdict = verdicts.chain(findings.iter().map(|finding| finding.verdict)).max();
    ConnectorReport {
        connector: subject.name.clone(),
        verdict: verdict.unwrap_or(Verdict::Fail),
        level: subject.own.requirement.level().word().to_owned(),
        at: now,
        strictest: combined(&capabilities),
        findings,
        addresses,
    }
}

/// Every host of every destination, in the order in which the MTA tries them.
async fn hops(subject: &Subject, ground: &Arc<Ground>) -> (Vec<Hop>, Vec<Finding>) {
    let each = subject.destinations.iter().cloned().map(|destination| {
        let ground = ground.clone();
        async move {
            let found = ground.in_time(route::hops(&ground.dns, &destination)).await;
            found.unwrap_or_else(|| Err(out_of_time(&destination)))
        }
    });
    let (mut hops, mut findings) = (Vec::new(), Vec::new());
    for found in at_once(each).await {
        match found {
            Ok(Found { hops: more, findings: said }) => {
                hops.extend(more);
                findings.extend(said);
            }
            Err(finding) => findings.push(finding),
        }
    }
    (hops, findings)
}

fn out_of_time(destination: &Destination) -> Finding {
    let whom = match destination {
        Destination::Domain(domain) => domain.to_string(),
        Destination::SmartHosts(_) => "the smart hosts".to_owned(),
    };
    let reason = format!("The DNS did not say in time where mail for {whom} goes.");
    Finding::new(Verdict::Fail, OUT_OF_TIME, reason, "")
}

/// The policies of the domains that have MX records of their own.
async fn policies(subject: &Subject, ground: &Arc<Ground>) -> Policies {
    let domains = subject.destinations.iter().filter_map(|destination| match destination {
        Destination::Domain(domain) => Some(domain.to_string()),
        Destination::SmartHosts(_) => None,
    });
    let each = domains.map(|domain| {
        let ground = ground.clone();
        async move {
            let found = ground.policy(&domain).await;
            (domain, found)
        }
    });
    at_once(each).await.into_iter().collect()
}

/// Asks for the TLSA records of each host once; hosts without an address are reports already.
async fn ways(hops: Vec<Hop>, ground: &Arc<Ground>) -> (Vec<Way>, Vec<AddressReport>) {
    let hops: Vec<Arc<Hop>> = hops.into_iter().map(Arc::new).collect();
    let mut hosts: BTreeMap<(String, u16), Arc<Hop>> = BTreeMap::new();
    for hop in hops.iter().filter(|hop| hop.addresses.is_ok()) {
        hosts.entry((hop.host.clone(), hop.port)).or_insert_with(|| hop.clone());
    }
    let each = hosts.into_iter().map(|(key, hop)| {
        let ground = ground.clone();
        async move {
            let found = ground.in_time(dane::look(&ground.dns, &hop)).await;
            (key, Arc::new(found.unwrap_or(Tlsa::Failed(dns::Error::Timeout))))
        }
    });
    let records: BTreeMap<_, _> = at_once(each).await.into_iter().collect();
    let (mut ways, mut nowhere) = (Vec::new(), BTreeMap::new());
    for hop in hops {
        match (&hop.addresses, records.get(&(hop.host.clone(), hop.port))) {
            (Ok(_), Some(tlsa)) => ways.push(Way { tlsa: tlsa.clone(), hop }),
            (Ok(_), None) => {}
            (Err(reason), _) => {
                let report = AddressReport {
                    detail: reason.detail.clone(),
                    ..AddressReport::without_session(
                        &hop.host,
                        hop.port,
                        reason.verdict,
                        &reason.code,
                        &reason.reason,
                    )
                };
                nowhere.entry((hop.host.clone(), hop.port)).or_insert(report);
            }
        }
    }
    (ways, nowhere.into_values().collect())
}

/// Each address once, in the order of the ways that lead to it, those of a host in the order of
/// their numbers: resolvers shuffle them. And how many are left out.
fn places(ways: Vec<Way>) -> (Vec<Place>, usize) {
    let mut numbers: BTreeMap<(String, u16, IpAddr), usize> = BTreeMap::new();
    let mut places: Vec<Place> = Vec::new();
    let mut left_out = 0;
    for way in ways {
        let mut addresses: Vec<IpAddr> = way.hop.addresses.iter().flatten().copied().collect();
        addresses.sort_unstable();
        for address in addresses {
            let key = (way.hop.host.clone(), way.hop.port, address);
            let room = places.len() < MAX_ADDRESSES;
            let next = places.len();
            match numbers.get(&key).and_then(|&number| places.get_mut(number)) {
                Some(place) => place.ways.push(way.clone()),
                None if !room => left_out += 1,
                None => {
                    numbers.insert(key, next);
                    let target = Target { host: way.hop.host.clone(), address, port: way.hop.port };
                    places.push(Place { target, ways: vec![way.clone()] });
                }
            }
        }
    }
    (places, left_out)
}

/// A host that is away is passed over by the MTA as long as another one takes the mail: that is to
/// be looked at, and stops nothing. An address to which this machine has no route concerns nobody:
/// the MTA here never comes to it.
///
/// But Postfix tries only so many addresses of a domain ([`MX_ADDRESS_LIMIT`]) and then waits: with
/// that many dead ones before it, the good one is never reached.
fn soften(places: &[Arc<Place>], seen: &mut [Seen]) {
    let delivers: Vec<&Place> = places
        .iter()
        .zip(seen.iter())
        .filter(|(_, seen)| seen.report.verdict != Verdict::Fail)
        .map(|(place, _)| place.as_ref())
        .collect();
    let away: Vec<&Place> = places
        .iter()
        .zip(seen.iter())
        .filter(|(_, seen)| seen.is_away && seen.report.code != NO_ROUTE)
        .map(|(place, _)| place.as_ref())
        .collect();
    for (place, seen) in places.iter().zip(seen.iter_mut()) {
        if !seen.is_away || seen.report.verdict != Verdict::Fail || !place.is_covered_by(&delivers) {
            continue;
        }
        if place.ways.iter().any(|way| is_out_of_reach(&way.hop.next_hop, &delivers, &away)) {
            seen.report.reason.push_str(&format!(
                "; with so many dead addresses before the good one Postfix never comes to it, for it tries \
                 {MX_ADDRESS_LIMIT} (smtp_mx_address_limit)"
            ));
            continue;
        }
        let without_route = seen.report.code == NO_ROUTE;
        seen.report.verdict = if without_route { Verdict::Pass } else { Verdict::Warn };
        seen.report.reason.push_str("; mail goes to another address");
    }
}

/// Whether a domain's first address that delivers comes after as many dead ones as Postfix tries.
fn is_out_of_reach(next_hop: &str, delivers: &[&Place], away: &[&Place]) -> bool {
    let Some(best) = delivers.iter().filter_map(|place| place.preference(next_hop)).min() else {
        return true;
    };
    let before = away.iter().filter_map(|place| place.preference(next_hop));
    before.filter(|preference| *preference < best).count() >= MX_ADDRESS_LIMIT
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(next_hop: &str, preference: u16) -> Place {
        let hop = Hop {
            next_hop: next_hop.to_owned(),
            host: format!("mx{preference}.{next_hop}"),
            port: 25,
            preference,
            secure: false,
            trail: route::Trail::default(),
            addresses: Ok(Vec::new()),
        };
        let target = Target { host: hop.host.clone(), address: IpAddr::from([192, 0, 2, 1]), port: 25 };
        Place { target, ways: vec![Way { hop: Arc::new(hop), tlsa: Arc::new(Tlsa::Absent) }] }
    }

    /// Postfix looks at five addresses of a domain, and keeps the mail then.
    #[test]
    fn a_good_host_behind_five_dead_ones_is_out_of_reach() {
        let dead = |count: usize, preference| (0..count).map(move |_| place("a.example", preference));
        let table = [
            (4, 10, 20, false),
            (5, 10, 20, true),
            // Hosts of one preference are tried in any order: some day the good one is among the five.
            (7, 20, 20, false),
            (7, 30, 20, false),
        ];
        for (count, preference, good, expected) in table {
            let (dead, good) = (dead(count, preference).collect::<Vec<_>>(), place("a.example", good));
            let other = place("b.example", 1);
            let away: Vec<&Place> = dead.iter().chain([&other]).collect();
            assert_eq!(is_out_of_reach("a.example", &[&good], &away), expected, "{count} at {preference}");
        }
        assert!(is_out_of_reach("c.example", &[&place("a.example", 1)], &[]));
    }
}
